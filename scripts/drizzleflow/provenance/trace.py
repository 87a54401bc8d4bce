"""How one pixel of a product came to be: which pixels of which members fell on it, with which weights, and
which did not count.

The numbers are the workflow's own: the same pixel maps, weights and sky levels, and
`drizzleflow.resample.Resample` on the few pixels around the one asked for. What they add up to is compared
with what the product holds.
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

TOLERANCE = 1e-5  #: relative; float32 sums in another order
STALE = "stale: the product does not hold what the files beside it make"


def trace(product, x: int, y: int) -> dict:
    """The members, pixels, weights and masks behind a pixel.

    Parameters
    ----------
    product : path
        A mosaic (``{product}_i2d.fits``), a median or a single, in the folder that the run made.
    x, y : int
        Column and row of the product's own pixels, 0-based: (0, 0) is the first.

    Returns
    -------
    dict
        ``product``, ``kind`` (mosaic, median, single), ``pixel`` [x, y], ``grid`` [column, row] of the
        association's grid (None without resampling), ``sky`` [RA, Dec] in degrees, ``unit``, ``values`` (what
        the file holds: SCI, WHT ...; of CON the numbers of the frames), ``sum`` (what the listed pixels give;
        None where files are missing), ``agrees``, ``notes`` (what is stale, altered or missing, one line
        each), and

        of a mosaic and a single ``frames``: a dict for each frame that can reach the pixel: ``member``,
        ``extver``, ``group``, ``file``, ``source`` and its ``sha256``, ``mask``, ``window`` [x0, x1, y0, y1]
        on the grid, ``sky`` (the level that was subtracted, in the file's unit; None where none was), ``bit``
        and ``in_context`` (of a mosaic's CON), ``weight`` and ``value`` (of its part of the sum), and
        ``pixels``: dicts of ``x``, ``y`` (0-based, of the detector), ``overlap`` (of the drop with the output
        pixel, as drizzle weighs it), ``weight``, ``data`` in the file's unit, ``value`` in the product's
        without the sky, ``dq``, ``why`` it does not count (empty: it does);

        of a median ``images``: ``file``, ``value``, ``weight``, ``threshold`` (of the weight), ``used``,
        ``agrees`` and ``frames``.

    Raises
    ------
    InputError
        Not a product of a run, a pixel outside it, or tables that the trace needs are gone.
    """
    run, kind = Run.of(product)
    found = {"mosaic": _mosaic, "median": _median, "single": _single}[kind](
        run, os.path.abspath(product), int(x), int(y)
    )
    return found | {"product": os.fspath(product)}


def _mosaic(run: Run, path: str, x: int, y: int) -> dict:
    found, grid = _begin(run, "mosaic", path, x, y), _grid(run)
    jobs = [name for name in ("mosaic", "mosaic_band/0000") if (run.folder / f"record/{name}.json").is_file()]
    lattices, static = (
        [p for name in jobs for p in run.inputs(name, *where)]
        for where in (("footprint", "lattices"), ("static_mask", "static"))
    )
    files = {
        "lattices": list(dict.fromkeys(lattices)),
        "static": static[:1],
        "sky": run.file("skymatch", "sky"),
    }
    drops = Drops(run, grid, run.options("mosaic"), "mosaic", **files)
    bit, context = 0, found["values"].get("CON")
    members = run.file("members", "table")
    crfs = [os.fspath(crf) for crf in run.inputs("mosaic", "crmask", "crf")]
    for source, member in zip(read_members(members), read_members(members, crfs), strict=True):
        for extver in range(1, member["nframes"] + 1):
            frame = drops.frame(_beside(run, member), extver, x, y, run.path(source["path"]))
            if frame is not None:
                found["frames"].append(
                    {**frame, "bit": bit, "in_context": None if context is None else bit in context}
                )
            bit += 1
    makers = {f"crmask/{frame['member']}": run.folder / frame["file"] for frame in found["frames"]}
    return _end(run, found, "mosaic", makers)


def _single(run: Run, path: str, x: int, y: int) -> dict:
    name, found = _record_of(run, path), _begin(run, "single", path, x, y)
    found["frames"] = _frames(run, name, found["grid"], found["pixel"])
    return _end(run, found, name, {})


def _median(run: Run, path: str, x: int, y: int) -> dict:
    found, settings = _begin(run, "median", path, x, y), run.options("median")["median"]
    files, images = run.inputs("median", "single_drizzle", "single"), []
    column, row = found["grid"] or found["pixel"]
    one = Window.placed((1, 1), (column, row))
    alone = Parameters.of({**settings, "combine_type": "median", "combine_nlow": 0, "combine_nhigh": 0})
    for file in files:
        if not file.is_file():
            continue  # told below
        image = Windowed.open(file, threshold_of=settings["threshold_of"])
        images.append(image)
        if image.window.holds(column, row):
            x, y = column - image.window.x0, row - image.window.y0
            held = {plane: float(image.read(plane, y, y + 1)[0, x]) for plane in ("SCI", "WHT")}
            frames = _frames(run, _record_of(run, file), found["grid"], [x, y])
            found["images"].append(
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
    found["notes"] += run.doubts(path, "median", {_record_of(run, file): file for file in files})
    if len(images) == len(files):
        made = median_image(images, one, Parameters.of(settings))
        found["sum"] = {"SCI": float(made.sci[0, 0]), "NUSED": int(made.nused[0, 0])}
        found["agrees"] = all(_close(found["values"][key], value) for key, value in found["sum"].items())
        if not found["agrees"]:
            found["notes"].append(STALE)
    return found


def _record_of(run: Run, single) -> str:
    return run.record_of(single, "single_drizzle", "single")


def _grid(run: Run) -> Grid:
    path = run.file("grid", "grid")
    if not path.is_file():
        raise InputError(f"{path}: gone; run snakemake again")
    return Grid.load(path)


def _beside(run: Run, member: dict) -> dict:
    """A member whose files beside it are where they are now."""
    return {**member, **{key: os.fspath(run.path(member[key])) for key in ("dq", "ivar") if member[key]}}


def _frames(run: Run, name: str, grid, pixel) -> list[dict]:
    """The frames of the single with the record `name`, at a pixel of the grid, or without resampling at its
    own.
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
    """What the product itself holds at the pixel."""
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
    """Numbers of the frames whose bits are set in the planes of a pixel's context."""
    planes = [int(plane) & 0xFFFFFFFF for plane in np.atleast_1d(planes)]
    return [32 * number + bit for number, plane in enumerate(planes) for bit in range(32) if plane >> bit & 1]


def _end(run: Run, found: dict, made_by: str, makers: dict) -> dict:
    """The sum of all frames, compared with the product."""
    makers = makers | {"grid": run.file("grid", "grid"), "skymatch": run.file("skymatch", "sky")}
    found["notes"] += run.doubts(found["product"], made_by, makers)
    frames = found["frames"]
    missing = sorted({frame["file"] for frame in frames if frame["pixels"] is None})
    found["notes"] += [f"missing: {file}" for file in missing if f"missing: {file}" not in found["notes"]]
    found["sum"] = _sum(frames)
    if found["sum"] is None:
        return found
    found["agrees"] = _agree(found["values"], found["sum"], frames)
    if "CON" in found["values"]:
        found["sum"]["CON"] = [
            frame["bit"] for frame in frames if any(not pixel["why"] for pixel in frame["pixels"])
        ]
        found["agrees"] = found["agrees"] and found["sum"]["CON"] == found["values"]["CON"]
    if not found["agrees"]:
        found["notes"].append(STALE)
    return found


def _sum(frames) -> dict | None:
    """Weight and value of some frames together; None where a file is missing."""
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
    """Whether WHT and SCI are those of the sum; SCI only where there is weight: elsewhere it is a fill value."""
    if made is None:
        return None
    parts = [abs(pixel["value"]) for frame in frames for pixel in frame["pixels"] if not pixel["why"]]
    return _close(held["WHT"], made["WHT"]) and (
        not made["WHT"] or _close(held["SCI"], made["SCI"], max(parts, default=0.0))
    )


def _close(held: float, made: float, scale: float = 0.0) -> bool:
    """Whether two numbers are one up to float32's rounding, relative to them or, in a sum that cancels, to
    its largest part.
    """
    if np.isnan(held) or np.isnan(made):
        return bool(np.isnan(held) and np.isnan(made))
    return bool(abs(held - made) <= TOLERANCE * max(abs(held), abs(made), scale))
