"""The same examples in every run (``HYPOTHESIS_PROFILE=explore``: new ones); what one worker takes."""

import os

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

#: whole runs that tests of several files look at (tests/workflow/conftest.py): made by one worker
SHARED_RUNS = ("modes", "undisturbed")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at the groups
def pytest_collection_modifyitems(config, items):
    """With ``--dist loadgroup``: the tests of a file go to one worker, and those that share a run."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            runs = [name for name in SHARED_RUNS if name in getattr(item, "fixturenames", ())]
            item.add_marker(pytest.mark.xdist_group(runs[0] if runs else item.nodeid.partition("::")[0]))
