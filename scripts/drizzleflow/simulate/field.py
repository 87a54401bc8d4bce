"""Where the frames look, and the sources that they see."""

from __future__ import annotations

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.simulate import scene


def _shifted(to_sky, shape, east, north):
    """The coordinates of a frame that sees the sky (east, north) arcsec from where `to_sky` says."""
    centre = tuple(
        float(v[0]) for v in to_sky(np.array([(shape[1] - 1) / 2]), np.array([(shape[0] - 1) / 2]))
    )

    def seen(x, y):
        xi, eta = scene.to_plane(*to_sky(x, y), centre)
        return scene.to_sphere(xi + east, eta + north, centre)

    return seen


def map_frames(files, shifts=None):
    """Give every frame its tangent-plane map; return the common tangent point (ra, dec).

    shifts : (exposures, 2), pixels east and north by which the frames see another sky than their files say.
    """
    centres = []
    for f in files:
        for frame in f.frames:
            ra, dec = frame.to_sky(np.array([(frame.shape[1] - 1) / 2]), np.array([(frame.shape[0] - 1) / 2]))
            centres.append((float(ra[0]), float(dec[0])))
    xi, eta = scene.to_plane(*np.transpose(centres), centres[0])
    ra, dec = scene.to_sphere((xi.min() + xi.max()) / 2, (eta.min() + eta.max()) / 2, centres[0])
    tangent = float(ra), float(dec)
    if shifts is not None:
        first = files[0].frames[0]
        scale = scene.FieldMap(first.to_sky, first.shape, tangent).scale
        for f in files:
            for frame in f.frames:
                frame.to_sky = _shifted(frame.to_sky, frame.shape, *(scale * shifts[f.exposure]))
    seen = {}
    for f in files:
        for frame in f.frames:
            if id(frame.to_sky) not in seen:
                seen[id(frame.to_sky)] = scene.FieldMap(frame.to_sky, frame.shape, tangent)
            frame.map = seen[id(frame.to_sky)]
    return tangent


def make_sources(rng, files, tangent, stars, galaxies, mags, catalogue, brighter=0.0):
    """The field's sources and their rows for truth.json.

    stars, galaxies : a million pixels. mags : AB, (bright, faint). catalogue : path of a source list, or
    None: random.
    brighter : magnitudes; see `scene.random_catalogue`.
    """
    corners = []
    for f in files:
        for frame in f.frames:
            ny, nx = frame.shape
            corners.append(np.stack(frame.map.grid([-30, nx + 30], [-30, ny + 30])).reshape(2, -1))
    corners = np.concatenate(corners, axis=1)
    bounds = corners[0].min(), corners[0].max(), corners[1].min(), corners[1].max()
    scale = files[0].frames[0].map.scale
    if catalogue is None:
        megapixels = (bounds[1] - bounds[0]) * (bounds[3] - bounds[2]) / scale**2 / 2**20
        sources = scene.random_catalogue(
            rng, bounds, round(stars * megapixels), round(galaxies * megapixels), mags, scale, brighter
        )
    else:
        sources = _read_catalogue(catalogue, tangent, bounds, rng)
    ra, dec = scene.to_sphere(sources.xi, sources.eta, tangent)
    columns = (ra, dec, sources.flux, sources.radius, sources.index, sources.ratio, sources.angle)
    return sources, np.stack(columns, axis=1).tolist()


def _read_catalogue(path, tangent, bounds, rng):
    """An ECSV of RA DEC MAG (AB) rh (half-light radius, 0.03 arcsec pixels; below 4: a star)."""
    with open(path) as lines:
        rows = [line.split() for line in lines if not line.startswith("#")]
    if rows[0][:4] != ["RA", "DEC", "MAG", "rh"]:
        raise InputError(f"{path}: columns {rows[0]}, expected RA DEC MAG rh")
    ra, dec, mag, rh = np.array(rows[1:], float).T[:4]
    xi, eta = scene.to_plane(ra, dec, tangent)
    n = len(ra)
    index, ratio, angle = rng.uniform(0.7, 2.5, n), rng.uniform(0.25, 1.0, n), rng.uniform(0, np.pi, n)
    keep = (xi > bounds[0]) & (xi < bounds[1]) & (eta > bounds[2]) & (eta < bounds[3]) & (mag < 28.5)
    radius = np.where(rh < 4.0, 0.0, 0.03 * rh)
    return scene.Catalogue(
        xi[keep], eta[keep], scene.flux_of(mag[keep]), radius[keep], index[keep], ratio[keep], angle[keep]
    )
