"""Compute where a model's pixels fall on the output, and how large pixels are."""

from __future__ import annotations

import logging

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.frames.window import Window
from drizzleflow.geometry.grid import MAX_PIXELS
from drizzleflow.resample.utils import (
    UnsupportedWCSError,
    array_shape,
    calc_pixmap,
    compute_mean_pixel_area,
    is_imaging_wcs,
)

log = logging.getLogger("drizzleflow")

ARCSEC = np.radians(1 / 3600)


def check_output_wcs(output_wcs, estimate_output_shape: bool = True) -> None:
    """Raise an error for an output WCS that cannot be used, as `Resample.check_output_wcs` describes."""
    if output_wcs is None:
        raise InputError("Output WCS must be provided: output_wcs has no 'wcs'")
    if not is_imaging_wcs(output_wcs):
        raise UnsupportedWCSError(
            "the output WCS has other axes than two celestial ones; expected an imaging WCS"
        )
    if getattr(output_wcs, "array_shape", None) is None:
        if not estimate_output_shape:
            raise InputError("the output WCS has no array_shape")
        output_wcs.array_shape = array_shape(output_wcs)
    shape = array_shape(output_wcs)
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(f"Invalid output frame shape: {shape}")
    if shape[0] * shape[1] > MAX_PIXELS:
        raise InputError(
            f"output frame shape {shape}: more than {MAX_PIXELS} pixels; are the coordinates right?"
        )


def model_pixmap(model: dict, output_wcs, output_shape, stepsize, order) -> np.ndarray:
    """A model's pixel map: its own ``pixmap``, or one computed from its ``wcs``.

    Parameters
    ----------
    model : dict
        See `drizzleflow.resample.resample.Resample.add_model`.
    output_wcs : gwcs.WCS or drizzleflow.geometry.grid.Grid
    output_shape : (ny, nx)
    stepsize, order
        See `drizzleflow.resample.utils.calc_pixmap`.

    Returns
    -------
    (ny, nx, 2) float64 array
        x and y in pixels of the output, 0-based; all NaN, with a warning, where the image misses the output.

    Raises
    ------
    InputError
        The WCS is not finite anywhere.
    """
    if model.get("pixmap") is not None:
        return model["pixmap"]
    pixmap = calc_pixmap(model["wcs"], output_wcs, np.shape(model["data"]), stepsize=stepsize, order=order)
    if not np.isfinite(pixmap).any():
        raise InputError(f"{model['filename']}: the WCS is not finite anywhere on the image and the output")
    if Window.around(pixmap[..., 0], pixmap[..., 1], 1).clipped(output_shape).empty:
        log.warning("%s: does not meet the output", model["filename"])
        pixmap[:] = np.nan
    return pixmap


def model_pixel_area(model: dict, prefer_mean: bool = True) -> float | None:
    """A model's pixel area; see `drizzleflow.resample.resample.Resample.get_input_model_pixel_area`."""
    nominal = model.get("pixelarea_steradians")
    if not prefer_mean and nominal:
        return nominal
    if model.get("wcs") is None:
        return nominal
    area = compute_mean_pixel_area(model["wcs"], np.shape(model["data"]))
    return area if np.isfinite(area) else nominal
