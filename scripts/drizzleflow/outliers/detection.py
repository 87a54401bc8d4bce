"""Outlier detection (seed 000): the names of the seed, and its steps one after another on frames in memory.

The workflow does the same on disk, a file a step; both call the same functions.
"""

from __future__ import annotations

import numpy as np

from drizzleflow import formats
from drizzleflow.arrays.morphology import abs_deriv, dilate
from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import median_image
from drizzleflow.frames.windowed import union
from drizzleflow.geometry import footprint
from drizzleflow.geometry.build_grid import build
from drizzleflow.geometry.lattice import Lattice
from drizzleflow.geometry.pixmap import exact, from_lattice
from drizzleflow.outliers import blot
from drizzleflow.outliers.thresholds import (
    flag_cr,
    flag_crs,
    flag_resampled_crs,
    noise,
    pair,
)
from drizzleflow.resample import single

__all__ = [
    "OutlierDetection",
    "abs_deriv",
    "dilate",
    "flag_cr",
    "flag_crs",
    "flag_resampled_crs",
    "noise",
    "pair",
]

GRID = {
    "pixel_scale": None,
    "pixel_scale_ratio": 1.0,
    "rotation": None,
    "crpix": None,
    "crval": None,
    "output_shape": None,
    "output_wcs": None,
    "footprints": "wcs",
}


class OutlierDetection:
    """Flag the outliers of dithered frames in their DQ arrays.

    Parameters
    ----------
    input_models : list of drizzleflow.frames.frame.Frame
        With ``data``, ``err``, ``dq``, the variances that ``weight_type`` asks for, and a WCS. Frames of one ``group``
        were exposed together. `dq` is updated in place by `do_detection`.
    reffiles : optional
        Accepted as the seed has it; nothing is read from it.
    **pars
        ``weight_type`` ('ivm'), ``pixfrac`` (1.0), ``kernel`` ('square'), ``fillval`` ('NAN'), ``maskpt`` (0.7),
        ``snr`` ('5.0 4.0'), ``scale`` ('1.2 0.7'), ``backg`` (0.0), ``resample_data`` (True), ``good_bits`` (the
        format's), ``combine_bufsize`` (1.0), ``format`` ('jwst': whose flags are set), and keys of the ``grid``
        section.

    Raises
    ------
    TypeError
        An unknown parameter.
    """

    defaults = {
        "weight_type": "ivm",
        "pixfrac": 1.0,
        "kernel": "square",
        "fillval": "NAN",
        "maskpt": 0.7,
        "snr": "5.0 4.0",
        "scale": "1.2 0.7",
        "backg": 0.0,
        "resample_data": True,
        "good_bits": "auto",
        "combine_bufsize": 1.0,
        "format": "jwst",
        **GRID,
    }

    def __init__(self, input_models, reffiles=None, **pars):
        unknown = sorted(set(pars) - set(self.defaults))
        if unknown:
            raise TypeError(f"OutlierDetection: unknown parameters {', '.join(unknown)}")
        self.input_models, self.reffiles = list(input_models), reffiles
        self.outlierpars = {**self.defaults, **pars}

    def do_detection(self) -> list[int]:
        """Run all steps; returns the number of outliers of each frame. Fewer than two groups: nothing is flagged."""
        pars, frames = self.outlierpars, self.input_models
        module = formats.get(pars["format"])
        bits = formats.good_bits(module, "single", pars["good_bits"])
        keys = {"good_bits": bits, "flags": module.DQ_FLAGS}
        if pars["resample_data"]:
            target, pixmaps = self._geometry()
            groups = {}
            for index, frame in enumerate(frames):
                groups.setdefault(frame.group, []).append(index)
            if len(groups) < 2:
                return [0] * len(frames)
            by_id = {id(frame): pixmap for frame, pixmap in zip(frames, pixmaps, strict=True)}
            images = [
                single.drizzle(
                    [(frames[i], self._level(frames[i])) for i in members],
                    target,
                    lambda f: by_id[id(f)].copy(),
                    pars,
                    **keys,
                )
                for members in groups.values()
            ]
        else:
            images = [single.unresampled(frame, None, pars, **keys) for frame in frames]
            if len(images) < 2:
                return [0] * len(frames)
        window = union(images)
        how = Parameters(
            combine_type="median", combine_maskpt=pars["maskpt"], combine_bufsize=pars["combine_bufsize"]
        )
        median = median_image(images, window, how).sci
        counts = []
        for index, frame in enumerate(frames):
            snr, scale = pair(pars["snr"], "snr"), pair(pars["scale"], "scale")
            if pars["resample_data"]:
                origin = np.array(window.origin, float)
                blotted = frame.from_product(blot.blot(median, pixmaps[index] - origin))
                level = self._level(frame)
                backg = pars["backg"] if level is None else level
                mask = flag_resampled_crs(frame.data, frame.err, blotted, snr, scale, backg)
            else:
                mask = flag_crs(frame.data, frame.err, frame.from_product(median), snr[0])
            frame.dq[mask] |= np.uint32(module.OUTLIER)
            counts.append(int(np.count_nonzero(mask)))
        return counts

    def _geometry(self):
        wcs = [frame.wcs for frame in self.input_models]
        described = [footprint.describe(w, f.s_region) for w, f in zip(wcs, self.input_models, strict=True)]
        target = build(described, {key: self.outlierpars[key] for key in GRID})
        pixmaps = []
        for one in wcs:
            lattice = Lattice.sample(one)
            good = lattice.error(target) <= 1e-3
            pixmaps.append(from_lattice(lattice, target) if good else exact(one, target))
        return target, pixmaps

    @staticmethod
    def _level(frame):
        return frame.level if frame.subtracted is False else None
