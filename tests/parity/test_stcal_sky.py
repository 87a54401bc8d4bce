"""stcal 1.20.0's own tests of sky matching, unmodified, pass with our classes and function in place of the
peer's.

The tests come with the peer's source distribution, which ``make parity`` unpacks beside the peer's
interpreter; DRIZZLEFLOW_STCAL_SOURCE names another place. The peer's interpreter runs them with
`stcal_sky_shim`.
"""

import pytest
from peers import REPO, STCAL, check_outcomes, require, stcal_tests

COUNT = 51
#: test -> why ours does not pass it
EXCEPTIONS = {}
#: what of ours the tests have to call, and how often at least
CALLS = {
    "match": 19,
    "SkyImage": 40,
    "SkyGroup": 25,
    "SkyStats": 40,
    "SkyImage.calc_sky": 10,
    "SkyGroup.calc_sky": 5,
    "SkyImage.intersection": 1,
    "SkyStats.calc_sky": 5,
}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    require(STCAL / "tests" / "skymatch")
    return stcal_tests(
        "stcal_sky_shim", ["tests/skymatch"], tmp_path_factory.mktemp("stcal_sky") / "report.json"
    )


def test_stcal_tests(report):
    check_outcomes("skymatch", report, COUNT, EXCEPTIONS)


def test_the_tests_ran_ours(report):
    """The shim's functions count their calls, and the modules are this repository's."""
    assert report["ours"] == {
        name: str(REPO / "scripts" / "drizzleflow" / f"{name}.py")
        for name in ("sky/__init__", "sky/skyimage", "sky/skymatch")
    }
    for name, count in CALLS.items():
        assert report["calls"].get(name, 0) >= count, (name, report["calls"])
