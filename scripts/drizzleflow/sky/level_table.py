"""The table of sky levels, sky.csv: levels that files record, that a list gives, or that statistics yield.

`frames` is the table of footprints in each of the functions: a row a frame, with the columns ``member``,
``extver`` and ``group`` (`drizzleflow.io.tables.read_footprints`). What comes back has a row for each, in the
same order, and the columns of `drizzleflow.io.columns.SKY`: levels in the frame's unit a pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from drizzleflow.errors import InputError
from drizzleflow.sky.cells import SkyCells, differences
from drizzleflow.sky.levels import SkyLevel, SkyRow, check_connected, solve


def recorded(frames: pd.DataFrame) -> pd.DataFrame:
    """The levels that the files themselves record and have not subtracted; 0 and not valid for other frames.

    `frames` has the columns ``level`` and ``subtracted`` too.
    """
    known = frames.level.notna() & ~frames.subtracted.fillna(True).astype(bool)
    return _given(frames, frames.level.where(known, 0.0), known)


def listed(frames: pd.DataFrame, levels: Mapping[str, list[float]]) -> pd.DataFrame:
    """The levels of a list: member -> one level for all its frames, or one for each in their order.

    See `drizzleflow.io.lists.read_skylist`.

    Raises
    ------
    InputError
        A member has another number of levels than one or its frames'.
    """
    for member, count in frames.groupby("member", sort=False).size().items():
        if len(levels[member]) not in (1, count):
            raise InputError(
                f"skymatch.skylist: {len(levels[member])} levels of {member}, which has {count} frames; expected one "
                "level, or one for each frame"
            )
    places = frames.groupby("member").cumcount()
    skies = [
        levels[member][place if len(levels[member]) > 1 else 0]
        for member, place in zip(frames.member, places, strict=True)
    ]
    return _given(frames, skies, True)


def cell_differences(
    frames: pd.DataFrame, near_to: Mapping[str, list[str]], read: Callable[[tuple], SkyCells]
) -> Iterator[tuple]:
    """Differences of neighbouring groups' frames in cells of the sky (``skystat: auto``), for `matched`.

    `near_to`: group -> the groups to compare it with. `read`: (member, extver) -> the frame's cells.
    """
    frames_of: dict[str, list] = {}
    for key, group in zip(_keys(frames), frames.group, strict=True):
        frames_of.setdefault(group, []).append(key)
    return differences(near_to, frames_of, read)


def matched(
    frames: pd.DataFrame, overlaps: pd.DataFrame, settings: Mapping, between: Iterable[tuple] = ()
) -> pd.DataFrame:
    """The levels that agree best with the statistics of overlaps; see `drizzleflow.sky.levels.solve`.

    Parameters
    ----------
    frames : DataFrame
    overlaps : DataFrame
        Statistics in the product's unit, a row for each frame as a whole and for each overlap
        (`drizzleflow.io.tables.read_overlaps`).
    settings : dict
        ``skymethod``, ``match_down``, ``weights`` and ``disconnected`` of the section ``skymatch`` of the
        configuration.
    between : iterable of tuples
        Differences of pairs of frames, see `cell_differences`.

    Raises
    ------
    InputError
        With ``disconnected: error``, groups that no chain of overlaps connects.
    """
    keys, columns = _keys(frames), (overlaps[name].tolist() for name in ("other", "sky", "npix", "sigma"))
    levels = solve(
        map(SkyRow, _keys(overlaps), *columns),
        dict(zip(keys, frames.group, strict=True)),
        settings["skymethod"],
        settings["match_down"],
        weights=settings["weights"],
        reference="all" if settings["disconnected"] == "global" else "component",
        differences=between,
    )
    check_connected(levels, settings["disconnected"])
    whole = overlaps[overlaps.other == ""]
    of_frame = dict(zip(_keys(whole), whole.factor, strict=True))
    factor = np.array([of_frame[key] for key in keys])
    table = pd.DataFrame(levels, columns=SkyLevel._fields)
    return table.assign(
        member=frames.member.array,
        extver=frames.extver.array,
        sky=table.sky / factor,
        sigma=table.sigma / factor,
    ).drop(columns="frame")


def _keys(table: pd.DataFrame) -> list[tuple[str, int]]:
    """(member, extver) of each row."""
    return list(zip(table.member.tolist(), table.extver.tolist(), strict=True))


def _given(frames: pd.DataFrame, sky, valid) -> pd.DataFrame:
    """Levels that were not measured here."""
    columns = frames[["member", "group", "extver"]]
    return columns.assign(sky=sky, component=0, npix=0, valid=valid, sigma=np.nan)
