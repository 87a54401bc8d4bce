"""Measure sky pixels: sigma-clipped mean, median, mode and midpt, and their uncertainties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

STATISTICS = ("mean", "median", "mode", "midpt")
BLOCK = 2**16  #: values that are summed together
SAMPLE = 10_000  #: size of the sample that brackets the median of all values
MAX_BINS = 2**24  #: most bins of a histogram: float32 cannot number more
SINGLE_BIN = 10.0 * float(np.finfo(np.float32).eps)  #: a histogram narrower than this has one bin


class Sky(NamedTuple):
    """A measured sky level, the number of pixels behind it, and its 1-sigma uncertainty (NaN: unknown)."""

    value: float
    npix: int
    sigma: float


NOTHING = Sky(float("nan"), 0, float("nan"))


class SkyStats:
    """Measure a statistic of sigma-clipped pixel values; a call with an array returns ``(value, npix)``.

    It is the statistic of `stsci.imagestats`, to float32 rounding. Values are float32. There are `nclip`
    rounds of clipping, each over all values between the limits of the round before, starting with `lower` and
    `upper`; the standard deviation divides by N - 1. Three things differ by intent: the median honours
    `lower` and `upper` also with ``nclip=0``, the midpt of constant data is the constant, and values that are
    not finite are left out.

    Parameters
    ----------
    skystat : {'mean', 'median', 'mode', 'midpt'}
        mode: the top of a parabola through the peak of a histogram; midpt: the 50 % point of the histogram's
        cumulative sum.
    lower, upper : float, optional
        Limits of usable values, in the data's unit.
    nclip : int
        Clipping rounds, >= 0.
    lsig, usig : float
        Clipping limits below and above the mean, in standard deviations, > 0.
    binwidth : float
        Width of a bin of the histogram of mode and midpt, in standard deviations, > 0.

    Raises
    ------
    ValueError
        A parameter is out of its range; when called: no value lies between the limits.

    Source: the behaviour and documentation of `stsci.imagestats`.
    """

    def __init__(self, skystat="mean", lower=None, upper=None, nclip=5, lsig=4.0, usig=4.0, binwidth=0.1):
        if skystat not in STATISTICS:
            raise ValueError(f"skystat: {skystat!r}, expected one of {', '.join(STATISTICS)}")
        if nclip < 0:
            raise ValueError(f"nclip: {nclip}, expected 0 or more")
        for name, value in (("lsig", lsig), ("usig", usig), ("binwidth", binwidth)):
            if not value > 0:
                raise ValueError(f"{name}: {value}, expected more than 0")
        if lower is not None and upper is not None and lower > upper:
            raise ValueError(f"lower: {lower}, expected no more than upper ({upper})")
        self.skystat, self.lower, self.upper = skystat, lower, upper
        self.nclip, self.lsig, self.usig, self.binwidth = int(nclip), lsig, usig, binwidth
        self.skyval = self.npix = None

    @classmethod
    def from_options(cls, options: Mapping) -> SkyStats:
        """The statistic of the configuration's section `skymatch`, where ``auto`` is the median."""
        same = {key: options[key] for key in ("lower", "upper", "nclip", "binwidth")}
        name = "median" if options["skystat"] == "auto" else options["skystat"]
        return cls(name, **same, lsig=options["lsigma"], usig=options["usigma"])

    def between(self, data) -> np.ndarray:
        """Bool array of the data's shape, True for values between `lower` and `upper`."""
        low, high = (
            limit if limit is not None else default
            for limit, default in ((self.lower, -np.inf), (self.upper, np.inf))
        )
        return (data >= np.float32(low)) & (data <= np.float32(high))

    def __call__(self, data):
        return self.calc_sky(data)

    def calc_sky(self, data):
        """Measure an array of any shape; return ``(value, npix)``. ValueError: no value is left."""
        return self.measure(data)[:2]

    def measure(self, data) -> Sky:
        """Measure an array of any shape; return a `Sky`. ValueError: no value is left.

        The uncertainty takes the noise of pixels to be independent.
        """
        values = np.asarray(data, dtype=np.float32).ravel()
        if not np.isfinite(values).all():
            values = values[np.isfinite(values)]
        if not len(values):
            raise ValueError("no finite value to compute the sky from")
        lower = float(values.min() if self.lower is None else self.lower)
        upper = float(values.max() if self.upper is None else self.upper)
        moments, low, high, clipped = _Moments(values), np.float32(lower), np.float32(upper), None
        for _ in range(self.nclip + 1):
            before, clipped = clipped, np.flatnonzero((values < low) | (values > high))
            if len(clipped) == len(values):
                raise ValueError(f"no value between {low:g} and {high:g} to compute the sky from")
            if before is not None and np.array_equal(before, clipped):
                break  # further rounds change nothing
            npix, mean, std = moments.without(clipped, low, high)
            used = low, high
            # a NaN deviation (one value) leaves the limits alone
            low = np.float32(max(lower, mean - self.lsig * std))
            high = np.float32(min(upper, mean + self.usig * std))
        else:
            low, high = used
        median, core = clipped_median(values, low, high, npix)
        if self.skystat == "mean":
            value = mean
        elif self.skystat == "median":
            value = median
        else:
            value = self._from_histogram(values, low, high, std, median)
        self.skyval, self.npix = value, npix
        return Sky(value, npix, self._uncertainty(npix, std, core))

    def _from_histogram(self, values, low, high, std, median):
        kept = values[(values >= low) & (values <= high)]
        # stsci.imagestats takes the clip limit for the extreme value where the first value of all was clipped
        bottom = float(low if values[0] < low else kept.min())
        top = float(high if values[0] > high else kept.max())
        width, spread = self.binwidth * std, top - bottom
        if self.skystat == "mode" and not np.isfinite(width):
            raise ValueError("one value has no mode")
        if not width >= SINGLE_BIN or spread < SINGLE_BIN or width > spread:
            return bottom + 0.5 * width if self.skystat == "mode" else median
        bins = int(spread / width) + 1
        if bins > MAX_BINS:
            raise ValueError(f"{bins} histogram bins are too many: clip (nclip > 0), or set lower and upper")
        # bins are counted with the step spread / (bins - 1) and converted to values with the step `width`
        counts = _histogram(values, bins, spread / (bins - 1), bottom)
        return bottom + width * (_peak(counts) if self.skystat == "mode" else _half(counts))

    def _uncertainty(self, npix, std, core):
        if npix < 2:
            return float("nan")
        if self.skystat == "mean":
            return std / npix**0.5
        # the core's width: sources in the wings blow up the standard deviation, not the error of the median
        median = 1.2533 * core / npix**0.5
        if self.skystat != "mode":
            return median
        # the peak may be in any bin whose count differs from it by no more than noise: ~ (counts in the
        # peak)^(-1/4)
        return max(median, 0.7 * (0.4 * npix * self.binwidth) ** -0.25 * core)


def measured(skystat, values) -> Sky:
    """Measure values with a statistic, a callable ``values -> (value, npix)``.

    Its method ``measure``, if it has one, gives an uncertainty too; otherwise that is NaN. `NOTHING` is
    returned where the statistic has no result.
    """
    try:
        if not np.size(values):
            return NOTHING
        sky = skystat.measure(values) if hasattr(skystat, "measure") else skystat(values)
        value, npix, sigma = (*sky, float("nan"))[:3]
    except ValueError:  # no pixel between the limits
        return NOTHING
    return (
        Sky(float(value), int(npix), sigma)
        if value is not None and np.isfinite(value) and npix > 0
        else NOTHING
    )


class _Moments:
    """Number, mean and standard deviation of an array's unclipped values, from one pass over the array."""

    def __init__(self, values):
        self.values = values
        self.sums = sums(values, float(values.mean(dtype=np.float64)))

    def without(self, clipped, low, high):
        npix, centre, total, square = self.sums
        _, _, less, less_square = sums(self.values[clipped], centre)
        npix, total, left = npix - len(clipped), total - less, square - less_square
        if left < 1e-6 * square:  # outliers make up nearly all of the sum: subtracting them would lose digits
            kept = self.values[(self.values >= low) & (self.values <= high)]
            npix, centre, total, left = sums(kept, float(kept.mean(dtype=np.float64)))
        # float32, as in the C code of stsci.imagestats: clip limits and bins then agree to the last bit
        mean = float(np.float32(centre + total / npix))
        if npix < 2:
            return npix, mean, float("nan")
        shift = mean - centre
        left += shift * (npix * shift - 2.0 * total)
        return npix, mean, float(np.float32(np.sqrt(max(left, 0.0) / (npix - 1))))


def sums(values, centre):
    """(number, centre, sum, sum of squares) of the values' deviations from `centre`, in float64."""
    total = square = 0.0
    for k in range(0, len(values), BLOCK):
        d = values[k : k + BLOCK].astype(np.float64) - centre
        total += float(d.sum())
        square += float(np.einsum("i,i->", d, d))
    return len(values), centre, total, square


def clipped_median(values, low, high, npix):
    """The median of the values from `low` to `high`, and half the width of their middle 68 %.

    `npix` is the number of these values. Two order statistics of a sample bracket the median, and only the
    few values between them are sorted; the mean of the middle two is taken in float32, as numpy does. The
    width is that of the sample.
    """
    first, second = (npix - 1) // 2, npix // 2
    step = len(values) // SAMPLE | 1  # odd, so that the sample has pixels of all columns of an image
    sample = np.sort(values[::step])
    sample = sample[np.searchsorted(sample, low) : np.searchsorted(sample, high, side="right")]
    n, middle = len(sample), None
    if step > 1 and n > 100:
        margin = int(2.0 * n**0.5)
        a, b = sample[n // 2 - margin], sample[n // 2 + margin]
        below = np.count_nonzero(values < a) - np.count_nonzero(values < low)
        between = np.sort(values[(values >= a) & (values <= b)])
        if below <= first and second < below + len(between):
            middle = between[first - below : second - below + 1]
    if middle is None:
        kept = np.sort(values[(values >= low) & (values <= high)])
        middle = kept[first : second + 1]
        if step == 1 or not n:
            sample, n = kept, npix
    core = float(sample[int(np.ceil(0.8413 * (n - 1)))]) - float(sample[int(0.1587 * (n - 1))])
    return float(middle.mean()), core / 2.0


def _histogram(values, bins, step, low):
    """The histogram of values in `bins` bins from `low`, in float32 as in the C code of stsci.imagestats."""
    step, low = np.float32(step), np.float32(low)
    inverse, edge = np.float32(1.0) / step, low + step * np.float32(bins)
    counts = np.zeros(bins, np.int64)
    for k in range(0, len(values), BLOCK):
        block = values[k : k + BLOCK]
        number = (inverse * (block[(block >= low) & (block < edge)] - low)).astype(np.int64)
        more = np.bincount(np.minimum(number, bins - 1))
        counts[: len(more)] += more
    return counts


def _peak(counts):
    """The position of the mode, in bins from the lower edge of the histogram."""
    last, peak = len(counts) - 1, int(np.argmax(counts))
    if last == 1 and counts[0] == counts[1]:
        return 1.0
    if peak in (0, last):
        return peak + 0.5
    left, right = int(counts[peak] - counts[peak - 1]), int(counts[peak] - counts[peak + 1])
    return peak + 0.5 + (0.5 * (left - right) / (left + right) if left + right else 0.0)


def _half(counts):
    """The position of the 50 % point of the cumulative counts, in bins from the histogram's lower edge."""
    total = np.cumsum(counts).astype(np.float32)
    total /= total[-1]
    k = int(np.argmax(total >= 0.5))
    below = float(total[k - 1]) if k else 0.0
    step = float(total[k]) - below
    return k + ((0.5 - below) / step if step else 0.0)
