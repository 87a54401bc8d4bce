"""The same examples in every run (``HYPOTHESIS_PROFILE=explore``: new ones); what one worker takes."""

import os

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

#: whole runs (fixtures of tests/workflow/conftest.py) and the files of tests that look at them
SHARED_RUNS = {
    "modes": ("test_modes", "test_trace"),
    "undisturbed": (
        "test_audit_run",
        "test_causes",
        "test_code",
        "test_disks",
        "test_kills",
        "test_members_that_change",
        "test_resume",
    ),
}
RUN_OF = {f"tests/workflow/{file}.py": run for run, files in SHARED_RUNS.items() for file in files}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With ``--dist loadfile``: all files that look at one run go to one worker, so that it is made once."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByRun(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return RUN_OF.get(file, file)

    return ByRun(config, log)


def pytest_collection_modifyitems(items):
    """A file that looks at a shared run has to be in the table above."""
    for item in items:
        file, wanted = item.nodeid.partition("::")[0], SHARED_RUNS.keys() & set(item.fixturenames)
        if wanted - {RUN_OF.get(file)}:
            raise pytest.UsageError(
                f"{file} uses {', '.join(wanted)}: name it in SHARED_RUNS (tests/conftest.py)"
            )
