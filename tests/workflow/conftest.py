"""Fixtures of the workflow tests; the functions behind them are in running.py."""

import pytest

from drizzleflow.simulate import simulate


@pytest.fixture(scope="session")
def field(tmp_path_factory):
    """A small JWST field: three dithered exposures of one 160 x 160 detector; what `simulate` returned."""
    return simulate(
        tmp_path_factory.mktemp("field"), exposures=3, detectors=1, shape=(160, 160), seed=5, product="field",
        cosmic_rays=0.004, roll=1.0,
    )  # fmt: skip
