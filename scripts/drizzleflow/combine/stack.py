"""Combine a stack of single-drizzled images, section by section.

Source: jwst.outlier_detection and drizzlepac's createMedian.

Only sections of rows of the images are in memory at a time (``combine_bufsize`` MiB an image), files are
opened for one read and closed, and images may be windows of different size and place on one grid. A section
holds the rows around it that its own pixels depend on (``combine_grow``), so the result depends neither on
the sections nor on the part of the grid asked for.

The statistics are in `drizzleflow.arrays.ranks`, `minmed` and `auto`, the parameters in `parameters`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from drizzleflow.arrays.ranks import nanmedian, tiles, total, trimmed_mean, trimmed_median
from drizzleflow.combine import auto as autocombine
from drizzleflow.combine import stack_noise
from drizzleflow.combine.minmed import min_med
from drizzleflow.combine.parameters import Parameters, advice
from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window

__all__ = ["Combined", "Parameters", "advice", "combine_stack", "median_image", "nanmedian"]

#: share of the buffer for pixels; the rest is for the blocks being sorted and for opening files
USABLE = 0.75


@dataclass
class Combined:
    """Hold a combined image, with its number of values, uncertainty and notes."""

    sci: np.ndarray  #: float32 (ny, nx)
    nused: (
        np.ndarray
    )  #: int16 (ny, nx): good values of each pixel, before nlow and nhigh; for the sum: values
    err: np.ndarray | None = None  #: float32 (ny, nx), the uncertainty of sci where the type gives one (auto)
    notes: list[str] = field(default_factory=list)  #: advice, and what was done without being asked for


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


def median_image(singles: list[StackImage], window, parameters: Parameters | None = None) -> Combined:
    """Combine single-drizzled images in sections of rows.

    Parameters
    ----------
    singles : list of StackImage
        Images on disk or in memory, such as `drizzleflow.frames.windowed.Windowed` and
        `drizzleflow.resample.single.SingleImage`. Their ``noise`` and ``weight_type`` count for auto and
        minmed only.
    window : Window
        The part of the grid to combine: (x0, x1, y0, y1), half open.
    parameters : Parameters

    Returns
    -------
    Combined
        ``sci`` and ``err`` are NaN where no image has a good value.

    Raises
    ------
    InputError
        nlow and nhigh leave no value, or an image's exposure time or read noise is impossible.
    """
    p = parameters or Parameters()
    n = len(singles)
    p.check_depth(n)
    job = _Job(singles, Window(*window), p)
    for section in job.sections():
        job.combine(*section)
    notes = advice(p, n) + job.notes
    if job.filled:
        notes.append(
            f"{job.filled} pixels without a good value have the last image's value (combine_type {p.combine_type})"
        )
    return Combined(job.sci, job.nused, job.err, notes)


class _Job:
    """Hold the state of one call of `median_image`: the output being filled, and the buffers."""

    def __init__(self, singles, window, parameters):
        self.singles, self.p = singles, parameters
        self.window, shape = window, window.shape
        self.sci, self.nused = np.full(shape, np.nan, np.float32), np.zeros(shape, np.int16)
        self.method = parameters.statistic
        self.err = np.full(shape, np.nan, np.float32) if self.method == "auto" else None
        self.filled, self.notes, self.noise = 0, [], None
        if parameters.needs_noise and singles:
            self.noise, self.notes = stack_noise.of_images(singles, self._good)
            if len(singles) == 1:
                self.notes = []
        # weights that are one number per image need no buffer
        self.mapped = self.noise is not None and any(single.uniform_weight is None for single in singles)
        # the minimum is compared within grow pixels; autocombine looks one pixel further
        self.halo = {"auto": parameters.combine_grow + 1, "minmed": parameters.combine_grow}.get(
            self.method, 0
        )

    def sections(self):
        """Yield (window, singles that overlap it): windows of some rows, with the halo around them."""
        halo, whole, planes = self.halo, self.window, 2 if self.mapped else 1
        extra = {"auto": 6, "minmed": 3}.get(self.method, 0) / max(len(self.singles), 1)
        width = whole.shape[1] + 2 * halo
        fit = int(self.p.combine_bufsize * 2**20 * USABLE / (4 * width * (planes + extra)))
        rows = min(whole.shape[0], max(1, fit - 2 * halo, 2 * halo))
        listed = []
        for first in range(whole.y0, whole.y1, rows):
            box = whole._replace(y0=first, y1=min(first + rows, whole.y1)).grown(halo)
            meeting = [i for i, s in enumerate(self.singles) if s.window.y0 < box.y1 and s.window.y1 > box.y0]
            if meeting:
                listed.append((box, meeting))
        deepest = max((len(meeting) for _, meeting in listed), default=0)
        self.buffer = np.empty(planes * deepest * (rows + 2 * halo) * width, np.float32)
        return listed

    def combine(self, box, meeting):
        """Fill the output's rows inside `box` (with halo) from the overlapping images, indices `meeting`."""
        halo, p = self.halo, self.p
        shape = len(meeting), *box.shape
        size = shape[0] * shape[1] * shape[2]
        data = self.buffer[:size].reshape(shape)
        weights = self.buffer[size : 2 * size].reshape(shape) if self.mapped else None
        latest = np.full(shape[1:], np.nan, np.float32) if p.fills else None
        for k, index in enumerate(meeting):
            self._read(self.singles[index], data[k], box, None if weights is None else weights[k], latest)
        rows = box.grown(-halo).inside(self.window)[0]
        inner = np.s_[halo : shape[1] - halo, halo : shape[2] - halo]
        if self.method in ("auto", "minmed"):
            if weights is None and self.method == "minmed":
                weights = np.array([self.singles[index].uniform_weight for index in meeting], np.float32)
            sci, err, count = self._compare(data, weights, self.noise[meeting])
            self.sci[rows], self.nused[rows] = sci[inner], count[inner]
            if err is not None:
                self.err[rows] = err[inner]
        else:
            self._tiles(data, self.sci[rows], self.nused[rows])
        if latest is not None:
            target = self.sci[rows]
            lacking = (self.nused[rows] == 0) & ~np.isnan(latest[inner])
            np.copyto(target, latest[inner], where=lacking)
            self.filled += int(np.count_nonzero(lacking))

    def _compare(self, data, weights, noise):
        """Combine a section by auto or minmed; return (sci, err or None, count)."""
        p = self.p
        if self.method == "auto":
            return autocombine.combine(data, weights, noise, nsigma=p.combine_nsigma, grow=p.combine_grow)
        sci = min_med(
            data, weights, noise, nsigma=p.combine_nsigma, grow=p.combine_grow, images=len(self.singles)
        )
        count = np.zeros(data.shape[1:], np.int16)
        for plane in data:
            count += ~np.isnan(plane)
        return sci, None, count

    def _tiles(self, data, sci, nused):
        """Combine a section tile by tile by a statistic of each pixel's values, into `sci` and `nused`."""
        for place, block in tiles(data):
            values, count = self._statistic(block)
            form = sci[place].shape
            sci[place] = values.reshape(form)
            nused[place] = count.reshape(form) if np.ndim(count) else count

    def _statistic(self, block):
        p = self.p
        if self.method == "sum":
            return total(block)
        function = trimmed_median if self.method == "median" else trimmed_mean
        return function(block, p.combine_nlow, p.combine_nhigh)

    def _good(self, single, box):
        """Return a single's good values in a window, NaN elsewhere."""
        plane = np.empty(box.shape, np.float32)
        self._read(single, plane, box)
        return plane

    def _read(self, single, plane, box, weights=None, latest=None):
        """Fill `plane`, which holds the window `box`, with a single's good values, NaN elsewhere.

        `weights` receives its weights (`_scaled`), `latest` its values, good or bad, where it has any.
        """
        p = self.p
        plane[...] = np.nan
        if weights is not None:
            weights[...] = (
                self.method == "auto"
            )  # there relative to the mean, and not looked at where data are missing
        shared = box.intersection(single.window)
        if shared.empty:
            return
        here, (rows, columns) = shared.inside(box), shared.inside(single.window)
        span, there = (rows.start, rows.stop), np.s_[:, columns]
        data = single.read("SCI", *span)[there]
        if latest is not None:
            target = latest[here]
            np.copyto(target, data, where=~np.isnan(data))
        bad = np.zeros(data.shape, bool)
        mask = single.bad(*span)
        if mask is not None:
            bad |= mask[there]
        masking = p.median_newmasks and self.method != "sum"
        weight = single.uniform_weight
        if weight is None and (masking or weights is not None):
            weight = single.read("WHT", *span)[there]
        with np.errstate(invalid="ignore"):
            if masking:
                # an image without weight has no good pixel; jwst and drizzlepac take its zeros for data
                bad |= ~(weight >= p.combine_maskpt * single.mean_weight) | (weight == 0)
            if p.clips:
                if p.combine_lthresh is not None:
                    bad |= data < np.float64(p.combine_lthresh)
                if p.combine_hthresh is not None:
                    bad |= data >= np.float64(p.combine_hthresh)
        plane[here] = data
        if self.method != "sum":
            plane[here][bad] = np.nan
        if weights is not None:
            weights[here] = self._scaled(single, weight)

    def _scaled(self, single, weight):
        """Return weights as the method needs them: relative to the mean for auto, in seconds for minmed."""
        weight = np.nan_to_num(weight, nan=0.0, posinf=0.0, neginf=0.0)
        mean = single.mean_weight
        if self.method == "auto":
            relative = weight / np.float32(mean) if mean > 0 else np.ones_like(weight)
            relative[~(relative > 0)] = 1  # only where bad pixels are used on purpose
            return relative
        if single.weight_type != "exptime" and mean > 0 and self.noise.poisson:
            return weight * np.float32(single.noise.exptime / mean)
        return weight
