"""Weight maps for drizzling, and the weight below which a drizzled pixel is not trusted."""

from __future__ import annotations

import numpy as np

from drizzleflow.skystatistics import clipped_median


def build_driz_weight(shape, weight_type: str, good, *, variance=None, exposure_time=None) -> np.ndarray:
    """The (ny, nx) float32 weight of each input pixel (seed 002, ``weight_type``).

    Parameters
    ----------
    weight_type : 'ivm', 'ivm-sky', 'exptime'
        Inverse of `variance` (equal weights where there is none), or `exposure_time` in seconds.
    good : bool (ny, nx)
        Bad pixels get no weight.
    variance : float (ny, nx), optional
        Read-noise variance for ``ivm``, sky variance for ``ivm-sky``. A pixel whose variance is not a positive finite
        number gets no weight.
    """
    if weight_type == "exptime":
        weight = np.full(shape, exposure_time, np.float32)
    elif weight_type in ("ivm", "ivm-sky"):
        if variance is None:
            weight = np.ones(shape, np.float32)
        else:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                weight = np.reciprocal(variance, dtype=np.float32)
            weight[~(np.isfinite(weight) & (weight > 0))] = 0
    else:
        raise ValueError(f"weight_type {weight_type!r}: expected ivm, ivm-sky or exptime")
    weight[~good] = 0
    return weight


def clipped_mean_weight(weight) -> float:
    """Mean of the finite, non-zero weights after clipping at 3 sigma about the median, at most 5 times; NaN if none.

    ``maskpt`` times this is the threshold of the outlier step (seed 000). The documents of the peers speak of a
    percentage of the maximum; it is this mean that their code uses.
    """
    values = weight[np.isfinite(weight) & (weight != 0)]
    if not len(values):
        return float("nan")
    for _ in range(5):
        middle = clipped_median(values, values.min(), values.max(), len(values))[0]
        deviation = float(np.std(values, dtype=np.float64))
        low, high = np.float32(middle - 3 * deviation), np.float32(middle + 3 * deviation)
        kept = values[(values >= low) & (values <= high)]
        if len(kept) == len(values):
            break
        values = kept
    return float(np.mean(values, dtype=np.float64))
