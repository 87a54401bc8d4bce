"""Of `benchmarks/outliers.py`: what flagging does to the brightness of stars in the mosaic.

The exposures are copied, with their masks in DQ, and drizzled by our workflow with its defaults and the true
sky levels; once with the masks of the truth (every pixel that holds a ray's deposit), once for each method
with its own masks added to those. The two mosaics differ by the method's false flags alone: missed rays are
another question. Where a star's own pixels are flagged, its flux comes from the other exposures, and it is
too low where the flagged ones were high.

Printed: by brightness (peak S/N of a pixel in one exposure) the number of isolated stars that three exposures
cover, and the change of their flux in an aperture of 3 pixels' radius, %: median, mean, the most negative and
the most positive star.
"""

import json
import shutil
import sys

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from outlier_sets import SCALES, read_masks, run, simulate, workflow

from drizzleflow.simulate import outlier_scores as scores

RADIUS = 3.0  #: pixels of the mosaic
BINS = ((10, 30), (30, 100), (100, 300), (300, 1e9))  #: peak S/N
APART, RIVAL = 12.0, 0.02  #: pixels; no source of more than this part of a star's flux is so near
#: flavour -> bit of DQ that keeps a pixel out of the mosaic
BIT = {"jwst": 1, "hst": 4096, "simple": 1}


def table(options, chosen):
    """Print the table of the options' kinds, exposures and methods, and write it where `output` says."""
    print("| kind | N | method | peak S/N | stars | median % | mean % | least % | most % |")
    print("| " + " | ".join(["---"] * 9) + " |")
    rows = []
    for kind in options.kinds:
        for exposures in options.exposures:
            found = {method: [] for method in options.methods}
            for one in chosen(options, kind, exposures):
                for method, changes in changes_of(options, one).items():
                    found[method].append(changes)
            for method, changes in found.items():
                if changes:
                    rows += [
                        {"kind": kind, "exposures": exposures, "method": method} | bin
                        for bin in binned(changes)
                    ]
                    show(rows[-len(BINS) :])
    if options.output:
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


def show(rows):
    for row in rows:
        words = [row["kind"], row["exposures"], row["method"], row["snr"], row["stars"]]
        words += ["-" if row[k] is None else f"{row[k]:.3f}" for k in ("median", "mean", "least", "most")]
        print("| " + " | ".join(map(str, words)) + " |", flush=True)


def binned(several):
    """Rows of `BINS` from arrays (stars, 2) of peak S/N and change of flux, %."""
    values, rows = np.concatenate(several), []
    for low, high in BINS:
        change = values[(values[:, 0] >= low) & (values[:, 0] < high), 1]
        figures = [f(change) if change.size else None for f in (np.median, np.mean, np.min, np.max)]
        figures = [None if f is None else float(f) for f in figures]
        name = f"{low}-{high}" if high < 1e9 else f">{low}"
        rows.append({"snr": name, "stars": int(change.size)})
        rows[-1] |= dict(zip(("median", "mean", "least", "most"), figures, strict=True))
    return rows


def changes_of(options, one) -> dict:
    """{method: (stars, 2) of peak S/N and change of flux, %} of one set."""
    if one.flavour not in BIT:
        print(f"{one.name}: no photometry of the {one.flavour} flavour", file=sys.stderr)
        return {}
    made = simulate(options.work, one)
    truth = scores.read_truth(one.truth(options.work))
    with open(one.truth(options.work) / "truth.json") as text:
        about = json.load(text)
    stars = isolated(about, truth, SCALES[one.flavour])
    perfect = {key: t.flux > 0 for key, t in truth.items()}
    before = fluxes(options, one, made, about, perfect, stars)
    out = {}
    for method in options.methods:
        folder = run(options.work, one, method, options)
        if folder:
            masks = read_masks(folder)
            after = fluxes(options, one, made, about, {k: masks[k] | perfect[k] for k in perfect}, stars)
            good = np.isfinite(before) & np.isfinite(after) & (before > 0)
            out[method] = np.stack([stars[:, 2], 100 * (after / before - 1)], axis=1)[good]
    return out


def isolated(about, truth, scale):
    """(stars, 3): RA, Dec, peak S/N of the stars without rivals in three exposures or more, never saturated."""
    rows = np.array(about["sources"]["rows"])
    seen: dict[int, list] = {}
    for member, entry in about["members"].items():
        for extver, places in entry["stars"].items():
            t = truth[member, int(extver)]
            ny, nx = t.scene.shape
            for row, x, y in places:
                x, y = round(x), round(y)
                inside = 6 <= x < nx - 6 and 6 <= y < ny - 6
                value = t.scene[y, x] / t.noise[y, x] if inside else np.nan
                seen.setdefault(row, []).append(value)
    out = []
    cosine = np.cos(np.radians(rows[:, 1].mean()))
    for row, values in sorted(seen.items()):
        values = np.array(values)
        if len(values) < scores.DEEP or not np.isfinite(values).all():
            continue
        offset = np.hypot((rows[:, 0] - rows[row, 0]) * cosine, rows[:, 1] - rows[row, 1]) * 3600 / scale
        # of a galaxy as well, its half-light radius nearer
        near = offset - rows[:, 3] / scale < APART
        near[row] = False
        if not (near & (rows[:, 2] > RIVAL * rows[row, 2])).any():
            out.append((rows[row, 0], rows[row, 1], np.median(values)))
    return np.array(out).reshape(-1, 3)


def fluxes(options, one, made, about, masks, stars):
    """Aperture sums of the stars in the mosaic of the exposures with these masks."""
    place = one.folder(options.work) / "mosaic"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    shutil.copyfile(made["association"], place / made["association"].name)
    lines = []
    for member, entry in about["members"].items():
        with fits.open(made["association"].parent / entry["file"]) as hdus:
            for (name, extver), mask in masks.items():
                if name == member:
                    dq = hdus["DQ", extver].data
                    dq[mask] |= dq.dtype.type(BIT[one.flavour])
            hdus.writeto(place / entry["file"], checksum=True)
        lines.append(f"{member} {entry['sky_in_file_unit']!r}\n")
    (place / "sky.txt").write_text("".join(lines))
    config = {"outlier_method": "none", "skymatch": {"skymethod": "user", "skylist": "sky.txt"}}
    product = workflow(place, place / made["association"].name, config, "mosaic", options.cores)
    with fits.open(product / f"{product.name}_i2d.fits") as hdus:
        image, wcs = hdus["SCI"].data.astype(float), WCS(hdus["SCI"].header)
    x, y = wcs.all_world2pix(stars[:, 0], stars[:, 1], 0)
    shutil.rmtree(place)
    return np.array([aperture(image, *place) for place in zip(x, y, strict=True)])


def aperture(image, x, y, parts=7):
    """Sum within `RADIUS` of (x, y), its rim in `parts` x `parts` pieces; NaN with a NaN or at the edge."""
    reach = int(RADIUS) + 2
    ny, nx = image.shape
    left, low = round(x) - reach, round(y) - reach
    if not (left >= 0 and low >= 0 and left + 2 * reach < nx and low + 2 * reach < ny):
        return np.nan
    n = 2 * reach + 1
    fine = (np.arange(n * parts) + 0.5) / parts - 0.5
    inside = np.hypot(fine[:, None] + low - y, fine + left - x) <= RADIUS
    share = inside.reshape(n, parts, n, parts).mean(axis=(1, 3))
    cut = image[low : low + n, left : left + n]
    return float((cut[share > 0] * share[share > 0]).sum())
