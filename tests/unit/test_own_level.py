"""A group's level from its own frames is what the solution for all frames gives it."""

import math

import numpy as np
import pytest

from drizzleflow.io import light_tables
from drizzleflow.io.columns import OVERLAPS
from drizzleflow.sky.levels import SkyRow, solve
from drizzleflow.sky.own_level import own_levels


@pytest.fixture
def tables(tmp_path):
    """Two batches with the frames of three groups: two of two frames, one without a valid level."""
    rows = [
        ("a", 1, "", 3.0, 100, 0.1, 2.0),
        ("a", 1, "other", 9.0, 50, 0.1, 2.0),
        ("a", 2, "", 2.5, 90, 0.2, 2.5),
        ("b", 1, "", 4.0, 100, 0.1, 1.0),
        ("c", 1, "", math.nan, 0, math.nan, 1.0),
    ]
    paths = [tmp_path / "b0.csv", tmp_path / "b1.csv"]
    light_tables.write(paths[0], OVERLAPS, rows[::2])
    light_tables.write(paths[1], OVERLAPS, rows[1::2])
    return paths, rows


def test_as_the_solution_of_all(tables):
    paths, rows = tables
    groups = {("a", 1): "A", ("a", 2): "A", ("b", 1): "B", ("c", 1): "C"}
    whole = [SkyRow(tuple(row[:2]), "", *row[3:6]) for row in rows if row[2] == ""]
    factor = {tuple(row[:2]): row[6] for row in rows}
    everything = {level.frame: level for level in solve(whole, groups, "local")}
    for group in "ABC":
        frames = [key for key, name in groups.items() if name == group]
        found = own_levels(paths, frames)
        expected = {key: everything[key].sky / factor[key] for key in frames if everything[key].valid}
        assert found == expected
    assert own_levels(paths, [("a", 1), ("a", 2)]) == {("a", 1): 2.5 / 2.0, ("a", 2): 2.5 / 2.5}
    assert own_levels(paths, [("c", 1)]) == {} and np.isnan(rows[-1][3])
