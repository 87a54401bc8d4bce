"""File formats: one module each, all behind `drizzleflow.frames.frame.Frame`.

A format module has ``NAME``, ``SUFFIXES``, ``DQ_FLAGS``, ``GOOD_BITS``, ``SKY_BITS``, ``OUTLIER``, ``ERR_ALONE``, ``READS_ROWS``
and the functions
``recognise(header)``, ``describe(path, header, options)``, ``read(member, extver, planes, options)`` and
``write_crf(member, masks, path, keywords, options)``, and, where its files are not FITS, ``headers(path)``: cards for a FITS
product. A new format is one new file and its name in ``NAMES``.
"""

import os
from importlib import import_module

from drizzleflow.errors import InputError

#: asked in this order; `simple` takes any FITS image
NAMES = ("roman", "jwst", "hst", "simple")
#: formats whose flagged copies are not FITS: the endings of their names
ENDINGS = {"roman": "asdf"}


def get(name: str):
    """The module of format `name`, imported when it is first needed."""
    return import_module(f"drizzleflow.formats.{name}")


def good_bits(module, step: str, chosen):
    """The good bits of a step ('single', 'mosaic'): as `chosen` in the configuration, where ``auto`` is the format's own."""
    return module.GOOD_BITS[step] if chosen == "auto" else chosen


def ending(name: str) -> str:
    """The ending of a flagged copy's name, without the dot. Imports nothing: the plan asks."""
    return ENDINGS.get(name, "fits")


def is_asdf(path) -> bool:
    """Whether a file is to be read as ASDF: by its first bytes, or by its name where these are broken."""
    with open(path, "rb") as file:
        return file.read(5) == b"#ASDF" or os.fspath(path).lower().endswith(".asdf")


def header(path):
    """What tells a file's format: the primary header, or of an ASDF file its tree (`drizzleflow.io.asdf_file.AsdfFile`)."""
    path = str(path)
    if is_asdf(path):
        from drizzleflow.io.asdf_file import AsdfFile

        return AsdfFile(path)
    from astropy.io import fits

    return fits.getheader(path, 0)


def verify(path) -> list[str]:
    """Compare a file with the checksums in it; warnings. `InputError`: it is damaged."""
    if is_asdf(path):
        from drizzleflow.io.asdf_file import AsdfFile

        AsdfFile(path).verify()
        return []
    from drizzleflow.io import fits_verify

    return fits_verify.verify(path)


def detect(header) -> str:
    """The name of the format that a file's `header` belongs to."""
    return next(name for name in NAMES if get(name).recognise(header))


def read(member: dict, extver: int = 1, planes=("data", "dq"), options: dict | None = None, rows=None):
    """One `Frame` of a member; see the format modules' ``read``. With `rows` (first, end) only those of each plane."""
    module = get(member["format"])
    more = (rows,) if rows is not None and module.READS_ROWS else ()
    try:
        frame = module.read(member, extver, planes, options, *more)
    except InputError:
        raise
    except Exception as error:
        from astropy.io.fits import VerifyError

        if isinstance(error, VerifyError):  # astropy looks at a card when it is asked for its value
            raise InputError(f"{member['path']}: a header card that is no FITS ({error})") from None
        raise
    if more:
        return frame
    if "var" in planes:
        from drizzleflow.frames.variances import variances_from_err

        variances_from_err(frame)
    return frame if rows is None else frame.cut(rows)
