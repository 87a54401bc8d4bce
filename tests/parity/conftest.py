"""HST exposures and what AstroDrizzle makes of them: once for all tests."""

import sys

import hst_inputs
import pytest
from peer_drizzlepac import VARIANTS
from peers import astrodrizzle, call


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """A folder with four simulated two-chip exposures and their association.

    No side is a multiple of 10: there the peer's pixel map has a kink on the outermost pixels
    (docs/differences.md).
    """
    folder = tmp_path_factory.mktemp("hst") / "sim"
    options = ["--flavour", "hst", "--exposures", 4, "--shape", 256, 304, "--seed", 3]
    call([sys.executable, "-m", "drizzleflow.simulate", folder, *options], folder.parent)
    return folder


@pytest.fixture(scope="session")
def oracle(simulated):
    """All variants of them; (inputs, folder of runs)."""
    inputs = simulated.parent / "two"
    hst_inputs.flat_field(simulated, inputs)
    return inputs, astrodrizzle(inputs, VARIANTS)
