"""The JWST pipeline's estimator of the variance of resampled images (seed 002)."""

from __future__ import annotations

import numpy as np

from drizzleflow.frames.window import Window
from drizzleflow.geometry.pixmap import shift


class ReferenceVariances:
    """Each variance drizzled alone, then summed with one resampled weight an image: overlaps are not squared.

    sum(v W^2) / (sum W)^2 times 1 / (pixel scale ratio)^2, where v is the square of the drizzled square root of an image's
    variance, and W the reciprocal of its drizzled read-noise (or sky) variance, or its exposure time. A pixel without a
    finite v and a positive W does not count; NaN where none counts.

    Parameters
    ----------
    names : list of str
        Of the variance planes.
    shape : (ny, nx) of the output
    kernel : str
    """

    def __init__(self, names, shape, kernel: str):
        self.shape, self.kernel = shape, kernel
        self.sums = {name: np.zeros(shape, np.float32) for name in names}
        self.totals = {name: np.zeros(shape, np.float32) for name in names}

    def add(
        self, model: dict, pixmap, arguments: dict, reach: int, weight_name: str | None, time: float
    ) -> None:
        """One image.

        Parameters
        ----------
        arguments : dict
            Of ``Drizzle.add_image``.
        reach : int
            How far the kernel reaches: the image is drizzled in the window that it covers.
        weight_name : str or None
            The variance plane whose inverse is the weight; None: `time` is.
        """
        from drizzle.resample import Drizzle

        window = Window.around(pixmap[..., 0], pixmap[..., 1], reach).clipped(self.shape)
        if window.empty:
            return
        local = dict(arguments, pixmap=shift(pixmap.copy(), *window.origin))
        drizzled = {}
        for name in dict.fromkeys([*self.sums, *([weight_name] if weight_name else [])]):
            if model.get(name) is None:
                continue
            driz = Drizzle(out_shape=window.shape, kernel=self.kernel, fillval=np.nan, disable_ctx=True)
            with np.errstate(invalid="ignore"):
                driz.add_image(np.sqrt(model[name]), **local)
            drizzled[name] = driz.out_img**2
        if weight_name is None:
            weight = np.full(window.shape, time, np.float32)
        elif weight_name in drizzled:
            variance = drizzled[weight_name]
            weight = np.zeros_like(variance)
            usable = (variance > 0) & np.isfinite(variance)
            weight[usable] = np.reciprocal(variance[usable])
        else:
            weight = np.ones(window.shape, np.float32)
        place = window.inside(Window.placed(self.shape))
        for name in self.sums.keys() & drizzled.keys():
            variance = drizzled[name]
            use = (variance >= 0) & np.isfinite(variance) & (weight > 0)
            self.sums[name][place][use] += variance[use] * weight[use] * weight[use]
            self.totals[name][place][use] += weight[use]

    def result(self, pixel_scale_ratio: float) -> dict[str, np.ndarray]:
        """The variances, float32; NaN where nothing counts."""
        scaling = np.float32(1.0 / pixel_scale_ratio**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                name: self.sums[name] * scaling / self.totals[name] / self.totals[name] for name in self.sums
            }
