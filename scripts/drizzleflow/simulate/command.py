"""The command line of the simulator: ``python -m drizzleflow.simulate``."""

from __future__ import annotations

import argparse
import sys

from drizzleflow.errors import InputError
from drizzleflow.simulate import exposures
from drizzleflow.simulate.specs import CAMERAS


def main(argv=None) -> int:
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
    p = argparse.ArgumentParser(
        prog="python -m drizzleflow.simulate", description=exposures.__doc__.split("\n")[0]
    )
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
    p.add_argument("--fwhm", type=float, help="pixels, of the point-spread function's core")
    p.add_argument(
        "--bright-galaxies", type=float, default=0.0, metavar="MAG", help="so much brighter, and larger"
    )
    p.add_argument(
        "--wcs-error", type=float, default=0.0, metavar="PX", help="rms pointing error on either axis"
    )
    p.add_argument(
        "--depths",
        type=float,
        nargs="+",
        default=(1.0,),
        metavar="F",
        help="factors of the noise by exposure, in turn",
    )
    p.add_argument(
        "--low-pixels", type=float, default=0.0, metavar="FRACTION", help="of pixels that are far too low"
    )
    p.add_argument("--low-exposures", type=int, metavar="N", help="only the first N exposures have them")
    p.add_argument(
        "--low-clusters", type=float, default=0.0, metavar="FRACTION", help="of them, clusters of 2 to 4"
    )
    p.add_argument(
        "--cte", type=float, default=0.0, metavar="FRACTION", help="of a ray's charge in its trail (hst)"
    )
    p.add_argument(
        "--no-photons-in-err",
        dest="photons_in_err",
        action="store_false",
        help="ERR is without the cosmic rays' own photons",
    )
    p.add_argument(
        "--scene-truth", action="store_true", help="keep the noiseless scene, the noise and the coverage"
    )
    options = vars(p.parse_args(argv))
    if options["detectors"].isdigit():
        options["detectors"] = int(options["detectors"])
    made = exposures.simulate(options.pop("outdir"), **options)
    for path in made["associations"]:
        print(f"association: {path}")
    print(f"members:     {len(made['members'])}")
    print(f"truth:       {made['truth']}")
    return 0
