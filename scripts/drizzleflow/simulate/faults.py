"""What spoils single exposures: cosmic rays, values that are far too low, and charge trails."""

from __future__ import annotations

import numpy as np

LOW_SIGMA = (10.0, 300.0)  #: how far low pixels lie below what is expected, in noise of the pixel
TRAIL_LENGTH, TRAIL_REACH = 3.0, 12  #: rows, e-folding length of a charge trail and where it ends


def cosmic_rays(rng, shape, pixels: float, median: float, floor: float):
    """Cosmic-ray tracks: (charge in electrons as float32 (ny, nx), table of the tracks).

    pixels : the mean number of pixels to be hit. median : electrons a pixel of path (log-normal, sigma 1.2).
    floor : charges below this are not planted. Four in ten hits are steep (1-2 pixels), the others are lines
    with exponential lengths (mean 9, at most 60 pixels) at any angle; a few per cent of the charge leaks to
    neighbours.
    Table columns: x, y (start), length (pixels), angle (radians), electrons a pixel of path.
    """
    ny, nx = shape
    mean_path = 0.4 * 1.6 + 0.6 * 9 * 1.27  # pixels a track touches
    count = int(rng.poisson(pixels / mean_path))
    steep = rng.uniform(size=count) < 0.4
    short, long = rng.uniform(0.2, 1.2, count), np.minimum(1.5 + rng.exponential(8.0, count), 60.0)
    length = np.where(steep, short, long)
    angle = rng.uniform(0, 2 * np.pi, count)
    x, y = rng.uniform(-0.5, nx - 0.5, count), rng.uniform(-0.5, ny - 0.5, count)
    rate = median * np.exp(rng.normal(0, 1.2, count))
    table = np.stack([x, y, length, angle, rate], axis=1)

    step = 0.1
    steps = np.maximum(2, np.ceil(length / step)).astype(int)
    which = np.repeat(np.arange(count), steps)
    rank = np.arange(which.size) - np.repeat(np.cumsum(steps) - steps, steps)
    along = (rank + 0.5) / steps[which] * length[which]
    px = np.rint(x[which] + along * np.cos(angle[which])).astype(int)
    py = np.rint(y[which] + along * np.sin(angle[which])).astype(int)
    # a steep track crosses the whole depth of its pixel: it leaves at least one pixel's charge
    charge = (rate * np.maximum(length, 1.0) / steps)[which]
    inside = (px >= 0) & (px < nx) & (py >= 0) & (py < ny)
    flat = np.bincount(py[inside] * nx + px[inside], weights=charge[inside], minlength=nx * ny)
    image = flat.reshape(shape).astype(np.float32)
    return _leak(image, floor), table


def _leak(image, floor):
    """Spread charge to the neighbours (1.5 % over an edge, 0.4 % over a corner), then cut below `floor`."""
    out = image * np.float32(1 - 4 * 0.015 - 4 * 0.004)
    ny, nx = image.shape
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy or dx:
                share = np.float32(0.004 if dy and dx else 0.015)
                out[max(0, dy) : ny + min(0, dy), max(0, dx) : nx + min(0, dx)] += (
                    share * image[max(0, -dy) : ny + min(0, -dy), max(0, -dx) : nx + min(0, -dx)]
                )
    out[out < floor] = 0
    return out


def low_pixels(rng, shape, fraction: float, clusters: float):
    """Where values are too low, and by how much: float32 (ny, nx), standard deviations, 0 elsewhere.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : (ny, nx)
    fraction : float
        Of the pixels, about.
    clusters : float
        Of the spots, so many are clusters of two to four touching pixels, the others single pixels.

    Depths are 10 to 300 standard deviations, uniform in the logarithm; each pixel of a cluster has its own.
    """
    ny, nx = shape
    spots = int(rng.poisson(fraction * ny * nx / (1 + 2 * clusters)))
    size = np.where(rng.uniform(size=spots) < clusters, rng.integers(2, 5, spots), 1)
    y, x = rng.integers(0, ny, spots), rng.integers(0, nx, spots)
    out = np.zeros(shape, np.float32)
    steps = np.array([(0, 1), (1, -1), (1, 0), (1, 1)])  # none leads back
    for k in range(4):
        depth = LOW_SIGMA[0] * (LOW_SIGMA[1] / LOW_SIGMA[0]) ** rng.uniform(size=spots)
        on = (size > k) & (y < ny) & (x >= 0) & (x < nx)
        out[y[on], x[on]] = depth[on]
        step = steps[rng.integers(0, 4, spots)]
        y, x = y + step[:, 0], x + step[:, 1]
    return out


def trails(charge, fraction: float, direction: int):
    """The charge read out in its own pixel, and the trails behind it: two float32 (ny, nx), electrons.

    Parameters
    ----------
    charge : float32 (ny, nx)
        Electrons.
    fraction : float
        Part of its charge that a pixel loses on the way from the row farthest from the amplifiers; in other
        rows it is in proportion to the way. (On the sky it depends on the charge and the background as well;
        not here.)
    direction : 1 or -1
        Trails lie towards lower rows (1: read out at the top) or higher rows, and fade within a few.
    """
    ny = charge.shape[0]
    way = (np.arange(1, ny + 1) if direction < 0 else np.arange(ny, 0, -1)) / ny
    lost = (charge * (fraction * way[:, None])).astype(np.float32)
    share = np.exp(-np.arange(1, TRAIL_REACH + 1) / TRAIL_LENGTH)
    share /= share.sum()
    behind = np.zeros_like(lost)
    for k, part in enumerate(share[: ny - 1], start=1):
        if direction < 0:
            behind[k:] += np.float32(part) * lost[:-k]
        else:
            behind[:-k] += np.float32(part) * lost[k:]
    return charge - lost, behind
