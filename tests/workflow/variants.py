"""The run that many tests look at: every switch of the imaging road, in one run of many products.

Copies of the same exposures differ in FILTER, by which `overrides` gives each its settings.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from astropy.io import fits
from astropy.wcs import WCS
from running import digests, run, write_table

from drizzleflow.simulate import simulate

#: product -> the sections in which it differs from the defaults; products of three exposures, to the end
FULL = {
    "base": {},
    "strict": {
        "single_drizzle": {"weight_type": "exptime"},
        "skymatch": {"skip": True},
        "mosaic": {
            "weight_type": "exptime",
            "good_bits": 0,
            "propagate_dq": True,
            "context": "none",
            "report_var": False,
        },
    },
    "kernel": {
        "single_drizzle": {"kernel": "turbo", "pixfrac": 0.9},
        "mosaic": {"kernel": "gaussian", "fillval": "-7"},
    },
}
#: of three exposures, of which nothing is flagged
DROPS = {"shrunk": {"median": {"median": False}, "mosaic": {"pixfrac": 0.8, "weight_type": "ivm-sky"}}}
#: of three exposures, only their sky levels
SKY = {
    "local": {"skymatch": {"skymethod": "local"}},
    "global": {"skymatch": {"skymethod": "GLOBAL"}},
    "matchup": {"skymatch": {"skymethod": "match", "match_down": False}},
    "globalmatch": {"skymatch": {"skymethod": "global+match"}},
}
#: of one exposure, with which nothing can be compared; the mosaic is that exposure, resampled
ONE = {
    "square": {},
    "scale": {"grid": {"pixel_scale": 0.05}, "mosaic": {"kernel": "turbo", "pixfrac": 0.6}},
    "ratio": {"grid": {"pixel_scale_ratio": 2.0}},
    "rotated": {"grid": {"rotation": 0.0}, "mosaic": {"kernel": "lanczos3"}},
    "placed": {
        "grid": {"crpix": [60.0, 70.5], "crval": None, "output_shape": [120, 130]},
        "mosaic": {"kernel": "point"},
    },
    "header": {"grid": {"output_wcs": "wanted.hdr"}},
}


def copies(files, folder: Path, keyword: str, name: str) -> list[Path]:
    """Copies of exposures whose filter is `name`."""
    folder.mkdir(parents=True)
    made = []
    for file in files:
        made.append(Path(shutil.copy(file, folder)))
        with fits.open(made[-1], mode="update") as hdus:
            hdus[0].header[keyword] = name
    return made


def centre(field) -> list[float]:
    header = fits.getheader(field["members"][0], "SCI")
    return [header["CRVAL1"], header["CRVAL2"]]


def wanted_header(field) -> fits.Header:
    """A grid of one's own in another projection, as the text file that the user gives."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = centre(field), [75.0, 80.0], [-1e-5, 1e-5]
    header = wcs.to_header()
    header["NAXIS"], header["NAXIS1"], header["NAXIS2"] = 2, 150, 160
    return header


def make(field, folder: Path):
    """The run: FULL, DROPS, SKY and ONE, 'aligned' (not resampled), HST ('jsim01010', 'hst2') and plain files
    ('plain').
    """
    overrides, lines, targets = [], [], []

    def add(name, files, sections, keyword="FILTER"):
        lines.extend(f"{file},{name}" for file in copies(files, folder / "in" / name, keyword, name.upper()))
        overrides.append({"filter": name.upper(), "set": sections})
        targets.append(f"results/{name}/sky.csv" if name in SKY else f"results/{name}/{name}_i2d.fits")

    ONE["placed"]["grid"]["crval"] = centre(field)
    for name, sections in (FULL | DROPS | SKY).items():
        add(name, field["members"], sections)
    for name, sections in ONE.items():
        add(name, field["members"][:1], sections)
    aligned = simulate(
        folder / "aligned",
        exposures=4,
        detectors=1,
        dither=0,
        roll=0,
        shape=(96, 96),
        seed=6,
        product="aligned",
        cosmic_rays=0.006,
        sky_spread=0.0,
        stars=2000.0,
    )
    add(
        "aligned", aligned["members"], {"single_drizzle": {"resample_data": False}, "median": {"maskpt": 0.5}}
    )
    hst = simulate(folder / "hst", flavour="hst", exposures=3, shape=(96, 128), seed=3, stars=700.0)
    add("hst2", hst["members"][:1], {"grid": {"pixel_scale_ratio": 2.0}}, "FILTER2")
    plain = simulate(
        folder / "plain",
        flavour="simple",
        exposures=3,
        detectors=1,
        shape=(128, 128),
        seed=4,
        cosmic_rays=0.004,
        product="plain",
    )
    with fits.open(plain["members"][1]) as hdus:  # one file without data quality
        fits.HDUList([hdu for hdu in hdus if hdu.name != "DQ"]).writeto(plain["members"][1], overwrite=True)

    wanted_header(field).totextfile(folder / "wanted.hdr")
    table = write_table(folder / "variants.csv", "path,product", lines)
    before = digests([*folder.glob("in/*/*.fits"), *hst["members"], *plain["members"]])
    targets += ["results/jsim01010/jsim01010_i2d.fits", "results/plain/plain_i2d.fits"]
    targets += [f"results/base/{file}" for file in ("grid.asdf", "report.html", "provenance.json")]
    config = {
        "associations": [str(table), *hst["associations"], *plain["associations"]],
        "overrides": overrides,
    }
    made = run(folder, config, *targets, "--keep-going", check=False, measured=True)
    made.truth = {"aligned": aligned, "jsim01010": hst, "plain": plain} | dict.fromkeys(FULL, field)
    made.field, made.before = field, before
    return made
