"""The output grid is a celestial WCS with a shape; `drizzleflow.geometry.build_grid` makes it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from drizzleflow.frames.window import Window
from drizzleflow.geometry.projection import projection
from drizzleflow.geometry.sphere import from_tangent_plane, tangent_plane
from drizzleflow.io.files import write_text

MAX_PIXELS = 4_000_000_000  #: a larger grid is refused, since its coordinates must be wrong


def arcsec(area) -> float:
    """Return the side (arcsec) of a square pixel of `area` steradians."""
    return float(np.degrees(np.sqrt(area)) * 3600.0)


@dataclass(frozen=True)
class Grid:
    """A celestial pixel grid; its projection is TAN unless `custom` is given.

    Attributes
    ----------
    shape : (ny, nx)
    crval : (lon, lat) of the reference point, ICRS degrees
    crpix : (x, y) of the reference point, 0-based pixels
    cd : 4 floats, the CD matrix row by row, degrees per pixel
    pixel_scale : arcsec
    pixel_scale_ratio : output pixel size over the first input's
    origin : (x0, y0) of this grid's pixel (0, 0) on the association's full grid
    input_scale : size of the largest input pixel in output pixels; None where it is not known
    custom : None, or the text of a FITS header (any celestial projection), or ``asdf:`` and a path
    s_region : outline of the part that frames cover; see `drizzleflow.geometry.region`
    windows : group -> window that the group about covers; empty if the group is outside the grid
    tilt : largest slope |dy/dx| of the frames' rows on this grid
    """

    shape: tuple[int, int]
    crval: tuple[float, float]
    crpix: tuple[float, float]
    cd: tuple[float, float, float, float]
    pixel_scale: float
    pixel_scale_ratio: float = 1.0
    origin: tuple[int, int] = (0, 0)
    custom: str | None = None
    input_scale: float | None = None
    s_region: str = ""
    windows: dict[str, Window] = field(default_factory=dict)
    tilt: float = 0.0

    @property
    def coarsest(self) -> float:
        """Size of the largest input pixel in output pixels; it sets how far a kernel reaches."""
        return self.input_scale or 1.0 / self.pixel_scale_ratio

    @property
    def array_shape(self):
        return self.shape

    @property
    def pixel_area(self) -> float:
        """Nominal pixel area in steradians."""
        return float(np.radians(self.pixel_scale / 3600.0) ** 2)

    def to_pixel(self, lon, lat):
        """Return 0-based pixel coordinates (x, y) of ICRS degrees; NaN where the projection has none."""
        if self.custom is not None:
            x, y = projection(self.custom).to_pixel(lon, lat)
            return x - self.origin[0], y - self.origin[1]
        xi, eta = tangent_plane(lon, lat, *self.crval)
        a, b, c, d = self.cd
        det = a * d - b * c
        return (d * xi - b * eta) / det + self.crpix[0], (a * eta - c * xi) / det + self.crpix[1]

    def to_sky(self, x, y):
        """Return ICRS degrees (lon, lat) of 0-based pixel coordinates."""
        if self.custom is not None:
            return projection(self.custom).to_sky(
                np.asarray(x) + self.origin[0], np.asarray(y) + self.origin[1]
            )
        u, v = np.asarray(x, float) - self.crpix[0], np.asarray(y, float) - self.crpix[1]
        a, b, c, d = self.cd
        return from_tangent_plane(a * u + b * v, c * u + d * v, *self.crval)

    def window(self, x0: int, x1: int, y0: int, y1: int) -> Grid:
        """Return the sub-grid of columns x0..x1-1 and rows y0..y1-1, even beyond this grid (padding)."""
        return replace(
            self,
            shape=(y1 - y0, x1 - x0),
            crpix=(self.crpix[0] - x0, self.crpix[1] - y0),
            origin=(self.origin[0] + x0, self.origin[1] + y0),
        )

    def save(self, path) -> None:
        write_text(path, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path) -> Grid:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
        values["windows"] = {group: Window(*edges) for group, edges in values.get("windows", {}).items()}
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def cards(self) -> list[tuple]:
        """Return FITS WCS keywords (key, value, comment) of this grid or window, in a fixed order."""
        if self.custom is not None:
            return projection(self.custom).cards(self.origin, self.shape)
        a, b, c, d = self.cd
        s = self.pixel_scale / 3600.0
        return [
            ("WCSAXES", 2, "number of WCS axes"),
            ("CTYPE1", "RA---TAN", "first axis coordinate type"),
            ("CTYPE2", "DEC--TAN", "second axis coordinate type"),
            ("CUNIT1", "deg", "first axis units"),
            ("CUNIT2", "deg", "second axis units"),
            ("CRPIX1", self.crpix[0] + 1, "reference pixel, axis 1"),
            ("CRPIX2", self.crpix[1] + 1, "reference pixel, axis 2"),
            ("CRVAL1", self.crval[0], "[deg] at the reference pixel"),
            ("CRVAL2", self.crval[1], "[deg] at the reference pixel"),
            ("CDELT1", s, "[deg/pixel] increment"),
            ("CDELT2", s, "[deg/pixel] increment"),
            ("PC1_1", a / s, "linear matrix"),
            ("PC1_2", b / s, "linear matrix"),
            ("PC2_1", c / s, "linear matrix"),
            ("PC2_2", d / s, "linear matrix"),
            ("LONPOLE", 180.0, "[deg] its default is 0 at the north pole"),
            ("RADESYS", "ICRS", "celestial reference frame"),
        ]
