"""AstroDrizzle's cosmic-ray test against its formula written out pixel by pixel."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.errors import InputError
from drizzleflow.frames.hst_detectors import cte_direction
from drizzleflow.outliers.driz_cr import clean, driz_cr

PLAIN = {"gain": 1.0, "readnoise": 5.0, "sky": 0.0}


def scene(seed, shape=(14, 17)):
    """A blot with stars, and data with noise and hits."""
    rng = np.random.default_rng(seed)
    blot = rng.uniform(0, 60) + rng.exponential(300, shape) * (rng.random(shape) < 0.1)
    data = (
        blot
        + rng.normal(size=shape) * np.sqrt(blot + 25)
        + rng.exponential(400, shape) * (rng.random(shape) < 0.05)
    )
    return data.astype(np.float32), blot.astype(np.float32)


def by_hand(data, blot, gain, readnoise, extra, snr, scale):
    """The definition with loops: missing neighbours left out."""
    ny, nx = data.shape
    levels = np.zeros((2, ny, nx), bool)
    for y in range(ny):
        for x in range(nx):
            near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            near = [blot[p] for p in near if 0 <= p[0] < ny and 0 <= p[1] < nx]
            slope = max(abs(float(blot[y, x]) - float(v)) for v in near)
            noise = math.sqrt(gain * abs(float(blot[y, x]) + extra) + readnoise**2) / gain
            for k in (0, 1):
                levels[k, y, x] = (
                    abs(float(data[y, x]) - float(blot[y, x])) > scale[k] * slope + snr[k] * noise
                )
    out = np.zeros((ny, nx), bool)
    for y, x in np.argwhere(levels[1]):
        out[y, x] = levels[0, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].any()
    return out


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 1.6, 7.12]), st.sampled_from(["once", "twice"]))
def test_the_definition(seed, gain, counted):
    data, blot = scene(seed)
    found = driz_cr(data, blot, gain=gain, readnoise=4.0, sky=30.0, sky_counted=counted)
    expected = by_hand(data, blot, gain, 4.0, 30.0 if counted == "twice" else 0.0, (3.5, 3.0), (1.2, 0.7))
    np.testing.assert_array_equal(found, expected)


def test_it_finds_hits_and_the_double_sky_finds_fewer():
    rng = np.random.default_rng(4)
    blot = np.full((200, 200), 400.0, np.float32)
    data = rng.normal(blot, math.sqrt(425)).astype(np.float32)
    planted = rng.random(data.shape) < 0.01
    data[planted] += np.float32(100)
    once = driz_cr(data, blot, gain=1.0, readnoise=5.0, sky=400.0)
    twice = driz_cr(data, blot, gain=1.0, readnoise=5.0, sky=400.0, sky_counted="twice")
    assert 0.75 < once[planted].mean() and once[~planted].mean() < 1e-3
    assert twice.sum() < once.sum() and (once | ~twice).all()


def test_edges():
    """A hit in a corner is found with the neighbours' derivative, and not with AstroDrizzle's."""
    blot = np.full((20, 30), 500.0, np.float32)
    data = blot.copy()
    places = [(0, 5), (7, 0), (19, 8), (18, 9), (4, 29), (4, 28), (10, 10)]
    for place in places:
        data[place] += 500
    right = driz_cr(data, blot, **PLAIN)
    assert sorted(map(tuple, np.argwhere(right).tolist())) == sorted(places)
    peer = driz_cr(data, blot, **PLAIN, derivative_edges="zero")
    assert np.argwhere(peer).tolist() == [[10, 10]]


def test_nan_is_never_a_hit_and_hides_no_neighbour():
    data, blot = scene(7, (40, 40))
    clean_mask = driz_cr(data, blot, **PLAIN)
    for plane in (0, 1):
        planes = [data.copy(), blot.copy()]
        planes[plane][10:12, 10:14] = np.nan
        for edges in ("neighbours", "zero"):
            mask = driz_cr(*planes, **PLAIN, derivative_edges=edges)
            assert not mask[10:12, 10:14].any()
        mask = driz_cr(*planes, **PLAIN)
        far = np.ones(mask.shape, bool)
        far[8:14, 8:16] = False
        np.testing.assert_array_equal(mask[far], clean_mask[far])
    assert not driz_cr(np.full((5, 5), np.nan), blot[:5, :5], **PLAIN).any()


def test_err_replaces_the_model():
    data, blot = scene(11)
    err = np.sqrt(np.abs(blot) + np.float32(25))
    np.testing.assert_array_equal(driz_cr(data, blot, **PLAIN, err=err), driz_cr(data, blot, **PLAIN))
    assert not driz_cr(data, blot, **PLAIN, err=np.full(data.shape, np.nan)).any()
    assert driz_cr(data, blot, **PLAIN, err=err / 10).sum() > driz_cr(data, blot, **PLAIN, err=err).sum()


@pytest.mark.parametrize(
    "place, expected",
    [
        (("ACS", "WFC", 2, "ABCD"), -1),
        (("ACS", "WFC", 1, "ABCD"), 1),
        (("WFC3", "UVIS", 2, ""), -1),
        (("WFC3", "UVIS", 1, ""), 1),
        (("ACS", "HRC", 1, "A"), 1),
        (("ACS", "HRC", 1, "C"), -1),
        (("ACS", "HRC", 1, "ABCD"), 0),
        (("ACS", "SBC", 1, ""), 0),
        (("WFC3", "IR", 1, "ABCD"), 0),
        (("WFPC2", "", 3, ""), -1),
        (("STIS", "CCD", 1, ""), 1),
        (("STIS", "NUV-MAMA", 1, ""), 0),
        (("NICMOS", "2", 1, ""), 0),
    ],
)
def test_cte_direction(place, expected):
    assert cte_direction(*place) == expected


def test_clean():
    data, blot = np.full((4, 5), 10, np.float32), np.full((4, 5), 3, np.float32)
    dq, mask = np.zeros((4, 5), np.int16), np.zeros((4, 5), bool)
    dq[0, 0], dq[1, 1], dq[2, 2], mask[3, 3], mask[3, 4] = 16, 64, 4096, True, True
    blot[3, 4] = np.nan
    sci, flags = clean(data, dq, mask, blot, good_bits=64)
    assert sci.dtype == np.float32 and flags.dtype == np.int16
    assert np.argwhere(sci == 3).tolist() == [[0, 0], [3, 3]]
    assert np.argwhere(flags == 4096).tolist() == [[0, 0], [3, 3], [3, 4]]
    assert sci[3, 4] == 10


@pytest.mark.parametrize(
    "bad, says",
    [
        ({"gain": 0}, "gain"),
        ({"gain": np.nan}, "gain"),
        ({"readnoise": -1}, "readnoise"),
        ({"grow": 0}, "driz_cr_grow"),
        ({"grow": 1.5}, "driz_cr_grow"),
        ({"ctegrow": -1}, "driz_cr_ctegrow"),
        ({"cte_dir": 2}, "cte_dir"),
        ({"snr": "3 2 1"}, "snr"),
        ({"scale": "wide"}, "scale"),
        ({"derivative_edges": "wrap"}, "neighbours, zero"),
        ({"sky_counted": 2}, "once, twice"),
        ({"err": np.ones((2, 2))}, "err"),
    ],
)
def test_bad_arguments(bad, says):
    with pytest.raises(InputError, match=says):
        driz_cr(np.zeros((5, 5)), np.zeros((5, 5)), **{**PLAIN, **bad})


def test_shapes():
    with pytest.raises(InputError, match="one shape"):
        driz_cr(np.zeros((5, 5)), np.zeros((5, 6)), **PLAIN)
