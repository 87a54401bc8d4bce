"""Which pixels of a frame fall on one pixel of the grid, with the very weights that drizzle gives them."""

from __future__ import annotations

import os

import numpy as np

from drizzleflow import formats
from drizzleflow.arrays.dq import good_mask_value
from drizzleflow.errors import InputError
from drizzleflow.frames.variances import add_sky_variance
from drizzleflow.geometry.pixmap import shift
from drizzleflow.io.fits import open_fits
from drizzleflow.jobs.inputs import MosaicInputs
from drizzleflow.outliers.static_mask import signature
from drizzleflow.resample import single
from drizzleflow.resample.kernels import kernel_reach
from drizzleflow.resample.models import frame_model
from drizzleflow.resample.resample import Resample

MARGIN = 3  #: pixels around those that may fall on it: a drop's corners are interpolated between neighbours


class Drops:
    """What frames give to a pixel of the grid, by the settings of one step.

    Parameters
    ----------
    run : drizzleflow.provenance.run.Run
    grid : Grid
    options : dict
        Those of the step's job: the section `step`, ``grid`` and ``simple``.
    step : 'mosaic' or 'single_drizzle'
    files : object
        As for `drizzleflow.jobs.inputs.MosaicInputs`.

    Raises
    ------
    InputError
        Lattices or sky levels are gone.
    """

    def __init__(self, run, grid, options: dict, step: str, files):
        gone = [path for path in (*files.lattices, *files.static, files.sky) if not os.path.exists(path)]
        if gone:
            raise InputError(f"{gone[0]}: gone; run snakemake again")
        self.run, self.grid, self.options, self.settings = run, grid, options, options[step]
        self.flags_count = step == "mosaic"  # singles are made before anything is flagged
        self.reach = kernel_reach(self.settings["kernel"], grid.coarsest)
        self.inputs = MosaicInputs(files, grid, {**options, "mosaic": self.settings})

    def frame(self, member: dict, extver: int, x: int, y: int, source) -> dict | None:
        """What a frame gives to grid pixel (x, y), as `drizzleflow.provenance.trace.trace` lists it; None where it cannot reach it.

        Parameters
        ----------
        member : dict
            Of members.csv; ``path`` is the file to read, the flagged copy for a mosaic.
        source : path
            The member's raw file.
        """
        lattice = self.inputs.lattices.lattice(member["member"], extver)
        x0, x1, y0, y1 = window = self.inputs.window(lattice)
        if not (x0 <= x < x1 and y0 <= y < y1):
            return None
        found = self._describe(member, extver, window, source)
        if not os.path.exists(member["path"]):
            return found
        rows = lattice.rows_meeting(self.grid, y - self.reach, y + self.reach + 1)
        frame, pixmap, level = self.inputs.read(member, extver, self._planes(member), lambda _: rows)
        with np.errstate(invalid="ignore"):
            near = (np.abs(pixmap[..., 0] - x) <= self.reach) & (np.abs(pixmap[..., 1] - y) <= self.reach)
        js, columns = np.nonzero(near)
        if not len(js):
            return None
        top, left = max(0, js.min() - MARGIN), max(0, columns.min() - MARGIN)
        patch = np.s_[top : js.max() + MARGIN + 1, left : columns.max() + MARGIN + 1]
        data = frame.data[patch]
        model = {
            key: np.ascontiguousarray(value[patch]) if isinstance(value, np.ndarray) else value
            for key, value in frame_model(frame, pixmap, level).items()
        }
        weights = self._resample(member).build_weight(model)
        values = model["data"] if level is None else model["data"] - np.float32(model["level"])
        first = rows[0] + top
        place = np.s_[first : first + len(data), left : left + data.shape[1]]
        why = self._reasons(member, frame, extver, data, model["dq"], weights, place)
        pixels = []
        for (j, i), overlap in self._overlaps(model["pixmap"], near[patch], x, y).items():
            pixels.append(
                {
                    "x": int(left + i),
                    "y": int(first + j),
                    "overlap": overlap,
                    "weight": float(weights[j, i]),
                    "data": float(data[j, i]),
                    "value": float(values[j, i]),
                    "dq": None if model["dq"] is None else int(model["dq"][j, i]),
                    "why": why(j, i),
                }
            )
        return found | {"sky": level, **_added(pixels)}

    def unresampled(self, member: dict, extver: int, x: int, y: int, source) -> dict:
        """The pixel itself, of a frame that is stacked as it is; nothing is subtracted."""
        found = self._describe(member, extver, None, source)
        if not os.path.exists(member["path"]):
            return found
        planes, settings = self._planes(member), self.settings
        frame = formats.read(member, extver, planes, self.options["simple"]).on_grid(self.grid)
        self.inputs.static.apply(member, frame)
        if settings["weight_type"] == "ivm-sky":
            add_sky_variance(frame)
        module, bits = formats.get(member["format"]), self._good_bits(member)
        made = single.unresampled(frame, None, settings, good_bits=bits, flags=module.DQ_FLAGS)
        why = self._reasons(member, frame, extver, frame.data, frame.dq, made.wht, np.s_[:, :])
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
        return found | _added([pixel])

    def _describe(self, member, extver, window, source) -> dict:
        name, mask = member["member"], self.run.file("crmask", "mask", member=member["member"])
        return {
            "member": name,
            "extver": extver,
            "group": member["group"],
            "file": self.run.name(member["path"]),
            "source": os.fspath(source),
            "sha256": self.inputs.lattices.sha256(name),
            "mask": self.run.name(mask) if self.flags_count else None,
            "window": window and list(window),
            "sky": None,
            "weight": None,
            "value": None,
            "pixels": None,
        }

    def _planes(self, member) -> tuple[str, ...]:
        if self.settings["weight_type"] == "exptime":
            return ("data", "dq")
        return (
            ("data", "dq", "var", "err") if formats.get(member["format"]).ERR_ALONE else ("data", "dq", "var")
        )

    def _good_bits(self, member):
        module = formats.get(member["format"])
        return formats.good_bits(
            module, "mosaic" if self.flags_count else "single", self.settings["good_bits"]
        )

    def _resample(self, member, box=(0, 1, 0, 1)) -> Resample:
        """The step's own resampling, onto a box of the grid."""
        s, grid = self.settings, self.grid
        made = Resample(
            {
                "wcs": grid.window(*box),
                "pixel_scale": grid.pixel_scale,
                "pixel_scale_ratio": grid.pixel_scale_ratio,
            },
            pixfrac=s["pixfrac"],
            kernel=s["kernel"],
            fillval=s["fillval"],
            weight_type=s["weight_type"] if member else "exptime",
            good_bits=self._good_bits(member) if member else None,
            enable_ctx=False,
            enable_var=False,
        )
        made.dq_flag_name_map = formats.get(member["format"]).DQ_FLAGS if member else None
        return made

    def _overlaps(self, pixmap, near, x: int, y: int) -> dict:
        """(row, column) -> overlap with grid pixel (x, y), of those `near` pixels that have one: each drizzled alone, with weight 1."""
        ny, nx = self.grid.shape
        outer = (
            self.reach if self.options["grid"]["pad"] else 0
        )  # beyond the grid's edge the step has dropped pixels
        x0, x1 = max(x - self.reach, -outer), min(x + self.reach + 1, nx + outer)
        y0, y1 = max(y - self.reach, -outer), min(y + self.reach + 1, ny + outer)
        alone = self._resample(None, (x0, x1, y0, y1))
        pixmap = shift(pixmap.copy(), x0, y0)
        known = dict.fromkeys(("dq", "start_time", "end_time", "duration", "pixelarea_steradians", "level"))
        known |= {
            "filename": "one pixel",
            "group_id": "1",
            "exposure_time": 1.0,
            "measurement_time": 1.0,
            "subtracted": True,
        }
        found, data = {}, np.full(near.shape, np.nan, np.float32)  # no weight where there is no value
        for j, i in zip(*np.nonzero(near), strict=True):
            alone.reset_arrays()
            data[j, i] = 1
            alone.add_model({**known, "data": data, "pixmap": pixmap})
            data[j, i] = np.nan
            overlap = float(alone.output_model["wht"][y - y0, x - x0])
            if overlap:
                found[int(j), int(i)] = overlap
        return found

    def _reasons(self, member, frame, extver, data, dq, weights, place):
        """A function of (row, column) that says why a pixel does not count, "" where it does; `place`: of the arrays on the detector."""
        module, simple = formats.get(member["format"]), self.options["simple"]
        good = good_mask_value(self._good_bits(member), module.DQ_FLAGS)
        outlier = formats.outlier_bits(module, simple)
        static, mask = (
            self.inputs.static.good.get(signature(member, frame)),
            self._outliers(member, extver, place),
        )

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


def _added(pixels) -> dict:
    """The pixels, the sum of their weights, and their weighted mean (NaN without weight)."""
    parts = [(pixel["overlap"] * pixel["weight"], pixel["value"]) for pixel in pixels if not pixel["why"]]
    weight = sum(part for part, _ in parts)
    value = sum(part * value for part, value in parts) / weight if weight else float("nan")
    return {"weight": weight, "value": value, "pixels": pixels}
