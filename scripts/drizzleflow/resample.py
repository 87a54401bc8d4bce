"""Resampling: drizzling images onto a grid with weights, variances, context and data quality (seed 002).

The kernel itself is the `drizzle` package (Fruchter & Hook 2002). Here are the weights, what goes around the kernel for
each image, and the two estimators of the variance.
"""

from __future__ import annotations

import logging

import numpy as np

from drizzleflow import dq as dq_bits
from drizzleflow.errors import InputError
from drizzleflow.footprint import window
from drizzleflow.pixmap import shift
from drizzleflow.weights import build_driz_weight

log = logging.getLogger("drizzleflow")

KERNELS = ("square", "gaussian", "point", "turbo", "lanczos2", "lanczos3")


def kernel_reach(kernel: str, scale: float = 1.0) -> int:
    """How many output pixels beyond a pixel's mapped centre a kernel can touch.

    drizzle drops input pixels whose centre falls outside the output frame, so a window, band or tile needs this many
    pixels of margin for its border to be that of the full frame (measured: 1 to 3 at scale 1).

    Parameters
    ----------
    scale : float
        Output pixels per input pixel.
    """
    radius = {"lanczos2": 2, "lanczos3": 3}.get(kernel, 1)
    return int(np.ceil(radius * scale)) + 3


def parse_fillval(value) -> str:
    """``fillval`` as drizzle takes it: a number, ``INDEF`` (None) or ``NAN``, any case."""
    text = "INDEF" if value is None else str(value).strip().upper()
    if text in ("INDEF", "NONE"):
        return "INDEF"
    try:
        float(text)
    except ValueError:
        raise InputError(f"fillval {value!r}: expected a number, NAN or INDEF") from None
    return text


class ExposureTimes:
    """Times of a product, where the frames of one group were exposed together and count once."""

    SUMMED = ("exposure_time", "duration", "measurement_time")

    def __init__(self):
        self.groups = []
        self._values = {**dict.fromkeys(self.SUMMED, 0.0), "start_time": None, "end_time": None}

    def add(self, group, times: dict) -> None:
        """Count `times` (s; start and end in MJD) unless the group has been counted. A sum with an unknown is unknown."""
        if group in self.groups:
            return
        self.groups.append(group)
        values = self._values
        for key in self.SUMMED:
            value = times.get(key)
            values[key] = None if value is None or values[key] is None else values[key] + value
        for key, choose in (("start_time", min), ("end_time", max)):
            value = times.get(key)
            if value is not None:
                values[key] = value if values[key] is None else choose(values[key], value)

    def values(self) -> dict:
        return {"pointings": len(self.groups), **self._values}


class Resample:
    """Add images one by one to an output image on ``output_wcs``.

    Parameters
    ----------
    output_wcs : dict
        ``wcs``: a `drizzleflow.grid.Grid` (or any object with ``array_shape``); ``pixel_scale`` (arcsec) and
        ``pixel_scale_ratio`` (output over input pixel size), both optional.
    n_input_models : int, optional
        How many images will come; sizes the context.
    pixfrac : float
        Fraction of a pixel that its flux is confined to.
    kernel : str
        One of `KERNELS`; gaussian and lanczos do not conserve flux.
    fillval : float, str or None
        Value of output pixels that nothing falls on.
    weight_type : 'ivm', 'ivm-sky' or 'exptime'
    good_bits : int, str, list or None
        See `drizzleflow.dq`.
    enable_ctx, enable_var : bool
        Whether to make the context image and the variance arrays.
    compute_err : None, 'from_var' (implies enable_var) or 'driz_err'
    propagate_dq : bool
        Whether the output has a DQ: the OR of the inputs' that contribute.
    variance : 'exact' or 'reference'
        ``exact``: sum of (w^2 V) over (sum of w)^2, w the weight times the overlap of each input pixel. ``reference``: as
        the JWST pipeline, each drizzled variance weighted by one resampled weight an image, overlaps not squared.

    Raises
    ------
    InputError
        A parameter that is not one of the above.
    """

    variance_array_names = ("var_rnoise", "var_flat", "var_poisson")
    dq_flag_name_map: dict | None = None

    def __init__(
        self, output_wcs, n_input_models=None, pixfrac=1.0, kernel="square", fillval=0.0, weight_type="ivm", good_bits=0,
        enable_ctx=True, enable_var=True, compute_err=None, propagate_dq=False, pixmap_stepsize=1, pixmap_order=1,
        *, variance="exact",
    ):  # fmt: skip
        self.kernel = str(kernel).lower()
        if self.kernel not in KERNELS:
            raise InputError(f"kernel {kernel!r}: expected one of {', '.join(KERNELS)}")
        if weight_type not in ("ivm", "ivm-sky", "exptime"):
            raise InputError(f"weight_type {weight_type!r}: expected ivm, ivm-sky or exptime")
        if compute_err not in (None, "from_var", "driz_err"):
            raise InputError(f"compute_err {compute_err!r}: expected from_var, driz_err or None")
        if variance not in ("exact", "reference"):
            raise InputError(f"variance {variance!r}: expected exact or reference")
        self.output_wcs = output_wcs["wcs"]
        self.output_array_shape = tuple(self.output_wcs.array_shape)
        self.output_pixel_scale = output_wcs.get("pixel_scale")
        self.pixel_scale_ratio = output_wcs.get("pixel_scale_ratio")
        self.pixfrac, self.fillval, self.weight_type = float(pixfrac), parse_fillval(fillval), weight_type
        self.good_bits, self.enable_ctx, self.propagate_dq = good_bits, enable_ctx, propagate_dq
        self.enable_var = enable_var or compute_err == "from_var"
        self.compute_err, self.variance = compute_err, variance
        self.pixmap_stepsize, self.pixmap_order = pixmap_stepsize, pixmap_order
        self.reset_arrays(n_input_models)

    def reset_arrays(self, n_input_models=None):
        """Start anew: empty output arrays, no models added."""
        from drizzle.resample import Drizzle

        common = {"out_shape": self.output_array_shape, "kernel": self.kernel}
        self._driz = Drizzle(
            **common,
            fillval=self.fillval,
            fillval2=np.nan,
            disable_ctx=not self.enable_ctx,
            max_ctx_id=max(0, n_input_models - 1) if n_input_models else None,
        )
        self._driz_error = Drizzle(**common, fillval=np.nan, disable_ctx=True) if self.compute_err == "driz_err" else None
        self._sums, self._totals = {}, {}
        if self.enable_var and self.variance == "reference":
            for name in self.variance_array_names:
                self._sums[name] = np.zeros(self.output_array_shape, np.float32)
                self._totals[name] = np.zeros(self.output_array_shape, np.float32)
        self._scale = None  # of the weights inside drizzle; see _wht_scale
        self._finalized = False
        self.n_models = 0
        self.seen_variances = set()  #: names of the variances that some model had
        self._times = ExposureTimes()

    @property
    def group_ids(self) -> list:
        """The groups of the models that were added."""
        return self._times.groups

    def is_finalized(self) -> bool:
        return self._finalized

    def add_model(self, model: dict):
        """Drizzle one image.

        Parameters
        ----------
        model : dict
            ``data`` (float32 (ny, nx)), ``dq``, ``pixmap`` (float64 (ny, nx, 2) in pixels of the output array),
            ``exposure_time`` (s), ``measurement_time``, ``duration``, ``start_time``, ``end_time``, ``group_id``,
            ``level`` and ``subtracted`` (sky to subtract first), ``filename``, and as the options ask ``err`` and
            ``var_rnoise``, ``var_poisson``, ``var_flat``.

        Raises
        ------
        InputError
            An exposure time that is not positive, or arrays of different shapes.
        """
        if self._finalized:
            raise RuntimeError("the output is finalized; call reset_arrays() before adding models")
        name, shape = model.get("filename", "model"), model["data"].shape
        exptime = model["exposure_time"]
        if exptime is None or not exptime > 0:
            raise InputError(f"{name}: exposure time {exptime!r}; expected a positive number of seconds")
        for key in ("dq", "err", *self.variance_array_names):
            if model.get(key) is not None and model[key].shape != shape:
                raise InputError(f"{name}: {key} has shape {model[key].shape}, expected {shape} as the data")
        if self.compute_err == "driz_err" and model.get("err") is None:
            raise InputError(f"{name}: there is no err, which compute_err driz_err drizzles")
        weight = self.build_weight(model)
        data = model["data"]
        if not model.get("subtracted") and model.get("level") is not None:
            data = data - np.float32(model["level"])
        pixmap = model["pixmap"]
        inside = np.isfinite(pixmap[..., 0])
        ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if model["group_id"] not in self.group_ids:
            self.update_time(model)
        if not len(ys):
            self.skip_model()
            return
        self.n_models += 1
        self.seen_variances |= {n for n in self.variance_array_names if model.get(n) is not None}
        arguments = {
            "exptime": exptime, "pixmap": pixmap, "pixel_scale_ratio": self.pixel_scale_ratio or 1.0, "iscale": 1.0,
            "weight_map": weight, "wht_scale": self._wht_scale(weight), "pixfrac": self.pixfrac, "in_units": "cps",
            "xmin": int(xs[0]), "xmax": int(xs[-1]), "ymin": int(ys[0]), "ymax": int(ys[-1]),
        }  # fmt: skip
        more = {}
        if self.propagate_dq:
            more["dq"] = np.zeros(shape, np.uint32) if model.get("dq") is None else model["dq"].astype(np.uint32, copy=False)
        if self.enable_var and self.variance == "exact":
            more["data2"] = [self._variance_plane(model, n) for n in self.variance_array_names]
        self._driz.add_image(data, **arguments, **more)
        self.add_model_hook(
            model, pixmap, arguments["pixel_scale_ratio"], 1.0, weight, *(arguments[k] for k in ("xmin", "xmax", "ymin", "ymax"))
        )
        if self._driz_error is not None:
            self._driz_error.add_image(model["err"], **arguments)
        if self._sums:
            self._add_reference_variances(model, arguments)

    def skip_model(self):
        """Count a model that does not meet the output: the next one gets the next context bit."""
        self.n_models += 1
        nothing = np.zeros((2, 2), np.float32)
        variances = [nothing] * len(self.variance_array_names) if self.enable_var and self.variance == "exact" else None
        pixmap = np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0]), axis=-1)
        flags = {"dq": np.zeros((2, 2), np.uint32)} if self.propagate_dq else {}
        self._driz.add_image(nothing, exptime=1.0, pixmap=pixmap, weight_map=nothing, data2=variances, **flags)

    def add_model_hook(self, model, pixmap, pixel_scale_ratio, iscale, weight_map, xmin, xmax, ymin, ymax):
        """For subclasses: called after a model's data have been drizzled."""

    def build_weight(self, model) -> np.ndarray:
        """The weight map of a model, float32."""
        good = dq_bits.good_pixels(model.get("dq"), self.good_bits, self.dq_flag_name_map, model["data"].shape)
        good &= np.isfinite(model["data"])  # whatever its flags: one NaN would blank every pixel that it touches
        variance = None
        if self.weight_type != "exptime":
            variance = model.get("var_sky" if self.weight_type == "ivm-sky" else "var_rnoise")
            if variance is None:
                log.info("%s: no read-noise variance: equal weights", model.get("filename", "model"))
        time = model.get("measurement_time") or model["exposure_time"]
        return build_driz_weight(model["data"].shape, self.weight_type, good, variance=variance, exposure_time=time)

    def _wht_scale(self, weight) -> float:
        """A power of two that keeps squares of extreme weights inside float32; it changes no other bit of the output."""
        if self._scale is None and weight.any():
            largest = float(weight.max())
            self._scale = 1.0 if 1e-9 < largest < 1e9 else 2.0 ** -round(np.log2(largest))
        return self._scale or 1.0

    @staticmethod
    def _variance_plane(model, name):
        plane = model.get(name)
        return np.full(model["data"].shape, np.nan, np.float32) if plane is None else plane

    def _add_reference_variances(self, model, arguments):
        """Each variance drizzled alone, in the window that the image covers, then summed with one weight an image."""
        from drizzle.resample import Drizzle

        ny, nx = self.output_array_shape
        pixmap = arguments["pixmap"]
        margin = kernel_reach(self.kernel, getattr(self.output_wcs, "coarsest", 1.0 / (self.pixel_scale_ratio or 1.0)))
        x0, x1, y0, y1 = window(pixmap[..., 0], pixmap[..., 1], margin, (ny, nx))
        if x0 >= x1 or y0 >= y1:
            return
        local = dict(arguments, pixmap=shift(pixmap.copy(), x0, y0))
        drizzled = {}
        for name in self.variance_array_names:
            if model.get(name) is None:
                continue
            driz = Drizzle(out_shape=(y1 - y0, x1 - x0), kernel=self.kernel, fillval=np.nan, disable_ctx=True)
            with np.errstate(invalid="ignore"):
                driz.add_image(np.sqrt(model[name]), **local)
            drizzled[name] = driz.out_img**2
        if self.weight_type == "exptime":
            weight = np.full((y1 - y0, x1 - x0), model.get("measurement_time") or model["exposure_time"], np.float32)
        elif "var_rnoise" in drizzled:
            readout = drizzled["var_rnoise"]
            weight = np.zeros_like(readout)
            usable = (readout > 0) & np.isfinite(readout)
            weight[usable] = np.reciprocal(readout[usable])
        else:
            weight = np.ones((y1 - y0, x1 - x0), np.float32)
        for name, variance in drizzled.items():
            use = (variance >= 0) & np.isfinite(variance) & (weight > 0)
            self._sums[name][y0:y1, x0:x1][use] += variance[use] * weight[use] * weight[use]
            self._totals[name][y0:y1, x0:x1][use] += weight[use]

    def update_time(self, model):
        """Count an exposure's times: called for the first image of each group."""
        self._times.add(model["group_id"], model)

    def finalize(self):
        """No more images: compute the variances and errors.

        Raises
        ------
        InputError
            Nothing was added.
        """
        if not self.n_models:
            raise InputError("resampling: no image was added")
        self._finalized = True

    @property
    def output_model(self) -> dict:
        """The output: ``data``, ``wht``, ``con``, ``err``, ``var_*``, ``dq`` (those asked for), ``pointings``, times."""
        model = {
            "wcs": self.output_wcs, "data": self._driz.out_img, "wht": self._weights(), "con": self._driz.out_ctx,
            **self._times.values(),
        }  # fmt: skip
        if self.propagate_dq:
            model["dq"] = self._driz.out_dq
        if not self._finalized:
            return model
        if self.enable_var:
            model.update(self._variances())
        if self.compute_err == "driz_err":
            model["err"] = self._driz_error.out_img / (self.pixel_scale_ratio or 1.0)
        elif self.compute_err == "from_var":
            planes = [model[n] for n in self.variance_array_names]
            total = np.zeros(self.output_array_shape, np.float32)
            known = np.zeros(self.output_array_shape, bool)
            for plane in planes:
                here = ~np.isnan(plane)
                known |= here
                total[here] += plane[here]
            model["err"] = np.sqrt(np.where(known, total, np.float32(np.nan)))
        return model

    def _weights(self):
        wht = self._driz.out_wht
        return wht if self._scale in (None, 1.0) else wht * np.float32(1 / self._scale)

    def _variances(self) -> dict:
        if self.variance == "exact":
            return dict(zip(self.variance_array_names, self._driz.out_img2 or [], strict=True))
        scaling = np.float32(1.0 / (self.pixel_scale_ratio or 1.0) ** 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {n: self._sums[n] * scaling / self._totals[n] / self._totals[n] for n in self.variance_array_names}
