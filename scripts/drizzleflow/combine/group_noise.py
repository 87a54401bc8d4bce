"""Keep each image's noise and weight with a clipped mean: the table GROUPS of the median's file.

The noise may have been measured from pairs of images, so later jobs read it and never compute it anew.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.io.files import kept

NAME = "GROUPS"


class GroupNoise(NamedTuple):
    """The noise and the weight of one image.

    Its variance at level L is constant + per_level * max(L, 0), in the unit of SCI.
    """

    constant: float  #: unit of SCI, squared
    per_level: float  #: unit of SCI
    weight: float  #: `drizzleflow.combine.leave_one_out.image_weights`


def table(names, noises: list[GroupNoise]):
    """Return the table as (header, data) for `drizzleflow.io.fits.write_hdus`: group, constant, slope, w.

    The header is that of `astropy.io.fits.BinTableHDU`, which would import `astropy.table` for 0.4 s.
    """
    from astropy.io.fits import Header

    width = max(map(len, names))
    kind = [("group", f"S{width}"), ("constant", ">f8"), ("slope", ">f8"), ("w", ">f8")]
    rows = np.array([(name.encode(), *noise) for name, noise in zip(names, noises, strict=True)], kind)
    cards = [
        ("XTENSION", "BINTABLE", "binary table extension"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", rows.itemsize, "length of dimension 1"),
        ("NAXIS2", len(rows), "length of dimension 2"),
        ("PCOUNT", 0, "number of group parameters"),
        ("GCOUNT", 1, "number of groups"),
        ("TFIELDS", len(kind), "number of table fields"),
    ]
    for number, (name, form) in enumerate(zip(rows.dtype.names, (f"{width}A", *"DDD"), strict=True), start=1):
        cards += [(f"TTYPE{number}", name, ""), (f"TFORM{number}", form, "")]
    return Header([*cards, ("EXTNAME", NAME, "extension name")]), rows.tobytes()


@kept
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
