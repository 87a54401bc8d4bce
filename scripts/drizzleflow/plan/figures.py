"""Estimate the memory and time that jobs ask for; memory follows from what a job holds at its peak.

A figure is a function ``figure(product, wildcards, input)`` that gives the expected peak in MiB; `asked`
makes ``mem_mb`` of it. `wildcards` and `input` are Snakemake's: names and files as attributes. The numbers
are measured: benchmarks/README.md, "Memory".
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import accumulate
from typing import TYPE_CHECKING

from drizzleflow.io.files import kept

if TYPE_CHECKING:
    from drizzleflow.plan.product import Product

#: mem_mb is MARGIN times the expected peak in MiB. Snakemake means 10^6 bytes by a MB, most clusters 2^20:
#: a third more than the peak where a cluster takes it so, 27 % more where it goes by Snakemake's unit. A
#: job that is tried again asks for more.
MARGIN, FLOOR = 1.33, 200
ENGINE = 130  #: for a snakemake process (100 MiB) that starts a cluster's job there
#: step: MiB of the interpreter and its libraries; bytes for each pixel of a frame, for formats whose
#: MEMORY lacks it
FRAMES = {
    "sky_overlaps": (52, 35),
    "sky_cells": (52, 74),  # sky_overlaps with skystat auto
    "static_mask": (52, 20),
    "single_drizzle": (50, 36),
    "crmask": (50, 80),
    "crclean": (52, 52),
    "mosaic": (50, 75),
}
GWCS = 75  #: MiB more where a GWCS is evaluated exactly
HEADERS = 0.005  #: MiB for each image whose header is kept
ROW = 24 / 2**20  #: MiB for each pixel of a row of a combined image's planes
TABLES = 0.02  #: MiB for each frame of a product, where all outlines are read


def asked(peak: float, attempt: int = 1, engines: int = 0) -> int:
    """mem_mb of a job by its peak in MiB; `engines`: snakemake processes in its allocation on a cluster."""
    return attempt * max(FLOOR, int(MARGIN * peak)) + engines * ENGINE


def minutes(pixels: float, per_megapixel: float = 0.02) -> int:
    """runtime of a job that goes through so many pixels."""
    return int(10 + per_megapixel * pixels / 1e6)


def grid_of(input) -> dict:
    """grid.json as a dictionary. Where it is not there yet Snakemake says <TBD>, and asks again when it is.

    Raises
    ------
    FileNotFoundError
        There is none, or none that can be used.
    """
    return _grid(str(input.grid))


@kept
def _grid(path) -> dict:
    try:
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
        grid = {key: stored[key] for key in ("shape", "pixel_scale_ratio", "windows", "tilt")}
        covered = [box for box in grid["windows"].values() if box[0] < box[1]]
        x0, x1, y0, y1 = zip(*covered, strict=True) if covered else [(0,)] * 4
        return grid | {"extent": (min(x0), max(x1), min(y0), max(y1)), "depth": deepest(covered)}
    except (ValueError, LookupError, TypeError):
        # cut short, or an older version's: it is made anew before anything reads it
        raise FileNotFoundError(2, "not a grid", path) from None


def deepest(windows, beside: int = 40) -> int:
    """The largest number of windows that meet some row; `beside`: rows around it that are read with it."""
    edges = [(y0 - beside, 1) for _, _, y0, _ in windows] + [(y1 + beside, -1) for _, _, _, y1 in windows]
    return max(accumulate(step for _, step in sorted(edges)), default=0)


def window_of(input, group: str) -> list[int]:
    """The window of a group on the grid: x0, x1, y0, y1. FileNotFoundError as `grid_of`."""
    windows = grid_of(input)["windows"]
    if group not in windows:  # a grid from before the group came
        raise FileNotFoundError(2, f"no window of {group} yet", str(input.grid))
    return windows[group]


def area(box) -> int:
    return (box[1] - box[0]) * (box[3] - box[2])


def of_frame(product: Product, step: str, settings: dict) -> tuple[float, float]:
    """MiB, and bytes for each pixel of a frame, of a step with its settings."""
    (base, each), (libraries, more) = FRAMES[step], exact(product, settings)
    return base + libraries, product.format.memory.get(step, each) + more


def exact(product: Product, settings: dict) -> tuple[float, float]:
    """MiB, and bytes a pixel of a frame, that a step's settings add where they ask for exact coordinates."""
    step = settings.get("pixmap_stepsize", "auto")
    dense = step not in ("auto", "astrodrizzle") and step <= 1
    wanted = step == "astrodrizzle" or dense or settings.get("overlap") == "scan"
    libraries = GWCS if product.format.has_gwcs and wanted else 0
    return libraries, 22 if step == "astrodrizzle" else 5 * dense


def frames(step: str, section: str) -> Callable:
    """The figure of a step that goes through its members' frames one by one; `section`: its settings."""

    def figure(product, wildcards, input):
        # whether skies are compared in cells of the sky
        by_cells = step == "sky_overlaps" and product.options["skymatch"]["skystat"] == "auto"
        base, each = of_frame(product, "sky_cells" if by_cells else step, product.options[section])
        names = product.batches[wildcards.batch] if hasattr(wildcards, "batch") else None
        names = [wildcards.member] if hasattr(wildcards, "member") else names
        return base + each * product.frame_pixels(names) / 2**20

    return figure


def constant(peak: float) -> Callable:
    """The figure of a step whose memory does not depend on the data."""
    return lambda product, wildcards, input: peak


def grid(product, wildcards, input) -> float:
    """The outlines of all frames, as they are read and in arrays."""
    return 105 + 0.015 * product.nframes


def skymatch(product, wildcards, input) -> float:
    """The tables, the cells of up to 32 frames, and the differences of two."""
    cells = sum(os.path.getsize(file) for file in input.cells) / product.nframes / 2**20
    return 80 + TABLES * product.nframes + (min(product.nframes, 32) + 6) * cells


def records(each: float, libraries: float) -> Callable:
    """The figure of a step that reads records: MiB for each of them, besides its `libraries`.

    How long a record is does not matter: most of it are pictures, which are not kept.
    """
    return lambda product, wildcards, input: libraries + each * len(input.records)


def audit(members: int) -> float:
    """What is recorded of all files, and the dry run beside it: a Snakemake with all jobs."""
    return 150 + 0.14 * members


def single(product, wildcards, input) -> float:
    """All frames of a group, their pixel maps, and the window that they cover."""
    settings = product.options["single_drizzle"]
    base, each = of_frame(product, "single_drizzle", settings)
    kept = 28
    if settings["weight_type"] == "exptime":  # no variances
        kept, each = kept - 4, each - 18
    held = [product.member(name) for name, extvers in product.stack[wildcards.group] for _ in extvers]
    pixels = [m.nx * m.ny for m in held]
    covered = sum(pixels)
    if product.resampled:
        made = grid_of(input)
        # a given grid has no windows: at most twice the frames' area, where they lie askew
        covered = 2 * covered / made["pixel_scale_ratio"] ** 2
        if made["windows"]:
            covered = area(window_of(input, wildcards.group))
    return base + (each * max(pixels) + kept * sum(pixels) + 16 * covered) / 2**20


def median(product, wildcards, input) -> float:
    """A section of the images that share rows, with what combining it adds; the planes are on the disk."""
    images, bands = len(product.stack), product.median_bands
    if product.resampled:
        (x0, x1, y0, y1), depth = grid_of(input)["extent"], grid_of(input)["depth"]
        height, width = y1 - y0, x1 - x0
    else:
        (height, width), depth = max((m.ny, m.nx) for m in product.members), images
    rows = 150 * ROW * width  # of all planes: a strip of sections, or of the picture
    if "bands" in input.keys() and input.bands:  # made: they are put together some rows at a time
        return 50 + HEADERS * images + rows
    held = 8 * (width + 16) * (-(-height // bands) + 16) / 2**20
    section = min(product.options["median"]["combine_bufsize"] or 1, held)
    return (56 if product.against_others else 48) + HEADERS * images + rows + section * (0.75 * depth + 2.3)


def crmask(product, wildcards, input) -> float:
    """One frame and its pixel map, or the copy of the input with the masks and blots of all its frames."""
    member = product.member(wildcards.member)
    base, each = of_frame(product, "crmask", product.options["single_drizzle"])
    if product.resampled:
        each += 7 * (grid_of(input)["pixel_scale_ratio"] ** -2 - 1)  # the part of the median under the frame
    held = max(each + 14 * (member.nframes - 1), 60 * member.nframes if member.cube else 0)
    return base + held * member.nx * member.ny / 2**20


def mosaic(product, wildcards, input) -> float:
    """The planes of a band, with the rows of a frame that reach it, or what finishing adds."""
    settings, made = product.options["mosaic"], grid_of(input)
    base, each = of_frame(product, "mosaic", settings)
    by_rows = product.format.reads_rows  # otherwise whole frames are read
    rows, width = -(-made["shape"][0] // product.bands), made["shape"][1]
    context = -(-product.nframes // 32) if settings["context"] == "full" else 0
    if "bands" in input.keys() and input.bands:  # made: they are put together some rows at a time
        return FRAMES["mosaic"][0] + HEADERS * product.nframes + 170 * ROW * width
    planes = 2 + context + settings["propagate_dq"]
    if settings["report_var"] or settings["compute_err"] == "from_var":
        planes += 3 if by_rows else 1
    if settings["compute_err"] == "driz_err":
        planes, each = planes + 3, each + 4
    if settings["weight_type"] == "err":
        each += 8  # ERR and its square
    if settings["variance"] == "reference":
        planes, each = planes + 6, each + 40
    tilt, needed = made["tilt"], rows * made["pixel_scale_ratio"] * (1 + made["tilt"])
    reach = max(m.nx * (min(m.ny, needed + m.nx * tilt) if by_rows else m.ny) for m in product.members)
    held = 4 * planes * rows * width + max(each * reach, 12 * rows * width)
    return base + held / 2**20
