"""Make AstroDrizzle's static mask: pixels far below the sky in one exposure are bad in all of them.

Source: the documentation of drizzlepac's `staticMask`, and what drizzlepac 3.11.0 does when it runs; masks
are compared with its own in tests/parity/test_astrodrizzle_steps.py.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from drizzleflow.arrays.statistics import SINGLE_BIN, SkyStats
from drizzleflow.errors import InputError


class _Mode(SkyStats):
    """Measure the mode after three clips at 3 sigma, and the standard deviation of the last clip (`std`)."""

    def __init__(self):
        super().__init__("mode", nclip=3, lsig=3.0, usig=3.0, binwidth=0.1)
        self.std = float("nan")

    def _from_histogram(self, values, low, high, std, median):
        self.std = std
        return super()._from_histogram(values, low, high, std, median)


def lower_limit(image, static_sig: float = 4.0) -> float:
    """Return the limit ``mode - static_sig * stddev`` of an image's clipped pixels, in the image's unit.

    It is NaN, and nothing is masked, where the image has no histogram: no finite pixel, only one, or pixels
    that are (nearly) constant.
    """
    measure = _Mode()
    try:
        mode = measure.calc_sky(image)[0]
    except ValueError:  # no finite value, or a single one
        return float("nan")
    if not measure.binwidth * measure.std >= SINGLE_BIN:
        return float("nan")
    return mode - static_sig * measure.std


def static_mask(images: Iterable, static_sig: float = 4.0) -> np.ndarray:
    """Make the static mask of one chip: exposures of one instrument, detector, chip and shape.

    A pixel is bad where it lies below ``mode - static_sig * stddev`` of any of the images; high pixels stay.
    The images are taken as they are: no flags are used, no sky is subtracted.

    Parameters
    ----------
    images : iterable of float32 (ny, nx)
        That chip in all exposures, in any unit; consumed one at a time. NaN pixels are left out of the
        statistics and are never bad here.
    static_sig : float
        Standard deviations below the mode, 0 or more.

    Returns
    -------
    bool (ny, nx), True at good pixels

    Raises
    ------
    InputError
        No image, images of different shapes, or a `static_sig` out of range.
    """
    if not (np.isfinite(static_sig) and static_sig >= 0):
        raise InputError(f"static_sig: {static_sig}; expected a number of standard deviations, 0 or more")
    good = None
    for number, image in enumerate(images):
        image = np.asarray(image)
        if image.ndim != 2 or (good is not None and image.shape != good.shape):
            expected = "an image (2 dimensions)" if good is None else f"{good.shape} as the first has"
            raise InputError(f"static mask: image {number} has shape {image.shape}; expected {expected}")
        if good is None:
            good = np.ones(image.shape, bool)
        limit = np.float64(lower_limit(image, static_sig))  # compared in float64, as AstroDrizzle does
        with np.errstate(invalid="ignore"):
            good &= ~(image < limit)  # where the limit is NaN, no pixel lies below it
    if good is None:
        raise InputError("static mask: no image of the chip; expected one or more")
    return good


def signature(member: dict, frame) -> tuple:
    """Return the key by which frames share a static mask: detector, chip and shape."""
    return (member.get("instrument") or "", member.get("detector") or "", frame.chip or "1", *frame.shape)


class StaticMasks:
    """Hold the static masks of a product's detectors, read from the file of the rule.

    Without a file nothing is masked.
    """

    def __init__(self, paths=()):
        from drizzleflow.io.fits import open_fits

        self.good = {}
        for path in paths:
            with open_fits(path) as hdus:
                for hdu in hdus[1:]:
                    h = hdu.header
                    key = (h["INSTRUME"], h["DETECTOR"], h["CHIP"], h["NAXIS2"], h["NAXIS1"])
                    self.good[key] = np.array(hdu.data, bool)

    def of(self, member: dict, frame) -> np.ndarray | None:
        """Return the mask of a frame's whole detector, bool (ny, nx), True at good pixels; or None."""
        return self.good.get(signature(member, frame))

    def apply(self, member: dict, frame, rows=None):
        """Return the frame with the pixels of its static mask set to NaN in ``data``.

        `rows` (first, end) are the detector rows that the frame holds; None: all.
        """
        good = self.of(member, frame)
        if good is not None and frame.data is not None:
            held = good if len(frame.data) == len(good) else good[slice(*rows)]
            frame.data[~held] = np.nan
        return frame


def write(path, masks: dict, primary=()) -> None:
    """Write ``{signature: bool (ny, nx)}``, True at good pixels, as extensions STATIC (uint8, 1 = good).

    `primary`: cards (keyword, value, comment) for the primary header.
    """
    from drizzleflow.io.fits import image_header, write_hdus

    hdus = [(image_header(None, primary=True, cards=primary), None)]
    for number, (key, good) in enumerate(masks.items(), start=1):
        cards = [
            ("INSTRUME", key[0], "instrument"),
            ("DETECTOR", key[1], "detector"),
            ("CHIP", key[2], "chip"),
        ]
        plane = good.astype(np.uint8)
        hdus.append((image_header(plane, "STATIC", extver=number, cards=cards), plane))
    write_hdus(path, hdus)
