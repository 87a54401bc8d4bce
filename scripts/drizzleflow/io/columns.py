"""Declare the columns of every table that drizzleflow writes: name, type, unit and meaning.

`drizzleflow.io.light_tables` and `drizzleflow.io.tables` read and write by these declarations, and
``docs/products.md`` shows them. A table is a CSV file: one line of names, then one line for each row, no
comments. Numbers are decimal, as short as possible without losing a bit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

#: JSON Schema of a row of an association sheet, the one table that the user writes
ASSOCIATION_SCHEMA = Path(__file__).resolve().parents[3] / "config/schemas/association.schema.json"
#: kind of column -> its name in messages
EXPECTED = {
    "text": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "outline": "a JSON list of longitudes and one of latitudes",
}


def _truth(cell: str) -> bool:
    if cell not in ("True", "False"):
        raise ValueError(cell)
    return cell == "True"


def _outline(cell: str) -> list[list[float]]:
    lon, lat = json.loads(cell)
    return [lon, lat]


#: kind -> function from a cell's text to its value; it raises ValueError or TypeError for other text
READ = {"text": str, "int": int, "float": float, "bool": _truth, "outline": _outline}


class Column(NamedTuple):
    """One column of a table."""

    name: str
    kind: str  #: text, int, float, bool, or outline: [longitudes, latitudes] as JSON
    meaning: str
    unit: str = ""
    missing: str | None = None  #: text of a missing value; None if no value may be missing

    def read(self, cell: str):
        """Return the value of a cell; None if it is missing.

        Raises
        ------
        ValueError, TypeError
            The cell holds no value of this kind.
        """
        return None if cell == self.missing else READ[self.kind](cell)

    def write(self, value) -> str:
        """Return the text of a value, for `read`; None and, in a column with missing values, NaN are missing.

        Raises
        ------
        ValueError
            The value is missing, and the column must have one in every row.
        """
        if value is None or (self.missing is not None and value != value):
            if self.missing is None:
                raise ValueError(f"column {self.name} has no value, expected {EXPECTED[self.kind]}")
            return self.missing
        if self.kind == "bool":
            return str(bool(value))
        if self.kind == "outline":
            return json.dumps(value.tolist() if hasattr(value, "tolist") else value)
        return str(int(value) if self.kind == "int" else float(value) if self.kind == "float" else value)


_MEMBER = Column("member", "text", "name of the member: its file's, without an ending such as _cal")
_GROUP = Column("group", "text", "members of one exposure share it; each integration of a cube has its own")
_EXTVER = Column(
    "extver", "int", "number of the frame in its member, from 1: the SCI extension or the integration"
)

#: members.csv: one row for each science member, in the association's order
MEMBERS = (
    _MEMBER,
    Column("path", "text", "the member's file, absolute or relative to the folder of the run"),
    Column("exptype", "text", "type of exposure in the association, lower case: science"),
    Column(
        "group", "text", "members of one exposure share it: their sky level is one, and they fill one image"
    ),
    Column("format", "text", "jwst, hst, roman or simple"),
    Column("nframes", "int", "number of frames: SCI extensions, or integrations of a cube"),
    Column("cube", "bool", "whether the frames are the integrations of a cube"),
    Column("nx", "int", "columns of a frame", "pixel"),
    Column("ny", "int", "rows of a frame", "pixel"),
    Column("instrument", "text", "from the header; empty where it does not say"),
    Column("detector", "text", "from the header; empty where it does not say"),
    Column("exp_type", "text", "from the header; empty where it does not say"),
    Column("filter", "text", "from the header; empty where it does not say"),
    Column("exptime", "float", "exposure time from the headers; empty where they do not say", "s", ""),
    Column("unit", "text", "of the image; empty where the header does not say"),
    Column("dispersed", "bool", "whether the light went through a grism or prism"),
    Column(
        "odd_variances",
        "bool",
        "whether the file's variances have another shape than the image, and ERR stands for them",
    ),
    Column("err", "bool", "whether every frame comes with its uncertainty"),
    Column("apart", "bool", "whether each frame is an exposure, and so a group, of its own (STIS)"),
    Column("size", "int", "size of the file", "byte"),
    Column("dq", "text", "file with the data quality, where it is another one", missing=""),
    Column("ivar", "text", "file with the inverse variance, where there is one", missing=""),
    Column("flux_scale", "float", "what the data are multiplied by, where that was given", missing=""),
)

#: footprints.csv: one row for each frame, in the order of members.csv
FOOTPRINTS = (
    _MEMBER,
    _EXTVER,
    _GROUP,
    Column("level", "float", "sky level that the file itself records", "the frame's, a pixel", ""),
    Column("subtracted", "bool", "whether the file says that this level has been subtracted", missing=""),
    Column("scale", "float", "side of a pixel at the reference point", "arcsec"),
    Column("pixel_area", "float", "mean area of a pixel", "sr"),
    Column("nx", "int", "columns of the frame", "pixel"),
    Column("ny", "int", "rows of the frame", "pixel"),
    Column("outline", "outline", "longitudes and latitudes along the outer edges of the pixels", "degree"),
    Column(
        "sky_outline", "outline", "the same, as skymatch.stepsize asks: where skies are compared", "degree"
    ),
)

#: sky/{batch}.csv: one row for each frame, and one for each group that it overlaps
OVERLAPS = (
    _MEMBER,
    _EXTVER,
    Column("other", "text", "the group that the frame overlaps; empty: the whole frame"),
    Column("sky", "float", "sky level there; nan where no pixel is good", "the product's, a pixel", "nan"),
    Column("npix", "int", "pixels behind the level", "pixel"),
    Column(
        "sigma",
        "float",
        "1-sigma uncertainty of the level; nan where unknown",
        "the product's, a pixel",
        "nan",
    ),
    Column(
        "factor", "float", "what turns the frame's unit into the product's: sky / factor is in the frame's"
    ),
)

#: sky.csv: one row for each frame, in the order of footprints.csv
SKY = (
    _MEMBER,
    _GROUP,
    Column("sky", "float", "sky level of the frame", "the frame's, a pixel"),
    Column(
        "component",
        "int",
        "number of the set of groups that overlaps connect, from 1; 0: nothing was matched",
    ),
    Column("npix", "int", "pixels behind the level; 0 where the level was given", "pixel"),
    Column("valid", "bool", "False: no level could be had; sky is 0 and nothing is subtracted"),
    Column(
        "sigma", "float", "1-sigma uncertainty of the level; nan where unknown", "the frame's, a pixel", "nan"
    ),
    _EXTVER,
)

#: frames.csv: one row for each frame, in the order of members.csv. From `shift_x` on it has what was measured
#: against the other exposures (``crmask.reference: others``)
FRAMES = (
    _MEMBER,
    _EXTVER,
    Column("status", "text", "COMPLETE, or SKIPPED: there was nothing to compare with", missing=""),
    Column("npix", "int", "pixels of the frame", "pixel", ""),
    Column("flagged", "int", "outliers, with what grow and ctegrow added", "pixel", ""),
    Column("fraction", "float", "flagged / npix", missing=""),
    Column("good", "float", "part of the pixels that are good, before outliers are found", missing=""),
    Column("saturated", "float", "part of the pixels that are flagged as saturated", missing=""),
    Column("scatter", "float", "scatter of the blank sky, a pixel", "the frame's", ""),
    Column("error", "float", "the same in units of ERR", missing=""),
    Column(
        "shift_x",
        "float",
        "how far the frame's sources lie from those of the other exposures; empty where too few tell",
        "pixel",
        "",
    ),
    Column("shift_y", "float", "the same along y", "pixel", ""),
    Column(
        "width",
        "float",
        "by how much the sources are wider than those of the others' mean (sqrt of the kernel's variance an "
        "axis; negative: sharper)",
        "pixel",
        "",
    ),
    Column("noise", "float", "measured noise in units of the expected one", missing=""),
    Column(
        "tolerance",
        "float",
        "how far sources may be off, in units of the structure of the others' mean",
        missing="",
    ),
    Column("depth", "float", "other exposures behind a pixel, on average", missing=""),
    Column("unseen", "float", "part of the good pixels that no other exposure sees", missing=""),
    Column("on_sources", "int", "flagged pixels where the others' mean has structure", "pixel", ""),
    Column("negative", "int", "flagged pixels that are too low", "pixel", ""),
    Column("sharp", "int", "flagged pixels that no other exposure sees, by their sharpness", "pixel", ""),
)

#: path of each table in the product's folder -> its columns
TABLES = {
    "members.csv": MEMBERS,
    "footprints.csv": FOOTPRINTS,
    "sky/{batch}.csv": OVERLAPS,
    "sky.csv": SKY,
    "frames.csv": FRAMES,
}


def names(columns) -> list[str]:
    """Return the columns' names, in their order in the file."""
    return [column.name for column in columns]
