"""Make products of a folder of exposures, or of those that a pattern names, where nobody wrote a table.

The files that are calibrated images become members; a product has one instrument and one filter (HST: and
one detector). What is left out is told with the reason, a line a file.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable

from drizzleflow.errors import InputError
from drizzleflow.plan.association import Association, member_name, safe_name

_FILE = re.compile(r"\.(fits?|fts)(\.(gz|fz))?$|\.asdf$", re.IGNORECASE)
NAMED = 4  #: files that a line names
_PATTERN = re.compile(r"[*?\[]")
#: endings of files that are made of exposures, or that exposures are made of: ending -> what it is
NO_EXPOSURE = {
    **dict.fromkeys(("_i2d", "_drz", "_drc", "_coadd", "_stack"), "a mosaic"),
    **dict.fromkeys(("_raw", "_uncal", "_rate", "_rateints", "_ramp", "_d0m", "_d0f"), "not calibrated yet"),
    **dict.fromkeys(("_x1d", "_x1dints", "_s2d", "_s3d", "_c1d"), "a spectrum or cube"),
    **dict.fromkeys(("_asn", "_pool"), "a table; give its own path to use it"),
    **dict.fromkeys(
        ("_segm", "_cat", "_trl", "_spt", "_jit", "_jif", "_hlet", "_q0m", "_c1m"), "no image of the sky"
    ),
    **dict.fromkeys(("_median", "_blot", "_crmask", "_crclean", "_outlier_i2d"), "made by outlier detection"),
    **dict.fromkeys(("_crj", "_crc"), "a sum of exposures"),
    **dict.fromkeys(
        (".weight", "_weight", "_wht"), "a weight map; a CSV's column ivar takes inverse variances"
    ),
}
#: of files with one name and several endings the first of these is taken
PREFERRED = ("_cal", "_calints", "_flc", "_flt", "_c0m", "_c0f")
#: (of an image's name, of the file beside it, what that is): NOIRLab's archive, and the plain endings
BESIDE = (
    ("_ooi_", "_ood_", "dq"),
    ("_ooi_", "_oow_", "ivar"),
    ("", "_dq", "dq"),
    ("", "_mask", "dq"),
    ("", "_ivar", "ivar"),
)
#: types of plain exposures that show no sky
NO_SKY = re.compile(
    r"(zero|bias|dark|flat|dflat|dome ?flat|sky ?flat|focus|arc|comp|lamp|junk).*", re.IGNORECASE
)


def is_listing(source: str) -> bool:
    """Return whether an entry of ``associations`` names a folder, or files by a pattern with ``* ? [``."""
    return os.path.isdir(source) or bool(_PATTERN.search(source) and not os.path.isfile(source))


def listing(source: str) -> list[str]:
    """Return the paths of the files in a folder (not in those below it), or that match a pattern, sorted."""
    if os.path.isdir(source):
        return sorted(entry.path for entry in os.scandir(source) if entry.is_file())
    return sorted(path for path in glob.glob(source, recursive=True) if os.path.isfile(path))


def read(
    source: str, paths: list[str], describe: Callable, suffixes, formats, mode: str
) -> list[Association]:
    """Return the products that the files of a folder make, in the order of their names.

    Parameters
    ----------
    source : str
        The folder or pattern, for messages.
    paths : list of str
        From `listing`.
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
    left_out: list[tuple[str, str]] = []
    images = _images(paths, suffixes, left_out)
    beside = _beside(images)
    taken = {path for companions in beside.values() for path in companions.values()}
    products: dict[tuple[str, ...], list[dict]] = {}
    for path in images:
        if path in taken:
            continue
        try:
            described = describe(path)
            _expect_image(path, described, formats[described["format"]], mode)
        except InputError as error:
            left_out.append((path, str(error).removeprefix(f"{path}: ").removeprefix(path)))
            continue
        member = {"path": path, "member": member_name(path, suffixes), "exptype": "science"}
        products.setdefault(_key(described, formats), []).append(member | beside.get(path, {}))
    if not products:
        why = "; ".join(f"{os.path.basename(path)}: {reason}" for path, reason in left_out[:5])
        raise InputError(
            f"{source}: no calibrated image among {len(paths)} files"
            + (f" ({why}{' ...' if len(left_out) > 5 else ''})" if why else "")
        )
    return [
        Association(name, source, members=products[key], left_out=_told(source, left_out))
        for key, name in sorted(_names(source, products).items(), key=lambda item: item[1])
    ]


def _told(source, left_out) -> list[str]:
    """Return a line for each reason for which files are left out, with the names of the first few."""
    reasons: dict[str, list[str]] = {}
    for path, reason in sorted(left_out):
        reasons.setdefault(reason, []).append(os.path.basename(path))
    return [
        f"{source}: left out {', '.join(names[:NAMED])}"
        f"{f' and {len(names) - NAMED} more' if len(names) > NAMED else ''}: {reason}"
        for reason, names in reasons.items()
    ]


def _images(paths, suffixes, left_out) -> list[str]:
    """Return the paths that may be exposures, each member once."""
    versions: dict[str, list[str]] = {}
    for path in paths:
        name = os.path.basename(path)
        if not _FILE.search(name):
            continue
        stem = _FILE.sub("", name).lower()
        ending = next((end for end in NO_EXPOSURE if stem.endswith(end)), None)
        if ending:
            left_out.append((path, NO_EXPOSURE[ending]))
        else:
            versions.setdefault(os.path.join(os.path.dirname(path), member_name(path, suffixes)), []).append(
                path
            )
    chosen = []
    for several in versions.values():
        several.sort(key=lambda path: (_rank(path), path))
        chosen.append(several[0])
        left_out += [(path, f"another version of {os.path.basename(several[0])}") for path in several[1:]]
    return sorted(chosen)


def _rank(path) -> int:
    stem = _FILE.sub("", os.path.basename(path)).lower()
    return next((n for n, ending in enumerate(PREFERRED) if stem.endswith(ending)), len(PREFERRED))


def _beside(images) -> dict[str, dict[str, str]]:
    """Return the files of data quality and inverse variance beside images: image -> {dq, ivar: path}."""
    known, found = set(images), {}
    for path in images:
        folder, name = os.path.split(path)
        for own, other, what in BESIDE:
            if own:
                companion = name.replace(own, other) if own in name else None
            else:
                end = _FILE.search(name).start()
                companion = f"{name[:end]}{other}{name[end:]}"
            if companion and os.path.join(folder, companion) in known:
                found.setdefault(path, {})[what] = os.path.join(folder, companion)
    return found


def _expect_image(path, described, declared, mode) -> None:
    """Raise `InputError` for a file that is no exposure of the sky which a run can take."""
    kind = described.get("exp_type") or ""
    if declared.roads is None:
        if NO_SKY.fullmatch(kind):
            raise InputError(f"{path}: exposure type {kind}")
    elif mode == "auto" and declared.roads.get(kind.upper()) != "imaging":
        raise InputError(f"{path}: exposure type {kind or 'unknown'} (mode: imaging takes it)")
    if described.get("celestial") is False:
        raise InputError(
            f"{path}: no celestial WCS; solve it first, for example with astrometry.net or SCAMP"
        )


def _key(described, formats) -> tuple[str, str, str, str]:
    """Return what the members of one product share: format, instrument, detector and filter."""
    name = described["format"]
    detector = described["detector"] if formats[name].detectors_apart else ""
    return name, described["instrument"] or "", detector, described["filter"] or ""


def _names(source, products) -> dict[tuple, str]:
    """Return a name for each product, of what sets it apart, or else the folder's."""
    folder = source if os.path.isdir(source) else os.path.dirname(source)
    default = safe_name(os.path.basename(os.path.abspath(folder or ".")))
    names: dict[tuple, str] = {}
    for key in products:
        words = [_word(part) for part in key[1:] if part]
        name = safe_name("_".join(words)) if words else default
        while name in names.values():  # formats that say the same
            name = f"{name}_{key[0]}"
        names[key] = name
    return names


def _word(text: str) -> str:
    """Return a part of a header as a part of a file's name: the first word of a long one, lower case."""
    return re.sub(
        r"[^a-z0-9+.-]+", "_", (text.split() or [""])[0].lower() if len(text) > 20 else text.lower()
    )
