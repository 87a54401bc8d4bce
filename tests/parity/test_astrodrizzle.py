"""The preset hst from end to end beside AstroDrizzle of drizzlepac 3.11.0: the whole DAG on the same files,
variant by variant.

`test_astrodrizzle_steps` judges each step alone; here nothing is taken from the peer, neither its grid nor
its sky. Every test prints its figures.
"""

import numpy as np
import pytest
import yaml
from astropy.io import fits
from peer_drizzlepac import PRODUCT
from peers import workflow

#: variants of `peer_drizzlepac.VARIANTS`, by our names
VARIANTS = {
    "defaults": {},
    "median": {"median": {"combine_type": "median"}},
    "median-nhigh": {"median": {"combine_type": "median", "combine_nhigh": 1}},
    "median-nlow": {"median": {"combine_type": "median", "combine_nlow": 1}},
    "mean": {"median": {"combine_type": "mean"}},
    "minmed-nsigma": {"median": {"combine_nsigma": "3 2"}},
    "minmed-grow": {"median": {"combine_grow": 2}},
    "maskpt": {"median": {"combine_maskpt": 0.7}},
    "square": {"single_drizzle": {"driz_sep_kernel": "square"}},
    "point": {"single_drizzle": {"driz_sep_kernel": "point"}, "mosaic": {"final_kernel": "point"}},
    "final-turbo": {"mosaic": {"final_kernel": "turbo"}},
    "pixfrac": {"single_drizzle": {"driz_sep_pixfrac": 0.8}, "mosaic": {"final_pixfrac": 0.7}},
    "nearest": {"crmask": {"blot_interp": "nearest"}},
    "linear": {"crmask": {"blot_interp": "linear"}},
    "poly3": {"crmask": {"blot_interp": "poly3"}},
    "thresholds": {"crmask": {"driz_cr_snr": "5.0 4.0", "driz_cr_scale": "3.0 2.4"}},
    "growth": {"crmask": {"driz_cr_grow": 3, "driz_cr_ctegrow": 5}},
    "crclean": {"crmask": {"driz_cr_corr": True}},
    "globalmin": {"skymatch": {"skymethod": "globalmin"}},
    "match": {"skymatch": {"skymethod": "match"}},
    "globalmin+match": {"skymatch": {"skymethod": "globalmin+match"}},
    "sky-mode": {"skymatch": {"skystat": "mode"}},
    "sky-mean": {"skymatch": {"skystat": "mean", "skyclip": 3, "skylsigma": 3.0}},
    "sky-off": {"skymatch": {"skip": True}},
    "bits": {
        "skymatch": {"sky_bits": 16},
        "single_drizzle": {"driz_sep_bits": 16},
        "mosaic": {"final_bits": "16,256"},
    },
    "static-off": {"static_mask": {"static": False}},
    "counts": {"mosaic": {"final_units": "counts"}},
    "weight-err": {"mosaic": {"final_wht_type": "ERR"}},
}
#: mask pixels that may differ: with these interpolations the peer reads memory beyond its median at two edges
#: of it; a match measures the sky in the overlap with each chip apart, ours with all of an exposure: levels
#: that differ by less than their error
MAY_DIFFER = {"nearest": 20, "poly3": 20, "match": 10, "globalmin+match": 10}


@pytest.fixture(scope="module")
def ours(simulated, tmp_path_factory):
    """A function that runs our DAG with the settings of a variant; the product's folder."""
    folder, made = tmp_path_factory.mktemp("ours"), {}
    (association,) = simulated.glob("*_asn.fits")

    def run(name):
        if name not in made:
            settings = {
                "associations": str(association),
                "outdir": f"r/{name}",
                "preset": "hst",
                **VARIANTS[name],
            }
            (folder / "my.yaml").write_text(yaml.safe_dump(settings))
            workflow(["--configfile", "my.yaml", "--quiet", "all"], folder)
            (made[name],) = [p for p in (folder / "r" / name).iterdir() if p.is_dir()]
        return made[name]

    return run


def whole(path, name, shape):
    """A windowed image in the full grid, 0 where it has nothing."""
    with fits.open(path) as hdus:
        image, x0, y0 = hdus[name].data, hdus[name].header["WINX0"], hdus[name].header["WINY0"]
    out = np.zeros(shape, np.float32)
    out[y0 : y0 + image.shape[0], x0 : x0 + image.shape[1]] = np.nan_to_num(image)
    return out


def relative(ours, peer, unit=1.0):
    """Difference in units of the value, or of 0.1 electrons/s (`unit`): a few times the noise."""
    return np.abs(ours - peer) / np.maximum(np.abs(peer), 0.1 * unit)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_whole_road(oracle, ours, name):
    peer, product = oracle[1] / name, ours(name)
    peer_median = fits.getdata(peer / f"{PRODUCT}_med.fits")
    median = whole(next(product.glob("*_median.fits")), "SCI", peer_median.shape)
    differ = rays = 0
    for path in sorted((product / "crmask").glob("*_crmask.fits")):
        root = path.name.removesuffix("_crmask.fits")
        for extver in (1, 2):
            mask = fits.getdata(peer / f"{root}_sci{extver}_crmask.fits") == 0
            differ += np.count_nonzero((fits.getdata(path, ("CRMASK", extver)) == 1) != mask)
            rays += np.count_nonzero(mask)
    with fits.open(next(product.glob("*_i2d.fits"))) as hdus:
        sci, wht, con = (hdus[key].data for key in ("SCI", "WHT", "CON"))
        seconds, unit = hdus[0].header["EXPTIME"], hdus["SCI"].header["BUNIT"]
    peer_sci, peer_wht, peer_con = (
        fits.getdata(peer / f"{PRODUCT}_drz_{kind}.fits") for kind in ("sci", "wht", "ctx")
    )
    both = (wht > 0) & (
        peer_wht > 0
    )  # the peer has values, of no weight, in a few pixels that nothing covers
    off = relative(sci[both], peer_sci[both], seconds if name == "counts" else 1.0)
    assert unit == ("ELECTRONS" if name == "counts" else "ELECTRONS/S")
    # (AstroDrizzle leaves the unit out of a mosaic in counts)
    assert unit == fits.getheader(peer / f"{PRODUCT}_drz_sci.fits").get("BUNIT", unit)
    figures = {
        "cosmic-ray pixels": rays,
        "differ": differ,
        "median": float(relative(median, peer_median).max()),
        "sci, largest": float(off.max()),
        "sci, 99.9 %": float(np.quantile(off, 0.999)),
        "sci above 1e-6": float((off > 1e-6).mean()),
        "covered differ": int(((wht > 0) != (peer_wht > 0)).sum()),
        "wht": float(np.abs(wht - peer_wht).max() / peer_wht.max()),
        "context differ": int((con.reshape(peer_con.shape) != peer_con).sum()),
    }
    print(name, figures)
    assert rays > 1000
    assert differ <= MAY_DIFFER.get(name, 0) and figures["covered differ"] == 0
    if name in MAY_DIFFER:
        return
    assert figures["context differ"] == 0
    assert figures["sci, largest"] < 5e-6 and figures["sci above 1e-6"] <= 1e-5
    assert figures["median"] < 2e-6
