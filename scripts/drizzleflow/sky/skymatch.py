"""`match`: it finds the sky levels of images in memory and applies them, as `stcal.skymatch.match` does.

`drizzleflow.sky.levels.solve` computes the levels, as in the workflow.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import contextmanager

import numpy as np

from drizzleflow.arrays.statistics import measured
from drizzleflow.errors import InputError
from drizzleflow.geometry.neighbours import neighbours
from drizzleflow.io.lists import read_skylist
from drizzleflow.plan.association import member_name
from drizzleflow.sky.levels import METHODS, SkyLevel, SkyRow, solve
from drizzleflow.sky.skyimage import ENGINES, SkyGroup, SkyImage, shared_polygons

__all__ = ["match"]

log = logging.getLogger(__name__)


def match(
    images,
    skymethod="global+match",
    match_down=True,
    subtract=False,
    *,
    weights="npix",
    reference="component",
    overlap="scan",
    max_overlaps=None,
    skylist=None,
) -> list[SkyLevel]:
    """Find the sky levels of images and groups, add them to their `sky`, and subtract them if asked to.

    The log (INFO) gets one line for each image: its new level, the old one, and the difference, in the native
    unit (that of `image` divided by `convf`).

    Parameters
    ----------
    images : list of SkyImage and SkyGroup
        All members of a group get the same change of level.
    skymethod : {'local', 'global', 'match', 'global+match', 'user'}, any case
        local: each image gets its own level, and a group that of its lowest member. global: all get the
        lowest of these levels. match: the levels relative to each other, from a least-squares solution of
        ``level_i - level_j = sky_i - sky_j`` over all overlaps. global+match: match, and then the lowest
        remaining sky is added to all. user: the levels of `skylist`.
    match_down : bool
        match: the lowest level becomes 0 (True), or the highest (False). It changes nothing in global+match.
    subtract : bool
        False: the statistics are those of the pixels minus the `sky` that an image already has. True: they
        are those of the pixels as they are, and the levels are subtracted from `image` in place; global+match
        then takes its second statistic from the matched pixels, which matters where `lower`, `upper` or the
        bins of a histogram do.
    weights : {'npix', 'variance'}
        The least-squares weight of an overlap. npix: the square of its mean number of pixels, as in
        stcal.skymatch. variance: the inverse variance of the measured difference, which is better where
        overlaps differ in noise, and the default of the workflow. A statistic without a method `measure` (see
        `SkyStats`) does not tell its variance; then all pixels count alike.
    reference : {'component', 'all'}
        Among which images the lowest and highest levels are sought. Images that no chain of overlaps connects
        have no measured difference, and a warning names the sets. component: each connected set has its own
        zero and its own lowest sky, and in global+match an image without overlaps keeps its own sky. all: one
        zero for all, as in stcal.skymatch, whose levels for several sets mean nothing.
    overlap : {'scan', 'centers'}
        Which pixels are in an overlap. scan: those that the polygons and polygon fill of stcal.skymatch take,
        one row or column more on one side. centers: those whose centre lies inside; it is also many times
        faster where images are small.
    max_overlaps : int, optional
        Compare each image with this many others that share the largest area with it, and with those that keep
        connected what is connected. None: with all that overlap, as in stcal.skymatch.
    skylist : mapping or path, optional
        For user: sky_id -> level of each *image*, in the unit of `image`; or a file with two columns, file
        name and level, where names are compared without folder, extension and an ending such as ``_cal``.

    Returns
    -------
    list of SkyLevel
        One for each image, in the order of `images` (`drizzleflow.sky.levels.SkyLevel`): `frame` is the
        number of the image, `sky` what was added to its `sky`, `component` its connected set (0: no
        matching).

    Raises
    ------
    InputError
        (a ValueError) `skymethod` or another word is unknown; there is no image, or one is given twice; with
        `subtract`, an `image` is not an array of floating numbers or cannot be written; for user, levels are
        missing, too many, or no numbers.
    TypeError
        `skymethod` is not a string, `images` is not a list, or an element is not a SkyImage or SkyGroup.

    Notes
    -----
    An image whose level cannot be measured keeps its `sky` and its pixels, has `is_sky_valid` False and is
    named in a warning. With match this is an image without overlaps (with reference='all' it gets the lowest
    sky of all in global+match), with the other methods one without good pixels (but in global its level is
    the lowest of the others).

    Source: the behaviour and documents of `stcal.skymatch` 1.20.0. The defaults are its own, but for
    `reference`.
    """
    method = _method(skymethod)
    items = _checked(images, subtract, overlap, max_overlaps)
    names = _names(items)
    members = [(image, name) for item, name in zip(items, names, strict=True) for image in _members(item)]
    flat, groups = [image for image, _ in members], {k: name for k, (_, name) in enumerate(members)}
    log.info("Sky computation method: '%s'", method)
    if "match" in method:
        log.info("Sky matching direction: %s", "DOWN" if match_down else "UP")
    log.info("Sky subtraction from image data: %s", "ON" if subtract else "OFF")
    if method == "user":
        levels = _user(flat, groups, skylist, subtract)
    else:
        rows = _measure(flat, groups, overlap, max_overlaps, "match" in method, old=not subtract)
        options = {"weights": weights, "reference": reference}
        if method == "global+match" and subtract:
            with _quiet(logging.getLogger(solve.__module__)):  # the second solution gives the same warnings
                matched = solve(rows, groups, "match", match_down, **options)
            rows = _measured_again(flat, rows, matched)
        levels = solve(rows, groups, method, match_down, **options)
    _apply(items, flat, levels, subtract)
    return levels


@contextmanager
def _quiet(logger):
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _method(skymethod) -> str:
    if not isinstance(skymethod, str):
        raise TypeError(f"'skymethod' must be a string, found {type(skymethod).__name__}")
    method = skymethod.lower()
    if method not in (*METHODS, "user"):
        valid = ", ".join(repr(word) for word in METHODS)
        raise InputError(f"Unsupported 'skymethod' {skymethod!r}. Valid values are: {valid}, or 'user'")
    return method


def _checked(images, subtract, overlap, max_overlaps) -> list:
    """The images and groups as a list, after all checks: no image is changed before they have passed."""
    if isinstance(images, (SkyImage, SkyGroup)) or not hasattr(images, "__iter__"):
        raise TypeError(f"'images' must be a list of SkyImage and SkyGroup, found {type(images).__name__}")
    items = list(images)
    for item in items:
        if not isinstance(item, (SkyImage, SkyGroup)):
            raise TypeError(
                "Each element of the 'images' must be either a 'SkyImage' or a 'SkyGroup', "
                f"found {type(item).__name__}"
            )
    if not items:
        raise InputError("Argument 'images' must contain at least one image")
    if overlap not in ENGINES:
        raise InputError(f"overlap: {overlap!r}, expected one of {', '.join(ENGINES)}")
    if max_overlaps is not None and not max_overlaps >= 1:
        raise InputError(f"max_overlaps: {max_overlaps!r}, expected 1 or more, or None")
    seen = set()
    for image in (image for item in items for image in _members(item)):
        if id(image) in seen:
            raise InputError(f"Image ID={image.sky_id} is given twice")
        seen.add(id(image))
        if subtract and not _writable(image.image):
            raise InputError(
                f"Image ID={image.sky_id}: subtract=True needs a writable array of floating numbers "
                "as 'image'"
            )
    return items


def _writable(data) -> bool:
    return isinstance(data, np.ndarray) and data.dtype.kind == "f" and data.flags.writeable


def _members(item):
    return [item] if isinstance(item, SkyImage) else list(item)


def _names(items) -> list[str]:
    """A name for each image and group, which lists a group's members; all names are different."""
    names = []
    for number, item in enumerate(items):
        name = f"number {number}" if item.sky_id is None else str(item.sky_id)
        if isinstance(item, SkyGroup):
            name += f" ({', '.join(str(image.sky_id) for image in item)})"
        names.append(name)
    for number, name in enumerate(names):
        if name in names[:number]:
            names[number] = f"{name} [number {number}]"
    return names


def _measure(flat, groups, overlap, max_overlaps, matching, old):
    """Measure all images, whole and where they overlap their neighbours (a list of `SkyRow`).

    With `old`, the sky that an image already has is subtracted from what is measured.
    """
    outlines = [image.outline for image in flat]
    near_to, members_of = {}, {}
    if matching:
        near_to = neighbours(outlines, list(groups.values()), max_overlaps)
        for k, group in groups.items():
            members_of.setdefault(group, []).append(outlines[k])
    rows = []
    for k, image in enumerate(flat):
        data = np.asarray(image.image)
        good, zero, known = image.good(data), image.sky if old else 0.0, {}
        skies = {"": measured(image.skystat, data[good])}
        for other in near_to.get(groups[k], ()):
            # exposures that repeat a pointing (the integrations of a cube) have the same overlap
            key = b"".join(outline.tobytes() for outline in members_of[other])
            if key not in known:
                polygons = shared_polygons(outlines[k], members_of[other], overlap)
                known[key] = measured(image.skystat, data[image.inside(polygons, overlap) & good])
            skies[other] = known[key]
        rows += [SkyRow(k, other, sky.value - zero, sky.npix, sky.sigma) for other, sky in skies.items()]
    return rows


def _measured_again(flat, rows, matched):
    """Replace each image's sky in `rows` by the one measured after its matched level is subtracted."""
    rows = [row for row in rows if row.other]
    for k, (image, level) in enumerate(zip(flat, matched, strict=True)):
        changed = image.image - level.sky
        whole = measured(image.skystat, changed[image.good(changed)])
        # `solve` subtracts the level again
        rows.append(SkyRow(k, "", whole.value + level.sky, whole.npix, whole.sigma))
    return rows


def _first(path, keys) -> dict[str, float]:
    """Return the levels of a file's list; each image has one."""
    listed = read_skylist(path, keys)
    several = next((name for name, levels in listed.items() if len(levels) > 1), None)
    if several is not None:
        raise InputError(f"{path}: {len(listed[several])} levels of {several}, expected one")
    return {name: levels[0] for name, levels in listed.items()}


def _user(flat, groups, skylist, subtract) -> list[SkyLevel]:
    """The levels of `skylist`, as changes of the levels that the images have."""
    if skylist is None:
        raise InputError("skymethod='user' needs a 'skylist'")
    by_file = not isinstance(skylist, Mapping)
    keys = [member_name(str(image.sky_id)) if by_file else image.sky_id for image in flat]
    given = _first(skylist, keys) if by_file else dict(skylist)
    if len(set(keys)) < len(keys):
        raise InputError("skymethod='user': the images' sky_id must differ from each other")
    missing, unknown = [key for key in keys if key not in given], [key for key in given if key not in keys]
    if missing or unknown:
        text = "; ".join(
            f"{what}: {', '.join(map(str, some))}"
            for what, some in (("no level for", missing), ("no image for", unknown))
            if some
        )
        raise InputError(f"skylist: {text}")
    levels = []
    for k, (image, key) in enumerate(zip(flat, keys, strict=True)):
        try:
            level = float(given[key])
        except (TypeError, ValueError):
            level = float("nan")
        if not np.isfinite(level):
            raise InputError(f"skylist: {key}: {given[key]!r}, expected a number")
        change = level if subtract else level - image.sky
        levels.append(SkyLevel(k, groups[k], change, 0, 0, True, float("nan")))
    return levels


def _apply(items, flat, levels, subtract):
    """Add the levels to the images' sky, subtract them from the pixels, and log them."""
    level_of = {id(image): level for image, level in zip(flat, levels, strict=True)}
    for item in items:
        images = _members(item)
        old, changes = [image.sky for image in images], [level_of[id(image)].sky for image in images]
        if isinstance(item, SkyGroup) and len(set(changes)) == 1:
            item.sky += changes[0]
        else:
            for image, change in zip(images, changes, strict=True):
                image.sky += change
        where = f" (group ID={item.sky_id})" if isinstance(item, SkyGroup) else ""
        for image, before, change in zip(images, old, changes, strict=True):
            image.is_sky_valid = level_of[id(image)].valid
            if subtract and change:
                image.image -= change
            native = (value / image.convf for value in (image.sky, before, change))
            text = "Image ID={}{}. Sky background: {:G} (old={:G}, delta={:G})"
            log.info(text.format(image.sky_id, where, *native))
