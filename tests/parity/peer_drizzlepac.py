"""AstroDrizzle for real: run by the peer's Python on HST files, once for each set of keywords. No network, no
reference files.

    python peer_drizzlepac.py INPUTS OUTDIR [--variants FILE.json] [--only NAME ...]

INPUTS is a folder with ``*_flt.fits`` or ``*_flc.fits``: they are copied (AstroDrizzle writes into its
inputs) to a folder ``OUTDIR/{variant}`` of each variant, which is AstroDrizzle's working folder. FILE.json is
``{variant: {keyword: value}}``; by default `VARIANTS`. Everything that AstroDrizzle makes stays there under
its own names:

``{root}_single_sci.fits _single_wht.fits``   electrons/s; weight times seconds
``{product}_med.fits``                        the median
``{root}_sci{n}_blt.fits``                    the blot of chip n, its unit, with sky
``{root}_sci{n}_crmask.fits``                 1 = good
``*_staticMask.fits``                         1 = good
``{product}_drz_sci.fits _wht.fits _ctx.fits``  (``_drc`` of ``_flc`` inputs)
``summary.json``   what ran: ``keywords``, ``seconds``, ``error`` (null, or what went wrong), ``sky``
(MDRIZSKY of each chip; null where
                   AstroDrizzle wrote none), ``files``
"""

import argparse
import glob
import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path

PRODUCT = "oracle"
#: so that intermediates stay, and one process works
FIXED = {
    "clean": False,
    "build": False,
    "preserve": False,
    "in_memory": False,
    "num_cores": 1,
    "context": True,
}
VARIANTS = {
    "defaults": {},
    "median": {"combine_type": "median"},
    "median-nhigh": {"combine_type": "median", "combine_nhigh": 1},
    "median-nlow": {"combine_type": "median", "combine_nlow": 1},
    "mean": {"combine_type": "mean"},
    "sum": {"combine_type": "sum"},
    "imedian": {"combine_type": "imedian"},
    "imean": {"combine_type": "imean"},
    "iminmed": {"combine_type": "iminmed"},
    "minmed-nsigma": {"combine_nsigma": "3 2"},
    "minmed-grow": {"combine_grow": 2},
    "maskpt": {"combine_maskpt": 0.7},
    "newmasks-off": {"median_newmasks": False, "combine_type": "median"},
    "square": {"driz_sep_kernel": "square"},
    "point": {"driz_sep_kernel": "point", "final_kernel": "point"},
    "gaussian": {"driz_sep_kernel": "gaussian", "final_kernel": "gaussian"},
    "final-turbo": {"final_kernel": "turbo"},
    "pixfrac": {"driz_sep_pixfrac": 0.8, "final_pixfrac": 0.7},
    "nearest": {"blot_interp": "nearest"},
    "linear": {"blot_interp": "linear"},
    "poly3": {"blot_interp": "poly3"},
    "thresholds": {"driz_cr_snr": "5.0 4.0", "driz_cr_scale": "3.0 2.4"},
    "growth": {"driz_cr_grow": 3, "driz_cr_ctegrow": 5},
    "crclean": {"driz_cr_corr": True},
    "globalmin": {"skymethod": "globalmin"},
    "match": {"skymethod": "match"},
    "globalmin+match": {"skymethod": "globalmin+match"},
    "sky-mode": {"skystat": "mode"},
    "sky-mean": {"skystat": "mean", "skyclip": 3, "skylsigma": 3.0},
    "sky-off": {"skysub": False},
    "bits": {"sky_bits": 16, "driz_sep_bits": 16, "final_bits": "16,256"},
    "static-off": {"static": False, "use_static": False},
    "counts": {"final_units": "counts"},
    "weight-err": {"final_wht_type": "ERR"},
    "weight-ivm": {"final_wht_type": "IVM"},  # needs a file in PFLTFILE
    "weight-err-scale": {
        "final_wht_type": "ERR",
        "final_kernel": "turbo",
        "final_wcs": True,
        "final_scale": 0.04,
    },
    "weight-ivm-scale": {
        "final_wht_type": "IVM",
        "final_kernel": "turbo",
        "final_wcs": True,
        "final_scale": 0.04,
    },
    "north-up": {"final_wcs": True, "final_rot": 0.0, "final_scale": 0.04, "final_pixfrac": 0.8},
    "sep-scale": {"driz_sep_wcs": True, "driz_sep_scale": 0.08},
    "sep-frame": {"driz_sep_wcs": True, "driz_sep_rot": 10.0, "driz_sep_outnx": 400, "driz_sep_outny": 500},
    "stepsize": {"stepsize": 1, "final_kernel": "turbo"},
}


def arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", type=Path)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--variants", type=Path, help="JSON: {variant: {AstroDrizzle keyword: value}}")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the variants, these")
    return parser.parse_args(argv)


def run(inputs: Path, folder: Path, keywords: dict) -> dict:
    """One run of AstroDrizzle in `folder`; the summary."""
    from astropy.io import fits
    from drizzlepac.astrodrizzle import AstroDrizzle

    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for path in sorted(inputs.iterdir()):
        if path.is_file() and path.suffix == ".fits":
            shutil.copyfile(path, folder / path.name)
    os.chdir(folder)
    members = sorted(name for kind in ("flt", "flc", "c0m") for name in glob.glob(f"*_{kind}.fits"))
    before, error = time.perf_counter(), None
    try:
        AstroDrizzle(members, output=PRODUCT, runfile="astrodrizzle.log", **{**FIXED, **keywords})
    except (Exception, SystemExit) as raised:
        traceback.print_exc()
        error = f"{type(raised).__name__}: {raised}"
    log = Path("astrodrizzle.log")
    if not error and log.exists() and "Reverting sky computation" in log.read_text(errors="replace"):
        error = f"skymethod {keywords.get('skymethod')} failed inside AstroDrizzle, which took another and told its log alone"
    summary = {
        "keywords": keywords,
        "seconds": round(time.perf_counter() - before, 3),
        "error": error,
        "sky": {},
    }
    for name in members:
        with fits.open(name) as hdus:
            summary["sky"][name] = [hdu.header.get("MDRIZSKY") for hdu in hdus if hdu.name == "SCI"]
    summary["files"] = sorted(os.listdir("."))
    Path("summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def main(argv=None):
    args = arguments(argv)
    inputs, outdir = args.inputs.resolve(), args.outdir.resolve()
    variants = json.loads(args.variants.read_text()) if args.variants else VARIANTS
    missing = set(args.only or ()) - set(variants)
    if missing:
        sys.exit(f"peer_drizzlepac: no variant {', '.join(sorted(missing))}")
    failed = {}
    for name in args.only or variants:
        summary = run(inputs, outdir / name, variants[name])
        if summary["error"]:
            failed[name] = summary["error"]
    print(json.dumps({"failed": failed}))


if __name__ == "__main__":
    main()
