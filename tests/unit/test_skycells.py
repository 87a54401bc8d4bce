"""Cells of the sky: by a slow definition, and what their differences are good for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.sky.cells import CLIP, ROUNDS, CellFiles, SkyCells, differences, robust_mean
from drizzleflow.sky.levels import solve


def slow(values, x, y, side):
    """(column, row) -> (clipped mean, number of values), cell by cell."""
    cells = {}
    for value, i, j in zip(
        values.astype(np.float32).astype(float), np.floor(x / side), np.floor(y / side), strict=True
    ):
        cells.setdefault((int(i), int(j)), []).append(value)
    widths, found = {}, {}
    for cell, inside in cells.items():
        order, last = np.sort(inside), len(inside) - 1
        widths[cell] = 0.5 * (order[int(np.rint(0.8413 * last))] - order[int(np.rint(0.1587 * last))])
    count = np.median([len(inside) for inside in cells.values()])
    many = [widths[cell] for cell, inside in cells.items() if len(inside) >= max(8, 0.5 * count)]
    least = 0.7 * np.median(many) if many else 0.0
    for cell, inside in cells.items():
        order = np.sort(inside)
        centre, width = (
            0.5 * (order[(len(order) - 1) // 2] + order[len(order) // 2]),
            max(widths[cell], least),
        )
        for _ in range(ROUNDS):
            if width > 0:
                low, high = np.float32(centre - CLIP * width), np.float32(centre + CLIP * width)
                kept = order[(order >= low) & (order <= high)]
                centre = kept.mean() if len(kept) else centre
            else:
                centre = order.mean()
        found[cell] = centre, len(inside)
    return found


@given(
    st.integers(0, 10**6), st.sampled_from([0.0, 0.03, 1.5]), st.sampled_from([1.0, 6.0, 17.5]), st.booleans()
)
@settings(max_examples=40, deadline=None)
def test_cells_by_their_definition(seed, angle, side, equal):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 900))
    place = rng.uniform(-40, 40, (2, n))
    x, y = (
        np.cos(angle) * place[0] - np.sin(angle) * place[1],
        np.sin(angle) * place[0] + np.cos(angle) * place[1],
    )
    values = (
        np.full(n, 7.5, np.float32)
        if equal
        else (rng.normal(-3, 2, n) + 90 * (rng.random(n) < 0.05)).astype(np.float32)
    )
    cells, expected = SkyCells.measure([(values, x, y)], side), slow(values, x, y, side)
    assert np.count_nonzero(cells.npix) == np.count_nonzero(np.isfinite(cells.level)) == len(expected)
    for (i, j), (level, npix) in expected.items():
        at = j - cells.corner[1], i - cells.corner[0]
        assert cells.npix[at] == npix
        assert cells.level[at] == pytest.approx(level, abs=2e-5)
        assert cells.variance[at] > 0


def frame(rng, level, corner, shape=(180, 200), scene=None, noise=1.0, hit=0.005):
    """Values and places of a frame of a scene that is a function of x and y."""
    y, x = np.indices(shape).astype(float)
    x, y = x + corner[0], y + corner[1]
    data = level + rng.normal(0, noise, shape) + 200 * (rng.random(shape) < hit)
    return (data + (scene(x, y) if scene else 0)).astype(np.float32).ravel(), x.ravel(), y.ravel()


def measured(rng, count, scene=None, **more):
    """Errors of the difference of pairs of frames, and the uncertainties that are claimed."""
    errors, sigmas = [], []
    for _ in range(count):
        corners, levels = rng.uniform(-30, 30, (2, 2)), rng.uniform(10, 20, 2)
        a, b = (
            SkyCells.measure([frame(rng, level, corner, scene=scene, **more)])
            for level, corner in zip(levels, corners, strict=True)
        )
        found = a.minus(b)
        back = b.minus(a)
        assert (found.value, found.npix) == (pytest.approx(-back.value, abs=1e-9), back.npix)
        errors.append(found.value - (levels[0] - levels[1]))
        sigmas.append(found.sigma)
    return np.array(errors), np.array(sigmas)


def test_blank_sky_with_rays_is_near_the_bound_and_knows_its_uncertainty():
    errors, sigmas = measured(np.random.default_rng(1), 60)
    bound = (2 / (170 * 190)) ** 0.5  # about: the overlaps' size varies
    assert np.sqrt(np.mean(errors**2)) < 1.4 * bound
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(np.mean(sigmas), rel=0.35)


def galaxy(x, y):
    return 3000 * np.exp(-np.hypot(x - 90, (y - 80) / 0.7) / 25)


def test_a_galaxy_that_fills_the_overlap_cancels():
    errors, _ = measured(np.random.default_rng(2), 20, galaxy)
    values = frame(np.random.default_rng(3), 0, (0, 0), scene=galaxy)[0]
    assert np.median(values) > 20  # what a statistic of one frame makes of it
    assert np.abs(errors).max() < 0.1


def test_cells_that_are_wrong_in_one_frame_do_not_count():
    """A ghost over a tenth of a frame, and a corner that the other frame does not have."""
    rng = np.random.default_rng(4)
    a, b = frame(rng, 10.0, (0, 0)), frame(rng, 12.0, (7.3, -4.6))
    a[0][(a[1] < 60) & (a[2] < 60)] += 50
    keep = ~((b[1] > 150) & (b[2] > 120))
    found = SkyCells.measure([a]).minus(SkyCells.measure([[part[keep] for part in b]]))
    assert found.value == pytest.approx(-2.0, abs=5 * found.sigma)
    assert found.sigma < 0.02


def test_an_overlap_of_few_pixels_is_measured_and_none_is_none():
    rng = np.random.default_rng(5)
    a, b = frame(rng, 10.0, (0, 0)), frame(rng, 13.0, (198.0, 0))
    near = SkyCells.measure([a]).minus(SkyCells.measure([b]))
    assert near.npix > 0 and near.value == pytest.approx(-3.0, abs=6 * near.sigma)
    away = SkyCells.measure([a]).minus(SkyCells.measure([frame(rng, 13.0, (400.0, 0))]))
    assert away.npix == 0 and np.isnan(away.value)
    empty = SkyCells.measure([])
    assert SkyCells.measure([a]).minus(empty).npix == 0 and empty.minus(empty).npix == 0


def test_one_cell_and_equal_values():
    one = SkyCells.measure([(np.float32([4, 4]), np.array([0.5, 1.0]), np.array([0.5, 1.0]))])
    other = SkyCells.measure([(np.float32([1]), np.array([2.0]), np.array([2.0]))])
    found = one.minus(other)
    assert (found.value, found.npix) == (3.0, 3) and np.isfinite(found.sigma)


def test_robust_mean():
    rng = np.random.default_rng(6)
    values, variance = rng.normal(5, 2, 400), np.full(400, 0.01)  # the known variance is far too small
    value, sigma, weight = robust_mean(np.r_[values, 1e6, -1e5], np.r_[variance, 0.01, 0.01])
    assert value == pytest.approx(5, abs=0.4) and sigma == pytest.approx(0.1, rel=0.2)
    assert (weight[-2:] == 0).all()
    assert robust_mean(np.array([1.0, 1e9]), np.ones(2))[0] == pytest.approx(5e8 + 0.5)
    assert robust_mean(np.array([7.0]), np.array([4.0]))[:2] == (7.0, 2.0)


def test_levels_from_files(tmp_path):
    """Three groups in a row, one of two frames: the levels, and each pair of frames once."""
    rng = np.random.default_rng(7)
    groups = {("a", 1): "A", ("a", 2): "A", ("b", 1): "B", ("c", 1): "C"}
    corners, levels = [(0, 0), (0, 185), (90, 60), (200, 90)], {"A": 10.0, "B": 12.5, "C": 17.0}
    arrays = {}
    for (member, extver), corner in zip(groups, corners, strict=True):
        cells = SkyCells.measure([frame(rng, levels[groups[member, extver]], corner)])
        arrays |= {f"{member}/{extver}/{name}": array for name, array in cells.arrays().items()}
    np.savez(tmp_path / "batch.npz", **arrays)
    near_to, frames = (
        {"A": ["B"], "B": ["A", "C"], "C": ["B"]},
        {"A": [("a", 1), ("a", 2)], "B": [("b", 1)], "C": [("c", 1)]},
    )
    found = list(differences(near_to, frames, CellFiles([tmp_path / "batch.npz"]).read))
    assert [pair[:2] for pair in found] == [(("a", 1), ("b", 1)), (("a", 2), ("b", 1)), (("b", 1), ("c", 1))]
    solved = {level.frame: level for level in solve([], groups, differences=found)}
    assert [solved[key].sky for key in groups] == pytest.approx([0, 0, 2.5, 7.0], abs=0.1)
    assert all(level.valid and level.component == 1 and level.npix > 0 for level in solved.values())
    flipped = solve([], groups, differences=[(b, a, -value, n, sigma) for a, b, value, n, sigma in found])
    assert [level.sky for level in flipped] == [solved[key].sky for key in groups]
    with pytest.raises(ValueError, match="unknown frame"):
        solve([], groups, differences=[(("a", 1), ("x", 1), 1.0, 10, 0.1)])
