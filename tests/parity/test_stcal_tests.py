"""stcal 1.20.0's own tests of resampling, unmodified, pass with our class and functions in place of the
peer's.

The tests come with the peer's source distribution, which ``make parity`` unpacks beside the peer's
interpreter; DRIZZLEFLOW_STCAL_SOURCE names another place. The peer's interpreter runs them with `stcal_shim`.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from peers import REPO, STCAL, check_outcomes, require, stcal_tests

#: part -> (variance, pytest's arguments). Variances are made by the tests of the class alone, and not by
#: those of photometry.
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
    return stcal_tests(
        "stcal_shim",
        arguments,
        folder / f"{part.replace(' ', '_')}.json",
        DRIZZLEFLOW_SHIM_VARIANCE=variance or "",
    )


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    require(STCAL / "tests" / "resample")
    folder = tmp_path_factory.mktemp("stcal")
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        return dict(zip(PARTS, pool.map(lambda part: run(part, folder), PARTS), strict=True))


@pytest.mark.parametrize("part", PARTS)
def test_stcal_tests(reports, part):
    check_outcomes(part, reports[part], COUNTS[part], {name for of, name in EXCEPTIONS if of == part})


@pytest.mark.parametrize("part", PARTS)
def test_the_tests_ran_ours(reports, part):
    """The shim's functions count their calls: the class that was built and filled is this repository's."""
    report = reports[part]
    assert Path(report["ours"]["resample"]) == REPO / "scripts" / "drizzleflow" / "resample" / "resample.py"
    least = {"photometry": {"Resample": 54, "Resample.add_model": 54, "build_driz_weight": 54}}
    least["the rest"] = {
        "Resample": 9,
        "Resample.add_model": 20,
        "calc_pixmap": 270,
        "build_mask": 7,
        "build_driz_weight": 11,
        "resample_range": 14,
        "get_tmeasure": 4,
        "is_imaging_wcs": 1,
        "compute_mean_pixel_area": 1,
        "is_flux_density": 6,
        "_get_inverse_variance": 6,
    }
    least["reference variances"] = {"Resample": 9, "Resample.add_model": 20}
    for name, count in least[part].items():
        assert report["calls"].get(name, 0) >= count, (name, report["calls"])
