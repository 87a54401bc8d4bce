"""Combining a stack of single-drizzled images, section by section (seeds 000 and 001).

Only a band of rows of every image is in memory at a time (``combine_bufsize`` MiB an image), files are opened for one
read and closed, and images may be windows of different size and place on one grid. Order statistics come from a sorting
network of ``minimum`` and ``maximum`` over blocks that fit the processor's cache, with missing values as +inf.
"""

from __future__ import annotations

import functools

import numpy as np

from drizzleflow.windowed import Windowed

BLOCK = 16384  #: pixels of one image in a block of the sorting network
NETWORK_LIMIT = 64  #: deeper stacks are sorted by numpy, whose cost grows more slowly


@functools.cache
def sorting_network(n: int, wanted: tuple[int, ...] | None = None) -> tuple[tuple[int, int], ...]:
    """Compare-exchange pairs (low, high) that sort `n` values (Batcher's merge exchange).

    With `wanted`, only the pairs that the values of those ranks depend on.
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
    """Run compare-exchange pairs on the rows of `stack` (n, m), in place; returns the rows in rank order."""
    rows = list(stack)
    for low, high in pairs:
        np.minimum(rows[low], rows[high], out=spare)
        np.maximum(rows[low], rows[high], out=rows[high])
        rows[low], spare = spare, rows[low]
    return rows


def nanmedian(stack, out=None) -> np.ndarray:
    """Median over the first axis, NaN left out; the mean of the middle two where their number is even.

    Parameters
    ----------
    stack : float32 (n, ...)
        Overwritten.
    out : float32 (...), C-contiguous, optional

    Returns
    -------
    float32 (...); NaN where all values are.
    """
    n = len(stack)
    flat = stack.reshape(n, -1)
    result = np.empty(flat.shape[1], np.float32) if out is None else out.reshape(-1)
    middle = (n // 2,) if n % 2 else (n // 2 - 1, n // 2)
    for first in range(0, flat.shape[1], BLOCK):
        block = flat[:, first : first + BLOCK]
        target = result[first : first + BLOCK]
        missing = np.isnan(block)
        if not missing.any():
            rows = _sorted(block, middle)
            if len(middle) == 1:
                target[:] = rows[middle[0]]
            else:
                np.add(rows[middle[0]], rows[middle[1]], out=target)
                target *= np.float32(0.5)
            continue
        count = n - np.count_nonzero(missing, axis=0)
        block[missing] = np.inf
        rows = _sorted(block, None)
        target[:] = np.nan
        for c in np.unique(count[count > 0]):
            here = count == c
            low, high = rows[(c - 1) // 2][here], rows[c // 2][here]
            target[here] = low if c % 2 else (low + high) * np.float32(0.5)
    return result.reshape(stack.shape[1:]) if out is None else out


def _sorted(block, wanted):
    n, m = block.shape
    if n > NETWORK_LIMIT:
        block.sort(axis=0)
        return block
    # the rows and the spare change places, so none of them may be a view of `block`
    return _exchange([row.copy() for row in block], sorting_network(n, wanted), np.empty(m, np.float32))


def median_image(singles: list[Windowed], window, *, maskpt: float = 0.7, combine_bufsize: float = 1.0):
    """The median of single-drizzled images, in sections of rows.

    Parameters
    ----------
    singles : list of Windowed
    window : (x0, x1, y0, y1)
        The part of the grid to combine, half open.
    maskpt : float
        Pixels with a weight below this fraction of their image's clipped mean weight are left out.
    combine_bufsize : float
        MiB of each image in memory at a time. The result does not depend on it.

    Returns
    -------
    (sci, nused) : float32 and int16 (y1 - y0, x1 - x0)
        The median (NaN where no image has a value) and how many images it was taken over.
    """
    x0, x1, y0, y1 = window
    nx = x1 - x0
    sci = np.full((y1 - y0, nx), np.nan, np.float32)
    nused = np.zeros((y1 - y0, nx), np.int16)
    # a quarter is left for the blocks that are being sorted and what a file costs to open
    rows = min(y1 - y0, max(1, int(combine_bufsize * 2**20 * 0.75 / (4 * nx))))
    sections = []
    for first in range(y0, y1, rows):
        last = min(first + rows, y1)
        sections.append((first, last, [s for s in singles if s.origin[1] < last and s.origin[1] + s.shape[0] > first]))
    buffer = np.empty(max((len(meeting) for *_, meeting in sections), default=0) * rows * nx, np.float32)
    for first, last, meeting in sections:
        if not meeting:
            continue
        stack = buffer[: len(meeting) * (last - first) * nx].reshape(len(meeting), last - first, nx)
        for single, plane in zip(meeting, stack, strict=True):
            _read_section(single, plane, first, last, x0, x1, maskpt)
            nused[first - y0 : last - y0] += ~np.isnan(plane)
        nanmedian(stack, out=sci[first - y0 : last - y0])
    return sci, nused


def _read_section(single: Windowed, plane, first, last, x0, x1, maskpt) -> None:
    """Fill `plane` (grid rows first..last-1, columns x0..x1-1) with a single's good values, NaN elsewhere."""
    plane[...] = np.nan
    sx, sy = single.origin
    ny, nx = single.shape
    top, bottom = max(first, sy), min(last, sy + ny)
    left, right = max(x0, sx), min(x1, sx + nx)
    if top >= bottom or left >= right:
        return
    data, weight = (single.read(name, top - sy, bottom - sy) for name in ("SCI", "WHT"))
    # an image without any weight has no good pixel: the peers take all of its zeros for data
    threshold = maskpt * single.mean_weight
    with np.errstate(invalid="ignore"):
        data[~(weight >= threshold) | (weight == 0)] = np.nan
    plane[top - first : bottom - first, left - x0 : right - x0] = data[:, left - sx : right - sx]
