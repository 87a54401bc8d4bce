"""Combine by combine_type 'auto': the method depends on each pixel's depth; the uncertainty is given too."""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.morphology import abs_deriv, dilate
from drizzleflow.arrays.ranks import good_counts, present, tiles, trimmed_median
from drizzleflow.combine.holes import holes
from drizzleflow.combine.stack_noise import StackNoise

DEEP = 6  #: pixels with more good values than this get the plain median
LONE = 5  #: of so many good values the lowest counts only where another agrees with it
#: Tolerance, in units of the largest difference of the minimum image from a neighbour: the cores of
#: undersampled stars differ between dithered images by more than noise. Where they are off by 0.05 px, stars
#: lose 3 to 10 % of their flux without it and under 0.5 % with it, at the price of 0.2 % of the cosmic rays
#: on blank sky (benchmarks/combine.py)
DERIVATIVE = 0.5

#: Variance of the median of n = 1, 2 .. 20 normal values in units of the variance of one (for even n of the
#: mean of the middle two): integrals over the densities of order statistics
MEDIAN_VARIANCE = (
    1.0, 0.5, 0.448671, 0.2982, 0.286834, 0.214743, 0.210447, 0.168182, 0.166101, 0.138328,
    0.137162, 0.117518, 0.116799, 0.10217, 0.101695, 0.090378, 0.090047, 0.081031, 0.080791, 0.07344,
)  # fmt: skip


def combine(
    stack,
    weights,
    noise: StackNoise,
    *,
    nsigma=(4.0, 3.0),
    grow: int = 1,
    derivative: float = DERIVATIVE,
    hole_nsigma: float = 0.0,
):
    """Combine a stack by the number n of good values of each pixel.

    - 1: the value.
    - 2: their mean, weighted by inverse variance; the lower where the higher exceeds it by more than
      ``nsigma[0]`` standard deviations of their difference.
    - 3 to 6: the median (of an even number the mean of the middle two); the lowest where the median exceeds
      it by more than ``nsigma[0]`` standard deviations of one image.
    - more: the median.

    The lowest is not taken where it is a hole (`drizzleflow.combine.holes`): there the central value stays,
    of two the higher. Nor is it of 5 or 6 values where it is alone: rays that reach the median leave two
    values that agree. At the top of a star the exposure with the widest PSF is lower than all others.

    Standard deviations are those of the images at the level of the *lowest* value, which no cosmic ray has
    raised. Within `grow` pixels of a pixel where the lowest was chosen, ``nsigma[1]`` is used. drizzlepac's
    minmed compares with the noise of the sum of all exposures instead, so that on deep stacks it takes the
    minimum of good values and is biased low; it also always drops the highest value, which biases it low on
    blank sky.

    Parameters
    ----------
    stack : float32 (n, ny, nx)
        NaN is bad.
    weights : float32 (n, ny, nx), optional
        Weights relative to the image's mean, > 0: variance is taken as inversely proportional.
    noise : StackNoise of the n images
    derivative : float
        How much the two may differ beyond the noise, see `DERIVATIVE`.
    hole_nsigma : float
        How far below its surroundings a hole lies, in standard deviations of one image; 0: holes are not
        looked for.

    Returns
    -------
    (sci, err, count) : float32, float32, int16 (ny, nx)
        The combined image and its uncertainty (Gaussian, pixels independent), NaN where no value is good;
        number of good values.
    """
    n, *shape = stack.shape
    planes = np.empty((6, *shape), np.float32)
    count = np.empty(shape, np.int16)
    for place, block in tiles(stack):
        missing = np.isnan(block)
        there = present(missing)
        local = None if weights is None else weights[:, *place].reshape(n, -1)[there]
        values = np.empty((6, block.shape[1]), np.float32)
        form = count[place].shape
        count[place] = _pixels(block[there], missing[there], local, noise[there], values).reshape(form)
        planes[:, *place] = values.reshape(6, *form)
    sci, lowest, gap, sigma, err, err_lowest = planes
    with np.errstate(invalid="ignore"):
        if derivative:
            gap -= np.float32(derivative) * abs_deriv(lowest)
        far = gap > np.float32(nsigma[0]) * sigma
        chosen = far
        if grow:
            chosen = np.where(dilate(far, grow), gap > np.float32(nsigma[1]) * sigma, far)
    _drop_lone(chosen, stack, count, lowest, sigma, nsigma[0])
    central, uncertainty = (sci.copy(), err.copy()) if hole_nsigma else (None, None)
    np.copyto(sci, lowest, where=chosen)
    np.copyto(err, err_lowest, where=chosen)
    if hole_nsigma:
        y, x = np.nonzero(chosen)
        dark = holes(sci, err_lowest[y, x], (y, x), hole_nsigma)
        y, x = y[dark], x[dark]
        pairs = count[y, x] == 2
        sci[y, x] = np.where(pairs, np.fmax.reduce(stack[:, y, x], axis=0, initial=-np.inf), central[y, x])
        # of two, the sigma of their difference is that of both: what is left is the higher's
        both = sigma[y, x] ** 2 - err_lowest[y, x] ** 2
        err[y, x] = np.where(pairs, np.sqrt(np.maximum(both, 0)), uncertainty[y, x])
    return sci, err, count


def _drop_lone(chosen, stack, count, lowest, sigma, nsigma: float) -> None:
    """Unset `chosen` (bool, in place) where of `LONE` or more values no second one agrees with the lowest."""
    y, x = np.nonzero(chosen & (count >= LONE))
    if len(y):
        second = np.partition(stack[:, y, x], 1, axis=0)[1]  # NaN is last
        lone = second - lowest[y, x] > np.float32(nsigma * 2**0.5) * sigma[y, x]
        chosen[y[lone], x[lone]] = False


def _pixels(block, missing, weights, noise, planes):
    """Fill `planes` (6, m) with the values among which `combine` chooses.

    They are the central and the lowest value, their difference and its standard deviation, and the
    uncertainties of both values.
    """
    sci, lowest, gap, sigma, err, err_lowest = planes
    if not len(block):
        planes[...] = np.nan
        return np.zeros(planes.shape[1], np.int16)
    count = good_counts(missing)
    np.fmin.reduce(block, axis=0, out=lowest)
    gap[...] = 0
    sigma[...] = np.inf
    one, two, some = count == 1, count == 2, (count > 2) & (count <= DEEP)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if one.any() or two.any() or some.any():
            low, other = _two_variances(block, missing, lowest, noise, weights, two.any())
            np.sqrt(low, out=err_lowest)
        if two.any():
            # before the median, which overwrites the block
            high = np.fmax.reduce(block, axis=0)
        if count.max() > 2:
            sci[...] = trimmed_median(block, missing=missing)[0]
            err[...] = np.sqrt(median_variance(count)) * count / _inverse_sigmas(sci, missing, noise, weights)
        else:
            sci[...] = lowest
            err[...] = np.nan
        if some.any():
            np.copyto(gap, sci - lowest, where=some)
            np.copyto(sigma, err_lowest, where=some)
        if one.any():
            np.copyto(err, err_lowest, where=one)
        if two.any():
            both = low + other
            mean = (lowest * other.astype(np.float64) + high * low.astype(np.float64)) / both
            mean = np.where(
                both > 0, mean, 0.5 * (lowest.astype(np.float64) + high)
            )  # two images without any noise
            for target, value in (
                (sci, mean.astype(np.float32)),
                (gap, high - lowest),
                (sigma, np.sqrt(both)),
            ):
                np.copyto(target, value, where=two)
            np.copyto(err, np.where(both > 0, np.sqrt(low / both * other), 0), where=two)
    return count


class _Variances:
    """Compute the variance of each image at one level, float32 (m,), once for images of the same noise."""

    def __init__(self, level, noise):
        self.level = np.fmax(level, 0)
        self.terms = list(zip(noise.constant.astype(np.float32), noise.slope.astype(np.float32), strict=True))
        self.known = {}

    def __getitem__(self, image):
        terms = self.terms[image]
        if terms not in self.known:
            self.known = {terms: terms[0] + terms[1] * self.level}
        return self.known[terms]


def _two_variances(block, missing, lowest, noise, weights, other_too):
    """Return two variances at the level of the lowest value, each float32 (m,).

    The first is of the image that has the lowest value, the second of the last of the other images.
    """
    variances = _Variances(lowest, noise)
    low = np.full(block.shape[1], np.inf, np.float32)
    other = low.copy() if other_too else None
    for i, values in enumerate(block):
        variance = variances[i] if weights is None else variances[i] / weights[i]
        is_lowest = values == lowest
        if other_too:
            is_lowest &= np.isinf(low)  # of equal values the first image's
            np.copyto(other, variance, where=~(is_lowest | missing[i]))
        np.copyto(low, variance, where=is_lowest)
    return low, other


def _inverse_sigmas(level, missing, noise, weights):
    """Return the sum of 1 / sigma over the good values, float32 (m,)."""
    variances, total = _Variances(level, noise), np.zeros(len(level), np.float32)
    inverse, of = None, None
    for i, bad in enumerate(missing):
        variance = variances[i]
        if variance is not of:
            inverse, of = 1 / np.sqrt(variance), variance
        part = inverse * ~bad if weights is None else inverse * np.sqrt(weights[i]) * ~bad
        total += part
    return total


def median_variance(count) -> np.ndarray:
    """Return `MEDIAN_VARIANCE` for each count, float64; NaN for 0.

    Beyond the table it is a fit to the same integrals, good to 0.2 %.
    """
    n = np.arange(np.max(count, initial=0) + 1)
    with np.errstate(divide="ignore"):
        table = 0.5 * np.pi / (n + np.where(n % 2, 0.42927 + 0.257 / n, 1.3323 + 2.1437 / n))
    known = min(len(n) - 1, len(MEDIAN_VARIANCE))
    table[1 : known + 1] = MEDIAN_VARIANCE[:known]
    table[0] = np.nan
    return table[count]
