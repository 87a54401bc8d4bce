"""Single-drizzled images: the frames of one group resampled onto the window of the grid that they cover (seed 000)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from drizzleflow.arrays import dq
from drizzleflow.frames.noise import Noise, Noisy, of_frame, pooled
from drizzleflow.frames.window import window
from drizzleflow.frames.windowed import WEIGHT_KEYWORDS, cards
from drizzleflow.geometry.pixmap import shift
from drizzleflow.resample.kernels import kernel_reach
from drizzleflow.resample.models import frame_model
from drizzleflow.resample.resample import Resample
from drizzleflow.resample.weights import build_driz_weight, mean_weights

NOT_DRIZZLED = (
    "err",
    "var_poisson",
    "var_flat",
    "var_total",
)  #: planes that neither the image nor its weights take


@dataclass
class SingleImage(Noisy):
    """A single-drizzled image and its place on the grid."""

    sci: np.ndarray  #: float32 (ny, nx); the fill value where nothing falls
    wht: np.ndarray  #: float32, sum of weight times overlap
    window: tuple[int, int, int, int]  #: (x0, x1, y0, y1) on the grid, half open
    unit: str
    grid: object = None  #: the full grid; None without resampling
    noise: Noise | None = None  #: None where nothing tells
    weight_type: str = "ivm"
    threshold_of: str = "clipped_mean"  #: which of `mean_weights` is `mean_weight`

    @cached_property
    def mean_weights(self) -> dict[str, float]:
        return mean_weights(self.wht)

    @property
    def mean_weight(self) -> float:
        return self.mean_weights[self.threshold_of]

    @property
    def shape(self) -> tuple[int, int]:
        return self.sci.shape

    @property
    def origin(self) -> tuple[int, int]:
        return self.window[0], self.window[2]

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
        ``data``, ``dq``, and ``var['rnoise']`` for the weights ``ivm``; `level` is the sky to subtract, or None.
    grid : Grid
        The full output grid.
    pixmap : callable
        ``pixmap(frame)``: the frame's pixel map on the full grid.
    settings : dict
        ``kernel``, ``pixfrac``, ``fillval``, ``weight_type``.
    pad : bool
        Drizzle beyond the grid's outer edge and crop; False loses, as the peer, input pixels whose centre is outside.

    Returns
    -------
    SingleImage
        Where no frame meets the grid: one empty pixel at its origin.
    """
    models, noises, unit, reach = [], [], "", kernel_reach(settings["kernel"], grid.coarsest)
    for frame, level in frames:
        noise = of_frame(frame, level)
        noises.append(
            noise if noise is None or frame.per_pixel else noise.binned(grid.pixel_scale_ratio or 1.0)
        )
        model = frame_model(frame, pixmap(frame), level)
        models.append(
            {key: plane for key, plane in model.items() if key not in NOT_DRIZZLED}
        )  # all are held at once
        unit = frame.product_unit or frame.unit
    ny, nx = grid.shape
    boxes = [
        window(m["pixmap"][..., 0], m["pixmap"][..., 1], reach)
        for m in models
        if np.isfinite(m["pixmap"]).any()
    ]
    boxes = [b for b in boxes if b[0] < nx and b[1] > 0 and b[2] < ny and b[3] > 0]
    if not boxes:
        empty = np.full((1, 1), np.nan, np.float32)
        return SingleImage(empty, np.zeros((1, 1), np.float32), (0, 1, 0, 1), unit, grid)
    x0, y0 = min(b[0] for b in boxes), min(b[2] for b in boxes)
    x1, y1 = max(b[1] for b in boxes), max(b[3] for b in boxes)
    crop = (max(0, x0), min(nx, x1), max(0, y0), min(ny, y1))
    frame_box = _padded(crop, grid.shape, reach) if pad else crop
    fx0, _, fy0, _ = frame_box
    resample = Resample(
        {
            "wcs": grid.window(*frame_box),
            "pixel_scale": grid.pixel_scale,
            "pixel_scale_ratio": grid.pixel_scale_ratio,
        },
        pixfrac=settings["pixfrac"],
        kernel=settings["kernel"],
        fillval=settings["fillval"],
        weight_type=settings["weight_type"],
        good_bits=good_bits,
        enable_ctx=False,
        enable_var=False,
    )
    resample.dq_flag_name_map = flags
    for model in models:
        shift(model["pixmap"], fx0, fy0)
        resample.add_model(model)
    resample.finalize()
    made = resample.output_model
    inner = np.s_[crop[2] - fy0 : crop[3] - fy0, crop[0] - fx0 : crop[1] - fx0]
    return SingleImage(
        np.ascontiguousarray(made["data"][inner]),
        np.ascontiguousarray(made["wht"][inner]),
        crop,
        unit,
        grid,
        pooled(noises),
        settings["weight_type"],
    )


def _padded(crop, shape, reach):
    """A window grown by the kernel's reach where it touches the grid's outer edge; elsewhere it holds its margin."""
    x0, x1, y0, y1 = crop
    ny, nx = shape
    return (
        x0 - reach if x0 == 0 else x0,
        x1 + reach if x1 == nx else x1,
        y0 - reach if y0 == 0 else y0,
        y1 + reach if y1 == ny else y1,
    )


def unresampled(frame, level, settings: dict, *, good_bits, flags) -> SingleImage:
    """A frame and its weights as they are (``resample_data: false``): nothing is subtracted, as in the peer."""
    good = dq.good_pixels(frame.dq, good_bits, flags, frame.shape)
    weight = build_driz_weight(
        frame.shape,
        settings["weight_type"],
        good,
        variance=frame.var.get("sky" if settings["weight_type"] == "ivm-sky" else "rnoise"),
        exposure_time=frame.measurement_time or frame.exposure_time,
    )
    factor = np.float32(frame.rate_factor)
    data = frame.data if factor == 1 else frame.data * factor
    ny, nx = frame.shape
    unit, noise = frame.product_unit or frame.unit, of_frame(frame, None)
    return SingleImage(data, weight, (0, nx, 0, ny), unit, noise=noise, weight_type=settings["weight_type"])
