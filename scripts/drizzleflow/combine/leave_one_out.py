"""The clipped mean of a stack, kept so that any one exposure can be taken out of it again.

An exposure is best compared with the *other* exposures: a cosmic ray or a sharp star that is part of the
image that it is compared with hides itself. The median cannot be taken apart again; a weighted mean can.
Beside the combined image (SCI) the median's job therefore keeps the weighted mean of the values that fit SCI,
and with it what is needed to subtract one exposure:

- MEAN, the mean of the values that take part, weighted by one number an image; WSUM, the sum of their
  weights;
- VMEAN, the sum of weight squared times variance, so that VMEAN / WSUM^2 is the variance of MEAN; NMEAN, how
  many they are.

A value takes part unless it is far above SCI (a cosmic ray), beside such a value and somewhat above SCI, or
the same below SCI. The job that flags an exposure applies the same rule to its own values (`takes_part`) and
takes them out (`without`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from drizzleflow.arrays.morphology import abs_deriv, dilate
from drizzleflow.arrays.pairs import pair
from drizzleflow.arrays.ranks import BLOCK

REACH = 2  #: rows around a pixel that decide which of its values take part


@dataclass(frozen=True)
class Limits:
    """How far a value may be from the combined image to take part in the mean.

    Attributes
    ----------
    nsigma : (float, float)
        A value is left out where it exceeds SCI by more than the first times its noise, or, beside such a
        value, by more than the second (``median.clip_nsigma``).
    slope : float
        What it may exceed SCI by on top, in units of SCI's slope (``median.clip_slope``).
    low : (float, float)
        The same for values below SCI (``median.clip_low``); 0 leaves none out.
    low_count : int
        Values below SCI are left out only where so many values are good.
    """

    nsigma: tuple[float, float] = (4.0, 2.5)
    slope: float = 0.5
    low: tuple[float, float] = (6.0, 5.0)
    low_count: int = 2

    @classmethod
    def of(cls, settings: dict) -> Limits:
        """Return the limits in the configuration's section ``median``."""
        names = {"nsigma": "clip_nsigma", "low": "clip_low"}
        pairs = {name: pair(settings[key], f"median.{key}") for name, key in names.items()}
        return cls(slope=settings["clip_slope"], **pairs)


class ClippedMean(NamedTuple):
    """The planes of a clipped mean, all (ny, nx)."""

    mean: np.ndarray  #: float32, unit of SCI; NaN where no value takes part
    wsum: np.ndarray  #: float32
    vmean: np.ndarray  #: float32, unit of SCI squared
    nmean: np.ndarray  #: int16

    @classmethod
    def empty(cls, shape) -> ClippedMean:
        """Planes to be filled section by section."""
        nothing = np.full(shape, np.nan, np.float32)
        return cls(
            nothing, np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.int16)
        )


class Others(NamedTuple):
    """What the other exposures show, all (ny, nx)."""

    mean: np.ndarray  #: float32; NaN where no other exposure has a value
    variance: np.ndarray  #: float32, of `mean`; NaN where it is NaN
    count: np.ndarray  #: int16, how many other exposures take part


def image_weights(constants) -> np.ndarray:
    """One weight an image, float64 (N,) of mean 1: the inverse of its variance on blank sky.

    All are 1 where one of the variances is not a positive number.
    """
    constants = np.asarray(constants, np.float64)
    if not (np.isfinite(constants) & (constants > 0)).all():
        return np.ones(len(constants))
    return 1 / constants / np.mean(1 / constants)


def noise_at(level, constant: float, per_level: float) -> np.ndarray:
    """The noise of an image at a level, float32: sqrt(constant + per_level * max(level, 0)); `level` is
    float32.
    """
    variance = np.fmax(level, np.float32(0))
    variance *= np.float32(per_level)
    variance += np.float32(constant)
    return np.sqrt(variance, out=variance)


def takes_part(values, reference, gradient, count, sigma, limits: Limits) -> np.ndarray:
    """Which values of one image take part in the clipped mean, bool (ny, nx).

    Parameters
    ----------
    values : float32 (ny, nx)
        The image, NaN where it is bad.
    reference, gradient : float32 (ny, nx)
        SCI and its slope (`drizzleflow.arrays.morphology.abs_deriv`).
    count : integer (ny, nx)
        How many values are good (NUSED).
    sigma : float32 (ny, nx)
        The noise of the image at the level of `reference` (`noise_at`).
    limits : Limits

    Notes
    -----
    A pixel depends on its eight neighbours, and through `gradient` on theirs: a section needs two rows more
    of `values` and `reference`.
    """
    with np.errstate(invalid="ignore"):
        excess = values - reference
        margin = np.float32(limits.slope) * gradient
        part = np.isfinite(values)
        high = excess - margin
        far = high > np.float32(limits.nsigma[0]) * sigma
        if far.any():
            part &= ~(dilate(far, 1) & (high > np.float32(limits.nsigma[1]) * sigma))
        if limits.low[0]:
            low = np.negative(excess, out=excess)
            low -= margin
            far = (low > np.float32(limits.low[0]) * sigma) & (count >= limits.low_count)
            if far.any():
                beside = (low > np.float32(limits.low[1]) * sigma) & (count >= limits.low_count)
                part &= ~(dilate(far, 1) & beside)
    return part


def clipped_mean(stack, reference, count, noise, weights, limits: Limits) -> ClippedMean:
    """The clipped mean of a stack about its combined image.

    Parameters
    ----------
    stack : float32 (n, ny, nx)
        NaN is bad.
    reference : float32 (ny, nx)
        The combined image, NaN where no value is good.
    count : int16 (ny, nx)
        How many values are good.
    noise : StackNoise of the n images
    weights : float64 (n,)
        `image_weights` of all images of the product.
    limits : Limits

    Returns
    -------
    ClippedMean
        Sums are float64, added in the order of the stack.
    """
    shape = reference.shape
    planes, gradient = ClippedMean.empty(shape), abs_deriv(reference)
    rows = max(1, BLOCK // max(shape[1], 1))
    constants, slopes = noise.constant, noise.slope
    for y in range(0, shape[0], rows):
        # with the neighbours that dilation looks at
        top, bottom = max(0, y - 1), min(shape[0], y + rows + 1)
        wide, inner = np.s_[top:bottom], np.s_[y - top : min(y + rows, shape[0]) - top]
        sci, g, n = reference[wide], gradient[wide], count[wide]
        form = sci[inner].shape
        total, wsum, vmean = (np.zeros(form) for _ in range(3))
        nmean, known = np.zeros(form, np.int16), {}
        for image, constant, per_level, weight in zip(stack, constants, slopes, weights, strict=True):
            if (constant, per_level) not in known:  # images alike share their noise
                known = {(constant, per_level): noise_at(sci, constant, per_level)}
            sigma = known[constant, per_level]
            part = takes_part(image[wide], sci, g, n, sigma, limits)[inner]
            np.add(total, weight * image[wide][inner].astype(np.float64), out=total, where=part)
            np.add(wsum, weight, out=wsum, where=part)
            variance = np.square(sigma[inner], dtype=np.float64)
            np.add(vmean, weight**2 * variance, out=vmean, where=part)
            nmean += part
        place = np.s_[y : y + rows]
        with np.errstate(invalid="ignore", divide="ignore"):
            planes.mean[place] = total / wsum
        planes.wsum[place], planes.vmean[place], planes.nmean[place] = wsum, vmean, nmean
    return planes


def without(planes: ClippedMean, reference, count, values, constant, per_level, weight, limits) -> Others:
    """What the other exposures show: the clipped mean without one image's own values.

    Parameters
    ----------
    planes : ClippedMean
    reference, count : float32, integer (ny, nx)
        SCI and NUSED, as the planes were made with.
    values : float32 (ny, nx)
        The image's own values, NaN where it is bad.
    constant, per_level : float
        Its noise (`noise_at`).
    weight : float
        Its weight (`image_weights`).
    limits : Limits
        As the planes were made with.

    Notes
    -----
    Exact to the rounding of the float32 planes: 6e-8 * (MEAN / sigma) * sqrt(own weight / rest) of the noise.
    What a window's outer two pixels show may differ from what a larger window shows there.
    """
    ny, nx = values.shape
    mean, variance = np.full((ny, nx), np.nan, np.float32), np.full((ny, nx), np.nan, np.float32)
    others = np.empty((ny, nx), np.int16)
    rows = max(1, BLOCK // max(nx, 1))
    for y in range(0, ny, rows):
        end = min(y + rows, ny)
        top, bottom = max(0, y - 2), min(ny, end + 2)  # dilation and slope look at neighbours
        place, inner = np.s_[y:end], np.s_[y - top : end - top]
        sci = reference[top:bottom]
        sigma = noise_at(sci, constant, per_level)
        part = takes_part(values[top:bottom], sci, abs_deriv(sci), count[top:bottom], sigma, limits)[inner]
        np.subtract(planes.nmean[place], part, out=others[place])
        there = others[place] > 0
        wsum = planes.wsum[place].astype(np.float64)
        total = planes.mean[place] * wsum
        left = wsum - weight * part
        with np.errstate(invalid="ignore", divide="ignore"):
            np.subtract(total, weight * values[place].astype(np.float64), out=total, where=part)
            np.divide(total, left, out=mean[place], where=there, casting="same_kind")
            rest = planes.vmean[place].astype(np.float64)
            own = weight**2 * np.square(sigma[inner], dtype=np.float64)
            np.subtract(rest, own, out=rest, where=part)
            np.fmax(rest, 0, out=rest)
            np.divide(rest, left * left, out=variance[place], where=there, casting="same_kind")
    return Others(mean, variance, others)
