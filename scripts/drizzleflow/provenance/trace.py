"""Trace one pixel of a product: the members' pixels on it, their weights, and why some do not count.

The numbers are the workflow's own: the same pixel maps, weights and sky levels, and
`drizzleflow.resample.Resample` on the few pixels around the one asked for. Their sum is compared with the
value in the product.
"""

from __future__ import annotations

import os

import numpy as np

from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import median_image
from drizzleflow.errors import InputError
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import Windowed
from drizzleflow.geometry.grid import Grid
from drizzleflow.io.fits import open_fits
from drizzleflow.io.light_tables import read_members
from drizzleflow.provenance.drops import Drops
from drizzleflow.provenance.run import Run

TOLERANCE = 1e-5  #: relative; a float32 sum depends on the order of its terms
STALE = "stale: the product does not hold what the files beside it make"


def trace(product, x: int, y: int) -> dict:
    """Return the members, pixels, weights and masks behind one pixel of a product.

    Parameters
    ----------
    product : path
        A mosaic (``{product}_i2d.fits``), a median or a single drizzle, in the folder that the run made.
    x, y : int
        Column and row in the product's own pixels, 0-based: (0, 0) is the first pixel.

    Returns
    -------
    dict
        ``product``, ``kind`` (mosaic, median, single), ``pixel`` [x, y], ``grid`` [column, row] of the
        association's grid (None without resampling), ``sky`` [RA, Dec] in degrees, ``unit``, ``values`` (as
        in the file: SCI, WHT ...; for CON the numbers of the frames), ``sum`` (what the listed pixels add up
        to; None if files are missing), ``agrees``, ``notes`` (what is stale, altered or missing, one line
        each), and

        for a mosaic or single drizzle ``frames``, a dict for each frame that can reach the pixel: ``member``,
        ``extver``, ``group``, ``file``, ``source`` and its ``sha256``, ``mask``, ``window`` [x0, x1, y0, y1]
        on the grid, ``sky`` (the level that was subtracted, in the file's unit; None if none was), ``bit``
        and ``in_context`` (the frame's bit in a mosaic's CON), ``weight`` and ``value`` (the frame's part of
        the sum), and ``pixels``: dicts of ``x``, ``y`` (0-based detector pixel), ``overlap`` (of the drop
        with the output pixel, as drizzle weighs it), ``weight``, ``data`` in the file's unit, ``value`` in
        the product's unit without the sky, ``dq``, ``why`` the pixel does not count (empty if it does);

        for a median ``images``, a dict for each single drizzle: ``file``, ``value``, ``weight``,
        ``threshold`` (of the weight), ``used``, ``agrees`` and ``frames``.

    Raises
    ------
    InputError
        The file is not a product of a run, the pixel is outside it, or a table for the trace is missing.
    """
    run, kind = Run.of(product)
    trail = {"mosaic": _mosaic, "median": _median, "single": _single}[kind](
        run, os.path.abspath(product), int(x), int(y)
    )
    return trail | {"product": os.fspath(product)}


def _mosaic(run: Run, path: str, x: int, y: int) -> dict:
    trail, grid = _begin(run, "mosaic", path, x, y), _grid(run)
    lattices, static = (
        _read(run, "mosaic", *where) for where in (("footprint", "lattices"), ("static_mask", "static"))
    )
    files = {
        "lattices": lattices,
        "static": static[:1],
        "sky": run.file("skymatch", "sky"),
    }
    drops = Drops(run, grid, run.options("mosaic"), "mosaic", **files)
    bit, context = 0, trail["values"].get("CON")
    members = run.file("members", "table")
    crfs = [os.fspath(crf) for crf in run.inputs("mosaic", "crmask", "crf")]
    for source, member in zip(read_members(members), read_members(members, crfs), strict=True):
        for extver in range(1, member["nframes"] + 1):
            frame = drops.frame(_beside(run, member), extver, x, y, run.path(source["path"]))
            if frame is not None:
                trail["frames"].append(
                    {**frame, "bit": bit, "in_context": None if context is None else bit in context}
                )
            bit += 1
    if drops.settings["units"] == "counts":
        _to_counts(trail["frames"], path)
    makers = {f"crmask/{frame['member']}": run.folder / frame["file"] for frame in trail["frames"]}
    return _end(run, trail, "mosaic", makers)


def _read(run: Run, name: str, step: str, output: str) -> list:
    """Return the inputs of a product's job, or of its first band's, that another step made as `output`."""
    found = run.inputs(name, step, output)
    if not found and (run.folder / f"record/{name}_band/0000.json").is_file():
        found = run.inputs(f"{name}_band/0000", step, output)
    return found


def _to_counts(frames, path) -> None:
    """Give values of frames and pixels, which are rates, in the unit of a mosaic in counts."""
    with open_fits(path) as hdus:
        seconds = hdus[0].header["EXPTIME"]
    for part in (part for frame in frames for part in (frame, *(frame["pixels"] or ()))):
        part["value"] = None if part["value"] is None else part["value"] * seconds


def _single(run: Run, path: str, x: int, y: int) -> dict:
    name, trail = _record_of(run, path), _begin(run, "single", path, x, y)
    trail["frames"] = _frames(run, name, trail["grid"], trail["pixel"])
    return _end(run, trail, name, {})


def _median(run: Run, path: str, x: int, y: int) -> dict:
    trail, settings = _begin(run, "median", path, x, y), run.options("median")["median"]
    files, images = _read(run, "median", "single_drizzle", "single"), []
    column, row = trail["grid"] or trail["pixel"]
    one = Window.placed((1, 1), (column, row))
    alone = Parameters.of({**settings, "combine_type": "median", "combine_nlow": 0, "combine_nhigh": 0})
    for file in files:
        if not file.is_file():
            continue  # the notes report it below
        image = Windowed.open(file, threshold_of=settings["threshold_of"])
        images.append(image)
        if image.window.holds(column, row):
            x, y = column - image.window.x0, row - image.window.y0
            held = {plane: float(image.read(plane, y, y + 1)[0, x]) for plane in ("SCI", "WHT")}
            frames = _frames(run, _record_of(run, file), trail["grid"], [x, y])
            trail["images"].append(
                {
                    "file": run.name(file),
                    "value": held["SCI"],
                    "weight": held["WHT"],
                    "threshold": settings["maskpt"] * image.mean_weight
                    if settings["median_newmasks"]
                    else 0.0,
                    "used": bool(median_image([image], one, alone).nused[0, 0]),
                    "agrees": _agree(held, _sum(frames), frames),
                    "frames": frames,
                }
            )
    trail["notes"] += run.doubts(path, "median", {_record_of(run, file): file for file in files})
    if len(images) == len(files):
        made = median_image(images, one, Parameters.of(settings))
        trail["sum"] = {"SCI": float(made.sci[0, 0]), "NUSED": int(made.nused[0, 0])}
        trail["agrees"] = all(_close(trail["values"][key], value) for key, value in trail["sum"].items())
        if not trail["agrees"]:
            trail["notes"].append(STALE)
    return trail


def _record_of(run: Run, single) -> str:
    return run.record_of(single, "single_drizzle", "single")


def _grid(run: Run) -> Grid:
    path = run.file("grid", "grid")
    if not path.is_file():
        raise InputError(f"{path}: gone; run snakemake again")
    return Grid.load(path)


def _beside(run: Run, member: dict) -> dict:
    """Return a member whose companion files (flags, inverse variance) have their present paths."""
    return {**member, **{key: os.fspath(run.path(member[key])) for key in ("dq", "ivar") if member[key]}}


def _frames(run: Run, name: str, grid, pixel) -> list[dict]:
    """Return the frames of the single drizzle with the record `name`, at one pixel.

    The pixel is one of the grid or, without resampling, of the frame itself.
    """
    options = run.options(name)
    files = {
        "lattices": run.inputs(name, "footprint", "lattices"),
        "static": run.inputs(name, "static_mask", "static"),
        "sky": run.file("skymatch", "sky"),
    }
    drops, frames = Drops(run, _grid(run), options, "single_drizzle", **files), []
    for member, extvers in options["frames"]:
        source = run.path(member["path"])
        member = {**_beside(run, member), "path": os.fspath(source)}
        for extver in extvers:
            function, place = (drops.unresampled, pixel) if grid is None else (drops.frame, grid)
            frames.append(function(member, extver, *place, source))
    return [frame for frame in frames if frame is not None]


def _begin(run: Run, kind: str, path: str, x: int, y: int) -> dict:
    """Return what the product itself holds at the pixel."""
    with open_fits(path) as hdus:
        if "SCI" not in hdus:
            raise InputError(f"{path}[SCI]: no such extension; expected a product of drizzleflow")
        header = hdus["SCI"].header
        nx, ny = header["NAXIS1"], header["NAXIS2"]
        if not (0 <= x < nx and 0 <= y < ny):
            raise InputError(
                f"{path}: pixel {x} {y} is outside the image; expected x from 0 to {nx - 1} and y from 0 to {ny - 1}"
            )
        values = {}
        for name in ("SCI", "ERR", "WHT", "NUSED", "CON"):
            if name in hdus:
                pixel = np.asarray(hdus[name].section[..., y : y + 1, x : x + 1])[..., 0, 0]
                values[name] = _bits(pixel) if name == "CON" else pixel.item()
        on_grid = kind == "mosaic" or "CTYPE1" in header
        place = [x + header.get("WINX0", 0), y + header.get("WINY0", 0)] if on_grid else None
        unit = str(header.get("BUNIT", ""))
    return {
        "product": path,
        "kind": kind,
        "pixel": [x, y],
        "grid": place,
        "sky": None if place is None else [float(value) for value in _grid(run).to_sky(*place)],
        "unit": unit,
        "values": values,
        "sum": None,
        "agrees": None,
        "notes": [],
        "images" if kind == "median" else "frames": [],
    }


def _bits(planes) -> list[int]:
    """Return the numbers of the frames whose bits are set in the planes of a pixel's context image."""
    planes = [int(plane) & 0xFFFFFFFF for plane in np.atleast_1d(planes)]
    return [32 * number + bit for number, plane in enumerate(planes) for bit in range(32) if plane >> bit & 1]


def _end(run: Run, trail: dict, made_by: str, makers: dict) -> dict:
    """Add up all frames and compare the sum with the product."""
    makers = makers | {"grid": run.file("grid", "grid"), "skymatch": run.file("skymatch", "sky")}
    trail["notes"] += run.doubts(trail["product"], made_by, makers)
    frames = trail["frames"]
    missing = sorted({frame["file"] for frame in frames if frame["pixels"] is None})
    trail["notes"] += [f"missing: {file}" for file in missing if f"missing: {file}" not in trail["notes"]]
    trail["sum"] = _sum(frames)
    if trail["sum"] is None:
        return trail
    trail["agrees"] = _agree(trail["values"], trail["sum"], frames)
    if "CON" in trail["values"]:
        trail["sum"]["CON"] = [
            frame["bit"] for frame in frames if any(not pixel["why"] for pixel in frame["pixels"])
        ]
        trail["agrees"] = trail["agrees"] and trail["sum"]["CON"] == trail["values"]["CON"]
    if not trail["agrees"]:
        trail["notes"].append(STALE)
    return trail


def _sum(frames) -> dict | None:
    """Return weight and value of some frames together; None if a file is missing."""
    if any(frame["pixels"] is None for frame in frames):
        return None
    weight = sum(frame["weight"] for frame in frames)
    if not weight:
        return {"WHT": 0.0, "SCI": float("nan")}
    return {
        "WHT": weight,
        "SCI": sum(frame["weight"] * frame["value"] for frame in frames if frame["weight"]) / weight,
    }


def _agree(held: dict, made: dict | None, frames) -> bool | None:
    """Tell whether WHT and SCI are those of the sum; without weight, SCI is a fill value and is ignored."""
    if made is None:
        return None
    parts = [abs(pixel["value"]) for frame in frames for pixel in frame["pixels"] if not pixel["why"]]
    return _close(held["WHT"], made["WHT"]) and (
        not made["WHT"] or _close(held["SCI"], made["SCI"], max(parts, default=0.0))
    )


def _close(held: float, made: float, scale: float = 0.0) -> bool:
    """Tell whether two numbers are equal but for the rounding of float32.

    The rounding is relative to the numbers or, where terms of a sum cancel, to the largest term (`scale`).
    """
    if np.isnan(held) or np.isnan(made):
        return bool(np.isnan(held) and np.isnan(made))
    return bool(abs(held - made) <= TOLERANCE * max(abs(held), abs(made), scale))
