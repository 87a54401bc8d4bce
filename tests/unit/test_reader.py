"""The one way to a frame: planes, unit, static mask, sky level, sky variance and pixel map."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from imaging_by_hand import Road

from drizzleflow import formats
from drizzleflow.frames.variances import with_sky_variance
from drizzleflow.frames.window import Window
from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.pixmap import LatticeFiles, from_lattice
from drizzleflow.io.light_tables import read_levels
from drizzleflow.jobs.by_hand import Files
from drizzleflow.jobs.reader import FrameReader, planes_of
from drizzleflow.outliers.static_mask import StaticMasks
from drizzleflow.resample.kernels import kernel_reach


@pytest.fixture(scope="module", params=["hst", "simple"])
def road(request, tmp_path_factory):
    user = {"static_mask": {"static": True, "static_sig": 2.0}, "mosaic": {"weight_type": "ivm-sky"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Road(tmp_path_factory.mktemp("r"), request.param, user=user).geometry().levels()


def reader_of(road, step=None, **more):
    given = {**road.placed, "static": road.static, **more}
    options = road.product.options
    return FrameReader.of(SimpleNamespace(input=Files(given), options=options), step)


def test_a_frame_is_the_files_on_the_grid_and_masked(road):
    reader, member = reader_of(road, "single_drizzle"), road.members[0]
    plain = formats.read(member, 1, ("data", "dq", "var", "err"), road.product.options["simple"])
    for extver, frame in reader.frames(member):
        assert frame.extver == extver and frame.data.dtype == np.float32
    assert extver == member["nframes"]
    frame = reader.frame(member, 1)
    good = StaticMasks(road.static).of(member, frame)
    assert 0 < (~good).sum() < 0.2 * good.size and np.isnan(frame.data[~good]).all()
    np.testing.assert_array_equal(frame.data[good], plain.data[good])
    assert frame.factor == plain.on_grid(Grid.load(road.grid)).factor
    assert (frame.factor == pytest.approx(1)) == (member["format"] == "simple")
    assert reader.level(member, 1) == read_levels(road.sky)[member["member"], 1]
    assert reader.level({**member, "member": "another"}, 1) is None


def test_without_a_grid_and_masks_the_frame_is_as_the_file_has_it(road):
    member, options = road.members[0], road.product.options
    frame = FrameReader(options).frame(member, 1, ("data", "dq"))
    plain = formats.read(member, 1, ("data", "dq"), options["simple"])
    np.testing.assert_array_equal(frame.data, plain.data)
    assert frame.factor == plain.factor and frame.var == {} and frame.err is None


@pytest.mark.parametrize("rows", [(0, 9), (20, 41), (50, 64)])
def test_some_rows_are_those_of_the_whole(road, rows):
    """With 'ivm-sky' too, whose variance is known from the whole frame only."""
    reader, member = reader_of(road, "mosaic"), road.members[1]
    whole, part = reader.frame(member, 1), reader.frame(member, 1, rows=rows)
    assert part.data.shape == (rows[1] - rows[0], 72) and part.shape == (64, 72)
    assert set(part.var) == set(whole.var) and "sky" in part.var
    for plane, cut in ((whole.data, part.data), (whole.dq, part.dq), (whole.var["sky"], part.var["sky"])):
        np.testing.assert_array_equal(cut, plane[slice(*rows)])
    np.testing.assert_array_equal(reader.pixmap(part, rows), reader.pixmap(whole)[slice(*rows)])
    plain = formats.read(member, 1, reader.planes(member), road.product.options["simple"])
    assert "sky" not in plain.var
    plain = with_sky_variance(plain)
    np.testing.assert_array_equal(whole.var["sky"], plain.var["sky"])
    assert "sky" not in reader.frame(member, 1, ("data", "var")).var  # planes that were asked for by name


def test_what_a_mosaic_takes_and_where_frames_can_reach(road):
    reader, member, asked = reader_of(road, "mosaic"), road.members[2], []
    frame, pixmap, level = reader.to_drizzle(member, 1, lambda lattice: asked.append(lattice) or (8, 30))
    assert frame.data.shape == pixmap.shape[:2] == (22, 72) and level == reader.level(member, 1)
    lattice, grid = LatticeFiles([road.lattices]).lattice(member["member"], 1), Grid.load(road.grid)
    np.testing.assert_array_equal(pixmap, from_lattice(lattice, grid, (8, 30)))
    np.testing.assert_array_equal(asked[0].lon, lattice.lon)
    window = reader.reached[member["member"]][1]
    whole = from_lattice(lattice, grid)
    reach = kernel_reach("square", grid.coarsest)
    expected = Window.around(whole[..., 0], whole[..., 1], reach).clipped(grid.shape)
    np.testing.assert_allclose(window, expected, atol=1)  # the lattice's nodes alone are looked at


def test_a_frame_beside_the_grid_reaches_nothing(road):
    reader, member = reader_of(road, "mosaic"), road.members[0]
    grid = Grid.load(road.grid)
    beside = FrameReader(
        road.product.options,
        "mosaic",
        grid=grid.window(4000, 4100, 0, 50),
        lattices=[road.lattices],
        sky=road.sky,
    )
    assert beside.window(reader.lattice(member, 1)).empty
    beside.to_drizzle(member, 1, lambda lattice: (0, 4))
    assert beside.reached == {}


def test_sky_levels_are_read_only_where_they_are_asked_for(road):
    reader = reader_of(road, sky="nowhere.csv")
    assert reader.frame(road.members[0], 1, ("data",)).data is not None
    with pytest.raises(Exception, match=r"nowhere\.csv"):
        reader.level(road.members[0], 1)


@pytest.mark.parametrize(
    ("settings", "planes"),
    [
        ({"weight_type": "exptime"}, ("data", "dq")),
        ({"weight_type": "ivm"}, ("data", "dq", "var")),
        ({"weight_type": "ivm-sky"}, ("data", "dq", "var")),
        ({"weight_type": "exptime", "report_var": True}, ("data", "dq", "var")),
        ({"weight_type": "exptime", "compute_err": "from_var", "report_var": False}, ("data", "dq", "var")),
        ({"weight_type": "exptime", "compute_err": "driz_err", "report_var": False}, ("data", "dq", "err")),
        ({"weight_type": "ivm", "compute_err": "driz_err"}, ("data", "dq", "var", "err")),
    ],
)
def test_which_planes_a_drizzle_needs(settings, planes):
    assert planes_of(settings, False) == planes
    alone = planes_of(settings, True)  # variances are made of ERR there
    assert set(alone) == set(planes) | ({"err"} if "var" in planes else set())
