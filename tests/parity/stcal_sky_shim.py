"""A pytest plugin: stcal's own tests of sky matching, run against drizzleflow's classes and function.

``python -m pytest -p stcal_sky_shim tests/skymatch`` by the *peer's* interpreter in the unpacked source distribution of
stcal 1.20.0, with this folder and ``scripts`` in PYTHONPATH. It puts a ``stcal.skymatch`` of our names in place before the
tests are imported. DRIZZLEFLOW_SHIM_REPORT says where to write each test's outcome and what of ours was called how often, as JSON.
"""

import functools
import json
import os
import sys
import types
from collections import Counter

import stcal

from drizzleflow import sky, skyimage, skymatching, skystatistics

CALLS = Counter()
OUTCOMES = {}


def counted(name, function):
    """`function` itself, but that its calls are counted."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        CALLS[name] += 1
        return function(*args, **kwargs)

    return call


def install():
    """Our names in place of the peer's."""
    for owner in (sky.SkyImage, sky.SkyGroup, sky.SkyStats):
        for name in ("__init__", "calc_sky", "intersection"):
            if hasattr(owner, name):
                setattr(owner, name, counted(f"{owner.__name__}.{name}".removesuffix(".__init__"), getattr(owner, name)))
    package = types.ModuleType("stcal.skymatch")
    package.__path__ = []  # a package, of which nothing else can be imported
    package.SkyImage, package.SkyGroup, package.SkyStats = sky.SkyImage, sky.SkyGroup, sky.SkyStats
    package.skymatch = counted("match", sky.match)
    package.skyimage, package.skystatistics = skyimage, skystatistics
    stcal.skymatch = package
    # ``stcal.skymatch.skymatch`` is the function where it is asked of the package, the module where it is imported
    sys.modules |= {
        "stcal.skymatch": package, "stcal.skymatch.skyimage": skyimage, "stcal.skymatch.skymatch": skymatching,
        "stcal.skymatch.skystatistics": skystatistics,
    }  # fmt: skip


install()


def pytest_collectreport(report):
    if report.failed:
        OUTCOMES[report.nodeid] = {"outcome": "failed", "message": str(report.longrepr)[-3000:]}


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":  # set-up and tear-down tell only when they do not pass
        message = str(report.longrepr)[-3000:] if report.outcome == "failed" else ""
        OUTCOMES[report.nodeid] = {"outcome": report.outcome, "message": message}


def pytest_sessionfinish(session, exitstatus):
    if "DRIZZLEFLOW_SHIM_REPORT" in os.environ:
        ours = {"sky": sky.__file__, "skyimage": skyimage.__file__, "skymatching": skymatching.__file__}
        content = {"exit": int(exitstatus), "ours": ours, "calls": dict(CALLS), "tests": OUTCOMES}
        with open(os.environ["DRIZZLEFLOW_SHIM_REPORT"], "w") as stream:
            json.dump(content, stream, indent=1)
