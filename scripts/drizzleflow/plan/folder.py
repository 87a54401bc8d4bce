"""Make products of a folder of exposures, or of those that a pattern names, where nobody wrote a table.

The files that are calibrated images become members; a product has one instrument and one filter (HST: and
one detector). Of FITS and ASDF files each is a member, belongs to one (data quality, inverse variance), or is
left out, which is told with the reason. Other files are not looked at.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable

from drizzleflow.errors import InputError, harmless
from drizzleflow.plan.association import Association, member_name, safe_name

_FILE = re.compile(r"\.(fits?|fts)(\.(gz|fz))?$|\.asdf$", re.IGNORECASE)
NAMED = 4  #: files that a line names
_PATTERN = re.compile(r"[*?\[]")
#: endings of files that are made of exposures, or that exposures are made of: ending -> what it is
NO_EXPOSURE = {
    **dict.fromkeys(("_i2d", "_drz", "_drc", "_coadd", "_stack"), "a mosaic"),
    **dict.fromkeys(("_raw", "_uncal", "_rate", "_rateints", "_ramp", "_d0m", "_d0f"), "not calibrated yet"),
    **dict.fromkeys(("_x1d", "_x1dints", "_s2d", "_s3d", "_c1d"), "a spectrum or cube"),
    "_asn": "a table; give its own path to use it",
    **dict.fromkeys(
        ("_segm", "_cat", "_trl", "_spt", "_jit", "_jif", "_hlet", "_q0m"), "no image of the sky"
    ),
    **dict.fromkeys(("_median", "_blot", "_crmask", "_crclean", "_outlier_i2d"), "made by outlier detection"),
    **dict.fromkeys(("_crj", "_crc"), "a sum of exposures"),
    "_c1m": "the flags of its _c0m, which are read with it",
    **dict.fromkeys(
        (".weight", "_weight", "_wht"), "a weight map; a CSV's column ivar takes inverse variances"
    ),
}
#: of files with one name and several endings the first of these is taken
PREFERRED = ("_cal", "_calints", "_flc", "_flt", "_c0m", "_c0f")
#: names of files beside an image: what is in the place of ``_ooi_`` (NOIRLab's archive), what follows its name
INSTEAD_OF, INSTEAD = "_ooi_", {"_ood_": "dq", "_oow_": "ivar"}
AFTER = {"_dq": "dq", "_mask": "dq", "_ivar": "ivar"}
#: types of plain exposures that show no sky
NO_SKY = re.compile(
    r"(master[ _-]?)?(zero|bias|dark|flat|dflat|dome ?flat|sky ?flat|twilight|focus|arc|comp|lamp|junk).*",
    re.IGNORECASE,
)


def is_listing(source: str) -> bool:
    """Return whether an entry of ``associations`` names a folder, or files by a pattern with ``* ? [``."""
    return os.path.isdir(source) or bool(_PATTERN.search(source) and not os.path.isfile(source))


def listing(source: str) -> list[str]:
    """Return the paths of the files in a folder (not in those below it), or that match a pattern, sorted.

    A pattern need not match the data quality and inverse variance beside an image.
    """
    if os.path.isdir(source):
        try:
            return sorted(entry.path for entry in os.scandir(source) if entry.is_file())
        except OSError as error:
            raise InputError(f"{source}: the folder cannot be read ({error.strerror})") from None
    found = {path for path in glob.glob(source, recursive=True) if os.path.isfile(path)}
    return sorted(found.union(*(filter(os.path.isfile, _companions(path)) for path in found)))


def read(
    source: str, paths: list[str], describe: Callable, suffixes, formats, mode: str
) -> list[Association]:
    """Return the products that the files of a folder make, in the order of their names.

    Parameters
    ----------
    source : str
        The folder or pattern, for messages.
    paths : list of str
        From `listing`, in any order.
    describe : callable
        path -> a file's format and description (`drizzleflow.plan.files.describe`); InputError: no exposure.
    suffixes : sequence of str
        See `drizzleflow.plan.association.member_name`.
    formats : mapping
        name -> `drizzleflow.formats.Declared`.
    mode : str
        The setting `mode`.

    Raises
    ------
    InputError
        No file is a calibrated image.
    """
    left_out: dict[str, str] = {}
    tables = sorted(path for path in paths if path.lower().endswith((".json", ".csv")))
    paths = sorted(path for path in paths if _FILE.search(path))
    images = _images(paths, suffixes, left_out)
    # file beside an image -> that image
    owners = {other: path for path in images for other in _companions(path) if other in images}
    products: dict[tuple[str, ...], list[dict]] = {}
    for path in images:
        if path in owners:
            continue
        try:
            if _is_companion(path):
                raise InputError("data quality or weights without their image")
            described = describe(path)
            declared = formats[described["format"]]
            _expect_image(path, described, declared, mode)
        except InputError as error:
            left_out[path] = str(error).removeprefix(f"{path}: ").removeprefix(path)
            continue
        member = {"path": path, "member": safe_name(member_name(path, suffixes)), "exptype": "science"}
        for other, what in _companions(path).items() if declared.takes_companions else ():
            if other in owners:
                member.setdefault(what, other)
        products.setdefault(_key(described, declared), []).append(member)
    members = {member["path"]: member for several in products.values() for member in several}
    for other, path in owners.items():
        why = "which takes them from elsewhere" if path in members else "which is no member"
        if other not in members.get(path, {}).values():
            left_out[other] = f"data quality or weights of {os.path.basename(path)}, {why}"
    told = _told(left_out)
    if not products:
        raise InputError(f"{source}: {_why_none(source, paths, told, tables)}")
    return [
        Association(name, source, members=products[key], left_out=[f"{source}: left out {t}" for t in told])
        for key, name in sorted(_names(source, products).items(), key=lambda item: item[1])
    ]


def _why_none(source, paths, told, tables) -> str:
    if paths:
        more = " ..." if len(told) > 5 else ""
        return f"no calibrated image among {len(paths)} FITS and ASDF files ({'; '.join(told[:5])}{more})"
    if tables:
        return f"no FITS or ASDF file; to use a table, give its own path, such as {tables[0]}"
    if os.path.isdir(source):
        return f"no FITS or ASDF file in this folder; {os.path.join(source, '**', '*.fits')} takes those below it"
    return "no FITS or ASDF file matches this pattern"


def _told(left_out: dict[str, str]) -> list[str]:
    """Return a line for each reason for which files are left out, with the names of the first few."""
    reasons: dict[str, list[str]] = {}
    for path, reason in sorted(left_out.items()):
        reasons.setdefault(reason, []).append(os.path.basename(path))
    return [harmless(f"{first_of(names)}: {reason}") for reason, names in reasons.items()]


def first_of(names: list[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _images(paths, suffixes, left_out) -> dict[str, None]:
    """Return the paths that may be exposures, each member once, in their order; `left_out` gets the others."""
    versions: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        stem = _stem(path)
        ending = next((end for end in NO_EXPOSURE if stem.endswith(end)), None)
        if ending:
            left_out[path] = NO_EXPOSURE[ending]
        else:
            versions.setdefault((os.path.dirname(path), member_name(path, suffixes)), []).append(path)
    chosen = []
    for several in versions.values():
        first, *others = sorted(several, key=_rank)
        chosen.append(first)
        left_out |= dict.fromkeys(others, f"another version of {os.path.basename(first)}")
    return dict.fromkeys(sorted(chosen))


def _stem(path) -> str:
    """Return a file's name without ``.fits`` and the like, lower case."""
    return _FILE.sub("", os.path.basename(path)).lower()


def _rank(path) -> int:
    stem = _stem(path)
    return next((n for n, ending in enumerate(PREFERRED) if stem.endswith(ending)), len(PREFERRED))


def _companions(path) -> dict[str, str]:
    """Return the paths that an image's data quality and inverse variance have beside it: path -> dq or ivar.

    Of two for the same purpose the first counts.
    """
    folder, name = os.path.split(path)
    end = _FILE.search(name)
    if end is None:
        return {}
    names = {name.replace(INSTEAD_OF, part): what for part, what in INSTEAD.items() if INSTEAD_OF in name}
    names |= {f"{name[: end.start()]}{part}{end[0]}": what for part, what in AFTER.items()}
    return {os.path.join(folder, name): what for name, what in names.items()}


def _is_companion(path) -> bool:
    stem = _stem(path)
    return stem.endswith(tuple(AFTER)) or any(part in stem for part in INSTEAD)


def _expect_image(path, described, declared, mode) -> None:
    """Raise `InputError` for a file that is no exposure of the sky which a run can take."""
    kind = described.get("exp_type") or ""
    if declared.roads is None:
        if NO_SKY.fullmatch(kind):
            raise InputError(f"{path}: exposure type {kind}")
    elif mode == "auto" and declared.roads.get(kind.upper()) != "imaging":
        hint = "a spectrum" if described.get("dispersed") else "mode: imaging takes it"
        raise InputError(f"{path}: exposure type {kind or 'unknown'} ({hint})")
    if described.get("celestial") is False:
        raise InputError(
            f"{path}: no celestial WCS; solve it first, for example with astrometry.net or SCAMP"
        )


def _key(described, declared) -> tuple[str, str, str, str]:
    """Return what the members of one product share: format, instrument, detector and filter."""
    detector = described["detector"] if declared.detectors_apart else ""
    return described["format"], described["instrument"] or "", detector, described["filter"] or ""


def _names(source, products) -> dict[tuple, str]:
    """Return a name for each product, of what sets it apart, or else the folder's."""
    folder = source if os.path.isdir(source) else os.path.dirname(source)
    default = safe_name(os.path.basename(os.path.abspath(folder or ".")))
    names: dict[tuple, str] = {}
    for key in sorted(products):
        words = [_word(part) for part in key[1:] if part]
        name = safe_name("_".join(words)) if words else default
        while name in names.values():  # formats that say the same, or filters that differ by case alone
            name = f"{name}_{key[0]}"
        names[key] = name
    return names


def _word(text: str) -> str:
    """Return a part of a header as a part of a file's name: the first word of a long one, lower case."""
    return re.sub(
        r"[^a-z0-9+.-]+", "_", (text.split() or [""])[0].lower() if len(text) > 20 else text.lower()
    )
