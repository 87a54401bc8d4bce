"""Combine a stack of single-drizzled images, section by section.

Source: jwst.outlier_detection and drizzlepac's createMedian.

Only sections of rows of the images are in memory at a time (``combine_bufsize`` MiB an image), files are
opened for one read and closed, and images may be windows of different size and place on one grid. A section
holds the rows around it that its own pixels depend on (``combine_grow``), so the result depends neither on
the sections nor on the part of the grid asked for.

The statistics are in `drizzleflow.arrays.ranks`, `minmed` and `auto`, the parameters in `parameters`; what is
kept so that one image can be taken out again, in `leave_one_out`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from drizzleflow.arrays.ranks import tiles, total, trimmed_mean, trimmed_median
from drizzleflow.combine import auto as autocombine
from drizzleflow.combine import holes, leave_one_out, stack_noise
from drizzleflow.combine.good_values import good_values, read_values
from drizzleflow.combine.group_noise import GroupNoise
from drizzleflow.combine.leave_one_out import ClippedMean, Limits
from drizzleflow.combine.minmed import min_med
from drizzleflow.combine.parameters import Parameters, advice
from drizzleflow.errors import InputError
from drizzleflow.frames.bands import bands
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window
from drizzleflow.io import spool

#: share of the buffer for pixels; the rest is for the blocks being sorted and for opening files
USABLE = 0.75
NARROW = 512  #: columns of a section at least, where the window has them


@dataclass
class Combined:
    """Hold a combined image, with its number of values, uncertainty and notes."""

    sci: np.ndarray  #: float32 (ny, nx)
    #: int16 (ny, nx): good values of each pixel, before nlow and nhigh; for the sum: values
    nused: np.ndarray
    err: np.ndarray | None = None  #: float32 (ny, nx), the uncertainty of sci where the type gives one (auto)
    advice: list[str] = field(default_factory=list)  #: on the parameters, and how the noise was found
    filled: int = 0  #: pixels without a good value that have the last image's (the types that begin with i)
    deepest: int = 0  #: the largest of `nused`
    clipped: ClippedMean | None = None  #: the mean of the values that fit sci, where limits were given
    groups: list[GroupNoise] = field(default_factory=list)  #: with `clipped`: one for each image

    @property
    def notes(self) -> list[str]:
        """The advice, and what was done without being asked for."""
        return [*self.advice, *filling(self.filled)]


def filling(pixels: int) -> list[str]:
    """Return a line on pixels that were filled, where there are any."""
    return [f"{pixels} pixels without a good value have the last image's value"] if pixels else []


def median_image(
    singles: list[StackImage],
    window,
    parameters: Parameters | None = None,
    limits: Limits | None = None,
    folder=None,
) -> Combined:
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
    limits : Limits, optional
        Also make the clipped mean (`drizzleflow.combine.leave_one_out`) with these limits.
    folder : path, optional
        Where the planes are kept, as `drizzleflow.io.spool.Spool`; by default they are arrays.

    Returns
    -------
    Combined
        ``sci`` and ``err`` are NaN where no image has a good value.

    Raises
    ------
    InputError
        nlow and nhigh leave no value; an image's exposure time or read noise is impossible; a clipped mean of
        a sum.
    """
    p = parameters or Parameters()
    n = len(singles)
    p.check_depth(n)
    job = _Job(singles, Window(*window), p, limits)
    planes = {name: spool.plane(job.window.shape, fill, folder) for name, fill in job.planes.items()}
    for first, sections in job.strips():
        parts = [job.combine(*section) for section in sections]
        for name, plane in planes.items():
            made = [part[name] for part in parts]
            spool.put(plane, first, made[0] if len(made) == 1 else np.concatenate(made, axis=1))
    clipped = ClippedMean(*(planes[name] for name in leave_one_out.NAMES)) if limits else None
    said, err = advice(p, n) + job.notes, planes.get("ERR")
    return Combined(planes["SCI"], planes["NUSED"], err, said, job.filled, job.deepest, clipped, job.groups)


class _Job:
    """Hold the state of one call of `median_image`: what it knows of the images, and the buffers.

    Attributes
    ----------
    planes : dict
        Name of a plane that is made -> its value where there is no image.
    """

    def __init__(self, singles, window, parameters, limits):
        self.singles, self.p, self.limits = singles, parameters, limits
        self.window, self.method = window, parameters.statistic
        self.planes = {"SCI": np.float32(np.nan), "NUSED": np.int16(0)}
        if self.method == "auto":
            self.planes["ERR"] = np.float32(np.nan)
        self.filled, self.deepest, self.notes, self.noise, self.groups = 0, 0, [], None, []
        if (parameters.needs_noise or limits) and singles:
            self.noise, self.notes = stack_noise.of_images(singles, partial(good_values, p=parameters))
            if len(singles) == 1:
                self.notes = []
        if limits:
            if self.method == "sum":
                raise InputError("combine_type is sum, expected another one for a clipped mean")
            self.planes |= dict(zip(leave_one_out.NAMES, leave_one_out.FILLS, strict=True))
            self.weights = leave_one_out.image_weights(self.noise.constant)
            numbers = (self.noise.constant, self.noise.slope, self.weights)
            self.groups = [GroupNoise(*row) for row in np.transpose(numbers).tolist()]
        compares = self.method in ("auto", "minmed")
        # weights that are one number per image need no buffer
        self.mapped = compares and any(single.uniform_weight is None for single in singles)
        # the minimum is compared within grow pixels; autocombine looks one pixel further, and about holes
        self.halo = parameters.combine_grow if compares else 0
        if self.method == "auto":
            self.halo += 1 + (holes.REACH if parameters.hole_nsigma else 0)
        if limits:
            self.halo += leave_one_out.REACH

    def strips(self):
        """List (first row, sections of these rows); a section: its window, with the halo, and who meets it.

        Rows that no image meets are left out. A strip has several sections, side by side, where the window is
        so wide that few rows of it fit into the buffer.
        """
        halo, whole, planes = self.halo, self.window, 2 if self.mapped else 1
        if whole.empty:
            return []
        extra = {"auto": 6, "minmed": 3}.get(self.method, 0) / max(len(self.singles), 1)
        fit = int(self.p.combine_bufsize * 2**20 * USABLE / (4 * (planes + extra)))  # pixels
        ny, nx = whole.shape
        columns = max(1, min(nx, max(NARROW, fit // max(1, 8 * halo)) - 2 * halo))
        rows = max(1, min(ny, max(1, fit // (columns + 2 * halo) - 2 * halo, 2 * halo)))
        across = bands(nx, -(-nx // columns))
        listed = []
        for first, end in bands(ny, -(-ny // rows)):  # of about equal heights: a last low one costs as much
            sections = []
            for left, right in across:
                box = Window(whole.x0 + left, whole.x0 + right, whole.y0 + first, whole.y0 + end).grown(halo)
                meeting = [i for i, s in enumerate(self.singles) if not box.intersection(s.window).empty]
                sections.append((box, meeting))
            if any(meeting for _, meeting in sections):
                listed.append((first, sections))
        largest = max(
            (len(meeting) * box.shape[0] * box.shape[1] for _, part in listed for box, meeting in part),
            default=0,
        )
        self.buffer = np.empty(planes * largest, np.float32)
        return listed

    def combine(self, box, meeting) -> dict[str, np.ndarray]:
        """Return the planes inside `box` (with halo) from the images that meet it, indices `meeting`."""
        halo, p = self.halo, self.p
        shape = len(meeting), *box.shape
        if not meeting:
            return {name: np.full(box.grown(-halo).shape, fill) for name, fill in self.planes.items()}
        size = shape[0] * shape[1] * shape[2]
        data = self.buffer[:size].reshape(shape)
        weights = self.buffer[size : 2 * size].reshape(shape) if self.mapped else None
        latest = np.full(shape[1:], np.nan, np.float32) if p.fills else None
        for k, index in enumerate(meeting):
            self._read(self.singles[index], data[k], box, None if weights is None else weights[k], latest)
        made = {}
        if self.method in ("auto", "minmed"):
            if weights is None and self.method == "minmed":
                weights = np.array([self.singles[index].uniform_weight for index in meeting], np.float32)
            sci, err, count = self._compare(data, weights, self.noise[meeting])
            if err is not None:
                made["ERR"] = err
        else:
            sci, count = self._tiles(data)
        if self.limits:
            clipped = leave_one_out.clipped_mean(
                data, sci, count, self.noise[meeting], self.weights[meeting], self.limits
            )
            made |= zip(leave_one_out.NAMES, clipped, strict=True)
        inner = np.s_[halo : shape[1] - halo, halo : shape[2] - halo]
        made = {name: plane[inner] for name, plane in (made | {"SCI": sci, "NUSED": count}).items()}
        if latest is not None:
            lacking = (made["NUSED"] == 0) & ~np.isnan(latest[inner])
            np.copyto(made["SCI"], latest[inner], where=lacking)
            self.filled += int(np.count_nonzero(lacking))
        self.deepest = max(self.deepest, int(made["NUSED"].max(initial=0)))
        return made

    def _compare(self, data, weights, noise):
        """Combine a section by auto or minmed; return (sci, err or None, count)."""
        p = self.p
        if self.method == "auto":
            return autocombine.combine(
                data,
                weights,
                noise,
                nsigma=p.combine_nsigma,
                grow=p.combine_grow,
                hole_nsigma=p.hole_nsigma,
            )
        sci = min_med(
            data, weights, noise, nsigma=p.combine_nsigma, grow=p.combine_grow, images=len(self.singles)
        )
        count = np.zeros(data.shape[1:], np.int16)
        for plane in data:
            count += ~np.isnan(plane)
        return sci, None, count

    def _tiles(self, data):
        """Combine a section tile by tile by a statistic of each pixel's values; return (sci, count)."""
        sci, nused = np.empty(data.shape[1:], np.float32), np.empty(data.shape[1:], np.int16)
        for place, block in tiles(data):
            values, count = self._statistic(block)
            form = sci[place].shape
            sci[place] = values.reshape(form)
            nused[place] = count.reshape(form) if np.ndim(count) else count
        return sci, nused

    def _statistic(self, block):
        p = self.p
        if self.method == "sum":
            return total(block)
        function = trimmed_median if self.method == "median" else trimmed_mean
        return function(block, p.combine_nlow, p.combine_nhigh)

    def _read(self, single, plane, box, weights=None, latest=None):
        """Fill `plane`, which holds the window `box`, with a single's good values, NaN elsewhere.

        `weights` receives its weights (`_scaled`), `latest` its values, good or bad, where it has any.
        """
        plane[...] = np.nan
        if weights is not None:
            weights[...] = (
                self.method == "auto"
            )  # there relative to the mean, and not looked at where data are missing
        shared = box.intersection(single.window)
        if shared.empty:
            return
        here = shared.inside(box)
        data, bad, weight = read_values(single, shared, self.p, weights is not None)
        if latest is not None:
            target = latest[here]
            np.copyto(target, data, where=~np.isnan(data))
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
