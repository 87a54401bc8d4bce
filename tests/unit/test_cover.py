"""How many exposures of a simulation see a place, beside each frame's own map asked for itself."""

import numpy as np
import pytest

from drizzleflow.simulate import scene
from drizzleflow.simulate.cover import Cover
from drizzleflow.simulate.hst import to_sky_of, wcs_cards
from drizzleflow.simulate.specs import FileSpec, FrameSpec

SHAPE, TANGENT, SCALE = (40, 50), (30.0, -20.0), 0.05


def curved(cards):
    """A WCS with a quadratic distortion of some pixels at the corners."""
    to_sky = to_sky_of(cards)
    return lambda x, y: to_sky(x + 2e-3 * (x - 25) ** 2, y - 1e-3 * (x - 25) * (y - 20))


def files(count, side, seed=0, detectors=1):
    """Files of `count` groups, strewn over a square of `side` pixels."""
    rng, made = np.random.default_rng(seed), []
    for e in range(count):
        frames = []
        for d in range(detectors):
            x, y = (rng.uniform(0, side, 2) + (60 * d, 0)) * SCALE
            ra, dec = scene.to_sphere(x, y, TANGENT)
            to_sky = curved(wcs_cards(SHAPE, float(ra), float(dec), 10.0 * rng.uniform()))
            frames.append(FrameSpec("D", SHAPE, to_sky, d + 1, map=scene.FieldMap(to_sky, SHAPE, TANGENT)))
        made += [FileSpec(f"m{e}_{frame.extver}", "", f"g{e}", e, [frame], "p") for frame in frames]
    return made


@pytest.mark.parametrize(("count", "side", "detectors"), [(7, 20, 1), (20, 200, 1), (6, 40, 2)])
def test_counts_are_those_of_each_frames_own_map(count, side, detectors):
    made = files(count, side, detectors=detectors)
    frame = made[0].frames[0]
    x, y = np.meshgrid(np.linspace(-0.5, SHAPE[1] - 0.5, 60), np.linspace(-0.5, SHAPE[0] - 0.5, 50))
    xi, eta = frame.map.points(x.ravel(), y.ravel())
    seen = {f.group: np.zeros(xi.size, bool) for f in made}
    for f in made:
        seen[f.group] |= f.frames[0].map.invert(xi, eta)[2]
    wanted = np.sum(list(seen.values()), axis=0)
    got = Cover(made[::-1]).groups_at(frame, x.ravel(), y.ravel())
    # the frame's own edges lie on its edge: rounding decides there
    inner = (np.abs(x - 24.5) < 24.9) & (np.abs(y - 19.5) < 19.9)
    np.testing.assert_array_equal(got[inner.ravel()], wanted[inner.ravel()])
    assert got.min() < got.max() <= count


def test_edges_are_exact():
    made = files(1, 0)
    field = made[0].frames[0].map
    x = np.array([-0.5 + 1e-9, -0.5 - 1e-9, 49.5 - 1e-9, 49.5 + 1e-9, 20, 20])
    y = np.array([17.0, 17, 17, 17, 39.5 - 1e-9, 39.5 + 1e-9])
    got = Cover(made).contain(np.array([0]), *field.points(x, y))
    assert got.tolist() == [[True, False] * 3]
    assert field.bend > 0.5  # the affine map alone would not tell


def test_few_places_at_a_time_change_nothing(monkeypatch):
    made = files(9, 30)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].reshape(2, -1)
    whole = Cover(made).groups_at(made[2].frames[0], x, y)
    monkeypatch.setattr("drizzleflow.simulate.cover.PAIRS", 1)
    np.testing.assert_array_equal(Cover(made).groups_at(made[2].frames[0], x, y), whole)


def test_frames_far_away_are_not_near():
    made = files(30, 3000, seed=4)
    cover, frame = Cover(made), made[3].frames[0]
    near = {member for member, _ in cover.others("g3", frame, margin=2.0)}
    for f in made:
        field = f.frames[0].map
        inside = frame.map.invert(*field.grid(np.arange(50), np.arange(40)), margin=2.0)[2]
        assert f.group == "g3" or f.member in near or not inside.any()
    assert len(near) < 10 and "m3_1" not in near
