"""Variance planes that a file does not have: of the blank sky, and from ERR."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drizzleflow.frames.frame import Frame


def background_variance(total, box: int = 64) -> np.ndarray:
    """The variance of the blank sky from a frame's total variance: its median in boxes, interpolated.

    Weights from the total variance would follow the sources' own photons: bright pixels would count less (a
    mosaic's stars would come out too faint) and ``maskpt`` would drop them. Pixels without a positive finite
    variance keep it.

    Parameters
    ----------
    total : float32 (ny, nx)
    box : int
        Side of a box in pixels.
    """
    ny, nx = total.shape
    usable = np.isfinite(total) & (total > 0)
    rows, columns = np.arange(0, ny, box), np.arange(0, nx, box)
    nodes = np.full((len(rows), len(columns)), np.nan)
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            inside = usable[y : y + box, x : x + box]
            if inside.any():
                nodes[i, j] = np.median(total[y : y + box, x : x + box][inside])
    if not np.isfinite(nodes).any():
        return total
    nodes[np.isnan(nodes)] = np.nanmedian(nodes)
    at_y, at_x = (
        np.minimum(rows + box, ny) / 2 + rows / 2 - 0.5,
        np.minimum(columns + box, nx) / 2 + columns / 2 - 0.5,
    )
    across = np.array([np.interp(np.arange(nx), at_x, row) for row in nodes])
    smooth = np.array([np.interp(np.arange(ny), at_y, column) for column in across.T]).T
    return np.where(usable, smooth, total).astype(np.float32)


def with_sky_variance(frame: Frame) -> Frame:
    """A whole frame with ``var['sky']``: its read noise and the photon noise of the blank sky (``ivm-sky``).

    Without the sources' own photons, which would make the weights follow the sources. A frame without
    read-noise variance stays as it is.
    """
    if "rnoise" not in frame.var:
        return frame
    sky = frame.var["rnoise"]
    if "poisson" in frame.var:  # without: `rnoise` is of the background already, see `variances_from_err`
        sky = sky + background_variance(frame.var["poisson"])
    return replace(frame, var={**frame.var, "sky": sky})


def variances_from_err(frame) -> None:
    """Give a frame with ERR alone ``var['total']`` to propagate, and its background as ``rnoise``.

    A read-noise plane that is there already stays.
    """
    if frame.err is not None and "poisson" not in frame.var:
        frame.var["total"] = frame.err * frame.err
        frame.var.setdefault("rnoise", background_variance(frame.var["total"]))
