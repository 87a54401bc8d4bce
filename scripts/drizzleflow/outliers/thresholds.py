"""Flag the outliers of a frame against the blotted median, with ERR as the noise.

Source: jwst.outlier_detection. Users import these functions from `drizzleflow.outliers`.
"""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.morphology import abs_deriv, dilate
from drizzleflow.arrays.pairs import pair
from drizzleflow.errors import InputError
from drizzleflow.outliers.others import Thresholds, outliers


def noise(err, err_nan: str = "invalid") -> np.ndarray:
    """Return ERR as the noise of each pixel, in ERR's unit.

    `err_nan` says what a NaN means: ``invalid`` (the pixel is never flagged) or ``zero`` (the pixel has no
    noise, as in jwst).
    """
    if err_nan == "zero":
        return np.nan_to_num(err)
    return err


def flag_crs(sci, err, reference, snr: float, err_nan: str = "invalid") -> np.ndarray:
    """Flag a frame's outliers against an image on its own pixels: ``|sci - reference| > snr * err``.

    The mask is bool (ny, nx), True at outliers.
    """
    with np.errstate(invalid="ignore"):
        return np.abs(sci - reference) > snr * noise(err, err_nan)


def flag_resampled_crs(
    sci,
    err,
    blot,
    snr=(5.0, 4.0),
    scale=(1.2, 0.7),
    backg: float = 0.0,
    err_nan: str = "invalid",
    more_noise=None,
) -> np.ndarray:
    """Flag a frame's outliers against the blotted median.

    With D = ``|sci - blot - backg|`` and G the derivative of the blot, a pixel is an outlier when
    ``D > scale2 * G + snr2 * err`` and some pixel of its 3 x 3 neighbourhood has ``D > scale1 * G + snr1 *
    err``.

    Parameters
    ----------
    sci, err, blot : float32 (ny, nx)
        In one unit. NaN in `sci` or `blot` is never flagged.
    snr, scale : pairs of float
    backg : float
        Background that is in `sci` and not in `blot`, in their unit.
    err_nan : 'invalid' or 'zero'
        What a NaN error means; see `noise`.
    more_noise : callable, optional
        ``more_noise(ys, xs)`` returns the blot's noise (float32) at the pixels given; it is added to `err`
        in quadrature.

    Returns
    -------
    bool (ny, nx), True at outliers
    """
    err = noise(err, err_nan)
    with np.errstate(invalid="ignore"):
        derivative = abs_deriv(blot)
        difference = np.abs(sci - blot - np.float32(backg))
    return beyond_both(difference, derivative, err, snr, scale, more_noise)


def beyond_both(difference, derivative, noise, snr, scale, more_noise=None) -> np.ndarray:
    """Return where `difference` exceeds the second threshold and, within one pixel, the first.

    The mask is bool (ny, nx); `flag_resampled_crs` defines the two thresholds.
    """
    with np.errstate(invalid="ignore"):  # `>` is False for NaN
        beyond = [
            difference > np.float32(c) * derivative + np.float32(n) * noise
            for n, c in zip(snr, scale, strict=True)
        ]
        if more_noise is not None:  # more noise can only remove candidates, so it is computed at these alone
            at = np.nonzero(beyond[0] | beyond[1])
            total = np.hypot(noise[at], more_noise(*at))
            for mask, n, c in zip(beyond, snr, scale, strict=True):
                mask[at] = difference[at] > np.float32(c) * derivative[at] + np.float32(n) * total
    return dilate(beyond[0]) & beyond[1]


def flag_cr(
    sci_image,
    blot_image,
    snr=None,
    scale="1.2 0.7",
    backg=0.0,
    resample_data=True,
    *,
    flag=17,
    reference="median",
    **thresholds,
):
    """Flag outliers in a science image's DQ, in place.

    Source: ``flag_cr`` of jwst.outlier_detection (``reference="median"``); docs/outliers.md (``others``).

    Parameters
    ----------
    sci_image : object
        Has ``data``, ``err`` (float32) and ``dq`` (unsigned integers), such as a
        `drizzleflow.frames.frame.Frame`. Where it has a sky ``level`` that is not ``subtracted``, this level
        is used in place of `backg`.
    blot_image : object
        Has ``data``: the median blotted to the frame's pixels, or the median itself without resampling. With
        ``reference="others"`` the mean of the *other* exposures there, and where they are known its
        ``variance`` (float32) and the number of exposures in it, ``count``.
    snr, scale : str
        Two numbers each; see `flag_resampled_crs`, and `drizzleflow.outliers.others.Thresholds` for
        ``others``, which takes no `scale`. By default "5.0 4.0", and "4.5 3.3" for ``others``. Without
        resampling only the first `snr` is used with ``median``.
    flag : int
        DQ bits to set; 17 is JWST's DO_NOT_USE + OUTLIER.
    reference : 'median' or 'others'
        As ``crmask.reference``.
    **thresholds
        With ``others``: the other fields of `drizzleflow.outliers.others.Thresholds`.

    Returns
    -------
    int, the number of outliers

    Raises
    ------
    InputError
        An unknown `reference`, or `snr` or `scale` that are no two numbers.
    """
    level = getattr(sci_image, "level", None)
    if getattr(sci_image, "subtracted", None) is False and level is not None:
        backg = level
    if reference not in ("median", "others"):
        raise InputError(f"reference is {reference!r}, expected median or others")
    snr = pair(("5.0 4.0" if reference == "median" else Thresholds.snr) if snr is None else snr, "crmask.snr")
    if reference == "others":
        more = (getattr(blot_image, name, None) for name in ("variance", "count"))
        variance, count = (None if plane is None else np.array(plane) for plane in more)
        data = sci_image.data - np.float32(backg)
        usable = (np.asarray(sci_image.dq) & 1) == 0
        limits = Thresholds(snr=snr, **thresholds)
        template = np.array(blot_image.data, np.float32)
        mask = outliers(data, sci_image.err, usable, template, variance, count, limits).mask
    elif resample_data:
        mask = flag_resampled_crs(
            sci_image.data, sci_image.err, blot_image.data, snr, pair(scale, "crmask.scale"), backg
        )
    else:
        mask = flag_crs(sci_image.data, sci_image.err, blot_image.data, snr[0])
    sci_image.dq |= np.where(mask, flag, 0).astype(sci_image.dq.dtype)
    return int(np.count_nonzero(mask))
