"""Match a template to an exposure: what is left of registration and of the PSF's width, fitted as a 3 x 3
kernel.

The template is the mean of other exposures. Around stars it differs from the exposure by small shifts and by
its own, slightly wider PSF. A kernel of sum 1, fitted to the exposure where the template has structure, takes
up both. (As the kernels of difference imaging do: Alard & Lupton 1998, ApJ 503, 325.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

STRUCTURE = 5.0  #: a pixel tells where the template's slope exceeds so many sigma
APPLIED = 4.0  #: the kernel is applied where the slope exceeds so many sigma: elsewhere it would add noise
CLIP, ROUNDS = 4.0, 5  #: residuals beyond CLIP times their width are left out, in each round anew
PRIOR = 0.3  #: standard deviation expected of a kernel's value
#: error expected of the template, as a part of its brightness: the brightest stars must not decide alone
FRACTION = 0.03
LEAST, MOST = 200, 60_000  #: pixels that are needed, and that are used


class Match(NamedTuple):
    """A kernel (2 r + 1, 2 r + 1) of sum 1, float64, and the number of pixels that it was fitted to."""

    kernel: np.ndarray
    npix: int

    @property
    def fitted(self) -> bool:
        return self.npix >= LEAST

    @property
    def shift(self) -> tuple[float, float]:
        """(dx, dy) in pixels: where the exposure lies relative to the template."""
        r = len(self.kernel) // 2
        offsets = np.arange(-r, r + 1)
        # kernel[dy, dx] multiplies the template's pixel at +dy, +dx: the exposure is shifted the other way
        return -float(self.kernel.sum(0) @ offsets), -float(self.kernel.sum(1) @ offsets)

    @property
    def width(self) -> float:
        """By how much the exposure is wider than the template: sqrt of the kernel's variance an axis, px;
        negative: sharper.
        """
        r = len(self.kernel) // 2
        squares = np.arange(-r, r + 1) ** 2
        dx, dy = self.shift
        variance = 0.5 * (self.kernel.sum(0) @ squares + self.kernel.sum(1) @ squares - dx * dx - dy * dy)
        return float(np.sign(variance) * np.sqrt(abs(variance)))


def identity(radius: int, npix: int = 0) -> Match:
    """The kernel that changes nothing."""
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    kernel[radius, radius] = 1
    return Match(kernel, npix)


def fit_kernel(data, template, gradient, sigma, usable, radius: int = 1) -> Match:
    """The kernel that makes the template like the exposure.

    Parameters
    ----------
    data, template, gradient, sigma : float32 (ny, nx)
        The exposure without its sky; the other exposures on its pixels (NaN where there are none) and their
        slope; the noise of the difference; in one unit.
    usable : bool (ny, nx)
        Good pixels.
    radius : int
        Half width of the kernel in pixels; 0: none.

    Returns
    -------
    Match
        The identity where fewer than `LEAST` pixels tell. Weighted least squares on the differences of the
        shifted templates from the template, clipped; at most `MOST` pixels, evenly taken in the order of the
        rows.
    """
    same = identity(radius)
    if radius == 0:
        return same
    with np.errstate(invalid="ignore"):
        where = gradient > np.float32(STRUCTURE) * sigma
        where &= usable
    where[:radius] = where[-radius:] = False
    where[:, :radius] = where[:, -radius:] = False
    at = np.flatnonzero(where)
    # NaN nearby is left out after sampling
    at = at[:: max(1, -(-len(at) // MOST))]
    centre, nx = radius * (2 * radius + 1) + radius, data.shape[1]
    steps = [dy * nx + dx for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1)]
    flat = template.reshape(-1)
    middle = flat[at].astype(np.float64)
    basis = np.stack([flat[at + step] for i, step in enumerate(steps) if i != centre], axis=1)
    basis = basis.astype(np.float64) - middle[:, None]
    target = data.reshape(-1)[at] - middle
    noise = sigma.reshape(-1)[at].astype(np.float64)
    whole = np.isfinite(basis).all(axis=1) & np.isfinite(target)
    basis, target, noise, middle = basis[whole], target[whole], noise[whole], middle[whole]
    npix = len(target)
    if npix < LEAST:
        return same._replace(npix=npix)
    sky = float(np.nanmedian(template[::4, ::4]))
    scaled = np.hypot(noise, FRACTION * (middle - sky))
    values, prior = np.zeros(basis.shape[1]), np.eye(basis.shape[1]) / PRIOR**2
    for _ in range(ROUNDS):
        residual = np.abs(target - basis @ values) / scaled
        kept = residual < CLIP * max(1.0, 1.4826 * np.median(residual))
        weighted = basis[kept] / scaled[kept, None]
        values = np.linalg.solve(weighted.T @ weighted + prior, weighted.T @ (target[kept] / scaled[kept]))
    kernel = np.insert(values, centre, 1 - values.sum())
    return Match(kernel.reshape(same.kernel.shape), npix)


def apply(match: Match, template, gradient, sigma) -> None:
    """Apply a kernel to a template (float32, ny, nx) in place, where it has structure (`APPLIED`) and the kernel
    touches no NaN.
    """
    if not match.fitted:
        return
    radius, (ny, nx) = len(match.kernel) // 2, template.shape
    with np.errstate(invalid="ignore"):
        at = np.flatnonzero(gradient > np.float32(APPLIED) * sigma)
    y, x = np.divmod(at, nx)
    flat, value = template.reshape(-1), np.zeros(len(at), np.float32)
    steps = range(-radius, radius + 1)
    # beyond the edges of the frame the template's edge pixels are repeated
    columns = [np.clip(x + step, 0, nx - 1) for step in steps]
    for dy, weights in zip(steps, match.kernel, strict=True):
        row = np.clip(y + dy, 0, ny - 1) * nx
        for column, weight in zip(columns, weights, strict=True):
            value += np.float32(weight) * flat[row + column]
    whole = np.isfinite(value)
    flat[at[whole]] = value[whole]
