"""Resampling one exposure, beside stcal in the same process.

    PYTHONPATH=scripts .venv-jwst/bin/python benchmarks/resample.py [--size 2048] [--repeat 3]

Run by the peer's interpreter (make parity makes it), which also imports our library. One NIRCam-like exposure
with a GWCS is drizzled (square kernel) onto a grid turned by 20 degrees: SCI alone, and SCI with three
variances, error and context. The pixel map is timed apart, and given to our class; the peer computes its own
(pixmap_stepsize=10, pixmap_order=3), whose time is taken off. Runs alternate; the smallest time of each
counts. Freed memory is kept for the next arrays, as in a job (both sides gain).
"""

import argparse
import os
import time
import warnings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from stcal.resample import Resample as Peer
from stcal.resample.utils import calc_pixmap as peer_pixmap

from drizzleflow.frames.frame import SkyWCS
from drizzleflow.geometry.build_grid import build
from drizzleflow.geometry.footprint import describe
from drizzleflow.geometry.gwcs_wcs import from_gwcs
from drizzleflow.geometry.lattice import Lattice
from drizzleflow.geometry.output_wcs import to_gwcs
from drizzleflow.geometry.pixmap import exact, from_lattice
from drizzleflow.jobs.malloc import keep_freed
from drizzleflow.resample import Resample
from drizzleflow.simulate.jwst import nircam_like

GRID = {
    "pixel_scale": None,
    "pixel_scale_ratio": 1.0,
    "rotation": 20.0,
    "crpix": None,
    "crval": None,
    "output_shape": None,
    "output_wcs": None,
    "method": "tangent_plane",
    "footprints": "wcs",
}


PEER_MAP = "peer's map (step 10, order 3)"


def seconds(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    keep_freed()
    shape, rng = (options.size, options.size), np.random.default_rng(1)
    wcs, info = nircam_like(0, shape, 150.1, 2.2, 40.0)
    sky: SkyWCS = from_gwcs(wcs, shape, info)
    grid = build([describe(sky)], GRID)
    target = to_gwcs(grid)
    target.bounding_box = ((-0.5, grid.shape[1] - 0.5), (-0.5, grid.shape[0] - 0.5))
    model = {
        "data": rng.normal(5, 1, shape).astype(np.float32),
        "dq": np.zeros(shape, np.uint32),
        "filename": "one",
        "group_id": "a",
        "wcs": wcs,
        "exposure_time": 100.0,
        "measurement_time": 100.0,
        "duration": 100.0,
        "start_time": 0.0,
        "end_time": 1.0,
        "pixelarea_steradians": grid.pixel_area,
        "level": None,
        "subtracted": False,
        "err": np.ones(shape, np.float32),
        **{f"var_{n}": rng.uniform(0.5, 2, shape).astype(np.float32) for n in ("rnoise", "poisson", "flat")},
    }
    lattice_time, lattice = min(
        (seconds(lambda: Lattice.sample(sky)) for _ in range(options.repeat)), key=lambda r: r[0]
    )
    times = {}

    def note(name, call):
        taken, result = seconds(call)
        times[name] = min(taken, times.get(name, np.inf))
        return result

    def one(cls, full, first, err="from_var"):
        made = cls(
            {
                "wcs": grid if cls is Resample else target,
                "pixel_scale_ratio": 1.0,
                "pixel_scale": grid.pixel_scale,
            },
            n_input_models=1,
            enable_ctx=full,
            enable_var=full,
            compute_err=err if full else None,
            fillval="NAN",
            **({} if cls is Resample else {"pixmap_stepsize": 10, "pixmap_order": 3}),
        )
        made.add_model(first)
        made.finalize()
        return made.output_model

    for _ in range(options.repeat):
        pixmap = note("our map", lambda: from_lattice(lattice, grid))
        note(PEER_MAP, lambda: peer_pixmap(wcs, target, shape, stepsize=10, order=3))
        note(
            "ours, SCI, 3 variances, CON",
            lambda pixmap=pixmap: one(Resample, True, model | {"pixmap": pixmap}, None),
        )
        for full in (False, True):
            name = "SCI, 3 variances, ERR, CON" if full else "SCI"
            ours = note(
                f"ours, {name}",
                lambda full=full, pixmap=pixmap: one(Resample, full, model | {"pixmap": pixmap}),
            )
            peer = note(f"peer, {name}", lambda full=full: one(Peer, full, model))
            both = np.isfinite(ours["data"]) & np.isfinite(peer["data"]) & (peer["wht"] > 1e-3)
            difference = np.abs(ours["data"] - peer["data"])[both].max()
    off = np.nanmax(np.abs(from_lattice(lattice, grid) - exact(sky, grid)))
    for name in times:
        if name.startswith("peer,"):
            times[name] -= times[PEER_MAP]
    print(
        f"{shape[0]} x {shape[1]} pixels, best of {options.repeat}; largest difference of SCI {difference:.2g}"
    )
    for name, taken in times.items():
        print(f"{taken:7.3f} s  {name}")
    print(f"{lattice_time:7.3f} s  our lattice of {lattice.lon.shape} nodes, once an exposure")
    print(f"largest error of our map: {off:.2g} px")
    full, alone = "SCI, 3 variances, ERR, CON", "SCI"
    ours = {
        name: times[f"ours, {name}"] / times[f"ours, {alone}"] for name in ("SCI, 3 variances, CON", full)
    }
    print(
        f"over SCI alone: {', '.join(f'ours, {name} {ratio:.2f}' for name, ratio in ours.items())}; "
        f"peer, {full} {times[f'peer, {full}'] / times[f'peer, {alone}']:.2f}"
    )
    print(
        f"ours over peer: map {times['our map'] / times[PEER_MAP]:.2f}, SCI {times[f'ours, {alone}'] / times[f'peer, {alone}']:.2f}, all planes {times[f'ours, {full}'] / times[f'peer, {full}']:.2f}"
    )


if __name__ == "__main__":
    main()
