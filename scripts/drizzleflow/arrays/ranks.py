"""Compute medians and other order statistics along the first axis of a stack with missing values.

They are those of `drizzlepac.createMedian` (`stsci.image.numcombine`). A stack is sorted by a sorting network
of ``minimum`` and ``maximum``, in blocks that fit a processor's cache, and only as far as the wanted ranks
need it; deep stacks are sorted by numpy. Missing values are NaN. For a median half of them become -inf and
half +inf: the middle of the good values then stays in the middle of the column, however many are missing, and
few ranks are needed.
"""

from __future__ import annotations

import functools

import numpy as np

BLOCK = 16384  #: most pixels of a block
TILE = 512  #: most columns of a block of an image
BLOCK_VALUES = 2**20  #: most values of a block: blocks of deep stacks have fewer pixels
NETWORK_LIMIT = 128  #: deeper stacks are sorted by numpy, whose cost grows more slowly with depth


def block_pixels(n: int) -> int:
    """How many pixels of a stack of `n` images are worked on at a time."""
    return max(256, min(BLOCK, BLOCK_VALUES // max(n, 1)))


def tiles(stack):
    """Yield (place, block) for parts of a stack (n, ny, nx).

    `place` is an index of rows and columns, `block` a contiguous copy of the values there, (n, m). Blocks are
    no wider than `TILE`, so that an image that covers only some columns can be left out of the other blocks
    (`present`).
    """
    n, ny, nx = stack.shape
    columns = min(TILE, nx)
    rows = max(1, block_pixels(n) // max(columns, 1))
    for y in range(0, ny, rows):
        for x in range(0, nx, columns):
            place = np.s_[y : y + rows, x : x + columns]
            part = stack[:, *place]
            yield place, part.copy().reshape(n, -1)


def present(missing):
    """An index of the rows of `missing`, bool (n, m), that are not all True; a slice where none is."""
    some = np.flatnonzero(~missing.all(axis=1))
    return some if len(some) < len(missing) else slice(None)


@functools.cache
def sorting_network(n: int, wanted: tuple[int, ...] | None = None) -> tuple[tuple[int, int], ...]:
    """The compare-exchange pairs (low, high) that sort `n` values (Batcher's merge exchange).

    With `wanted` only the pairs are returned on which the values of these ranks depend.
    """
    pairs = []
    if n > 1:
        top = 1 << (n - 1).bit_length() - 1
        p = top
        while p > 0:
            q, r, d = top, 0, p
            while True:
                pairs += [(i, i + d) for i in range(n - d) if i & p == r]
                if q == p:
                    break
                d, q, r = q - p, q >> 1, p
            p >>= 1
    if wanted is None:
        return tuple(pairs)
    needed, kept = set(wanted), []
    for low, high in reversed(pairs):
        if low in needed or high in needed:
            needed |= {low, high}
            kept.append((low, high))
    return tuple(reversed(kept))


def _exchange(stack, pairs, spare):
    """Run compare-exchange pairs on the rows of `stack` (n, m), in place; return the rows in rank order."""
    rows = list(stack)
    for low, high in pairs:
        np.minimum(rows[low], rows[high], out=spare)
        np.maximum(rows[low], rows[high], out=rows[high])
        rows[low], spare = spare, rows[low]
    return rows


def ranked(block, wanted: tuple[int, ...] | None = None):
    """The values of each column in rank order: row k of the result has the k-th smallest ones.

    `block` is float32 (n, m), without NaN, and is overwritten. With `wanted` only the rows of these ranks are
    right.
    """
    n, m = block.shape
    if n > NETWORK_LIMIT:
        columns = np.ascontiguousarray(block.T)
        columns.sort(axis=1)
        return columns.T
    return _exchange(block, sorting_network(n, wanted), np.empty(m, block.dtype))


def relaxed(count: int, nlow: int, nhigh: int) -> tuple[int, int]:
    """How many of the lowest and highest of `count` good values are left out: (nlow, nhigh).

    Both are lowered together, never below 0, until a value is left, as in `drizzlepac.createMedian`.
    """
    while count > 0 and nlow + nhigh >= count:
        nlow, nhigh = max(nlow - 1, 0), max(nhigh - 1, 0)
    return nlow, nhigh


@functools.cache
def _middle(n: int, nlow: int, nhigh: int) -> tuple[tuple[int, int], ...]:
    """The two ranks whose mean is the median, for each number of good values from 0 to n.

    Ranks count all n values, with half of the missing ones below and half above the good ones.
    """
    places = [(-1, -1)]
    for count in range(1, n + 1):
        low, high = relaxed(count, nlow, nhigh)
        first = (n - count) // 2 + low
        left = count - low - high
        places.append((first + (left - 1) // 2, first + left // 2))
    return tuple(places)


def good_counts(missing) -> np.ndarray:
    """The number of good values in each column, int16 (m,): the False of `missing`, bool (n, m)."""
    count = np.full(missing.shape[1], len(missing), np.int16)
    for first in range(0, len(missing), 255):
        bad = np.zeros(missing.shape[1], np.uint8)
        for row in missing[first : first + 255].view(np.uint8):
            bad += row
        count -= bad
    return count


def trimmed_median(block, nlow: int = 0, nhigh: int = 0, missing=None):
    """The median of each column's good values without the `nlow` lowest and `nhigh` highest ones.

    The median of an even number of values is the mean of the middle two, computed in float64. Where no more
    than nlow + nhigh values are good, both are lowered (`relaxed`).

    Parameters
    ----------
    block : float32 (n, m)
        NaN is a missing value. The array is overwritten.
    nlow, nhigh : int
    missing : bool (n, m), optional
        Where `block` is NaN, if that is known already.

    Returns
    -------
    median : float32 (m,)
        NaN where no value is good.
    count : int16 (m,) or int
        The number of good values; one number where all values are good.
    """
    missing = np.isnan(block) if missing is None else missing
    there = present(missing)
    block, missing = block[there], missing[there]
    n, m = block.shape
    if not n:
        return np.full(m, np.nan, np.float32), np.zeros(m, np.int16)
    places = _middle(n, nlow, nhigh)
    if not missing.any():
        return _between(ranked(block, tuple(sorted(set(places[n])))), *places[n]), n
    count = good_counts(missing)
    # the 1st, 3rd ... of a pixel's missing values go above all others, the 2nd, 4th ... below
    odd, below = np.zeros(m, bool), np.empty(m, bool)
    for row, bad in zip(block, missing, strict=True):
        np.copyto(row, np.inf, where=bad)
        np.logical_and(bad, odd, out=below)
        np.copyto(row, -np.inf, where=below)
        np.logical_xor(odd, bad, out=odd)
    counts = np.flatnonzero(np.bincount(count, minlength=n + 1))
    pairs = sorted({places[c] for c in counts} - {(-1, -1)})
    median = np.full(m, np.nan, np.float32)
    if not pairs:
        return median, count
    rows = ranked(block, tuple(sorted({rank for pair in pairs for rank in pair})))
    if len(pairs) == 1 and counts[0]:
        return _between(rows, *pairs[0]), count
    which = {pair: index for index, pair in enumerate(pairs)}
    group = np.array([which.get(place, -1) for place in places])[count]
    for index, pair in enumerate(pairs):
        np.copyto(median, _between(rows, *pair), where=group == index)
    return median, count


def _between(rows, first, second) -> np.ndarray:
    if first == second:
        return rows[first].astype(np.float32)
    with np.errstate(invalid="ignore"):
        total = np.add(rows[first], rows[second], dtype=np.float64)
        total *= 0.5
        return total.astype(np.float32)


def trimmed_mean(block, nlow: int = 0, nhigh: int = 0):
    """The mean of each column's good values without the `nlow` lowest and `nhigh` highest ones.

    The sum is taken in float64. Parameters and returns are those of `trimmed_median`; where few values are
    good, nlow and nhigh are lowered as there.
    """
    missing = np.isnan(block)
    there = present(missing)
    block, missing = block[there], missing[there]
    n, m = block.shape
    count = good_counts(missing)
    total = np.zeros(m)
    limits = np.array([relaxed(c, nlow, nhigh) for c in range(n + 1)])
    if nlow or nhigh:
        np.copyto(block, np.inf, where=missing)
        first = limits[:, 0][count]
        last = count - limits[:, 1][count]
        for rank, row in enumerate(ranked(block)):
            np.add(total, row, out=total, where=(rank >= first) & (rank < last))
    else:
        for row, bad in zip(block, missing, strict=True):
            np.add(total, row, out=total, where=~bad)
    left = np.arange(n + 1) - limits.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return (total / np.where(count > 0, left[count], np.nan)).astype(np.float32), count


def total(block):
    """The sum of each column's good values, float32 (m,), and their number, int16 (m,).

    `block` is float32 (n, m). The sum is taken in float64; it is NaN where no value is good.
    """
    missing = np.isnan(block)
    count = good_counts(missing)
    result = np.zeros(block.shape[1])
    for row, bad in zip(block, missing, strict=True):
        np.add(result, row, out=result, where=~bad)
    result[count == 0] = np.nan
    with np.errstate(over="ignore"):
        return result.astype(np.float32), count


def nanmedian(stack, out=None) -> np.ndarray:
    """The median over the first axis of a stack, NaN left out.

    The median of an even number of values is the mean of the middle two.

    Parameters
    ----------
    stack : float32 (n, ...)
    out : float32 (...), C-contiguous, optional
        Where the result is written.

    Returns
    -------
    float32 (...); NaN where all values are NaN.
    """
    n = len(stack)
    flat = stack.reshape(n, -1)
    result = np.empty(flat.shape[1], np.float32) if out is None else out.reshape(-1)
    step = block_pixels(n)
    scratch = np.empty((n, min(step, flat.shape[1])), np.float32)
    for first in range(0, flat.shape[1], step):
        block = flat[:, first : first + step]
        work = scratch[:, : block.shape[1]]
        work[...] = block
        result[first : first + step] = trimmed_median(work)[0]
    return result.reshape(stack.shape[1:]) if out is None else out
