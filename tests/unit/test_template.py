"""The template of an exposure against brute force: the other groups' mean made anew, then interpolated."""

from dataclasses import dataclass

import numpy as np
import pytest

from drizzleflow.arrays.morphology import abs_deriv, dilate
from drizzleflow.combine import leave_one_out
from drizzleflow.combine.good_values import good_values
from drizzleflow.combine.leave_one_out import Limits, variance_at
from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import Combined, median_image
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import WindowedArrays, union
from drizzleflow.geometry.grid import Grid
from drizzleflow.outliers import blot as blotting
from drizzleflow.outliers import template as module
from drizzleflow.outliers.blot import blot
from drizzleflow.outliers.template import PLANES, BlottedOthers, OtherExposures
from drizzleflow.outliers.template_noise import template_noise
from drizzleflow.resample.single import SingleImage, drizzle

WINDOW = Window(7, 60, -3, 40)  #: of the groups that cover all
LIMITS = Limits()
CASES = ["two", "three", "five", "two with gaps", "windows", "unknown noise", "median", "many rays"]


@dataclass
class Scene:
    """Groups that are combined, and what takes them out."""

    singles: dict[str, StackImage]
    made: Combined
    window: Window
    parameters: Parameters
    limits: Limits

    @classmethod
    def of(cls, singles, kind="auto", limits=LIMITS) -> "Scene":
        window, parameters = union(singles.values()), Parameters(combine_type=kind)
        made = median_image(list(singles.values()), window, parameters, limits)
        return cls(singles, made, window, parameters, limits)

    @property
    def groups(self):
        return dict(zip(self.singles, self.made.groups, strict=True))

    def others(self) -> OtherExposures:
        planes = (self.made.sci, self.made.nused, *self.made.clipped)
        median = WindowedArrays(dict(zip(PLANES, planes, strict=True)), self.window)
        return OtherExposures(median, self.groups, self.singles, self.parameters, self.limits)

    def brute(self, group):
        """(mean, variance, count) of the other groups on the whole window, by the definition, pixel by pixel."""
        sci, count, limits = self.made.sci, self.made.nused, self.limits
        slope = np.float32(limits.slope) * abs_deriv(sci)
        total, weight, square, number = (np.zeros(sci.shape) for _ in range(4))
        for name, single in self.singles.items():
            if name == group:
                continue
            values = good_values(single, self.window, self.parameters)
            constant, per_level, w = self.groups[name]
            variance = variance_at(sci, constant, per_level)
            part = np.isfinite(values)
            for sign, (first, beside), least in ((1, limits.nsigma, 0), (-1, limits.low, limits.low_count)):
                off, some = sign * (values - sci) - slope, count >= least
                far = (off > np.float32(first) * np.sqrt(variance)) & some
                part &= ~(dilate(far, 1) & (off > np.float32(beside) * np.sqrt(variance)) & some)
            total[part] += w * values[part].astype(float)
            square[part] += w**2 * variance[part].astype(float)
            weight[part] += w
            number += part
        with np.errstate(invalid="ignore", divide="ignore"):
            return total / weight, square / weight**2, number


def images(
    n, seed=1, gaps=0.0, windows=None, noise=True, rays=((0.01, 60), (0.004, -50))
) -> dict[str, StackImage]:
    """Groups of stars, rays and low pixels; their noise differs, and so does the weight of their pixels."""
    rng, groups = np.random.default_rng(seed), {}
    sky = np.zeros(WINDOW.shape)
    y, x = np.mgrid[: sky.shape[0], : sky.shape[1]]
    for _ in range(9):
        cy, cx, flux = rng.uniform(0, sky.shape[0]), rng.uniform(0, sky.shape[1]), 10 ** rng.uniform(1, 4)
        sky += flux * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 2)
    for k in range(n):
        window = WINDOW if windows is None else windows[k]
        truth = sky[window.inside(WINDOW)]
        time, read = rng.uniform(10, 60), rng.uniform(10, 30)
        image = truth + rng.normal(size=truth.shape) * np.sqrt(
            np.maximum(truth, 0) / time + (read / time) ** 2
        )
        for fraction, size in rays:
            hit = rng.random(image.shape) < fraction
            image[hit] += size * rng.random(np.count_nonzero(hit))
        image[rng.random(image.shape) < gaps] = np.nan
        weight = np.where(rng.random(image.shape) < 0.03, 0.1, 1)  # low ones are left out
        groups[f"g{k}"] = SingleImage(
            image.astype(np.float32),
            weight.astype(np.float32),
            window,
            "ELECTRONS/S",
            noise=Noise(time, read, 0.0, 1.0) if noise else None,
        )
    return groups


def scene_of(case) -> Scene:
    if case == "windows":  # each covers a part, and not one pixel is in all
        parts = [(7, 40, -3, 30), (20, 60, 5, 40), (7, 60, -3, 12), (12, 33, 10, 40), (50, 60, -3, 0)]
        return Scene.of(images(5, 4, 0.05, [Window(*edges) for edges in parts]))
    n = {"two": 2, "three": 3, "two with gaps": 2}.get(case, 5)
    gaps = 0.15 if case == "two with gaps" else 0.01
    if case == "many rays":  # and limits by which their neighbours decide what is left out
        limits = Limits((3, 0.5), 1.0, (3, 0.5))
        return Scene.of(images(5, rays=((0.1, 12), (0.05, -12))), "median", limits)
    singles = images(n, n, gaps, noise=case != "unknown noise")
    return Scene.of(singles, "median" if case == "median" else "auto")


@pytest.fixture(scope="module", params=CASES)
def scene(request):
    return scene_of(request.param)


@pytest.fixture(scope="module")
def five():
    return scene_of("five")


def frame_of(shape, **more) -> Frame:
    return Frame("m", 1, "g", shape, **more)


def turned(shape, x, y, angle=0.06, scale=0.8):
    """A pixel map: where the pixels of a frame lie whose first pixel is at (x, y)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] * scale
    along, across = (
        np.cos(angle) * columns - np.sin(angle) * rows,
        np.sin(angle) * columns + np.cos(angle) * rows,
    )
    return np.stack([along + x, across + y], axis=-1)


def expect_near(found, wanted, variance):
    """Equal but for rounding: to 5e-3 of the noise, the planes being float32."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    there = ~np.isnan(wanted)
    assert (np.abs(found - wanted)[there] / np.sqrt(variance[there])).max(initial=0) < 5e-3


def expect_same(one, two):
    for name in ("mean", "variance", "count"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), strict=True)


# -- on the grid


def test_on_the_grid_it_is_the_mean_of_the_others(scene):
    others = scene.others()
    for group in scene.singles:
        found = others.on_grid(group, scene.window)
        mean, variance, count = scene.brute(group)
        np.testing.assert_array_equal(found.count, count)
        assert [plane.dtype for plane in found] == [np.float32, np.float32, np.int16]
        expect_near(found.mean, mean, variance)
        np.testing.assert_allclose(found.variance, variance, rtol=1e-4)


def test_of_two_groups_it_is_the_other(scene):
    if len(scene.singles) != 2:
        return
    found = scene.others().on_grid("g0", scene.window)
    other = good_values(scene.singles["g1"], scene.window, scene.parameters)
    alone = ~np.isnan(found.mean)
    assert 0.7 < alone.mean() < 1 and (found.count[alone] == 1).all() and (found.count[~alone] == 0).all()
    expect_near(found.mean[alone], other[alone], found.variance[alone])


def test_a_group_of_which_nothing_takes_part_leaves_the_mean():
    singles = images(3, 3)
    singles["g1"].sci[...] = np.nan
    scene = Scene.of(singles)
    found = scene.others().on_grid("g1", scene.window)
    np.testing.assert_array_equal(found.mean, scene.made.clipped.mean)
    np.testing.assert_array_equal(found.count, scene.made.clipped.nmean)


def test_it_depends_neither_on_rows_nor_on_the_window(scene, monkeypatch):
    others = scene.others()
    whole = {group: others.on_grid(group, scene.window) for group in scene.singles}
    for edges in ((7, 60, -3, 40), (7, 9, -3, -1), (23, 44, 11, 30), (59, 60, 39, 40), (30, 31, -3, 40)):
        window = Window(*edges)
        for rows, part in ((1, 2**16), (5, 100), (1000, 2**16)):
            monkeypatch.setattr(module, "ROWS", rows)
            monkeypatch.setattr(leave_one_out, "PART", part)
            for group, all_of_it in whole.items():
                for plane, wanted in zip(others.on_grid(group, window), all_of_it, strict=True):
                    np.testing.assert_array_equal(plane, wanted[window.inside(scene.window)], strict=True)


# -- at an exposure's pixels


@pytest.mark.parametrize("interp", ["linear", "nearest", "poly5"])
def test_at_a_frame_it_is_the_mean_of_the_others_interpolated(scene, interp):
    others, shape = scene.others(), (41, 52)
    pixmap = turned(shape, 9.3, -1.6)
    place = pixmap - scene.window.origin
    x, y = np.rint(place).astype(int).T
    for group in scene.singles:
        mean, variance, count = scene.brute(group)
        found = others.at(frame_of(shape), group, pixmap.copy(), interp)
        wanted = blot(mean.astype(np.float32), place, np.nan, interp, "linear")
        nearest = variance[y, x].T
        np.testing.assert_array_equal(found.count, count[y, x].T)
        np.testing.assert_allclose(found.variance, nearest, rtol=1e-4)
        np.testing.assert_array_equal(np.isnan(found.mean), np.isnan(wanted))
        error = np.abs(found.mean - wanted)[~np.isnan(wanted)]
        assert error.max() < 0.02 * np.sqrt(np.nanmax(variance))
        assert np.median(error) < 1e-3 * np.sqrt(np.nanmedian(variance))
        np.testing.assert_array_equal(found.alone, scene.made.sci[y, x].T[np.isnan(wanted)])


@pytest.mark.parametrize("origin", [(-20.4, 10.2), (45.6, 30.6), (10.1, -25.1)])
def test_a_frame_partly_beyond_the_median(five, origin):
    others, shape = five.others(), (40, 44)
    pixmap = turned(shape, *origin)
    found = others.at(frame_of(shape), "g1", pixmap.copy())
    x, y = np.rint(np.moveaxis(pixmap, -1, 0)).astype(int)
    window = five.window
    inside = (x >= window.x0) & (x < window.x1) & (y >= window.y0) & (y < window.y1)
    assert 0.05 < inside.mean() < 0.7
    # beyond the centres of the last pixels some have a mean still
    assert np.isnan(found.mean[~inside]).mean() > 0.95
    assert np.isnan(found.variance[~inside]).all() and (found.count[~inside] == 0).all()
    _, variance, count = five.brute("g1")
    nearest = y[inside] - window.y0, x[inside] - window.x0
    np.testing.assert_array_equal(found.count[inside], count[nearest])
    np.testing.assert_allclose(found.variance[inside], variance[nearest], rtol=1e-4)
    unseen = np.isnan(found.mean)
    assert np.isnan(found.alone[~inside[unseen]]).all() and len(found.alone) == unseen.sum()


def test_a_frame_that_is_nowhere(five):
    shape = (6, 5)
    for pixmap in (turned(shape, 500, 500), np.full((*shape, 2), np.nan)):
        found = five.others().at(frame_of(shape), "g1", pixmap)
        assert np.isnan(found.mean).all() and np.isnan(found.variance).all() and not found.count.any()
        assert found.alone.shape == (30,) and np.isnan(found.alone).all()
        assert [a.shape for a in (found.mean, found.variance, found.count)] == [shape] * 3


def test_pixels_without_a_place(five):
    shape = (30, 33)
    pixmap = turned(shape, 12.2, 3.3)
    whole = five.others().at(frame_of(shape), "g1", pixmap.copy())
    pixmap[5:9, 4:20], pixmap[0, 0, 1], pixmap[20:, :2, 0] = np.nan, np.nan, np.nan
    nowhere = np.isnan(pixmap).any(axis=-1)
    found = five.others().at(frame_of(shape), "g1", pixmap)
    assert np.isnan(found.mean[nowhere]).all() and np.isnan(found.variance[nowhere]).all()
    assert (found.count[nowhere] == 0).all() and np.isnan(found.alone).sum() >= nowhere.sum()
    for name in ("mean", "variance", "count"):
        np.testing.assert_array_equal(getattr(found, name)[~nowhere], getattr(whole, name)[~nowhere])


def test_at_a_frame_it_does_not_depend_on_rows(five, monkeypatch):
    shape = (41, 52)
    found = []
    for rows in (1, 7, 64, 1000):
        monkeypatch.setattr(module, "ROWS", rows)
        monkeypatch.setattr(blotting, "ROWS", rows)
        pixmap = turned(shape, 1.3, -9.6)
        pixmap[3, 7:30] = np.nan
        found.append(five.others().at(frame_of(shape), "g2", pixmap))
    for other in found[1:]:
        expect_same(found[0], other)
        np.testing.assert_array_equal(found[0].alone, other.alone)


def test_a_part_of_a_frame_has_what_the_frame_has(five):
    """Which window of the median is read shows in the rounding of positions alone."""
    shape = (41, 52)
    pixmap, part = turned(shape, 9.3, -1.6), np.s_[14:27, 20:31]
    whole = five.others().at(frame_of(shape), "g2", pixmap.copy())
    found = five.others().at(frame_of((13, 11)), "g2", pixmap[part].copy())
    np.testing.assert_array_equal(found.count, whole.count[part])
    np.testing.assert_array_equal(found.variance, whole.variance[part])
    np.testing.assert_allclose(found.mean, whole.mean[part], rtol=1e-4, atol=1e-3)


def test_what_is_shown():
    """The matched template, and where no other exposure has a value the combined image, its own included."""
    scene = scene_of("two with gaps")
    shape = (41, 52)
    found = scene.others().at(frame_of(shape), "g0", turned(shape, 9.3, -1.6))
    unseen = np.isnan(found.mean)
    assert 0.1 < unseen.mean() < 0.6 and np.isfinite(found.alone).mean() > 0.5
    matched = found.mean + 1
    before = matched.copy()
    shown = found.shown(matched)
    np.testing.assert_array_equal(matched, before)
    np.testing.assert_array_equal(shown[~unseen], matched[~unseen])
    np.testing.assert_array_equal(shown[unseen], found.alone)
    full = BlottedOthers(np.ones((2, 2)), np.ones((2, 2)), np.ones((2, 2)), np.empty(0, np.float32))
    np.testing.assert_array_equal(full.shown(full.mean), full.mean)


# -- without resampling, and in other units


def test_on_the_same_pixels_nothing_is_interpolated(scene):
    others = scene.others()
    for group in scene.singles:
        found = others.aligned(frame_of(scene.window.shape), group)
        on_grid = others.on_grid(group, scene.window)
        expect_same(found, on_grid)
        np.testing.assert_array_equal(found.alone, scene.made.sci[np.isnan(on_grid.mean)])


@pytest.mark.parametrize("more", [{"rate_factor": 1 / 300}, {"rate_factor": 0.5, "area_factor": 1.44}])
@pytest.mark.parametrize("aligned", [False, True])
def test_units(more, aligned):
    """A frame in its own unit: the mean by the factor, its variance by the square of it."""
    scene = scene_of("two with gaps")
    factor = np.prod(list(more.values()))

    def template(**more):
        if aligned:
            return scene.others().aligned(frame_of(scene.window.shape, **more), "g1")
        return scene.others().at(frame_of((30, 40), **more), "g1", turned((30, 40), 9.3, -1.6))

    plain, found = template(), template(**more)
    np.testing.assert_allclose(found.mean * factor, plain.mean, rtol=1e-6)
    np.testing.assert_allclose(found.variance * factor**2, plain.variance, rtol=1e-6)
    np.testing.assert_array_equal(found.count, plain.count)
    np.testing.assert_allclose(found.alone * factor, plain.alone, rtol=1e-6)
    assert len(found.alone) and found.mean.dtype == found.variance.dtype == np.float32


def test_the_median_stays_as_it_is():
    scene = scene_of("two with gaps")
    others, frame = scene.others(), frame_of(scene.window.shape, rate_factor=0.5)
    before = {name: plane.copy() for name, plane in others.median.arrays.items()}
    own = {name: single.sci.copy() for name, single in scene.singles.items()}
    others.aligned(frame, "g1")
    others.at(frame, "g1", turned(frame.shape, 9.3, -1.6))
    for name, plane in before.items():
        np.testing.assert_array_equal(others.median.arrays[name], plane)
    for name, plane in own.items():
        np.testing.assert_array_equal(scene.singles[name].sci, plane)


# -- with the noise that drizzling leaves


@pytest.mark.parametrize("per_pixel", [False, True])
@pytest.mark.parametrize("ratio, pixfrac", [(1.0, 1.0), (2.0, 1.0), (0.7, 0.8)])
def test_the_template_s_noise_is_what_is_said(ratio, pixfrac, per_pixel):
    """Blank exposures, drizzled and taken out: variance times `template_noise` is how much the mean scatters."""
    rng, shape, area = np.random.default_rng(4), (150, 150), 1e-12
    side = int(150 / ratio) + 12
    scale = np.degrees(np.sqrt(area)) * 3600 * ratio
    cd = (-scale / 3600, 0.0, 0.0, scale / 3600)
    grid = Grid((side, side), (10.0, 0.0), (side / 2, side / 2), cd, scale, pixel_scale_ratio=ratio)
    settings = {"kernel": "square", "pixfrac": pixfrac, "fillval": "NAN", "weight_type": "exptime"}
    singles, maps = {}, {}
    for k in range(4):
        frame = frame_of(
            shape,
            data=rng.normal(0, 3, shape).astype(np.float32),
            err=np.full(shape, 3, np.float32),
            exposure_time=10.0,
            unit="MJy/sr",
            per_pixel=per_pixel,
            pixelarea_steradians=area,
        ).on_grid(grid)
        offset = 6 + rng.uniform(-1, 1, 2)
        maps[k] = turned(shape, *offset, angle=rng.uniform(-0.03, 0.03), scale=1 / ratio)
        one = [(frame, None)]
        singles[f"g{k}"] = drizzle(
            one, grid, lambda _, k=k: maps[k].copy(), settings, good_bits=None, flags={}
        )
    assert frame.factor == pytest.approx(ratio**2 if per_pixel else 1)
    scene = Scene.of(singles, "median")
    found = scene.others().at(frame, "g3", maps[3])
    inner = np.s_[20:-20, 20:-20]
    assert (found.count[inner] == 3).mean() > 0.97
    share = template_noise("square", pixfrac, ratio, "linear", per_pixel)
    expected = share * np.nanmean(found.variance[inner])
    assert np.nanvar(found.mean[inner]) == pytest.approx(expected, rel=0.12)
