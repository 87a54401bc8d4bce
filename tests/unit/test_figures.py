"""What jobs ask for, by hand from the measured figures."""

import json
import os
from types import SimpleNamespace

import pytest
from planned import product

from drizzleflow.plan import figures

MIB = 2**20
BIG = (2048, 2048)  #: 4 MiB of pixels


class Input(SimpleNamespace):
    """Snakemake's, as far as figures ask: files by name, `keys`."""

    def keys(self):
        return vars(self).keys()


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "grid.json"
    windows = {"a": [0, 2048, 0, 1024], "b": [1024, 3072, 0, 2048], "c": [5, 5, 5, 5]}
    path.write_text(
        json.dumps(
            {"shape": [2048, 4096], "pixel_scale_ratio": 0.5, "windows": windows, "tilt": 0.25, "more": 1}
        )
    )
    return path


def names(**wildcards):
    return SimpleNamespace(product="p", **wildcards)


def test_what_is_asked_for():
    assert figures.asked(10) == 200 and figures.asked(1000) == 1330
    assert figures.asked(1000, attempt=2) == 2660 and figures.asked(10, engines=2) == 460
    assert figures.minutes(0) == 10 and figures.minutes(1e9) == 30
    assert figures.constant(140)(None, None, None) == 140
    assert figures.records(0.5, 30)(None, None, SimpleNamespace(records=["r"] * 100)) == 80
    assert figures.audit(1000) == 290


@pytest.mark.parametrize(
    "format, step, expected",
    [
        ("jwst", "static_mask", 52 + 20 * 4),
        ("hst", "static_mask", 52 + 16 * 4),
        ("hst", "crclean", 52 + 52 * 4),
        ("jwst", "crclean", 52 + 52 * 4),  # fails in its job, with a reason
    ],
)
def test_a_frame_after_the_other(format, step, expected):
    section = {"crclean": "crmask"}.get(step, step)
    assert figures.frames(step, section)(product(format=format, shape=BIG), names(), None) == expected


def test_only_the_frames_of_the_job_count():
    made = product(shape=BIG)
    small = product(["a", "b", "c"], shape=(1024, 1024))
    made.members[:1] = small.members[:1]
    made.__post_init__()
    figure = figures.frames("sky_overlaps", "skymatch")
    of_batch = {
        ",".join(found): figure(made, names(batch=batch), None) for batch, found in made.batches.items()
    }
    assert of_batch == {"a": 52 + 68, "b,c": 52 + 68 * 4}
    assert figure(made, names(member="a"), None) == 52 + 68
    plain = product(shape=BIG, skymatch={"skystat": "median"})
    assert figure(plain, names(), None) == 52 + 29 * 4


def test_exact_coordinates_take_more():
    made, other = product(), product(format="hst")
    assert figures.exact(made, {"pixmap_stepsize": "auto"}) == (0, 0)
    assert figures.exact(made, {"pixmap_stepsize": 1}) == (75, 5) and figures.exact(
        other, {"pixmap_stepsize": 1}
    ) == (0, 5)
    assert figures.exact(made, {"pixmap_stepsize": "astrodrizzle"}) == (75, 22)
    assert figures.exact(made, {"overlap": "scan"}) == (75, 0)


def test_singles(grid):
    made, read = product(shape=BIG), Input(grid=str(grid))
    assert figures.single(made, names(group="a"), read) == 50 + (18 + 28) * 4 + 16 * 2
    weights = product(shape=BIG, single_drizzle={"weight_type": "exptime"})
    assert figures.single(weights, names(group="a"), read) == 50 + 24 * 4 + 16 * 2
    alone = product(shape=BIG, single_drizzle={"resample_data": False})
    assert figures.single(alone, names(group="a"), None) == 50 + (18 + 28 + 16) * 4
    with pytest.raises(FileNotFoundError, match="no window of d yet"):
        figures.window_of(read, "d")


def test_a_grid_that_is_not_there_or_of_no_use(grid, tmp_path):
    """Snakemake says <TBD> for a FileNotFoundError, and asks again."""
    for text in (None, "{", "[]", "{}", '{"shape": 1}'):
        other = tmp_path / f"other{text}.json".replace("/", "")
        if text is not None:
            other.write_text(text)
        with pytest.raises(FileNotFoundError):
            figures.grid_of(Input(grid=str(other)))
    first = figures.grid_of(Input(grid=str(grid)))
    assert first["extent"] == (0, 3072, 0, 2048) and figures.grid_of(Input(grid=grid)) is first
    grid.write_text(grid.read_text().replace("3072", "4096"))
    os.utime(grid, ns=(1, 1))
    assert figures.grid_of(Input(grid=grid))["extent"] == (0, 4096, 0, 2048)


def test_the_median(grid):
    """Sections of the two images of three that share rows; 1 MiB of each, or all of a thin band."""
    made = product()
    rows = 0.005 * 3 + 150 * 24 * 3072 / MIB
    expected = rows + 0.75 * 2 + 2.3
    assert figures.median(made, names(), Input(grid=grid)) == pytest.approx(56 + expected)
    assert figures.median(made, names(), Input(grid=grid, bands=["x"])) == pytest.approx(50 + rows)
    made = product(crmask={"reference": "median"})
    assert figures.median(made, names(), Input(grid=grid)) == pytest.approx(48 + expected)
    thin = product(median={"bands": 128, "combine_bufsize": 100})
    expected = 56 + rows + 8 * (3072 + 16) * (16 + 16) / MIB * (0.75 * 2 + 2.3)
    assert figures.median(thin, names(band="0000"), Input(grid=grid)) == pytest.approx(expected)
    alone = product(shape=BIG, single_drizzle={"resample_data": False}, median={"combine_bufsize": None})
    assert figures.median(alone, names(), Input(bands=[])) == pytest.approx(
        56 + 0.005 * 3 + 150 * 24 * 2048 / MIB + 0.75 * 3 + 2.3
    )


def test_how_many_windows_share_rows():
    """Those within reach of a section count: a window that begins where another ends does."""
    boxes = [(0, 9, y0, y1) for y0, y1 in ((0, 100), (100, 200), (150, 300), (290, 400))]
    assert figures.deepest(boxes) == 3 and figures.deepest(boxes, 0) == 2 and figures.deepest([]) == 0


def test_masks(grid):
    read = Input(grid=grid)
    assert figures.crmask(product(shape=BIG), names(member="a"), read) == 50 + (80 + 7 * 3) * 4
    cube = product(shape=BIG, nframes=10, cube=True)
    assert figures.crmask(cube, names(member="a"), read) == 50 + 600 * 4
    chips = product(shape=BIG, format="hst", nframes=2, single_drizzle={"resample_data": False})
    assert figures.crmask(chips, names(member="a"), None) == 50 + (67 + 14) * 4


def test_the_mosaic(grid):
    made = product(shape=BIG, mosaic={"bands": 2})
    assert figures.mosaic(made, names(), Input(grid=grid, bands=["x"])) == pytest.approx(
        50 + 0.005 * 3 + 170 * 24 * 4096 / MIB
    )
    settings = made.options["mosaic"]
    planes = 2 + 1 + settings["propagate_dq"] + 3
    reach = 2048 * (1024 * 0.5 * 1.25 + 2048 * 0.25)
    expected = 50 + (4 * planes * 1024 * 4096 + max(63 * reach, 12 * 1024 * 4096)) / MIB
    assert (settings["compute_err"], settings["variance"]) != ("driz_err", "reference")
    assert figures.mosaic(made, names(), Input(grid=grid)) == pytest.approx(expected)


def test_tables(tmp_path):
    (tmp_path / "cells.npz").write_bytes(bytes(3 * MIB))
    made = product()
    assert figures.grid(made, None, None) == 105 + 0.015 * 3
    cells = figures.skymatch(made, None, Input(cells=[tmp_path / "cells.npz"]))
    assert cells == pytest.approx(80 + 0.02 * 3 + 9 * 1)
