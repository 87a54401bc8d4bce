"""Levels of networks as large as surveys."""

import numpy as np
import pytest

from drizzleflow.sky.network import DENSE, Network, spanning_forest


def raster(side, rng):
    """A square raster whose nodes are tied to their eight neighbours, by edges that differ in weight by 1000
    to 1.
    """
    node = np.arange(side * side).reshape(side, side)
    ends = (
        (node[:, :-1], node[:, 1:]),
        (node[:-1], node[1:]),
        (node[:-1, :-1], node[1:, 1:]),
        (node[:-1, 1:], node[1:, :-1]),
    )
    i, j = (np.concatenate([pair[k].ravel() for pair in ends]) for k in (0, 1))
    return i, j, 10 ** rng.uniform(-1, 2, len(i))


@pytest.mark.parametrize("side", [7, 20, 21, 50])  # 400 nodes are solved densely, 441 are not
def test_levels_of_a_raster_satisfy_the_normal_equations(side):
    rng = np.random.default_rng(side)
    n, (i, j, weight) = side * side, raster(side, rng)
    truth = rng.normal(100, 20, n)
    difference = truth[i] - truth[j] + rng.normal(size=len(i)) * weight**-0.5
    component, start = spanning_forest(n, i, j, weight, difference)
    assert not component.any()
    network = Network(n, i, j, weight)
    level = network.levels(difference, start)
    flow = weight * (difference - (level[i] - level[j]))
    left = np.bincount(i, flow, n) - np.bincount(j, flow, n)
    assert np.abs(left).max() < 1e-10 * np.abs(weight * difference).max()
    assert abs(level.mean()) < 1e-12
    # without noise the truth itself
    exact = network.levels(truth[i] - truth[j], np.zeros(n))
    np.testing.assert_allclose(exact, truth - truth.mean(), atol=1e-9)
    # and the uncertainties are those of the errors, here relative to the mean level
    sigma = np.sqrt(network.covariances(1 / weight, int(np.argmin(level))))
    assert sigma[np.argmin(level)] == 0
    error = level - truth - (level - truth)[np.argmin(level)]
    assert 0.2 < np.sqrt(np.mean(error**2) / np.mean(sigma**2)) < 3
    assert (n <= DENSE) == (side <= 20)


def test_a_long_chain_and_a_hub():
    n = 3000
    for i, j in ((np.arange(n - 1), np.arange(1, n)), (np.zeros(n - 1, int), np.arange(1, n))):
        truth = np.random.default_rng(0).normal(0, 5, n)
        weight = np.where(np.arange(n - 1) % 2, 1e-4, 1e4)
        _, start = spanning_forest(n, i, j, weight, truth[i] - truth[j])
        level = Network(n, i, j, weight).levels(truth[i] - truth[j], start)
        np.testing.assert_allclose(level, truth - truth.mean(), atol=1e-9)
