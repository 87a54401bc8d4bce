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
    kind = [("group", f"S{max(map(len, names))}"), ("constant", ">f8"), ("slope", ">f8"), ("w", ">f8")]
    rows = np.array([(name.encode(), *noise) for name, noise in zip(names, noises, strict=True)], kind)
    return _header(rows, {">f8": "D"}), rows.tobytes()


def _header(rows, formats):
    """Return the header of a binary table, as `astropy.io.fits.BinTableHDU` writes it.

    That class needs `astropy.table`, which takes 0.4 s to import.
    """
    from astropy.io.fits import Header

    cards = [
        ("XTENSION", "BINTABLE", "binary table extension"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", rows.itemsize, "length of dimension 1"),
        ("NAXIS2", len(rows), "length of dimension 2"),
        ("PCOUNT", 0, "number of group parameters"),
        ("GCOUNT", 1, "number of groups"),
        ("TFIELDS", len(rows.dtype.names), "number of table fields"),
    ]
    for number, name in enumerate(rows.dtype.names, start=1):
        kind = rows.dtype[name]
        form = formats.get(kind.str) or f"{kind.itemsize}A"
        cards += [(f"TTYPE{number}", name, ""), (f"TFORM{number}", form, "")]
    return Header([*cards, ("EXTNAME", NAME, "extension name")])


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
