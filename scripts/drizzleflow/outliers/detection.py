"""Detect outliers in frames held in memory, with the steps, settings and functions of the workflow.

The class has the name and the first two arguments of `jwst.outlier_detection.OutlierDetection`.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from drizzleflow import formats
from drizzleflow.combine.leave_one_out import NAMES, Limits
from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import median_image
from drizzleflow.errors import InputError
from drizzleflow.frames.variances import with_sky_variance
from drizzleflow.frames.windowed import WindowedArrays, expect_one_shape, union
from drizzleflow.geometry import astrodrizzle_frame, footprint
from drizzleflow.geometry.build_grid import product_grid
from drizzleflow.geometry.lattice import Lattice
from drizzleflow.geometry.pixmap import frame_pixmap
from drizzleflow.outliers import static_mask
from drizzleflow.outliers.comparison import Comparison
from drizzleflow.plan import config
from drizzleflow.resample import single
from drizzleflow.resample.weights import planes_of

__all__ = ["OutlierDetection"]

log = logging.getLogger("drizzleflow")

#: sections of the configuration that are used here; no key is in two of them
SECTIONS = ("grid", "single_drizzle", "static_mask", "median", "crmask")
#: keys of these sections that only say which files a run writes, and how its jobs share the work
ONLY_RUNS = ("corr", "driz_cr_corr", "bands")


class OutlierDetection:
    """Flag the outliers of dithered frames in their DQ arrays, as a run of the workflow flags them.

    Frames of one group are drizzled together, the groups' images combined, and each frame compared with the
    other groups, or with the median (``reference``).

    Parameters
    ----------
    input_models : list of drizzleflow.frames.frame.Frame
        With ``data`` and ``err`` (float32, (ny, nx), in the frame's ``unit``), ``dq`` (uint32, (ny, nx)), the
        variances that ``weight_type`` asks for, a WCS and a ``group``. Frames of one group were exposed
        together; each integration of a cube is a group of its own. All have one unit. `do_detection` changes
        ``dq`` and nothing else.
    reffiles : optional
        Accepted because jwst has this argument; nothing is read from it.
    format : str
        The format whose flag bits ``dq`` has: jwst, roman, hst or simple.
    preset : None, 'jwst' or 'hst'
        The system whose defaults are used, as in the configuration. None: the workflow's own defaults, in
        ``config/config.yaml``.
    levels : sequence of float or None, optional
        The sky of each frame, in its unit per pixel: subtracted before drizzling, and counted as noise in the
        comparison. None for a frame: nothing is subtracted. By default the levels that frames record
        themselves (``level``), where these are not subtracted already (``subtracted`` is False). A run
        measures them; `drizzleflow.sky.match` does so in memory.
    **pars
        Keys of the configuration's sections ``grid``, ``single_drizzle``, ``static_mask``, ``median`` and
        ``crmask``, by their own names or an alias: ``weight_type``, ``pixfrac``, ``kernel``, ``fillval``,
        ``good_bits``, ``resample_data``, ``maskpt``, ``combine_type``, ``snr``, ``scale``, ``backg``,
        ``pixel_scale`` ... config/README.md explains each. ``kernel``, ``pixfrac`` and the like are those of
        ``single_drizzle``: no mosaic is made. ``static`` is for HST frames, which tell their detector.

    Attributes
    ----------
    options : dict
        The settings, {section: {key: value}}.
    masks : list of bool (ny, nx)
        After `do_detection`: True at the outliers of each frame.
    measured : list of dict
        After `do_detection`, where exposures were compared with the others: what was measured in each frame,
        by the names of the columns of ``frames.csv``.

    Raises
    ------
    TypeError
        An unknown parameter.
    InputError
        (a ValueError) a value that is not allowed, or not one level for each frame.

    Examples
    --------
    >>> frames = [formats.read(member, 1, ("data", "err", "dq", "var")) for member in members]
    >>> detection = OutlierDetection(frames, preset="jwst", snr="4.0 3.0", levels=[0.21, 0.24, 0.19])
    >>> detection.do_detection()
    [312, 287, 301]
    """

    def __init__(self, input_models, reffiles=None, *, format="jwst", preset=None, levels=None, **pars):
        self.input_models, self.reffiles = list(input_models), reffiles
        self.format, self.masks, self.measured = formats.get(format), [], []
        self.options = _options(preset, pars)
        if levels is None:
            self.levels = [f.level if f.subtracted is False else None for f in self.input_models]
        else:
            self.levels = [None if level is None else float(level) for level in levels]
        if len(self.levels) != len(self.input_models):
            raise InputError(
                f"levels: {len(self.levels)} of them, expected {len(self.input_models)}, one a frame"
            )

    def do_detection(self) -> list[int]:
        """Run all steps: set the format's outlier bits in each frame's ``dq``, and `masks`.

        A frame without ``dq`` gets one. Nothing is flagged where ``median`` is False or there are fewer than
        two groups (without resampling: two frames).

        Returns
        -------
        list of int
            Outliers of each frame.

        Raises
        ------
        InputError
            A frame that cannot be compared (no error plane, another unit, another shape without resampling
            ...); then nothing is flagged.
        """
        frames, options = self.input_models, self.options
        resampled = options["single_drizzle"]["resample_data"]
        groups = {}
        for index, frame in enumerate(frames):
            groups.setdefault(frame.group if resampled else index, []).append(index)
        self.masks, self.measured = [np.zeros(frame.shape, bool) for frame in frames], []
        if len(groups) > 1 and options["median"]["median"]:
            self.masks = self._resampled(groups) if resampled else self._aligned()
        for frame, mask in zip(frames, self.masks, strict=True):
            if frame.dq is None:
                frame.dq = np.zeros(frame.shape, np.uint32)
            frame.dq[mask] |= np.uint32(self.format.OUTLIER)
        return [int(np.count_nonzero(mask)) for mask in self.masks]

    def _resampled(self, groups) -> list[np.ndarray]:
        """Return the masks found by way of the grid: drizzle, combine, blot, compare."""
        options = self.options
        settings = options["single_drizzle"]
        grid, pixmap = self._geometry()
        frames = [frame.on_grid(grid) for frame in self.input_models]
        to_drizzle = self._to_drizzle(frames)
        index_of = {id(frame): index for index, frame in enumerate(to_drizzle)}
        images = [
            single.drizzle(
                [(to_drizzle[index], self.levels[index]) for index in members],
                grid,
                lambda frame: pixmap(index_of[id(frame)]),
                settings,
                **self._flags(),
                pad=options["grid"]["pad"],
            )
            for members in groups.values()
        ]
        comparison = self._comparison(dict(zip(groups, images, strict=True)), grid.pixel_scale_ratio or 1.0)
        return [
            self._compare(comparison, index, frame, pixmap(index), frame.group)
            for index, frame in enumerate(frames)
        ]

    def _aligned(self) -> list[np.ndarray]:
        """Return the masks found without resampling, where all frames lie on the same pixels."""
        frames, settings = self.input_models, self.options["single_drizzle"]
        if any(frame.per_pixel and frame.pixelarea_steradians for frame in frames):
            grid, _ = self._geometry()
            frames = [frame.on_grid(grid) for frame in frames]
        levels = self.levels if self._against_others else [None] * len(frames)
        images = [
            single.unresampled(frame, level, settings, **self._flags())
            for frame, level in zip(self._to_drizzle(frames), levels, strict=True)
        ]
        expect_one_shape(images)
        comparison = self._comparison(dict(enumerate(images)))
        return [self._compare(comparison, index, frame, None, index) for index, frame in enumerate(frames)]

    @property
    def _against_others(self) -> bool:
        return self.options["crmask"]["reference"] == "others"

    def _compare(self, comparison, index, frame, pixmap, group) -> np.ndarray:
        mask, _, measured = comparison.compare(frame, pixmap, self.levels[index], group)
        self.measured.append(measured)
        return mask

    def _comparison(self, images: dict, ratio: float = 1.0) -> Comparison:
        """Combine the images (group -> image) and return what compares frames with them."""
        settings, singles = self.options["median"], list(images.values())
        for image in singles:
            image.threshold_of = settings["threshold_of"]
        window = union(singles)
        limits = Limits.of(settings) if self._against_others else None
        made = median_image(singles, window, Parameters.of(settings), limits)
        for note in made.notes:
            log.warning("%s", note)
        arrays = {"SCI": made.sci, "NUSED": made.nused} | ({} if made.err is None else {"ERR": made.err})
        if made.clipped is not None:
            arrays |= dict(zip(NAMES, made.clipped, strict=True))
        groups = dict(zip(images, made.groups, strict=False))
        combined = WindowedArrays(arrays, window)
        return Comparison(self.options, combined, self.format, images, groups, ratio)

    def _geometry(self):
        """Return the grid, and a function that gives the pixel map of the frame with a given number."""
        settings, step = self.options["grid"], self.options["single_drizzle"]
        wcs, described = [frame.wcs for frame in self.input_models], []
        for one, frame in zip(wcs, self.input_models, strict=True):
            place = footprint.describe(one, frame.s_region)
            if settings["method"] == "astrodrizzle":
                place |= astrodrizzle_frame.describe(frame, one)
            unit = frame.product_unit or frame.unit
            described.append({**place, "member": frame.member, "group": frame.group, "unit": unit})
        grid, outside = product_grid(described, settings)
        for index in outside:
            frame = self.input_models[index]
            log.warning("%s %d falls outside the output grid", frame.member, frame.extver)
        stepsize, order, tolerance = (
            step["pixmap_stepsize"],
            step["pixmap_order"],
            settings["pixmap_tolerance"],
        )
        if stepsize == "auto":
            order = 3
        lattices = {}

        def pixmap(index):
            frame = replace(self.input_models[index], open_wcs=lambda: wcs[index])

            def lattice():
                if index not in lattices:
                    lattices[index] = Lattice.sample(
                        wcs[index], stepsize=stepsize, order=order, tolerance=tolerance
                    )
                return lattices[index]

            return frame_pixmap(frame, grid, lattice, stepsize, tolerance)

        return grid, pixmap

    def _to_drizzle(self, frames) -> list:
        """Return the frames prepared for drizzling: static masks applied, planes for the weights added."""
        settings = self.options["single_drizzle"]
        planes, masks, made = planes_of(settings, self.format.ERR_ALONE), self._static_masks(frames), []
        for frame in frames:
            one = replace(
                frame,
                err=frame.err if "err" in planes else None,
                var=dict(frame.var) if "var" in planes else {},
            )
            if masks:
                one.data = np.where(masks[_detector(frame)], frame.data, np.float32(np.nan))
            made.append(with_sky_variance(one) if settings["weight_type"] == "ivm-sky" else one)
        return made

    def _static_masks(self, frames) -> dict:
        """Return the static mask of each detector and chip; an empty dict where none is asked for."""
        settings = self.options["static_mask"]
        if not settings["static"]:
            return {}
        images = {}
        for frame in frames:
            images.setdefault(_detector(frame), []).append(frame.data)
        return {key: static_mask.static_mask(found, settings["static_sig"]) for key, found in images.items()}

    def _flags(self) -> dict:
        chosen = self.options["single_drizzle"]["good_bits"]
        return {
            "good_bits": formats.good_bits(self.format, "single", chosen),
            "flags": self.format.DQ_FLAGS,
        }


def _options(preset, pars: dict) -> dict:
    """Return the settings by section, from the configuration's defaults, a preset and keyword arguments."""
    section_of = {name: section for section, names in config.names(SECTIONS).items() for name in names}
    unknown = sorted(name for name in pars if name not in section_of or name in ONLY_RUNS)
    if unknown:
        raise TypeError(f"OutlierDetection: unknown parameters {', '.join(unknown)}")
    user = {"preset": preset} if preset is not None else {}
    for name, value in pars.items():
        user.setdefault(section_of[name], {})[name] = value
    resolved = config.standard(user)
    options = config.for_product(resolved)
    for note in config.without_effect(resolved):
        log.warning("%s", note)
    return {section: options[section] for section in SECTIONS}


def _detector(frame) -> tuple:
    """Return the key by which frames share a static mask.

    In a run `drizzleflow.outliers.static_mask.signature` gives that key.
    """
    header = frame.meta.get("primary")
    if header is None:
        raise InputError(
            f"{frame.member}: static: the frame does not tell its detector; "
            "in memory static masks are for HST frames"
        )
    member = {"instrument": header.get("INSTRUME"), "detector": header.get("DETECTOR")}
    return static_mask.signature(member, frame)
