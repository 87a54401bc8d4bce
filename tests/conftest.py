"""Tests that share what takes long to make run in one process where several work (pytest -n 2 --dist loadgroup)."""

import pytest

#: files whose tests share a run of the workflow -> its fixture
SHARED = {
    **dict.fromkeys(("test_modes", "test_trace"), "modes"),
    **dict.fromkeys(("test_resume", "test_kills", "test_disks", "test_members_that_change", "test_audit_run", "test_code"), "undisturbed"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        name = item.path.stem
        item.add_marker(pytest.mark.xdist_group(SHARED.get(name, name)))
