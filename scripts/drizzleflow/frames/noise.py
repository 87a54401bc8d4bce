"""Describe the noise of a single-drizzled image, by which minmed and auto tell a cosmic ray from noise.

The model is that of drizzlepac's createMedian: photon noise of the source and of the sky, and read noise. HST
and plain files state gain and read noise; where a file has variances instead, the same four numbers are
derived from how the variance grows with the signal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLE = 40_000  #: most pixels of a frame from which its noise is measured


@dataclass(frozen=True)
class Noise:
    """The noise of one exposure.

    A pixel of signal M (sky subtracted) has the variance (M e t + sky + readnoise^2) / (e t)^2.

    A number that is not known is None.
    """

    exptime: float | None  #: t, s
    readnoise: float | None  #: electrons
    sky: float | None  #: electrons of the subtracted sky
    electrons: float | None  #: e, electrons/s for one unit of the image

    def cards(self) -> list[tuple]:
        """Return the header cards of a single-drizzled image."""
        return [
            ("EXPTIME", self.exptime, "exposure time, s"),
            ("READNSE", self.readnoise, "read noise, electrons"),
            ("SKYELEC", self.sky, "subtracted sky, electrons"),
            ("ELECRATE", self.electrons, "electrons/s for one unit of SCI"),
        ]

    def binned(self, ratio: float) -> Noise:
        """Return the noise in output pixels whose side is `ratio` times the input's, in surface brightness.

        Each output pixel holds ratio^2 input pixels.
        """
        area = max(1.0, ratio) ** 2
        return Noise(self.exptime, self.readnoise * area**0.5, self.sky * area, self.electrons * area)

    @classmethod
    def from_header(cls, header) -> Noise | None:
        """Read the noise that `cards` wrote; None where the header lacks some of it."""
        values = [header.get(key) for key in ("EXPTIME", "READNSE", "SKYELEC", "ELECRATE")]
        return None if None in values else cls(*map(float, values))


def of_frame(frame, level: float | None) -> Noise | None:
    """Return the noise of a frame, in the product's unit.

    Parameters
    ----------
    frame : Frame
        With ``data``, and ``gain`` and ``readnoise``, or variances or ``err``.
    level : float or None
        Sky that is subtracted from it, in its unit per pixel.

    Returns
    -------
    Noise or None
        None where the frame has nothing to derive it from.
    """
    time = float(frame.exposure_time or 1.0)
    if frame.readnoise is not None and frame.product_unit == "ELECTRONS/S":
        return Noise(time, float(frame.readnoise), max(0.0, (level or 0.0) * frame.electrons_per_unit), 1.0)
    measured = _variances(frame)
    if measured is None:
        return None
    data, variance, readout = measured
    slope, zero = signal_and_variance(data, variance, level or 0.0)
    if zero <= 0:
        return None
    # no pixel shows how signal adds to the noise: so many electrons are assumed that it adds none
    per_unit = 1 / slope if slope else 1e3 / np.sqrt(zero)
    total = zero * per_unit**2
    read = total if readout is None else min(total, readout * per_unit**2)
    electrons = frame.from_product(float(per_unit / time))  # of one unit of the product
    return Noise(time, float(np.sqrt(read)), float(total - read), electrons)


def signal_and_variance(data, variance, level: float) -> tuple[float, float]:
    """Return the variance per unit of signal and the variance at the signal `level`.

    Both come from the faint and the brightest pixels; the first is 0 where the brightest are not noisier.
    """
    middle, bright = np.quantile(data, [0.75, 0.995])
    faint, top = data <= middle, data >= bright
    d0, v0 = np.median(data[faint]), np.median(variance[faint])
    d1, v1 = np.median(data[top]), np.median(variance[top])
    slope = (v1 - v0) / (d1 - d0) if d1 > d0 and v1 > v0 else 0.0
    zero = v0 + slope * (level - d0)
    return float(slope), float(zero if zero > 0 else v0)


def sample(shape) -> tuple[slice, slice]:
    """Return the rows and columns of a frame from which its noise is measured, evenly spread."""
    step = max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / SAMPLE))))
    return np.s_[step // 2 :: step, step // 2 :: step]


def _variances(frame):
    """Return (data, variance, median read-noise variance or None) of a sample of good pixels.

    None is returned where the frame has no variances.
    """
    cut = sample(frame.shape)
    planes = [
        frame.var[key][cut] for key in ("rnoise", "poisson") if "poisson" in frame.var and key in frame.var
    ]
    if planes:
        variance = np.sum(planes, axis=0, dtype=float)
    elif frame.err is not None:
        variance = frame.err[cut].astype(float) ** 2
    elif "rnoise" in frame.var:
        variance = frame.var["rnoise"][cut].astype(float)
    else:
        return None
    data = frame.data[cut].astype(float)
    usable = np.isfinite(data) & np.isfinite(variance) & (variance > 0)
    if not usable.any():
        return None
    readout = None
    if len(planes) == 2:
        known = frame.var["rnoise"][cut][usable]
        readout = float(np.median(known[np.isfinite(known)])) if np.isfinite(known).any() else None
    return data[usable], variance[usable], readout


def pooled(noises) -> Noise | None:
    """Return one noise for a group of frames that are drizzled together, such as detectors side by side.

    The read noise is the root mean square of the frames', the sky is the lowest, as in AstroDrizzle; None
    where the noise of a frame is not known.
    """
    noises = list(noises)
    if not noises or None in noises:
        return None
    return Noise(
        float(np.mean([n.exptime for n in noises])),
        float(np.sqrt(np.mean([n.readnoise**2 for n in noises]))),
        min(n.sky for n in noises),
        float(np.mean([n.electrons for n in noises])),
    )
