"""Keep each image's noise and weight with a clipped mean: the table GROUPS of the median's file.

The noise may have been measured from pairs of images, so later jobs read it and never compute it anew.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drizzleflow.errors import InputError

NAME = "GROUPS"


class GroupNoise(NamedTuple):
    """The noise and the weight of one image.

    Its variance at level L is constant + per_level * max(L, 0), in the unit of SCI.
    """

    constant: float  #: unit of SCI, squared
    per_level: float  #: unit of SCI
    weight: float  #: `drizzleflow.combine.leave_one_out.image_weights`


def table(names, noises: list[GroupNoise]):
    """Return the table as (header, data) for `drizzleflow.io.fits.write_hdus`: group, constant, slope, w."""
    from astropy.io import fits

    kind = [("group", f"S{max(map(len, names))}"), ("constant", ">f8"), ("slope", ">f8"), ("w", ">f8")]
    rows = np.array([(name.encode(), *noise) for name, noise in zip(names, noises, strict=True)], kind)
    header = fits.BinTableHDU(rows, name=NAME).header
    return header, rows.tobytes()


def read(path) -> dict[str, GroupNoise]:
    """Return the table of a median's file: group -> `GroupNoise`.

    Raises
    ------
    InputError
        The file has no such table.
    """
    from drizzleflow.io.fits import open_fits

    with open_fits(path) as hdus:
        if NAME not in hdus:
            raise InputError(f"{path}[{NAME}]: no such extension; expected the median's table of groups")
        rows = hdus[NAME].data
        columns = [rows[name].tolist() for name in ("group", "constant", "slope", "w")]
        return {name: GroupNoise(*numbers) for name, *numbers in zip(*columns, strict=True)}
