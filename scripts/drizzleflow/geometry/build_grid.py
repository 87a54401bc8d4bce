"""Build the output grid of an association from its frames' outlines, or from a WCS that the user gives.

``grid.method: tangent_plane`` makes one tangent plane around all footprints, as the JWST pipeline does. It
differs in two points where the pipeline loses light: the default grid reaches to the outer *edges* of the
outermost pixels, and it is built from the frames' own WCS outlines instead of their S_REGION keywords
(``grid.footprints``). ``grid.method: astrodrizzle`` is in `drizzleflow.geometry.astrodrizzle_grid`.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.geometry.grid import MAX_PIXELS, Grid, arcsec
from drizzleflow.geometry.projection import Projection, from_header, of_gwcs, tree_of, two_axes
from drizzleflow.geometry.region import covered, tilt, windows
from drizzleflow.geometry.sphere import tangent_plane
from drizzleflow.io.files import why_no_file


def product_grid(frames: list[dict], options: dict) -> tuple[Grid, list[int]]:
    """Build the grid of a product and find what its frames cover of it.

    Parameters
    ----------
    frames : list of dict
        The footprints for `build`, each also with ``member``, ``group`` and ``unit``.
    options : dict
        The configuration's ``grid`` section.

    Returns
    -------
    grid : Grid
        The grid with its ``s_region``, ``windows`` and ``tilt``.
    outside : list of int
        Numbers of the frames that do not meet the grid.

    Raises
    ------
    InputError
        The frames differ in unit, no frame meets the grid, or `build` fails.
    """
    units = {frame["unit"]: frame["member"] for frame in reversed(frames)}
    if len(units) > 1:
        listed = ", ".join(f"{member} in {unit or 'no unit'}" for unit, member in units.items())
        raise InputError(f"members in different units: {listed}; expected one unit")
    grid = build(frames, options)
    outlines, groups = [frame["outline"] for frame in frames], [frame["group"] for frame in frames]
    s_region, outside = covered(outlines, grid)
    if not s_region:
        raise InputError(
            f"grid: none of the {len(frames)} frames falls on the output grid; check {_given(options)}"
        )
    placed = windows(outlines, groups, grid)
    return replace(grid, s_region=s_region, windows=placed, tilt=tilt(outlines, grid)), outside


def _given(options) -> str:
    """Return the grid's settings that the user made, as text."""
    keys = ("output_wcs", "output_shape", "crpix", "crval", "rotation", "pixel_scale")
    return ", ".join(f"grid.{key}" for key in keys if options[key] is not None) or "the members' coordinates"


def build(footprints: list[dict], options: dict) -> Grid:
    """Return the grid that holds all `footprints`, by the configuration's ``grid`` section.

    Parameters
    ----------
    footprints : list of dict
        One for each frame; the first is the reference. Keys: ``outline`` (lon, lat lists in degrees, along
        the outer pixel edges), ``s_region`` (text or None), ``scale`` (arcsec at the reference point),
        ``pixel_area`` (mean, steradians), ``pa_y``, ``vparity``.
    options : dict
        ``pixel_scale`` (arcsec), ``pixel_scale_ratio``, ``rotation`` (deg), ``crpix`` ([x, y], 0-based),
        ``crval`` (deg), ``output_shape`` ([nx, ny]), ``output_wcs`` (a FITS header or file, or an ASDF file),
        ``method`` (tangent_plane, or astrodrizzle, for which footprints need what
        `drizzleflow.geometry.astrodrizzle_frame.describe` adds), ``footprints`` (tangent_plane only: wcs or
        s_region).

    Raises
    ------
    InputError
        The output WCS cannot be read, or the grid is larger than `drizzleflow.geometry.grid.MAX_PIXELS`.
    """
    grid = _build(footprints, options)
    return replace(
        _check(grid), input_scale=arcsec(max(f["pixel_area"] for f in footprints)) / grid.pixel_scale
    )


def _build(footprints, options) -> Grid:
    first = footprints[0]
    shape = tuple(options["output_shape"][::-1]) if options["output_shape"] else None
    if options["output_wcs"]:
        return _from_file(options["output_wcs"], shape, first)
    if options["method"] == "astrodrizzle":
        from drizzleflow.geometry.astrodrizzle_grid import from_footprints

        return from_footprints(footprints, options)
    use_region = options["footprints"] == "s_region" and all(f["s_region"] for f in footprints)
    polygons = []
    for footprint in footprints:
        polygons += parse_s_region(footprint["s_region"]) if use_region else [np.array(footprint["outline"])]
    lon, lat = np.concatenate(polygons, axis=1)
    crval = tuple(float(v) for v in options["crval"]) if options["crval"] else _centre(lon, lat)

    if options["pixel_scale"]:
        scale = float(options["pixel_scale"])
        ratio = scale / arcsec(first["pixel_area"])
    else:
        ratio = float(options["pixel_scale_ratio"])
        scale = first["scale"] * ratio
    vparity = first["vparity"]
    angle = np.radians(first["pa_y"] if options["rotation"] is None else float(options["rotation"]))
    degrees = scale / 3600.0
    cos, sin = degrees * np.cos(angle), degrees * np.sin(angle)
    cd = tuple(float(v) for v in (vparity * cos, sin, -vparity * sin, cos))
    grid = Grid((1, 1), crval, (0.0, 0.0), cd, scale, float(ratio))

    x, y = grid.to_pixel(lon, lat)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        if options["crval"]:
            raise InputError(
                f"grid.crval: {list(crval)} is more than 90 degrees from some of the members; expected a position near them"
            )
        raise InputError(
            "the footprints span more than a hemisphere: no tangent plane holds them; set grid.output_wcs"
        )
    if options["crpix"]:
        crpix = tuple(float(v) for v in options["crpix"])
        if shape is None and not use_region:  # whole pixels are added in front, so that all members fit
            crpix = tuple(
                at + max(0.0, float(np.ceil(-0.501 - at - lowest)))
                for at, lowest in zip(crpix, (x.min(), y.min()), strict=True)
            )
        x, y = x + crpix[0], y + crpix[1]
    else:
        # the JWST pipeline puts the outermost vertex at a pixel's centre; here it is at the outer edge
        edge = 0.0 if use_region else 0.5
        crpix = (float(-x.min() - edge), float(-y.min() - edge))
        x, y = x + crpix[0], y + crpix[1]
    if shape is None:
        upper = (
            (np.array([y.max(), x.max()]) + 0.5)
            if use_region
            else np.ceil(np.array([y.max(), x.max()]) + 0.499)
        )
        if (upper < 2).any():
            raise InputError(
                f"grid: the computed shape {tuple(int(v) for v in upper)} is too small; check crpix, crval and pixel_scale"
            )
        shape = tuple(int(v) for v in upper)
    return replace(grid, shape=shape, crpix=crpix)


def _check(grid: Grid) -> Grid:
    ny, nx = grid.shape
    if ny * nx > MAX_PIXELS:
        raise InputError(
            f"grid: {nx} x {ny} pixels of {grid.pixel_scale:g} arcsec is absurdly large; check the members' coordinates"
            " and grid.pixel_scale, or set grid.output_shape"
        )
    return grid


def _centre(lon, lat) -> tuple[float, float]:
    """Return the middle (lon, lat) of points as the JWST pipeline does, by the midrange of unit vectors."""
    lon, lat = np.radians(lon), np.radians(lat)
    vectors = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    x, y, z = (vectors.max(axis=1) + vectors.min(axis=1)) / 2
    return float(np.degrees(np.arctan2(y, x)) % 360.0), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def parse_s_region(text: str) -> list[np.ndarray]:
    """Return polygons (2, n) of lon, lat in degrees from an S_REGION of ``POLYGON ICRS`` parts."""
    polygons = []
    for part in text.upper().split("POLYGON")[1:]:
        numbers = [
            float(word) for word in part.split() if word not in ("ICRS", "FK5", "J2000", "UNKNOWNFRAME")
        ]
        polygons.append(np.array([numbers[0::2], numbers[1::2]]))
    if not polygons:
        raise InputError(f"S_REGION {text!r}: expected POLYGON ICRS lon lat lon lat ...")
    return polygons


def _from_file(path, shape, first) -> Grid:
    """Return the grid of ``grid.output_wcs``.

    It is an ASDF file (``wcs``, optional ``array_shape``), a FITS file, or the text of a FITS header.
    """
    path = str(path)
    if not os.path.isfile(path):  # a named pipe would block
        raise InputError(f"grid.output_wcs: {path}: {why_no_file(path)}")
    try:
        if path.endswith(".asdf"):
            grid = _from_asdf(path, shape)
        else:
            grid = _from_fits(path, shape)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"grid.output_wcs: {path} cannot be read as a celestial WCS ({error})") from None
    ratio = grid.pixel_scale / arcsec(first["pixel_area"])
    return replace(grid, pixel_scale_ratio=float(ratio))


def _from_asdf(path, shape) -> Grid:
    tree = tree_of(path)
    wcs = tree["wcs"]
    if shape is None:
        stated = tree.get("pixel_shape")
        shape = wcs.array_shape or tree.get("array_shape") or (tree["pixel_shape"][::-1] if stated else None)
        if shape is None and wcs.bounding_box is not None:
            box = wcs.bounding_box.bounding_box(order="C")
            shape = tuple(int(hi + 0.5) for _, hi in box)
        if shape is None:
            raise InputError(f"grid.output_wcs: {path} states no shape; set grid.output_shape")
    shape = tuple(int(n) for n in shape)
    return _linear(of_gwcs(wcs), shape, "asdf:" + path, tree.get("pixel_scale"))


def _from_fits(path, shape) -> Grid:
    from astropy.io import fits

    try:
        with fits.open(path) as hdus:
            header = next((h.header for h in hdus if h.header.get("CTYPE1")), None)
    except OSError:
        with open(path, encoding="ascii", errors="replace") as file:
            header = fits.Header.fromtextfile(file)
    if header is None or not (wcs := two_axes(header)).has_celestial:
        raise InputError(f"grid.output_wcs: {path} has no celestial WCS (CTYPE1, CTYPE2)")
    if shape is None:
        if "NAXIS1" not in header:
            raise InputError(f"grid.output_wcs: {path} states no NAXIS1, NAXIS2; set grid.output_shape")
        shape = (header["NAXIS2"], header["NAXIS1"])
    text = wcs.to_header(relax=True).tostring(sep="\n", endcard=False, padding=False)
    return _linear(from_header(text), tuple(int(n) for n in shape), text, None)


def _linear(custom: Projection, shape, text, scale) -> Grid:
    """Return a plain TAN grid if the custom WCS is one, otherwise the custom grid.

    A plain TAN grid needs no WCS library later.
    """
    ny, nx = shape
    x = np.array([0.0, nx - 1, 0.0, nx - 1, (nx - 1) / 2, (nx - 1) / 2 + 1, (nx - 1) / 2])
    y = np.array([0.0, 0.0, ny - 1, ny - 1, (ny - 1) / 2, (ny - 1) / 2, (ny - 1) / 2 + 1])
    lon, lat = custom.to_sky(x, y)
    cards = {c[0]: c[1] for c in custom.cards((0, 0), shape)}
    crval = (float(cards["CRVAL1"]), float(cards["CRVAL2"]))
    crpix = (float(cards["CRPIX1"]) - 1, float(cards["CRPIX2"]) - 1)
    cdelt = np.array([cards.get("CDELT1", 1.0), cards.get("CDELT2", 1.0)], float)
    kind = "CD" if any(k.startswith("CD1_") or k.startswith("CD2_") for k in cards) else "PC"
    unit = np.eye(2) if kind == "PC" else np.zeros((2, 2))
    matrix = np.array(
        [[cards.get(f"{kind}{i}_{j}", unit[i - 1, j - 1]) for j in (1, 2)] for i in (1, 2)], float
    )
    cd = matrix * cdelt[:, None] if kind == "PC" else matrix
    xi, eta = tangent_plane(lon[4:], lat[4:], lon[4], lat[4])
    measured = float(np.sqrt(abs(xi[1] * eta[2] - xi[2] * eta[1])) * 3600.0)
    grid = Grid(shape, crval, crpix, tuple(float(v) for v in cd.ravel()), float(scale or measured))
    if str(cards.get("CTYPE1", "")).startswith("RA---TAN"):
        u, v = grid.to_pixel(lon, lat)
        if np.allclose([u, v], [x, y], rtol=0, atol=1e-7):
            return grid
    return replace(grid, custom=text)
