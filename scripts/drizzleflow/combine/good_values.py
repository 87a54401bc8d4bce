"""Read the good values of a single-drizzled image: those that the combination takes."""

from __future__ import annotations

import numpy as np

from drizzleflow.combine.parameters import Parameters
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window


def read_values(single: StackImage, window: Window, p: Parameters, weights: bool = False):
    """Read an image's values in a window of the grid that lies within it.

    Parameters
    ----------
    single : StackImage
    window : Window
    p : Parameters
        ``combine_maskpt``, ``median_newmasks`` and the limits of values count.
    weights : bool
        Read the weights even if nothing is masked by them.

    Returns
    -------
    (data, bad, weight) : float32 (ny, nx), bool (ny, nx), float32 (ny, nx) or one number
        `weight` is None where neither the mask nor the caller needs it.
    """
    rows, columns = window.inside(single.window)
    span, there = (rows.start, rows.stop), np.s_[:, columns]
    data = single.read("SCI", *span)[there]
    bad = np.zeros(data.shape, bool)
    mask = single.bad(*span)
    if mask is not None:
        bad |= mask[there]
    masking = p.median_newmasks and p.statistic != "sum"
    weight = single.uniform_weight
    if weight is None and (masking or weights):
        weight = single.read("WHT", *span)[there]
    with np.errstate(invalid="ignore"):
        if masking:
            # an image without weight has no good pixel; jwst and drizzlepac take its zeros for data
            bad |= ~(weight >= p.combine_maskpt * single.mean_weight) | (weight == 0)
        if p.clips:
            if p.combine_lthresh is not None:
                bad |= data < np.float64(p.combine_lthresh)
            if p.combine_hthresh is not None:
                bad |= data >= np.float64(p.combine_hthresh)
    return data, bad, weight


def good_values(single: StackImage, window: Window, p: Parameters) -> np.ndarray:
    """Return an image's good values in any window of the grid, float32 (ny, nx); NaN elsewhere."""
    plane = np.full(window.shape, np.nan, np.float32)
    shared = window.intersection(single.window)
    if not shared.empty:
        data, bad, _ = read_values(single, shared, p)
        data[bad] = np.nan
        plane[shared.inside(window)] = data
    return plane
