"""The definition of every combine_type, pixel by pixel with Python's lists: what the fast code is compared
with.
"""

import math

import numpy as np

TABLE = {
    1: 1.0,
    2: 0.5,
    3: 0.448671,
    4: 0.2982,
    5: 0.286834,
    6: 0.214743,
    7: 0.210447,
    8: 0.168182,
    9: 0.166101,
}


def trimmed(values, nlow, nhigh):
    """The good values of a pixel in order, without the lowest and highest; both numbers are lowered until one
    is left.
    """
    values = sorted(values)
    while values and nlow + nhigh >= len(values):
        nlow, nhigh = max(nlow - 1, 0), max(nhigh - 1, 0)
    return values[nlow : len(values) - nhigh]


def median(values, nlow=0, nhigh=0):
    left = trimmed(values, nlow, nhigh)
    if not left:
        return np.float32(np.nan)
    m = len(left)
    return np.float32(left[m // 2] if m % 2 else (left[m // 2 - 1] + left[m // 2]) / 2)


def mean(values, nlow=0, nhigh=0):
    left = trimmed(values, nlow, nhigh) if nlow or nhigh else list(values)
    total = 0.0
    for value in left:
        total += value
    return np.float32(total / len(left)) if left else np.float32(np.nan)


def pixels(images, bad):
    """For each (y, x) the good values in the order of the images, as Python's floats."""
    n, ny, nx = images.shape
    for y in range(ny):
        for x in range(nx):
            yield y, x, [float(images[i, y, x]) for i in range(n) if not bad[i, y, x]]


def statistic(kind, images, bad, nlow=0, nhigh=0):
    """median, mean or sum; NaN where nothing is good."""
    result = np.full(images.shape[1:], np.nan, np.float32)
    for y, x, values in pixels(images, np.isnan(images) if kind == "sum" else bad):
        if kind == "sum":
            result[y, x] = np.float32(sum(values)) if values else np.nan
        else:
            result[y, x] = {"median": median, "mean": mean}[kind](values, nlow, nhigh)
    return result


def filled(result, images):
    """The i types: the last image's value, NaN passed over, where no value is good."""
    result = result.copy()
    for y, x in np.argwhere(np.isnan(result)):
        values = [v for v in images[:, y, x] if not np.isnan(v)]
        if values:
            result[y, x] = values[-1]
    return result


def within(flags, grow):
    """Is any flag set within `grow` rows and columns?"""
    ny, nx = flags.shape
    return np.array(
        [
            [flags[max(0, y - grow) : y + grow + 1, max(0, x - grow) : x + grow + 1].any() for x in range(nx)]
            for y in range(ny)
        ]
    )


def minmed(images, bad, weights, exptime, readnoise, sky, nsigma, grow):
    """Study of the peer, 1.5: the minimum where the median exceeds it by nsigma times the noise of the sum of
    all exposures.
    """
    n, *shape = images.shape
    centre, lowest = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    flags = np.zeros((2, *shape), bool)
    for y, x, values in pixels(images, bad):
        if not values:
            continue
        m = centre[y, x] = mean(values) if n == 2 else median(values, 0, 1)
        low = lowest[y, x] = np.float32(min(values))
        total, background, read = np.float32(0), 0.0, 0.0
        for i in range(n):
            total += weights[i, y, x]
            background += float(weights[i, y, x]) * (sky[i] / exptime[i])
            read += 0.0 if bad[i, y, x] else readnoise[i] ** 2
        variance = float(m * total) + background + read
        rms = math.sqrt(max(variance, 0.0))
        for k in range(2):
            flags[k, y, x] = float(low * total) < float(m * total) - nsigma[k] * rms
    chosen = np.where(within(flags[0], grow), flags[1], flags[0]) if grow else flags[0]
    return np.where(chosen, lowest, centre)


def auto(images, weights, constant, slope, nsigma, grow, derivative):
    """autocombine's docstring: (sci, err); `weights` relative, variance (constant + slope * level) / weight."""
    f4 = np.float32
    n, *shape = images.shape
    sci, lowest, gap, sigma, err, low_err = (np.full(shape, np.nan, np.float32) for _ in range(6))
    lone = np.zeros(shape, bool)
    for y, x, values in pixels(images, np.isnan(images)):
        good = [i for i in range(n) if not np.isnan(images[i, y, x])]

        def variance(i, level, y=y, x=x):
            total = f4(constant[i]) + f4(slope[i]) * max(f4(level), f4(0))
            return total if weights is None else total / weights[i, y, x]

        gap[y, x], sigma[y, x], depth = 0, np.inf, len(good)
        if not good:
            continue
        low = lowest[y, x] = f4(min(values))
        owner = next(i for i in good if images[i, y, x] == low)
        low_err[y, x] = np.sqrt(variance(owner, low))
        if depth == 1:
            sci[y, x], err[y, x] = low, low_err[y, x]
        elif depth == 2:
            (other,) = (i for i in good if i != owner)
            high, a, b = images[other, y, x], variance(owner, low), variance(other, low)
            sci[y, x] = f4((float(low) * float(b) + float(high) * float(a)) / float(a + b))
            gap[y, x], sigma[y, x], err[y, x] = high - low, np.sqrt(a + b), np.sqrt(a * b / (a + b))
        else:
            sci[y, x] = median(values)
            mean_inverse = sum(1 / math.sqrt(variance(i, sci[y, x])) for i in good) / depth
            err[y, x] = math.sqrt(TABLE[depth]) / mean_inverse
            if depth <= 6:
                gap[y, x], sigma[y, x] = sci[y, x] - low, low_err[y, x]
            if depth in (5, 6):
                lone[y, x] = f4(sorted(values)[1]) - low > f4(nsigma[0] * 2**0.5) * low_err[y, x]
    steep = np.zeros(shape, np.float32)
    for y, x in np.ndindex(*shape):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if (
                0 <= v < shape[0]
                and 0 <= u < shape[1]
                and not np.isnan(step := abs(lowest[y, x] - lowest[v, u]))
            ):
                steep[y, x] = max(steep[y, x], step)
    gap -= f4(derivative) * steep
    flags = [gap > f4(k) * sigma for k in nsigma]
    chosen = np.where(within(flags[0], grow), flags[1], flags[0]) if grow else flags[0]
    chosen &= ~lone
    return np.where(chosen, lowest, sci), np.where(chosen, low_err, err)
