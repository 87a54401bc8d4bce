"""Compute weight maps for drizzling and what they need, and the mean weights by which low-weight pixels are left out."""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.statistics import clipped_median, sums


def planes_of(settings: dict, err_alone: bool) -> tuple[str, ...]:
    """Return the planes of a frame that drizzling needs, as `drizzleflow.formats.read` takes them.

    Parameters
    ----------
    settings : dict
        The configuration's section of the step: ``weight_type``, and of a mosaic ``compute_err`` and
        ``report_var``.
    err_alone : bool
        Whether the format has ERR and no variances (``ERR_ALONE``).
    """
    compute_err, weights = settings.get("compute_err", "none"), settings["weight_type"]
    variances = (
        weights in ("ivm", "ivm-sky") or compute_err == "from_var" or settings.get("report_var", False)
    )
    err = weights == "err" or compute_err == "driz_err" or (variances and err_alone)
    return ("data", "dq", *(("var",) if variances else ()), *(("err",) if err else ()))


def weight_map(shape, weight_type: str, good=None, *, variance=None, exposure_time=None) -> np.ndarray:
    """Return the weight of each input pixel, float32 (ny, nx), as ``weight_type`` of stcal.resample.

    Parameters
    ----------
    weight_type : 'ivm', 'ivm-sky', 'err', 'exptime'
        Inverse of `variance` (equal weights where there is none), or `exposure_time` in seconds.
    good : bool (ny, nx), optional
        Bad pixels get no weight.
    variance : float (ny, nx), optional
        Read-noise variance for ``ivm``, sky variance for ``ivm-sky``, the square of ERR for ``err``. A pixel
        whose variance is not a positive finite number gets no weight.
    """
    if weight_type == "exptime":
        weight = np.full(shape, exposure_time, np.float32)
    elif weight_type in ("ivm", "ivm-sky", "err"):
        if variance is None:
            weight = np.ones(shape, np.float32)
        else:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                weight = np.reciprocal(variance, dtype=np.float32)
                np.copyto(weight, 0, where=~((weight > 0) & (weight < np.inf)))
    else:
        raise ValueError(f"weight_type {weight_type!r}: expected ivm, ivm-sky, exptime or err")
    if good is not None:
        np.copyto(weight, 0, where=~good)
    return weight


def mean_weights(weight) -> dict[str, float]:
    """Return the ``mean`` and the ``clipped_mean`` of the finite, non-zero weights.

    The second is clipped at 3 sigma about the median, at most 5 times. Both are NaN where no pixel has
    weight. ``maskpt`` times one of them is the threshold of the outlier step: the clipped mean in jwst, the
    plain mean in drizzlepac's createMedian. Their documents speak of a percentage of the maximum, but their
    code uses these means.
    """
    values = weight[np.isfinite(weight) & (weight != 0)]
    count = len(values)
    if not count:
        return {"clipped_mean": float("nan"), "mean": float("nan")}
    low, high = values.min(), values.max()
    n, centre, whole, whole_square = sums(values, float(values[0]))
    total, square = whole, whole_square
    for _ in range(5):
        middle = clipped_median(values, low, high, count)[0]
        deviation = np.sqrt(max(square / count - (total / count) ** 2, 0.0))
        low = max(low, np.float32(middle - 3 * deviation))
        high = min(high, np.float32(middle + 3 * deviation))
        clipped = values[(values < low) | (values > high)]
        if n - len(clipped) == count:
            break
        _, _, less, less_square = sums(clipped, centre)  # few: taken from the sums of all
        count, total, square = n - len(clipped), whole - less, whole_square - less_square
    return {"clipped_mean": float(centre + total / count), "mean": float(centre + whole / n)}
