"""Simulate dithered, rolled exposures with planted cosmic rays, as JWST, Roman, HST or plain FITS files.

``python -m drizzleflow.simulate OUTDIR`` writes exposures, an association and ``truth/``, and ``python -m
drizzleflow.simulate score TRUTH RESULTS/PRODUCT`` compares a run's masks with the truth. The same arguments
give the same bytes.
"""

from __future__ import annotations

import argparse
import glob
import json
import math
import os
import sys
from typing import Any

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.io.files import write_text
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.simulate import scene
from drizzleflow.simulate.specs import CAMERAS, FileSpec, FrameSpec

#: streams of random numbers: those of each (seed, stream, ...) are independent, so that frames are, too
POINTING, SOURCES, SKY, DETECTOR, RAYS, NOISE = range(6)


def _rng(seed, *stream):
    return np.random.default_rng([seed, *stream])


def pointings(seed: int, exposures: int, radec, dither: float, roll: float):
    """The (ra, dec, roll) of each exposure, degrees.

    Pointings follow a spiral of radius `dither` (arcsec) around `radec`; rolls differ by up to `roll`
    degrees.
    """
    rng = _rng(seed, POINTING)
    first = rng.uniform(0, 2 * math.pi)
    out = []
    for e in range(exposures):
        r, t = dither * math.sqrt((e + 0.5) / exposures), first + 2.399963 * e
        ra, dec = scene.to_sphere(r * math.cos(t), r * math.sin(t), radec)
        out.append((float(ra), float(dec), 40.0 + roll * ((0.618034 * e + 0.5) % 1 - 0.5)))
    return out


def simulate(
    outdir,
    *,
    flavour: str = "jwst",
    exposures: int = 6,
    detectors: int | str = 2,
    shape=None,
    seed: int = 1,
    wcs=None,
    cosmic_rays: float = 0.003,
    dither: float | None = None,
    roll: float = 2.0,
    exptime: float | None = None,
    filter_name: str | None = None,
    stars: float = 250.0,
    galaxies: float = 300.0,
    sky_spread: float | None = None,
    bad_fraction: float = 0.003,
    border: int | None = None,
    nints: int = 1,
    radec=(150.1, 2.2),
    catalogue=None,
    product: str | None = None,
    projection: str = "TPV",
) -> dict:
    """Write simulated exposures, their associations and the truth.

    Parameters
    ----------
    outdir : path
        Made if missing; files of the same names are replaced.
    flavour : {'jwst', 'roman', 'hst', 'simple'}
        jwst: ``_cal.fits`` with GWCS, one for each detector. roman: ``_cal.asdf`` like those of WFI. hst:
        two-chip ``_flt.fits`` like those of ACS. simple: plain FITS.
    exposures, detectors : int
        How many; with `wcs` the first ones of the folder, and `detectors` may be names, 'nrca1,nrcb1'. A file
        of hst always has two chips.
    shape : (ny, nx), optional
        Of a frame (a chip). By default 1024 x 1024, and 2048 x 2048 with `wcs`, where a smaller shape takes
        the detector's corner at the origin.
    seed : int
        Of all random numbers.
    wcs : path, optional
        A folder of real GWCS (``*.asdf`` with `wcs` and `wcsinfo`). A file ``*.ecsv`` in it is the catalogue.
    cosmic_rays : float
        Below 1, the fraction of pixels hit; otherwise the mean number of pixels hit in a frame. 0: none.
    dither : float, optional
        Radius of the spiral of pointings, arcsec; by default 5 % of a frame's side.
    roll : float
        Range of the exposures' rolls, degrees.
    exptime : float, optional
        s; by default that of the camera.
    filter_name : str, optional
    stars, galaxies : float
        How many in a million pixels.
    sky_spread : float, optional
        Range of the exposures' skies, MJy/sr; by default that of the camera.
    bad_fraction : float
        Fraction of bad pixels.
    border : int, optional
        Rows and columns of reference pixels at the edges; by default 4 in frames of 2048 x 2048, else none.
    nints : int
        Integrations; with more than one jwst writes cubes, ``_calints.fits``.
    radec : (ra, dec)
        Centre of the field, degrees.
    catalogue : path, optional
        Sources: a table with RA, DEC, MAG (AB) and rh (half-light radius).
    product : str, optional
        Name of the product.
    projection : {'TPV', 'TAN'}
        Of simple.

    Returns
    -------
    dict
        ``associations`` (paths), ``members`` (paths), ``truth`` (path of the folder), ``products`` (names).

    Raises
    ------
    InputError
        The flavour is unknown, or an argument does not go with it; the WCS folder is empty.
    """
    if flavour not in CAMERAS:
        raise InputError(f"flavour {flavour!r}: expected one of {', '.join(CAMERAS)}")
    if nints > 1 and flavour != "jwst":
        raise InputError(f"nints {nints}: only the jwst flavour writes cubes")
    camera = CAMERAS[flavour]
    exptime = camera.exptime if exptime is None else exptime
    spread = camera.sky_spread if sky_spread is None else sky_spread
    shape = ((2048, 2048) if wcs else (1024, 1024)) if shape is None else tuple(int(n) for n in shape)
    parameters = {
        "flavour": flavour,
        "exposures": exposures,
        "detectors": detectors,
        "shape": list(shape),
        "seed": seed,
        "wcs": None if wcs is None else os.path.basename(os.path.normpath(os.fspath(wcs))),
        "cosmic_rays": cosmic_rays,
        "dither": dither,
        "roll": roll,
        "exptime": exptime,
        "filter_name": filter_name,
        "stars": stars,
        "galaxies": galaxies,
        "sky_spread": spread,
        "bad_fraction": bad_fraction,
        "border": border,
        "nints": nints,
        "radec": list(radec),
    }
    if border is None:
        border = 4 if shape == (2048, 2048) else 0
    writer = _flavour_module(flavour)
    settings = {
        "exposures": exposures,
        "detectors": detectors,
        "shape": shape,
        "wcs": wcs,
        "filter_name": filter_name,
        "exptime": exptime,
        "nints": nints,
        "camera": camera,
        "product": product,
        "projection": projection,
    }

    def points(side):
        return pointings(seed, exposures, radec, 0.05 * side if dither is None else dither, roll)

    files = writer.plan(points, **settings)
    tangent = _map_frames(files)
    if catalogue is None and wcs:
        catalogue = next(iter(sorted(glob.glob(os.path.join(glob.escape(os.fspath(wcs)), "*.ecsv")))), None)
    sources, rows = _sources(files, tangent, seed, stars, galaxies, camera.mags, catalogue)

    os.makedirs(outdir, exist_ok=True)
    truth_dir = os.path.join(outdir, "truth")
    groups = list(dict.fromkeys(f.group for f in files))
    skies = camera.sky + _rng(seed, SKY).uniform(0, spread, len(groups))
    levels = dict(zip(groups, skies.tolist(), strict=True))
    detector_names = sorted({fr.detector for f in files for fr in f.frames})
    fixed = {}
    truth = {"parameters": parameters, "tangent": list(tangent), "unit": "MJy/sr", "members": {}}
    for f in files:
        planes = []
        for frame in f.frames:
            which = detector_names.index(frame.detector)
            key = (frame.detector, frame.shape)
            if key not in fixed:
                fixed[key] = scene.make_detector(
                    _rng(seed, DETECTOR, which),
                    frame.shape,
                    camera.conversion,
                    camera.readnoise,
                    bad_fraction=bad_fraction,
                    border=border,
                )
            quiet = math.sqrt(camera.readnoise**2 + levels[f.group] * camera.conversion * exptime)
            image = scene.render(frame.map, sources, frame.fwhm, 0.02 * quiet / (camera.conversion * exptime))
            pixels = cosmic_rays * frame.shape[0] * frame.shape[1] if cosmic_rays < 1 else cosmic_rays
            readouts = []
            for i in range(nints):
                rays = None
                if cosmic_rays > 0:
                    rng = _rng(seed, RAYS, f.exposure, which, i)
                    rays, _ = scene.cosmic_rays(rng, frame.shape, pixels, camera.charge, 0.3 * quiet)
                rng = _rng(seed, NOISE, f.exposure, which, i)
                level, nan_bad = levels[f.group], flavour != "hst"
                readouts.append(scene.expose(rng, image, level, exptime, fixed[key], rays, nan_bad))
            planes.append(readouts)
        writer.write(os.path.join(outdir, f.filename), f, planes, **settings)
        truth["members"][f.member] = {
            "file": f.filename,
            "group": f.group,
            "product": f.product,
            "sky": levels[f.group],
            "sky_in_file_unit": levels[f.group] * writer.unit_factor(camera, exptime),
            "exptime": exptime,
        } | _write_truth(os.path.join(truth_dir, f"{f.member}_truth.fits"), f, planes, files)
    products = list(dict.fromkeys(f.product for f in files))
    associations = writer.write_associations(outdir, files, products)
    columns = ["ra", "dec", "flux_mjy", "radius_arcsec", "sersic", "ratio", "angle_rad"]
    truth["sources"] = {"columns": columns, "rows": rows}
    write_text(os.path.join(truth_dir, "truth.json"), json.dumps(truth, indent=1) + "\n")
    return {
        "associations": associations,
        "members": [os.path.join(outdir, f.filename) for f in files],
        "truth": truth_dir,
        "products": products,
    }


def _flavour_module(flavour):
    from importlib import import_module

    return import_module(f"drizzleflow.simulate.{flavour}")


def _map_frames(files):
    """Give every frame its map to the tangent plane; return the common tangent point (ra, dec), degrees."""
    centres = []
    for f in files:
        for frame in f.frames:
            ra, dec = frame.to_sky(np.array([(frame.shape[1] - 1) / 2]), np.array([(frame.shape[0] - 1) / 2]))
            centres.append((float(ra[0]), float(dec[0])))
    xi, eta = scene.to_plane(*np.transpose(centres), centres[0])
    ra, dec = scene.to_sphere((xi.min() + xi.max()) / 2, (eta.min() + eta.max()) / 2, centres[0])
    tangent = float(ra), float(dec)
    seen = {}
    for f in files:
        for frame in f.frames:
            if id(frame.to_sky) not in seen:
                seen[id(frame.to_sky)] = scene.FieldMap(frame.to_sky, frame.shape, tangent)
            frame.map = seen[id(frame.to_sky)]
    return tangent


def _sources(files, tangent, seed, stars, galaxies, mags, catalogue):
    """The sources of the field, a `Catalogue`, and their rows for truth.json."""
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
            _rng(seed, SOURCES), bounds, round(stars * megapixels), round(galaxies * megapixels), mags, scale
        )
    else:
        sources = _read_catalogue(catalogue, tangent, bounds, _rng(seed, SOURCES))
    ra, dec = scene.to_sphere(sources.xi, sources.eta, tangent)
    columns = (ra, dec, sources.flux, sources.radius, sources.index, sources.ratio, sources.angle)
    return sources, np.stack(columns, axis=1).tolist()


def _read_catalogue(path, tangent, bounds, rng):
    """Read an ECSV with RA, DEC, MAG (AB) and rh, the half-light radius in 0.03 arcsec (below 4: a star)."""
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


def _write_truth(path, f: FileSpec, planes, files) -> dict:
    """Write the truth of one member, and return its counts of planted pixels and cosmic rays.

    The planes are CRMASK, CRFLUX (MJy/sr), CRSIGMA (CRFLUX over ERR) and DEPTH (number of groups that cover a
    pixel).
    """
    from drizzleflow.simulate.score import events

    hdus = [(image_header(None, primary=True, cards=[("MEMBER", f.member, "")]), None)]
    counts = {"cr_pixels": 0, "cr_events": 0, "cr_events_5sigma": 0}
    for frame, readouts in zip(f.frames, planes, strict=True):
        stack = {k: np.stack([r[k] for r in readouts]) for k in ("crmask", "crflux", "crsigma")}
        depth = np.stack([_depth(frame, mask, files) for mask in stack["crmask"]])
        for name, data in (*((k.upper(), v) for k, v in stack.items()), ("DEPTH", depth)):
            data = data if len(readouts) > 1 else data[0]
            hdus.append((image_header(data, name, extver=frame.extver), data))
        for mask, sigma in zip(stack["crmask"], stack["crsigma"], strict=True):
            _labels, total, bright = events(mask, sigma)
            counts["cr_pixels"] += int(mask.sum(dtype=int))
            counts["cr_events"] += total
            counts["cr_events_5sigma"] += len(bright)
    write_hdus(path, hdus)
    return counts


def _depth(frame: FrameSpec, mask, files):
    """The number of groups that cover each planted pixel's place on the sky, uint8 (ny, nx); 0 elsewhere."""
    y, x = np.nonzero(mask)
    depth = np.zeros(mask.shape, np.uint8)
    if not x.size:
        return depth
    xi, eta = frame.map.points(x, y)
    by_group: dict[str, Any] = {}
    for other in files:
        seen = by_group.setdefault(other.group, np.zeros(x.size, bool))
        if seen.all():
            continue
        for candidate in other.frames:
            seen |= candidate.map.contains(xi, eta)
    depth[y, x] = np.sum(list(by_group.values()), axis=0)
    return depth


def main(argv=None) -> int:
    """Run the command ``python -m drizzleflow.simulate``; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        if argv[:1] == ["score"]:
            from drizzleflow.simulate.score import main as score_main

            return score_main(argv[1:])
        return _main(argv)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _main(argv) -> int:
    p = argparse.ArgumentParser(prog="python -m drizzleflow.simulate", description=__doc__.split("\n")[0])
    p.add_argument("outdir")
    p.add_argument("--flavour", default="jwst", choices=sorted(CAMERAS))
    p.add_argument("--exposures", type=int, default=6)
    p.add_argument("--detectors", default="2", help="a number, or names with --wcs (nrca1,nrcb1)")
    p.add_argument("--shape", type=int, nargs=2, metavar=("NY", "NX"), help="1024 1024; 2048 2048 with --wcs")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--wcs", metavar="DIR", help="folder of real GWCS (*.asdf) and a source list (*.ecsv)")
    p.add_argument(
        "--cosmic-rays", type=float, default=0.003, metavar="N", help="fraction of pixels, or pixels a frame"
    )
    p.add_argument("--no-cosmic-rays", dest="cosmic_rays", action="store_const", const=0.0)
    p.add_argument("--dither", type=float, help="arcsec, radius of the pattern (5 %% of the frame's side)")
    p.add_argument("--roll", type=float, default=2.0, help="degrees, range of rolls")
    p.add_argument("--exptime", type=float, help="s")
    p.add_argument("--filter", dest="filter_name")
    p.add_argument("--stars", type=float, default=250.0, help="a million pixels")
    p.add_argument("--galaxies", type=float, default=300.0, help="a million pixels")
    p.add_argument("--sky-spread", type=float, help="MJy/sr")
    p.add_argument("--bad-fraction", type=float, default=0.003)
    p.add_argument("--border", type=int, help="reference pixels at the edges")
    p.add_argument("--nints", type=int, default=1, help="integrations (jwst; more than 1 makes cubes)")
    p.add_argument("--radec", type=float, nargs=2, default=(150.1, 2.2), metavar=("RA", "DEC"))
    p.add_argument("--catalogue", metavar="ECSV")
    p.add_argument("--product")
    p.add_argument("--projection", default="TPV", choices=("TPV", "TAN"), help="of the simple flavour")
    options = vars(p.parse_args(argv))
    if options["detectors"].isdigit():
        options["detectors"] = int(options["detectors"])
    made = simulate(options.pop("outdir"), **options)
    for path in made["associations"]:
        print(f"association: {path}")
    print(f"members:     {len(made['members'])}")
    print(f"truth:       {made['truth']}")
    return 0
