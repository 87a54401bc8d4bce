"""Simulate dithered, rolled exposures with planted cosmic rays, as JWST, Roman, HST or plain FITS files.

``python -m drizzleflow.simulate OUTDIR`` writes exposures, an association and ``truth/``, and ``python -m
drizzleflow.simulate score TRUTH RESULTS/PRODUCT`` compares a run's masks with the truth. The same arguments
give the same bytes.
"""

from __future__ import annotations

import dataclasses
import glob
import json
import math
import os

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.io.files import write_text
from drizzleflow.simulate import faults, scene
from drizzleflow.simulate import truth as kept
from drizzleflow.simulate.cover import Cover
from drizzleflow.simulate.field import make_sources, map_frames
from drizzleflow.simulate.specs import camera_of

#: streams of random numbers: each (seed, stream, ...) is independent, so that a frame does not depend on the
#: others
POINTING, SOURCES, SKY, DETECTOR, RAYS, NOISE, LOW, SHIFT = range(8)


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
    fwhm: float | None = None,
    bright_galaxies: float = 0.0,
    wcs_error: float = 0.0,
    depths=(1.0,),
    low_pixels: float = 0.0,
    low_exposures: int | None = None,
    low_clusters: float = 0.0,
    cte: float = 0.0,
    photons_in_err: bool = True,
    scene_truth: bool = False,
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
        JWST: more than one writes ``_calints.fits`` cubes.
    projection : 'TPV', 'TAN'
        Of the simple flavour.
    fwhm : float, optional
        Of the point-spread function's core, pixels; by default the filter's or the camera's own.
    bright_galaxies : float
        Magnitudes by which galaxies are brighter, and so larger; not those of a source list.
    wcs_error : float
        Pointing error: each exposure sees the sky shifted from what its files' coordinates say, on either
        axis by a random number of this standard deviation, pixels.
    depths : sequence of float
        Factors of the noise, of one exposure after the other, again from the first when they end: 1, 5 makes
        every second exposure five times as noisy (its time is a 25th, its read noise a fifth). Cosmic rays
        stand as far above the noise in all of them.
    low_pixels : float
        Fraction of the pixels that are 10 to 300 standard deviations too low, others in every exposure.
    low_exposures : int, optional
        Only the first so many exposures have them; by default all.
    low_clusters : float
        Fraction of the low spots that are clusters of two to four pixels.
    cte : float
        HST: the part of its charge that a cosmic ray in the farthest row leaves in a trail of some pixels.
    photons_in_err : bool
        Whether the cosmic rays' own photons are in ERR and VAR_POISSON, as in real files.
    scene_truth : bool
        Also write ``{member}_scene.fits`` into the truth folder, and list in ``truth.json`` where each
        frame's stars are.

    Returns
    -------
    dict
        ``associations`` (paths), ``members`` (paths), ``truth`` (path of the folder), ``products`` (names).

    Raises
    ------
    InputError
        An unknown flavour, an empty WCS folder, a number out of range, or what a flavour cannot have.
    """
    camera = camera_of(flavour)
    if nints > 1 and flavour != "jwst":
        raise InputError(f"nints {nints}: only the jwst flavour writes cubes")
    depths = tuple(depths)
    _check(flavour, nints, fwhm, wcs_error, depths, low_pixels, low_clusters, cte, scene_truth)
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
    special = {  # written where they are not the defaults
        "fwhm": (fwhm, None),
        "bright_galaxies": (bright_galaxies, 0),
        "wcs_error": (wcs_error, 0),
        "depths": (list(depths), [1]),
        "low_pixels": (low_pixels, 0),
        "low_exposures": (low_exposures, None),
        "low_clusters": (low_clusters, 0),
        "cte": (cte, 0),
        "photons_in_err": (photons_in_err, True),
        "scene_truth": (scene_truth, False),
    }
    parameters |= {key: value for key, (value, default) in special.items() if value != default}
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
    shifts = wcs_error * _rng(seed, SHIFT).standard_normal((exposures, 2))
    tangent = map_frames(files, shifts if wcs_error else None)
    if fwhm is not None:
        width = fwhm * files[0].frames[0].map.scale
        for frame in (frame for f in files for frame in f.frames):
            frame.fwhm = width
    if catalogue is None and wcs:
        catalogue = next(iter(sorted(glob.glob(os.path.join(glob.escape(os.fspath(wcs)), "*.ecsv")))), None)
    sources, rows = make_sources(
        _rng(seed, SOURCES), files, tangent, stars, galaxies, camera.mags, catalogue, bright_galaxies
    )

    os.makedirs(outdir, exist_ok=True)
    truth_dir = os.path.join(outdir, "truth")
    groups = list(dict.fromkeys(f.group for f in files))
    skies = camera.sky + _rng(seed, SKY).uniform(0, spread, len(groups))
    levels = dict(zip(groups, skies.tolist(), strict=True))
    detector_names = sorted({fr.detector for f in files for fr in f.frames})
    fixed, lows, cover = {}, {}, Cover(files)
    truth = {"parameters": parameters, "tangent": list(tangent), "unit": "MJy/sr", "members": {}}
    for f in files:
        factor = depths[f.exposure % len(depths)]
        deep = settings if factor == 1 else settings | _noisier(camera, exptime, factor)
        planes, images = [], []
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
            detector = fixed[key]
            if factor != 1:
                detector = dataclasses.replace(detector, readnoise=detector.readnoise / np.float32(factor))
            quiet = math.sqrt(camera.readnoise**2 + levels[f.group] * camera.conversion * exptime)
            image = scene.render(frame.map, sources, frame.fwhm, 0.02 * quiet / (camera.conversion * exptime))
            pixels = cosmic_rays * frame.shape[0] * frame.shape[1] if cosmic_rays < 1 else cosmic_rays
            readouts = []
            for i in range(nints):
                rays, trail = None, None
                if cosmic_rays > 0:
                    rng = _rng(seed, RAYS, f.exposure, which, i)
                    charge = deep["camera"].charge
                    rays, _ = faults.cosmic_rays(rng, frame.shape, pixels, charge, 0.3 * quiet / factor)
                    if cte:
                        rays, trail = faults.trails(rays, cte, frame.trail)
                readouts.append(
                    scene.expose(
                        _rng(seed, NOISE, f.exposure, which, i),
                        image,
                        levels[f.group],
                        deep["exptime"],
                        detector,
                        rays,
                        flavour != "hst",
                        trail=trail,
                        photons_in_err=photons_in_err,
                    )
                )
            low = np.zeros(frame.shape, np.float32)
            if low_pixels and (low_exposures is None or f.exposure < low_exposures):
                low = faults.low_pixels(
                    _rng(seed, LOW, f.exposure, which), frame.shape, low_pixels, low_clusters
                )
                low[(readouts[0]["crmask"] != 0) | ((readouts[0]["dq"] & scene.DO_NOT_USE) != 0)] = 0
                readouts[0]["sci"] -= low * readouts[0]["noise"]
            lows[f.member, frame.extver] = np.nonzero(low)
            planes.append(readouts)
            images.append(image)
        writer.write(os.path.join(outdir, f.filename), f, planes, **deep)
        about = {
            "file": f.filename,
            "group": f.group,
            "product": f.product,
            "sky": levels[f.group],
            "sky_in_file_unit": levels[f.group] * writer.unit_factor(camera, deep["exptime"]),
            "exptime": deep["exptime"],
        }
        about |= kept.write_rays(os.path.join(truth_dir, f"{f.member}_truth.fits"), f, planes, cover)
        if wcs_error:
            about["shift_px"] = shifts[f.exposure].tolist()
        if scene_truth:
            kept.write_scene(os.path.join(truth_dir, f"{f.member}_scene.fits"), f, planes, images, cover)
            about["stars"] = kept.stars(f, sources)
        truth["members"][f.member] = about
        for frame in f.frames:  # a GWCS that has been written holds 0.8 MB
            frame.to_sky, frame.payload = None, {}
    if low_pixels:
        kept.write_low(truth_dir, files, lows, cover)
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


def _check(flavour, nints, fwhm, wcs_error, depths, low_pixels, low_clusters, cte, scene_truth):
    """Refuse what cannot be simulated."""
    if nints > 1 and (low_pixels or scene_truth):
        raise InputError(f"nints {nints}: low_pixels and scene_truth are for images, not for cubes")
    if cte and flavour != "hst":
        raise InputError(f"cte {cte}: only the hst flavour has charge trails")
    if fwhm is not None and not fwhm > 0:
        raise InputError(f"fwhm {fwhm}: expected pixels, more than 0")
    if not wcs_error >= 0:
        raise InputError(f"wcs_error {wcs_error}: expected pixels, 0 or more")
    if not depths or not all(d > 0 for d in depths):
        raise InputError(f"depths {list(depths)}: expected factors of the noise, more than 0")
    for name, value in (("low_pixels", low_pixels), ("low_clusters", low_clusters), ("cte", cte)):
        if not 0 <= value <= 1:
            raise InputError(f"{name} {value}: expected a fraction, 0 to 1")


def _noisier(camera, exptime, factor):
    """Settings of an exposure whose noise is `factor` times what the camera's is, in MJy/sr."""
    changed = dataclasses.replace(camera, readnoise=camera.readnoise / factor, charge=camera.charge / factor)
    return {"camera": changed, "exptime": exptime / factor**2}
