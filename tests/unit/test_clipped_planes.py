"""The clipped mean in the median's file: its planes in any sections and windows, on disk, and the groups' table."""

from dataclasses import dataclass

import numpy as np
import pytest
from astropy.io import fits

from drizzleflow.combine import group_noise, leave_one_out, stack
from drizzleflow.combine.group_noise import GroupNoise
from drizzleflow.combine.in_memory import _InMemory
from drizzleflow.combine.leave_one_out import ClippedMean, Limits, image_weights
from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import median_image
from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.window import Window
from drizzleflow.io import spool
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.plan import config

KINDS = ("auto", "median", "minmed", "imedian")
NAMES = ("MEAN", "WSUM", "VMEAN", "NMEAN")
WHOLE = Window(-4, 52, 3, 44)
LIMITS = Limits()


@dataclass
class Placed(_InMemory):
    """An image in memory that covers a part of the grid."""

    origin_: tuple[int, int] = (0, 0)

    @property
    def window(self):
        return Window.placed(self.sci.shape, self.origin_)


def images(n=4, seed=2, noise=True, weights=True, rays=0.02):
    """Images of a part of `WHOLE` each: stars, rays, low and missing values, and pixels of low weight."""
    rng, singles = np.random.default_rng(seed), []
    sky, (y, x) = np.zeros(WHOLE.shape), np.mgrid[: WHOLE.shape[0], : WHOLE.shape[1]]
    for _ in range(8):
        cy, cx, flux = rng.uniform(0, 41), rng.uniform(0, 56), 10 ** rng.uniform(1, 4)
        sky += flux * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 2)
    for k in range(n):
        window = WHOLE if k == 0 else Window(-4 + 3 * k, 52 - 2 * k, 3 + 2 * (k % 3), 44 - 5 * (k % 2))
        truth, time = sky[window.inside(WHOLE)], rng.uniform(10, 40)
        image = truth + rng.normal(size=truth.shape) * np.sqrt(truth / time + 1)
        for fraction, size in ((rays, 60), (rays / 2, -40)):
            hit = rng.random(image.shape) < fraction
            image[hit] += size * rng.random(np.count_nonzero(hit))
        image[rng.random(image.shape) < 0.03] = np.nan
        weight = np.where(rng.random(image.shape) < 0.03, 0.1 * time, time) if weights else np.float32(time)
        bad = rng.random(image.shape) < 0.02
        singles.append(
            Placed(
                image.astype(np.float32),
                weight,
                bad,
                time,
                Noise(time, time, 0.0, 1.0) if noise else None,
                window.origin,
            )
        )
    return singles


def combine(singles, kind="auto", window=WHOLE, folder=None, limits=LIMITS, **more):
    return median_image(singles, window, Parameters(combine_type=kind, **more), limits, folder)


def expect_same(planes, wanted, part=np.s_[:]):
    for name, plane, other in zip(NAMES, planes, wanted, strict=True):
        np.testing.assert_array_equal(plane, other[part], err_msg=name, strict=True)


# -- the planes


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_is_the_same_with_and_without(kind):
    singles = images()
    plain, more = combine(singles, kind, limits=None), combine(singles, kind)
    assert plain.clipped is None and plain.groups == [] and plain.notes == more.notes
    np.testing.assert_array_equal(plain.sci, more.sci)
    np.testing.assert_array_equal(plain.nused, more.nused)
    assert (plain.err is None) == (more.err is None)
    if plain.err is not None:
        np.testing.assert_array_equal(plain.err, more.err)


@pytest.mark.parametrize("kind", KINDS)
def test_planes_say_what_takes_part(kind):
    """Where nothing takes part MEAN is NaN and the others 0; elsewhere weights are those of `groups`."""
    made = combine(images(), kind)
    planes = made.clipped
    assert [plane.dtype for plane in planes] == [np.float32, np.float32, np.float32, np.int16]
    nothing = planes.nmean == 0
    assert (planes.nmean <= made.nused).all() and (planes.nmean < made.nused).any() and nothing.any()
    np.testing.assert_array_equal(np.isnan(planes.mean), nothing)
    assert not planes.wsum[nothing].any() and not planes.vmean[nothing].any()
    weights = [group.weight for group in made.groups]
    np.testing.assert_allclose(weights, image_weights([group.constant for group in made.groups]))
    every = planes.nmean == len(weights)
    np.testing.assert_allclose(planes.wsum[every], sum(weights), rtol=1e-6)
    assert planes.wsum.max() == pytest.approx(sum(weights)) and every.sum() > 100


@pytest.mark.parametrize("part", [40, 500])
def test_planes_do_not_depend_on_what_is_worked_on_at_a_time(part, monkeypatch):
    whole = combine(images())
    monkeypatch.setattr(leave_one_out, "PART", part)
    expect_same(combine(images()).clipped, whole.clipped)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_planes_do_not_depend_on_sections(kind, seed):
    """So many rays that every row of a section decides about the next."""
    singles = images(seed=seed, rays=0.2, weights=seed != 1)
    for more in ({}, {"combine_grow": 2, "combine_nsigma": "4 1"}, {"hole_nsigma": 0}):
        whole = combine(singles, kind, combine_bufsize=100, **more)
        for size in (1e-6, 0.006, 0.011):
            found = combine(singles, kind, combine_bufsize=size, **more)
            np.testing.assert_array_equal(found.sci, whole.sci)
            expect_same(found.clipped, whole.clipped)
            assert found.groups == whole.groups


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_the_grid_has_what_the_whole_has(kind, seed):
    singles = images(seed=seed, rays=0.2)
    whole, rng = combine(singles, kind), np.random.default_rng(seed)
    for _ in range(30):
        x0, y0 = rng.integers(WHOLE.x0, WHOLE.x1), rng.integers(WHOLE.y0, WHOLE.y1)
        window = Window(x0, x0 + rng.integers(1, 9), y0, y0 + rng.integers(1, 5)).intersection(WHOLE)
        found = combine(singles, kind, window, combine_bufsize=rng.choice([1e-6, 100]))
        part = window.inside(WHOLE)
        np.testing.assert_array_equal(found.sci, whole.sci[part])
        expect_same(found.clipped, whole.clipped, part)
        assert found.groups == whole.groups


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window, size", [(WHOLE, 1e-6), (WHOLE, 0.02), (WHOLE.grown(30), 1e-6)])
def test_planes_on_disk_are_those_in_memory(kind, window, size, tmp_path, monkeypatch):
    """With rows beyond all images too, which no section has."""
    monkeypatch.setattr(spool, "PIECE", 1000)
    kept, held = (
        combine(images(), kind, window, folder, combine_bufsize=size) for folder in (tmp_path, None)
    )
    assert not list(tmp_path.iterdir())
    on_disk = [np.concatenate(list(plane.pieces())).reshape(plane.shape) for plane in kept.clipped]
    expect_same(on_disk, held.clipped)
    np.testing.assert_array_equal(kept.sci[:], held.sci)
    np.testing.assert_array_equal(kept.nused[3:17], held.nused[3:17])
    assert (kept.err is None) == (held.err is None)
    if held.err is not None:
        np.testing.assert_array_equal(kept.err[:], held.err)
    assert (kept.groups, kept.notes, kept.deepest) == (held.groups, held.notes, held.nused.max())


@pytest.mark.parametrize("kind", [*KINDS, "mean"])
@pytest.mark.parametrize("narrow", [1, 17, 40])
def test_wide_windows_are_combined_in_sections_side_by_side(kind, narrow, tmp_path, monkeypatch):
    """Also where no image lies in some of the columns."""
    window = WHOLE.grown(30)
    whole = combine(images(rays=0.2), kind, window)
    monkeypatch.setattr(stack, "NARROW", narrow)
    found = combine(images(rays=0.2), kind, window, combine_bufsize=1e-6)
    for name in ("sci", "nused", "err"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    expect_same(found.clipped, whole.clipped)
    assert (found.groups, found.notes, found.deepest) == (whole.groups, whole.notes, whole.deepest)


def test_rows_beyond_all_images_are_empty():
    window = WHOLE.grown(30)
    planes = combine(images(), window=window, combine_bufsize=1e-6).clipped
    beyond = np.ones(window.shape, bool)
    beyond[WHOLE.inside(window)] = False
    assert np.isnan(planes.mean[beyond]).all() and not any(plane[beyond].any() for plane in planes[1:])
    expect_same([plane[WHOLE.inside(window)] for plane in planes], combine(images()).clipped)


def test_a_sum_has_no_clipped_mean():
    with pytest.raises(InputError, match="combine_type is sum, expected another one for a clipped mean"):
        combine(images(), "sum")
    assert combine(images(), "sum", limits=None).clipped is None


def test_unknown_noise_is_measured_for_the_planes():
    """Also with a median, which needs none: constant, and said in a note."""
    singles = images(noise=False)
    made, plain = combine(singles, "median"), combine(singles, "median", limits=None)
    assert any("each one's noise is taken as constant" in note for note in made.notes)
    assert not any("noise" in note for note in plain.notes)
    assert all(group.per_level == 0 and 0.3 < group.constant < 9 for group in made.groups)
    expect_same(combine(singles, "median", combine_bufsize=1e-6).clipped, made.clipped)


def test_one_image_is_its_own_mean():
    for noise in (True, False):
        (single,) = images(1, noise=noise)
        made = combine([single])
        there = ~np.isnan(made.sci)
        np.testing.assert_array_equal(made.clipped.mean, made.sci)
        np.testing.assert_array_equal(made.clipped.nmean, there)
        assert made.groups[0].weight == 1 and len(made.groups) == 1


def test_a_hole_takes_no_part():
    """Rays in two of three images, and a dead pixel in the third: only with holes filled it is left out."""
    stack = np.full((3, 15, 15), 50, np.float32) + np.float32([0, 0.1, 0.2])[:, None, None]
    stack[:, 7, 7] = 50, 50.1, -40
    stack[:, 3, 3] = 50, 400, 400  # two rays: the lowest is taken, and is no hole
    singles = [_InMemory(image, np.float32(1), None, 1.0, Noise(1.0, 1.0, 0.0, 1e3)) for image in stack]
    window = Window.placed(stack.shape[1:])
    filled, kept = (combine(singles, window=window, hole_nsigma=n) for n in (4, 0))
    assert filled.sci[7, 7] == np.float32(50) and kept.sci[7, 7] == np.float32(-40)
    assert filled.clipped.nmean[7, 7] == 2 and filled.clipped.mean[7, 7] == pytest.approx(50.05)
    assert kept.clipped.nmean[7, 7] == 1 and kept.clipped.mean[7, 7] == np.float32(-40)
    for made in (filled, kept):
        assert made.sci[3, 3] == 50 and made.clipped.nmean[3, 3] == 1
    away = np.ones(window.shape, bool)
    away[5:10, 5:10] = False
    expect_same([p[away] for p in filled.clipped], [p[away] for p in kept.clipped])


def test_empty_planes():
    planes = ClippedMean.empty((3, 4))
    assert np.isnan(planes.mean).all() and not any(plane.any() for plane in planes[1:])
    assert all(plane.shape == (3, 4) for plane in planes)


def test_limits_of_the_configuration():
    assert Limits.of(config.standard({})["median"]) == Limits()
    settings = config.standard({"median": {"clip_nsigma": "5 3", "clip_slope": 0, "clip_low": "0 0"}})[
        "median"
    ]
    assert Limits.of(settings) == Limits((5.0, 3.0), 0.0, (0.0, 0.0))


# -- the table of the groups


NOISES = [GroupNoise(np.pi, 1 / 3, 1.1), GroupNoise(1e-300, 0.0, 0.9), GroupNoise(np.nan, np.inf, 1.0)]


def test_the_table_comes_back_exactly(tmp_path):
    names, path = ["jw01-i0001", "g", "a.b_c-d+" + "e" * 60], tmp_path / "median.fits"
    image = np.zeros((3, 5), np.float32)
    hdus = [(image_header(image, primary=True), image), group_noise.table(names, NOISES)]
    write_hdus(path, hdus)
    found = group_noise.read(path)
    assert list(found) == names and all(type(group) is GroupNoise for group in found.values())
    np.testing.assert_array_equal(list(found.values()), NOISES)
    with fits.open(path, checksum=True) as opened:
        table = opened["GROUPS"]
        assert table.columns.names == ["group", "constant", "slope", "w"]
        assert table.columns.formats == ["68A", "D", "D", "D"]
        assert table.data["constant"].dtype.newbyteorder("=") == np.float64
        assert table.data["group"].tolist() == names
        np.testing.assert_array_equal(table.data["w"], [1.1, 0.9, 1.0])
        assert table.header["CHECKSUM"] and not [card for card in table.header if "DATE" in card]


def test_the_table_of_a_stack(tmp_path):
    made = combine(images(), "median")
    write_hdus(
        tmp_path / "m.fits",
        [(image_header(made.sci, primary=True), made.sci), group_noise.table("abcd", made.groups)],
    )
    assert group_noise.read(tmp_path / "m.fits") == dict(zip("abcd", made.groups, strict=True))


def test_as_many_names_as_groups():
    with pytest.raises(ValueError):
        group_noise.table(["a", "b"], NOISES)


def test_a_file_without_the_table_is_named(tmp_path):
    image = np.zeros((3, 5), np.float32)
    write_hdus(tmp_path / "m.fits", [(image_header(image, primary=True), image)])
    with pytest.raises(InputError, match=r"m\.fits\[GROUPS\]: no such extension"):
        group_noise.read(tmp_path / "m.fits")
    with pytest.raises(InputError, match=r"none\.fits: no such file"):
        group_noise.read(tmp_path / "none.fits")
