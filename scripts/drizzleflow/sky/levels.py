"""Solve for the sky levels of frames, from sky measured in the frames and in their overlaps.

The methods 'local', 'global', 'match' and 'global+match' are those of jwst.skymatch. A group of frames
exposed together shares one level. Matching has limits by its nature: 'match' alone gives relative levels;
point sources, cosmic rays and structured backgrounds enter the statistics as far as clipping lets them;
`lower` and `upper` apply to all images, whatever their level.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from drizzleflow.arrays.statistics import Sky
from drizzleflow.errors import InputError
from drizzleflow.sky.network import Network, spanning_forest

log = logging.getLogger(__name__)


METHODS = ("local", "global", "match", "global+match")
ALIASES = {"localmin": "local", "globalmin": "global", "globalmin+match": "global+match"}  #: HST's words


class SkyRow(NamedTuple):
    """Sky of one frame in its overlap with the group `other` ('' is the whole frame)."""

    frame: Hashable
    other: str
    sky: float
    npix: int
    sigma: float


class SkyDifference(NamedTuple):
    """Sky of one frame less that of another, measured where both see the same (`drizzleflow.sky.cells`)."""

    frame: Hashable
    other: Hashable
    sky: float
    npix: int
    sigma: float


class SkyLevel(NamedTuple):
    """Solved sky of one frame: see `solve`."""

    frame: Hashable
    group: str
    sky: float
    component: int
    npix: int
    valid: bool
    sigma: float


def solve(
    rows: Iterable[SkyRow],
    groups: Mapping[Hashable, str],
    skymethod="match",
    match_down=True,
    *,
    weights="variance",
    reference="component",
    differences: Iterable[SkyDifference] = (),
) -> list[SkyLevel]:
    """Solve for the sky level of every frame, from the sky of frames and of their overlaps.

    Overlaps enter by their statistics, or by the differences measured in them.

    Parameters
    ----------
    rows : iterable of SkyRow (or of tuples like it)
        What `overlap_statistics` gave for all frames.
    groups : dict
        frame -> group, in the order of the result.
    skymethod : {'local', 'global', 'match', 'global+match'}, any case
        local: each group's own level, the lowest of its frames'. global: the lowest of those, for all. match:
        levels relative to each other, by least squares over all overlaps of ``level_i - level_j = sky_i -
        sky_j``. global+match: match, and then the lowest remaining sky added to all.
    match_down : bool
        match: the lowest level becomes 0 (True) or the highest (False).
    weights : {'variance', 'npix'}
        An overlap's least-squares weight: the inverse variance of the measured difference, or (jwst's choice)
        the square of the mean number of its pixels in the two groups.
    reference : {'component', 'all'}
        What "lowest" and "highest" range over. Groups that no chain of overlaps connects have no measured
        difference. component: each connected set has its own zero (and its own lowest sky in global+match).
        all: one for all (jwst's choice), although each set's levels are only known up to a constant: they
        have mean zero before that.
    differences : iterable of SkyDifference (or of tuples like it)
        Of pairs of frames in different groups, beside or in place of the overlaps in `rows`.

    Returns
    -------
    list of SkyLevel
        One a frame, in the order of `groups`. ``component`` numbers the connected sets from 1 (0: `skymethod`
        has no match). ``npix``: pixels behind the level, the frame's own (match: summed over its overlaps).
        ``valid`` False: no level could be found, ``sky`` is 0; in a match, that is a group without overlap.
        ``sigma``: 1 sigma from the pixels' noise, enlarged where the overlaps disagree by more than that; in
        match relative to the reference group of the component.

    Raises
    ------
    ValueError
        `skymethod`, `weights` or `reference` is unknown, or a row names an unknown frame or group.
    """
    method = ALIASES.get(str(skymethod).lower(), str(skymethod).lower())
    for key, value, allowed in (
        ("skymethod", method, METHODS),
        ("weights", weights, ("variance", "npix")),
        ("reference", reference, ("component", "all")),
    ):
        if value not in allowed:
            raise ValueError(f"{key}: {value!r}, expected one of {', '.join(allowed)}")
    names = list(dict.fromkeys(groups.values()))
    index = {name: k for k, name in enumerate(names)}
    whole, edges, pixels = _combine(rows, differences, groups, index)
    n = len(names)
    sky, sigma, valid, component = np.zeros(n), np.full(n, np.nan), np.zeros(n, bool), np.full(n, -1)
    match = "match" in method
    if match:
        sky, sigma, valid, component = _match(n, edges, names, match_down, weights, reference)
    if method != "match":
        own = np.array([whole[k].value if k in whole else np.nan for k in range(n)]) - sky
        own_sigma = np.array([whole[k].sigma if k in whole else np.nan for k in range(n)])
        if method == "local":
            sky, sigma, valid = np.nan_to_num(own), own_sigma, np.isfinite(own)
        else:
            sets = component if match and reference == "component" else np.zeros(n, int)
            for members in (np.flatnonzero(sets == c) for c in range(sets.max(initial=-1) + 1)):
                if np.isfinite(own[members]).any():
                    lowest = members[np.nanargmin(own[members])]
                    sky[members] += own[lowest]
                    relative = np.where(np.isfinite(sigma[members]), sigma[members], 0.0)
                    sigma[members] = np.hypot(own_sigma[lowest], relative)
                    valid[members] = True
    for k in np.flatnonzero(~valid):
        log.warning("sky: group %s has no %s; its level is 0", names[k], "overlap" if match else "valid sky")
    return [
        SkyLevel(
            frame=frame,
            group=group,
            sky=float(sky[k]),
            component=int(component[k]) + 1,
            npix=pixels[frame][method == "match"],
            valid=bool(valid[k]),
            sigma=float(sigma[k]),
        )
        for frame, group in groups.items()
        for k in (index[group],)
    ]


def check_connected(levels: list[SkyLevel], disconnected: str) -> None:
    """With `disconnected` 'error' refuse levels of several components; see `solve`.

    Raises
    ------
    InputError
        Names the groups of each component.
    """
    sets: dict[int, list[str]] = {}
    for level in levels:
        sets.setdefault(level.component, []).append(level.group)
    if disconnected == "error" and len(sets) > 1:
        told = "; ".join(", ".join(dict.fromkeys(found)) for found in sets.values())
        raise InputError(
            f"skymatch.disconnected: {len(sets)} sets of groups do not overlap each other: {told}; expected one, or disconnected: "
            "warn or global"
        )


def _combine(rows, differences, groups, index):
    """Combine the measurements of frames to measurements of groups.

    They are each group's lowest whole-frame sky, and for each pair (i, j), i < j, level i - level j as a
    `Sky`; beside them the number of pixels behind each frame.
    """
    whole, sides, terms, edges, pixels = {}, {}, {}, {}, {frame: [0, 0] for frame in groups}

    place = {frame: index[group] for frame, group in groups.items()}

    def find(name, among, row):
        if name not in among:
            raise ValueError(
                f"sky: the overlap of {row[0]!r} with {row[1]!r} is of an unknown frame or group"
            )
        return among[name]

    for row in map(SkyRow._make, rows):
        k, other = find(row.frame, place, row), find(row.other, index, row) if row.other else None
        if not (row.npix > 0 and np.isfinite(row.sky)):
            continue
        pixels[row.frame][other is not None] += int(row.npix)
        if other is None:
            if k not in whole or row.sky < whole[k].value:
                whole[k] = Sky(float(row.sky), int(row.npix), float(row.sigma))
        elif other != k:
            sides.setdefault((k, other), []).append((row.sky, row.npix, row.sigma))
    for i, j in sides:
        if i < j and (j, i) in sides:
            a, b = (_pooled(np.array(sides[pair], float)) for pair in ((i, j), (j, i)))
            edges[i, j] = Sky(a.value - b.value, (a.npix + b.npix) / 2.0, float(np.hypot(a.sigma, b.sigma)))
    for found in map(SkyDifference._make, differences):
        i, j = (find(frame, place, found) for frame in found[:2])
        if i == j or not (found.npix > 0 and np.isfinite(found.sky)):
            continue
        for frame in found[:2]:
            pixels[frame][True] += int(found.npix) // 2
        pair, sky = ((i, j), found.sky) if i < j else ((j, i), -found.sky)
        terms.setdefault(pair, []).append((sky, found.npix / 2.0, found.sigma))
    for pair, several in terms.items():
        sky, npix, sigma = np.array(several, float).T
        weight = 1.0 / _usable(sigma**2, npix)
        edges[pair] = Sky(
            float((weight * sky).sum() / weight.sum()), float(npix.sum()), float(weight.sum() ** -0.5)
        )
    return whole, edges, pixels


def _pooled(terms) -> Sky:
    """Return the mean of measured differences, weighted by their numbers of pixels."""
    sky, npix, sigma = terms.T
    total = npix.sum()
    return Sky(
        float((sky * npix).sum() / total), int(total), float(np.sqrt(((sigma * npix) ** 2).sum()) / total)
    )


def _match(n, edges, names, match_down, weights, reference):
    """Return the groups' relative levels (n,), with their sigma, validity and component."""
    pairs = sorted(edges)
    i, j = np.array(pairs, int).reshape(-1, 2).T
    difference, npix, sigma = np.array([edges[pair] for pair in pairs], float).reshape(-1, 3).T
    variance = _usable(sigma**2, npix)
    weight = npix**2 if weights == "npix" else 1.0 / variance
    component, start = spanning_forest(n, i, j, weight, difference)
    level, sigma, valid = np.zeros(n), np.full(n, np.nan), np.zeros(n, bool)
    for c in range(component.max(initial=-1) + 1):
        members, own = np.flatnonzero(component == c), np.flatnonzero(component[i] == c)
        if len(members) < 2:
            continue
        place = np.full(n, -1)
        place[members] = np.arange(len(members))
        network = Network(len(members), place[i[own]], place[j[own]], weight[own])
        level[members] = found = network.levels(difference[own], start[members])
        zero = int(np.argmin(found) if match_down else np.argmax(found))
        free = len(own) - len(members) + 1
        residual = difference[own] - (level[i[own]] - level[j[own]])
        excess = (residual**2 / variance[own]).sum() / free if free else 1.0
        sigma[members] = np.sqrt(network.covariances(variance[own], zero) * max(1.0, excess))
        valid[members] = True
        if reference == "component":
            level[members] -= found[zero]
    if reference == "all" and valid.any():
        level[valid] -= level[valid].min() if match_down else level[valid].max()
    sets = [np.flatnonzero(component == c) for c in range(component.max(initial=-1) + 1)]
    if len(sets) > 1:
        told = "; ".join(", ".join(names[k] for k in members) for members in sets)
        log.warning(
            "sky: %d sets of groups do not overlap each other, their relative level is unknown: %s",
            len(sets),
            told,
        )
    return level, sigma, valid, component


def _usable(variance, npix):
    """Variances > 0: the typical pixel's over npix where unknown or zero (one pixel, quantised data)."""
    known = np.isfinite(variance) & (variance > 0)
    pixel = np.median(variance[known] * npix[known]) if known.any() else 1.0
    return np.where(known, variance, pixel / npix)
