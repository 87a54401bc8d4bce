"""benchmarks/outliers.py: sets, table, apertures, planted events; no workflow and no other program is run."""

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

from drizzleflow.simulate import outlier_scores as scores
from drizzleflow.simulate import simulate

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import outlier_events
import outlier_photometry
import outlier_sets
import outliers


def test_every_kind_of_set_is_something_that_can_be_simulated():
    known = set(inspect.signature(simulate).parameters)
    names = set()
    for kind in outlier_sets.KINDS:
        one = outlier_sets.Set(kind, 4, 1, 512)
        assert set(one.parameters) <= known and one.parameters["scene_truth"]
        assert one.flavour == one.parameters.get("flavour", "jwst")
        names.add(one.name)
    names |= {outlier_sets.Set("base", 4, 1, 512, *more).name for more in ((2.0,), (1.0, 0.1), (2.0, 0.1))}
    assert len(names) == len(outlier_sets.KINDS) + 3
    assert outlier_sets.Set("hst", 4, 1, 512).parameters["shape"] == [256, 512]


def test_the_table_has_means_and_the_worst_seed(tmp_path, monkeypatch, capsys):
    options = outliers.arguments(
        ["score", "--work", str(tmp_path), "--kinds", "base", "--exposures", "4", "--seeds", "1", "2"]
        + ["--methods", "default", "mine", "astrodrizzle", "--config", 'mine={"crmask": {"snr": "4 3"}}']
        + ["--output", str(tmp_path / "t.json")]
    )
    assert options.configs["mine"] == {"crmask": {"snr": "4 3"}}
    made = {
        (1, "default"): {"all": [9, 10], "star": [0, 4]},
        (2, "default"): {"all": [6, 10], "star": [1, 4]},
    }
    made |= {(1, "mine"): {"all": [10, 10], "star": [0, 4]}, (2, "mine"): {"all": [8, 10], "star": [0, 4]}}
    monkeypatch.setattr(outliers, "counted", lambda options, one, method: made.get((one.seed, method)))
    outliers.score(options)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "| kind | N | method | seeds | all | star |",
        "| --- | --- | --- | --- | --- | --- |",
        "| base | 4 | default | 2 | 75.00 (60.00) | 12.50 (25.00) |",
        "| base | 4 | mine | 2 | 90.00 (80.00) | 0.00 (0.00) |",
    ]
    assert '"method": "mine"' in (tmp_path / "t.json").read_text()
    with pytest.raises(SystemExit):
        outliers.arguments(["score", "--methods", "nobody", "--work", str(tmp_path)])


@pytest.mark.parametrize("place", [(20.0, 20.0), (20.3, 19.6), (20.5, 20.5)])
def test_apertures(place):
    ones = np.ones((40, 40))
    assert outlier_photometry.aperture(ones, *place) == pytest.approx(np.pi * 9, rel=0.01)
    yy, xx = np.mgrid[:40, :40]
    star = np.exp(-((xx - place[0]) ** 2 + (yy - place[1]) ** 2) / 2)
    assert outlier_photometry.aperture(star, *place) == pytest.approx(
        2 * np.pi * (1 - np.exp(-4.5)), rel=0.01
    )
    ones[20, 20] = np.nan
    assert np.isnan(outlier_photometry.aperture(ones, *place))
    assert np.isnan(outlier_photometry.aperture(star, 3.0, 20.0))


def test_changes_by_brightness():
    several = [np.array([[20, -1.0], [200, 0.5]]), np.array([[25, 3.0]])]
    rows = {row["snr"]: row for row in outlier_photometry.binned(several)}
    assert rows["10-30"] == {
        "snr": "10-30",
        "stars": 2,
        "median": 1.0,
        "mean": 1.0,
        "least": -1.0,
        "most": 3.0,
    }
    assert rows["100-300"]["mean"] == 0.5 and rows[">300"] == {
        "snr": ">300", "stars": 0, "median": None, "mean": None, "least": None, "most": None,
    }  # fmt: skip


def test_events_are_planted_and_judged(tmp_path):
    options = {"exposures": 4, "detectors": 1, "shape": (200, 200), "fwhm": 2.0, "stars": 900, "galaxies": 0}
    result = simulate(tmp_path / "calm", cosmic_rays=0.0, scene_truth=True, **options)
    calm = {"members": [Path(p) for p in result["members"]], "association": Path(result["associations"][0])}
    calm["product"] = result["products"][0]
    truth = scores.read_truth(result["truth"])
    made, added = outlier_events.plant(tmp_path / "events", calm, truth)
    assert made["association"].exists() and len(made["members"]) == 4
    keys = list(truth)
    first, last = (added[key]["deposits"] for key in (keys[0], keys[3]))
    assert "satellite trail" not in first and "snowball" not in last
    fast = "moving 8 px/exposure"
    assert not ((first[fast] > 1) & (last[fast] > 1)).any() and first[fast].max() == pytest.approx(
        outlier_events.PEAK * outlier_events.level(truth[keys[0]]), rel=0.1
    )
    everything = {key: added[key]["touched"] for key in truth}
    nothing = {key: np.zeros_like(added[key]["touched"]) for key in truth}
    best, none = (outlier_events.judged(masks, added, truth) for masks in (everything, nothing))
    assert {"satellite trail", "snowball", "diffraction spikes", "hot pixels", fast} <= set(best)
    for name, (some, of) in best.items():
        quiet = name in ("flags elsewhere (of all pixels)", "constant stars flagged in the core")
        assert some == (0 if quiet else of) and none[name] == (0, of)
        assert of > 0 or name.startswith("star")
