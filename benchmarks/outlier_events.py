"""Of `benchmarks/outliers.py`: what an outlier test makes of what is no cosmic ray.

Into exposures without rays (kind calm: FWHM 2 px, dithered, rolls within 2 degrees) are added, with their
photons in the data and in ERR: moving objects of 0.5, 2 and 8 px an exposure; in one exposure each a
satellite trail, a snowball, and stars that are 10 % and 50 % brighter or 50 % fainter; in all exposures
diffraction spikes along the detector's diagonals, and hot pixels that DQ does not know. Printed for each: how
many pixels they change by more than 5 sigma and the flagged part of those, %; for variable stars how many
there are and how many have a flag in the 3 x 3 pixels of their core. At last the flags elsewhere.
"""

import json
import shutil

import numpy as np
from astropy.io import fits
from outlier_sets import Set, read_masks, run_on, simulate
from scipy import ndimage

from drizzleflow.formats import jwst
from drizzleflow.simulate import outlier_scores as scores
from drizzleflow.simulate.specs import CAMERAS

SPEEDS = (0.5, 2.0, 8.0)  #: px an exposure
MOVERS, PEAK = 4, 30.0  #: moving objects of each speed, their highest pixel's S/N
WIDTH = 2.0 / 2.3548  #: px, sigma of the PSF
TRAIL, SNOWBALL, VARIABLE = 1, 2, 3  #: the exposures that have them (the first is 0)
CHANGES = {"star +10 %": 0.1, "star +50 %": 0.5, "star -50 %": -0.5}
HOT, HOT_SNR = 60, 50.0


def table(options):
    """Print the table of the first of the seeds and of the exposures (at least 4)."""
    exposures = max(4, options.exposures[0])
    one = Set("calm", exposures, options.seeds[0], options.side, options.density, options.dither)
    home = options.work / one.name.replace("calm", "events")
    calm, truth = simulate(options.work, one), scores.read_truth(one.truth(options.work))
    made, added = plant(home / "exposures", calm, truth)
    rows: dict[str, dict] = {}
    for method in options.methods:
        folder = run_on(home, made, one.flavour, method, options)
        if folder:
            for name, cell in judged(read_masks(folder), added, truth).items():
                rows.setdefault(name, {})[method] = cell
    methods = [m for m in options.methods if any(m in row for row in rows.values())]
    print(f"{exposures} exposures of {options.side} x {options.side}\n")
    print("| | of | " + " | ".join(methods) + " |")
    print("| --- " * (2 + len(methods)) + "|")
    for name, cells in rows.items():
        of = next(iter(cells.values()))[1]
        print(f"| {name} | {of} | " + " | ".join(percent(*cells[m]) for m in methods) + " |")
    if options.output:
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


def percent(some, of):
    return f"{100 * some / of:.3g} %" if of else "-"


def plant(folder, calm, truth):
    """Copies of the exposures with everything added: (what `run_on` takes, {(member, 1): what was added})."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    camera = CAMERAS["jwst"]
    to_electrons = camera.conversion * camera.exptime
    added, members = {}, []
    keys = list(truth)
    origin = None
    for e, (key, path) in enumerate(zip(keys, calm["members"], strict=True)):
        t, rng = truth[key], np.random.default_rng([7, e])
        with fits.open(path) as hdus:
            wcs = jwst.read(
                {"path": str(path), "member": key[0], **jwst.describe(str(path), hdus[0].header)}, planes=()
            ).wcs
            if origin is None:  # places of moving objects, degrees, in the first exposure
                origin = places_on_sky(wcs, t.scene.shape)
            deposits = {
                **movers(e, origin, wcs, t),
                **({"satellite trail": trail(t)} if e == TRAIL else {}),
                **({"snowball": snowball(t)} if e == SNOWBALL else {}),
                "diffraction spikes": spikes(t),
                "hot pixels": hot(t),
            }
            stars = variable_stars(t) if e == VARIABLE else {}
            extra = sum(deposits.values()) + sum(
                (
                    change * near_star(t, place)
                    for name, change in CHANGES.items()
                    for place in stars.get(name, ())
                ),
                np.zeros(t.scene.shape),
            )
            extra[~t.usable] = 0
            photons = (
                np.abs(extra) / to_electrons
            )  # of what a star has less, noise has gone: of the same size, small
            hdus["SCI"].data += (extra + rng.standard_normal(extra.shape) * np.sqrt(photons)).astype(
                np.float32
            )
            hdus["VAR_POISSON"].data += np.maximum(extra, 0).astype(np.float32) / np.float32(to_electrons)
            hdus["ERR"].data = np.sqrt(hdus["ERR"].data ** 2 + np.maximum(extra, 0) / to_electrons).astype(
                np.float32
            )
            hdus.writeto(folder / path.name, checksum=True)
        members.append(folder / path.name)
        added[key] = {"deposits": deposits, "stars": stars, "touched": np.abs(extra) > 0.1 * level(t)}
    association = folder / calm["association"].name
    shutil.copyfile(calm["association"], association)
    return {"association": association, "members": members, "product": calm["product"]}, added


def judged(masks, added, truth) -> dict:
    """{name: (flagged, of so many)}."""
    out: dict[str, list] = {}

    def count(name, some, of):
        before = out.setdefault(name, [0, 0])
        out[name] = [before[0] + int(some), before[1] + int(of)]

    for key, what in added.items():
        t = truth[key]
        mask = masks[key] & t.usable
        for name, deposit in what["deposits"].items():
            with np.errstate(invalid="ignore"):
                above = t.usable & (deposit > scores.SIGMA * t.noise)
            count(name, (mask & above).sum(), above.sum())
        for name, places in what["stars"].items():
            for y, x in places:
                count(name, mask[y - 1 : y + 2, x - 1 : x + 2].any(), 1)
        quiet = t.usable & ~ndimage.binary_dilation(what["touched"], np.ones((3, 3), bool))
        count("flags elsewhere (of all pixels)", (mask & quiet).sum(), quiet.sum())
        varied = {place for places in what["stars"].values() for place in places}
        for y, x in scores.bright_stars(t):
            if (y, x) not in varied and not what["touched"][y - 1 : y + 2, x - 1 : x + 2].any():
                count("constant stars flagged in the core", mask[y - 1 : y + 2, x - 1 : x + 2].any(), 1)
    return {name: tuple(cell) for name, cell in out.items()}


def gaussian(shape, y, x):
    """A point source of peak 1."""
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * WIDTH**2))


def level(t):
    """Noise of blank sky, MJy/sr."""
    return float(np.nanmedian(t.noise))


def places_on_sky(wcs, shape):
    """{name: (RA, Dec) arrays} of the moving objects in the first exposure."""
    ny, nx = shape
    fractions = np.linspace(0.3, 0.7, MOVERS)
    out = {}
    for k, speed in enumerate(SPEEDS):
        x, y = fractions * nx, np.full(MOVERS, (0.35 + 0.15 * k) * ny)
        out[f"moving {speed:g} px/exposure"] = wcs.to_sky(x, y)
    return out


def movers(e, origin, wcs, t):
    """{name: deposit} of the moving objects in exposure `e`; they move along the detector's rows."""
    out = {}
    for speed, (name, place) in zip(SPEEDS, origin.items(), strict=True):
        image = np.zeros(t.scene.shape)
        for x, y in zip(*wcs.to_pixel(*place), strict=True):
            image += gaussian(t.scene.shape, y, x + e * speed)
        out[name] = PEAK * level(t) * image
    return out


def trail(t):
    """A line across the frame, 10 sigma high and 5 px wide."""
    yy, xx = np.mgrid[: t.scene.shape[0], : t.scene.shape[1]]
    angle = np.radians(25.0)
    distance = (yy - 0.4 * t.scene.shape[0]) * np.cos(angle) - (xx - 0.5 * t.scene.shape[1]) * np.sin(angle)
    return 10 * level(t) * np.exp(-((distance / (5 / 2.3548)) ** 2) / 2)


def snowball(t):
    """A disc of 200 sigma and 12 px radius with a halo that fades within some pixels."""
    yy, xx = np.mgrid[: t.scene.shape[0], : t.scene.shape[1]]
    r = np.hypot(yy - 0.62 * t.scene.shape[0], xx - 0.42 * t.scene.shape[1])
    return 200 * level(t) * np.where(r <= 12, 1.0, np.exp(-(r - 12) / 3))


def near_star(t, place):
    """The scene within 6 px of a place, nothing elsewhere."""
    yy, xx = np.mgrid[: t.scene.shape[0], : t.scene.shape[1]]
    return np.where(np.hypot(yy - place[0], xx - place[1]) <= 6, t.scene, 0)


def variable_stars(t):
    """{name of a change: places (y, x)}, in turn from the stars that three exposures see."""
    places = [p for p in sorted(scores.bright_stars(t)) if t.cover[p] >= scores.DEEP]
    # what is within 12 px of another is left alone
    apart = [p for p in places if sum(np.hypot(p[0] - q[0], p[1] - q[1]) < 12 for q in places) == 1]
    return {name: apart[k :: len(CHANGES)] for k, name in enumerate(CHANGES)}


def spikes(t):
    """Four arms of 80 px at the ten brightest stars, along the detector's diagonals."""
    image = np.zeros(t.scene.shape)
    yy, xx = np.mgrid[: t.scene.shape[0], : t.scene.shape[1]]
    for y, x in sorted(scores.bright_stars(t), key=lambda p: -t.scene[p])[:10]:
        u, v = (xx - x + yy - y) / np.sqrt(2), (xx - x - yy + y) / np.sqrt(2)
        for along, across in ((u, v), (v, u)):
            arm = np.exp(-np.abs(along) / 25 - (across / 0.8) ** 2 / 2)
            image += 0.05 * t.scene[y, x] * np.where((np.abs(along) > 4) & (np.abs(along) < 80), arm, 0)
    return image


def hot(t):
    """The same detector pixels in every exposure."""
    image, rng = np.zeros(t.scene.shape), np.random.default_rng(5)
    image[rng.integers(0, image.shape[0], HOT), rng.integers(0, image.shape[1], HOT)] = HOT_SNR * level(t)
    return image
