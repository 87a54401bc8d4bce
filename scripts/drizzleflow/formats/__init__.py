"""The file formats, one module each; all give their images as `drizzleflow.frames.frame.Frame`.

A new format is one new file in this folder. Everything specific to a format is in its module, under these
names:

    NAME                the module's own name, as in ``member["format"]``
    TITLE               the name that messages use for its files ("JWST")
    PRIORITY            formats are tried from the highest; plain FITS, which accepts any file, has 0
    SUFFIXES            endings of files' names that are not part of a member's name ("_cal"), in lower case
    ENDING              ending of the flagged copies' names: "fits" or "asdf"
    ROADS               {exposure type: road}, the way it is processed; None: imaging for any type
    HAS_GWCS            whether the exact WCS is a GWCS, which needs asdf and gwcs to open
    READS_ROWS          whether `read` can read a part of the rows
    TAKES_COMPANIONS    whether an association may give ``dq``, ``ivar`` and ``flux_scale`` beside a file
    DETECTORS_APART     whether detectors are cameras of their own, whose exposures make products of their own
    ERR_ALONE           whether a file may have ERR and no variance planes
    MEMORY              {step: bytes in memory for each pixel of a frame} (`drizzleflow.plan.figures`)
    DQ_FLAGS            {name: bit} of the flags that a user may name
    GOOD_BITS           {"single": bits, "mosaic": bits}: flags of usable pixels; SKY_BITS: for the sky
    SATURATED           the DQ bits of saturated pixels; 0: none tells
    SKYMETHOD           what ``skymatch.skymethod: auto`` is for its files
    OUTLIER             the DQ bits that are set at outliers
    OUTLIER_KEY         the option of `reading` that replaces OUTLIER unless it is ``auto``, or None
    TAKES_BITS          whether ``inputs.resetbits`` and ``crmask.crbit`` choose DQ bits
    SETTINGS            {what: settings with which it is read}: "frame" (what the header tells), "dq" and "err" (the
                        planes), "input" (an input and not a flagged copy), "copy" (to write that), each a list of
                        "section: key key" (`drizzleflow.plan.keys`); may be left out

    recognise(header)                                    whether a file is of this format (`header`)
    describe(path, header, options)                      a dict of what the plan must know of a file
    read(member, extver, planes, options)                one `Frame`; READS_ROWS: also ``rows``, (first, end)
    write_crf(member, masks, path, keywords, options)    the flagged copy
    write_clean(member, images, path, keywords)          the cleaned copy (``crmask.corr``), or None
    headers(path)                                        cards for a FITS product; None: the file's own

Every process of a run makes the plan and must start fast, so the plan imports none of these modules. Its
cache holds what they declare (`Declared`).
"""

import os
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from drizzleflow.errors import ChecksumError, InputError


@dataclass(frozen=True)
class Declared:
    """What a format's module declares of itself, in plain types and lower case, for the plan."""

    name: str
    title: str
    suffixes: list[str]
    ending: str
    roads: dict[str, str] | None
    has_gwcs: bool
    reads_rows: bool
    takes_companions: bool
    takes_bits: bool
    memory: dict[str, float]
    skymethod: str
    detectors_apart: bool
    settings: dict[str, list[str]]


@cache
def names() -> tuple[str, ...]:
    """Return the names of all formats, in the order in which they are tried."""
    listed = [module.name for module in pkgutil.iter_modules(__path__)]
    return tuple(sorted(listed, key=lambda name: (-get(name).PRIORITY, name)))


def get(name: str):
    """Return the module of format `name`; it is imported at the first call."""
    return import_module(f"drizzleflow.formats.{name}")


def declared(name: str) -> Declared:
    """Return what format `name` declares of itself, for the plan."""
    module = get(name)
    found = {key: getattr(module, key.upper()) for key in Declared.__dataclass_fields__ if key != "settings"}
    found["settings"] = getattr(module, "SETTINGS", {})
    return Declared(**found | {"suffixes": list(module.SUFFIXES)})


def suffixes() -> tuple[str, ...]:
    """Return the endings of file names that are not part of a member's name, of all formats."""
    return tuple(dict.fromkeys(suffix for name in names() for suffix in get(name).SUFFIXES))


def good_bits(module, step: str, chosen):
    """Return the good bits of a step ('single', 'mosaic'): `chosen`, or the format's own for ``auto``."""
    return module.GOOD_BITS[step] if chosen == "auto" else chosen


def reading(options) -> dict:
    """Return the `options` of the modules' functions, from sections of the configuration.

    They are the keys of ``simple``, ``resetbits`` of ``inputs`` and ``crbit`` of ``crmask``, as far as they are
    there: a step is given those that its format reads (SETTINGS).
    """
    bits = (("inputs", "resetbits"), ("crmask", "crbit"))
    given = {key: options[name][key] for name, key in bits if key in options.get(name, ())}
    return {**options.get("simple", {}), **given}


def outlier_bits(module, options) -> int:
    """Return the DQ bits of outliers in a flagged copy; `options` as of `reading`."""
    chosen = options.get(module.OUTLIER_KEY, "auto")
    return module.OUTLIER if chosen == "auto" else chosen


def is_asdf(path) -> bool:
    """Tell whether a file is ASDF, by its first bytes or, if these are damaged, by its name."""
    with open(path, "rb") as file:
        return file.read(5) == b"#ASDF" or os.fspath(path).lower().endswith(".asdf")


def header(path):
    """Return what tells a file's format: the FITS primary header, or the ASDF tree (`AsdfFile`)."""
    path = str(path)
    if is_asdf(path):
        from drizzleflow.io.asdf_file import AsdfFile

        return AsdfFile(path)
    from astropy.io import fits

    return fits.getheader(path, 0)


def verify(path, wrong: str = "error") -> list[str]:
    """Compare a file with its checksums and return warnings.

    Data that are not those of their checksum raise `InputError`; with `wrong` 'warn' they are one of the
    warnings (``inputs.checksum``).
    """
    try:
        if is_asdf(path):
            from drizzleflow.io.asdf_file import AsdfFile

            AsdfFile(path).verify()
            return []
        from drizzleflow.io import fits_verify

        return fits_verify.verify(path)
    except ChecksumError as error:
        if wrong == "error":
            raise InputError(f"{error}; inputs.checksum: warn uses it nevertheless") from None
        return [f"{error}; used nevertheless (inputs.checksum: warn)"]


def detect(header) -> str:
    """Return the name of the format that a file's `header` belongs to."""
    return next(name for name in names() if get(name).recognise(header))


def read(member: dict, extver: int = 1, planes=("data", "dq"), options: dict | None = None, rows=None):
    """Return one `Frame` of a member; see the format modules' ``read``.

    With `rows` (first, end) only these rows of each plane are read.
    """
    module = get(member["format"])
    more = (rows,) if rows is not None and module.READS_ROWS else ()
    try:
        frame = module.read(member, extver, planes, options, *more)
    except InputError:
        raise
    except Exception as error:
        from astropy.io.fits import VerifyError

        if isinstance(error, VerifyError):  # astropy checks a card only when its value is asked for
            raise InputError(f"{member['path']}: a header card that is no FITS ({error})") from None
        raise
    if more:
        return frame
    if "var" in planes:
        from drizzleflow.frames.variances import variances_from_err

        variances_from_err(frame)
    return frame if rows is None else frame.cut(rows)
