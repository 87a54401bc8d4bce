"""Resampling: images drizzled onto one output image, with weights, variances, context and data quality.

`Resample` has the interface of `stcal.resample.Resample`. It computes each model's weight and pixel map,
drizzles it with the ``drizzle`` package (Fruchter & Hook 2002, PASP 114, 144), and computes variances in one
of two ways.
"""

from __future__ import annotations

import logging
import warnings
from collections import defaultdict

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.frames.frame import scale_ratio
from drizzleflow.resample import placement
from drizzleflow.resample.exposure_times import ExposureTimes
from drizzleflow.resample.kernels import KERNELS, LOSSY, kernel_reach, parse_fillval
from drizzleflow.resample.model_keys import empty_output_model, needed_keys
from drizzleflow.resample.placement import ARCSEC
from drizzleflow.resample.planes import DrizzledPlanes, root_of_sum
from drizzleflow.resample.reference_variance import ReferenceVariances
from drizzleflow.resample.utils import (
    VARIANCE_OF_WEIGHT,
    array_shape,
    build_driz_weight,
    check_model,
    compute_mean_pixel_area,
    get_tmeasure,
    with_squared_error,
)

log = logging.getLogger("drizzleflow")

WEIGHTS = ("ivm", "ivm-sky", "exptime", "err")


class Resample:
    """An output image to which models are added one by one (the interface of `stcal.resample.Resample`).

    Parameters
    ----------
    output_wcs : dict
        ``wcs``: a gwcs or a `drizzleflow.geometry.grid.Grid`. Optional: ``pixel_scale`` (arcsec; by default
        that of the WCS) and ``pixel_scale_ratio`` (size of output pixels over that of input pixels; by
        default from the first model's pixel area).
    n_input_models : int, optional
        How many models will be added; it sizes the context array.
    pixfrac : float
        Fraction of a pixel to which its flux is confined, 0 to 1.
    kernel : str
        One of `drizzleflow.resample.kernels.KERNELS`, in any case; gaussian and lanczos do not conserve flux.
    fillval : float, str or None
        Value of output pixels on which nothing falls; None and ``INDEF`` are NaN.
    weight_type : {'ivm', 'ivm-sky', 'exptime', 'err'}
        The weight is the inverse of ``var_rnoise``, the inverse of ``var_sky``, the measurement time (s; the
        exposure time where that is unknown), or the inverse square of ``err``.
    good_bits : int, str, list or None
        DQ bits that a pixel with a weight may have, see `drizzleflow.arrays.dq`; names as in
        ``dq_flag_name_map``.
    enable_ctx, enable_var : bool
        Whether to make the context image and the variance arrays.
    compute_err : {None, 'from_var', 'driz_err'}
        How the error array is made: not at all, as the root of the variances' sum (implies `enable_var`), or
        by drizzling ``err``.
    propagate_dq : bool
        Whether the output has a DQ array: the OR of the flags of all input pixels that contribute.
    pixmap_stepsize, pixmap_order
        Of the pixel map, see `drizzleflow.resample.utils.calc_pixmap`: 1 is exact, 'auto' the coarsest step
        that is good to 1e-3 px. A model with a ``pixmap`` brings its own.
    variance : {'exact', 'reference'}
        ``exact``: sum of (w^2 V) over (sum of w)^2, where w is the weight times the overlap of each input
        pixel; NaN where an image without that variance contributes. ``reference``: the JWST pipeline's
        estimator, see `drizzleflow.resample.reference_variance`.

    Attributes
    ----------
    variance_array_names : list of str
        The model's variances that are resampled.
    error_from_variances : list of str or None
        Those of them whose sum makes the error; None: all.
    dq_flag_name_map : dict or astropy.nddata.BitFlagNameMap
        Flag name -> bit, for names in `good_bits`.

    Raises
    ------
    InputError
        (a ValueError) A parameter has another value, the WCS has no shape, or the output is absurdly large.

    Source: the documents and behaviour of `stcal.resample.Resample` 1.20.0.
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

    compute_err = property(lambda self: self._compute_err, doc="How the error array is made; None: not.")
    enable_ctx = property(lambda self: self._enable_ctx, doc="Whether there is a context array.")
    enable_var = property(lambda self: self._enable_var, doc="Whether variance arrays are resampled.")
    propagate_dq = property(lambda self: self._propagate_dq, doc="Whether the output has a DQ array.")
    output_wcs = property(lambda self: self._output_wcs, doc="WCS of the output.")
    output_array_shape = property(lambda self: self._output_array_shape, doc="(ny, nx) of the output.")
    #: None until the first model tells
    pixel_scale_ratio = property(lambda self: self._pixel_scale_ratio, doc="Output over input pixel size.")
    group_ids = property(lambda self: self._times.groups, doc="The groups of the models that were added.")

    @property
    def output_pixel_scale(self):
        """The output's pixel scale in arcsec: as given, or the square root of its mean pixel area."""
        wcs = self._output_wcs
        if self._output_pixel_scale is None and (hasattr(wcs, "output_frame") or hasattr(wcs, "to_sky")):
            area = self.get_output_model_pixel_area({"wcs": wcs})
            self._output_pixel_scale = float(np.sqrt(area) / ARCSEC)
        return self._output_pixel_scale

    def check_output_wcs(self, output_wcs, estimate_output_shape=True):
        """Refuse an output WCS that cannot be used.

        A WCS without ``array_shape`` gets the shape of its bounding box.

        Raises
        ------
        InputError
            The WCS is None, has no shape, or one that is empty or absurdly large.
        UnsupportedWCSError
            Its axes are not two celestial ones.
        """
        placement.check_output_wcs(output_wcs, estimate_output_shape)

    def reset_arrays(self, n_input_models=None):
        """Start anew: empty output arrays, and no model added."""
        shape, error = self._output_array_shape, self._compute_err == "driz_err"
        self._planes = DrizzledPlanes(
            shape, self.kernel, self.fillval, n_input_models, self._enable_ctx, error
        )
        self._finalized = False
        self.n_models = 0
        self.seen_variances = set()  #: names of the variances that some model had
        self.init_variance_arrays()
        self.init_time_counters()
        self._output_model = self.create_output_model()

    def init_variance_arrays(self):
        """Empty the reference estimator's sums; exact variances are drizzled together with the image."""
        self._reference = None
        if self._enable_var and self.variance == "reference":
            self._reference = ReferenceVariances(
                self.variance_array_names, self._output_array_shape, self.kernel
            )

    def init_time_counters(self):
        """Set all exposure times to zero."""
        self._times = ExposureTimes()

    def create_output_model(self) -> dict:
        """Make the output's dictionary, without arrays; subclasses may add keys."""
        names, scale = self._variance_names, self.output_pixel_scale
        return empty_output_model(self._output_wcs, names, self._compute_err, scale) | {
            "pixfrac": self.pixfrac,
            "kernel": self.kernel,
            "fillval": self.fillval,
            "weight_type": self.weight_type,
            "pixel_scale_ratio": self._pixel_scale_ratio,
        }

    def is_finalized(self) -> bool:
        """Whether `finalize` has been called."""
        return self._finalized

    def validate_input_model(self, model: dict):
        """Refuse a model that lacks what the options need, before anything is computed.

        Raises
        ------
        KeyError
            A key is missing. (A plane that the model does not have is given as None.)
        InputError
            The data are not an image, a plane has another shape, the exposure time is not positive, or there
            is no ``err`` for ``driz_err`` or for the weight ``err``.
        """
        needed = needed_keys(model, self._variance_names, self._compute_err)
        check_model(model, needed, ("dq", "err", "var_sky", *self.variance_array_names))
        if self._compute_err == "driz_err" and model["err"] is None:
            raise InputError(f"{model['filename']}: there is no err, which compute_err driz_err drizzles")
        if self.weight_type == "err" and model.get("err") is None:
            raise InputError(
                f"{model['filename']}: there is no err, from which weight_type err has its weights"
            )

    def add_model(self, model: dict):
        """Drizzle one image onto the output.

        Parameters
        ----------
        model : dict
            - ``data``: (ny, nx) float array, surface brightness
            - ``dq``: (ny, nx) integer array or None
            - ``wcs``, or ``pixmap``: position of each pixel on the output, (ny, nx, 2) float64, 0-based
            - ``level``, ``subtracted``: sky in the unit of ``data`` or None; whether it is subtracted already
            - ``exposure_time``, ``measurement_time``, ``duration`` (s), ``start_time``, ``end_time`` (MJD)
            - ``group_id``: models of one group were exposed together, and their times count once
            - ``filename`` and ``pixelarea_steradians``
            - ``own_scale_ratio``, optional: its own ``pixel_scale_ratio``, where its pixels have another size
            - ``err``, ``var_rnoise``, ``var_poisson``, ``var_flat``, ``var_sky``: (ny, nx), as options need

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
        pixmap = placement.model_pixmap(
            model, self._output_wcs, self._output_array_shape, self.pixmap_stepsize, self.pixmap_order
        )
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
        with warnings.catch_warnings():
            # the warning is given once, when the kernel is chosen
            warnings.filterwarnings("ignore", "Kernel .*flux-conserving")
            self._planes.add(model, data, arguments, self._exact_names, self._propagate_dq)
            ratio = arguments["pixel_scale_ratio"]
            self.add_model_hook(model, pixmap, ratio, iscale, weight, *region)
            self._planes.add_error(model, arguments)
            if self._reference is not None:
                self.resample_variance_arrays(model, pixmap, ratio, iscale, weight, *region)

    @property
    def _variance_names(self):
        return self.variance_array_names if self._enable_var else []

    @property
    def _exact_names(self):
        """The variances that are drizzled with the image; None: none are."""
        return self.variance_array_names if self._enable_var and self.variance == "exact" else None

    def _arguments(self, model, pixel_scale_ratio, iscale, weight, region) -> dict:
        """Drizzle's arguments for all planes of a model, but for the pixel map.

        `region` is (xmin, xmax, ymin, ymax) in pixels of the model.
        """
        return {
            "exptime": model["exposure_time"],
            "pixel_scale_ratio": pixel_scale_ratio,
            "iscale": iscale,
            "weight_map": weight,
            "wht_scale": self._planes.weight_scale(weight),
            "pixfrac": self.pixfrac,
            "in_units": "cps",
            **dict(zip(("xmin", "xmax", "ymin", "ymax"), region, strict=True)),
        }

    def _ratio(self, model) -> float:
        if self._pixel_scale_ratio is None:
            scale = self.output_pixel_scale
            area = self.get_input_model_pixel_area(model, prefer_mean=False) if scale else None
            if scale and area:
                self._pixel_scale_ratio = float(scale * ARCSEC / np.sqrt(area))
        return scale_ratio(model.get("own_scale_ratio"), self._pixel_scale_ratio or 1.0)

    def _get_intensity_scale(self, model) -> float:
        """The factor on the data: 1, since images are resampled as surface brightness."""
        return 1.0

    def skip_model(self):
        """Count a model that does not meet the output: the next model gets the next context bit."""
        self.n_models += 1
        self._planes.skip(self._exact_names, self._propagate_dq)

    def add_model_hook(self, model, pixmap, pixel_scale_ratio, iscale, weight_map, xmin, xmax, ymin, ymax):
        """Do nothing; subclasses may override it. It is called after a model's image has been drizzled."""

    def build_weight(self, model) -> np.ndarray:
        """The weight map of a model, (ny, nx) float32; 0 also where the data are not finite."""
        weight = build_driz_weight(model, self.weight_type, self.good_bits, self.dq_flag_name_map)
        # one NaN would blank every output pixel that it touches
        np.copyto(weight, 0, where=~np.isfinite(model["data"]))
        return weight

    def resample_variance_arrays(
        self, model, pixmap, pixel_scale_ratio, iscale, weight_map, xmin, xmax, ymin, ymax
    ):
        """Add a model to the sums of the reference estimator (`drizzleflow.resample.reference_variance`)."""
        arguments = self._arguments(model, pixel_scale_ratio, iscale, weight_map, (xmin, xmax, ymin, ymax))
        reach = kernel_reach(self.kernel, getattr(self._output_wcs, "coarsest", 1.0 / pixel_scale_ratio))
        weight_name = VARIANCE_OF_WEIGHT.get(self.weight_type)
        model = with_squared_error(model) if self.weight_type == "err" else model
        self._reference.add(model, pixmap, arguments, reach, weight_name, get_tmeasure(model)[0])

    def update_time(self, model):
        """Count an exposure's times; called for the first model of each group."""
        self._times.add(model["group_id"], model)

    def finalize(self):
        """Compute variances, errors and times; no model can be added after it.

        Raises
        ------
        InputError
            No model was added.
        """
        if not self.n_models:
            raise InputError("resampling: no image was added")
        self._finalized = True
        model = self.output_model
        self.finalize_resample_variance(model)
        self.finalize_time_info()

    def finalize_resample_variance(self, output_model: dict):
        """Put variances and errors into `output_model`, and free the sums behind them."""
        if self._enable_var:
            if self._reference is not None:
                output_model.update(self._reference.result(self._pixel_scale_ratio or 1.0))
                self._reference = None
            else:
                output_model.update(zip(self.variance_array_names, self._planes.variances(), strict=True))
        if self._compute_err == "driz_err":
            output_model["err"] = self._planes.error(self._pixel_scale_ratio or 1.0)
        elif self._compute_err == "from_var":
            names = self.error_from_variances or self.variance_array_names
            output_model["err"] = root_of_sum([output_model[name] for name in names])

    def finalize_time_info(self):
        """Put the exposure times into the output model."""
        self._output_model.update(self._times.values())

    @property
    def output_model(self) -> dict:
        """The output as a dictionary.

        ``data``, ``wht``, ``con``, ``dq`` (arrays or None), the exposure times, ``wcs``, the options, and
        once it is finalized ``err`` and ``var_*``.
        """
        model = self._output_model
        model.update(self._planes.arrays(self._propagate_dq))
        model["pixel_scale_ratio"] = self._pixel_scale_ratio
        model.update(self._times.values())
        return model

    def get_input_model_pixel_area(self, model, prefer_mean=True):
        """Pixel area of a model in steradians.

        It is the mean over the WCS's bounding box, or the nominal ``pixelarea_steradians``; `prefer_mean`
        says which is taken where both are known. None where neither is.
        """
        return placement.model_pixel_area(model, prefer_mean)

    def get_output_model_pixel_area(self, model) -> float:
        """Mean pixel area of the output in steradians."""
        return compute_mean_pixel_area(model["wcs"])


def _choice(name, value, choices):
    if value not in choices:
        raise InputError(f"{name} {value!r}: expected one of {', '.join(map(str, choices))}")
    return value
