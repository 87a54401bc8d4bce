"""stcal 1.20.0's own tests of resampling, unmodified, pass with our class and functions in place of the peer's.

The tests come with the peer's source distribution, which ``make parity`` unpacks beside the peer's interpreter;
DRIZZLEFLOW_STCAL_SOURCE names another place. The peer's interpreter runs them with `stcal_shim`.
"""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_jwst import ENVIRONMENT, PEER, REPO, peer_is_there  # noqa: F401 (a fixture for all tests here)

SOURCE = Path(os.environ.get("DRIZZLEFLOW_STCAL_SOURCE", PEER.parents[1] / "stcal-1.20.0"))
#: part -> (variance, pytest's arguments). Variances are made by the tests of the class alone, and not by those of photometry.
PARTS = {
    "photometry": (None, ["tests/resample", "-k", "photometry"]),
    "the rest": (None, ["tests/resample", "-k", "not photometry"]),
    "reference variances": ("reference", ["tests/resample/test_resample.py", "-k", "not photometry"]),
}
COUNTS = {"photometry": 54, "the rest": 327, "reference variances": 9}
#: (part, test) -> why ours does not pass it
EXCEPTIONS = {
    ("the rest", "tests/resample/test_resample.py::test_resample_error_scaling[from_var]"): (
        "expects the error of the mean of four input pixels; here each output pixel takes of nine, with weights 1:2:1 squared,"
        " and the exact error is 3/4 of that. With variance='reference' it passes"
    ),
    ("the rest", "tests/resample/test_resample.py::test_resample_ivm_weight_overflow"): (
        "the same geometry. With variance='reference' it passes"
    ),
}


def run(part, folder):
    variance, arguments = PARTS[part]
    report = folder / f"{part.replace(' ', '_')}.json"
    here = {
        **ENVIRONMENT,
        "PYTHONPATH": os.pathsep.join(str(REPO / name) for name in ("tests/parity", "scripts")),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DRIZZLEFLOW_SHIM_REPORT": str(report),
        "DRIZZLEFLOW_SHIM_VARIANCE": variance or "",
    }
    command = [PEER, "-m", "pytest", "-q", "-p", "stcal_shim", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=SOURCE, env=here, capture_output=True, text=True, check=False)
    assert report.exists(), f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return json.loads(report.read_text())


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    if not (SOURCE / "tests" / "resample").is_dir():
        message = f"no source distribution of stcal at {SOURCE}: run `make parity`"
        pytest.fail(message) if os.environ.get("DRIZZLEFLOW_PARITY") == "1" else pytest.skip(message)
    folder = tmp_path_factory.mktemp("stcal")
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        return dict(zip(PARTS, pool.map(lambda part: run(part, folder), PARTS), strict=True))


@pytest.mark.parametrize("part", PARTS)
def test_stcal_tests(reports, part):
    report, tests = reports[part], reports[part]["tests"]
    excepted = {name for of, name in EXCEPTIONS if of == part}
    failed = {name: test["message"] for name, test in tests.items() if test["outcome"] != "passed"}
    print(f"\n{part}: {len(tests) - len(failed)} of {len(tests)} pass, {len(excepted)} excepted; calls: {report['calls']}")
    assert len(tests) == COUNTS[part]
    unexpected = {name: message for name, message in failed.items() if name not in excepted}
    assert not unexpected, "\n\n".join(f"{name}\n{message}" for name, message in unexpected.items())
    assert excepted <= set(failed), f"these pass now: {sorted(excepted - set(failed))}"


@pytest.mark.parametrize("part", PARTS)
def test_the_tests_ran_ours(reports, part):
    """The shim's functions count their calls: the class that was built and filled is this repository's."""
    report = reports[part]
    assert Path(report["ours"]) == REPO / "scripts" / "drizzleflow" / "resample.py"
    least = {"photometry": {"Resample": 54, "Resample.add_model": 54, "build_driz_weight": 54}}
    least["the rest"] = {
        "Resample": 9, "Resample.add_model": 20, "calc_pixmap": 270, "build_mask": 7, "build_driz_weight": 11,
        "resample_range": 14, "get_tmeasure": 4, "is_imaging_wcs": 1, "compute_mean_pixel_area": 1, "is_flux_density": 6,
        "_get_inverse_variance": 6,
    }  # fmt: skip
    least["reference variances"] = {"Resample": 9, "Resample.add_model": 20}
    for name, count in least[part].items():
        assert report["calls"].get(name, 0) >= count, (name, report["calls"])
