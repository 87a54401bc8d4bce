"""Medians, means and sums along a stack, with missing values and values left out."""

import itertools
import warnings

import numpy as np
import pytest
import slow_combine as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.arrays import ranks
from drizzleflow.arrays.ranks import (
    BLOCK,
    NETWORK_LIMIT,
    _exchange,
    block_pixels,
    good_counts,
    nanmedian,
    relaxed,
    sorting_network,
    total,
    trimmed_mean,
    trimmed_median,
)


@pytest.mark.parametrize("n", range(1, 13))
def test_the_network_sorts_all_vectors_of_zeros_and_ones(n):
    """By the 0-1 principle it then sorts everything."""
    vectors = np.array(list(itertools.product([0, 1], repeat=n)), np.float32).reshape(2**n, n).T.copy()
    expected = np.sort(vectors, axis=0)
    rows = _exchange(list(vectors), sorting_network(n), np.empty(2**n, np.float32))
    np.testing.assert_array_equal(np.array(rows), expected)


@pytest.mark.parametrize("n", range(1, 13))
def test_the_pruned_network_finds_the_wanted_ranks(n):
    vectors = np.array(list(itertools.product([0, 1], repeat=n)), np.float32).T
    expected = np.sort(vectors, axis=0)
    for wanted in {((n - 1) // 2, n // 2), (0,), (n - 1,)}:
        pairs = sorting_network(n, tuple(sorted(set(wanted))))
        assert len(pairs) <= len(sorting_network(n))
        rows = _exchange(list(vectors.copy()), pairs, np.empty(2**n, np.float32))
        for rank in wanted:
            np.testing.assert_array_equal(rows[rank], expected[rank])


def with_numpy(stack):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.nanmedian(stack, axis=0)


@pytest.mark.parametrize("n", [*range(1, 41), NETWORK_LIMIT, NETWORK_LIMIT + 1, 300, 2000])
@pytest.mark.parametrize("missing", [0.0, 0.3, 0.9])
def test_equal_to_numpys_nanmedian(n, missing):
    rng = np.random.default_rng(n)
    stack = rng.normal(0, 100, (n, 7, 11)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.1] = 3  # ties
    stack[rng.random(stack.shape) < missing] = np.nan
    if missing:
        stack[:, 0, 0] = np.nan
    expected, before = with_numpy(stack), stack.copy()
    found = nanmedian(stack)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(stack, before)


@pytest.mark.parametrize("n", [3, 4])
def test_blocks_and_infinities(n):
    """More pixels than a block, blocks with and without missing values, infinite values, which are not
    missing.
    """
    rng = np.random.default_rng(0)
    stack = rng.normal(size=(n, 2, BLOCK + 100)).astype(np.float32)
    stack[0, 1, -50:] = np.nan
    stack[1, 1, -20:] = np.inf
    stack[2, 1, -10:] = np.inf
    stack[1, 0, :9] = -np.inf
    out = np.empty((2, BLOCK + 100), np.float32)
    assert nanmedian(stack, out=out) is out
    np.testing.assert_array_equal(out, with_numpy(stack))


def test_oracle_of_the_peer():
    stack = np.array([3, 2, np.nan], np.float32).reshape(3, 1, 1) * np.ones((3, 2, 2), np.float32)
    assert (nanmedian(stack) == 2.5).all()


def test_the_mean_of_the_middle_two_does_not_overflow():
    big = np.finfo(np.float32).max
    assert nanmedian(np.full((2, 1, 1), big, np.float32)) == big


@pytest.mark.parametrize(
    ("count", "nlow", "nhigh", "expected"),
    [
        (5, 1, 1, (1, 1)),
        (2, 1, 1, (0, 0)),
        (1, 0, 1, (0, 0)),
        (3, 2, 2, (1, 1)),
        (3, 0, 5, (0, 2)),
        (1, 3, 1, (0, 0)),
        (0, 1, 1, (1, 1)),
    ],
)
def test_few_good_values_relax_both_numbers_together(count, nlow, nhigh, expected):
    assert relaxed(count, nlow, nhigh) == expected


def test_column_stack_of_the_study():
    """1, 2, 3, 4, 100 with 0 to 4 of the low ones' neighbours masked: median with nhigh 1."""
    values = np.array([1, 2, 3, 4, 100], np.float32)
    for keep, expected in ((5, 2.5), (4, 2), (3, 1.5), (2, 1)):
        block = np.where(np.arange(5) < keep, values, np.nan).astype(np.float32)[:, None]
        assert trimmed_median(block, 0, 1)[0] == expected
    alone = np.array([np.nan] * 4 + [100], np.float32)[:, None]
    assert trimmed_median(alone, 0, 1)[0] == 100


@settings(max_examples=150)
@given(
    st.integers(0, 10**6),
    st.integers(1, 14),
    st.integers(0, 5),
    st.integers(0, 5),
    st.sampled_from([0, 0.1, 0.6, 0.95]),
)
def test_trimmed_statistics_are_the_definitions(seed, n, nlow, nhigh, missing):
    rng = np.random.default_rng(seed)
    stack = (rng.normal(size=(n, 4, 5)) * 10 ** rng.uniform(-2, 6, (n, 4, 5))).astype(np.float32)
    if seed % 3 == 0:
        stack = np.round(stack)
    stack[rng.random(stack.shape) < missing] = np.nan
    bad = np.isnan(stack)
    for kind, function in (("median", trimmed_median), ("mean", trimmed_mean)):
        found, count = function(stack.reshape(n, -1).copy(), nlow, nhigh)
        np.testing.assert_array_equal(found.reshape(4, 5), slow.statistic(kind, stack, bad, nlow, nhigh))
        np.testing.assert_array_equal(np.broadcast_to(count, 20).reshape(4, 5), (~bad).sum(axis=0))
        assert found.dtype == np.float32
    np.testing.assert_array_equal(
        total(stack.reshape(n, -1))[0].reshape(4, 5), slow.statistic("sum", stack, bad)
    )


def test_blocks_of_deep_stacks_are_smaller():
    assert block_pixels(2) == BLOCK
    assert block_pixels(1000) * 1000 <= ranks.BLOCK_VALUES
    assert block_pixels(10**6) == 256


def test_counts_beyond_a_byte():
    missing = np.zeros((600, 3), bool)
    missing[:, 1] = True
    missing[:300, 2] = True
    np.testing.assert_array_equal(good_counts(missing), [600, 0, 300])
