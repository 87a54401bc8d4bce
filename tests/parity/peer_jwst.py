"""Run the peer's imaging steps on an association: the oracle that drizzleflow is compared with.

Stand-alone: the only script of this repository that the *peer's* interpreter runs (jwst 3.0.0 and stcal
1.20.0, pinned in ``requirements-jwst.txt``); it imports nothing of drizzleflow. SkyMatchStep,
OutlierDetectionStep and ResampleStep are called on one in-memory ModelLibrary in the order, and with the
settings, of ``calwebb_image3`` (whose alignment and source catalogue need services of the network and are
left out). Input files are read, never written.

    python peer_jwst.py ASN.json OUTDIR [--pixmap-stepsize 10 --pixmap-order 3] [--save-intermediate] ...

Written to OUTDIR:

``sky.json``        each member's sky level (null: none found) and noise (robust sigma of SCI), in its unit
``masks.npz``       a bool (ny, nx) image a member: OUTLIER is set in the result and not in the input
``*_crf.fits``      the flagged exposures (not with --no-crf)
``{product}_i2d.fits``  the mosaic, SCI ERR CON WHT VAR_*
``weights.npz``     with --input-weights: each member's own weight on the mosaic's grid, float32
``grid.json``       the output WCS as numbers: shape, crpix (0-based), crval, cdelt, pc, pixel scale
``timings.json``    wall seconds of every step; ``total``: all but imports and weight maps; peak RSS in MiB
``*_outlier_i2d.fits``, ``*_median.fits``, ``*_blot.fits``   with --save-intermediate, as the peer names them

A member's name is its file's stem without ``_cal``.
"""

import argparse
import json
import logging
import os
import resource
import sys
import time
from pathlib import Path

START = time.perf_counter()
# Offline: the steps ask the calibration database for no parameters, and need no reference file of it.
os.environ["STPIPE_DISABLE_CRDS_STEPPARS"] = "true"

SUFFIXES = ("_cal", "_crf", "_tweakreg", "_rate")


def arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("association", type=Path)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--pixmap-stepsize", type=float, default=1.0, help="of both drizzles (peer: 1)")
    parser.add_argument("--pixmap-order", type=int, default=1, choices=(1, 3), help="peer: 1")
    parser.add_argument("--skip-skymatch", action="store_true")
    parser.add_argument("--skymethod", default="match", choices=("local", "global", "match", "global+match"))
    parser.add_argument("--sky-only", action="store_true", help="stop after skymatch")
    parser.add_argument("--no-resample-data", action="store_true", help="median of the inputs themselves")
    parser.add_argument("--save-intermediate", action="store_true", help="single images, median, blots")
    parser.add_argument(
        "--input-weights", action="store_true", help="each member's weight map on the mosaic's grid"
    )
    parser.add_argument("--no-crf", action="store_true", help="masks.npz only")
    parser.add_argument("--no-mosaic", action="store_true", help="stop after outlier detection")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STEP.KEY=VALUE",
        help="any other parameter; STEP: skymatch, outlier_detection or resample; VALUE: JSON or a string",
    )
    return parser.parse_args(argv)


def member_name(path):
    stem = Path(path).stem
    for suffix in SUFFIXES:
        if stem.endswith(suffix):
            return stem[: -len(suffix)]
    return stem


def settings(args):
    """Parameters of the three steps: the peer's defaults and what the command line changes."""
    pixmap = {"pixmap_stepsize": args.pixmap_stepsize, "pixmap_order": args.pixmap_order}
    steps = {
        "skymatch": {"skymethod": args.skymethod},
        "outlier_detection": {
            "resample_data": not args.no_resample_data,
            "save_intermediate_results": args.save_intermediate,
            **pixmap,
        },
        "resample": dict(pixmap),
    }
    for item in args.set:
        name, _, value = item.partition("=")
        step, _, key = name.partition(".")
        try:
            steps[step][key] = json.loads(value)
        except json.JSONDecodeError:
            steps[step][key] = value
    return steps


def write_json(path, content):
    path.write_text(json.dumps(content, indent=1) + "\n")


def sky_table(library):
    """Level and noise (1.4826 median |SCI - median|, DO_NOT_USE left out) of each member."""
    import numpy as np

    levels, noise = {}, {}
    with library:
        for model in library:
            name, level = member_name(model.meta.filename), model.meta.background.level
            levels[name] = None if level is None else float(level)
            values = model.data[np.isfinite(model.data) & ((model.dq & 1) == 0)]
            noise[name] = (
                float(1.4826 * np.median(np.abs(values - np.median(values)))) if values.size else None
            )
            library.shelve(model, modify=False)
    return {"levels": levels, "noise": noise}


def input_weights(library, mosaic, parameters):
    """Each member drizzled alone onto the mosaic's grid: name -> weight, float32 (ny, nx)."""
    from jwst.resample.resample import ResampleImage

    names = []
    with library:
        for model in library:
            names.append(member_name(model.meta.filename))
            library.shelve(model, modify=False)
    weights = {}
    for index, name in enumerate(names):
        alone = ResampleImage(
            library,
            output_wcs={
                "wcs": mosaic.meta.wcs,
                "pixel_scale": mosaic.meta.photometry.pixelarea_arcsecsq**0.5,
            },
            good_bits="~DO_NOT_USE+NON_SCIENCE",
            blendheaders=False,
            enable_ctx=False,
            enable_var=False,
            **parameters,
        )
        weights[name] = alone.resample_group([index]).wht.copy()
    return weights


def grid_numbers(model):
    """The output WCS as numbers, to see at once whether another grid is the same."""
    wcs = model.meta.wcs
    transform = wcs.forward_transform
    return {
        "array_shape": [int(n) for n in model.data.shape],
        "crpix": [float(v) for v in transform.crpix],
        "crval": [float(v) for v in transform.crval],
        "cdelt": [float(v) for v in transform.cdelt],
        "pc": [[float(v) for v in row] for row in transform.pc],
        "bounding_box": [[float(v) for v in axis] for axis in wcs.bounding_box.bounding_box(order="F")],
        "pixel_scale_ratio": model.meta.resample.pixel_scale_ratio,
        "pixelarea_arcsecsq": model.meta.photometry.pixelarea_arcsecsq,
        "s_region": model.meta.wcsinfo.s_region,
    }


def run(args):
    import numpy as np
    from jwst.datamodels import ModelLibrary
    from jwst.outlier_detection import OutlierDetectionStep
    from jwst.resample import ResampleStep
    from jwst.skymatch import SkyMatchStep

    outdir = args.outdir.resolve()
    outdir.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=outdir / "peer.log",
        filemode="w",
        level=logging.INFO,
        format="%(relativeCreated)d %(name)s %(message)s",
        force=True,
    )
    logging.captureWarnings(True)
    times = {"import": time.perf_counter() - START}
    begin = time.perf_counter()

    def done(name):
        nonlocal mark
        now = time.perf_counter()
        times[name], mark = times.get(name, 0.0) + now - mark, now

    def step_of(cls, name, **attributes):
        step = cls()
        for key, value in {**options[name], **attributes}.items():
            if key not in attributes and not hasattr(step, key):
                sys.exit(f"peer_jwst: {name} has no parameter {key!r}")
            setattr(step, key, value)
        step.output_dir = str(outdir)
        return step

    options = settings(args)
    mark = time.perf_counter()
    library = ModelLibrary(str(args.association.resolve()), asn_exptypes=["science"], on_disk=False)
    product = library.asn["products"][0]["name"]
    before, shapes = {}, {}
    with library:
        for model in library:
            name = member_name(model.meta.filename)
            before[name] = np.packbits((model.dq & 16) > 0)  # small: it must not weigh on the peak of memory
            shapes[name] = model.dq.shape
            library.shelve(model, modify=False)
    done("read")

    if not args.skip_skymatch:
        library = step_of(SkyMatchStep, "skymatch").run(library)
        done("skymatch")
    method = None if args.skip_skymatch else args.skymethod
    write_json(outdir / "sky.json", {"method": method, **sky_table(library)})

    masks = {}
    if not args.sky_only:
        mark = time.perf_counter()
        library = step_of(OutlierDetectionStep, "outlier_detection", mode="imaging", suffix="crf").run(
            library
        )
        done("outlier_detection")
        with library:
            for model in library:
                name = member_name(model.meta.filename)
                old = np.unpackbits(before[name], count=model.dq.size).reshape(shapes[name]).astype(bool)
                masks[name] = ((model.dq & 16) > 0) & ~old
                if not args.no_crf:
                    model.save(str(outdir / f"{name}_crf.fits"))
                library.shelve(model, modify=False)
        np.savez_compressed(outdir / "masks.npz", **masks)
        done("write")
        if not args.no_mosaic:
            mosaic = step_of(ResampleStep, "resample", suffix="i2d").run(library)
            done("resample")
            mosaic.save(str(outdir / f"{product}_i2d.fits"))
            write_json(outdir / "grid.json", grid_numbers(mosaic))
            done("write")
            if args.input_weights:
                drizzle = {
                    k: v
                    for k, v in options["resample"].items()
                    if k in ("pixfrac", "kernel", "weight_type") or "pixmap" in k
                }
                np.savez_compressed(outdir / "weights.npz", **input_weights(library, mosaic, drizzle))
                done("input_weights")

    now = time.perf_counter()
    extra = times.get("input_weights", 0.0)
    times["total"] = now - begin - extra
    times["total_with_import"] = now - START - extra
    times["max_rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write_json(outdir / "timings.json", {key: round(value, 3) for key, value in times.items()})
    flagged = {name: int(mask.sum()) for name, mask in masks.items()}
    print(
        json.dumps(
            {"product": product, "flagged": flagged, "timings": {k: round(v, 2) for k, v in times.items()}}
        )
    )


if __name__ == "__main__":
    run(arguments())
