"""Hold the output arrays of a resampling: image, weight, context, data quality, variances and error.

`DrizzledPlanes` is a thin layer over ``drizzle.resample.Drizzle``, which holds the kernels (Fruchter & Hook
2002, PASP 114, 144).
"""

from __future__ import annotations

import numpy as np

from drizzleflow.resample.kernels import parse_fillval


class DrizzledPlanes:
    """The planes that are drizzled for one output image.

    Parameters
    ----------
    shape : (ny, nx)
        Of the output.
    kernel : str
        One of `drizzleflow.resample.kernels.KERNELS`.
    fillval : float, str or None
        The value of output pixels on which nothing falls; see `drizzleflow.resample.kernels.parse_fillval`.
    n_models : int or None
        How many models are expected; drizzle sizes the context array by it.
    enable_ctx : bool
        Whether there is a context array.
    enable_error : bool
        Whether models' ``err`` is drizzled too (``compute_err='driz_err'``).
    """

    def __init__(self, shape, kernel: str, fillval, n_models, enable_ctx: bool, enable_error: bool):
        from drizzle.resample import Drizzle

        common = {"out_shape": shape, "kernel": kernel}
        self._image = Drizzle(
            **common,
            fillval=parse_fillval(fillval),
            fillval2=np.nan,
            disable_ctx=not enable_ctx,
            max_ctx_id=max(0, n_models - 1) if n_models else None,
        )
        self._error = Drizzle(**common, fillval=np.nan, disable_ctx=True) if enable_error else None
        self._scale = None

    def weight_scale(self, weight) -> float:
        """The factor on weights inside drizzle: 1, or a power of two where weights are extreme.

        The factor keeps the squares of weights, which variances need, inside float32. A power of two changes
        no other bit of the output. The first model with a weight above 0 decides.
        """
        if self._scale is None and weight.any():
            largest = float(weight.max())
            self._scale = 1.0 if 1e-9 < largest < 1e9 else 2.0 ** -round(np.log2(largest))
        return self._scale or 1.0

    def add(self, model: dict, data, arguments: dict, variances, propagate_dq: bool) -> None:
        """Drizzle a model's image, and with it its flags and variances.

        Parameters
        ----------
        model : dict
            See `drizzleflow.resample.resample.Resample.add_model`.
        data : (ny, nx) float32 array
            Its image, sky subtracted.
        arguments : dict
            Further arguments of ``Drizzle.add_image``.
        variances : list of str or None
            The variances to drizzle with squared weights, by their keys; NaN stands for one that the model
            lacks.
        propagate_dq : bool
            Whether the output has a DQ plane.
        """
        more = {}
        if propagate_dq:
            dq = model.get("dq")
            none = np.zeros(data.shape, np.uint32) if dq is None else None
            more["dq"] = none if dq is None else np.asarray(dq).astype(np.uint32, copy=False)
        if variances is not None:
            more["data2"] = [_variance(model, name) for name in variances]
        self._image.add_image(data, **arguments, **more)

    def add_error(self, model: dict, arguments: dict) -> None:
        """Drizzle a model's ``err``, where the output has an error of that kind."""
        if self._error is not None:
            self._error.add_image(np.asarray(model["err"], np.float32), **arguments)

    def skip(self, variances, propagate_dq: bool) -> None:
        """Count a model that does not meet the output: the next model gets the next context bit."""
        nothing = np.zeros((2, 2), np.float32)
        pixmap = np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0]), axis=-1)
        flags = {"dq": np.zeros((2, 2), np.uint32)} if propagate_dq else {}
        planes = None if variances is None else [nothing] * len(variances)
        self._image.add_image(nothing, exptime=1.0, pixmap=pixmap, weight_map=nothing, data2=planes, **flags)

    def arrays(self, propagate_dq: bool) -> dict:
        """The planes so far: ``data``, ``wht`` (float32), ``con`` (int32, None), ``dq`` (uint32, None)."""
        wht = self._image.out_wht
        return {
            "data": self._image.out_img,
            "con": self._image.out_ctx,
            "wht": wht if self._scale in (None, 1.0) else wht * np.float32(1 / self._scale),
            "dq": self._image.out_dq if propagate_dq else None,
        }

    def variances(self) -> list[np.ndarray]:
        """The exact variances, sum(w^2 V) / sum(w)^2, float32, in the order in which they were added."""
        return self._image.out_img2

    def error(self, pixel_scale_ratio: float) -> np.ndarray:
        """The drizzled error, float32, in the scale of the JWST pipeline."""
        return self._error.out_img / np.float32(pixel_scale_ratio)


def _variance(model: dict, name: str) -> np.ndarray:
    plane = model.get(name)
    if plane is None:
        return np.full(np.shape(model["data"]), np.nan, np.float32)
    return np.asarray(plane, np.float32)


def root_of_sum(variances, rows: int = 32) -> np.ndarray:
    """The square root of the sum of variances.

    Parameters
    ----------
    variances : list of (ny, nx) float32 arrays
        NaN is left out of the sum.
    rows : int
        How many rows are added at a time, so that they stay in the processor's cache.

    Returns
    -------
    (ny, nx) float32 array; NaN where all variances are.
    """
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
