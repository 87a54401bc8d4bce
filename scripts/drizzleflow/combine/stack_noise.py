"""Determine the noise of the images of a stack: from exposure time, read noise and sky, or by measurement."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from itertools import islice

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise

PARTNERS = 3  #: overlapping images that each one is compared with
STRIPS = 3  #: places in their overlap
STRIP_PIXELS = 8192


@dataclass(frozen=True)
class StackNoise:
    """Hold the noise of each of N images; all arrays are float64 (N,).

    The variance of a pixel of image i at level L (unit of SCI) is ``electrons * exptime * L + sky +
    readnoise**2``, in electrons squared. Where the noise was measured it is a constant: `exptime` and
    `electrons` are 1, `sky` is 0, `readnoise` is the measured standard deviation in units of SCI, and
    `poisson` is False, so that L has no effect.
    """

    exptime: np.ndarray  #: s
    readnoise: np.ndarray  #: e-
    sky: np.ndarray  #: e-, background that was subtracted
    electrons: np.ndarray  #: e-/s per unit of SCI
    poisson: bool = True

    def __len__(self):
        return len(self.exptime)

    def __getitem__(self, index) -> StackNoise:
        """Return the noise of some of the images."""
        arrays = (self.exptime, self.readnoise, self.sky, self.electrons)
        return StackNoise(*(a[index] for a in arrays), self.poisson)

    @property
    def constant(self) -> np.ndarray:
        """The variance at level 0 in units of SCI, squared: sky and read noise."""
        return np.maximum(self.sky + self.readnoise**2, 0) / (self.exptime * self.electrons) ** 2

    @property
    def slope(self) -> np.ndarray:
        """The increase of the variance per unit of level, in units of SCI."""
        return 1 / (self.exptime * self.electrons) if self.poisson else np.zeros(len(self))


def of_images(singles, section) -> tuple[StackNoise, list[str]]:
    """Return the noise of images: as they state it, or measured by comparing them with each other.

    Parameters
    ----------
    singles : list of StackImage
        Their ``noise`` is None, or some of its numbers are, where they are not known.
    section : callable
        ``section(single, window)`` returns its good values in a window of the grid, float32, NaN elsewhere.

    Returns
    -------
    (StackNoise, notes)

    Raises
    ------
    InputError
        An exposure time or ``electrons`` is not a positive number, or a read noise or a sky not a number.
    """
    names = [field.name for field in fields(Noise)]
    known = [Noise(None, None, None, None) if single.noise is None else single.noise for single in singles]
    values = dict(zip(names, zip(*map(astuple, known), strict=True), strict=True))
    unknown = [name for name in names if any(value is None for value in values[name])]
    for name in names:
        for index, value in enumerate(values[name]):
            if value is not None:
                check(name, value, index)
    if not unknown:
        return StackNoise(*(np.array(values[name], np.float64) for name in names)), []
    sigma = measured(singles, section)  # NaN for a single image: its uncertainty is not known
    one = np.ones(len(singles))
    said = f"{', '.join(unknown)} not known for all images: each one's noise is taken as constant, measured from differences"
    return StackNoise(one, sigma, 0 * one, one, poisson=False), [f"{said} (median {np.median(sigma):.3g})"]


def check(name: str, value, index: int) -> None:
    """Raise InputError for an impossible exposure time, read noise or sky of image `index`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    positive = name in ("exptime", "electrons")
    right = np.isfinite(number) and (number > 0 if positive else number >= 0 or name == "sky")
    if not right:
        expected = {"exptime": "seconds, a number > 0", "electrons": "e-/s per unit, a number > 0"}
        raise InputError(
            f"{name} of image {index} is {value!r}, expected {expected.get(name, 'electrons, a number')}"
            + (" >= 0" if name == "readnoise" else "")
        )


def measured(singles, section) -> np.ndarray:
    """Measure the constant noise of each image from differences of overlapping images.

    The result is float64 (N,), 1 sigma in the unit of SCI. The width (scaled median absolute deviation) of
    the difference of two images is the square root of the sum of their variances. Each image is compared with
    the next `PARTNERS` that overlap it, in strips across the middle and the quarters of the overlap, so that
    sources have little effect. The variances are the least-squares solution; of solutions that fit equally
    well, the smallest. An image that overlaps no other gets the median of the rest, or NaN without a rest.
    """
    n = len(singles)
    pairs, widths, counts = {}, [], []
    for i in range(n):
        meeting = (j % n for j in range(i + 1, i + n) if not _overlap(singles[i], singles[j % n]).empty)
        for j in islice(meeting, PARTNERS):
            pair = (min(i, j), max(i, j))
            if pair in pairs:
                continue
            width, count = _difference(singles[i], singles[j], section)
            if count > 1:
                pairs[pair] = count
                widths.append(width)
                counts.append(count)
    if not pairs:
        return np.full(n, np.nan)
    design = np.zeros((len(pairs), n))
    for row, pair in zip(design, pairs, strict=True):
        row[list(pair)] = 1
    met = design.any(axis=0)
    root = np.sqrt(counts)
    variance = np.linalg.lstsq(design * root[:, None], np.square(widths) * root, rcond=None)[0]
    usual = np.median(variance[met])
    # at least a tenth of the usual variance: least squares may give a quiet image a negative one
    variance = np.where(met, np.maximum(variance, 0.1 * usual), usual)
    return np.sqrt(np.maximum(variance, 0))


def _overlap(one, other):
    """Return the window of the grid that both images cover."""
    return one.window.intersection(other.window)


def _difference(one, other, section) -> tuple[float, int]:
    """Return the scaled median absolute deviation of two images' difference, and the number of pixels."""
    both = _overlap(one, other)
    height = min(both.shape[0], max(1, STRIP_PIXELS // both.shape[1]))
    values = []
    for part in range(1, STRIPS + 1):
        middle = both.y0 + both.shape[0] * part // (STRIPS + 1)
        first = max(both.y0, min(middle - height // 2, both.y1 - height))
        strip = both._replace(y0=first, y1=first + height)
        values.append((section(one, strip) - section(other, strip)).ravel())
    values = np.concatenate(values)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 0
    return float(1.4826 * np.median(np.abs(values - np.median(values)))), len(values)
