"""A pytest plugin: stcal's own tests of resampling, run against drizzleflow's class and functions.

``python -m pytest -p stcal_shim tests/resample`` by the *peer's* interpreter in the unpacked source
distribution of stcal 1.20.0, with this folder and ``scripts`` in PYTHONPATH. It puts a ``stcal.resample`` and
a ``stcal.resample.utils`` of our names in place before the tests are imported; all else of stcal stays the
peer's. The environment says

DRIZZLEFLOW_SHIM_VARIANCE   the ``variance`` that every `Resample` gets; not set: its default
DRIZZLEFLOW_SHIM_REPORT     where to write, as JSON, each test's outcome and what of ours was called how often
"""

import os
import sys
import types

import stcal
import stcal.alignment  # the peer's, whatever it imports
from shim_report import OURS, counted, pytest_collectreport, pytest_runtest_logreport, pytest_sessionfinish  # noqa: F401 (hooks)

from drizzleflow import resample_utils
from drizzleflow.resample import resample

#: the names of ``stcal.resample.utils``, public and not, that its tests import
UTILITIES = {
    "_get_inverse_variance": "get_inverse_variance",
    **{
        name: name
        for name in (
            "build_driz_weight",
            "build_mask",
            "calc_pixmap",
            "compute_mean_pixel_area",
            "get_tmeasure",
            "is_flux_density",
            "is_imaging_wcs",
            "resample_range",
        )
    },
}


def install():
    """Our names in place of the peer's."""
    OURS["resample"] = resample.__file__
    variance = os.environ.get("DRIZZLEFLOW_SHIM_VARIANCE")
    options = {"variance": variance} if variance else {}
    ours = resample.Resample
    ours.__init__ = counted("Resample", ours.__init__, **options)
    ours.add_model = counted("Resample.add_model", ours.add_model)
    package = types.ModuleType("stcal.resample")
    package.__path__ = []  # a package, of which nothing else can be imported
    package.Resample = ours
    package.UnsupportedWCSError = resample_utils.UnsupportedWCSError
    utils = types.ModuleType("stcal.resample.utils")
    for name, our_name in UTILITIES.items():
        setattr(utils, name, counted(name, getattr(resample_utils, our_name)))
    package.compute_mean_pixel_area, package.utils, stcal.resample = (
        utils.compute_mean_pixel_area,
        utils,
        package,
    )
    sys.modules |= {"stcal.resample": package, "stcal.resample.utils": utils}


install()
