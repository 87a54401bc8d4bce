"""Find the pixels of a frame that fall on one pixel of the grid, with the weights that drizzle gives them."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from drizzleflow import formats
from drizzleflow.arrays.dq import good_mask_value
from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.groups import group_of
from drizzleflow.frames.window import Window
from drizzleflow.io.fits import open_fits
from drizzleflow.jobs.reader import FrameReader
from drizzleflow.resample import single
from drizzleflow.resample.drizzle_window import IMAGE_ONLY, WindowDrizzle

MARGIN = (
    3  #: px added around the pixels that may fall on it; drop corners are interpolated between neighbours
)


class Drops:
    """What each frame contributes to a pixel of the grid, with the settings of one step.

    Parameters
    ----------
    run : drizzleflow.provenance.run.Run
    grid : Grid
    options : dict
        The options of the step's job: the sections `step`, ``grid`` and ``simple``.
    step : 'mosaic' or 'single_drizzle'
    lattices, static : list of path
    sky : path
        As for `drizzleflow.jobs.reader.FrameReader`.

    Raises
    ------
    InputError
        The files of lattices or sky levels do not exist.
    """

    def __init__(self, run, grid, options: dict, step: str, *, lattices, static, sky):
        gone = [path for path in (*lattices, *static, sky) if not os.path.exists(path)]
        if gone:
            raise InputError(f"{gone[0]}: gone; run snakemake again")
        self.run, self.grid, self.options, self.settings = run, grid, options, options[step]
        self.flags_count = step == "mosaic"  # single drizzles are made before outliers are flagged
        self.reader = FrameReader(options, step, grid=grid, lattices=lattices, sky=sky, static=static)

    def frame(self, member: dict, extver: int, x: int, y: int, source) -> dict | None:
        """Return what a frame contributes to grid pixel (x, y); None if it cannot reach that pixel.

        `drizzleflow.provenance.trace.trace` describes the keys of the dict.

        Parameters
        ----------
        member : dict
            A row of members.csv; ``path`` is the file to read, for a mosaic the flagged copy.
        source : path
            The member's raw file.
        """
        reader = self.reader
        window = reader.window(reader.lattice(member, extver))
        if not window.holds(x, y):
            return None
        described = self._describe(member, extver, window, source)
        if not os.path.exists(member["path"]):
            return described
        module = formats.get(member["format"])
        flags = {"good_bits": self._good_bits(member), "flags": module.DQ_FLAGS}
        drizzle = self._onto(x, y, self.settings, **flags)
        rows = drizzle.rows_of(reader.lattice(member, extver))
        frame, level = reader.frame(member, extver, rows=rows), reader.level(member, extver)
        pixmap = reader.pixmap(frame, rows)
        patch = _patch(pixmap, drizzle.near)
        if patch is None:
            return None
        frame, pixmap = frame.cut(*patch), pixmap[tuple(slice(*edges) for edges in patch)]
        first, left = rows[0] + patch[0][0], patch[1][0]
        weights, values = drizzle.weight_of(frame), frame.to_product(frame.data)
        if level is not None:
            values = values - np.float32(frame.to_product(level))
        why = self._reasons(member, frame, extver, weights, (first, left))
        pixels = []
        for (j, i), overlap in self._overlaps(pixmap, x, y).items():
            pixels.append(
                {
                    "x": int(left + i),
                    "y": int(first + j),
                    "overlap": overlap,
                    "weight": float(weights[j, i]),
                    "data": float(frame.data[j, i]),
                    "value": float(values[j, i]),
                    "dq": None if frame.dq is None else int(frame.dq[j, i]),
                    "why": why(j, i),
                }
            )
        return described | {"sky": level, **_added(pixels)}

    def unresampled(self, member: dict, extver: int, x: int, y: int, source) -> dict:
        """Return the pixel itself, of a frame that is stacked without resampling.

        Its sky is subtracted where exposures are compared with the others.
        """
        described = self._describe(member, extver, None, source)
        if not os.path.exists(member["path"]):
            return described
        frame = self.reader.frame(member, extver)
        module, bits = formats.get(member["format"]), self._good_bits(member)
        level = self.reader.level(member, extver) if self.reader.options.get("subtract") else None
        made = single.unresampled(frame, level, self.settings, good_bits=bits, flags=module.DQ_FLAGS)
        why = self._reasons(member, frame, extver, made.wht, (0, 0))
        pixel = {
            "x": x,
            "y": y,
            "overlap": 1.0,
            "weight": float(made.wht[y, x]),
            "data": float(frame.data[y, x]),
            "value": float(made.sci[y, x]),
            "dq": None if frame.dq is None else int(frame.dq[y, x]),
            "why": why(y, x),
        }
        return described | {"sky": level, **_added([pixel])}

    def _describe(self, member, extver, window, source) -> dict:
        name, mask = member["member"], self.run.file("crmask", "mask", member=member["member"])
        return {
            "member": name,
            "extver": extver,
            "group": group_of(member, extver),
            "file": self.run.name(member["path"]),
            "source": os.fspath(source),
            "sha256": self.reader.sha256(member),
            "mask": self.run.name(mask) if self.flags_count else None,
            "window": window and list(window),
            "sky": None,
            "weight": None,
            "value": None,
            "pixels": None,
        }

    def _good_bits(self, member):
        module = formats.get(member["format"])
        return formats.good_bits(
            module, "mosaic" if self.flags_count else "single", self.settings["good_bits"]
        )

    def _onto(self, x: int, y: int, settings: dict, **flags) -> WindowDrizzle:
        """Return the drizzle of the step, of the image alone, onto one pixel of the grid."""
        pad, box = self.options["grid"]["pad"], Window.placed((1, 1), (x, y))
        return WindowDrizzle(self.grid, box, settings | IMAGE_ONLY, pad=pad, **flags)

    def _overlaps(self, pixmap, x: int, y: int) -> dict:
        """Map (row, column) to the overlap with grid pixel (x, y); each pixel is drizzled alone, weight 1."""
        alone = self._onto(x, y, self.settings | {"weight_type": "exptime"})
        shape, overlaps = pixmap.shape[:2], {}
        data = np.full(shape, np.nan, np.float32)  # a pixel that is NaN has no weight
        frame = Frame("one pixel", 1, "1", shape, data=data, exposure_time=1.0)
        for j, i in np.argwhere(_reaching(pixmap, alone.near)):
            alone.restart()
            data[j, i] = 1
            alone.add(frame, pixmap.copy(), None)
            data[j, i] = np.nan
            overlap = float(alone.weight[0, 0])
            if overlap:
                overlaps[int(j), int(i)] = overlap
        return overlaps

    def _reasons(self, member, frame, extver, weights, origin) -> Callable[[int, int], str]:
        """Return a function (row, column) -> why that pixel of a patch does not count; "" if it does.

        `origin` is the detector (row, column) of the patch's first pixel.
        """
        module = formats.get(member["format"])
        data, dq = frame.data, frame.dq
        place = tuple(slice(first, first + n) for first, n in zip(origin, data.shape, strict=True))
        good = good_mask_value(self._good_bits(member), module.DQ_FLAGS)
        outlier = formats.outlier_bits(module, formats.reading(self.options))
        static, mask = self.reader.masks.of(member, frame), self._outliers(member, extver, place)

        def why(j, i):
            if weights[j, i] > 0 and np.isfinite(data[j, i]):
                return ""
            said = ["outlier"] if mask is not None and mask[j, i] else []
            bad = 0 if dq is None or good is None else int(dq[j, i]) & ~good & 0xFFFFFFFF
            bad &= ~outlier if said else 0xFFFFFFFF
            names = {bit: name for name, bit in module.DQ_FLAGS.items()}
            said += [f"DQ {names.get(1 << bit, 1 << bit)}" for bit in range(32) if bad >> bit & 1]
            if static is not None and not static[place][j, i]:
                said.append("static mask")
            return ", ".join(said or ["no value" if not np.isfinite(data[j, i]) else "no weight"])

        return why

    def _outliers(self, member, extver, place):
        path = self.run.file("crmask", "mask", member=member["member"])
        if not self.flags_count or not path.is_file():
            return None
        with open_fits(path) as hdus:
            if member["cube"]:
                return hdus["CRMASK"].section[(extver - 1, *place)] != 0
            return hdus["CRMASK", extver].section[place] != 0


def _reaching(pixmap, window: Window) -> np.ndarray:
    """Mark the pixels whose centres lie between those of a window's outermost pixels: bool (ny, nx)."""
    x, y = pixmap[..., 0], pixmap[..., 1]
    with np.errstate(invalid="ignore"):
        return (x >= window.x0) & (x <= window.x1 - 1) & (y >= window.y0) & (y <= window.y1 - 1)


def _patch(pixmap, window: Window):
    """Return ((first row, end), (first column, end)) of the pixels that may fall in a window, or None."""
    rows, columns = np.nonzero(_reaching(pixmap, window))
    if not len(rows):
        return None
    return tuple((max(0, int(k.min()) - MARGIN), int(k.max()) + MARGIN + 1) for k in (rows, columns))


def _added(pixels) -> dict:
    """Return the pixels, the sum of their weights and their weighted mean (NaN if the sum is 0)."""
    parts = [(pixel["overlap"] * pixel["weight"], pixel["value"]) for pixel in pixels if not pixel["why"]]
    weight = sum(part for part, _ in parts)
    value = sum(part * value for part, value in parts) / weight if weight else float("nan")
    return {"weight": weight, "value": value, "pixels": pixels}
