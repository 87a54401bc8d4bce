"""File formats: one module each, all behind `drizzleflow.frame.Frame`.

A format module has ``NAME``, ``SUFFIXES``, ``DQ_FLAGS``, ``GOOD_BITS``, ``SKY_BITS``, ``OUTLIER``, ``ERR_ALONE``, ``READS_ROWS``
and the functions
``recognise(header)``, ``describe(path, header, options)``, ``read(member, extver, planes, options)`` and
``write_crf(member, masks, path, keywords, options)``. A new format is one new file and its name in ``NAMES``.
"""

from importlib import import_module

#: asked in this order; `simple` takes any FITS image
NAMES = ("jwst", "hst", "simple")


def get(name: str):
    """The module of format `name`, imported when it is first needed."""
    return import_module(f"drizzleflow.formats.{name}")


def detect(header) -> str:
    """The name of the format that a primary header belongs to."""
    return next(name for name in NAMES if get(name).recognise(header))


def read(member: dict, extver: int = 1, planes=("data", "dq"), options: dict | None = None, rows=None):
    """One `Frame` of a member; see the format modules' ``read``. With `rows` (first, end) only those of each plane."""
    module = get(member["format"])
    if rows is not None and module.READS_ROWS:
        return module.read(member, extver, planes, options, rows)
    frame = module.read(member, extver, planes, options)
    if "var" in planes:
        from drizzleflow.weights import variances_from_err

        variances_from_err(frame)
    return frame if rows is None else frame.cut(rows)
