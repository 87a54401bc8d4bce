"""The estimator of a mosaic's variance that the JWST pipeline has (`stcal.resample`)."""

from __future__ import annotations

import numpy as np

from drizzleflow.frames.window import Window
from drizzleflow.geometry.pixmap import shift


class ReferenceVariances:
    """Sums of drizzled variances, each image with one resampled weight.

    The estimate is sum(v W^2) / (sum W)^2 / (pixel scale ratio)^2. Here v is the square of the drizzled
    square root of an image's variance, and W the reciprocal of its drizzled read-noise (or sky) variance, or
    its exposure time. An image counts in a pixel where v is finite and W positive; the estimate is NaN where
    no image counts. The overlaps of input and output pixels are not squared, as they would be in the exact
    variance.

    Parameters
    ----------
    names : list of str
        Of the variance planes.
    shape : (ny, nx)
        Of the output.
    kernel : str
        One of `drizzleflow.resample.kernels.KERNELS`.
    """

    def __init__(self, names, shape, kernel: str):
        self.shape, self.kernel = shape, kernel
        self.sums = {name: np.zeros(shape, np.float32) for name in names}
        self.totals = {name: np.zeros(shape, np.float32) for name in names}

    def add(
        self, model: dict, pixmap, arguments: dict, reach: int, weight_name: str | None, time: float
    ) -> None:
        """Add one image to the sums.

        Parameters
        ----------
        model : dict
            See `drizzleflow.resample.resample.Resample.add_model`.
        pixmap : (ny, nx, 2) float64 array
            The position of its pixels on the output.
        arguments : dict
            Arguments of ``Drizzle.add_image``.
        reach : int
            How many output pixels the kernel reaches; the image is drizzled in the window that it covers.
        weight_name : str or None
            The variance plane whose inverse is the weight; None: the weight is `time`.
        time : float
            Seconds.
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
        """The variances by name, (ny, nx) float32; NaN where no image counts."""
        scaling = np.float32(1.0 / pixel_scale_ratio**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                name: self.sums[name] * scaling / self.totals[name] / self.totals[name] for name in self.sums
            }
