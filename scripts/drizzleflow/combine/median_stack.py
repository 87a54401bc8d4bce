"""Combine a product's single drizzles, whole or in bands of rows, and lay out the file of their median.

A band is a part of the combined image that a job makes by itself: a dictionary of planes, and what is told of
all images (`Told`). Bands and the whole have the same bits.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import numpy as np

from drizzleflow.combine import group_noise
from drizzleflow.combine.group_noise import GroupNoise
from drizzleflow.combine.leave_one_out import NAMES, Limits
from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import filling, median_image
from drizzleflow.frames import bands
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import Windowed, cards, expect_one_shape, union
from drizzleflow.io import plane_file


@dataclass
class Told:
    """Tell of the images that were combined, and of the result as far as it is not in the planes."""

    paths: list[str]
    windows: list[Window]  #: of each image
    unit: str
    advice: list[str]
    filled: int  #: as of `drizzleflow.combine.stack.Combined`, in the rows that were made
    deepest: int
    groups: list[GroupNoise] = field(default_factory=list)

    @property
    def window(self) -> Window:
        """The part of the grid that the images cover."""
        return Window.enclosing(self.windows)

    @property
    def notes(self) -> list[str]:
        """As of `drizzleflow.combine.stack.Combined`."""
        return [*self.advice, *filling(self.filled)]

    @classmethod
    def from_json(cls, text: str) -> Told:
        """Return what `json` of `asdict` wrote."""
        stored = json.loads(text)
        stored["windows"] = [Window(*window) for window in stored["windows"]]
        stored["groups"] = [GroupNoise(*numbers) for numbers in stored["groups"]]
        return cls(**stored)


def combine(paths, options: dict, folder, count: int = 1, number: int = 0) -> tuple[dict, Told]:
    """Combine single drizzles, or a band of the rows that they cover.

    Parameters
    ----------
    paths : list of path
        Of the single drizzles.
    options : dict
        Sections of the configuration: ``median`` and ``single_drizzle``. ``groups``: the images' names where
        what is needed to take each out again is kept too (`drizzleflow.combine.leave_one_out`).
    folder : path
        Where the planes are kept while they are made.
    count, number : int
        How many bands there are, and which one to make; by default all rows.

    Returns
    -------
    (planes, told) : dict, Told
        name -> `drizzleflow.io.spool.Spool`, (rows, nx): SCI, NUSED, and those of ERR, MEAN, WSUM, VMEAN and
        NMEAN that the settings ask for.

    Raises
    ------
    InputError
        A file is no single drizzle, or they have several shapes and are not resampled; and as
        `drizzleflow.combine.stack.median_image`.
    """
    settings = options["median"]
    singles = [Windowed.open(path, threshold_of=settings["threshold_of"]) for path in paths]
    if not options["single_drizzle"]["resample_data"]:
        expect_one_shape(singles)
    window = union(singles)
    first, end = bands.band(window.shape[0], count, number)
    part = window._replace(y0=window.y0 + first, y1=window.y0 + end)
    limits = Limits.of(settings) if options["groups"] else None
    made = median_image(singles, part, Parameters.of(settings), limits, folder)
    planes = {"SCI": made.sci, "NUSED": made.nused, "ERR": made.err}
    planes |= dict(zip(NAMES, made.clipped or (), strict=False))
    told = Told(
        [single.path for single in singles],
        [single.window for single in singles],
        singles[0].unit,
        made.advice,
        made.filled,
        made.deepest,
        made.groups,
    )
    return {name: plane for name, plane in planes.items() if plane is not None}, told


def write_band(path, planes: dict, told: Told) -> None:
    """Write a band of `combine` to a file."""
    plane_file.write(path, {"told": np.array(json.dumps(asdict(told))), **planes})


def join(paths) -> tuple[dict, Told]:
    """Return the planes of all rows and what is told of them, from the files of all bands, in order.

    The planes are `drizzleflow.frames.bands.Stacked`.
    """
    made = [plane_file.read(path) for path in paths]
    told = [Told.from_json(str(band.pop("told"))) for band in made]
    told[0].filled, told[0].deepest = sum(t.filled for t in told), max(t.deepest for t in told)
    return bands.join(made, "SCI"), told[0]


def layout(planes: dict, told: Told, groups, grid, primary) -> list[tuple]:
    """Return the HDUs of the median's file, for `drizzleflow.io.fits.write_hdus`.

    Parameters
    ----------
    planes, told
        Of `combine` or `join`.
    groups : list of str
        The names of the images, where each can be taken out again.
    grid : Grid or None
        The product's, where images are resampled.
    primary : list
        Cards of the primary header.
    """
    from drizzleflow.io.fits import image_header

    place = cards(told.window, told.unit, grid)
    without_unit = [card for card in place if card[0] != "BUNIT"]
    hdus = [(image_header(None, primary=True, cards=primary), None)]
    for name, plane in planes.items():
        own = place if name in ("SCI", "ERR", "MEAN") else without_unit
        hdus.append((image_header(plane, name, cards=own), plane))
    return hdus + ([group_noise.table(groups, told.groups)] if groups else [])
