"""Fixtures of the workflow tests; the functions behind them are in running.py and runs.py."""

import shutil
import time

import pytest
import variants
from runs import CONFIG, KINDS, complete, products, watching

from drizzleflow.simulate import simulate


@pytest.fixture(scope="session")
def field(tmp_path_factory):
    """A small JWST field: three dithered exposures of one 160 x 160 detector; what `simulate` returned."""
    return simulate(
        tmp_path_factory.mktemp("field"),
        exposures=3,
        detectors=1,
        shape=(160, 160),
        seed=5,
        product="field",
        cosmic_rays=0.004,
        roll=1.0,
    )


@pytest.fixture(scope="session")
def modes(field, tmp_path_factory):
    """The run of variants.py: many products, none of which a test may change."""
    return variants.make(field, tmp_path_factory.mktemp("modes"))


@pytest.fixture(scope="session")
def data(field, tmp_path_factory):
    """A folder with the simulated exposures in data/, the same relative paths wherever it is copied."""
    here = tmp_path_factory.mktemp("exposures")
    (here / "data").mkdir()
    for path in field["members"]:
        shutil.copy2(path, here / "data")
    shutil.copy2(field["associations"][0], here / "data" / "field_asn.json")
    return here


@pytest.fixture(scope="session")
def loaded_by_jobs(tmp_path_factory):
    """Where the jobs of `undisturbed` say which modules they have loaded: a file a process, named after its script."""
    return tmp_path_factory.mktemp("loaded")


@pytest.fixture(scope="session")
def undisturbed(data, loaded_by_jobs, tmp_path_factory):
    """The working folder of a run that nobody disturbed: to be copied, not changed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    shutil.copytree(data, folder)
    began = time.monotonic()
    complete(folder, CONFIG, **watching(loaded_by_jobs))
    (folder.parent / "seconds").write_text(str(time.monotonic() - began))
    for kind in KINDS:
        assert list((folder / "results" / "field").glob(kind)), f"no {kind}"
    return folder


@pytest.fixture(scope="session")
def expected(undisturbed):
    """The hashes of its products."""
    return products(undisturbed / "results")


@pytest.fixture
def fresh(data, tmp_path):
    """A working folder in which nothing has run."""
    return shutil.copytree(data, tmp_path / "run")


@pytest.fixture
def finished(undisturbed, tmp_path):
    """A working folder in which everything has run: the bytes and times of the undisturbed one."""
    return shutil.copytree(undisturbed, tmp_path / "run")
