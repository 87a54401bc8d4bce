"""Compare a frame with the other exposures, or with the blotted median, and flag the pixels that differ.

The configuration's ``crmask`` section chooses. Source: docs/outliers.md (``reference: others``);
jwst.outlier_detection (``median``, noise from ERR) and AstroDrizzle's ``driz_cr`` (noise from a model).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from drizzleflow.arrays.morphology import grown
from drizzleflow.arrays.pairs import pair
from drizzleflow.errors import InputError
from drizzleflow.frames.windowed import Windowed, WindowedArrays
from drizzleflow.geometry.pixmap import shift
from drizzleflow.outliers.blot import blot, nearest
from drizzleflow.outliers.driz_cr import driz_cr
from drizzleflow.outliers.expected_noise import noise_of
from drizzleflow.outliers.others import Outcome, Thresholds, outliers
from drizzleflow.outliers.template import BlottedOthers
from drizzleflow.outliers.thresholds import flag_crs, flag_resampled_crs


def compare_with_others(
    frame, template: BlottedOthers, level: float | None, settings: dict, usable, flaggable=None
) -> Outcome:
    """Flag a frame's pixels that differ from what the other exposures show.

    Parameters
    ----------
    frame : Frame
        With ``data``, and what its noise is computed from (`drizzleflow.outliers.expected_noise`).
    template : BlottedOthers
    level : float or None
        The frame's sky, which the template does not have, in the frame's unit per pixel.
    settings : dict
        The configuration's ``crmask`` section.
    usable : bool (ny, nx)
        Good pixels: those that are measured on.
    flaggable : bool (ny, nx), optional
        Those that can be flagged; by default `usable`.

    Raises
    ------
    InputError
        The frame lacks what the noise is computed from.
    """
    noise = noise_of(frame, template.mean, level, settings["noise"])
    data = frame.data if level is None else frame.data - np.float32(level)
    thresholds = Thresholds.of(settings)
    made = outliers(
        data, noise, usable, template.mean, template.variance, template.count, thresholds, flaggable
    )
    made.mask = grown(made.mask, settings["grow"], settings["ctegrow"], frame.cte_dir)
    return made


def compare(
    frame, pixmap, median: Windowed | WindowedArrays, level: float | None, settings: dict
) -> tuple[np.ndarray, np.ndarray]:
    """Blot the combined image to a frame's pixels and flag the pixels that differ from it.

    Parameters
    ----------
    frame : Frame
        With ``data`` and ``err`` (``noise: err`` and ``expected``) or ``gain`` and ``readnoise`` (``noise:
        model``).
    pixmap : float64 (ny, nx, 2)
        Position of each detector pixel on the grid, x first; changed in place.
    median : Windowed or WindowedArrays
        SCI, and ERR and NUSED where ``median_err`` is to be used.
    level : float or None
        The frame's sky, which was subtracted from the combined image, in the frame's unit per pixel.
    settings : dict
        The configuration's ``crmask`` section.

    Returns
    -------
    float32 (ny, nx), bool (ny, nx)
        The blot without sky, in the frame's unit, NaN where the combined image has no value; and the mask,
        True at outliers.

    Raises
    ------
    InputError
        The frame lacks what the noise is computed from (ERR, or gain and read noise).
    """
    window = median.touched(pixmap)
    shift(pixmap, *window.origin)
    zero = settings["empty"] == "zero"
    blotted = blot(
        median.cut("SCI", window),
        pixmap,
        0.0 if zero else np.nan,
        settings["interp"],
        0.0 if zero else "linear",
    )
    blotted = frame.from_product(blotted, out=blotted)
    snr, scale = pair(settings["snr"], "crmask.snr"), pair(settings["scale"], "crmask.scale")
    growth = (settings["grow"], settings["ctegrow"], frame.cte_dir)
    if settings["noise"] == "model":
        return blotted, _against_model(frame, blotted, level, settings, snr, scale, growth)
    err = noise_of(frame, blotted, level, settings["noise"])
    backg = settings["backg"] if level is None else level
    more_noise = None
    if settings["median_err"] and {"ERR", "NUSED"} <= median.planes:
        combined = median.cut("ERR", window), median.cut("NUSED", window)
        more_noise = partial(_noise_of_blot, *combined, pixmap, err, np.float32(frame.from_product(1.0)))
    hits = flag_resampled_crs(frame.data, err, blotted, snr, scale, backg, settings["err_nan"], more_noise)
    return blotted, grown(hits, *growth)


def compare_aligned(frame, reference, settings: dict) -> np.ndarray:
    """Return a frame's outliers against an image on its own pixels (``resample_data: false``).

    The mask is bool (ny, nx), True at outliers.
    """
    err = noise_of(frame, reference, None, settings["noise"])
    return flag_crs(frame.data, err, reference, pair(settings["snr"], "crmask.snr")[0], settings["err_nan"])


def _against_model(frame, blotted, level, settings, snr, scale, growth):
    """Run AstroDrizzle's test (``driz_cr``) in electrons, with the subtracted sky added again."""
    if frame.readnoise is None:
        raise InputError(
            f"{frame.member}: frame {frame.extver}: no read noise; crmask.noise: model needs gain and read noise of an HST header"
        )
    electrons = np.float32(frame.electrons_per_unit)
    sky = (level or 0.0) if settings["addsky"] else settings["skyval"]
    return driz_cr(
        frame.data * electrons,
        (blotted + np.float32(sky)) * electrons,
        gain=1.0 if settings["gain_counted"] == "once" else frame.gain,
        readnoise=frame.readnoise,
        sky=(level or 0.0) * float(electrons),
        snr=snr,
        scale=scale,
        grow=growth[0],
        ctegrow=growth[1],
        cte_dir=growth[2],
        derivative_edges=settings["derivative_edges"],
        sky_counted=settings["sky_counted"],
    )


def _noise_of_blot(combined_err, nused, pixmap, err, factor, ys, xs):
    """Return the noise that the combined image adds to an exposure's own, in the exposure's unit.

    It is sqrt(ERR^2 - 2 err^2 / n), with the ERR of the nearest pixel of the combined image. The exposure is
    one of the n values that were combined, so the two errors are correlated: cov = err^2 / n. Where all
    exposures are equally noisy, nothing is added (a median of n has ERR^2 = 1.6 err^2 / n); where some of
    the combined exposures are noisier, their noise is added.
    """
    combined_err, nused = (plane[0] for plane in nearest((combined_err, nused), pixmap[ys, xs][None], (0, 0)))
    variance = (np.nan_to_num(combined_err) * factor) ** 2 - 2 * err[ys, xs] ** 2 / np.maximum(nused, 1)
    return np.sqrt(np.fmax(variance, 0))
