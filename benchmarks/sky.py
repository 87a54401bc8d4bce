"""Sky matching: which statistic, how near the bound, how fast.

    PYTHONPATH=scripts .venv/bin/python benchmarks/sky.py statistics [--size 256] [--trials 100]
    PYTHONPATH=scripts .venv/bin/python benchmarks/sky.py bound [--fields blank crowded all] [--peer
    .venv-jwst/bin/python] PYTHONPATH=scripts .venv/bin/python benchmarks/sky.py solver [--images 10000]
    [--overlaps 60000] [--kinds survey] PYTHONPATH=scripts .venv/bin/python benchmarks/sky.py scaling
    [--footprints 8 32 128 1000] [--peer .venv-jwst/bin/python]

Simulated frames see one scene (stars of a power law of brightness, a nebula, a galaxy) at fractional dithers.
Each has its own sky of 150 to 300 e-, PSF (FWHM 2 to 3 px) and rays (30 to 10,000 e- on 0.5 % of the pixels),
photon noise and 5 e- read noise. Errors are in units of the Cramer-Rao bound of blank sky without rays, where
a mean has 1 and a median 1.25.

statistics: pairs, the first frame's sky 1.5 times the second's; error of the difference of the two skies in
the overlap, rms and bias. "cells" is `drizzleflow.sky.cells`. bound: levels of N exposures, rms about their
mean. The bound is that of all pixels, with nothing known about the scene (where k images see a place, a pair
of them gets 2/k of it: pairs share pixels). Each exposure is compared with its four largest overlaps (the
default), or with "all". The peer is stcal.skymatch with its step's defaults (mode, 4 sigma, npix) on the same
arrays. solver: measured overlaps alone, no pixels; a survey, or pairs by chance (no sky looks like that).
scaling: frames of 128 x 128 on a square raster, each overlapping its eight neighbours; one array serves all.
"""

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import erf

from drizzleflow.arrays.statistics import SkyStats
from drizzleflow.geometry.neighbours import neighbours
from drizzleflow.geometry.overlap import border
from drizzleflow.sky.cells import SIDE, SkyCells, differences
from drizzleflow.sky.levels import SkyRow, solve
from drizzleflow.sky.overlaps import overlap_statistics

READNOISE, SCALE = 5.0, 1e-5  #: e-, degrees a pixel
FIELDS = {  #: stars per 1000 px, nebula and galaxy in e-, rays of `statistics`' first frame
    "blank": (0, 0, 0, 0.005), "rays": (0, 0, 0, 0.04), "stars": (1, 0, 0, 0.005), "crowded": (15, 0, 0, 0.005),
    "packed": (60, 0, 0, 0.005), "nebula": (1, 60, 0, 0.005), "galaxy": (1, 0, 300, 0.005), "all": (15, 60, 300, 0.005),
}  # fmt: skip
TRIALS = {2: 120, 4: 40, 10: 12, 30: 4, 100: 2}  #: of `bound`
ALL, PEER = 30, 450  #: most exposures of which `bound` compares all pairs; pairs that the peer gets (N <= 30)


class Scene:
    """Electrons above the sky, anywhere: what all frames of a field see. Lengths are pixels."""

    def __init__(self, rng, field, size, reach):
        density, self.nebula, self.galaxy, _ = FIELDS[field]
        low, high = -reach - 10, size + reach + 10
        n = rng.poisson(density * (high - low) ** 2 / 1000)
        self.x, self.y = rng.uniform(low, high, (2, n))
        self.flux = np.minimum(30 * rng.random(n) ** (-1 / 0.9), 3e5)
        self.centre = size / 2 + rng.uniform(-0.1, 0.1, 2) * size
        length = size * 2 ** rng.uniform(-2, 1, 12)
        angle, self.phase = rng.uniform(0, 2 * np.pi, (2, 12))
        self.k = 2 * np.pi / length * np.array([np.cos(angle), np.sin(angle)])
        self.amplitude = 0.35 * (length / length.max()) ** 0.5
        self.size = size

    def seen(self, corner, fwhm):
        """(size, size) expected electrons of the frame whose first pixel is at `corner` (x, y)."""
        n, pad, root = self.size, 14, fwhm / 2.3548 * 2**0.5
        x, y = self.x - corner[0], self.y - corner[1]
        near = (abs(x - n / 2) < n / 2 + 7) & (abs(y - n / 2) < n / 2 + 7)
        step, edges, out = (
            np.arange(-6, 7) + pad,
            (np.arange(-6, 8) - 0.5) / root,
            np.zeros((n + 2 * pad, n + 2 * pad)),
        )
        (ix, px), (iy, py) = (
            (np.rint(v), 0.5 * np.diff(erf(edges - (v - np.rint(v))[:, None] / root)))
            for v in (x[near], y[near])
        )
        place = (iy[:, None] + step)[:, :, None] * len(out) + (ix[:, None] + step)[:, None, :]
        stamps = self.flux[near][:, None, None] * py[:, :, None] * px[:, None, :]
        out += np.bincount(place.ravel().astype(int), stamps.ravel(), out.size).reshape(out.shape)
        out = out[pad:-pad, pad:-pad]
        gx, gy = np.arange(n) + corner[0], (np.arange(n) + corner[1])[:, None]
        if self.nebula:
            waves = (
                a * np.cos(kx * gx + ky * gy + p)
                for a, kx, ky, p in zip(self.amplitude, *self.k, self.phase, strict=True)
            )
            out += self.nebula * np.exp(sum(waves))
        if self.galaxy:
            radius = np.hypot(gx - self.centre[0], (gy - self.centre[1]) / 0.6)
            out += self.galaxy * np.exp(-radius / (self.size / 10))
        return out


def rays(rng, shape, fraction):
    """Electrons of tracks of one to four pixels that hit about this fraction of the pixels."""
    image, n = np.zeros(shape), round(fraction * shape[0] * shape[1] / 2.5)
    y, x = rng.integers(0, shape[0], n), rng.integers(0, shape[1], n)
    step, length, energy = (
        rng.integers(-1, 2, (2, n)),
        rng.integers(1, 5, n),
        30 * (10000 / 30) ** rng.random(n),
    )
    for k in range(4):
        on = length > k
        np.add.at(image, ((y + k * step[0])[on] % shape[0], (x + k * step[1])[on] % shape[1]), energy[on])
    return image


def exposure(rng, scene, corner, sky, hit=0.005):
    expected = rng.poisson(scene.seen(corner, rng.uniform(2, 3)) + sky)
    return (expected + rng.normal(0, READNOISE, expected.shape) + rays(rng, expected.shape, hit)).astype(
        np.float32
    )


def plate(corner):
    """Functions from pixels to degrees and back near (0, 0), where degrees are a plane, as the peer calls
    them.
    """

    def to_sky(x, y, with_bounding_box=True):
        return (np.asarray(x) + corner[0]) * SCALE, (np.asarray(y) + corner[1]) * SCALE

    def to_pixel(lon, lat, with_bounding_box=True):
        return ((np.asarray(lon) + 180) % 360 - 180) / SCALE - corner[0], np.asarray(lat) / SCALE - corner[1]

    return to_sky, to_pixel


def cells(frame, corner, side=SIDE):
    y, x = np.indices(frame.shape)
    return SkyCells.measure([(frame.ravel(), (x + corner[0]).ravel(), (y + corner[1]).ravel())], side)


def from_below(x, what):
    """Mean or median of what lies within 3 widths of the median; the width from the lower half, which no
    source widens.
    """
    n = 0
    while n != len(x):
        middle, n = np.median(x), len(x)
        width = 1.4826 * np.median(middle - x[x < middle])
        x = x[abs(x - middle) < 3 * width]
    return what(x)


def biweight(x):
    value = np.median(x)
    reach = 4 * np.median(abs(x - value))
    for _ in range(10):
        w = np.maximum(1 - ((x - value) / reach) ** 2, 0) ** 2
        value = float((w * x).sum() / w.sum())
    return value


def candidates():
    """name -> function of the values."""

    def ours(name, low, high, nclip=5):
        return lambda x: SkyStats(name, lsig=low, usig=high, nclip=nclip)(x)[0]

    both, limits = (ours("median", 3, 3, 20), ours("mean", 3, 3, 20)), ((4, 4), (3, 3), (4, 2.5))
    out = {
        f"{name} {low}/{high}": ours(name, low, high) for name in ("median", "mean") for low, high in limits
    }
    out |= {"mean 8/8": ours("mean", 8, 8), "median, no clip": np.median}
    out |= {
        f"{name} {low}/{high}": ours(name, low, high)
        for name in ("midpt", "mode")
        for low, high in limits[::2]
    }
    out["2.5 median - 1.5 mean"] = lambda x: 2.5 * both[0](x) - 1.5 * both[1](x)
    out["median, width from below"] = lambda x: from_below(x, np.median)
    out["mean, width from below"] = lambda x: from_below(x, np.mean)
    out["mean about median, 6 MAD"] = lambda x: x[
        abs(x - np.median(x)) < 6 * np.median(abs(x - np.median(x)))
    ].mean(dtype=float)
    out["middle half's mean"] = lambda x: np.sort(x)[len(x) // 4 : len(x) - len(x) // 4].mean(dtype=float)
    out["biweight, 4 MAD, 10 x"] = biweight
    return out


def statistics(options):
    functions, size, reach = (
        candidates() | {f"cells of {side} px": side for side in (4, 6, 8, 16)},
        options.size,
        options.size // 4,
    )
    errors, taken = np.zeros((len(functions), len(FIELDS), options.trials)), np.zeros(len(functions))
    for number, field in enumerate(FIELDS):
        for trial in range(options.trials):
            rng = np.random.default_rng([number, trial])
            scene, corners = Scene(rng, field, size, reach), np.round(rng.uniform(-reach, reach, (2, 2)), 2)
            skies, hits = np.array([1.5, 1.0]) * rng.uniform(150, 200), (FIELDS[field][3], 0.005)
            frames = [exposure(rng, scene, *one) for one in zip(corners, skies, hits, strict=True)]
            parts = [overlap(frames[k], corners[k], corners[1 - k]) for k in (0, 1)]
            least = (
                sum((sky + READNOISE**2) / len(part) for sky, part in zip(skies, parts, strict=True)) ** 0.5
            )
            for k, function in enumerate(functions.values()):
                start = time.process_time()
                if callable(function):
                    found = function(parts[0]) - function(parts[1])
                else:
                    a, b = (cells(*one, function) for one in zip(frames, corners, strict=True))
                    found = a.minus(b).value
                taken[k] += time.process_time() - start
                errors[k, number, trial] = (found - (skies[0] - skies[1])) / least
    print(
        f"rms (bias) of the difference of two skies in units of the bound; {options.trials} pairs of {size} x {size}"
    )
    print("all: geometric mean of the fields' rms; time: in units of the default's")
    print(" " * 25 + "".join(f"{field:^15s}" for field in FIELDS) + "   all  worst  time")
    for name, rms, bias, seconds in zip(
        functions, np.mean(errors**2, axis=2) ** 0.5, errors.mean(axis=2), taken, strict=True
    ):
        text = "".join(f"{r:6.2f} ({b:+6.2f})" for r, b in zip(rms, bias, strict=True))
        print(
            f"{name:25s}{text}{np.exp(np.mean(np.log(rms))):6.2f} {max(rms):6.2f} {seconds / taken[0]:5.1f}"
        )


def overlap(data, corner, other):
    """Values of a frame's pixels whose centre lies in the other frame."""
    size, shift = len(data), np.subtract(other, corner)
    low, high = (
        np.maximum(0, np.ceil(shift - 0.5)).astype(int),
        np.minimum(size, np.ceil(shift + size - 0.5)).astype(int),
    )
    return data[low[1] : high[1], low[0] : high[0]].ravel()


def levels(frames, corners, most, stats):
    """Levels by our library, and seconds for the geometry, the measuring and the solution."""
    start = time.perf_counter()
    plates, names = [plate(corner) for corner in corners], [str(k) for k in range(len(frames))]
    outlines = [np.array(to_sky(*border(frames[0].shape))) for to_sky, _ in plates]
    near = neighbours(outlines, names, most)
    found, rows, between, good = time.perf_counter(), [], (), np.ones(frames[0].shape, bool)
    if stats == "cells":
        seen = [cells(*one) for one in zip(frames, corners, strict=True)]
        between = list(differences(near, {name: [k] for k, name in enumerate(names)}, seen.__getitem__))
    else:
        for k, frame in enumerate(frames):
            others = {name: [outlines[int(name)]] for name in near[names[k]]}
            rows += overlap_statistics(frame, good, outlines[k], plates[k][1], others, stats, frame=k)
    measured = time.perf_counter()
    sky = np.array([level.sky for level in solve(rows, dict(enumerate(names)), differences=between)])
    return (
        sky,
        (found - start, measured - found, time.perf_counter() - measured),
        sum(map(len, near.values())) // 2,
    )


def peers_levels(options, **arrays):
    """Levels by stcal.skymatch in the peer's interpreter, and its seconds; None when it takes too long."""
    with tempfile.TemporaryDirectory() as folder:
        words = [options.peer, __file__, "peer", "--file", f"{folder}/frames.npz"]
        np.savez(words[-1], **arrays)
        try:
            done = subprocess.run(
                words, stdout=subprocess.PIPE, text=True, check=True, timeout=options.timeout
            )
        except subprocess.TimeoutExpired:
            return None
    return json.loads(done.stdout.splitlines()[-1])


def peer(options):
    """In the peer's interpreter: each trial's levels."""
    from stcal import skymatch as stcal

    logging.disable(logging.WARNING)
    file, out, start = np.load(options.file), [], time.perf_counter()
    stats = stcal.SkyStats(skystat="mode", nclip=5, lsig=4.0, usig=4.0, binwidth=0.1)
    for frames, corners in zip(file["frames"], file["corners"], strict=True):
        frames, good = (
            np.broadcast_to(frames, (len(corners), *frames.shape[-2:])),
            np.ones(frames.shape[-2:], bool),
        )
        images = [stcal.SkyImage(f, good, *plate(c), stats) for f, c in zip(frames, corners, strict=True)]
        stcal.skymatch(images, "match")
        out.append([image.sky for image in images])
    print(json.dumps([out, time.perf_counter() - start]))


def best_possible(corners, skies, size):
    """Least variance of the levels about their mean (the mean over the images)."""
    corner = np.rint(corners - corners.min(axis=0)).astype(int)
    covered = np.zeros((len(corner), *(corner.max(axis=0)[::-1] + size)), np.float32)
    for plane, (x, y) in zip(covered, corner, strict=True):
        plane[y : y + size, x : x + size] = 1
    information = (1 / (skies + READNOISE**2)).astype(np.float32)
    covered = covered.reshape(len(corner), -1) * information[:, None]
    covered /= np.sqrt(np.maximum(covered.sum(axis=0), information.min()))
    pairs = (covered @ covered.T).astype(float)
    np.fill_diagonal(pairs, 0)
    return np.trace(np.linalg.pinv(np.diag(pairs.sum(axis=1)) - pairs, hermitian=True)) / len(corner)


def bound(options):
    size, reach = options.size, options.size // 4
    print(
        f"rms error of the levels in units of the bound; frames of {size} x {size}, dithers of +-{reach} px"
    )
    ours = {
        "median": (4, SkyStats("median")),
        "mean": (4, SkyStats("mean")),
        "cells, all": (None, "cells"),
        "cells": (4, "cells"),
    }
    print(f"field       N  trials  bound, e- {''.join(f'{name:>13s}' for name in ours)}   peer (trials)")
    for field in options.fields:
        for n in options.exposures:
            trials, square, least, made = TRIALS.get(n, 4), {key: [] for key in ours}, [], []
            for trial in range(trials):
                rng = np.random.default_rng([n, trial])
                corners, skies = np.round(rng.uniform(-reach, reach, (n, 2)), 2), rng.uniform(150, 300, n)
                scene = Scene(rng, field, size, reach)
                frames = np.array([exposure(rng, scene, *one) for one in zip(corners, skies, strict=True)])
                least.append(best_possible(corners, skies, size))
                for key, chosen in ours.items():
                    if chosen[0] or n <= ALL:
                        square[key].append(np.var(levels(frames, corners, *chosen)[0] - skies) / least[-1])
                if trial < PEER // (n * (n - 1) // 2):
                    made.append((frames, corners, skies))
            cells = [f"{np.mean(square[key]) ** 0.5:12.2f}" if square[key] else f"{'-':>12s}" for key in ours]
            theirs, answer = (
                "-",
                made
                and options.peer
                and peers_levels(options, frames=[m[0] for m in made], corners=[m[1] for m in made]),
            )
            if answer:
                ratio = [np.var(a - m[2]) / v for a, m, v in zip(answer[0], made, least, strict=False)]
                theirs = f"{np.mean(ratio) ** 0.5:.2f} ({len(made)})"
            print(
                f"{field:10s}{n:3d} {trials:7d} {np.mean(least) ** 0.5:10.4f}",
                *cells,
                f"{theirs:>15s}",
                flush=True,
            )


def survey(rng, n, overlaps, kind):
    """(m, 2) pairs of a network: the nearest neighbours of jittered places on a square, or pairs by chance."""
    if kind == "chance":
        tree = np.stack([rng.integers(np.arange(1, n)), np.arange(1, n)], axis=1)
        pairs = np.unique(
            np.concatenate([tree, np.sort(rng.integers(n, size=(overlaps - n + 1, 2)), axis=1)]), axis=0
        )
        return pairs[pairs[:, 0] < pairs[:, 1]]
    side = int(np.ceil(n**0.5))
    place = np.stack(np.divmod(np.arange(n), side), axis=1) + rng.uniform(-0.3, 0.3, (n, 2))
    most = min(n, 4 + 4 * overlaps // n)
    near = cKDTree(place).query(place, most)[1]
    pairs = np.unique(
        np.sort(np.stack([np.repeat(np.arange(n), most - 1), near[:, 1:].ravel()], axis=1), axis=1), axis=0
    )
    distance = np.linalg.norm(place[pairs[:, 0]] - place[pairs[:, 1]], axis=1)
    return pairs[np.sort(np.argsort(distance, kind="stable")[:overlaps])]


def measured(rng, n, pairs):
    """Rows of overlaps whose noise differs by 30 to 1, groups, and the true levels."""
    truth, ends = rng.normal(100, 20, n), np.concatenate([pairs, pairs[:, ::-1]])
    sigma = 0.01 * 30 ** rng.random(len(ends))
    sky, npix = truth[ends[:, 0]] + sigma * rng.normal(size=len(ends)), (10 / sigma**2).astype(int)
    columns = (
        ends[:, 0].tolist(),
        map(str, ends[:, 1].tolist()),
        sky.tolist(),
        npix.tolist(),
        sigma.tolist(),
    )
    return [SkyRow(*row) for row in zip(*columns, strict=True)], {k: str(k) for k in range(n)}, truth


def dense(rows, n):
    """The levels by the pseudo-inverse of all equations, lowest 0."""
    sky = {(row.frame, int(row.other)): row for row in rows}
    pairs = [pair for pair in sky if pair[0] < pair[1]]
    a, b = (np.array([sky[p][2:] for p in some]).T for some in (pairs, [pair[::-1] for pair in pairs]))
    weight = np.hypot(a[2], b[2]) ** -1
    matrix = (np.eye(n)[[p[0] for p in pairs]] - np.eye(n)[[p[1] for p in pairs]]) * weight[:, None]
    level = np.linalg.pinv(matrix, rcond=1e-12) @ (weight * (a[0] - b[0]))
    return level - level.min()


def solver(options):
    n = 50
    for kind in ("survey", "chance"):
        worst = 0.0
        for rng in map(np.random.default_rng, range(10)):
            rows, groups, _ = measured(rng, n, survey(rng, n, 6 * n, kind))
            worst = max(worst, np.abs([level.sky for level in solve(rows, groups)] - dense(rows, n)).max())
        print(
            f"{kind}, N = {n}, 10 networks: largest difference from the dense pseudo-inverse {worst:.1e} (levels 100 +- 20)"
        )
    for kind in options.kinds:
        rng, n = np.random.default_rng(1), options.images
        rows, groups, truth = measured(rng, n, survey(rng, n, options.overlaps, kind))
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        found = solve(rows, groups)
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
        sky, sigma = (np.array([getattr(level, name) for level in found]) for name in ("sky", "sigma"))
        error = sky - truth - (sky - truth)[sky.argmin()]
        print(
            f"{kind}, N = {n}, {len(rows) // 2} overlaps, {max(level.component for level in found)} component(s): {seconds:.1f} s"
        )
        print(
            f"  {after.ru_utime - before.ru_utime:.1f} s of processor; peak RSS {after.ru_maxrss >> 10} MiB, {before.ru_maxrss >> 10} before"
        )
        print(
            f"  against the lowest level: rms error {np.mean(error**2) ** 0.5:.4f}, rms sigma {np.mean(sigma**2) ** 0.5:.4f}"
        )


def scaling(options):
    rng, size = np.random.default_rng(0), 128
    frame = rng.normal(100, 5, (size, size)).astype(np.float32)
    levels([frame] * 2, np.array([[0, 0], [9, 9]]), None, "cells")  # imports
    print("seconds of wall time; frames of 128 x 128; all overlaps (no max_overlaps)")
    print("   N   pairs   overlaps  measuring  levels    ours  ms a pair      peer  ms a pair  peer/ours")
    for n in options.footprints:
        corners = np.stack(np.divmod(np.arange(n), int(np.ceil(n**0.5))), axis=1) * 0.8 * size + rng.uniform(
            -6, 6, (n, 2)
        )
        _, seconds, pairs = levels([frame] * n, corners, None, "cells")
        total, answer = (
            sum(seconds),
            options.peer and peers_levels(options, frames=frame[None, None], corners=corners[None]),
        )
        theirs = f"  not in {options.timeout:.0f} s" if options.peer else ""
        if answer:
            theirs = f"{answer[1]:10.2f} {1e3 * answer[1] / pairs:10.1f} {answer[1] / total:10.0f}"
        print(
            f"{n:4d} {pairs:7d} {seconds[0]:10.3f}{seconds[1]:10.3f}{seconds[2]:10.3f} {total:8.3f} {1e3 * total / pairs:9.2f} {theirs}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = {f.__name__: f for f in (statistics, bound, solver, scaling, peer)}
    parser.add_argument("what", choices=commands)
    for name, default in {"size": 256, "trials": 100, "images": 10_000, "overlaps": 60_000}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--fields", nargs="+", choices=FIELDS, default=["blank", "crowded", "all"])
    parser.add_argument("--exposures", type=int, nargs="+", default=list(TRIALS))
    parser.add_argument("--kinds", nargs="+", choices=("survey", "chance"), default=["survey"])
    parser.add_argument("--footprints", type=int, nargs="+", default=[8, 32, 128, 1000])
    parser.add_argument("--peer", help="the peer's interpreter")
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds that the peer may take for a line"
    )
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.what != "peer":
        print("$", "benchmarks/sky.py", *sys.argv[1:])
    commands[options.what](options)


if __name__ == "__main__":
    main()
