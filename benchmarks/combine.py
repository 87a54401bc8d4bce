"""combine_type auto, minmed and median: bias, cosmic rays and stars on simulated stacks; speed; memory.

    .venv/bin/python benchmarks/combine.py accuracy [--size 400] [--depths 2 3 4 6 8 12 20]
    .venv/bin/python benchmarks/combine.py speed [--size 2048]
    .venv/bin/python benchmarks/combine.py memory [--images 8 100 700]

accuracy: aligned images of blank sky with stars, sky 200 e-, read noise 5 e-, 100 s, rays of 30 to 10,000 e-
on 0.5 % and 5 % of the pixels. ``bias`` and ``scatter`` of blank sky without rays, in standard deviations of
the mean; ``removed``: of the pixels that a ray of more than 10 sigma hit, those whose result lies within 4
sigma of one image of the truth; ``stars``: change of the flux of undersampled stars (sum of 3 x 3 pixels)
whose pixels differ between images (in pixel phase by 0.15 px and focus), no rays.

speed: seconds of one core for stacks of size x size (``--size``). memory: the peak of a Linux process that
combines files of 256 x 2048; ``rest`` is what it takes beyond its start, its output and combine_bufsize for
the most images at one pixel.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from drizzleflow.arrays.ranks import nanmedian
from drizzleflow.combine import combine_stack
from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import median_image

SKY, READNOISE, TIME = 200.0, 5.0, 100.0  #: e-, e-, s
SIGMA = np.sqrt(SKY + READNOISE**2) / TIME  #: of blank sky in one image, e-/s
TYPES = ("auto", "median", "minmed")


def exposures(rng, truth, n):
    """n images of a scene in e-/s, of which the sky is subtracted."""
    electrons = rng.poisson(np.maximum(truth, 0) * TIME + SKY, (n, *truth.shape[-2:])) + rng.normal(
        0, READNOISE, (n, *truth.shape[-2:])
    )
    return ((electrons - SKY) / TIME).astype(np.float32)


def rays(rng, shape, fraction):
    """e-/s of rays that cover about this fraction of the pixels: tracks of one to four pixels."""
    image = np.zeros(shape)
    for _ in range(round(fraction * image.size / 2.5)):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        step = rng.integers(-1, 2, 2)
        energy = 30 * (10000 / 30) ** rng.random()
        for k in range(rng.integers(1, 5)):
            image[(y + k * step[0]) % shape[0], (x + k * step[1]) % shape[1]] += energy * rng.uniform(0.5, 1)
    return image / TIME


def stars(rng, shape, n, jitter):
    """(images of the scene (n, ny, nx), truth, centres): stars of FWHM 1.5 px whose place and width vary
    between images.
    """
    from scipy.special import erf

    ys, xs = np.meshgrid(*(np.arange(10, s - 10, 16) for s in shape), indexing="ij")
    centres = np.stack([ys.ravel(), xs.ravel()], axis=1)
    phase = rng.uniform(-0.5, 0.5, centres.shape)
    flux = 10 ** rng.uniform(1, 4, len(centres))  # e-/s
    planes = np.zeros((n, *shape))
    edges = np.arange(-6, 8) - 0.5

    def profile(place, width):
        return np.diff(0.5 * erf((edges - place) / (width * np.sqrt(2))))

    for plane in planes:
        shift, width = rng.normal(0, jitter, 2), 0.64 * (1 + 0.3 * jitter * rng.normal())
        for (y, x), (py, px), f in zip(centres, phase, flux, strict=True):
            star = np.outer(profile(py + shift[0], width), profile(px + shift[1], width))
            plane[y - 6 : y + 7, x - 6 : x + 7] += f * star
    return planes, planes.mean(axis=0), centres


def combined(kind, stack, **more):
    return combine_stack(
        stack, exptime=TIME, readnoise=READNOISE, sky=SKY, combine_type=kind, full_output=True, **more
    )


def accuracy(options):
    shape = (options.size, options.size)
    print("             blank sky, no rays       removed, %        stars: flux changed by, %")
    print("  n  type     bias scatter err/rms    0.5 %     5 %      jitter 0    0.05    0.15")
    for n in options.depths:
        for kind in TYPES:
            print(f"{n:3d}  {kind:<7s}", *row(kind, n, shape), flush=True)


def row(kind, n, shape):
    """One line of the table."""
    rng = np.random.default_rng(n)  # the same stacks for every type
    mean_sigma = SIGMA / np.sqrt(n)
    blank = np.zeros(shape)
    made = combined(kind, exposures(rng, blank, n))
    told = f"{np.median(made.err) / made.sci.std():7.3f}" if made.err is not None else "      -"
    cells = [
        f"{made.sci.mean(dtype=float) / mean_sigma:6.3f} {made.sci.std(dtype=float) / mean_sigma:7.3f} {told}"
    ]
    for fraction in (0.005, 0.05):
        stack, hit = exposures(rng, blank, n), np.array([rays(rng, shape, fraction) for _ in range(n)])
        found = combined(kind, (stack + hit).astype(np.float32)).sci
        where = (hit > 10 * SIGMA).any(axis=0)
        cells.append(f"{100 * np.mean(np.abs(found[where]) < 4 * SIGMA):8.2f}")
    cells.append("   ")
    for jitter in (0.0, 0.05, 0.15):
        planes, truth, centres = stars(rng, shape, n, jitter)
        stack = np.array([exposures(rng, plane, 1)[0] for plane in planes])
        found = combined(kind, stack).sci
        flux = [
            (found[y - 1 : y + 2, x - 1 : x + 2].sum(dtype=float), truth[y - 1 : y + 2, x - 1 : x + 2].sum())
            for y, x in centres
        ]
        change = np.array([a / b - 1 for a, b in flux])
        cells.append(f"{100 * change.mean():8.2f}")
    return cells


def seconds(call, repeat=3):
    taken = []
    for _ in range(repeat):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def speed(options):
    rng = np.random.default_rng(0)
    shape = (options.size, options.size)
    print("seconds of processor time")
    print("  n  NaN   nanmedian  numpy's    median  minmed    auto    (the last three: combine_stack)")
    for n, missing in ((2, 0.0), (4, 0.0), (8, 0.0), (8, 0.05), (32, 0.0), (32, 0.05)):
        stack = rng.normal(0, SIGMA, (n, *shape)).astype(np.float32)
        if missing:
            stack[rng.random(stack.shape) < missing] = np.nan
        cells = [f"{seconds(lambda s=stack: nanmedian(s)):8.2f}"]
        cells.append(f"{seconds(lambda s=stack: np.nanmedian(s, axis=0), 1):9.2f} ")
        cells += [
            f"{seconds(lambda s=stack, k=kind: combined(k, s)):7.2f}" for kind in ("median", "minmed", "auto")
        ]
        print(f"{n:3d} {missing:4.0%}   ", *cells, flush=True)


def memory(options):
    print("peak memory of a process, MiB: files of 256 x 2048, each shifted by 16 rows, combine_bufsize 1")
    print("   n  type    output  images x bufsize   start    peak   rest")
    for n in options.images:
        with tempfile.TemporaryDirectory() as folder:
            write_files(folder, n)
            for kind in TYPES:
                words = [sys.executable, __file__, "one", "--folder", folder, "--type", kind]
                done = subprocess.run(words, capture_output=True, text=True, check=True)
                start, peak, pixels, deepest = (float(word) for word in done.stdout.split())
                planes = 4 * (2 if kind == "auto" else 1) + 2
                output, sections = pixels * planes / 2**20, deepest
                rest = peak - start - output - sections
                print(
                    f"{n:4d}  {kind:<7s}{output:7.1f} {sections:12.0f} {start:14.1f} {peak:7.1f} {rest:6.1f}",
                    flush=True,
                )


def write_files(folder, n):
    from drizzleflow.frames.noise import Noise
    from drizzleflow.frames.window import Window
    from drizzleflow.resample.single import SingleImage

    rng = np.random.default_rng(n)
    weight = np.full((256, 2048), TIME, np.float32)
    for i in range(n):
        sci = rng.normal(0, SIGMA, weight.shape).astype(np.float32)
        window = Window.placed((256, 2048), (0, 16 * i))
        SingleImage(sci, weight, window, "", noise=Noise(TIME, READNOISE, SKY, 1.0)).write(
            f"{folder}/{i}.fits"
        )


def one(options):
    """A process of `memory`: start and peak in MiB, pixels of the output, most images in a section."""
    from drizzleflow.frames.windowed import Windowed, union

    singles = [Windowed.open(path) for path in sorted(Path(options.folder).iterdir())]
    window = union(singles)
    median_image(singles[:1], (0, 1, 0, 1), Parameters(combine_type=options.type))
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    start = pages * resource.getpagesize() / 2**20
    made = median_image(singles, window, Parameters(combine_type=options.type))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(start, peak, made.sci.size, made.nused.max())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("accuracy", "speed", "memory", "one"))
    parser.add_argument("--size", type=int)
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 3, 4, 5, 6, 7, 8, 12, 20])
    parser.add_argument("--images", type=int, nargs="+", default=[8, 100, 700])
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--type", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.size = options.size or {"accuracy": 400, "speed": 2048}.get(options.what)
    {"accuracy": accuracy, "speed": speed, "memory": memory, "one": one}[options.what](options)


if __name__ == "__main__":
    main()
