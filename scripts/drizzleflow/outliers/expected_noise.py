"""Compute the noise that an exposure's pixels should have, were nothing but the template there.

ERR holds the photons of what the exposure shows, and so those of its cosmic rays: a strong ray makes itself
look uncertain. The noise that counts is that of read-out, sky and the sources which the other exposures show.
"""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.boxes import between_boxes, box_medians
from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.measured_noise import scatter_in_boxes
from drizzleflow.frames.noise import sample, signal_and_variance

NOISES = ("expected", "err", "model")
LEAST = 100  #: pixels from which the photons' share is measured
BOX, EVERY = 64, 4  #: the blank sky's variance: medians in boxes, of every fourth row and column


def noise_of(frame: Frame, template, level: float | None, kind: str) -> np.ndarray:
    """Return the noise of a frame's pixels, float32 (ny, nx), 1 sigma in the frame's unit.

    Parameters
    ----------
    frame : Frame
        With ``data``, and ``err``, or ``gain`` and ``readnoise``.
    template : float32 (ny, nx)
        What the other exposures show, without this frame's sky; NaN where there are none.
    level : float or None
        The frame's sky, which is in ``data``.
    kind : str
        ``err``: ERR as it is. ``model``: photons of template and sky, and read noise (of AstroDrizzle's
        ``driz_cr``), and not less than the scatter of the frame about the template. ``expected``: ERR without
        the photons of what only this frame shows (`expected`); the model where the frame has no ERR.

    Raises
    ------
    InputError
        The frame lacks what the noise is computed from.
    """
    if kind == "model" or (kind == "expected" and frame.err is None):
        return _model(frame, template, level or 0.0)
    if frame.err is None:
        raise InputError(
            f"{frame.member}: frame {frame.extver}: no error plane; expected ERR or an inverse variance"
        )
    return expected(frame, template, level or 0.0) if kind == "expected" else frame.err


def expected(frame: Frame, template, level: float) -> np.ndarray:
    """Return ERR without the photons of what only this frame shows, float32 (ny, nx).

    With D the frame less template and sky, the variance is ERR^2 - k D, k being the variance for each unit of
    signal. The frame itself tells k, by how ERR grows from its faint to its brightest pixels; where it does
    not grow, ERR stays as it is. It stays so where there is no template.

    The result is at least what is usual there, blank sky and the template's photons: ERR may not hold the
    pixel's noise or ray, and then there is nothing to take out. It is at most the larger of that and ERR^2.
    """
    cut = sample(frame.shape)
    data, err = frame.data[cut], frame.err[cut]
    known = np.isfinite(data) & np.isfinite(err) & (err > 0)
    if np.count_nonzero(known) < LEAST:
        return frame.err
    per_unit, _ = signal_and_variance(data[known].astype(float), np.square(err[known], dtype=float), level)
    if not per_unit:
        return frame.err
    k, out = np.float32(per_unit), np.square(frame.err)
    with np.errstate(invalid="ignore"):
        photons = np.fmax(template, np.float32(0))
        photons *= k
        seen = ~np.isnan(template)
        few = np.s_[::EVERY, ::EVERY]
        nodes = box_medians(out[few] - photons[few], seen[few] & (out[few] > 0), BOX // EVERY)
        if nodes is None:
            return frame.err
        photons += between_boxes(np.maximum(nodes, 0), frame.shape, BOX)
        taken = frame.data - np.float32(level)
        taken -= template
        taken *= -k
        taken += out
        np.fmin(taken, out, out=taken)
        np.fmax(taken, photons, out=taken)
    np.copyto(out, taken, where=seen & np.isfinite(out))
    return np.sqrt(out, out=out)


def _model(frame, template, level):
    if frame.readnoise is None:
        raise InputError(
            f"{frame.member}: frame {frame.extver}: no read noise; crmask.noise: model needs gain and read "
            "noise of the header"
        )
    electrons, sky = np.float32(frame.electrons_per_unit), np.float32(max(level, 0.0))
    blank = sky * electrons + np.float32(frame.readnoise**2)
    # a sky that was subtracted before, or a level that is relative, hides photons: the difference shows them
    nodes = scatter_in_boxes(frame.data - template, ~np.isnan(template))
    if nodes is not None:
        blank = np.maximum(between_boxes(nodes, frame.shape, BOX) * electrons, np.sqrt(blank)) ** 2
    variance = np.fmax(template + np.float32(level), sky)
    variance -= sky
    variance *= electrons
    variance += blank
    np.sqrt(variance, out=variance)
    variance /= electrons
    return variance
