"""One exposure against the others: the pixels that the other exposures do not show.

The test of drizzleflow's own (``crmask.reference: others``). docs/outliers.md explains it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from drizzleflow.arrays.boxes import background
from drizzleflow.arrays.morphology import abs_deriv, dilate
from drizzleflow.arrays.pairs import pair
from drizzleflow.outliers.matching import Match, apply, fit_kernel, identity
from drizzleflow.outliers.sharpness import sharper, sharpness_of_sources
from drizzleflow.outliers.significance import connected, noise_scale, steep_pixels, structure, tolerance

PAIRS, SINGLE = (
    ("snr", "snr_beside", "snr_negative", "noise_range"),
    ("match", "tolerance", "template_noise", "sharp"),
)
STRUCTURE = 4.0  #: a flagged pixel is on a source where the template's structure exceeds so many sigma
ROUNDS = 2  #: of the tolerance: the second without the pixels that the first took for outliers


@dataclass(frozen=True)
class Thresholds:
    """The parameters of the test; numbers are standard deviations where nothing else is said.

    Attributes
    ----------
    snr : (float, float)
        For a pixel alone, and for each of two or more that touch (``crmask.snr``).
    snr_beside : (float, float)
        A pixel that touches one above the first needs the second only; 0: no less than others
        (``crmask.snr_beside``).
    snr_negative : (float, float)
        As `snr`, for pixels that are too low; 0: these are not flagged.
    match : int
        Half width in pixels of the kernel that is fitted to the template; 0: none.
    tolerance : float
        Times the measured width of difference / structure (`tolerance`).
    noise_range : (float, float)
        Limits of the measured noise in units of the expected one.
    template_noise : float
        The part of the template's variance that counts: drizzling and interpolating average the rest away.
    sharp : float
        For pixels that no other exposure sees; 0: these are not flagged.
    """

    snr: tuple[float, float] = (4.5, 3.3)
    snr_beside: tuple[float, float] = (5.0, 2.9)
    snr_negative: tuple[float, float] = (6.0, 5.0)
    match: int = 1
    tolerance: float = 1.6
    noise_range: tuple[float, float] = (0.8, 2.0)
    template_noise: float = 0.25
    sharp: float = 5.0

    @classmethod
    def of(cls, settings: dict) -> Thresholds:
        """Return the thresholds in the configuration's section ``crmask``."""
        pairs = {name: pair(settings[name], f"crmask.{name}") for name in PAIRS}
        return cls(**pairs, **{name: settings[name] for name in SINGLE})


@dataclass
class Outcome:
    """The outliers of one exposure and what was measured on the way."""

    mask: np.ndarray  #: bool (ny, nx)
    template: (
        np.ndarray
    )  #: float32 (ny, nx), matched to the exposure; NaN where no other exposure has a value
    match: Match
    noise: float  #: the noise in units of the expected one
    tolerance: float  #: in units of the template's structure
    negative: int = 0  #: pixels that were flagged for being too low
    alone: int = 0  #: pixels that were flagged for being sharp
    on_sources: int = 0  #: flagged pixels where the template has structure
    sharpness: dict[str, float] | None = field(default=None)


def outliers(
    data,
    err,
    usable,
    template,
    variance=None,
    count=None,
    thresholds: Thresholds | None = None,
    flaggable=None,
) -> Outcome:
    """The outliers of one exposure.

    Parameters
    ----------
    data, err : float32 (ny, nx)
        The exposure without its sky, and its noise (1 sigma).
    usable : bool (ny, nx)
        Good pixels: those that are measured on.
    template : float32 (ny, nx)
        The mean of the other exposures on this one's pixels (blotted), in the unit of `data`; NaN where there
        is none. It is matched in place.
    variance : float32 (ny, nx), optional
        Of `template`, on the same pixels; overwritten.
    count : integer (ny, nx), optional
        How many exposures are in `template`; only where there are two can a pixel be too low.
    thresholds : Thresholds
    flaggable : bool (ny, nx), optional
        Pixels that can be flagged; by default those of `usable`.

    Returns
    -------
    Outcome
    """
    p, flaggable = thresholds or Thresholds(), usable if flaggable is None else flaggable
    shape, sigma = data.shape, err  # of the difference
    with np.errstate(invalid="ignore"):
        if variance is not None and p.template_noise:
            sigma = np.fmax(variance, np.float32(0), out=variance)  # NaN is 0
            sigma *= np.float32(p.template_noise)
            sigma += err * err
            np.sqrt(sigma, out=sigma)
        gradient = abs_deriv(template)
        match = fit_kernel(data, template, gradient, sigma, usable, p.match) if p.match else identity(0)
        if match.fitted:
            apply(match, template, gradient, sigma)
        gradient = structure(template)
        difference = data - template
        scale = noise_scale(difference, gradient, sigma, usable, p.noise_range)
        # the tolerance only raises what is expected: no other pixel can be an outlier
        least = min(p.snr[1], p.snr_beside[1]) if p.snr_beside[0] else p.snr[1]
        limit = sigma * np.float32(least * scale)
        beyond = difference > limit
        beyond &= flaggable
        high = _Candidates.at_pixels(beyond, difference, gradient, sigma, scale)
        steep = steep_pixels(difference, gradient, sigma, usable)
        for round_ in range(ROUNDS):
            c = tolerance(difference, gradient, sigma, scale, steep, p.tolerance)
            beside_high = dilate(_plane(high.at[high.z(c) > np.float32(p.snr[1])], shape), 1)
            if round_ + 1 < ROUNDS:
                steep = steep[~beside_high.reshape(-1)[steep]]
        flagged = high.at[connected(high.at, high.z(c), shape, *p.snr, p.snr_beside)]
        below = flagged[:0]
        if p.snr_negative[0] and count is not None:
            limit *= np.float32(-p.snr_negative[1] / least)
            beyond = difference < limit
            beyond &= flaggable
            beyond &= count >= 2
            low = _Candidates.at_pixels(beyond, difference, gradient, sigma, scale)
            below = low.at[connected(low.at, -low.z(c), shape, *p.snr_negative)]
    flagged = np.concatenate([flagged, below])
    on_sources = gradient.reshape(-1)[flagged] > STRUCTURE * sigma.reshape(-1)[flagged]
    mask = _plane(flagged, shape)
    outcome = Outcome(
        mask, template, match, scale, c, len(below), on_sources=int(np.count_nonzero(on_sources))
    )
    if p.sharp:
        seen = np.isfinite(difference)
        unseen = flaggable & ~seen
        if unseen.any():
            del gradient, difference, limit, beyond
            alone = np.where(usable | flaggable, data, np.float32(np.nan))
            sky = background(alone, usable & np.isfinite(alone))  # matched levels leave the lowest in
            if sky is not None:
                alone -= sky
            outcome.sharpness = sharpness_of_sources(alone, err, usable & ~beside_high & seen)
            if outcome.sharpness is not None:
                sharp = sharper(alone, err, unseen, outcome.sharpness, p.sharp)
                outcome.alone = int(np.count_nonzero(sharp))
                mask |= sharp
    return outcome


class _Candidates(NamedTuple):
    """Pixels that differ from the template by more than noise: flat indices, and what is known of them."""

    at: np.ndarray
    difference: np.ndarray
    gradient: np.ndarray
    noise: np.ndarray

    @classmethod
    def at_pixels(cls, where, difference, gradient, sigma, scale) -> _Candidates:
        """Those of a mask; the noise is `scale` times sigma."""
        at = np.flatnonzero(where)
        difference, gradient, sigma = (plane.reshape(-1)[at] for plane in (difference, gradient, sigma))
        return cls(at, difference, gradient, sigma * np.float32(scale))

    def z(self, tolerance: float) -> np.ndarray:
        """Difference over what is expected: noise and tolerance times structure, in quadrature."""
        return self.difference / np.hypot(self.noise, np.float32(tolerance) * self.gradient)


def _plane(at, shape) -> np.ndarray:
    """A mask of `shape`, True at flat indices."""
    mask = np.zeros(shape, bool)
    mask.reshape(-1)[at] = True
    return mask
