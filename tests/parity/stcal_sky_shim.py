"""A pytest plugin: stcal's own tests of sky matching, run against drizzleflow's classes and function.

``python -m pytest -p stcal_sky_shim tests/skymatch`` by the *peer's* interpreter in the unpacked source
distribution of stcal 1.20.0, with this folder and ``scripts`` in PYTHONPATH. It puts a ``stcal.skymatch`` of
our names in place before the tests are imported. DRIZZLEFLOW_SHIM_REPORT says where to write each test's
outcome and what of ours was called how often, as JSON.
"""

import sys
import types

import stcal
from shim_report import OURS, counted, pytest_collectreport, pytest_runtest_logreport, pytest_sessionfinish  # noqa: F401 (hooks)

from drizzleflow import sky
from drizzleflow.arrays import statistics as skystatistics
from drizzleflow.sky import skyimage, skymatch


def install():
    """Our names in place of the peer's."""
    OURS.update(
        {"sky/__init__": sky.__file__, "sky/skyimage": skyimage.__file__, "sky/skymatch": skymatch.__file__}
    )
    for owner in (sky.SkyImage, sky.SkyGroup, sky.SkyStats):
        for name in ("__init__", "calc_sky", "intersection"):
            if hasattr(owner, name):
                setattr(
                    owner,
                    name,
                    counted(f"{owner.__name__}.{name}".removesuffix(".__init__"), getattr(owner, name)),
                )
    package = types.ModuleType("stcal.skymatch")
    package.__path__ = []  # a package, of which nothing else can be imported
    package.SkyImage, package.SkyGroup, package.SkyStats = sky.SkyImage, sky.SkyGroup, sky.SkyStats
    package.skymatch = counted("match", sky.match)
    package.skyimage, package.skystatistics = skyimage, skystatistics
    stcal.skymatch = package
    # ``stcal.skymatch.skymatch`` is the function where it is asked of the package, the module where it is
    # imported
    sys.modules |= {
        "stcal.skymatch": package,
        "stcal.skymatch.skyimage": skyimage,
        "stcal.skymatch.skymatch": skymatch,
        "stcal.skymatch.skystatistics": skystatistics,
    }


install()
