"""The mosaic: all frames of a product drizzled onto its grid, whole or in bands of rows (seed 002)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from drizzleflow import formats
from drizzleflow.frames.frame import Frame
from drizzleflow.geometry.pixmap import shift
from drizzleflow.resample.kernels import kernel_reach
from drizzleflow.resample.models import frame_model
from drizzleflow.resample.resample import Resample


class TotalVarianceResample(Resample):
    """For formats with ERR alone: one variance plane, from which the product's ERR is computed."""

    variance_array_names = ("var_total",)


class Mosaic:
    """The drizzle of all frames of a product onto a band of the grid, added one by one in the association's order.

    Bands are bit-identical to the same rows of the whole: pixel maps are exact under a shift, and a band is drizzled with
    the kernel's reach as a margin.

    Parameters
    ----------
    grid : Grid
        The full grid.
    settings : dict
        The configuration's ``mosaic`` section.
    format_module : module
        Of `drizzleflow.formats`: its names of DQ flags and default good bits.
    pad : bool
        Drizzle beyond the grid's outer edge and crop; False loses, as the peer, input pixels whose centre is outside.
    n_frames : int
        How many frames will come (context planes).
    rows : (first, end), optional
        The band: grid rows; all by default.
    """

    def __init__(self, grid, settings: dict, format_module, *, pad: bool, n_frames: int, rows=None):
        self.grid, self.settings, self.format, self.n_frames = grid, settings, format_module, n_frames
        ny, nx = grid.shape
        self.rows = first, end = rows or (0, ny)
        reach = kernel_reach(settings["kernel"], grid.coarsest)
        outer = reach if pad else 0
        self.box = (
            -outer,
            nx + outer,
            first - (outer if first == 0 else reach),
            end + (outer if end == ny else reach),
        )
        self.compute_err = None if settings["compute_err"] == "none" else settings["compute_err"]
        self.enable_var = settings["report_var"] or self.compute_err == "from_var"
        self.resample: Resample | None = None  # made for the first frame: it shows which variances there are
        self.unit = ""

    def _start(self, frame: Frame) -> Resample:
        settings = self.settings
        good_bits = formats.good_bits(self.format, "mosaic", settings["good_bits"])
        resample = (Resample if "poisson" in frame.var else TotalVarianceResample)(
            {
                "wcs": self.grid.window(*self.box),
                "pixel_scale": self.grid.pixel_scale,
                "pixel_scale_ratio": self.grid.pixel_scale_ratio,
            },
            n_input_models=self.n_frames,
            pixfrac=settings["pixfrac"],
            kernel=settings["kernel"],
            fillval=settings["fillval"],
            weight_type=settings["weight_type"],
            good_bits=good_bits,
            enable_ctx=settings["context"] == "full",
            enable_var=self.enable_var,
            compute_err=self.compute_err,
            propagate_dq=settings["propagate_dq"],
            variance=settings["variance"],
        )
        resample.dq_flag_name_map = self.format.DQ_FLAGS
        return resample

    @property
    def planes(self) -> tuple[str, ...]:
        """What has to be read of each frame."""
        need_var = self.enable_var or self.settings["weight_type"] != "exptime"
        need_err = self.compute_err == "driz_err" or (need_var and self.format.ERR_ALONE)
        return ("data", "dq", *(("var",) if need_var else ()), *(("err",) if need_err else ()))

    def rows_of(self, lattice) -> tuple[int, int]:
        """The detector rows (first, end) of a frame that can reach this band."""
        return lattice.rows_meeting(self.grid, self.box[2], self.box[3])

    def add(self, frame: Frame, pixmap, level: float | None) -> None:
        """Drizzle one frame, or the rows of it that reach the band; `pixmap` (on the full grid) is changed in place."""
        shift(pixmap, self.box[0], self.box[2])
        self.unit = frame.product_unit or frame.unit
        self.resample = self.resample or self._start(frame)
        self.resample.add_model(frame_model(frame, pixmap, level))

    def finish(self) -> tuple[dict, str]:
        """The output model of the band and its unit. Variances that no input has are left out."""
        self.resample.finalize()
        model, reported = self.resample.output_model, self.resample.seen_variances - {"var_total"}
        self.resample = None  # so that each padded plane goes as soon as it is cropped
        x0, _, y0, _ = self.box
        inner = np.s_[..., self.rows[0] - y0 : self.rows[1] - y0, -x0 : self.grid.shape[1] - x0]
        for key, plane in model.items():
            if isinstance(plane, np.ndarray) and plane.ndim >= 2:
                model[key] = np.ascontiguousarray(plane[inner])
        model = {k: v for k, v in model.items() if not k.startswith("var_") or k in reported}
        return model, self.unit


def drizzle(members, grid, settings: dict, read, *, pad: bool, rows=None) -> tuple[dict, str]:
    """The mosaic of some members, or a band of it.

    Parameters
    ----------
    members : list of dict
        With ``member``, ``format`` and ``nframes``, in the association's order.
    read : callable
        ``read(member, extver, planes, rows_of) -> (Frame, pixmap, level)``; `rows_of` takes the frame's lattice and gives
        the detector rows to read.
    """
    from drizzleflow import formats

    n_frames = sum(member["nframes"] for member in members)
    mosaic = Mosaic(grid, settings, formats.get(members[0]["format"]), pad=pad, n_frames=n_frames, rows=rows)
    for member in members:
        for extver in range(1, member["nframes"] + 1):
            mosaic.add(*read(member, extver, mosaic.planes, mosaic.rows_of))
    return mosaic.finish()


def bands(ny: int, count: int) -> list[tuple[int, int]]:
    """`count` bands of rows that make up `ny` rows; fewer where there are not enough rows."""
    edges = [round(ny * k / count) for k in range(count + 1)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


class Stacked:
    """A plane of the mosaic in bands of rows, one band in memory at a time.

    Parameters
    ----------
    bands : list of mappings
        Name of a plane -> array (..., rows, nx), such as dicts or ``np.load`` of ``.npz`` files, from the first row on.
    key : str
        The plane. It is NaN in bands that lack it.
    heights : list of int
        Rows of each band.
    """

    def __init__(self, bands, key: str, heights):
        self._bands, self._key, self._heights = bands, key, heights
        self._held = None, None
        like = next(band[key] for band in bands if key in band)
        self.dtype, self.shape = like.dtype, (*like.shape[:-2], sum(heights), like.shape[-1])
        self.ndim = like.ndim

    def _band(self, number: int) -> np.ndarray:
        if self._held[0] != number:
            self._held = None, None  # let the last one go first
            band = self._bands[number]
            shape = (*self.shape[:-2], self._heights[number], self.shape[-1])
            self._held = number, band[self._key] if self._key in band else np.full(shape, np.nan, self.dtype)
        return self._held[1]

    def pieces(self):
        """Arrays that make up the plane, in the order of its bytes."""
        for index in np.ndindex(self.shape[:-2]):
            for number in range(len(self._bands)):
                yield self._band(number)[index]
        self._held = None, None

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Some rows (..., rows, nx)."""
        first, end, _ = rows.indices(self.shape[-2])
        parts, start = [], 0
        for number, height in enumerate(self._heights):
            if start < end and start + height > first:
                parts.append(self._band(number)[..., max(0, first - start) : end - start, :])
            start += height
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-2)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


def join(bands) -> dict:
    """The output model of the whole from those of its bands, in order; its planes are `Stacked`."""
    heights = [band["data"].shape[-2] for band in bands]
    model = {}
    for band in bands:
        for key in band:
            if key not in model:
                value = band[key]
                model[key] = Stacked(bands, key, heights) if getattr(value, "ndim", 0) >= 2 else value
    return model
