"""Combine images that are held in memory, as createMedian does with single-drizzled images on disk."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from drizzleflow.combine import stack_noise
from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import median_image
from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window


@dataclass
class _InMemory(StackImage):
    """Hold one image of `combine_stack` in the form that `median_image` reads."""

    sci: np.ndarray
    wht: np.ndarray | float
    mask: np.ndarray | None
    mean_weight: float
    noise: Noise

    @property
    def window(self):
        return Window.placed(self.sci.shape)

    @property
    def uniform_weight(self):
        return None if np.ndim(self.wht) else self.wht

    def read(self, plane, y0, y1):
        return (self.sci if plane == "SCI" else self.wht)[y0:y1].astype(np.float32)

    def bad(self, y0, y1):
        return None if self.mask is None else self.mask[y0:y1]


def combine_stack(
    images,
    weights=None,
    *,
    masks=None,
    exptime=None,
    readnoise=None,
    sky=None,
    full_output=False,
    empty=0.0,
    **parameters,
):
    """Combine images of one shape, as createMedian does with single-drizzled images.

    Parameters
    ----------
    images : (N, ny, nx), float32 or what converts to it
        In e-/s. NaN is bad.
    weights : (N, ny, nx) or (N,), optional
        Exposure-time weights in seconds; by default `exptime`. Pixels without weight or with less than
        ``combine_maskpt`` times their image's mean weight (of its weights >= 1e-8) are bad, unless
        ``median_newmasks`` is False.
    masks : bool (N, ny, nx), optional
        True is bad, in addition.
    exptime : s; readnoise, sky : e-; scalars or (N,), optional
        Needed by minmed, iminmed and auto. `sky` is the level that was subtracted, 0 by default. Without
        exposure times or read noise the noise of each image is measured as a constant, from differences
        between the images.
    full_output : bool
        Return a `Combined` in place of its ``sci``.
    empty : float
        The value where no image has a good one.
    **parameters
        Those of `Parameters`.

    Returns
    -------
    float32 (ny, nx), or Combined

    Raises
    ------
    InputError
        An array has another shape, an exposure time, read noise or weight is impossible, or a parameter is
        wrong.
    """
    try:
        images = np.asarray(images)
        data = images if images.dtype == np.float32 else images.astype(np.float32)
    except (TypeError, ValueError):
        raise InputError("images: expected N images of one shape, (N, ny, nx)") from None
    if data.ndim != 3 or 0 in data.shape:
        raise InputError(f"images has shape {data.shape}, expected N images of one shape, (N, ny, nx)")
    settings = _parameters(parameters)
    n = len(data)
    times, noise = _scalars("exptime", exptime, n), _scalars("readnoise", readnoise, n)
    skies = _scalars("sky", 0.0 if sky is None else sky, n)
    masks = _array("masks", masks, [data.shape], "booleans, True = bad")
    weights = _array("weights", times if weights is None else weights, [data.shape, (n,)], "seconds")
    if weights is None:
        weights = np.ones(n)
    elif not np.all(weights[np.isfinite(weights)] >= 0) or (
        weights.ndim == 1 and not np.isfinite(weights).all()
    ):
        raise InputError("weights: expected numbers >= 0, in seconds; found others")
    singles = [
        _InMemory(
            data[i],
            weights[i] if weights.ndim == 3 else np.float32(weights[i]),
            None if masks is None else masks[i].astype(bool),
            _mean_weight(weights[i]),
            Noise(times and times[i], noise and noise[i], skies and skies[i], 1.0),
        )
        for i in range(n)
    ]
    combined = median_image(singles, Window.placed(data.shape[1:]), settings)
    combined.sci[np.isnan(combined.sci)] = empty
    return combined if full_output else combined.sci


def _parameters(given: dict) -> Parameters:
    known = [item.name for item in fields(Parameters)]
    for name in given:
        if name not in known:
            raise InputError(f"{name}: no such parameter, expected one of {', '.join(known)}")
    return Parameters(**given)


def _scalars(name, value, n):
    """Return a list of n floats from a scalar or n values; None stays None."""
    if value is None:
        return None
    values = list(value) if np.ndim(value) else [value] * n
    if len(values) != n:
        raise InputError(f"{name} has {len(values)} values, expected one or {n}, as many as images")
    for index, one in enumerate(values):
        stack_noise.check(name, one, index)
    return [float(one) for one in values]


def _array(name, value, shapes, what):
    if value is None:
        return None
    try:
        value = np.asarray(value)
    except ValueError:
        value = np.empty(0)
    if value.shape not in shapes or value.dtype.kind not in "biuf":
        raise InputError(f"{name} has shape {value.shape}, expected {what}, {' or '.join(map(str, shapes))}")
    return value


def _mean_weight(weight) -> float:
    """Return the mean of the weights of at least 1e-8, as createMedian does; NaN where there are none."""
    used = weight[weight >= 1e-8] if np.ndim(weight) else np.array([weight] if weight >= 1e-8 else [])
    return float(used.mean(dtype=np.float64)) if used.size else float("nan")
