"""Sky: statistics, and levels from overlaps."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.arrays.statistics import SkyStats
from drizzleflow.errors import InputError
from drizzleflow.geometry.overlap import border
from drizzleflow.sky.levels import SkyRow, check_connected, solve
from drizzleflow.sky.overlaps import overlap_statistics

K = np.arange(5000.0)
VALUES = (np.sin(K * K * 0.37) + np.cos(1.3 * K) + 0.2 * np.sin(K) ** 15 * 40 + 7).astype(np.float32)

# skystat, nclip, lower, upper, binwidth, value, npix: measured with stsci.imagestats 1.8.4, lsig=2, usig=1.5
PEER = [
    ("mean", 5, None, None, 0.1, 6.706251621246338, 2922),
    ("mean", 0, None, None, 0.3, 6.999264240264893, 5000),
    ("mean", 2, 6.0, 9.0, 0.1, 7.050554275512695, 2360),
    ("mean", 1, 5.0, None, 0.05, 7.2192769050598145, 3836),
    ("median", 5, None, None, 0.1, 6.821195602416992, 2922),
    ("median", 2, 6.0, 9.0, 0.1, 7.023054122924805, 2360),
    ("median", 1, 5.0, None, 0.05, 7.072243690490723, 3836),
    ("mode", 5, None, None, 0.1, 6.939985053879874, 2922),
    ("mode", 0, None, None, 0.3, 6.566650816330641, 5000),
    ("mode", 2, 6.0, 9.0, 0.1, 6.948824330380089, 2360),
    ("mode", 1, 5.0, None, 0.05, 6.976920979830527, 3836),
    ("midpt", 5, None, None, 0.1, 6.796223653107882, 2922),
    ("midpt", 0, None, None, 0.3, 6.704272425174713, 5000),
    ("midpt", 2, 6.0, 9.0, 0.1, 7.025324254110456, 2360),
    ("midpt", 1, 5.0, None, 0.05, 7.07834323104471, 3836),
]


@pytest.mark.parametrize("skystat, nclip, lower, upper, binwidth, value, npix", PEER)
def test_statistics_equal_the_peers(skystat, nclip, lower, upper, binwidth, value, npix):
    got = SkyStats(skystat, lower, upper, nclip, 2.0, 1.5, binwidth)(VALUES.reshape(50, 100))
    assert got[1] == npix
    assert got[0] == pytest.approx(value, abs=1e-6 * float(VALUES.std()))


def clipped(x, nclip, low, high):
    """The definition, without any short cut."""
    start = float(x.min() if low is None else low), float(x.max() if high is None else high)
    low, high = start
    for k in range(nclip + 1):
        kept = x[(x >= np.float32(low)) & (x <= np.float32(high))]
        if k < nclip:
            mean = float(np.float32(kept.mean(dtype=float)))
            std = float(np.float32(np.sqrt(((kept - mean).astype(float) ** 2).sum() / (len(kept) - 1))))
            low, high = max(start[0], mean - 3 * std), min(start[1], mean + 3 * std)
    return kept


@pytest.mark.parametrize("size", [7, 999, 300_001])
@pytest.mark.parametrize("nclip", [0, 1, 6])
def test_clipped_median_and_mean_of_data_with_cosmic_rays(size, nclip):
    rng = np.random.default_rng(size)
    x = rng.normal(100, 5, size).astype(np.float32)
    x[rng.random(size) < 0.03] *= 1e4
    kept = clipped(x, nclip, 90.0, None)
    median, npix, _ = SkyStats("median", lower=90.0, nclip=nclip, lsig=3, usig=3).measure(x)
    assert (median, npix) == (np.median(kept), len(kept))
    mean, npix = SkyStats("mean", lower=90.0, nclip=nclip, lsig=3, usig=3)(x)
    assert npix == len(kept)
    assert mean == pytest.approx(kept.mean(dtype=float), rel=1e-6)


def test_median_of_data_in_bands_falls_back_to_the_full_sort():
    x = np.zeros(200_000, np.float32)
    step = len(x) // 10_000 | 1
    x[::step] = 5.0  # the sample sees only these
    x[1::2] += np.linspace(1, 2, 100_000, dtype=np.float32)
    assert SkyStats("median", nclip=0)(x)[0] == np.median(x)


def test_midpt_of_the_peers_own_test():
    assert SkyStats("midpt", nclip=0)(np.arange(4.0))[0] == pytest.approx(1.032796, abs=1e-6)


@pytest.mark.parametrize("skystat", ["mean", "median", "mode", "midpt"])
def test_constant_data_and_single_values(skystat):
    assert SkyStats(skystat)(np.full((9, 9), 3.25)) == (3.25, 81)
    assert SkyStats(skystat).measure(np.full(9, 3.25)).sigma == 0.0
    if skystat == "mode":
        with pytest.raises(ValueError, match="mode"):
            SkyStats(skystat)([4.0])
    else:
        value, npix, sigma = SkyStats(skystat).measure([4.0])
        assert (value, npix) == (4.0, 1)
        assert np.isnan(sigma)


def test_values_that_are_not_finite_are_left_out():
    x = np.concatenate([VALUES, [np.nan, np.inf, -np.inf]])
    assert SkyStats("median")(x) == SkyStats("median")(VALUES)
    for nothing in ([], [np.nan]):
        with pytest.raises(ValueError, match="no finite value"):
            SkyStats()(nothing)


@pytest.mark.parametrize(
    "limits", [{"lower": 100.0}, {"upper": -100.0}, {"lower": 8.00001, "upper": 8.00002}]
)
def test_no_value_between_the_limits(limits):
    with pytest.raises(ValueError, match="no value between"):
        SkyStats("median", **limits)(np.arange(20.0))


@pytest.mark.parametrize(
    "wrong",
    [{"skystat": "max"}, {"nclip": -1}, {"lsig": 0}, {"usig": -2}, {"binwidth": 0}, {"lower": 2, "upper": 1}],
)
def test_wrong_parameters(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SkyStats(**wrong)


def test_from_options():
    options = {
        "skystat": "midpt",
        "lower": 5.0,
        "upper": None,
        "nclip": 1,
        "lsigma": 2.0,
        "usigma": 1.5,
        "binwidth": 0.05,
    }
    assert SkyStats.from_options({**options, "dqbits": "auto"})(VALUES)[0] == pytest.approx(
        7.07834323, abs=1e-6
    )


@pytest.mark.parametrize(
    "skystat, low, high", [("mean", 0.9, 1.1), ("median", 0.9, 1.1), ("midpt", 0.8, 1.3), ("mode", 0.7, 1.3)]
)
def test_uncertainty_is_the_scatter(skystat, low, high):
    rng = np.random.default_rng(1)
    stats = SkyStats(skystat)
    found = np.array([stats.measure(rng.normal(20, 3, 4000)) for _ in range(400)])
    assert low < found[:, 2].mean() / found[:, 0].std() < high


# -------------------------------------------------------------------------------- frames and overlaps
def plate(ra, dec, shape=(40, 50), scale=1e-4):
    """Positions of a small frame on the equator: to the sky, and back."""

    def to_sky(x, y):
        return (ra - (np.asarray(x) - (shape[1] - 1) / 2) * scale) % 360, dec + (
            np.asarray(y) - (shape[0] - 1) / 2
        ) * scale

    def to_pixel(lon, lat):
        away = (np.asarray(lon) - ra + 180) % 360 - 180
        return (shape[1] - 1) / 2 - away / scale, (shape[0] - 1) / 2 + (np.asarray(lat) - dec) / scale

    return to_sky(*border(shape)), to_pixel


def test_overlap_statistics_sees_only_the_overlap():
    ny, nx = 40, 50
    data = np.full((ny, nx), 5.0, np.float32)
    data[:, :20] = 7.0
    good = np.ones((ny, nx), bool)
    good[3] = False
    outline, to_pixel = plate(0.0, 0.0)
    right, left = plate(-30e-4, 0.0)[0], plate(30e-4, 0.0)[0]  # RA grows to the left
    others = {
        "right": [right],
        "left": [left],
        "both": [left, right],
        "far": [plate(0.1, 0)[0]],
        "nan": [np.array(left) * np.nan],
    }
    rows = overlap_statistics(
        data, good, outline, to_pixel, others, SkyStats("median", nclip=0), frame=("a", 1)
    )
    found = {row.other: (row.sky, row.npix) for row in rows}
    assert found == {
        "": (5.0, 39 * 50),
        "right": (5.0, 39 * 20),
        "left": (7.0, 39 * 20),
        "both": (6.0, 39 * 40),
    }
    assert {row.frame for row in rows} == {("a", 1)}
    twice = {"left": [left], "again": [left]}
    rows = overlap_statistics(data, good, outline, to_pixel, twice, SkyStats("median", nclip=0))
    assert [(row.other, row.npix) for row in rows[1:]] == [("left", 39 * 20), ("again", 39 * 20)]
    scan = overlap_statistics(data, good, outline, to_pixel, others, SkyStats("median", nclip=0), "scan")
    counts = {row.other: row.npix for row in scan}
    assert set(counts) == set(found)
    assert abs(counts["left"] - 39 * 20) <= 80  # up to a row and a column more or less


def test_a_frame_without_good_pixels():
    outline, to_pixel = plate(10.0, 0.0)
    rows = overlap_statistics(
        np.ones((40, 50)), np.zeros((40, 50), bool), outline, to_pixel, {"b": [outline]}, SkyStats()
    )
    assert [(r.other, r.npix) for r in rows] == [("", 0)]
    assert np.isnan(rows[0].sky)


# -------------------------------------------------------------------------------- the solution
def rows_of(skies, overlaps, npix=1000, sigma=0.1):
    out = [SkyRow(f, "", sky, 10 * npix, sigma / 3) for f, sky in skies.items()]
    return out + [
        SkyRow(f, other, skies[f], npix, sigma) for pair in overlaps for f, other in (pair, pair[::-1])
    ]


def levels(rows, groups, *args, **options):
    return {level.frame: level for level in solve(rows, groups, *args, **options)}


def skies(rows, groups, *args, **options):
    return [round(level.sky, 9) for level in solve(rows, groups, *args, **options)]


TWO = {"a": 21.0, "b": 42.0}
OF_TWO = {"a": "a", "b": "b"}


@pytest.mark.parametrize(
    "skymethod, match_down, expected",
    [  # the table of stcal's own test
        ("local", True, [21, 42]),
        ("match", True, [0, 21]),
        ("match", False, [-21, 0]),
        ("global", True, [21, 21]),
        ("Global+Match", True, [21, 42]),
        ("globalmin+match", False, [21, 42]),
    ],
)
@pytest.mark.parametrize("weights", ["variance", "npix"])
def test_methods(skymethod, match_down, expected, weights):
    assert skies(rows_of(TWO, ["ab"]), OF_TWO, skymethod, match_down, weights=weights) == expected


FIVE = dict(zip("abcde", (10.0, 13.0, 11.0, 50.0, 55.0), strict=True))
TWO_SETS = rows_of(FIVE, ["ab", "bc", "de"])
OF_FIVE = {f: f for f in FIVE}


def test_disconnected_sets_are_matched_each_to_its_own_zero(caplog):
    with caplog.at_level(logging.WARNING):
        found = solve(TWO_SETS, OF_FIVE)
    assert [round(level.sky, 9) for level in found] == [0, 3, 1, 0, 5]
    assert [level.component for level in found] == [1, 1, 1, 2, 2]
    assert "a, b, c; d, e" in caplog.text
    assert skies(TWO_SETS, OF_FIVE, match_down=False) == [-3, 0, -2, -5, 0]
    assert skies(TWO_SETS, OF_FIVE, "global+match") == [10, 13, 11, 50, 55]


def test_disconnected_sets_as_the_peer_has_them():
    got = skies(TWO_SETS, OF_FIVE, weights="npix", reference="all")
    np.testing.assert_allclose(got, [7 / 6, 25 / 6, 13 / 6, 0, 5], atol=1e-9)


def test_isolated_groups():
    rows = rows_of({"a": 21.0, "b": 42.0, "c": 99.0}, ["ab"])
    found = levels(rows, {"a": "a", "b": "b", "c": "c"})
    assert (found["c"].sky, found["c"].valid, found["c"].component) == (0.0, False, 2)
    assert found["a"].valid
    glob = levels(rows, {"a": "a", "b": "b", "c": "c"}, "global+match")
    assert (glob["c"].sky, glob["c"].valid) == (99.0, True)
    peer = levels(rows, {"a": "a", "b": "b", "c": "c"}, "global+match", reference="all")
    assert (peer["a"].sky, peer["c"].sky) == (21.0, 21.0)


def test_one_group_has_nothing_to_match():
    (only,) = solve(rows_of({"a": 3.0}, []), {"a": "a"})
    assert (only.sky, only.valid) == (0.0, False)
    assert skies(rows_of({"a": 3.0}, []), {"a": "a"}, "local") == [3.0]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_global_with_a_frame_without_sky(order):
    rows = [SkyRow("a", "", 21.0, 100, 0.1), SkyRow("b", "", np.nan, 0, np.nan)]
    groups = {f: f for f in order}
    assert {f: level.sky for f, level in levels(rows, groups, "global").items()} == {"a": 21.0, "b": 21.0}
    local = levels(rows, groups, "local")
    assert (local["b"].sky, local["b"].valid) == (0.0, False)
    nothing = solve(rows[1:], {"b": "b"}, "global")[0]
    assert (nothing.sky, nothing.valid) == (0.0, False)


def test_members_of_a_group_share_a_level():
    rows = [
        SkyRow("a1", "", 5.0, 900, 0.1),
        SkyRow("a2", "", 4.0, 900, 0.1),
        SkyRow("b", "", 9.0, 900, 0.1),
        SkyRow("a1", "B", 5.0, 100, 0.1),
        SkyRow("a2", "B", 4.0, 300, 0.1),
        SkyRow("b", "A", 9.0, 400, 0.1),
    ]
    groups = {"a1": "A", "a2": "A", "b": "B"}
    assert skies(rows, groups, "local") == [4.0, 4.0, 9.0]  # the lowest of the group's frames
    assert skies(rows, groups) == [0.0, 0.0, 9.0 - 4.25]  # frames count by their pixels
    assert [level.npix for level in solve(rows, groups)] == [100, 300, 400]


def network(n, extra, seed, ratio=30.0):
    """A connected random network of measured overlaps."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(100, 20, n)
    pairs = {(int(rng.integers(k)), k) for k in range(1, n)} | {
        tuple(sorted(rng.choice(n, 2, False).tolist())) for _ in range(extra)
    }
    rows = [SkyRow(k, "", truth[k], 1, 1.0) for k in range(n)]
    for pair in sorted(pairs):
        for a, b in (pair, pair[::-1]):
            sigma = 0.01 * ratio ** rng.random()
            rows.append(SkyRow(a, str(b), truth[a] + rng.normal() * sigma, int(10 / sigma**2), sigma))
    return rows, {k: str(k) for k in range(n)}, truth


def pinv_levels(rows, n, weights):
    """stcal's equations, and the covariance of their solution."""
    sky = {(row.frame, int(row.other)): row for row in rows if row.other}
    pairs = [(a, b) for a, b in sky if a < b]
    K, F, var = np.zeros((len(pairs), n)), np.zeros(len(pairs)), np.zeros(len(pairs))
    for e, (a, b) in enumerate(pairs):
        p, q = sky[a, b], sky[b, a]
        var[e] = p.sigma**2 + q.sigma**2
        w = (p.npix + q.npix) / 2 if weights == "npix" else var[e] ** -0.5
        K[e, a], K[e, b], F[e] = w, -w, w * (p.sky - q.sky)
    inverse = np.linalg.pinv(K, rcond=1e-12)
    level = inverse @ F
    w = np.abs(K).max(axis=1)
    return level, inverse @ np.diag(w**2 * var) @ inverse.T, K, F, var, w


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 25), st.integers(0, 40), st.integers(0, 10**6), st.sampled_from(["npix", "variance"]))
def test_equal_to_the_dense_pseudo_inverse(n, extra, seed, weights):
    rows, groups, _ = network(n, extra, seed)
    level, cov, K, F, var, w = pinv_levels(rows, n, weights)
    found = solve(rows, groups, weights=weights)
    np.testing.assert_allclose([f.sky for f in found], level - level.min(), atol=1e-8)
    ref = level.argmin()
    spread = np.diag(cov) + cov[ref, ref] - 2 * cov[ref]
    free = len(F) - n + 1
    excess = (((K @ level - F) / w) ** 2 / var).sum() / free if free else 1
    np.testing.assert_allclose(
        [f.sigma for f in found], np.sqrt(np.maximum(spread, 0) * max(1, excess)), rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize("weights", ["npix", "variance"])
def test_sparse_and_dense_agree(weights, monkeypatch):
    rows, groups, _ = network(120, 300, 5)
    dense = solve(rows, groups, weights=weights)
    monkeypatch.setattr("drizzleflow.sky.network.DENSE", 10)
    sparse = solve(rows, groups, weights=weights)
    np.testing.assert_allclose([f.sky for f in sparse], [f.sky for f in dense], atol=1e-9)
    np.testing.assert_allclose([f.sigma for f in sparse], [f.sigma for f in dense], rtol=0.25)


def test_variance_weights_recover_the_truth_better_than_pixel_counts_squared():
    errors = {"npix": [], "variance": []}
    for seed in range(20):
        rows, groups, truth = network(12, 30, seed, ratio=10.0)
        for weights, found in errors.items():
            level = np.array([f.sky for f in solve(rows, groups, weights=weights)]) - truth
            found.append(np.std(level))
    assert np.mean(errors["variance"]) < 0.9 * np.mean(errors["npix"])


def test_sigma_is_the_scatter_of_the_levels():
    pull = []
    for seed in range(60):
        rows, groups, truth = network(8, 12, seed)
        found = solve(rows, groups)
        ref = int(np.argmin([f.sky for f in found]))
        pull += [(f.sky - (truth[k] - truth[ref])) / f.sigma for k, f in enumerate(found) if k != ref]
    assert 0.8 < np.std(pull) < 1.1  # a little small: sigma is enlarged where the overlaps disagree


def test_unknown_uncertainties_do_not_break_the_weights():
    skies_ = {"a": 1.0, "b": 3.0, "c": 6.0}
    rows = rows_of(skies_, ["ab", "bc"])
    rows[3] = rows[3]._replace(sigma=np.nan)
    rows[5] = rows[5]._replace(sigma=0.0)
    rows[6] = rows[6]._replace(sigma=0.0)
    assert skies(rows, {f: f for f in skies_}) == [0, 2, 5]


@pytest.mark.parametrize("wrong", [{"skymethod": "best"}, {"weights": "area"}, {"reference": "none"}])
def test_unknown_choices(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        solve(rows_of(TWO, ["ab"]), OF_TWO, **wrong)


def test_rows_of_unknown_frames_are_refused():
    with pytest.raises(ValueError, match="unknown"):
        solve(rows_of(TWO, ["ab"]), {"a": "a"})


def test_disconnected_sets_can_be_an_error():
    solved = solve(TWO_SETS, OF_FIVE)
    for choice in ("warn", "global"):
        check_connected(solved, choice)
    with pytest.raises(
        InputError, match=r"skymatch\.disconnected: 2 sets of groups do not overlap each other: .*; .*"
    ):
        check_connected(solved, "error")
    check_connected(solve(TWO_SETS, OF_FIVE, "local"), "error")  # nothing is matched: nothing is apart


def test_auto_is_the_median_of_whole_frames():
    options = {
        "skystat": "auto",
        "lower": -1.0,
        "upper": None,
        "nclip": 5,
        "lsigma": 4.0,
        "usigma": 3.0,
        "binwidth": 0.1,
    }
    stats = SkyStats.from_options(options)
    assert (stats.skystat, stats.lsig, stats.usig) == ("median", 4.0, 3.0)
    assert stats.between(np.array([-2.0, -1.0, 1e30, np.nan])).tolist() == [False, True, True, False]
    assert SkyStats.from_options(options | {"skystat": "mode"}).skystat == "mode"
