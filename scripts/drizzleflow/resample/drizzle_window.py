"""Drizzle frames onto one window of the grid: a single drizzle, a band of the mosaic, a traced pixel.

The result equals, to the last bit, the same part of the whole grid drizzled at once: pixel maps are exact
under a shift, and a margin as wide as the kernel's reach is drizzled around the window and cropped.
"""

from __future__ import annotations

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.window import Window
from drizzleflow.geometry.pixmap import shift
from drizzleflow.resample.kernels import kernel_reach
from drizzleflow.resample.models import frame_model
from drizzleflow.resample.resample import Resample

#: settings that a mosaic has and others lack: only the image and its weights are made
IMAGE_ONLY = {
    "context": "none",
    "propagate_dq": False,
    "compute_err": "none",
    "report_var": False,
    "variance": "exact",
}


class TotalVarianceResample(Resample):
    """Resample formats that have only ERR: one variance plane, from which the product's ERR is computed."""

    variance_array_names = ("var_total",)


class WindowDrizzle:
    """Drizzle frames onto a window of the grid, added one by one in the association's order.

    Parameters
    ----------
    grid : Grid
        The full grid.
    box : Window
        The part of it to make.
    settings : dict
        ``kernel``, ``pixfrac``, ``fillval`` and ``weight_type``, and as in the configuration's ``mosaic``
        section ``context``, ``propagate_dq``, ``compute_err``, ``report_var`` and ``variance``; those that
        are left out are as in `IMAGE_ONLY`.
    good_bits, flags
        Flags that do not make a pixel bad, and the format's names of flags; see `drizzleflow.arrays.dq`.
    pad : bool
        Drizzle beyond the grid's outer edge and crop; False loses, as the JWST pipeline, input pixels whose
        centre is outside.
    n_frames : int, optional
        How many frames will come (context planes).

    Attributes
    ----------
    near, drizzled : Window
        `box` with the kernel's reach around it, and what of it is drizzled: without `pad` only what lies on
        the grid.
    """

    def __init__(
        self, grid, box: Window, settings: dict, *, good_bits=0, flags=None, pad=True, n_frames=None
    ):
        self.grid, self.box, self.settings = grid, Window(*box), IMAGE_ONLY | settings
        self.good_bits, self.flags, self.n_frames = good_bits, flags, n_frames
        reach = kernel_reach(settings["kernel"], grid.coarsest)
        self.near = self.box.grown(reach)
        self.drizzled = self.near.intersection(Window.placed(grid.shape).grown(reach if pad else 0))
        self.resample: Resample | None = None  # made for the first frame: it shows which variances there are
        self.unit = ""

    def _started(self, model: dict) -> Resample:
        if self.resample is None:
            settings, compute_err = self.settings, self.settings["compute_err"]
            total = model.get("var_total") is not None and model.get("var_poisson") is None
            kind = TotalVarianceResample if total else Resample
            self.resample = kind(
                {
                    "wcs": self.grid.window(*self.drizzled),
                    "pixel_scale": self.grid.pixel_scale,
                    "pixel_scale_ratio": self.grid.pixel_scale_ratio,
                },
                n_input_models=self.n_frames,
                pixfrac=settings["pixfrac"],
                kernel=settings["kernel"],
                fillval=settings["fillval"],
                weight_type=settings["weight_type"],
                good_bits=self.good_bits,
                enable_ctx=settings["context"] == "full",
                enable_var=settings["report_var"],
                compute_err=None if compute_err == "none" else compute_err,
                propagate_dq=settings["propagate_dq"],
                variance=settings["variance"],
            )
            self.resample.dq_flag_name_map = self.flags
        return self.resample

    def rows_of(self, lattice) -> tuple[int, int]:
        """The detector rows (first, end) of a frame that can reach this window; (0, 0) where none can.

        Of the first frame there are always some: it shows which planes there are.
        """
        rows = lattice.rows_meeting(self.grid, self.drizzled.y0, self.drizzled.y1)
        return rows if rows[1] or self.resample is not None else (0, min(4, lattice.shape[0]))

    def skip(self) -> None:
        """Count a frame of which no row can reach the window: the next frame gets the next context bit."""
        self.resample.skip_model()

    def add(self, frame: Frame, pixmap, level: float | None) -> None:
        """Drizzle one frame, or the rows of it that reach the window.

        Parameters
        ----------
        frame : Frame
            ``data``, ``dq``, and the variances that the settings need.
        pixmap : float64 (ny, nx, 2)
            On the full grid; changed in place.
        level : float or None
            Sky to subtract, in the frame's unit per pixel.
        """
        self.add_model(frame_model(frame, pixmap, level))

    def add_model(self, model: dict) -> None:
        """Drizzle a frame given as a model dictionary; see `drizzleflow.resample.models.frame_model`."""
        shift(model["pixmap"], *self.drizzled.origin)
        self.unit = model["unit"]
        self._started(model).add_model(model)

    def restart(self) -> None:
        """Forget the frames that were added."""
        if self.resample is not None:
            self.resample.reset_arrays(self.n_frames)

    def weight_of(self, frame: Frame) -> np.ndarray:
        """The weight of each pixel of a frame, float32 (ny, nx); 0 where a pixel does not count."""
        return self.weight_of_model(frame_model(frame, None, None))

    def weight_of_model(self, model: dict) -> np.ndarray:
        """The same, of a frame given as a model dictionary."""
        return self._started(model).build_weight(model)

    @property
    def weight(self) -> np.ndarray:
        """The sum of weight times overlap so far: float32, of the shape of the window."""
        return self.resample.output_model["wht"][self.box.inside(self.drizzled)]

    def finish(self) -> tuple[dict, str]:
        """The output model of the window and its unit; see `drizzleflow.resample.Resample.output_model`.

        Variances that no input has are left out.

        Raises
        ------
        InputError
            No frame was added.
        """
        if self.resample is None:
            raise InputError("resampling: no image was added")
        self.resample.finalize()
        model, reported = self.resample.output_model, self.resample.seen_variances - {"var_total"}
        self.resample = None  # so that each padded plane goes as soon as it is cropped
        inner = (..., *self.box.inside(self.drizzled))
        for key, plane in model.items():
            if isinstance(plane, np.ndarray) and plane.ndim >= 2:
                model[key] = np.ascontiguousarray(plane[inner])
        return {k: v for k, v in model.items() if not k.startswith("var_") or k in reported}, self.unit


def drizzle_window(grid, box: Window, settings: dict, frames, **options) -> tuple[dict, str]:
    """Drizzle frames onto a window of the grid.

    Parameters
    ----------
    grid, box, settings, **options
        As for `WindowDrizzle`.
    frames : iterable of (Frame, pixmap, level)
        See `WindowDrizzle.add`; taken one at a time.

    Returns
    -------
    dict, str
        The output model (``data``, ``wht`` and as the settings ask ``con``, ``dq``, ``err``, ``var_*``:
        arrays of the shape of `box`; times), and the unit of its data.

    Raises
    ------
    InputError
        There is no frame, or a setting is impossible.
    """
    made = WindowDrizzle(grid, box, settings, **options)
    for frame, pixmap, level in frames:
        made.add(frame, pixmap, level)
    return made.finish()
