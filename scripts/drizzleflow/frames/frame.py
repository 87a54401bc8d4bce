"""One detector image behind every format, and the sky coordinates of its pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class SkyWCS:
    """Exact sky coordinates of one frame, whatever the file's way of writing them.

    Parameters
    ----------
    to_sky : callable
        ``(x, y) -> (lon, lat)``: 0-based pixel coordinates (pixel centres are integers) to ICRS degrees, float64
        arrays of any one shape. NaN where undefined.
    to_pixel : callable
        The inverse.
    shape : tuple
        (ny, nx) of the frame.
    bbox : tuple, optional
        ((x1, x2), (y1, y2)) where the WCS is defined (pixel edges); None is the whole frame.
    smooth : callable, optional
        As `to_sky`, without lookup tables; set where the distortion has kinks (HST's NPOL and D2IM tables).
    kinks : tuple of arrays, optional
        (x, y) 0-based pixel positions of the tables' nodes, between which ``to_sky - smooth`` is bilinear.
    info : dict
        ``ra_ref``, ``dec_ref`` (deg), ``pa_y`` (position angle of +y, east of north, deg) and ``vparity`` (-1: the
        usual handedness) at the frame's reference point.
    """

    def __init__(
        self, to_sky: Callable, to_pixel: Callable, shape, *, bbox=None, smooth=None, kinks=None, info=None
    ):
        self.to_sky, self.to_pixel = to_sky, to_pixel
        self.shape, self.bbox = tuple(shape), bbox
        self.smooth, self.kinks = smooth, kinks
        self.info = info or {}


@dataclass
class Frame:
    """A 2-D detector image with its own WCS: a SCI extension, a chip, or one integration of a cube.

    Arrays are native-endian, C-contiguous, (ny, nx); planes that were not asked for, or that the file lacks, are None.
    """

    member: str
    extver: int  #: 1-based number of the frame in its file
    group: str  #: frames of one group were exposed at the same time
    shape: tuple[int, int]
    data: np.ndarray | None = None  #: float32, in `unit` per pixel
    err: np.ndarray | None = None  #: float32, 1 sigma, in `unit`
    dq: np.ndarray | None = None  #: uint32 bits
    var: dict[str, np.ndarray] = field(
        default_factory=dict
    )  #: 'rnoise', 'poisson', 'flat': float32, unit squared
    unit: str = ""
    exposure_time: float | None = None  #: s
    measurement_time: float | None = None  #: s, None where the format has none
    duration: float | None = None  #: s
    start_time: float | None = None  #: MJD
    end_time: float | None = None  #: MJD
    level: float | None = None  #: sky level that the file itself records, in `unit` per pixel
    subtracted: bool | None = None  #: whether the file says that `level` is already subtracted
    rate_factor: float = 1.0  #: what turns `data` into the product's unit (HST electrons: 1 / exposure time)
    per_pixel: bool = False  #: whether `data` is flux per pixel, and not surface brightness
    product_unit: str | None = None  #: the product's unit; None is `unit`
    gain: float = 1.0  #: electrons per unit of `data` (times exposure time where the unit is a rate)
    readnoise: float | None = None  #: electrons
    cte_dir: int = 0  #: where charge trails lie: 1 towards lower rows, -1 towards higher, 0 not known or none
    chip: str = ""  #: what tells frames of one detector apart, such as its chips
    pixelarea_steradians: float | None = None  #: nominal pixel area
    s_region: str | None = None  #: the file's own S_REGION
    open_wcs: Callable[[], SkyWCS] | None = (
        None  #: evaluates lazily: only exact geometry needs gwcs or astropy.wcs
    )
    meta: dict[str, Any] = field(default_factory=dict)

    def on_grid(self, grid) -> Frame:
        """This frame for a product on `grid`: flux per pixel is flux per *output* pixel there (surface brightness stays)."""
        if self.per_pixel and self.pixelarea_steradians:
            self.rate_factor *= grid.pixel_area / self.pixelarea_steradians
        return self

    def cut(self, rows: tuple[int, int]) -> Frame:
        """This frame with its planes cut to rows first..end-1; `shape` and WCS stay those of the whole frame."""
        for name in ("data", "err", "dq"):
            plane = getattr(self, name)
            if plane is not None:
                setattr(self, name, plane[slice(*rows)])
        self.var = {key: plane[slice(*rows)] for key, plane in self.var.items()}
        return self

    @property
    def electrons_per_unit(self) -> float:
        """Electrons of a pixel for one unit of ``data``."""
        return self.gain * ((self.exposure_time or 1.0) if self.unit.upper().endswith("/S") else 1.0)

    @property
    def wcs(self) -> SkyWCS:
        return self.open_wcs()
