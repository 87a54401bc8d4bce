"""Compare the frames of a product one by one, as the configuration asks: with the others or with the median."""

from __future__ import annotations

import numpy as np

from drizzleflow import formats
from drizzleflow.arrays import dq
from drizzleflow.combine import group_noise
from drizzleflow.combine.leave_one_out import Limits
from drizzleflow.combine.parameters import Parameters
from drizzleflow.frames.frame import Frame, scale_ratio
from drizzleflow.frames.windowed import Windowed
from drizzleflow.outliers.compare import compare, compare_aligned, compare_with_others
from drizzleflow.outliers.others import Outcome
from drizzleflow.outliers.template import PLANES, OtherExposures
from drizzleflow.outliers.template_noise import template_noise


class Comparison:
    """Compare frames with the combined image, or with what is left of it without their own group.

    Parameters
    ----------
    options : dict
        Sections of the configuration: ``crmask``, ``single_drizzle``, and with ``reference: others``
        ``median``; ``good_bits`` of ``mosaic``.
    median : Windowed or WindowedArrays
        The combined image.
    format : module
        The frames' format.
    singles, groups : dict
        With ``reference: others``: group -> its single-drizzled image; group -> `GroupNoise`.
    ratio : float
        The output pixel's side in input pixels.

    Attributes
    ----------
    planes : tuple of str
        The planes of a frame that are needed, as `drizzleflow.formats.read` takes them.
    """

    def __init__(self, options, median, format, singles=None, groups=None, ratio: float = 1.0):
        self.settings, self.median, self.format, self.ratio = options["crmask"], median, format, ratio
        self.single = options["single_drizzle"]
        self.mosaic_bits = options.get("mosaic", {}).get("good_bits", "auto")
        self.others = None
        self.planes: tuple[str, ...] = ("data", "err")
        if self.settings["reference"] == "others":
            combination = options["median"]
            self.others = OtherExposures(
                median, groups, singles, Parameters.of(combination), Limits.of(combination)
            )
            self.planes = ("data", "err", "dq")

    @classmethod
    def of_files(cls, options, median, singles, format, ratio: float = 1.0) -> Comparison:
        """Open the files: the median's and, with ``reference: others``, the singles' (group -> path).

        Raises
        ------
        InputError
            A plane is missing.
        """
        if options["crmask"]["reference"] == "median":
            opened = Windowed.open(median, ("SCI",), optional=("ERR", "NUSED"))
            return cls(options, opened, format, ratio=ratio)
        kind = options["median"]["threshold_of"]
        images = {group: Windowed.open(path, threshold_of=kind) for group, path in singles.items()}
        return cls(options, Windowed.open(median, PLANES), format, images, group_noise.read(median), ratio)

    def compare(self, frame: Frame, pixmap, level: float | None, group: str | None):
        """Compare a frame.

        Parameters
        ----------
        frame : Frame
            With `planes`.
        pixmap : float64 (ny, nx, 2), or None
            Position of each pixel on the grid, x first; changed in place. None without resampling.
        level : float or None
            The frame's sky, in its unit per pixel.
        group : str
            The group that is left out; not used with ``reference: median``.

        Returns
        -------
        (mask, blotted, measured) : bool (ny, nx), float32 (ny, nx), dict
            The outliers; what the frame was compared with, in its unit and without its sky; what was measured
            on the way, as in ``frames.csv``.

        Raises
        ------
        InputError
            The frame lacks what its noise is computed from.
        """
        if self.others is None:
            return *self._with_median(frame, pixmap, level), {}
        if pixmap is None:
            template = self.others.aligned(frame, group)
        else:
            template = self.others.at(frame, group, pixmap, self.settings["interp"])
            del pixmap
        usable, flaggable = self._good(frame)
        settings = self.settings | {"template_noise": self._template_noise(frame)}
        made = compare_with_others(frame, template, level, settings, usable, flaggable)
        return made.mask, template.shown(made.template), _measured(made, template, usable)

    def _with_median(self, frame, pixmap, level):
        if pixmap is None:
            blotted = frame.from_product(self.median.read("SCI", 0, self.median.window.shape[0]))
            return compare_aligned(frame, blotted, self.settings), blotted
        blotted, mask = compare(frame, pixmap, self.median, level, self.settings)
        return mask, blotted

    def _good(self, frame):
        """Return the pixels to measure on, and those that can be flagged: what the mosaic may use."""
        single, mosaic = (
            formats.good_bits(self.format, step, chosen)
            for step, chosen in (("single", self.single["good_bits"]), ("mosaic", self.mosaic_bits))
        )
        usable = dq.good_pixels(frame.dq, single, self.format.DQ_FLAGS, frame.shape)
        if mosaic == single:
            return usable, usable
        return usable, usable | dq.good_pixels(frame.dq, mosaic, self.format.DQ_FLAGS, frame.shape)

    def _template_noise(self, frame) -> float:
        asked = self.settings["template_noise"]
        if asked != "auto":
            return asked
        if not self.single["resample_data"]:
            return 1.0
        return template_noise(
            self.single["kernel"],
            self.single["pixfrac"],
            scale_ratio(frame.own_scale_ratio, self.ratio),
            self.settings["interp"],
            frame.per_pixel,
        )


def _measured(made: Outcome, template, usable) -> dict:
    seen = usable[::7] & ~np.isnan(template.mean[::7])  # a sample of the rows will do
    good, n = np.count_nonzero(usable[::7]), np.count_nonzero(seen)
    dx, dy = made.match.shift
    fitted = made.match.fitted
    return {
        "shift_x": dx if fitted else None,
        "shift_y": dy if fitted else None,
        "width": made.match.width if fitted else None,
        "noise": made.noise,
        "tolerance": made.tolerance,
        "depth": float(template.count[::7][seen].mean()) if n else 0.0,
        "unseen": 1 - n / good if good else None,
        "on_sources": made.on_sources,
        "negative": made.negative,
        "sharp": made.alone,
    }
