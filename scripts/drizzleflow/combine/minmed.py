"""Combine by drizzlepac's 'minmed': the median, or the minimum where the median lies far above it."""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.morphology import dilate
from drizzleflow.arrays.ranks import tiles, trimmed_mean, trimmed_median
from drizzleflow.combine.stack_noise import StackNoise


def min_med(
    stack, weights, noise: StackNoise, *, nsigma=(4.0, 3.0), grow: int = 1, images: int | None = None
) -> np.ndarray:
    """Take the median of a stack, or the lowest good value where that is significantly lower.

    The median is that of the good values without the highest (of two images: their mean). With M the median,
    S the subtracted sky and R the read noise, all in electrons and summed over the images, it is replaced
    where it exceeds the minimum by more than ``nsigma[0] * sqrt(M + S + R**2)``; within `grow` pixels (a
    square) of such a pixel ``nsigma[1]`` is used. This sigma is of the sum of all exposures, whose
    relative noise is less than one exposure's: the choice falls on the minimum more often than `nsigma` says,
    the more the deeper the stack, and biases it low (`drizzleflow.combine.auto` does not).

    The same float32 values as drizzlepac 3.11.0's ``minmed.min_med``, NaN where that has 0.

    Parameters
    ----------
    stack : float32 (n, ny, nx)
        In e-/s (or what `noise.electrons` converts); NaN is bad.
    weights : float32 (n, ny, nx) or (n,)
        Exposure-time weights in seconds, also of bad pixels; 0 where an image does not reach.
    noise : StackNoise of the n images
    nsigma : two floats
    grow : int >= 0
    images : int, optional
        The number of images of the whole stack, if this is a part of them.

    Returns
    -------
    float32 (ny, nx); NaN where no value is good
    """
    n, *shape = stack.shape
    two = (n if images is None else images) == 2
    nsigma = np.array(nsigma, np.float64)
    result, lowest = np.empty(shape, np.float32), np.empty(shape, np.float32)
    near, far = np.empty(shape, bool), np.empty(shape, bool)
    for place, block in tiles(stack):
        form = result[place].shape
        missing = np.isnan(block)
        low = np.fmin.reduce(block, axis=0)
        local = weights[:, *place].reshape(n, -1) if weights.ndim == 3 else weights
        total, variance, read = _sums(local, missing, noise)
        centre = trimmed_mean(block)[0] if two else trimmed_median(block, 0, 1, missing)[0]
        result[place], lowest[place] = centre.reshape(form), low.reshape(form)
        high = centre * total
        if noise.poisson:
            variance += high
        variance += read
        rms = np.sqrt(np.fmax(variance, 0, out=variance), out=variance)
        low *= total
        with np.errstate(invalid="ignore"):
            far[place] = (low < high - nsigma[0] * rms).reshape(form)
            near[place] = (low < high - nsigma[1] * rms).reshape(form)
    np.copyto(result, lowest, where=np.where(dilate(far, grow), near, far) if grow else far)
    return result


def _sums(weights, missing, noise: StackNoise):
    """Return the summed exposure time and the summed variances of sky and of read noise.

    The first is in seconds (times e-/s per unit), float32 (m,); the variances are in e-^2, float64 (m,).
    Weight and sky are summed over all images, read noise over those with a good value. Where the noise was
    measured there are no seconds, and every good value counts as one.
    """
    if not noise.poisson:
        weights = ~missing
    m = missing.shape[1]
    # in these precisions the choice agrees with drizzlepac's to the last bit
    total, variance, sky = np.zeros(m, np.float32), np.zeros(m), np.empty(m)
    rates = noise.sky / noise.exptime
    for weight, rate, factor in zip(weights, rates, noise.electrons, strict=True):
        total += weight if factor == 1 else weight * np.float32(factor)
        if rate:
            variance += np.multiply(weight, rate, out=sky, dtype=np.float64)
    read = np.zeros(m)
    for bad, readnoise in zip(missing, noise.readnoise, strict=True):
        np.add(read, readnoise**2, out=read, where=~bad)
    return total, variance, read
