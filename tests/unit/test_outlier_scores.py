"""The counts of the outlier benchmark, on planted arrays."""

import os

import numpy as np
import pytest

from drizzleflow.errors import InputError
from drizzleflow.simulate import outlier_scores as scores
from drizzleflow.simulate import simulate


def blank(shape=(40, 50), cover=4):
    zero = np.zeros(shape)
    return scores.FrameTruth(
        zero.copy(), zero + 2.0, zero.copy(), np.full(shape, cover, np.uint8), zero.copy()
    )


def gaussian(truth, y, x, peak):
    yy, xx = np.mgrid[: truth.scene.shape[0], : truth.scene.shape[1]]
    truth.scene += peak * np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / 2)
    truth.stars.append((x, y))


def test_pixels_by_signal_to_noise_and_coverage():
    truth = blank()
    truth.flux[5, 5:9] = [4, 8, 14, 40]  # S/N 2, 4, 7, 20
    truth.flux[20, 20] = 14
    truth.cover[20, 20] = 1
    truth.cover[5, 7] = 2
    mask = np.zeros(truth.noise.shape, np.uint8)
    mask[5, 6] = mask[5, 8] = mask[20, 20] = 1
    counts = scores.frame_counts(mask, truth)
    assert counts["all"] == [2, 3]
    assert counts["s3_5"] == [1, 1]
    assert counts["s5_10"] == [0, 0]  # both of 7 sigma are seen by fewer than three
    assert counts["alone"] == [1, 1]
    assert counts["pur"] == [3, 3]
    truth.cover[5, 7] = 3
    assert scores.frame_counts(mask, truth)["s5_10"] == [0, 1]


def test_a_ray_is_whole_when_all_its_bright_pixels_are_flagged():
    truth = blank()
    mask = np.zeros(truth.noise.shape, bool)
    for row in (3, 10, 17, 24):
        truth.flux[row, 5:9] = [20, 1, 20, 20]  # one ray: the faint pixel links it
    mask[3, [5, 7, 8]] = True  # whole, the faint pixel does not count
    mask[10, [5, 7]] = True  # not whole
    mask[17, [5, 7, 8]] = True
    truth.cover[17, 8] = 2  # not seen by three everywhere: left out
    truth.flux[30, 30] = 6  # 3 sigma: no ray to be found
    assert scores.frame_counts(mask, truth)["full"] == [1, 3]


def test_sources_and_unusable_pixels():
    truth = blank()
    truth.scene[:, :10] = 50.0  # 25 sigma
    truth.scene[:, 10:20] = 30.0
    truth.scene[:, 20:25] = 5.0
    truth.flux[8, [5, 6, 15, 22]] = 30
    truth.noise[9, 9] = np.nan
    mask = np.zeros(truth.noise.shape, bool)
    mask[8, 5] = mask[9, 9] = True
    counts = scores.frame_counts(mask, truth)
    assert (
        counts["src"] == [1, 2]
        and counts["src3"] == [1, 3]
        and counts["all"] == [1, 4]
        and counts["pur"] == [1, 1]
    )


def test_purity_knows_faint_deposits_trails_and_low_pixels():
    truth = blank()
    truth.flux[4, 4] = 0.7  # 0.35 sigma
    truth.trail[6, 4] = 0.7
    truth.trail[7, 4] = 0.5  # too faint to be flagged for it
    truth.trail[9, 4] = 12
    truth.low, truth.near = np.zeros(truth.noise.shape, np.uint8), np.zeros(truth.noise.shape, np.uint8)
    truth.low[11, 4] = 1
    mask = np.zeros(truth.noise.shape, bool)
    mask[[4, 6, 7, 11, 13], 4] = True
    counts = scores.frame_counts(mask, truth)
    assert counts["pur"] == [3, 5] and counts["low"] == [1, 1] and counts["trail"] == [0, 1]


def test_a_false_flag_in_a_core_is_counted_once_a_star():
    truth = blank((60, 60))
    for y, x, peak in ((10, 10, 400), (10, 30, 400), (30, 10, 400), (30, 30, 100), (45, 10, 400)):
        gaussian(truth, y, x, peak)  # noise 2: 200 sigma, one of 50
    truth.stars.append((11.4, 10.2))  # a faint star in the core of the first: not one of its own
    truth.stars.append((1.0, 50.0))  # too near to the edge
    truth.noise[45, 10] = np.nan  # saturated
    mask = np.zeros(truth.noise.shape, bool)
    mask[9, 10] = mask[9, 11] = True  # two false flags, one star
    mask[10, 31] = True
    truth.flux[10, 31] = 30  # not false
    mask[30, 12] = True  # outside of the 3 x 3
    assert sorted(scores.bright_stars(truth)) == [(10, 10), (10, 30), (30, 10)]
    assert scores.frame_counts(mask, truth)["star"] == [1, 3]


def test_false_flags_that_a_low_pixel_of_another_exposure_causes():
    truth = blank((100, 100))
    truth.low, truth.near = np.zeros((100, 100), np.uint8), np.zeros((100, 100), np.uint8)
    truth.near[10:20, 10:20] = 1
    mask = np.zeros((100, 100), bool)
    mask[10, 10:13] = True
    mask[50, 1:100:1] = True  # 99 of 9900 elsewhere: one would be usual near by
    truth.low[80, 80:82] = 1
    some, of = scores.frame_counts(mask, truth)["low_false"]
    assert some == pytest.approx(2.0) and of == 2
    assert "low" not in scores.frame_counts(mask, blank((100, 100)))


def test_figures_are_percentages_of_sums_and_means_over_seeds():
    one = scores.added([{"all": [1, 2], "star": [0, 3]}, {"all": [2, 2], "star": [1, 1]}])
    assert one == {"all": [3, 4], "star": [1, 4]}
    assert scores.figures(one | {"low_false": [1.0, 4], "full": [0, 0]}) == {
        "all": 75.0,
        "star": 25.0,
        "low_false": 0.25,
        "full": None,
    }
    over = scores.over_runs([{"all": 90.0, "star": 0.0}, {"all": 94.0, "star": 2.0, "full": None}])
    assert over["all"] == (92.0, 90.0) and over["star"] == (1.0, 2.0) and over["full"] is None
    assert set(over) == set(scores.COLUMNS)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"shape \(3, 3\), expected \(40, 50\)"):
        scores.frame_counts(np.zeros((3, 3)), blank())


def test_the_truth_as_mask_is_perfect(tmp_path):
    options = {"exposures": 3, "shape": (96, 96), "stars": 4000, "cosmic_rays": 0.08, "bad_fraction": 0.002}
    made = simulate(tmp_path / "a", detectors=1, scene_truth=True, low_pixels=0.002, **options)
    truths = scores.read_truth(made["truth"])
    perfect = [scores.frame_counts(t.planted, t) for t in truths.values()]
    nothing = [scores.frame_counts(np.zeros(t.noise.shape), t) for t in truths.values()]
    best, none = scores.figures(scores.added(perfect)), scores.figures(scores.added(nothing))
    for key in ("all", "full", "s5_10", "s3_5", "src", "pur", "low"):
        assert best[key] == 100.0 and none[key] in (0.0, None)
    assert best["star"] == best["low_false"] == 0.0
    assert scores.added(perfect)["star"][1] > 2
    plain = simulate(tmp_path / "b", detectors=1, exposures=1, shape=(32, 32))
    with pytest.raises(InputError, match="expected a simulation with scene_truth"):
        scores.read_truth(plain["truth"])
    assert os.path.isdir(plain["truth"])
