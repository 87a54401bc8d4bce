"""Hold one detector image, whatever its file's format, and the sky coordinates of its pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from drizzleflow.io.header import per_second

#: sides of pixels that differ by no more than this factor are of one size (chips differ by some per cent)
SAME_SIZE = 1.2


def scale_ratio(own: float | None, usual: float) -> float:
    """Return the side of an output pixel in pixels of a frame.

    It is `usual`, the grid's, for frames like that for which the grid was laid; for those whose pixels have
    another size, such as WFPC2's WF beside its PC, their `own` (`Frame.own_scale_ratio`).
    """
    return usual if own is None or 1 / SAME_SIZE < own / usual < SAME_SIZE else own


class SkyWCS:
    """Compute exact sky coordinates of one frame's pixels, however the file describes its WCS.

    Parameters
    ----------
    to_sky : callable
        ``(x, y) -> (lon, lat)``: 0-based pixel coordinates (pixel centres are integers) to ICRS degrees,
        float64 arrays of any one shape. NaN where undefined.
    to_pixel : callable
        The inverse.
    shape : tuple
        (ny, nx) of the frame.
    bbox : tuple, optional
        ((x1, x2), (y1, y2)) where the WCS is defined (pixel edges); None is the whole frame.
    smooth : callable, optional
        As `to_sky`, without lookup tables; given where the distortion has kinks (HST's NPOL and D2IM tables).
    kinks : tuple of arrays, optional
        (x, y) 0-based pixel positions of the tables' nodes, between which ``to_sky - smooth`` is bilinear.
    info : dict
        ``ra_ref``, ``dec_ref`` (deg), ``pa_y`` (position angle of +y, east of north, deg) and ``vparity``
        (-1: the usual handedness) at the frame's reference point.
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

    Arrays are native-endian, C-contiguous, (ny, nx); planes that were not asked for, or that the file lacks,
    are None.
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
    subtracted: bool | None = None  #: whether `level` is already subtracted, as the file states
    rate_factor: float = 1.0  #: factor from `data` to `product_unit` (HST electrons: 1 / exposure time)
    area_factor: float = (
        1.0  #: area of an output pixel in pixels of this frame, where flux is per pixel; see `on_grid`
    )
    per_pixel: bool = False  #: whether `data` is flux per pixel, and not surface brightness
    product_unit: str | None = None  #: the product's unit; None is `unit`
    gain: float = 1.0  #: electrons per unit of `data` (times exposure time where the unit is a rate)
    readnoise: float | None = None  #: electrons
    cte_dir: int = 0  #: where charge trails lie: 1 towards lower rows, -1 towards higher, 0 not known or none
    chip: str = ""  #: distinguishes frames of one detector, such as its chips
    pixelarea_steradians: float | None = None  #: nominal pixel area
    s_region: str | None = None  #: the file's own S_REGION
    open_wcs: Callable[[], SkyWCS] | None = (
        None  #: evaluates lazily: only exact geometry needs gwcs or astropy.wcs
    )
    meta: dict[str, Any] = field(default_factory=dict)

    def on_grid(self, grid) -> Frame:
        """Return this frame for a product on `grid`: flux per pixel becomes flux per *output* pixel.

        Surface brightness is the same on every grid. The new frame shares its planes with this one, which
        stays as it is.
        """
        if not (self.per_pixel and self.pixelarea_steradians):
            return self
        return replace(self, area_factor=grid.pixel_area / self.pixelarea_steradians)

    def cut(self, rows: tuple[int, int], columns: tuple[int, int] | None = None) -> Frame:
        """Return a new frame with views of rows first to end - 1 of the planes, and of columns where given.

        `shape` and WCS stay those of the whole frame.
        """
        part = (slice(*rows), slice(*columns) if columns else slice(None))
        planes = {name: getattr(self, name) for name in ("data", "err", "dq")}
        return replace(
            self,
            **{name: plane[part] for name, plane in planes.items() if plane is not None},
            var={key: plane[part] for key, plane in self.var.items()},
        )

    def only(self, *names: str) -> Frame:
        """Return a new frame with only the named planes: 'data', 'err', 'dq', or keys of `var`."""
        planes = {name: getattr(self, name) if name in names else None for name in ("data", "err", "dq")}
        return replace(self, **planes, var={key: plane for key, plane in self.var.items() if key in names})

    @property
    def own_scale_ratio(self) -> float | None:
        """The side of an output pixel in pixels of this frame, where flux is per pixel; see `scale_ratio`."""
        return self.area_factor**0.5 if self.per_pixel and self.pixelarea_steradians else None

    @property
    def factor(self) -> float:
        """The factor from this frame's `unit` to the product's unit."""
        return self.rate_factor * self.area_factor

    def to_product(self, values, power: int = 1):
        """Convert values from `unit` to the product's unit; `power` is 2 for variances.

        `values` itself is returned where the two units are the same.

        Parameters
        ----------
        values : float32 array, or float
            Arrays are multiplied in float32; a float, such as a sky level, with the same float32 factor in
            double precision.
        """
        factor = np.float32(self.factor)
        if factor == 1:
            return values
        return values * (factor if isinstance(values, np.ndarray) else float(factor)) ** power

    def from_product(self, values, out=None):
        """Convert values from the product's unit to `unit`; `values` itself where the two are the same.

        Parameters
        ----------
        values : float32 array, or float
            Arrays are divided in float32, a float in double precision.
        out : array, optional
            Receives the result; it may be `values` itself.
        """
        if self.factor == 1:
            return values
        if isinstance(values, np.ndarray):
            return np.divide(values, np.float32(self.factor), out=out)
        return values / self.factor

    @property
    def electrons_per_unit(self) -> float:
        """The electrons in a pixel for one unit of ``data``."""
        return self.gain * ((self.exposure_time or 1.0) if per_second(self.unit) else 1.0)

    @property
    def wcs(self) -> SkyWCS:
        return self.open_wcs()
