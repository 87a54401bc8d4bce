"""`SkyImage` and `SkyGroup`: images, and groups of images, whose sky levels are to be matched.

Names, parameters and results are those of ``stcal.skymatch`` 1.20; additional parameters are keyword-only.
`drizzleflow.sky.skymatch.match` computes the levels and applies them.

Pixel values, `sky` and the results of `calc_sky` are all in the unit of `image`, a surface brightness that
all images share. Areas are in steradians.
"""

from __future__ import annotations

import logging
from functools import cached_property

import numpy as np
from spherical_geometry.polygon import MalformedPolygonError, SphericalPolygon

from drizzleflow.arrays.dq import good_pixels
from drizzleflow.arrays.statistics import SkyStats, measured
from drizzleflow.errors import InputError
from drizzleflow.geometry.overlap import border, overlap_vertices, rasterise, shared_area
from drizzleflow.geometry.overlapping import near

__all__ = ["SkyGroup", "SkyImage"]

log = logging.getLogger(__name__)

#: which pixels are in an overlap -> how the vertices of the overlap are computed
ENGINES = {"scan": "spherical_geometry", "centers": "clip"}
#: an overlap of more than this fraction of the smaller image is clipped where `spherical_geometry` loses it
WORTH = 1e-3
NO_SKY = (None, 0, 0.0)


def shared_polygons(outline, others, mode="scan") -> list:
    """The overlaps of an outline with each of others: a list of polygons (lon, lat) in degrees.

    With 'scan' they are computed by `spherical_geometry`, as in stcal.skymatch. It loses some overlaps where
    edges of both outlines lie on one great circle; these are computed by clipping, and the log says so.
    """
    polygons = []
    for other in (others[k] for k in near(outline, others)) if len(others) else ():
        parts = overlap_vertices(outline, other, ENGINES[mode])
        if not parts and mode == "scan":
            lost = overlap_vertices(outline, other)
            whole = min(shared_area(outline, outline), shared_area(other, other))
            if sum(shared_area(part, part) for part in lost) > WORTH * whole:
                log.warning(
                    "spherical_geometry found no overlap of two outlines that overlap: they are clipped"
                )
                parts = lost
        polygons += parts
    return polygons


class SkyImage:
    """One image, its sky level, and where it lies on the sky.

    Parameters
    ----------
    image : (ny, nx) float array
        Surface brightness. Not copied; `match` with ``subtract=True`` changes it in place.
    mask : (ny, nx) array or None
        Non-zero where the pixel may be used for the sky (a user's mask). None: all pixels may. Pixels that
        are not finite are never used.
    wcs_fwd : callable
        ``x, y`` (0-based pixels, arrays) -> ``lon, lat`` (degrees). It is called with
        ``with_bounding_box=False``, as gwcs and astropy.modeling understand it, and without it if that raises
        a TypeError.
    wcs_inv : callable
        ``lon, lat`` (degrees) -> ``x, y``; called likewise.
    skystat : callable or None
        Array -> ``(value, npix)``, such as a `SkyStats`. None: `SkyStats()`, the clipped mean.
    sky_id : any, optional
        The image's name in messages and in `match`'s `skylist`; also readable as `id`.
    stepsize : number, optional
        Largest distance of neighbouring vertices of the outline, px. None: the outline has four vertices.
    meta : any, optional
        Kept for the caller; not used.
    convf : float
        > 0: `image` is ``convf`` times the data in their native unit. It only serves to print levels in the
        native unit.
    dq : (ny, nx) integer array, optional
        Data-quality flags; used with `dqbits`.
    dqbits : int, str, list or None
        The flags that a pixel of the sky may have or, after ``~``, those that it may not have: see
        `drizzleflow.arrays.dq`. None: `dq` is ignored.
    dq_flags : dict, optional
        flag name -> bit, for names in `dqbits`.

    Attributes
    ----------
    image, mask, meta, sky_id, skystat, convf
        As given.
    sky : float
        The sky level so far, 0.0 at first; in the unit of `image`.
    is_sky_valid : bool
        Whether `match` could measure `sky`.
    outline : (2, n) float64 array
        lon, lat (degrees) along the outer edges of the outermost pixels; the last vertex is the first. An
        image whose outline is not finite overlaps nothing, but its own sky is measured.

    Raises
    ------
    InputError
        (a ValueError) `image` is not two-dimensional, `mask` or `dq` has another shape, `convf` or `stepsize`
        is not above 0, `dqbits` has an unknown name.
    TypeError
        `wcs_fwd`, `wcs_inv` or `skystat` cannot be called.
    """

    def __init__(
        self,
        image,
        mask,
        wcs_fwd,
        wcs_inv,
        skystat=None,
        sky_id=None,
        stepsize=None,
        meta=None,
        *,
        convf=1.0,
        dq=None,
        dqbits=None,
        dq_flags=None,
    ):
        self.image, self.mask, self.meta, self.sky_id, self.convf = image, mask, meta, sky_id, convf
        self._wcs_fwd, self._wcs_inv = wcs_fwd, wcs_inv
        self.skystat = SkyStats() if skystat is None else skystat
        shape = np.shape(image)
        if len(shape) != 2 or 0 in shape:
            raise InputError(f"{self._called}: 'image' must be a two-dimensional array, found shape {shape}")
        for name, plane in (("mask", mask), ("dq", dq)):
            if plane is not None and np.shape(plane) != shape:
                raise InputError(
                    f"{self._called}: '{name}' must have the same shape as 'image', {shape}, "
                    f"found {np.shape(plane)}"
                )
        for name, number in (("convf", convf), ("stepsize", stepsize)):
            if number is not None and not (np.isfinite(number) and number > 0):
                raise InputError(f"{self._called}: {name}: {number}, expected a number above 0")
        for name, function in (("wcs_fwd", wcs_fwd), ("wcs_inv", wcs_inv), ("skystat", self.skystat)):
            if not callable(function):
                raise TypeError(f"{self._called}: '{name}' must be callable, found {function!r}")
        self._flagged = None if dq is None else ~good_pixels(np.asarray(dq), dqbits, dq_flags)
        self.sky, self.is_sky_valid = 0.0, False
        lon, lat = _everywhere(wcs_fwd, *border(shape, stepsize))
        self.outline = np.array([np.asarray(lon, float), np.asarray(lat, float)])
        if not np.isfinite(self.outline).all():
            log.warning("%s: its outline on the sky is not finite: it overlaps nothing", self._called)

    @property
    def id(self):
        """`sky_id`, under its old name in jwst.skymatch."""
        return self.sky_id

    @property
    def _called(self) -> str:
        return f"Image ID={self.sky_id}"

    @cached_property
    def _polygon(self) -> SphericalPolygon:
        return _polygon(self.outline) if np.isfinite(self.outline).all() else SphericalPolygon([])

    @property
    def polygon(self) -> SphericalPolygon:
        """The outline as a `spherical_geometry` polygon, which is empty if the outline is not finite."""
        return self._polygon

    @cached_property
    def poly_area(self) -> float:
        """Steradians inside the outline; 0.0 if it is not finite."""
        return shared_area(self.outline, self.outline)

    def to_pixel(self, lon, lat):
        """x, y (0-based pixels) of lon, lat (degrees), also outside the image."""
        return _everywhere(self._wcs_inv, lon, lat)

    def good(self, data=None) -> np.ndarray:
        """(ny, nx) bool array: True where a pixel is usable by mask, flags and value.

        `data` are the values, by default those of `image`.
        """
        good = np.isfinite(np.asarray(self.image) if data is None else data)
        if self.mask is not None:
            good &= np.asarray(self.mask) != 0
        if self._flagged is not None:
            good &= ~self._flagged
        return good

    def inside(self, polygons, mode="scan") -> np.ndarray:
        """(ny, nx) bool array: True inside any of the polygons (lon, lat); `mode` as in `calc_sky`."""
        return rasterise([self.to_pixel(lon, lat) for lon, lat in polygons], np.shape(self.image), mode)

    def set_builtin_skystat(
        self, skystat="median", lower=None, upper=None, nclip=5, lsigma=4.0, usigma=4.0, binwidth=0.1
    ):
        """Measure with a `SkyStats` of these settings from now on."""
        self.skystat = SkyStats(skystat, lower, upper, nclip, lsigma, usigma, binwidth)

    def intersection(self, skyimage) -> SphericalPolygon:
        """The region that is shared with another `SkyImage` or `SkyGroup` (or polygon), as one polygon.

        It is computed by `spherical_geometry` or, where that fails (MalformedPolygonError, or no area), by
        clipping.
        """
        try:
            both = self._polygon.intersection(getattr(skyimage, "_polygon", skyimage))
            if both.area() > 0:
                return both
        except MalformedPolygonError as error:
            log.warning(
                "Encountered MalformedPolygonError while computing the intersection of %s with %s: "
                "it is clipped (%s)",
                self._called,
                getattr(skyimage, "sky_id", "a polygon"),
                error,
            )
        return _union(
            [_polygon(part) for part in shared_polygons(self.outline, outlines_of(skyimage), "centers")]
        )

    def calc_sky(self, overlap=None, delta=True, *, mode="scan"):
        """Measure the sky of the image, or of the part of it that overlaps something.

        Parameters
        ----------
        overlap : SkyImage, SkyGroup, SphericalPolygon, (lon, lat) or None
            None: the whole image. Of a group, the pixels in any of its members count.
        delta : bool
            True: return the measured level minus `sky`; False: the measured level.
        mode : {'scan', 'centers'}
            Which pixels are in an overlap: see `drizzleflow.geometry.overlap.rasterise`. stcal.skymatch has
            'scan'.

        Returns
        -------
        skyval : float or None
            None: there is no overlap, or no pixel to measure.
        npix : int
            Pixels that were measured, after clipping; 0 with None.
        polyarea : float
            Steradians of the image, or of the overlap (summed over the members of a group); 0.0 with None.
        """
        data = np.asarray(self.image)
        good, area = self.good(data), self.poly_area
        if overlap is not None:
            polygons = shared_polygons(self.outline, outlines_of(overlap), mode)
            good &= self.inside(polygons, mode)
            area = sum(shared_area(polygon, polygon) for polygon in polygons)
        sky = measured(self.skystat, data[good])
        if not sky.npix:
            return NO_SKY
        return sky.value - (self.sky if delta else 0.0), sky.npix, area


class SkyGroup:
    """Images whose levels change together: the detectors of one exposure.

    A group is a sequence of its members: ``len(group)``, ``group[k]``, ``for image in group``.

    Parameters
    ----------
    images : list of SkyImage
    sky_id : any, optional
        The group's name in messages; also readable as `id`.

    Raises
    ------
    InputError
        (a ValueError) `images` is empty.
    TypeError
        An element is not a `SkyImage`.
    """

    def __init__(self, images, sky_id=None):
        if images is None or isinstance(images, SkyImage):
            raise TypeError(f"SkyGroup requires a list of images, found {type(images).__name__}")
        self._images, self.sky_id, self._sky = list(images), sky_id, 0.0
        if not self._images:
            raise InputError("SkyGroup requires a list of images, found an empty one")
        for image in self._images:
            if not isinstance(image, SkyImage):
                raise TypeError(
                    f"SkyGroup requires a list of images: found {type(image).__name__}, not a SkyImage"
                )

    @property
    def id(self):
        """`sky_id`, under its old name in jwst.skymatch."""
        return self.sky_id

    @property
    def sky(self) -> float:
        """The group's own level, 0.0 at first. Setting it changes every member's `sky` by the same amount."""
        return self._sky

    @sky.setter
    def sky(self, sky):
        change, self._sky = sky - self._sky, sky
        for image in self._images:
            image.sky += change

    @property
    def is_sky_valid(self) -> bool:
        """Whether `match` could measure the level; setting it sets it for all members."""
        return all(image.is_sky_valid for image in self._images)

    @is_sky_valid.setter
    def is_sky_valid(self, valid):
        for image in self._images:
            image.is_sky_valid = valid

    def __len__(self):
        return len(self._images)

    def __getitem__(self, idx):
        return self._images[idx]

    def __iter__(self):
        return iter(self._images)

    @cached_property
    def _polygon(self) -> SphericalPolygon:
        return _union([image.polygon for image in self._images])

    @property
    def polygon(self) -> SphericalPolygon:
        """The union of the members' outlines, computed by `spherical_geometry`; no level depends on it."""
        return self._polygon

    def intersection(self, skyimage) -> SphericalPolygon:
        """The region that is shared with a `SkyImage` or `SkyGroup` (or polygon), as one polygon."""
        return _union([image.intersection(skyimage) for image in self._images])

    def calc_sky(self, overlap=None, delta=True, *, mode="scan"):
        """Measure the sky of the group; parameters and returns are those of `SkyImage.calc_sky`.

        The sky of the whole group is that of its lowest member. The sky of an overlap is the mean of the
        members' skies, weighted by their numbers of pixels; numbers and areas are summed. `delta` subtracts
        each member's own `sky`.
        """
        skies = [image.calc_sky(overlap, delta, mode=mode) for image in self._images]
        skies = [triple for triple in skies if triple[0] is not None]
        if not skies:
            return NO_SKY
        if overlap is None:
            return min(skies, key=lambda triple: triple[0])
        npix = sum(n for _, n, _ in skies)
        return sum(sky * n for sky, n, _ in skies) / npix, npix, sum(area for _, _, area in skies)


def _everywhere(transform, *position):
    """Evaluate a WCS, also outside its bounding box, which often leaves out the outer edges of pixels."""
    try:
        return transform(*position, with_bounding_box=False)
    except TypeError:
        return transform(*position)


def _polygon(outline) -> SphericalPolygon:
    lon, lat = np.asarray(outline, float)
    if lon[0] != lon[-1] or lat[0] != lat[-1]:
        lon, lat = np.append(lon, lon[0]), np.append(lat, lat[0])
    return SphericalPolygon.from_radec(lon, lat)


def _union(polygons) -> SphericalPolygon:
    polygons = [polygon for polygon in polygons if polygon.area() > 0]
    return SphericalPolygon.multi_union(polygons) if polygons else SphericalPolygon([])


def outlines_of(thing) -> list:
    """The outlines (lon, lat), in degrees, of a SkyImage, SkyGroup, SphericalPolygon or (lon, lat).

    Raises
    ------
    TypeError
        `thing` is none of these.
    """
    if isinstance(thing, SkyImage):
        return [thing.outline]
    if isinstance(thing, SkyGroup):
        return [image.outline for image in thing]
    if isinstance(thing, SphericalPolygon):
        return [np.array(part) for part in thing.to_radec()]
    try:
        outline = np.array(thing, float)
    except (TypeError, ValueError):
        outline = np.empty(0)
    if outline.ndim != 2 or len(outline) != 2:
        raise TypeError(
            "overlap: expected a SkyImage, SkyGroup, SphericalPolygon or (lon, lat), "
            f"found {type(thing).__name__}"
        )
    return [outline]
