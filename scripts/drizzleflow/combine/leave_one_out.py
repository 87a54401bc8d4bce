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

from drizzleflow.arrays.morphology import abs_deriv_at, touching
from drizzleflow.arrays.pairs import pair

REACH = 2  #: rows around a pixel that decide which of its values take part
NAMES = ("MEAN", "WSUM", "VMEAN", "NMEAN")  #: of the planes of a `ClippedMean` in files
FILLS = (np.float32(np.nan), np.float32(0), np.float32(0), np.int16(0))  #: their values without an image
PART = 2**16  #: pixels that are worked on at a time


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
    low: tuple[float, float] = (4.5, 2.5)
    low_count: int = 2

    @classmethod
    def of(cls, settings: dict) -> Limits:
        """Return the limits in the configuration's section ``median``."""
        names = {"nsigma": "clip_nsigma", "low": "clip_low"}
        pairs = {name: pair(settings[key], f"median.{key}") for name, key in names.items()}
        # SCI is one of two values with these types; the others' SCI lies between the two, and a ray would make
        # the good one seem low
        low_count = 2 if settings["combine_type"] in ("auto", "minmed", "iminmed") else 3
        return cls(slope=settings["clip_slope"], low_count=low_count, **pairs)


class ClippedMean(NamedTuple):
    """The planes of a clipped mean, all (ny, nx)."""

    mean: np.ndarray  #: float32, unit of SCI; NaN where no value takes part
    wsum: np.ndarray  #: float32
    vmean: np.ndarray  #: float32, unit of SCI squared
    nmean: np.ndarray  #: int16

    @classmethod
    def empty(cls, shape) -> ClippedMean:
        """Planes to be filled."""
        return cls(*(np.full(shape, fill) for fill in FILLS))


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


def variance_at(level, constant: float, per_level: float) -> np.ndarray:
    """The variance of an image at a level, float32: constant + per_level * max(level, 0); `level` is float32."""
    variance = np.fmax(level, np.float32(0))
    variance *= np.float32(per_level)
    variance += np.float32(constant)
    return variance


def takes_part(values, reference, count, constant, per_level, limits: Limits) -> np.ndarray:
    """Which values of one image take part in the clipped mean, bool (ny, nx).

    Parameters
    ----------
    values : float32 (ny, nx)
        The image, NaN where it is bad.
    reference : float32 (ny, nx)
        SCI.
    count : integer (ny, nx)
        How many values are good (NUSED).
    constant, per_level : float
        The noise of the image (`variance_at`).
    limits : Limits

    Notes
    -----
    A pixel depends on its eight neighbours, and through SCI's slope on theirs: a section needs `REACH` rows
    more.
    """
    part = np.isfinite(values)
    # the least that a limit can be: slope and photons only raise it
    least = np.sqrt(np.float32(max(constant, 0)))
    with np.errstate(invalid="ignore"):
        excess = values - reference
        outside = excess > np.float32(limits.nsigma[1]) * least
        if limits.low[0]:
            outside |= excess < -np.float32(limits.low[1]) * least
        at = np.flatnonzero(outside)
        if not len(at):
            return part
        excess = excess.reshape(-1)[at]
        sigma = np.sqrt(variance_at(reference.reshape(-1)[at], constant, per_level))
        margin = np.float32(limits.slope) * abs_deriv_at(reference, at)
        high = excess - margin
        far, near = (high > np.float32(limit) * sigma for limit in limits.nsigma)
        left_out = near & touching(at, far, part.shape)
        if limits.low[0]:
            low, enough = -excess - margin, count.reshape(-1)[at] >= limits.low_count
            far, near = ((low > np.float32(limit) * sigma) & enough for limit in limits.low)
            left_out |= near & touching(at, far, part.shape)
    part.reshape(-1)[at[left_out]] = False
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
    planes = ClippedMean.empty(shape)
    rows = max(1, PART // max(shape[1], 1))
    for y in range(0, shape[0], rows):
        # with the neighbours that decide
        top, bottom = max(0, y - REACH), min(shape[0], y + rows + REACH)
        wide, inner = np.s_[top:bottom], np.s_[y - top : min(y + rows, shape[0]) - top]
        sci, n = reference[wide], count[wide]
        form = sci[inner].shape
        total, wsum, vmean = (np.zeros(form) for _ in range(3))
        nmean, known = np.zeros(form, np.int16), {}
        for image, constant, per_level, weight in zip(
            stack, noise.constant, noise.slope, weights, strict=True
        ):
            if (constant, per_level, weight) not in known:  # images alike share their noise
                variance = variance_at(sci[inner], constant, per_level).astype(np.float64)
                known = {(constant, per_level, weight): weight**2 * variance}
            part = takes_part(image[wide], sci, n, constant, per_level, limits)[inner]
            np.add(total, weight * image[wide][inner].astype(np.float64), out=total, where=part)
            np.add(wsum, weight, out=wsum, where=part)
            np.add(vmean, known[constant, per_level, weight], out=vmean, where=part)
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
        Its noise (`variance_at`).
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
    mean, variance = np.empty((ny, nx), np.float32), np.empty((ny, nx), np.float32)
    others = np.empty((ny, nx), np.int16)
    rows, weight = max(1, PART // max(nx, 1)), np.float32(weight)
    for y in range(0, ny, rows):
        end = min(y + rows, ny)
        top, bottom = max(0, y - REACH), min(ny, end + REACH)
        place, inner = np.s_[y:end], np.s_[y - top : end - top]
        sci = reference[top:bottom]
        part = takes_part(values[top:bottom], sci, count[top:bottom], constant, per_level, limits)[inner]
        np.subtract(planes.nmean[place], part, out=others[place])
        rest, spread, total = mean[place], variance[place], planes.wsum[place]
        with np.errstate(invalid="ignore", divide="ignore"):
            left = total - weight
            # in this form little is lost by rounding: MEAN moves by its distance from the own value
            np.subtract(planes.mean[place], values[place], out=rest)
            rest *= weight / left
            rest += planes.mean[place]
            own = variance_at(sci[inner], constant, per_level)
            own *= weight**2
            np.subtract(planes.vmean[place], own, out=spread)
            np.fmax(spread, 0, out=spread)
            left *= left
            spread /= left
            absent = ~part  # here nothing has to be taken out
            rest[absent] = planes.mean[place][absent]
            spread[absent] = planes.vmean[place][absent] / total[absent] ** 2
        nothing = others[place] <= 0
        rest[nothing] = spread[nothing] = np.nan
    return Others(mean, variance, others)
