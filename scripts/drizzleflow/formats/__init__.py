"""File formats: one module each, all behind `drizzleflow.frames.frame.Frame`.

A new format is one new file in this folder. All that is true of one format stands in its module, under
these names:

    NAME                the module's own name, as in ``member["format"]``
    TITLE               how messages call its files ("JWST")
    PRIORITY            formats are asked in falling order; plain FITS, which takes any file, has 0
    SUFFIXES            endings of files' names that are not part of a member's name ("_cal"), in lower case
    ENDING              of the flagged copies' names: "fits" or "asdf"
    ROADS               {exposure type: road}; None: the imaging road for any exposure type
    HAS_GWCS            whether exact coordinates are a GWCS, which takes asdf and gwcs to open
    READS_ROWS          whether `read` can read a part of the rows
    TAKES_COMPANIONS    whether an association may give ``dq``, ``ivar`` and ``flux_scale`` beside a file
    ERR_ALONE           whether a file may have ERR and no variance planes
    MEMORY              {step: bytes that it holds for each pixel of a frame} (`drizzleflow.plan.figures`)
    DQ_FLAGS            {name: bit} of the flags that a user may name
    GOOD_BITS           {"single": bits, "mosaic": bits}: flags that are no fault; SKY_BITS: for the sky
    OUTLIER             the bits that are set at outliers
    OUTLIER_KEY         the setting of the section ``simple`` that replaces them; None: there is none

    recognise(header)                                    whether a file is of this format (`header`)
    describe(path, header, options)                      what the plan needs to know of a file: a dict
    read(member, extver, planes, options)                one `Frame`; READS_ROWS: also ``rows``, (first, end)
    write_crf(member, masks, path, keywords, options)    the flagged copy
    write_clean(member, images, path, keywords)          the cleaned copy (``crmask.corr``); None: has none
    headers(path)                                        cards for a FITS product; None: those of a FITS file

The plan, which every process of a run makes, imports no such module: its cache holds what they declare
(`Declared`).
"""

import os
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from drizzleflow.errors import InputError


@dataclass(frozen=True)
class Declared:
    """What the plan knows of a format, in plain types: what the format's module declares, in lower case."""

    name: str
    title: str
    suffixes: list[str]
    ending: str
    roads: dict[str, str] | None
    has_gwcs: bool
    reads_rows: bool
    takes_companions: bool
    memory: dict[str, float]


@cache
def names() -> tuple[str, ...]:
    """The formats of this folder, in the order in which they are asked."""
    listed = [module.name for module in pkgutil.iter_modules(__path__)]
    return tuple(sorted(listed, key=lambda name: (-get(name).PRIORITY, name)))


def get(name: str):
    """The module of format `name`, imported when it is first needed."""
    return import_module(f"drizzleflow.formats.{name}")


def declared(name: str) -> Declared:
    """What format `name` declares of itself, for the plan."""
    module = get(name)
    found = {key: getattr(module, key.upper()) for key in Declared.__dataclass_fields__}
    return Declared(**found | {"suffixes": list(module.SUFFIXES)})


def suffixes() -> tuple[str, ...]:
    """The endings of files' names that are not part of a member's name, of all formats."""
    return tuple(dict.fromkeys(suffix for name in names() for suffix in get(name).SUFFIXES))


def good_bits(module, step: str, chosen):
    """The good bits of a step ('single', 'mosaic') as `chosen`; ``auto``: the format's own."""
    return module.GOOD_BITS[step] if chosen == "auto" else chosen


def outlier_bits(module, options) -> int:
    """The bits that a flagged copy has at its outliers; `options`: the configuration's section ``simple``."""
    return options[module.OUTLIER_KEY] if module.OUTLIER_KEY else module.OUTLIER


def is_asdf(path) -> bool:
    """Whether a file is to be read as ASDF: by its first bytes, or by its name where these are broken."""
    with open(path, "rb") as file:
        return file.read(5) == b"#ASDF" or os.fspath(path).lower().endswith(".asdf")


def header(path):
    """What tells a file's format: the primary header, or of an ASDF file its tree (`AsdfFile`)."""
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
    return next(name for name in names() if get(name).recognise(header))


def read(member: dict, extver: int = 1, planes=("data", "dq"), options: dict | None = None, rows=None):
    """One `Frame` of a member; see the format modules' ``read``. With `rows` (first, end) only those of each
    plane.
    """
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
