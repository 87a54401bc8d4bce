"""What a model dictionary says about itself: times, masks, weights, pixel area and pixel map.

A model is the dictionary that `drizzleflow.resample.Resample.add_model` takes. The functions have the names
and arguments of those in `stcal.resample.utils`.
"""

from __future__ import annotations

import logging

import numpy as np

from drizzleflow.arrays import dq as dq_bits
from drizzleflow.errors import InputError
from drizzleflow.frames.frame import SkyWCS
from drizzleflow.geometry import pixmap as maps
from drizzleflow.geometry.footprint import mean_pixel_area
from drizzleflow.geometry.lattice import Lattice
from drizzleflow.resample.weights import weight_map

log = logging.getLogger("drizzleflow")

#: the plane whose inverse is the weight; "var_err" is the square of ``err`` (`with_squared_error`)
VARIANCE_OF_WEIGHT = {"ivm": "var_rnoise", "ivm-sky": "var_sky", "err": "var_err"}


class UnsupportedWCSError(InputError, RuntimeError):
    """A WCS whose axes are not two celestial ones (a RuntimeError in stcal)."""


def check_model(model: dict, needed, planes) -> None:
    """Refuse a model that cannot be resampled, before anything is computed.

    Parameters
    ----------
    model : dict
    needed : list of str
        Keys that it must have. A plane that it does not have is given as None.
    planes : list of str
        Keys of planes that must have the shape of ``data``, unless they are None or missing.

    Raises
    ------
    KeyError
        A key is missing.
    InputError
        The data are not an image, a plane has another shape, or the exposure time is not positive.
    """
    name = model.get("filename") or "model"
    for key in needed:
        if key not in model:
            raise KeyError(f"{name}: the model has no '{key}'")
    shape = np.shape(model["data"])
    if len(shape) != 2:
        raise InputError(f"{name}: data have {len(shape)} dimensions, expected an image (2)")
    for key in dict.fromkeys(planes):
        if model.get(key) is not None and np.shape(model[key]) != shape:
            raise InputError(f"{name}: {key} has shape {np.shape(model[key])}, expected {shape} as the data")
    if model.get("pixmap") is not None and model["pixmap"].shape != (*shape, 2):
        raise InputError(f"{name}: pixmap has shape {model['pixmap'].shape}, expected {(*shape, 2)}")
    time = model["exposure_time"]
    if time is None or not time > 0:
        raise InputError(f"{name}: exposure time {time!r}; expected a positive number of seconds")


def get_tmeasure(model) -> tuple[float, bool]:
    """The measurement time in seconds and True, or the exposure time and False where there is none.

    Raises
    ------
    KeyError
        There is no exposure time either.
    """
    time = model.get("measurement_time")
    return (model["exposure_time"], False) if time is None else (time, True)


def build_mask(dqarr, bitvalue, flag_name_map=None) -> np.ndarray:
    """The mask of an array of flags: uint8, 1 where a pixel may be used, 0 elsewhere.

    ``bitvalue`` are the bits that a good pixel may have (see `drizzleflow.arrays.dq`).
    """
    return dq_bits.good_pixels(np.asarray(dqarr), bitvalue, flag_name_map).astype(np.uint8)


def get_inverse_variance(array, data_shape, array_name) -> np.ndarray:
    """The reciprocal of a variance, float32; 0 where the variance is not a positive finite number.

    Where `array` is None or has another shape, all values are 1 and a warning is logged.
    """
    return weight_map(data_shape, "ivm", variance=_known(array, data_shape, array_name))


def _known(array, shape, name):
    if array is None or np.shape(array) != tuple(shape):
        log.warning("'%s' array not available. Setting drizzle weight map to 1", name)
        return None
    return array


def with_squared_error(model: dict) -> dict:
    """The model with ``var_err``, the square of its ``err`` (None where it has none)."""
    err = model.get("err")
    return {**model, "var_err": None if err is None else np.square(err, dtype=np.float32)}


def build_driz_weight(model, weight_type=None, good_bits=None, flag_name_map=None) -> np.ndarray:
    """The weight of each pixel of a model, (ny, nx) float32: `drizzleflow.resample.weights.weight_map` of its
    planes.

    Parameters
    ----------
    model : dict
    weight_type : {'ivm', 'ivm-sky', 'err', 'exptime', None}
        The inverse of ``var_rnoise``, of ``var_sky`` or of the square of ``err`` (1 where the model has no
        such plane, with a warning), the time that `get_tmeasure` gives, or 1.
    good_bits, flag_name_map
        See `drizzleflow.arrays.dq`.

    Raises
    ------
    InputError
        `weight_type` is another word.
    """
    shape, variance, time = np.shape(model["data"]), None, 1.0
    if weight_type in VARIANCE_OF_WEIGHT:
        name = VARIANCE_OF_WEIGHT[weight_type]
        planes = with_squared_error(model) if weight_type == "err" else model
        variance = _known(planes.get(name), shape, name)
    elif weight_type == "exptime":
        time = get_tmeasure(model)[0] if "exposure_time" in model or "measurement_time" in model else 1.0
    elif weight_type is not None:
        raise InputError(f"Invalid weight type: {weight_type!r}; expected ivm, ivm-sky, exptime, err or None")
    good = dq_bits.good_pixels(model.get("dq"), good_bits, flag_name_map, shape)
    return weight_map(shape, weight_type or "exptime", good, variance=variance, exposure_time=time)


def is_flux_density(unit) -> bool:
    """Whether a unit such as 'Jy' is a flux per pixel (and not a surface brightness)."""
    from astropy import units

    try:
        return bool(units.Unit(unit).is_equivalent(units.Jy))
    except (ValueError, TypeError):
        return False


def is_imaging_wcs(wcs) -> bool:
    """Whether a WCS has two celestial axes: a gwcs, an astropy.wcs.WCS, or one of this library's own."""
    if hasattr(wcs, "output_frame"):
        frame = wcs.output_frame
        return getattr(frame, "naxes", 0) == 2 and all(axis == "SPATIAL" for axis in frame.axes_type)
    if hasattr(wcs, "has_celestial"):
        return wcs.has_celestial and wcs.naxis == 2
    return True


def sky_wcs(wcs, shape=None) -> SkyWCS:
    """A `SkyWCS` of a gwcs, an astropy.wcs.WCS, a `drizzleflow.geometry.grid.Grid` or a SkyWCS.

    Raises
    ------
    UnsupportedWCSError
        Its axes are not two celestial ones.
    InputError
        No shape is given and the WCS has neither an array shape nor a bounding box.
    """
    if isinstance(wcs, SkyWCS):
        return wcs
    if not is_imaging_wcs(wcs):
        raise UnsupportedWCSError("the WCS has other axes than two celestial ones; expected an imaging WCS")
    shape = tuple(shape or array_shape(wcs))
    if hasattr(wcs, "output_frame"):
        from drizzleflow.geometry.gwcs_wcs import from_gwcs

        return from_gwcs(wcs, shape, {})
    if hasattr(wcs, "to_pixel"):
        return SkyWCS(wcs.to_sky, wcs.to_pixel, shape)
    from drizzleflow.geometry.fits_wcs import from_astropy

    return from_astropy(wcs, shape)


def array_shape(wcs) -> tuple[int, int]:
    """(ny, nx) from a WCS's array shape, or from its bounding box."""
    shape = getattr(wcs, "array_shape", None)
    if shape is not None:
        return tuple(int(n) for n in shape)
    box = getattr(wcs, "bounding_box", None)
    if box is None:
        raise InputError(
            "Unable to infer output image size: the WCS has neither array_shape nor bounding_box"
        )
    from drizzleflow.geometry.gwcs_wcs import box_edges

    return tuple(int(np.ceil(high + 0.5)) for _, high in reversed(box_edges(box)))


def resample_range(data_shape, bbox=None) -> tuple[int, int, int, int]:
    """The range of an image's pixels that the bounding box of its WCS touches.

    Parameters
    ----------
    data_shape : (ny, nx)
    bbox : ((x1, x2), (y1, y2)), optional
        By default the edges of the image.

    Returns
    -------
    (xmin, xmax, ymin, ymax), both ends included

    Raises
    ------
    ValueError
        The shape or the box is not two-dimensional.
    """
    if len(data_shape) != 2:
        raise ValueError(f"data shape {tuple(data_shape)}: expected two dimensions")
    if bbox is not None and len(bbox) != 2:
        raise ValueError(f"bounding box {bbox}: expected two intervals")
    ny, nx = data_shape
    (x1, x2), (y1, y2) = ((-0.5, nx - 0.5), (-0.5, ny - 0.5)) if bbox is None else bbox
    xmin, ymin = max(0, int(x1 + 0.5)), max(0, int(y1 + 0.5))
    return xmin, max(xmin, min(nx - 1, int(x2 + 0.5))), ymin, max(ymin, min(ny - 1, int(y2 + 0.5)))


def compute_mean_pixel_area(wcs, shape=None) -> float:
    """Mean pixel area in steradians inside the bounding box, or the whole array.

    It is NaN where the WCS is not finite.
    """
    return mean_pixel_area(sky_wcs(wcs, shape))


def correlated_noise(pixfrac: float, pixel_scale_ratio: float) -> float:
    """How much noisier a large area of a mosaic is than independent pixels of the same ERR would make it.

    Drizzling correlates the noise of neighbouring pixels, while the exact ERR is that of single pixels. The
    formula is for the square kernel and well spread dithers; with r = pixfrac / pixel_scale_ratio it is r /
    (1 - 1 / (3 r)) for r >= 1, and 1 / (1 - r / 3) below. Source: Fruchter & Hook 2002 (PASP 114, 144),
    equations 9 and 10.
    """
    r = pixfrac / pixel_scale_ratio
    return r / (1 - 1 / (3 * r)) if r >= 1 else 1 / (1 - r / 3)


def calc_pixmap(
    wcs_from, wcs_to, shape=None, disable_bbox="to", stepsize=1, order=1, tolerance=1e-3
) -> np.ndarray:
    """Where the pixels of one image fall on another: (ny, nx, 2) float64, x first, 0-based.

    Parameters
    ----------
    wcs_from, wcs_to : gwcs.WCS, astropy.wcs.WCS, Grid or SkyWCS
        The input and the output (`drizzleflow.geometry.grid.Grid`, `drizzleflow.frames.frame.SkyWCS`).
    shape : (ny, nx), optional
        Of the input image; by default that of `wcs_from`.
    disable_bbox : {'to', 'from', 'both', 'none'}
        Whose bounding box is ignored; outside a bounding box that is not ignored the map is NaN.
    stepsize : float or 'auto'
        1: the WCS is evaluated at every pixel. More: on a grid of about this step (at most a tenth of the
        image), and interpolated. 'auto': on the coarsest lattice whose measured error is under `tolerance`.
    order : {1, 3}
        Of the interpolation: bilinear or bicubic.
    tolerance : float
        Pixels of `wcs_to`.

    Raises
    ------
    InputError
        The shape is not known, or an option has another value.
    """
    if disable_bbox not in ("to", "from", "both", "none"):
        raise InputError(f"disable_bbox {disable_bbox!r}: expected to, from, both or none")
    if order not in (1, 3):
        raise InputError(f"pixmap_order {order!r}: expected 1 or 3")
    source = sky_wcs(wcs_from, shape)
    target = wcs_to if hasattr(wcs_to, "to_pixel") else sky_wcs(wcs_to, (1, 1))
    if disable_bbox in ("from", "both"):
        source = SkyWCS(
            source.to_sky, source.to_pixel, source.shape, smooth=source.smooth, kinks=source.kinks
        )
    pixmap = _interpolated(source, target, stepsize, order, tolerance)
    if pixmap is None:
        pixmap = maps.exact(source, target)
    box = getattr(target, "bbox", None)
    if disable_bbox in ("from", "none") and box is not None:
        (x1, x2), (y1, y2) = box
        x, y = pixmap[..., 0], pixmap[..., 1]
        with np.errstate(invalid="ignore"):
            pixmap[(x < x1) | (x > x2) | (y < y1) | (y > y2)] = np.nan
    return pixmap


def _interpolated(source, target, stepsize, order, tolerance):
    """The interpolated map; None where it has to be exact.

    That is so with a step of 1, for a small image, and for a WCS that is not finite everywhere.
    """
    if stepsize != "auto" and (stepsize <= 1 or max(source.shape) <= 10):
        return None
    try:
        lattice = Lattice.sample(source, stepsize=stepsize, order=order, tolerance=tolerance)
    except ValueError:
        return None
    if stepsize == "auto" and not lattice.error(target) <= tolerance:
        return None
    return maps.from_lattice(lattice, target)
