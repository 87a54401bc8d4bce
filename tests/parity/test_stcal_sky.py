"""stcal 1.20.0's own tests of sky matching, unmodified, pass with our classes and function in place of the peer's.

The tests come with the peer's source distribution, which ``make parity`` unpacks beside the peer's interpreter;
DRIZZLEFLOW_STCAL_SOURCE names another place. The peer's interpreter runs them with `stcal_sky_shim`.
"""

import json
import os
import subprocess

import pytest
from test_jwst import ENVIRONMENT, PEER, REPO, peer_is_there  # noqa: F401 (a fixture for all tests here)
from test_stcal_tests import SOURCE

COUNT = 51
#: test -> why ours does not pass it
EXCEPTIONS = {}
#: what of ours the tests have to call, and how often at least
CALLS = {
    "match": 19, "SkyImage": 40, "SkyGroup": 25, "SkyStats": 40, "SkyImage.calc_sky": 10, "SkyGroup.calc_sky": 5,
    "SkyImage.intersection": 1, "SkyStats.calc_sky": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    if not (SOURCE / "tests" / "skymatch").is_dir():
        message = f"no source distribution of stcal at {SOURCE}: run `make parity`"
        pytest.fail(message) if os.environ.get("DRIZZLEFLOW_PARITY") == "1" else pytest.skip(message)
    path = tmp_path_factory.mktemp("stcal_sky") / "report.json"
    here = {
        **ENVIRONMENT,
        "PYTHONPATH": os.pathsep.join(str(REPO / name) for name in ("tests/parity", "scripts")),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DRIZZLEFLOW_SHIM_REPORT": str(path),
    }
    command = [PEER, "-m", "pytest", "-q", "-p", "stcal_sky_shim", "-p", "no:cacheprovider", "tests/skymatch"]
    done = subprocess.run(command, cwd=SOURCE, env=here, capture_output=True, text=True, check=False)
    assert path.exists(), f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return json.loads(path.read_text())


def test_stcal_tests(report):
    tests = report["tests"]
    failed = {name: test["message"] for name, test in tests.items() if test["outcome"] != "passed"}
    print(f"\nskymatch: {len(tests) - len(failed)} of {len(tests)} pass, {len(EXCEPTIONS)} excepted; calls: {report['calls']}")
    assert len(tests) == COUNT
    unexpected = {name: message for name, message in failed.items() if name not in EXCEPTIONS}
    assert not unexpected, "\n\n".join(f"{name}\n{message}" for name, message in unexpected.items())
    assert set(EXCEPTIONS) <= set(failed), f"these pass now: {sorted(set(EXCEPTIONS) - set(failed))}"


def test_the_tests_ran_ours(report):
    """The shim's functions count their calls, and the modules are this repository's."""
    assert report["ours"] == {
        name: str(REPO / "scripts" / "drizzleflow" / f"{name}.py") for name in ("sky", "skyimage", "skymatching")
    }
    for name, count in CALLS.items():
        assert report["calls"].get(name, 0) >= count, (name, report["calls"])
