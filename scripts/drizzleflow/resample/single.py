"""Drizzle the frames of one group onto the window of the grid that they cover: a single-drizzled image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from drizzleflow.arrays import dq
from drizzleflow.frames.frame import SAME_SIZE
from drizzleflow.frames.noise import Noise, of_frame, pooled
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import WEIGHT_KEYWORDS, cards
from drizzleflow.resample.drizzle_window import WindowDrizzle
from drizzleflow.resample.kernels import kernel_reach
from drizzleflow.resample.models import frame_model
from drizzleflow.resample.weights import mean_weights, weight_map

#: planes that the image takes, and those of the weights: all frames are held at once
HELD = ("data", "dq")
OF_WEIGHTS = {"ivm": ("rnoise",), "ivm-sky": ("rnoise", "sky"), "err": ("err",), "exptime": ()}
DRIZZLED = ("kernel", "pixfrac", "fillval", "weight_type")  #: settings that count here


@dataclass
class SingleImage(StackImage):
    """Hold a single-drizzled image and its place on the grid."""

    sci: np.ndarray  #: float32 (ny, nx); the fill value where nothing falls
    wht: np.ndarray  #: float32, sum of weight times overlap
    window: Window  #: the part of the grid that it holds
    unit: str
    grid: object = None  #: the full grid; None without resampling
    noise: Noise | None = None  #: None where nothing tells
    weight_type: str = "ivm"
    threshold_of: str = "clipped_mean"  #: which of `mean_weights` is `mean_weight`
    least_weight: float = np.inf  #: that of the frame with least, where pixels are of several sizes

    @cached_property
    def mean_weights(self) -> dict[str, float]:
        """The ``mean`` of the weights, and the ``clipped_mean``, at most `least_weight`."""
        means = mean_weights(self.wht)
        return means | {"clipped_mean": min(means["clipped_mean"], self.least_weight)}

    @property
    def mean_weight(self) -> float:
        return self.mean_weights[self.threshold_of]

    def read(self, plane: str, y0: int, y1: int) -> np.ndarray:
        """Rows of 'SCI' or 'WHT', as `drizzleflow.frames.windowed.Windowed.read` gives them from disk."""
        return (self.sci if plane == "SCI" else self.wht)[y0:y1].copy()

    def write(self, path, primary=()) -> None:
        """Write SCI and WHT; the mean weights and the noise in SCI's header spare the median a second look.

        `primary`: cards (keyword, value, comment) for the primary header.
        """
        from drizzleflow.io.fits import image_header, write_hdus

        place = cards(self.window, self.unit, self.grid)
        means = [
            (WEIGHT_KEYWORDS[name], mean, f"{name.replace('_', ' ')} of the non-zero weights")
            for name, mean in self.mean_weights.items()
            if np.isfinite(mean)
        ]
        noise = [
            ("WHTTYPE", self.weight_type, "what the weights are"),
            *(self.noise.cards() if self.noise else []),
        ]
        hdus = [(image_header(None, primary=True, cards=primary), None)]
        hdus += [(image_header(self.sci, "SCI", cards=[*place[:2], *means, *noise, *place[2:]]), self.sci)]
        hdus += [(image_header(self.wht, "WHT", cards=[c for c in place if c[0] != "BUNIT"]), self.wht)]
        write_hdus(path, hdus)


def drizzle(frames, grid, pixmap, settings: dict, *, good_bits, flags, pad: bool = True) -> SingleImage:
    """Drizzle frames of one group together.

    Parameters
    ----------
    frames : iterable of (Frame, level)
        ``data``, ``dq``, and what the weights are made of (`OF_WEIGHTS`); `level` is the sky to subtract, or
        None.
    grid : Grid
        The full output grid.
    pixmap : callable
        ``pixmap(frame)``: the frame's pixel map on the full grid.
    settings : dict
        ``kernel``, ``pixfrac``, ``fillval``, ``weight_type``.
    pad : bool
        Drizzle beyond the grid's outer edge and crop; False loses, as stcal does, input pixels whose centre
        is outside.

    Returns
    -------
    SingleImage
        Where no frame meets the grid: one empty pixel at its origin.
    """
    models, noises, areas, reach = [], [], [], kernel_reach(settings["kernel"], grid.coarsest)
    for frame, level in frames:
        noise = of_frame(frame, level)
        noises.append(
            noise if noise is None or frame.per_pixel else noise.binned(grid.pixel_scale_ratio or 1.0)
        )
        held = frame.only(*HELD, *OF_WEIGHTS[settings["weight_type"]])
        models.append(frame_model(held, pixmap(frame), level))
        areas.append(frame.area_factor)
    box = Window.enclosing(
        Window.around(m["pixmap"][..., 0], m["pixmap"][..., 1], reach).clipped(grid.shape)
        for m in models
        if np.isfinite(m["pixmap"]).any()
    )
    if box.empty:
        empty = np.full((1, 1), np.nan, np.float32)
        unit = models[-1]["unit"] if models else ""
        return SingleImage(empty, np.zeros((1, 1), np.float32), Window.placed((1, 1)), unit, grid)
    drizzled = WindowDrizzle(
        grid, box, {key: settings[key] for key in DRIZZLED}, good_bits=good_bits, flags=flags, pad=pad
    )
    least = np.inf
    for area in areas:  # each model goes as soon as it is drizzled
        if max(areas) > SAME_SIZE**2 * min(areas):  # what is too little for one size is all that another has
            least = min(least, area * usual_weight(drizzled.weight_of_model(models[0])))
        drizzled.add_model(models.pop(0))
    made, unit = drizzled.finish()
    noise, kind = pooled(noises), settings["weight_type"]
    return SingleImage(made["data"], made["wht"], box, unit, grid, noise, kind, least_weight=least)


def usual_weight(weight) -> float:
    """Return the median of a frame's weights above 0, on its own pixels; infinite where there is none."""
    seen = weight[weight > 0]
    return float(np.median(seen)) if len(seen) else np.inf


def unresampled(frame, level, settings: dict, *, good_bits, flags) -> SingleImage:
    """Return a frame and its weights without resampling (``resample_data: false``).

    `level` is the sky to subtract, in the frame's unit; None: none is subtracted, as in jwst.
    """
    good = dq.good_pixels(frame.dq, good_bits, flags, frame.shape)
    kind = settings["weight_type"]
    squared = None if kind != "err" or frame.err is None else np.square(frame.err)
    weight = weight_map(
        frame.shape,
        kind,
        good,
        variance=squared if kind == "err" else frame.var.get("sky" if kind == "ivm-sky" else "rnoise"),
        exposure_time=frame.measurement_time or frame.exposure_time,
    )
    data = frame.to_product(frame.data if level is None else frame.data - np.float32(level))
    unit, noise = frame.product_unit or frame.unit, of_frame(frame, level)
    return SingleImage(data, weight, Window.placed(frame.shape), unit, noise=noise, weight_type=kind)
