"""Say how much of the other exposures' noise is left in their drizzled and interpolated mean."""

from __future__ import annotations

import functools

import numpy as np

from drizzleflow.outliers.blot import blot

SIDE = 200  #: pixels of the noise image that is drizzled
#: of the two exposures: position angles in radians and offsets in pixels, so that all parts of a pixel occur
ANGLES, OFFSETS = (0.05, -0.04), (0.3, 0.8)


@functools.cache
def template_noise(kernel: str, pixfrac: float, ratio: float, interp: str, per_pixel: bool = False) -> float:
    """Return the part of an output pixel's nominal variance that is left after interpolation.

    Neighbouring pixels of a drizzled image share input pixels, and interpolation averages them once more: of
    the square kernel with pixfrac 1 at the input's scale, interpolated linearly, a fourth is left. White
    noise is drizzled and interpolated here as exposures are.

    Parameters
    ----------
    kernel, pixfrac
        Of the single drizzles.
    ratio : float
        The output pixel's side in input pixels.
    interp : str
        Interpolation of the mean, one of `drizzleflow.outliers.blot.INTERPOLATIONS`.
    per_pixel : bool
        Whether the data are flux per pixel (`Frame.per_pixel`): their nominal variance is an input pixel's;
        that of surface brightness is a whole output pixel's.
    """
    import warnings

    from drizzle.resample import Drizzle

    noise = np.random.RandomState(1).normal(size=(SIDE, SIDE)).astype(np.float32)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    side = int(SIDE / ratio) + 8
    first, second = (
        np.stack([np.cos(a) * x - np.sin(a) * y, np.sin(a) * x + np.cos(a) * y], axis=-1) / ratio
        + ((side - 1) / 2 + offset)
        for a, offset in zip(ANGLES, OFFSETS, strict=True)
    )
    made = Drizzle(kernel=kernel, fillval="NAN", out_shape=(side, side), disable_ctx=True)
    with warnings.catch_warnings():  # of kernels that do not conserve flux: the drizzling jobs warn
        warnings.simplefilter("ignore")
        made.add_image(
            noise, exptime=1.0, pixmap=first, pixfrac=pixfrac, iscale=1.0, weight_map=np.ones_like(noise)
        )
    values = blot(made.out_img, second, np.nan, interp, "linear")
    margin = 10 + int(5 * ratio)  # without the image's edges
    inner = values[margin:-margin, margin:-margin]
    inner = inner[np.isfinite(inner)]
    if len(inner) < SIDE:  # drops too small to leave an image
        return 1.0
    return float(np.var(inner, dtype=float)) * (1.0 if per_pixel else max(1.0, ratio) ** 2)
