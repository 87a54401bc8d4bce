"""GWCS of simulated JWST and Roman files: detector, distortion polynomial, V2 and V3, rotation to the sky.

They consist of models of astropy and gwcs, so that any program with asdf and gwcs can open them.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np


def _polynomial(degree: int, terms: dict):
    from astropy.modeling.models import Polynomial2D

    return Polynomial2D(degree, **{f"c{i}_{j}": c for (i, j), c in terms.items()})


@lru_cache
def _distortion(terms, reach: float, scale: float):
    """The distortion of a detector: polynomials from centred pixels to arcsec, and their inverses.

    It is the same in all exposures. `terms` are those of `telescope_wcs` as tuples of pairs.

    Each is a list of two models, of x and y. The inverses are good to 1e-6 px within `reach` pixels of the
    centre.
    """
    forward = [_polynomial(5, dict(axis)) for axis in terms]
    degree = 7
    nodes = np.cos(np.pi * (np.arange(32) + 0.5) / 32) * reach
    x, y = (g.ravel() for g in np.meshgrid(nodes, nodes))
    u, v = forward[0](x, y), forward[1](x, y)
    unit = reach * scale
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    design = np.stack([(u / unit) ** i * (v / unit) ** j for i, j in powers], axis=1)
    inverse = []
    for target in (x, y):
        solution = np.linalg.lstsq(design, target, rcond=None)[0]
        terms = {(i, j): c / unit ** (i + j) for (i, j), c in zip(powers, solution, strict=True)}
        inverse.append(_polynomial(degree, terms))
    return forward, inverse


def _attitude(v2, v3, ra, dec, roll):
    """The matrix from unit vectors in V1, V2, V3 to those in ICRS.

    (v2, v3) points to (ra, dec), where V3 has the position angle `roll`; all in degrees.
    """

    def rotate(axis, degrees):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        return np.array(
            {
                "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
                "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
                "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
            }[axis]
        )

    return rotate("z", ra) @ rotate("y", -dec) @ rotate("x", -roll) @ rotate("y", v3) @ rotate("z", -v2)


def _pointing(matrix, v2, v3):
    """(ra, dec, roll) in degrees at (v2, v3) in degrees; roll is the position angle of V3 there."""
    v2, v3 = math.radians(v2), math.radians(v3)
    vector = matrix @ [math.cos(v2) * math.cos(v3), math.sin(v2) * math.cos(v3), math.sin(v3)]
    up = matrix @ [-math.cos(v2) * math.sin(v3), -math.sin(v2) * math.sin(v3), math.cos(v3)]
    ra, dec = math.atan2(vector[1], vector[0]), math.asin(vector[2])
    north = [-math.cos(ra) * math.sin(dec), -math.sin(ra) * math.sin(dec), math.cos(dec)]
    east = [-math.sin(ra), math.cos(ra), 0]
    return math.degrees(ra) % 360, math.degrees(dec), math.degrees(math.atan2(up @ east, up @ north)) % 360


def telescope_wcs(shape, reference, angle: float, aim, pointing, terms, scale: float):
    """The GWCS of one detector, and its wcsinfo.

    Parameters
    ----------
    shape : (ny, nx)
    reference : (v2, v3)
        The detector's centre, arcsec.
    angle : float
        From V3 to the detector's y axis, degrees (``v3yangle``).
    aim : (v2, v3)
        The point of the focal plane that is pointed to the sky, arcsec.
    pointing : (ra, dec, roll)
        Of `aim`, degrees; roll is the position angle of V3 there.
    terms : two dictionaries, of x and y
        (i, j) -> coefficient, arcsec a pixel^(i+j), up to the fifth order.
    scale : float
        arcsec a pixel, about.

    Returns
    -------
    wcs : gwcs.WCS
    wcsinfo : dict
    """
    import astropy.units as u
    from astropy.coordinates import ICRS
    from astropy.modeling.models import AffineTransformation2D, Mapping, RotationSequence3D, Scale, Shift
    from gwcs import WCS
    from gwcs import coordinate_frames as cf
    from gwcs.geometry import CartesianToSpherical, SphericalToCartesian

    ny, nx = shape
    (v2_ref, v3_ref), parity = reference, -1
    matrix = _attitude(aim[0] / 3600, aim[1] / 3600, *pointing)
    ra_ref, dec_ref, roll_ref = _pointing(matrix, v2_ref / 3600, v3_ref / 3600)

    frozen = tuple(tuple(axis.items()) for axis in terms)
    (fx, fy), (ix, iy) = _distortion(frozen, 0.51 * max(nx, ny), scale)
    distortion = Mapping((0, 1, 0, 1)) | fx & fy
    distortion.inverse = Mapping((0, 1, 0, 1)) | ix & iy
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    rotation = np.array([[parity * c, s], [-parity * s, c]])
    ideal = AffineTransformation2D(matrix=rotation)  # orthogonal: astropy inverts it exactly
    offset = Shift(-(nx - 1) / 2) & Shift(-(ny - 1) / 2)
    to_v2v3 = offset | distortion | ideal | Shift(v2_ref) & Shift(v3_ref)
    to_v2v3.inverse = Shift(-v2_ref) & Shift(-v3_ref) | ideal.inverse | distortion.inverse | offset.inverse
    to_world = (
        Scale(1 / 3600) & Scale(1 / 3600)
        | SphericalToCartesian(wrap_lon_at=180)
        | RotationSequence3D([v2_ref / 3600, -v3_ref / 3600, roll_ref, dec_ref, -ra_ref], "zyxyz")
        | CartesianToSpherical(wrap_lon_at=360)
    )
    wcs = WCS(
        [
            (cf.Frame2D(name="detector", unit=(u.pix, u.pix)), to_v2v3),
            (cf.Frame2D(name="v2v3", axes_names=("v2", "v3"), unit=(u.arcsec, u.arcsec)), to_world),
            (cf.CelestialFrame(name="world", axes_order=(0, 1), reference_frame=ICRS()), None),
        ]
    )
    wcs.bounding_box = ((-0.5, nx - 0.5), (-0.5, ny - 0.5))
    info = {
        "ra_ref": ra_ref,
        "dec_ref": dec_ref,
        "roll_ref": roll_ref,
        "v2_ref": v2_ref,
        "v3_ref": v3_ref,
        "v3yangle": angle,
        "vparity": parity,
    }
    return wcs, info


def s_region(wcs, shape) -> str:
    """S_REGION as the JWST pipeline writes it: with corners at the pixels 0 and n, half a pixel too high."""
    ny, nx = shape
    ra, dec = wcs(np.array([0.0, 0, nx, nx]), np.array([0.0, ny, ny, 0]), with_bounding_box=False)
    return "POLYGON ICRS  " + " ".join(f"{a % 360:.9f} {d:.9f}" for a, d in zip(ra, dec, strict=True))
