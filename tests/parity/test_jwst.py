"""``preset: jwst`` gives what jwst 3.0.0 gives: both run on the same files, and their products are compared.

Without the peer (`peers`) the tests are skipped; with DRIZZLEFLOW_PARITY=1, which ``make parity`` sets, they
fail. Every test prints its figures; ``make parity`` shows them.
"""

import json
import sys
from pathlib import Path

import pytest
from compare import compare, table
from peers import JWST, REPO, call, require, workflow
from real_data import real_data


@pytest.fixture(scope="module", autouse=True)
def peer_is_there():
    require(JWST)


def simulate(folder, exposures, detectors, shape, *more):
    """An association of simulated JWST exposures; returns its path."""
    size = ["--exposures", exposures, "--detectors", detectors, "--shape", shape, shape]
    call(
        [sys.executable, "-m", "drizzleflow.simulate", folder, "--flavour", "jwst", *size, *more],
        folder.parent,
    )
    (association,) = folder.glob("*.json")
    return association


def run_ours(folder, association, config, target=()):
    """The workflow in a working folder of its own; returns the product folder."""
    folder.mkdir()
    settings = {
        "associations": str(association),
        "preset": "jwst",
        "save_intermediate_results": True,
        "mode": "imaging",
    }
    (folder / "run.yaml").write_text(json.dumps({**settings, **config}))  # JSON is YAML
    workflow([*target, "--profile", REPO / "profiles" / "default", "--configfile", "run.yaml"], folder)
    return folder / "results" / json.loads(association.read_text())["products"][0]["name"]


def run_peer(folder, association, *options):
    call(
        [JWST, Path(__file__).with_name("peer_jwst.py"), association, folder, "--no-crf", *options],
        folder.parent,
    )
    return folder


def check_masks(figures, at_least):
    """At most one pixel in a million differs (the issue's limit); and there is something to compare."""
    mask = figures["crmask"]
    assert mask["peer"] >= at_least
    assert mask["differ"] <= mask["pixels"] / 1e6, mask


def check_sky(figures, spread=True):
    assert figures["sky"]["max"] <= 1e-6, figures["sky"]
    levels = [member["peer"] for member in figures["sky"]["members"].values()]
    assert not spread or max(levels) > min(levels)


def check_mosaic(figures):
    assert figures["grid"]["shape"] == figures["grid"]["peer_shape"]
    assert figures["grid"]["max_pixels"] < 1e-6
    assert {"SCI", "ERR", "WHT", "VAR_POISSON", "VAR_RNOISE"} <= set(figures["i2d"])
    for name, plane in figures["i2d"].items():
        assert plane["pixels"] > 1000, name
        assert plane["max"] <= 1e-5 and plane["nan_differs"] == 0, (name, plane)
    assert figures["con"]["self"] == 0
    assert figures["con"]["differ"] == 0, figures["con"]


def both(folder, association, config=None, options=()):
    ours = run_ours(folder / "ours", association, config or {})
    peer = run_peer(folder / "peer", association, "--input-weights", *options)
    figures = compare(ours, peer)
    print("\n".join(table(figures)))
    return figures


@pytest.fixture(scope="module")
def two_detectors(tmp_path_factory):
    """4 exposures of 2 detectors: groups with two members, small enough for many runs."""
    return simulate(tmp_path_factory.mktemp("two") / "sim", 4, 2, 256)


@pytest.mark.parametrize("exposures, detectors, size", [(4, 1, 768), (8, 2, 512)])
def test_image3(tmp_path, exposures, detectors, size):
    """The whole imaging road with the peer's defaults."""
    figures = both(tmp_path, simulate(tmp_path / "sim", exposures, detectors, size))
    check_sky(figures)
    check_masks(figures, at_least=100)
    check_mosaic(figures)


DRIZZLE = {"weight_type": "exptime", "pixfrac": 0.8, "kernel": "turbo"}
FLAGGING = {"snr": "4.0 3.0", "scale": "0.9 0.4", "maskpt": 0.4, "backg": 0.02}
VARIANTS = {
    "drizzle": (
        {"single_drizzle": DRIZZLE, "mosaic": DRIZZLE},
        [
            f"{step}.{key}={value}"
            for step in ("outlier_detection", "resample")
            for key, value in DRIZZLE.items()
        ],
    ),
    "thresholds-without-sky": (
        {
            "skymatch": {"skip": True},
            "median": {"maskpt": FLAGGING["maskpt"]},
            "crmask": {key: FLAGGING[key] for key in ("snr", "scale", "backg")},
        },
        [f"outlier_detection.{key}={value}" for key, value in FLAGGING.items()],
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters(tmp_path, two_detectors, variant):
    """A parameter means what it means to the peer."""
    config, changes = VARIANTS[variant]
    options = [word for change in changes for word in ("--set", change)]
    if "skymatch" in config:
        options.append("--skip-skymatch")
    figures = both(tmp_path, two_detectors, config, options)
    check_masks(figures, at_least=20)
    check_mosaic(figures)


def test_without_resampling(tmp_path, two_detectors):
    """``resample_data: false``: the median of the inputs themselves, one threshold."""
    config = {"single_drizzle": {"resample_data": False}}
    ours = run_ours(tmp_path / "ours", two_detectors, config, target=["crmask"])
    figures = compare(ours, run_peer(tmp_path / "peer", two_detectors, "--no-resample-data", "--no-mosaic"))
    print("\n".join(table(figures)))
    check_masks(figures, at_least=20)


@pytest.mark.parametrize(
    "skymethod, skystat",
    [("local", "mode"), ("global", "midpt"), ("global+match", "mode"), ("global+match", "median")],
)
def test_skymethods(tmp_path, two_detectors, skymethod, skystat):
    config = {"skymatch": {"skymethod": skymethod, "skystat": skystat}}
    ours = run_ours(tmp_path / "ours", two_detectors, config, target=["skymatch"])
    options = ["--sky-only", "--skymethod", skymethod, "--set", f"skymatch.skystat={skystat}"]
    figures = compare(ours, run_peer(tmp_path / "peer", two_detectors, *options))
    print("\n".join(table(figures)))
    check_sky(figures, spread=skymethod != "global")


def test_niriss(tmp_path):
    """25 real exposures, a dither grid on a bright masked star."""
    files = sorted(real_data("jwst_niriss_hd36805").glob("*_cal.fits"))
    members = [{"expname": str(path), "exptype": "science"} for path in files]
    association = tmp_path / "niriss_asn.json"
    content = {"asn_type": "image3", "asn_id": "a3001", "asn_pool": "none"}
    association.write_text(json.dumps({**content, "products": [{"name": "niriss", "members": members}]}))
    figures = both(tmp_path, association)
    assert len(figures["crmask"]["members"]) == 25
    check_sky(figures)
    check_masks(figures, at_least=300)
    check_mosaic(figures)
