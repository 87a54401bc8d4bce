"""The sky and the detector of a simulated exposure.

Sources lie on the sky (on a common tangent plane, in arcsec). They are rendered in detector pixels through
each frame's own WCS, inverted to rounding error, so that dithered, rolled and distorted exposures of one
field agree as real ones do. Images are surface brightness (MJy/sr), as calibrated images are: the signal of a
point source in a pixel is its flux in that pixel divided by the pixel's true area.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

ARCSEC = math.radians(1 / 3600)
SR = ARCSEC**2  #: steradians in a square arcsecond
#: DQ bits of JWST
DO_NOT_USE, SATURATED, JUMP_DET, DEAD, HOT = 1, 2, 4, 1024, 2048

_erf = np.frompyfunc(math.erf, 1, 1)


def to_plane(ra, dec, tangent):
    """Project ICRS degrees on the plane at `tangent` (ra, dec): xi to the east, eta to the north, arcsec."""
    ra, dec = np.radians(ra), np.radians(dec)
    ra0, dec0 = np.radians(tangent)
    depth = np.sin(dec0) * np.sin(dec) + np.cos(dec0) * np.cos(dec) * np.cos(ra - ra0)
    xi = np.cos(dec) * np.sin(ra - ra0) / depth
    eta = (np.cos(dec0) * np.sin(dec) - np.sin(dec0) * np.cos(dec) * np.cos(ra - ra0)) / depth
    return xi / ARCSEC, eta / ARCSEC


def to_sphere(xi, eta, tangent):
    """The inverse of `to_plane`: (ra, dec) in ICRS degrees."""
    xi, eta = np.asarray(xi) * ARCSEC, np.asarray(eta) * ARCSEC
    ra0, dec0 = np.radians(tangent)
    depth = np.cos(dec0) - eta * np.sin(dec0)
    ra = ra0 + np.arctan2(xi, depth)
    dec = np.arctan2(np.sin(dec0) + eta * np.cos(dec0), np.hypot(xi, depth))
    return np.degrees(ra) % 360, np.degrees(dec)


class FieldMap:
    """The map from a frame's pixels to the tangent plane: a Chebyshev fit of the WCS, quick to evaluate.

    Parameters
    ----------
    to_sky : callable
        ``(x, y) -> (ra, dec)``, from 0-based pixels to ICRS degrees.
    shape : (ny, nx)
    tangent : (ra, dec)
        Degrees.
    tolerance : float
        Largest error of the fit, pixels; it is measured between the nodes.

    Raises
    ------
    ValueError
        The WCS is not smooth enough for a fit, as one with lookup tables.
    """

    DEGREE = 7

    def __init__(self, to_sky, shape, tangent, tolerance=1e-6):
        self.shape, self.tangent = shape, tangent
        self.centre = (shape[1] - 1) / 2, (shape[0] - 1) / 2
        self.half = shape[1] / 2, shape[0] / 2
        n = 2 * self.DEGREE + 2
        nodes = np.cos(np.pi * (np.arange(n) + 0.5) / n)
        x, y = np.meshgrid(nodes * self.half[0] + self.centre[0], nodes * self.half[1] + self.centre[1])
        values = np.stack(to_plane(*to_sky(x.ravel(), y.ravel()), tangent))
        inverse = np.linalg.pinv(chebyshev.chebvander(nodes, self.DEGREE))
        # indexed [order in y, order in x]
        self.coefficients = [inverse @ plane.reshape(n, n) @ inverse.T for plane in values]
        self.scale = math.sqrt(abs(self.area(*self.centre)))
        # the affine inverse, from which Newton's method starts; a place that it puts more than `bend` pixels from
        # the frame's edge is on the side that it says
        design = np.stack([np.ones(x.size), *values], axis=1)
        self.affine = np.linalg.lstsq(design, np.stack([x.ravel(), y.ravel()], axis=1), rcond=None)[0]
        self.bend = 1.1 * np.abs(design @ self.affine - np.stack([x.ravel(), y.ravel()], axis=1)).max() + 0.01
        test = np.linspace(-0.99, 0.99, 9)
        x, y = np.meshgrid(test * self.half[0] + self.centre[0], test * self.half[1] + self.centre[1])
        x, y = x.ravel(), y.ravel()
        error = np.hypot(*(np.stack(self.points(x, y)) - np.stack(to_plane(*to_sky(x, y), tangent)))).max()
        if not error < tolerance * self.scale:
            raise ValueError(f"the WCS is not smooth: its fit is {error / self.scale:.1e} pixels off")

    def _unit(self, x, y):
        u = (np.asarray(x, float) - self.centre[0]) / self.half[0]
        return u, (np.asarray(y, float) - self.centre[1]) / self.half[1]

    def _depth(self, x, y):
        """How many pixels inside the frame's edges points lie."""
        return np.minimum(
            self.half[0] - np.abs(x - self.centre[0]), self.half[1] - np.abs(y - self.centre[1])
        )

    def grid(self, x, y):
        """(xi, eta), each (len(y), len(x)), at the crossings of columns `x` and rows `y`."""
        u, v = self._unit(x, y)
        vx, vy = chebyshev.chebvander(u, self.DEGREE), chebyshev.chebvander(v, self.DEGREE)
        return tuple(vy @ c @ vx.T for c in self.coefficients)

    def points(self, x, y):
        """(xi, eta) at the points (x, y)."""
        u, v = self._unit(x, y)
        return tuple(chebyshev.chebval2d(v, u, c) for c in self.coefficients)

    def jacobian(self, x, y):
        """(dxi/dx, dxi/dy, deta/dx, deta/dy) at the points (x, y), arcsec a pixel."""
        u, v = self._unit(x, y)
        out = []
        for c in self.coefficients:
            out.append(chebyshev.chebval2d(v, u, chebyshev.chebder(c, axis=1)) / self.half[0])
            out.append(chebyshev.chebval2d(v, u, chebyshev.chebder(c, axis=0)) / self.half[1])
        return out

    def area(self, x, y):
        """The signed area of pixels in square arcsec on the tangent plane (1e-6 from that on the sky)."""
        a, b, c, d = self.jacobian(x, y)
        return a * d - b * c

    def invert(self, xi, eta, margin=0.0):
        """The pixels at which points of the tangent plane lie: (x, y, inside).

        `inside` is True up to `margin` pixels outside the frame. Positions are computed by Newton's method on
        the fit, to rounding error; those of points outside mean nothing.
        """
        xi, eta = np.atleast_1d(np.asarray(xi, float)), np.atleast_1d(np.asarray(eta, float))
        x, y = self._linear(xi, eta)
        reach_x, reach_y = (1.2 * (half + margin + 8) for half in self.half)
        near = (np.abs(x - self.centre[0]) < reach_x) & (np.abs(y - self.centre[1]) < reach_y)
        px, py = x[near], y[near]
        for _ in range(5 if px.size else 0):
            now = self.points(px, py)
            a, b, c, d = self.jacobian(px, py)
            du, dv, det = xi[near] - now[0], eta[near] - now[1], a * d - b * c
            # steps end near the frame, since the fit diverges far from it
            px = np.clip(px + (d * du - b * dv) / det, self.centre[0] - reach_x, self.centre[0] + reach_x)
            py = np.clip(py + (a * dv - c * du) / det, self.centre[1] - reach_y, self.centre[1] + reach_y)
        x[near], y[near] = px, py
        inside = near.copy()
        inside[near] = self._depth(px, py) >= -margin
        return x, y, inside

    def _linear(self, xi, eta):
        return (self.affine[0, i] + self.affine[1, i] * xi + self.affine[2, i] * eta for i in (0, 1))


@dataclass
class Catalogue:
    """Sources on the tangent plane; all arrays are (n,) float64."""

    xi: np.ndarray  #: arcsec east
    eta: np.ndarray  #: arcsec north
    flux: np.ndarray  #: MJy
    radius: np.ndarray  #: half-light radius of a galaxy, arcsec; 0 for a star
    index: np.ndarray  #: Sersic index
    ratio: np.ndarray  #: minor over major axis
    angle: np.ndarray  #: of the major axis, radians, east of north

    def __len__(self):
        return len(self.xi)


def flux_of(mag):
    """The flux of an AB magnitude, MJy."""
    return 10 ** (-0.4 * (np.asarray(mag) - 8.90)) * 1e-6


def random_catalogue(
    rng, bounds, nstars: int, ngalaxies: int, mags, scale: float, brighter: float = 0.0
) -> Catalogue:
    """Stars and galaxies, uniform over `bounds` (xi1, xi2, eta1, eta2); counts rise towards faint magnitudes.

    `mags` is (bright, faint) AB; `scale` the pixel in arcsec, so that galaxies are resolved by any
    instrument; they are brighter by `brighter` magnitudes, and larger then.
    """
    n = nstars + ngalaxies
    xi, eta = rng.uniform(bounds[0], bounds[1], n), rng.uniform(bounds[2], bounds[3], n)
    bright, faint = mags
    slope = np.where(np.arange(n) < nstars, 0.18, 0.32)  # d log10 N / d mag
    u = rng.uniform(size=n)
    low = 10 ** (slope * (bright - faint))
    mag = faint + np.log10(low + u * (1 - low)) / slope
    mag[nstars:] += 0.5 - brighter
    radius = scale * 3.0 * 10 ** (rng.normal(0, 0.22, n)) * 10 ** (-0.08 * (mag - faint))
    radius[:nstars] = 0
    index, ratio, angle = rng.uniform(0.7, 2.5, n), rng.uniform(0.25, 1.0, n), rng.uniform(0, np.pi, n)
    return Catalogue(xi, eta, flux_of(mag), radius, index, ratio, angle)


#: point-spread function: (share of the flux, width in units of the core's sigma)
PSF = ((0.80, 1.0), (0.16, 2.3), (0.04, 7.0))


def render(field: FieldMap, sources: Catalogue, fwhm: float, limit: float) -> np.ndarray:
    """The noiseless image of the sources, float64 (ny, nx), MJy/sr.

    Parameters
    ----------
    field : FieldMap
    sources : Catalogue
    fwhm : float
        Of the point-spread function's core, arcsec.
    limit : float
        Surface brightness (MJy/sr) below which a source's wings are cut off.
    """
    ny, nx = field.shape
    image = np.zeros(field.shape)
    sigma = fwhm / 2.3548 / field.scale
    x, y, inside = field.invert(sources.xi, sources.eta, margin=max(60.0, 0.05 * max(ny, nx)))
    area = np.full(len(sources), np.nan)
    area[inside] = np.abs(field.area(x[inside], y[inside])) * SR
    for i in np.flatnonzero(inside & (sources.radius == 0)):
        _star(image, x[i], y[i], sources.flux[i] / area[i], sigma, limit)
    for i in np.flatnonzero(inside & (sources.radius > 0)):
        _galaxy(image, field, sources, i, x[i], y[i], 0.6 * fwhm, limit)
    return image


def _window(centre, reach, n):
    low, high = max(0, math.floor(centre - reach)), min(n, math.ceil(centre + reach) + 1)
    return low, high


def _star(image, x, y, brightness, sigma, limit):
    """Add a star: Gaussians that are integrated over each pixel, since cores may be undersampled."""
    for share, width in PSF:
        s = sigma * width
        peak = brightness * share * min(1.0, 1 / (2 * math.pi * s * s))
        if peak < limit:
            continue
        reach = s * math.sqrt(2 * math.log(peak / limit)) + 1
        (x1, x2), (y1, y2) = _window(x, reach, image.shape[1]), _window(y, reach, image.shape[0])
        if x2 <= x1 or y2 <= y1:
            continue
        root = s * math.sqrt(2)
        cx = np.diff(_erf((np.arange(x1, x2 + 1) - 0.5 - x) / root).astype(float)) / 2
        cy = np.diff(_erf((np.arange(y1, y2 + 1) - 0.5 - y) / root).astype(float)) / 2
        image[y1:y2, x1:x2] += (brightness * share * cy)[:, None] * cx


def _galaxy(image, field, sources, i, x, y, softening, limit):
    """Add a galaxy: a Sersic profile on the tangent plane, softened at its centre by the PSF's width."""
    n, ratio, radius = sources.index[i], sources.ratio[i], sources.radius[i]
    b = 2 * n - 1 / 3
    r = radius * np.geomspace(1e-3, 40, 400)
    profile = np.exp(-b * ((r * r + softening**2) / radius**2) ** (0.5 / n))
    total = 2 * math.pi * ratio * float(np.sum(profile * r * r)) * math.log(r[1] / r[0])
    amplitude = sources.flux[i] / (total * SR)
    visible = r[amplitude * profile > limit]
    if visible.size == 0:
        return
    reach = min(float(visible[-1]), 12 * radius) / field.scale + 1
    (x1, x2), (y1, y2) = _window(x, reach, image.shape[1]), _window(y, reach, image.shape[0])
    if x2 <= x1 or y2 <= y1:
        return
    xi, eta = field.grid(np.arange(x1, x2), np.arange(y1, y2))
    xi -= sources.xi[i]
    eta -= sources.eta[i]
    sin, cos = math.sin(sources.angle[i]), math.cos(sources.angle[i])
    major, minor = xi * sin + eta * cos, (xi * cos - eta * sin) / ratio
    r2 = (major * major + minor * minor + softening**2) / radius**2
    image[y1:y2, x1:x2] += amplitude * np.exp(-b * r2 ** (0.5 / n))


@dataclass
class Detector:
    """The properties of a detector that are the same in all exposures."""

    conversion: float  #: electrons a second and pixel for 1 MJy/sr
    readnoise: np.ndarray  #: electrons, float32 (ny, nx)
    flat: np.ndarray  #: what is left after the flat-field correction, near 1, float32 (ny, nx)
    flat_error: float  #: standard deviation of `flat`
    bad: np.ndarray  #: DQ bits, uint32 (ny, nx)
    full_well: float  #: charge at which a pixel saturates, electrons


def make_detector(
    rng, shape, conversion, readnoise, *, bad_fraction=0.003, flat_error=0.001, border=0, full_well=4e5
):
    """A random detector: read-noise map, flat-field errors, dead and hot pixels, and clusters of dead ones.

    `border` is the number of rows and columns of reference pixels at each edge; the other arguments are in
    `Detector`.
    """
    ny, nx = shape
    noise = (readnoise * (1 + 0.05 * rng.standard_normal(shape, dtype=np.float32))).astype(np.float32)
    noise[rng.uniform(size=shape) < 0.002] *= np.float32(2.5)
    bad = np.zeros(shape, np.uint32)
    u = rng.uniform(size=shape)
    bad[u < bad_fraction] = DO_NOT_USE | HOT
    bad[u < bad_fraction / 2] = DO_NOT_USE | DEAD
    for _ in range(round(bad_fraction * nx * ny / 500)):  # clusters, a few pixels across
        cy, cx, r = rng.integers(0, ny), rng.integers(0, nx), rng.uniform(1, 3)
        y1, y2, x1, x2 = max(0, cy - 3), cy + 4, max(0, cx - 3), cx + 4
        yy, xx = np.mgrid[y1 : min(y2, ny), x1 : min(x2, nx)]
        bad[y1:y2, x1:x2][(yy - cy) ** 2 + (xx - cx) ** 2 <= r * r] = DO_NOT_USE | DEAD
    if border:
        edge = np.ones(shape, bool)
        edge[border:-border, border:-border] = False
        bad[edge] = DO_NOT_USE | 2147483648  # REFERENCE_PIXEL
    flat = 1 + np.float32(flat_error) * rng.standard_normal(shape, dtype=np.float32)
    return Detector(conversion, noise, flat, flat_error, bad, full_well)


def expose(
    rng,
    scene,
    sky: float,
    exptime: float,
    detector: Detector,
    rays,
    nan_bad: bool = True,
    *,
    trail=None,
    photons_in_err: bool = True,
) -> dict:
    """One readout of a scene.

    scene, sky : MJy/sr. exptime : s. rays, trail : electrons (ny, nx) or None; charge trails behind the rays.

    Returns
    -------
    dict
        ``sci, err, var_poisson, var_rnoise, var_flat`` (float32; MJy/sr, squared for variances), ``dq``
        (uint32; JWST bits), ``crmask`` (uint8), ``crflux`` (float32, MJy/sr) and ``crsigma`` (float32, crflux
        over ERR). ERR holds the Poisson noise of source, sky and (with `photons_in_err`, as real files have
        it) cosmic ray, the read noise and the flat-field error. Where DQ has DO_NOT_USE nothing is planted,
        and with `nan_bad` SCI, ERR and VAR_* are NaN; otherwise dead pixels are 0 and hot ones bright.
        ``noise``: as ERR, without the cosmic ray's photons and never NaN. ``trail``: float32, MJy/sr, charge
        behind rays.
    """
    to_electrons = detector.conversion * exptime
    expected = (scene + sky) * to_electrons
    signal = expected * detector.flat
    quiet = _variances(expected, to_electrons, detector)
    planted = [
        None if p is None else np.where(detector.bad & DO_NOT_USE, np.float32(0), p) for p in (rays, trail)
    ]
    for charge in planted:
        if charge is not None:
            signal += charge
            if photons_in_err:
                expected += charge
    rays, trail = planted
    dq = detector.bad.copy()
    dq[rng.random(size=dq.shape, dtype=np.float32) < 0.005] |= JUMP_DET
    saturated = signal > detector.full_well
    dq[saturated] |= SATURATED | DO_NOT_USE
    electrons = rng.poisson(signal) + detector.readnoise * rng.standard_normal(dq.shape, dtype=np.float32)
    planes = {"sci": (electrons / to_electrons).astype(np.float32)}
    planes |= _variances(expected, to_electrons, detector)
    planes["err"], noise = _sum(planes), _sum(quiet)
    unusable = (dq & DO_NOT_USE) != 0
    flux = np.zeros(dq.shape, np.float32) if rays is None else (rays / to_electrons).astype(np.float32)
    flux[unusable] = 0
    planes.update(
        dq=dq, crflux=flux, crmask=(flux > 0).astype(np.uint8), crsigma=flux / planes["err"], noise=noise
    )
    planes["trail"] = np.zeros_like(flux) if trail is None else (trail / to_electrons).astype(np.float32)
    if nan_bad:
        for name in ("sci", "err", "var_poisson", "var_rnoise", "var_flat"):
            planes[name][unusable] = np.nan
    else:
        planes["sci"][(dq & DEAD) != 0] = 0
        planes["sci"][(dq & HOT) != 0] += np.float32(3000 / to_electrons)
    return planes


def _variances(expected, to_electrons, detector: Detector) -> dict:
    """VAR_* of a readout (float32, (MJy/sr)^2) from its expected electrons."""
    return {
        "var_poisson": (expected / to_electrons**2).astype(np.float32),
        "var_rnoise": (detector.readnoise.astype(np.float64) ** 2 / to_electrons**2).astype(np.float32),
        "var_flat": ((expected * (detector.flat_error / to_electrons)) ** 2).astype(np.float32),
    }


def _sum(variances):
    return np.sqrt(variances["var_poisson"] + variances["var_rnoise"] + variances["var_flat"])
