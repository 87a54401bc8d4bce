"""Resampling: drizzling images onto a grid with weights, variances, context and data quality (seed 002).

The kernel itself is the `drizzle` package (Fruchter & Hook 2002). Here are the weights, what goes around the kernel for
each image, and the two estimators of the variance.
"""

from __future__ import annotations

import logging
import warnings
from collections import defaultdict

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.frames.window import Window
from drizzleflow.geometry.grid import MAX_PIXELS
from drizzleflow.resample.exposure_times import ExposureTimes
from drizzleflow.resample.kernels import KERNELS, LOSSY, kernel_reach, parse_fillval
from drizzleflow.resample.reference_variance import ReferenceVariances
from drizzleflow.resample.utils import (
    VARIANCE_OF_WEIGHT,
    UnsupportedWCSError,
    array_shape,
    build_driz_weight,
    calc_pixmap,
    check_model,
    compute_mean_pixel_area,
    get_tmeasure,
    is_imaging_wcs,
)

log = logging.getLogger("drizzleflow")

WEIGHTS = ("ivm", "ivm-sky", "exptime")
REQUIRED = (
    "data",
    "dq",
    "filename",
    "group_id",
    "exposure_time",
    "start_time",
    "end_time",
    "duration",
    "measurement_time",
    "pixelarea_steradians",
    "level",
    "subtracted",
)
ARCSEC = np.radians(1 / 3600)


class Resample:
    """Add images one by one to an output image on ``output_wcs``; called as `stcal.resample.Resample`.

    Parameters
    ----------
    output_wcs : dict
        ``wcs``: a gwcs or a `drizzleflow.geometry.grid.Grid`; ``pixel_scale`` (arcsec) and ``pixel_scale_ratio`` (output over input
        pixel size), both optional: the scale is then that of the WCS, the ratio that to the first model's pixel area.
    n_input_models : int, optional
        How many images will come; sizes the context.
    pixfrac : float
        Fraction of a pixel that its flux is confined to.
    kernel : str
        One of `KERNELS`, any case; gaussian and lanczos do not conserve flux.
    fillval : float, str or None
        Value of output pixels that nothing falls on; None and ``INDEF`` are NaN.
    weight_type : 'ivm', 'ivm-sky' or 'exptime'
        Inverse of ``var_rnoise``, inverse of ``var_sky``, or the measurement (else the exposure) time.
    good_bits : int, str, list or None
        See `drizzleflow.arrays.dq`; flag names as in ``dq_flag_name_map``.
    enable_ctx, enable_var : bool
        Whether to make the context image and the variance arrays.
    compute_err : None, 'from_var' (implies enable_var) or 'driz_err'
    propagate_dq : bool
        Whether the output has a DQ: the OR of the inputs' that contribute.
    pixmap_stepsize, pixmap_order
        Of the pixel map, see `drizzleflow.resample_utils.calc_pixmap`: 1 is exact, 'auto' the coarsest that is good to
        1e-3 px. A model with a ``pixmap`` brings its own.
    variance : 'exact' or 'reference'
        ``exact``: sum of (w^2 V) over (sum of w)^2, w the weight times the overlap of each input pixel; NaN where an image
        without that variance contributes. ``reference``: as the JWST pipeline, see `drizzleflow.resample.reference_variance`.

    Attributes
    ----------
    variance_array_names, error_from_variances : list of str
        The model's variances that are resampled, and those that make the error (None: all of them).
    dq_flag_name_map : dict or astropy.nddata.BitFlagNameMap

    Raises
    ------
    InputError
        (a ValueError) A parameter that is not one of the above, a WCS without shape, an output of absurd size.
    """

    variance_array_names = ["var_rnoise", "var_flat", "var_poisson"]
    error_from_variances = None
    dq_flag_name_map = None
    output_array_types = defaultdict(
        lambda: np.float32,
        {
            "con": np.int32,
            **dict.fromkeys(("data", "wht", "var_rnoise", "var_flat", "var_poisson", "err"), np.float32),
        },
    )

    def __init__(
        self,
        output_wcs,
        n_input_models=None,
        pixfrac=1.0,
        kernel="square",
        fillval=0.0,
        weight_type="ivm",
        good_bits=0,
        enable_ctx=True,
        enable_var=True,
        compute_err=None,
        propagate_dq=False,
        pixmap_stepsize=1,
        pixmap_order=1,
        *,
        variance="exact",
    ):
        self.kernel = _choice("kernel", str(kernel).lower(), KERNELS)
        self.weight_type = _choice("weight_type", weight_type, WEIGHTS)
        self._compute_err = _choice("compute_err", compute_err or None, (None, "from_var", "driz_err"))
        self.variance = _choice("variance", variance, ("exact", "reference"))
        self.pixmap_order = _choice("pixmap_order", pixmap_order, (1, 3))
        self.pixmap_stepsize = pixmap_stepsize
        self.pixfrac = float(pixfrac)
        if not (np.isfinite(self.pixfrac) and self.pixfrac >= 0):
            raise InputError(f"pixfrac {pixfrac!r}: expected a number from 0 to 1")
        if self.kernel in LOSSY:
            log.warning("kernel %s does not conserve flux", self.kernel)
        parse_fillval(fillval)  # refused here if it cannot be one
        self.fillval, self.good_bits = fillval, good_bits
        self._enable_ctx, self._propagate_dq = bool(enable_ctx), bool(propagate_dq)
        self._enable_var = bool(enable_var) or self._compute_err == "from_var"
        wcs = (output_wcs or {}).get("wcs")
        self.check_output_wcs(wcs)
        self._output_wcs, self._output_array_shape = wcs, array_shape(wcs)
        self._output_pixel_scale = output_wcs.get("pixel_scale") or None
        self._pixel_scale_ratio = output_wcs.get("pixel_scale_ratio")
        self.reset_arrays(n_input_models)

    compute_err = property(
        lambda self: self._compute_err, doc="How the error array is computed; None: not at all."
    )
    enable_ctx = property(lambda self: self._enable_ctx, doc="Whether there is a context array.")
    enable_var = property(lambda self: self._enable_var, doc="Whether variance arrays are resampled.")
    propagate_dq = property(lambda self: self._propagate_dq, doc="Whether the output has a DQ array.")
    output_wcs = property(lambda self: self._output_wcs, doc="WCS of the output.")
    output_array_shape = property(lambda self: self._output_array_shape, doc="(ny, nx) of the output.")
    pixel_scale_ratio = property(
        lambda self: self._pixel_scale_ratio,
        doc="Output over input pixel size; None until the first model tells.",
    )
    group_ids = property(lambda self: self._times.groups, doc="The groups of the models that were added.")

    @property
    def output_pixel_scale(self):
        """arcsec: as given, or the square root of the output's mean pixel area."""
        wcs = self._output_wcs
        if self._output_pixel_scale is None and (hasattr(wcs, "output_frame") or hasattr(wcs, "to_sky")):
            area = self.get_output_model_pixel_area({"wcs": wcs})
            self._output_pixel_scale = float(np.sqrt(area) / ARCSEC)
        return self._output_pixel_scale

    def check_output_wcs(self, output_wcs, estimate_output_shape=True):
        """Refuse an output WCS that cannot be used; give one without an ``array_shape`` that of its bounding box.

        Raises
        ------
        InputError
            It is None, not celestial (`UnsupportedWCSError`), has no shape, or one that is empty or absurdly large.
        """
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

    def reset_arrays(self, n_input_models=None):
        """Start anew: empty output arrays, no models added."""
        from drizzle.resample import Drizzle

        common = {"out_shape": self._output_array_shape, "kernel": self.kernel}
        self._driz = Drizzle(
            **common,
            fillval=parse_fillval(self.fillval),
            fillval2=np.nan,
            disable_ctx=not self._enable_ctx,
            max_ctx_id=max(0, n_input_models - 1) if n_input_models else None,
        )
        self._driz_error = (
            Drizzle(**common, fillval=np.nan, disable_ctx=True) if self._compute_err == "driz_err" else None
        )
        self._scale = None  # of the weights inside drizzle; see _wht_scale
        self._finalized = False
        self.n_models = 0
        self.seen_variances = set()  #: names of the variances that some model had
        self.init_variance_arrays()
        self.init_time_counters()
        self._output_model = self.create_output_model()

    def init_variance_arrays(self):
        """Empty sums of the reference estimator (the exact one is drizzled with the data)."""
        self._reference = None
        if self._enable_var and self.variance == "reference":
            self._reference = ReferenceVariances(
                self.variance_array_names, self._output_array_shape, self.kernel
            )

    def init_time_counters(self):
        """No time counted yet."""
        self._times = ExposureTimes()

    def create_output_model(self) -> dict:
        """The output's dictionary; subclasses may add to it."""
        scale = self.output_pixel_scale
        planes = ["data", "wht", "con", "dq", *(self.variance_array_names if self._enable_var else [])]
        return {
            "wcs": self._output_wcs,
            **dict.fromkeys(planes),
            **({"err": None} if self._compute_err else {}),
            "pixfrac": self.pixfrac,
            "kernel": self.kernel,
            "fillval": self.fillval,
            "weight_type": self.weight_type,
            "pixelarea_steradians": scale and (scale * ARCSEC) ** 2,
            "pixelarea_arcsecsq": scale and scale**2,
            "pixel_scale_ratio": self._pixel_scale_ratio,
            "pointings": 0,
            "exposure_time": 0.0,
            "measurement_time": None,
            "start_time": None,
            "end_time": None,
            "duration": 0.0,
            "elapsed_exposure_time": 0.0,
            "level": None,
            "subtracted": False,
        }

    def is_finalized(self) -> bool:
        """Whether `finalize` has been called."""
        return self._finalized

    def validate_input_model(self, model: dict):
        """Refuse a model that lacks what the options need, before anything is computed.

        Raises
        ------
        KeyError
            A key is missing. A plane that the model does not have is there as None.
        InputError
            Data that are not an image, planes of other shapes, an exposure time that is not positive, no ``err`` for
            ``driz_err``.
        """
        needed = [
            *REQUIRED,
            *([] if "pixmap" in model else ["wcs"]),
            *([] if self._compute_err != "driz_err" else ["err"]),
        ]
        needed += self.variance_array_names if self._enable_var else []
        check_model(model, needed, ("dq", "err", "var_sky", *self.variance_array_names))
        if self._compute_err == "driz_err" and model["err"] is None:
            raise InputError(f"{model['filename']}: there is no err, which compute_err driz_err drizzles")

    def add_model(self, model: dict):
        """Drizzle one image.

        Parameters
        ----------
        model : dict
            ``data`` (float (ny, nx)), ``dq``, ``wcs`` or ``pixmap`` (float64 (ny, nx, 2) in pixels of the output array),
            ``exposure_time`` (s), ``measurement_time``, ``duration``, ``start_time``, ``end_time``, ``group_id``,
            ``level`` and ``subtracted`` (sky to subtract first), ``filename``, ``pixelarea_steradians``, and as the options
            ask ``err``, ``var_rnoise``, ``var_poisson``, ``var_flat`` and ``var_sky``.

        Raises
        ------
        RuntimeError
            The output is finalized.
        KeyError, InputError
            See `validate_input_model`.
        """
        if self._finalized:
            raise RuntimeError("the output is finalized; call reset_arrays() before adding models")
        self.validate_input_model(model)
        pixmap = self._pixmap(model)
        inside = np.isfinite(pixmap[..., 0])
        ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if model["group_id"] not in self.group_ids:
            self.update_time(model)
        if not len(ys):
            self.skip_model()
            return
        data = np.asarray(model["data"], np.float32)
        weight = self.build_weight(model)
        if not model["subtracted"] and model["level"] is not None:
            data = data - np.float32(model["level"])
        self.n_models += 1
        self.seen_variances |= {n for n in self.variance_array_names if model.get(n) is not None}
        iscale = self._get_intensity_scale(model)
        region = int(xs[0]), int(xs[-1]), int(ys[0]), int(ys[-1])
        arguments = {"pixmap": pixmap, **self._arguments(model, self._ratio(model), iscale, weight, region)}
        more = {}
        if self._propagate_dq:
            dq = model.get("dq")
            more["dq"] = (
                np.zeros(data.shape, np.uint32)
                if dq is None
                else np.asarray(dq).astype(np.uint32, copy=False)
            )
        if self._enable_var and self.variance == "exact":
            more["data2"] = [self._variance_plane(model, n) for n in self.variance_array_names]
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Kernel .*flux-conserving"
            )  # said once, when the kernel was chosen
            self._driz.add_image(data, **arguments, **more)
            self.add_model_hook(model, pixmap, arguments["pixel_scale_ratio"], iscale, weight, *region)
            if self._driz_error is not None:
                self._driz_error.add_image(np.asarray(model["err"], np.float32), **arguments)
            if self._reference is not None:
                self.resample_variance_arrays(
                    model, pixmap, arguments["pixel_scale_ratio"], iscale, weight, *region
                )

    def _arguments(self, model, pixel_scale_ratio, iscale, weight, region) -> dict:
        """What all of a model's planes are drizzled with, but the pixel map; `region`: xmin, xmax, ymin, ymax."""
        return {
            "exptime": model["exposure_time"],
            "pixel_scale_ratio": pixel_scale_ratio,
            "iscale": iscale,
            "weight_map": weight,
            "wht_scale": self._wht_scale(weight),
            "pixfrac": self.pixfrac,
            "in_units": "cps",
            **dict(zip(("xmin", "xmax", "ymin", "ymax"), region, strict=True)),
        }

    def _pixmap(self, model):
        if model.get("pixmap") is not None:
            return model["pixmap"]
        shape, wcs = np.shape(model["data"]), model["wcs"]
        pixmap = calc_pixmap(
            wcs, self._output_wcs, shape, stepsize=self.pixmap_stepsize, order=self.pixmap_order
        )
        if not np.isfinite(pixmap).any():
            raise InputError(
                f"{model['filename']}: the WCS is not finite anywhere on the image and the output"
            )
        if Window.around(pixmap[..., 0], pixmap[..., 1], 1).clipped(self._output_array_shape).empty:
            log.warning("%s: does not meet the output", model["filename"])
            pixmap[:] = np.nan
        return pixmap

    def _ratio(self, model) -> float:
        if self._pixel_scale_ratio is None:
            scale = self.output_pixel_scale
            area = self.get_input_model_pixel_area(model, prefer_mean=False) if scale else None
            if scale and area:
                self._pixel_scale_ratio = float(scale * ARCSEC / np.sqrt(area))
        return self._pixel_scale_ratio or 1.0

    def _get_intensity_scale(self, model) -> float:
        """What the data are multiplied with: 1, for images are resampled as surface brightness."""
        return 1.0

    def skip_model(self):
        """Count a model that does not meet the output: the next one gets the next context bit."""
        self.n_models += 1
        nothing = np.zeros((2, 2), np.float32)
        variances = (
            [nothing] * len(self.variance_array_names)
            if self._enable_var and self.variance == "exact"
            else None
        )
        pixmap = np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0]), axis=-1)
        flags = {"dq": np.zeros((2, 2), np.uint32)} if self._propagate_dq else {}
        self._driz.add_image(
            nothing, exptime=1.0, pixmap=pixmap, weight_map=nothing, data2=variances, **flags
        )

    def add_model_hook(self, model, pixmap, pixel_scale_ratio, iscale, weight_map, xmin, xmax, ymin, ymax):
        """For subclasses: called after a model's data have been drizzled."""

    def build_weight(self, model) -> np.ndarray:
        """The weight map of a model, float32: also 0 where the data are not finite, whatever their flags."""
        weight = build_driz_weight(model, self.weight_type, self.good_bits, self.dq_flag_name_map)
        np.copyto(
            weight, 0, where=~np.isfinite(model["data"])
        )  # one NaN would blank every pixel that it touches
        return weight

    def _wht_scale(self, weight) -> float:
        """A power of two that keeps squares of extreme weights inside float32; it changes no other bit of the output."""
        if self._scale is None and weight.any():
            largest = float(weight.max())
            self._scale = 1.0 if 1e-9 < largest < 1e9 else 2.0 ** -round(np.log2(largest))
        return self._scale or 1.0

    @staticmethod
    def _variance_plane(model, name):
        plane = model.get(name)
        return (
            np.full(np.shape(model["data"]), np.nan, np.float32)
            if plane is None
            else np.asarray(plane, np.float32)
        )

    def resample_variance_arrays(
        self, model, pixmap, pixel_scale_ratio, iscale, weight_map, xmin, xmax, ymin, ymax
    ):
        """Add a model to the reference estimator's sums; see `drizzleflow.resample.reference_variance`."""
        arguments = self._arguments(model, pixel_scale_ratio, iscale, weight_map, (xmin, xmax, ymin, ymax))
        reach = kernel_reach(self.kernel, getattr(self._output_wcs, "coarsest", 1.0 / pixel_scale_ratio))
        weight_name = VARIANCE_OF_WEIGHT.get(self.weight_type)
        self._reference.add(model, pixmap, arguments, reach, weight_name, get_tmeasure(model)[0])

    def update_time(self, model):
        """Count an exposure's times: called for the first image of each group."""
        self._times.add(model["group_id"], model)

    def finalize(self):
        """No more images: compute the variances, errors and times.

        Raises
        ------
        InputError
            Nothing was added.
        """
        if not self.n_models:
            raise InputError("resampling: no image was added")
        self._finalized = True
        model = self.output_model
        self.finalize_resample_variance(model)
        self.finalize_time_info()

    def finalize_resample_variance(self, output_model: dict):
        """Put variances and errors into `output_model`, and let the sums go."""
        if self._enable_var:
            if self._reference is not None:
                output_model.update(self._reference.result(self._pixel_scale_ratio or 1.0))
                self._reference = None
            else:
                output_model.update(zip(self.variance_array_names, self._driz.out_img2, strict=True))
        if self._compute_err == "driz_err":
            output_model["err"] = self._driz_error.out_img / np.float32(self._pixel_scale_ratio or 1.0)
        elif self._compute_err == "from_var":
            names = self.error_from_variances or self.variance_array_names
            output_model["err"] = root_of_sum([output_model[name] for name in names])

    def finalize_time_info(self):
        """Put the times into the output model."""
        self._output_model.update(self._times.values())

    @property
    def output_model(self) -> dict:
        """The output: ``data``, ``wht``, ``con``, ``dq``, and when it is finalized ``err``, ``var_*``; times, ``wcs``."""
        model = self._output_model
        wht = self._driz.out_wht
        model["data"], model["con"] = self._driz.out_img, self._driz.out_ctx
        model["wht"] = wht if self._scale in (None, 1.0) else wht * np.float32(1 / self._scale)
        model["dq"] = self._driz.out_dq if self._propagate_dq else None
        model["pixel_scale_ratio"] = self._pixel_scale_ratio
        model.update(self._times.values())
        return model

    def get_input_model_pixel_area(self, model, prefer_mean=True):
        """Pixel area of a model in steradians: the mean over its bounding box, or its nominal ``pixelarea_steradians``.

        `prefer_mean` says which comes first; the other where that one is not known; None without either.
        """
        nominal = model.get("pixelarea_steradians")
        if not prefer_mean and nominal:
            return nominal
        if model.get("wcs") is None:
            return nominal
        area = compute_mean_pixel_area(model["wcs"], np.shape(model["data"]))
        return area if np.isfinite(area) else nominal

    def get_output_model_pixel_area(self, model) -> float:
        """Mean pixel area of the output in steradians."""
        return compute_mean_pixel_area(model["wcs"])


def root_of_sum(variances, rows: int = 32) -> np.ndarray:
    """The square root of the sum of variances (ny, nx), NaN left out; NaN where all are. Some rows at a time, in the cache."""
    out = np.array(variances[0])
    for first in range(0, len(out), rows):
        total = out[first : first + rows]
        for variance in variances[1:]:
            part = variance[first : first + rows]
            both = total + part
            lost = np.isnan(both)
            if lost.any():
                both[lost] = np.fmax(total[lost], part[lost])
            total[...] = both
        np.sqrt(total, out=total)
    return out


def _choice(name, value, choices):
    if value not in choices:
        raise InputError(f"{name} {value!r}: expected one of {', '.join(map(str, choices))}")
    return value
