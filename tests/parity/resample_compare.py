"""Our class and the peer's on the same models: what differs, pixel by pixel and key by key.

Imported by `peer_resample` and `resample_apart`, by the *peer's* interpreter.
"""

import functools
import itertools
import time
from dataclasses import replace
from unittest import mock

import numpy as np
import stcal.resample.resample as peer_module
from compare import DUST, LIMIT, bits
from drizzle.resample import Drizzle
from resample_cases import FLAG_MAPS, VARIANCES

from drizzleflow.resample import Resample

PLANES = ("data", "wht", "err", *VARIANCES)
ATTRIBUTES = (
    "compute_err",
    "enable_ctx",
    "enable_var",
    "group_ids",
    "output_array_shape",
    "output_pixel_scale",
    "pixel_scale_ratio",
    "propagate_dq",
)
#: positions differ by this much: ours are rounded to 2^-32 px, and two ways through the same WCS round
#: differently
QUANTUM = 3e-10
MOVES = [QUANTUM * np.array(signs) for signs in itertools.product((1, -1), repeat=2)]


class Peer(peer_module.Resample):
    """The peer's class; the hook also notes each input's own weight on the output, and drizzles ERR, which
    differences are measured with.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.alone, self.noise = [], self.empty()

    def empty(self):
        return Drizzle(kernel=self.kernel, out_shape=self.output_array_shape, fillval=0, disable_ctx=True)

    def add_model_hook(self, model, pixmap, pixel_scale_ratio, iscale, weight_map, xmin, xmax, ymin, ymax):
        for driz in (alone := self.empty(), self.noise):
            driz.add_image(
                model["err"],
                model["exposure_time"],
                pixmap,
                pixel_scale_ratio=pixel_scale_ratio,
                weight_map=weight_map,
                pixfrac=self.pixfrac,
                xmin=xmin,
                xmax=xmax,
                ymin=ymin,
                ymax=ymax,
            )
        self.alone.append(alone.out_wht)

    def error(self):
        """ERR, finite: that of the product, or if it has none the drizzled errors of the inputs."""
        error = self.output_model.get("err")
        error = self.noise.out_img / np.float32(self.pixel_scale_ratio) if error is None else error
        return np.abs(np.nan_to_num(error, posinf=0, neginf=0)).astype(float)


def run(cls, case, **more):
    """All models of a case through a class; the finalized object."""
    resample = cls(case.output, **{**case.options, **more})
    resample.dq_flag_name_map = FLAG_MAPS.get(case.flag_map)
    for model in case.models:
        resample.add_model(model)
    resample.finalize()
    return resample


def run_moved(case, move, ratio, cls):
    """The peer with every position moved by `move`, (x, y) px, and with this pixel scale ratio."""
    exact = peer_module.calc_pixmap
    moved = replace(case, output={**case.output, "pixel_scale_ratio": ratio})
    with mock.patch.object(peer_module, "calc_pixmap", lambda *args, **kwargs: exact(*args, **kwargs) + move):
        return run(cls, moved)


def relative(ours, theirs, floor):
    """|difference| in units of max(|value|, floor); infinite where one alone is NaN, or where the unit is 0."""
    nan_a, nan_b = np.isnan(ours), np.isnan(theirs)
    apart = np.abs(ours.astype(float) - theirs)
    unit = np.maximum(np.abs(theirs.astype(float)), floor)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(apart > 0, apart / unit, 0.0)
    return np.where(nan_a | nan_b, np.where(nan_a != nan_b, np.inf, 0.0), found)


def differences(ours, theirs, moved):
    """name -> figures of each plane that either product has.

    Each pixel is of one kind: nothing falls on it (``empty``: the planes must be the same bits), its weight
    is dust (``dust``: it counts for nothing), or it has data. Pixels of the last kind whose figure is above
    `LIMIT` are looked at again (``unsteady``) if the peer's own value moves as far when its positions do by
    `QUANTUM`, or when it is given our pixel scale ratio (the two are compared elsewhere; lanczos kernels are
    tables, whose steps a position may just pass).
    """
    a, b = ours.output_model, theirs.output_model
    error = theirs.error()
    floors = {"data": error, "err": error, "wht": 0.0, **dict.fromkeys(VARIANCES, error**2)}
    empty = (a["wht"] == 0) & (b["wht"] == 0)
    dust = ~empty & ((np.abs(a["wht"]) <= DUST) | (np.abs(b["wht"]) <= DUST))
    found = {}
    for name in PLANES:
        if a.get(name) is None or b.get(name) is None:
            if a.get(name) is not b.get(name):
                found[name] = {"missing": "ours" if a.get(name) is None else "peer's"}
            continue
        figure = relative(a[name], b[name], floors[name])
        bad = (figure > LIMIT) & ~empty & ~dust
        unsteady = np.zeros_like(bad)
        if bad.any():
            moves = [relative(other[name], b[name], floors[name]) for other in moved()]
            unsteady = bad & (np.max(moves, axis=0) > LIMIT)
        kept = np.where(empty | dust | unsteady, 0.0, figure)
        where = np.unravel_index(np.argmax(kept), kept.shape)
        same = (a[name] == b[name]) | (np.isnan(a[name]) & np.isnan(b[name]))
        found[name] = {
            "max": float(kept[where]),
            "where": [int(n) for n in where],
            "above": int((kept > LIMIT).sum()),
            "values": [float(a[name][where]), float(b[name][where])],
            "pixels": int((~empty & ~dust).sum()),
            "dust": int(dust.sum()),
            "unsteady": int(unsteady.sum()),
            "empty": int(empty.sum()),
            "empty_differs": int((empty & ~same).sum()),
            "empty_ours_nan": bool(np.isnan(a[name][empty]).all()),
        }
    return found


def flag_differences(ours, theirs, with_drops):
    """CON bit by bit where the input's own weight is above `DUST`; and DQ.

    On an exactly aligned grid rounding tells whether neighbouring pixels touch. So a DQ counts as different
    (``differ``) unless it is one that the peer may give: with each bit of drops that are smaller by a trifle,
    and no bit but those of drops that are larger by as much; ``unsteady`` counts such pixels.
    """
    a, b = ours.output_model, theirs.output_model
    found = {}
    for name in ("con", "dq"):
        if a[name] is None or b[name] is None:
            if a[name] is not b[name]:
                found[name] = {"missing": "ours" if a[name] is None else "peer's"}
            continue
        kinds = [f"{value.dtype} {value.shape}" for value in (a[name], b[name])]
        found[name] = {"kinds": kinds, "differ": 0, "set": int(np.count_nonzero(b[name]))}
        if kinds[0] == kinds[1]:
            found[name] |= (
                context(a["con"], b["con"], theirs.alone)
                if name == "con"
                else quality(a["dq"], b["dq"], with_drops)
            )
    return found


def context(ours, peers, weights):
    figures = {"differ": 0, "dust": 0}
    for index, weight in enumerate(weights):
        heavy, wrong = np.abs(weight) > DUST, bits(ours, index) != bits(peers, index)
        figures["differ"] += int((wrong & heavy).sum())
        figures["dust"] += int((wrong & ~heavy).sum())
    return figures


def quality(ours, peers, with_drops):
    wrong = ours != peers
    allowed = np.zeros_like(wrong)
    if wrong.any():
        least, most = (with_drops(sign)["dq"] for sign in (-1, 1))
        allowed = ((least & ~ours) == 0) & ((ours & ~most) == 0)
    return {"differ": int((wrong & ~allowed).sum()), "unsteady": int((wrong & allowed).sum())}


def plain(value):
    """A value of the product's dictionary, or an attribute, that JSON knows."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def metadata(ours, theirs):
    """key -> [ours, the peer's] of all in the peer's product that is no array; and attributes."""
    a, b = ours.output_model, theirs.output_model
    arrays = {"wcs", "con", "dq", *PLANES}
    found = {
        key: [plain(a[key]) if key in a else "(no such key)", plain(b[key])] for key in b if key not in arrays
    }
    found["(arrays)"] = [sorted(key for key in arrays if key in product) for product in (a, b)]
    found["(same wcs)"] = [a["wcs"] is ours.output_wcs, b["wcs"] is theirs.output_wcs]
    return found | {
        f".{name}": [plain(getattr(ours, name)), plain(getattr(theirs, name))] for name in ATTRIBUTES
    }


def state(case):
    """What of the caller's models must be as it was."""
    arrays = [
        {key: value.tobytes() for key, value in m.items() if isinstance(value, np.ndarray)}
        for m in case.models
    ]
    return arrays, [repr(m["wcs"].bounding_box) for m in (*case.models, case.output)]


def compare_case(case, meant=None, cls=Peer, finish=lambda peer: peer):
    """The row of a case: our product against that of the peer's `cls`.

    Parameters
    ----------
    meant : Case, optional
        What the peer is given, if not `case`.
    finish : callable
        Takes and gives the peer's finalized object.
    """
    meant = meant or case
    begin = time.perf_counter()
    theirs = finish(run(cls, meant))
    between, before = time.perf_counter(), state(case)
    ours = run(Resample, case, variance="reference")

    @functools.cache  # made when they are needed, once
    def neighbours():
        ratios = {theirs.pixel_scale_ratio, ours.pixel_scale_ratio}
        return [finish(run_moved(meant, move, ratio, cls)).output_model for move in MOVES for ratio in ratios]

    def with_drops(sign):
        trifle = 2e-8 + 2 * abs(
            ours.pixel_scale_ratio / theirs.pixel_scale_ratio - 1
        )  # turbo's drops depend on the ratio
        drops = {
            "pixfrac": meant.options["pixfrac"] * (1 + sign * trifle),
            "enable_var": False,
            "compute_err": None,
        }
        return run(Peer, replace(meant, options={**meant.options, **drops})).output_model

    return {
        "number": case.number,
        "words": case.words(),
        "options": case.options,
        "images": len(case.models),
        "flags": case.flag_map,
        "boxes": sum(m["wcs"].bounding_box is not None for m in case.models),
        "ratio": float(theirs.pixel_scale_ratio),
        "untouched": before == state(case),
        "planes": differences(ours, theirs, neighbours),
        "metadata": metadata(ours, theirs),
        **flag_differences(ours, theirs, with_drops),
        "seconds": [between - begin, time.perf_counter() - between],
    }
