"""Flag cosmic rays as AstroDrizzle does: a chip against the blotted median, with the noise of a model.

Source: the documentation of drizzlepac's `driz_cr`, and what drizzlepac 3.11.0 does when it runs; masks are
compared bit by bit in tests/parity/test_astrodrizzle_steps.py. `drizzleflow.outliers.thresholds` has the
corresponding test of the JWST pipeline, whose noise is ERR.
"""

from __future__ import annotations

import numpy as np

from drizzleflow.arrays.dq import flagged
from drizzleflow.arrays.morphology import EDGES, abs_deriv, grown
from drizzleflow.arrays.pairs import pair
from drizzleflow.errors import InputError
from drizzleflow.outliers.thresholds import beyond_both

SKY_COUNTED = ("once", "twice")
CRBIT = 4096


def driz_cr(
    data,
    blotted,
    *,
    gain,
    readnoise,
    sky,
    snr=(3.5, 3.0),
    scale=(1.2, 0.7),
    grow=1,
    ctegrow=0,
    cte_dir=0,
    derivative_edges="neighbours",
    sky_counted="once",
    err=None,
) -> np.ndarray:
    """Flag the cosmic rays of one chip.

    With D = ``|data - blotted|``, G the derivative of `blotted` and E the noise, a pixel is hit when
    ``D > scale2 * G + snr2 * E`` and some pixel of its 3 x 3 neighbourhood has ``D > scale1 * G + snr1 * E``.
    E = ``sqrt(gain * |blotted| + readnoise**2) / gain``: the photons of model and sky, and the read noise.

    Parameters
    ----------
    data : float32 (ny, nx)
        The chip, electrons, sky included.
    blotted : float32 (ny, nx)
        The median at the chip's pixels as AstroDrizzle blots it: electrons (median rate times exposure time),
        and the sky that was subtracted before drizzling *added again*.
    gain : float
        Electrons per unit of `data`: 1 for data in electrons. (AstroDrizzle's effective gain; for WFPC2, STIS
        and NICMOS AstroDrizzle keeps the detector's gain here although the data are in electrons by then.)
    readnoise : float
        Electrons.
    sky : float
        The sky in `blotted`, electrons. Used by ``sky_counted='twice'`` alone.
    snr, scale : pairs of float
        The first of each is for the seed of a cosmic ray, the second for its surroundings.
    grow : int
        Width of the box by which hits grow: 1 is none, 3 is 3 x 3. With an even width they grow one pixel
        further to the right and above. (AstroDrizzle's `driz_cr_grow`, which is this width, not a radius.)
    ctegrow : int
        Length of the charge trail that is masked along the column of each hit. 0 is none.
    cte_dir : -1, 0 or 1
        Where the trail lies: 1 towards lower rows, -1 towards higher rows; 0 masks no trail (with 0 and a
        `ctegrow` above 0 AstroDrizzle masks the whole frame). See
        `drizzleflow.frames.hst_detectors.cte_direction`.
    derivative_edges : 'neighbours' or 'zero'
        The derivative at the frame's edges: 'neighbours' uses the neighbours that exist; 'zero' does as
        AstroDrizzle (see `abs_deriv`), which flags almost no cosmic rays on the first row and column and the
        last two rows and columns. With 'zero' trails are mirrored at the frame's edges, as in AstroDrizzle.
    sky_counted : 'once' or 'twice'
        'twice' adds the photons of `sky` although `blotted` has them, as AstroDrizzle does; this flags fewer
        cosmic rays.
    err : float32 (ny, nx), optional
        The noise, electrons, instead of the model's. A pixel without a finite one is never hit.

    Returns
    -------
    bool (ny, nx), True at cosmic rays
        A pixel that is NaN in `data` or `blotted` is no cosmic ray, but may lie in the growth of one.

    Raises
    ------
    InputError
        Arrays of different shapes; a gain, read noise, box or trail out of range; an unknown option.
    """
    data, blotted = np.asarray(data, np.float32), np.asarray(blotted, np.float32)
    if data.ndim != 2 or data.shape != blotted.shape:
        raise InputError(
            f"driz_cr: data {data.shape} and blotted {blotted.shape}; expected two images of one shape"
        )
    snr, scale = pair(snr, "crmask.snr"), pair(scale, "crmask.scale")
    _check(gain, readnoise, grow, ctegrow, cte_dir)
    if derivative_edges not in EDGES:
        raise InputError(f"derivative_edges: {derivative_edges!r}; expected one of {', '.join(EDGES)}")
    if sky_counted not in SKY_COUNTED:
        raise InputError(f"sky_counted: {sky_counted!r}; expected one of {', '.join(SKY_COUNTED)}")
    derivative = abs_deriv(blotted, derivative_edges)
    if err is None:
        extra = float(sky) if sky_counted == "twice" else 0.0
        noise = _model_noise(blotted, float(gain), float(readnoise), extra)
    else:
        noise = np.asarray(err, np.float32)
        if noise.shape != data.shape:
            raise InputError(f"driz_cr: err {noise.shape}; expected {data.shape} as data has")
    with np.errstate(invalid="ignore"):
        difference = np.abs(data - blotted)
    hit = beyond_both(difference, derivative, noise, snr, scale)
    return grown(hit, int(grow), int(ctegrow), int(cte_dir), mirror=derivative_edges == "zero")


def _model_noise(blotted, gain, readnoise, extra):
    """Return the noise sqrt(G |B + K| + r^2) / G, float32.

    G is the gain, B the blot, K the extra sky and r the read noise.
    """
    g, r2 = np.float32(gain), np.float32(readnoise**2)
    return np.sqrt(g * np.abs(blotted + np.float32(extra)) + r2) / g


def _check(gain, readnoise, grow, ctegrow, cte_dir):
    if not (np.isfinite(gain) and gain > 0):
        raise InputError(f"gain: {gain}; expected electrons per unit of the data, more than 0")
    if not (np.isfinite(readnoise) and readnoise >= 0):
        raise InputError(f"readnoise: {readnoise}; expected electrons, 0 or more")
    for name, value, least, meaning in (
        ("driz_cr_grow", grow, 1, "the width of a box (1: no growth)"),
        ("driz_cr_ctegrow", ctegrow, 0, "a length in pixels"),
    ):
        if int(value) != value or value < least:
            raise InputError(f"{name}: {value}; expected {meaning}, a whole number of {least} or more")
    if cte_dir not in (-1, 0, 1):
        raise InputError(f"cte_dir: {cte_dir}; expected -1, 0 or 1")


def clean(
    data, dq, mask, blotted, *, good_bits: int = 0, crbit: int = CRBIT
) -> tuple[np.ndarray, np.ndarray]:
    """Replace a chip's cosmic rays and bad pixels by the blotted median.

    AstroDrizzle does this with `driz_cr_corr`; the file is ``_crclean.fits``.

    Parameters
    ----------
    data, blotted : float32 (ny, nx)
        In one unit, the blot with sky as the chip has it.
    dq : integer (ny, nx) or None
        Flags of the chip.
    mask : bool (ny, nx)
        True at cosmic rays.
    good_bits : int
        Flags that do not make a pixel bad. `crbit` never does: the mask decides.

    Returns
    -------
    float32 (ny, nx), int16 (ny, nx)
        The clean image, and the flags that AstroDrizzle writes with it: `crbit` where a pixel was replaced, 0
        elsewhere (int32 where it is above 32768). Where the blot has no value the pixel keeps its value and
        is flagged.
    """
    data, blotted = np.asarray(data, np.float32), np.asarray(blotted, np.float32)
    bad = np.array(mask, bool)
    if dq is not None:
        ignored = np.int64(good_bits) | np.int64(crbit)
        bad |= (np.asarray(dq).astype(np.int64) & ~ignored) != 0
    replaced = np.where(bad & np.isfinite(blotted), blotted, data)
    return replaced.astype(np.float32), flagged(np.zeros(data.shape, np.int16), bad, crbit)
