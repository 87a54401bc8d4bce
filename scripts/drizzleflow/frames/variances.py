"""Compute variance planes that a file lacks: of the blank sky, and from ERR."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drizzleflow.arrays.boxes import box_medians, centres
from drizzleflow.frames.frame import Frame


def background_variance(total, box: int = 64) -> np.ndarray:
    """Estimate the variance of the blank sky from the medians of the total variance in boxes, interpolated.

    Weights from the total variance would include the sources' own photon noise: bright pixels would count
    less (stars would come out too faint in a mosaic) and ``maskpt`` would drop them. A pixel whose variance
    is not a positive finite number keeps that value.

    Parameters
    ----------
    total : float32 (ny, nx)
        The total variance, unit of the data squared.
    box : int
        Side of a box in pixels.
    """
    usable = np.isfinite(total) & (total > 0)
    nodes = box_medians(total, usable, box)
    if nodes is None:
        return total
    at_y, at_x = centres(total.shape, box)
    ny, nx = total.shape
    across = np.array([np.interp(np.arange(nx), at_x, row) for row in nodes])
    smooth = np.array([np.interp(np.arange(ny), at_y, column) for column in across.T]).T
    return np.where(usable, smooth, total).astype(np.float32)


def with_sky_variance(frame: Frame) -> Frame:
    """Add ``var['sky']`` to a whole frame: variance of the read noise and of the blank sky's photons.

    The weights ``ivm-sky`` use it. The photon noise of sources is left out, so that weights do not depend on
    the sources. A frame without read-noise variance stays as it is.
    """
    if "rnoise" not in frame.var:
        return frame
    sky = frame.var["rnoise"]
    if "poisson" in frame.var:  # without it `rnoise` is the background's already: `variances_from_err`
        sky = sky + background_variance(frame.var["poisson"])
    return replace(frame, var={**frame.var, "sky": sky})


def variances_from_err(frame) -> None:
    """Give a frame that has only ERR the planes ``var['total']`` and ``var['rnoise']``.

    The first is ERR squared, which is propagated; the second is the variance of the background. A read-noise
    plane that exists stays as it is.
    """
    if frame.err is not None and "poisson" not in frame.var:
        frame.var["total"] = frame.err * frame.err
        frame.var.setdefault("rnoise", background_variance(frame.var["total"]))
