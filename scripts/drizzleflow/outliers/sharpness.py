"""Cosmic rays of one exposure alone: pixels that stand out more sharply than any source does.

Where no other exposure looks there is nothing to compare with. What is left is shape: a cosmic ray has edges
that no telescope's PSF has. A pixel, alone or with one or two neighbours (two in a row, a line, a bend), is
compared with the rest of its 3 x 3 pixels; how much sources leave there is measured on the exposure's own
sources, those that other exposures confirm.
"""

from __future__ import annotations

import numpy as np

RING = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if max(abs(dy), abs(dx)) == 2]
#: the eight neighbours by angle: of odd numbers the beside ones, of even ones those across a corner
AROUND = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
#: (class, the neighbours that are hit too), by their numbers in `AROUND`
PATTERNS = [
    ("alone", ()),
    *((("end beside", "end across")[k % 2 == 0], (k,)) for k in range(8)),
    *((("line beside", "line across")[k % 2 == 0], (k, k + 4)) for k in range(4)),
    *(("bend", (k, (k + 3) % 8)) for k in range(8)),
]
PIXEL = 3.5  #: a flagged pixel exceeds so many sigma
BRIGHT = 20.0  #: sources are measured at pixels above so many sigma
QUANTILE = 99.0  #: per cent of the source pixels that stay below the measured sharpness
LEAST, MOST = 200, 40_000  #: source pixels that are needed, and that are used


def sharpness_of_sources(data, err, confirmed) -> dict[str, float] | None:
    """How sharp this exposure's sources are, by class of pattern.

    Parameters
    ----------
    data, err : float32 (ny, nx)
        The exposure without its sky, NaN where it is bad; its noise. What is left of the sky makes bright
        pixels of all: subtract it (`drizzleflow.arrays.boxes.background`).
    confirmed : bool (ny, nx)
        Pixels that agree with other exposures.

    Returns
    -------
    dict or None
        Class -> the ratio of the hit pixels' sum to that of the rest of the 3 x 3 that 99 % of the source
        pixels stay below with all patterns of the class. None where fewer than `LEAST` pixels tell.
    """
    with np.errstate(invalid="ignore"):  # a first choice, of few pixels
        y, x = _inside(confirmed & (data > np.float32(BRIGHT) * err))
    step = max(1, -(-len(y) // MOST))
    y, x = y[::step], x[::step]
    if len(y) < LEAST:
        return None
    centre, ring = _above_surroundings(data, y, x)
    with np.errstate(invalid="ignore"):
        told = np.isfinite(ring).all(axis=1) & (centre > np.float32(BRIGHT) * err[y, x]) & (err[y, x] > 0)
    if np.count_nonzero(told) < LEAST:
        return None
    centre, ring = centre[told], ring[told]
    ratios: dict[str, np.ndarray] = {}
    for name, hit in PATTERNS:
        inside, rest = _split(centre, ring, list(hit))
        ratio = inside / np.maximum(rest, 1e-6 * inside)
        # of a pixel the largest counts: the test takes any pattern
        ratios[name] = np.maximum(ratios[name], ratio) if name in ratios else ratio
    return {name: float(np.percentile(ratio, QUANTILE)) for name, ratio in ratios.items()}


def sharper(data, err, where, ratios: dict[str, float], nsigma: float) -> np.ndarray:
    """Pixels that stand out more sharply than sources do, bool (ny, nx).

    Parameters
    ----------
    data, err : float32 (ny, nx)
    where : bool (ny, nx)
        The pixels to look at.
    ratios : dict
        Of `sharpness_of_sources`.
    nsigma : float
        By how many standard deviations (``crmask.sharp``).
    """
    mask = np.zeros(data.shape, bool)
    with np.errstate(invalid="ignore"):
        y, x = _inside(where & (data > np.float32(PIXEL) * err) & (err > 0))
        if not len(y):
            return mask
        centre, ring = _above_surroundings(data, y, x)
        variance = err[y, x] ** 2
        around = np.stack([err[y + dy, x + dx] for dy, dx in AROUND], axis=1) ** 2
        best = np.full(len(y), -np.inf, np.float32)
        for name, hit in PATTERNS:
            hit, ratio = list(hit), np.float32(ratios[name])
            inside, rest = _split(centre, ring, hit)
            inside_variance, rest_variance = _split(variance, around, hit)
            excess = inside - ratio * np.maximum(rest, 0)
            excess /= np.sqrt(inside_variance + ratio**2 * rest_variance)
            if hit:  # the other pixels of a track stand out themselves
                excess[(ring[:, hit] <= 2 * np.sqrt(around[:, hit])).any(axis=1)] = -np.inf
            best = np.fmax(best, excess)
        mask[y, x] = (best > nsigma) & (centre > np.float32(PIXEL) * np.sqrt(variance))
    return mask


def _inside(where):
    """The pixels (y, x) of a mask that have 5 x 5 pixels around them."""
    ny, nx = where.shape
    y, x = np.divmod(np.flatnonzero(where), nx)
    whole = (y >= 2) & (y < ny - 2) & (x >= 2) & (x < nx - 2)
    return y[whole], x[whole]


def _above_surroundings(data, y, x):
    """(values, the values of their eight neighbours) above the median of the 16 pixels of the 5 x 5 pixels'
    ring.
    """
    around = np.stack([data[y + dy, x + dx] for dy, dx in RING], axis=1)
    around.sort(axis=1)  # NaN last
    count, row = np.isfinite(around).sum(axis=1), np.arange(len(y))
    last = np.maximum(count, 1)
    base = 0.5 * (around[row, (last - 1) // 2] + around[row, last // 2])
    base[count == 0] = 0
    ring = np.stack([data[y + dy, x + dx] for dy, dx in AROUND], axis=1) - base[:, None]
    return data[y, x] - base, ring


def _split(centre, ring, hit):
    """(sum of the centre and the hit neighbours, sum of the others)."""
    inside = centre + (ring[:, hit].sum(axis=1) if hit else 0)
    return inside, ring.sum(axis=1) - (ring[:, hit].sum(axis=1) if hit else 0)
