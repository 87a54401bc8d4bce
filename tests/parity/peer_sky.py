"""`stcal.skymatch` 1.20.0 and ours on the same images.

Run by the *peer's* interpreter with ``scripts`` in PYTHONPATH.

    python peer_sky.py TABLE.json [FIRST END]

TABLE gets ``drawn``, a row for each configuration, a function of its number alone: levels, validity, pixels
and the triples of `calc_sky` of both; and ``apart``, the answers of both where the peer stops or is wrong.
Nothing is judged here: the limits are in ``test_sky_random.py``.
"""

import itertools
import json
import logging
import math
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import stcal.skymatch as peer
from resample_cases import tangent_wcs

from drizzleflow import sky as ours

SEED = 20261122
SCALE = 2e-4  #: degrees a pixel
METHODS = ("local", "global", "match", "global+match")
PLACES = (
    (150.0, 2.0),
    (0.0, 0.0),
    (0.0, -60.0),
    (359.9999, 30.0),
    (77.0, 89.998),
    (200.0, 90.0),
    (10.0, -90.0),
)
DQ_FLAGS = {"DO_NOT_USE": 1, "SATURATED": 2, "HOT": 2048}
DQBITS = ("~DO_NOT_USE", "SATURATED, HOT", 2048, None, "~DO_NOT_USE+SATURATED")


class Bent:
    """A WCS with a distortion of second order about `crpix`, and its inverse by iteration in pixels: that of
    gwcs works in lon and lat, and does not converge at RA 0 and the poles.
    """

    def __init__(self, wcs, crpix, bend):
        self.wcs, self.crpix, self.bend = wcs, np.reshape(crpix, (2, 1)), np.reshape(bend, (2, 3))

    def shift(self, u):
        return self.bend @ np.array([u[0] ** 2, u[0] * u[1], u[1] ** 2])

    def __call__(self, x, y, with_bounding_box=True):
        u = np.array([x, y], float) - self.crpix
        return self.wcs(*(u + self.shift(u) + self.crpix), with_bounding_box=False)

    def invert(self, lon, lat, with_bounding_box=True):
        straight = np.array(self.wcs.invert(lon, lat, with_bounding_box=False)) - self.crpix
        u = straight
        for _ in range(30):
            u = straight - self.shift(u)
        return tuple(u + self.crpix)


@dataclass
class Case:
    """One configuration: images as dicts of arrays and functions, in groups."""

    number: int
    options: dict  #: `match`'s
    stats: dict  #: `SkyStats`'
    items: list = field(
        default_factory=list
    )  #: a list of images each; of more than one image, or `grouped`: a group
    grouped: list = field(default_factory=list)

    def words(self):
        shapes = [[image["data"].shape for image in item] for item in self.items]
        return f"{self.options} {self.stats} {shapes} grouped {self.grouped}"


def draw(number):
    """Configuration `number`."""
    rng = np.random.default_rng([SEED, number])

    def one(values):
        return values[int(rng.integers(len(values)))]

    method = METHODS[number % 4]
    spelt = one((method, method.upper(), method.title()))
    options = {"skymethod": spelt, "match_down": bool(rng.integers(2)), "subtract": bool(rng.integers(2))}
    base, noise = float(rng.uniform(-2, 20)), float(rng.uniform(0.05, 1))
    skystat, nclip = one(("mean", "median", "mode", "midpt")), int(rng.integers(7))
    stats = {"skystat": skystat, "nclip": nclip, "binwidth": one((0.1, 0.1, 0.3, 0.05))}
    stats |= {
        "lsig": one((4.0, 4.0, 2.5, float(rng.uniform(2, 6)))),
        "usig": one((4.0, 4.0, 2.0, float(rng.uniform(2, 6)))),
    }
    if rng.random() < 0.3 and not (
        skystat == "median" and nclip == 0
    ):  # then the peer ignores them: see `apart`
        stats["lower"] = base - 3 * noise
        if rng.random() < 0.7:
            stats["upper"] = base + 6 * noise
    case = Case(number, options, stats)
    place, turn = PLACES[int(rng.integers(len(PLACES)))], float(rng.choice([0.0, rng.uniform(-np.pi, np.pi)]))
    shape = tuple(int(n) for n in rng.integers(25, 70, 2))
    sets, steps = 2 if rng.random() < 0.25 else 1, rng.random() < 0.3
    for k in range(int(rng.integers(2, 7))):
        crpix = np.array(shape[::-1]) / 2 + rng.uniform(-0.5, 0.5, 2) * shape[::-1]
        crpix[0] += 1000 * int(rng.integers(sets))
        count = one((1, 1, 1, 2, 3))
        case.grouped.append(count > 1 or rng.random() < 0.2)
        images = []
        for member in range(count):
            kwargs = {
                "base": base + rng.normal(0, 3 * noise) * (member == 0),
                "noise": noise,
                "place": place,
                "steps": steps,
            }
            apart = crpix + np.array([member * (shape[1] + 3), 0])
            images.append(draw_image(rng, shape, apart, turn, f"{k}.{member}", **kwargs))
        case.items.append(images)
    return case


def draw_image(rng, shape, crpix, turn, name, base, noise, place, steps):
    """One image; `mask` is a user's (non-zero = good), `dq` flags of which `dqbits` are good."""
    shape = tuple(n + int(rng.integers(-5, 6)) for n in shape)
    angle = turn if rng.random() < 0.5 else turn + float(rng.uniform(-0.3, 0.3))
    wcs = tangent_wcs(shape, crpix, SCALE * float(rng.uniform(0.97, 1.03)), angle, crval=place)
    middle = np.array(shape[::-1]) / 2
    wcs = Bent(wcs, middle, rng.uniform(-1e-4, 1e-4, 6) * (rng.random() < 0.4))
    y, x = np.mgrid[: shape[0], : shape[1]]
    data = base + noise * rng.standard_normal(shape) + 0.02 * noise * (x - y)
    data[rng.random(shape) < 0.01] += 300 * noise
    dq = np.zeros(shape, np.uint32)
    for bit in DQ_FLAGS.values():
        dq[rng.random(shape) < 0.03] |= np.uint32(bit)
    mask = (rng.random(shape) > 0.1) * int(rng.integers(1, 5))
    dqbits = DQBITS[int(rng.integers(len(DQBITS)))]
    good = {
        None: 0xFFFFFFFF,
        "~DO_NOT_USE": 0xFFFFFFFE,
        "SATURATED, HOT": 2050,
        2048: 2048,
        "~DO_NOT_USE+SATURATED": 0xFFFFFFFC,
    }
    usable = (mask != 0) & ((dq & np.uint32(0xFFFFFFFF & ~good[dqbits])) == 0)
    data[rng.random(shape) < 0.02] = np.nan
    return {
        "name": name,
        "data": data.astype(np.float32 if rng.random() < 0.8 else np.float64),
        "mask": mask,
        "dq": dq,
        "dqbits": dqbits,
        "usable": usable & np.isfinite(data),
        "wcs": wcs,
        "stepsize": [None, 15, 30, 1000][int(rng.integers(4))]
        if steps
        else None,  # vertices cost the peer time
        "sky": float(rng.normal(0, 2)) if rng.random() < 0.3 else 0.0,
        "convf": float(rng.uniform(0.1, 10)),
    }


def build(case, module):
    """A list of the module's SkyImage and SkyGroup."""
    items = []
    for images, grouped in zip(case.items, case.grouped, strict=True):
        made = []
        for image in images:
            more = (
                {}
                if module is peer
                else {key: image[key] for key in ("convf", "dq", "dqbits")} | {"dq_flags": DQ_FLAGS}
            )
            mask = image["usable"] if module is peer else image["mask"]
            sky_image = module.SkyImage(
                image["data"].copy(),
                mask,
                image["wcs"].__call__,
                image["wcs"].invert,
                module.SkyStats(**case.stats),
                image["name"],
                image["stepsize"],
                {"number": case.number},
                **more,
            )
            sky_image.sky = image["sky"]
            made.append(sky_image)
        items.append(module.SkyGroup(made, made[0].sky_id) if grouped else made[0])
    return items


def flat(items):
    return [image for item in items for image in (item if hasattr(item, "__len__") else [item])]


class Lines(logging.Handler):
    """What is logged."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


def compare_case(case):
    """Levels, validity, pixels, triples of both, and how the peer's differ when the images are compared in
    sets.
    """
    theirs, mine = build(case, peer), build(case, ours)
    pairs = [(a, b) for a, b in itertools.combinations(range(len(mine)), 2)][:2]
    before = [triples(theirs, pairs), triples(mine, pairs)]
    lines, seconds = Lines(), []
    logger = logging.getLogger("stcal.skymatch")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(lines)
    ticks = [time.perf_counter()]
    peer.skymatch(theirs, **case.options)
    ticks.append(time.perf_counter())
    logger.removeHandler(lines)
    levels = ours.match(mine, **case.options)  # the defaults
    ticks.append(time.perf_counter())
    seconds = [b - a for a, b in itertools.pairwise(ticks)]
    as_peer = mine
    if len({level.component for level in levels}) > 1:
        as_peer = build(case, ours)
        ours.match(as_peer, **case.options, reference="all")
    row = {
        "number": case.number,
        "words": case.words(),
        "options": case.options,
        "stats": case.stats,
        "method": case.options["skymethod"].lower(),
        "images": len(levels),
        "groups": sum(case.grouped),
        "components": sorted({level.component for level in levels}),
        "component": [level.component for level in levels],
        "malformed": sum("Malformed" in text for text in lines.texts),
        "seconds": seconds,
        "triples": before,
        "stepsizes": sorted({str(image["stepsize"]) for item in case.items for image in item}),
    }
    for key, items in {"peer": theirs, "default": mine, "all": as_peer}.items():
        row[key] = {
            "sky": [float(image.sky) for image in flat(items)],
            "group": [float(item.sky) for item in items],
            "valid": [bool(image.is_sky_valid) for image in flat(items)],
        }
    for key, items in {"default": mine, "all": as_peer}.items():
        row[key]["pixels"] = max(
            float(
                np.nanmax(np.abs(a.image - b.image), initial=0.0)
                / max(1.0, np.nanmax(np.abs(c["data"]), initial=0.0))
            )
            for a, b, c in zip(flat(items), flat(theirs), itertools.chain(*case.items), strict=True)
        )
        same = (
            np.isnan(a.image) == np.isnan(b.image) for a, b in zip(flat(items), flat(theirs), strict=True)
        )
        row[key]["same_nan"] = all(bool(s.all()) for s in same)
        row[key]["dtypes"] = all(
            a.image.dtype == b.image.dtype for a, b in zip(flat(items), flat(theirs), strict=True)
        )
    return row


def triples(items, pairs):
    """`calc_sky` of whole items, and of pairs of them both ways, relative and not."""
    found = [items[k].calc_sky(delta=delta) for k in range(len(items)) for delta in (True, False)]
    found += [
        items[a].calc_sky(overlap=items[b], delta=delta)
        for p in pairs
        for a, b, delta in ((*p, True), (*p[::-1], False))
    ]
    return [[None if sky is None else float(sky), int(npix), float(area)] for sky, npix, area in found]


def simple(
    module,
    value,
    dx=0.0,
    n=10,
    stat="mean",
    mask=None,
    data=None,
    wcs=None,
    name=None,
    place=(150.0, 2.0),
    **stats,
):
    """A small constant image, moved by `dx` pixels."""
    wcs = wcs or tangent_wcs((n, n), (n / 2 - dx, n / 2), 1e-3, 0.0, crval=place)
    data = np.full((n, n), value, np.float32) if data is None else data
    mask = np.ones(data.shape, bool) if mask is None else mask
    return module.SkyImage(data, mask, wcs.__call__, wcs.invert, module.SkyStats(stat, **stats), name)


def answer(function):
    try:
        return function()
    except Exception as error:
        return type(error).__name__


def rounded(values):
    return [None if value is None or math.isnan(value) else round(float(value), 5) for value in values]


def matched(module, items, *args, **kwargs):
    """Levels after matching, to 5 digits, each with ``!`` if it is not valid."""
    (module.skymatch if module is peer else module.match)(items, *args, **kwargs)
    return [f"{image.sky:.5g}{'' if image.is_sky_valid else ' !'}" for image in flat(items)]


def apart(module):
    """name -> answer of one of the modules."""

    def call(*args, **kwargs):
        return (module.skymatch if module is peer else module.match)(*args, **kwargs)

    def none_good(n=10):
        return np.zeros((n, n), bool)

    def two(method, **kwargs):
        """Two sets: 100, 120 and, far away, 95, 90."""
        items = [simple(module, v, dx) for v, dx in ((100, 0), (120, 3), (95, 500), (90, 503))]
        return matched(module, items, method, **kwargs)

    nan_wcs = type(
        "NanWcs",
        (),
        {
            "__call__": lambda self, x, y, **_: (x * np.nan, y * np.nan),
            "invert": lambda self, x, y, **_: (x, y),
        },
    )
    ramp = np.arange(100, dtype=np.float32).reshape(10, 10)
    holes = ramp.copy()
    holes[0, 0] = np.nan
    whole_numbers = np.full((10, 10), 3)
    cases = {
        "no image": lambda: call([], "match"),
        "unknown method": lambda: call([simple(module, 1)], "nothing"),
        "a method that is no string": lambda: call([simple(module, 1)], 3),
        "an element that is no image": lambda: call([simple(module, 1), 2], "local"),
        "not a list": lambda: call(simple(module, 1), "local"),
        "no overlap at all, match": lambda: matched(
            module, [simple(module, 5), simple(module, 7, 500)], "match"
        ),
        "no overlap at all, global+match": lambda: matched(
            module, [simple(module, 5), simple(module, 7, 500)], "global+match"
        ),
        "two sets, match": lambda: two("match"),
        "two sets, match up": lambda: two("match", match_down=False),
        "two sets, global+match": lambda: two("global+match"),
        "two sets, local": lambda: two("local"),
        "one image, match": lambda: matched(module, [simple(module, 5)], "match"),
        "one image, global+match": lambda: matched(module, [simple(module, 5)], "global+match"),
        "all bad first": lambda: matched(
            module, [simple(module, 5, mask=none_good()), simple(module, 7, 3)], "global"
        ),
        "all bad second": lambda: matched(
            module, [simple(module, 5), simple(module, 7, 3, mask=none_good())], "global"
        ),
        "all bad, local": lambda: matched(
            module, [simple(module, 5), simple(module, 7, 3, mask=none_good())], "local"
        ),
        "all bad, match": lambda: matched(
            module, [simple(module, 5), simple(module, 9, 1), simple(module, 7, 3, mask=none_good())], "match"
        ),
        "all are bad, global": lambda: matched(module, [simple(module, 5, mask=none_good())], "global"),
        "constant, midpt": lambda: matched(
            module, [simple(module, 5, stat="midpt"), simple(module, 7, 3, stat="midpt")], "local"
        ),
        "constant, mode": lambda: matched(
            module, [simple(module, 5, stat="mode"), simple(module, 7, 3, stat="mode")], "match"
        ),
        "median without clipping": lambda: rounded(
            [simple(module, 0, data=ramp, stat="median", nclip=0, lower=10.0, upper=30.0).calc_sky()[0]]
        ),
        "NaN that no mask tells": lambda: rounded([simple(module, 0, data=holes).calc_sky()[0]]),
        "NaN footprint": lambda: matched(
            module, [simple(module, 5, wcs=nan_wcs()), simple(module, 7)], "local"
        ),
        "NaN footprint, match": lambda: matched(
            module, [simple(module, 5, wcs=nan_wcs()), simple(module, 7), simple(module, 9, 3)], "match"
        ),
        "across RA 0": lambda: matched(module, [simple(module, v, v, place=(0, 0)) for v in (1, 3)], "match"),
        "over the pole": lambda: matched(
            module, [simple(module, v, v, place=(0, 90)) for v in (1, 3)], "match"
        ),
        "the same outline": lambda: matched(module, [simple(module, 1), simple(module, 4)], "match"),
        "whole numbers, subtract": lambda: matched(
            module, [simple(module, 0, data=whole_numbers)], "local", subtract=True
        ),
        "an empty group": lambda: module.SkyGroup([]),
        "a mask of another shape": lambda: simple(module, 1, mask=none_good(3)),
        "no mask": lambda: module.SkyImage(
            ramp, None, simple(module, 1)._wcs_fwd, simple(module, 1)._wcs_inv, module.SkyStats()
        ).calc_sky()[:2],
        "a mask of numbers": lambda: rounded(
            [simple(module, 0, data=ramp, mask=(ramp >= 50) * 7).calc_sky()[0]]
        ),
        "overlap with a polygon": lambda: simple(module, 3).calc_sky(overlap=simple(module, 1)._polygon)[:2],
    }
    return {name: answer(function) for name, function in cases.items()}


def main(path, first=0, end=200):
    warnings.simplefilter("ignore")
    logging.getLogger("stcal").propagate = False
    logging.getLogger("drizzleflow").disabled = True
    logging.lastResort = None
    drawn = [compare_case(draw(number)) for number in range(int(first), int(end))]
    both = {"peer": apart(peer), "ours": apart(ours)}
    Path(path).write_text(json.dumps({"drawn": drawn, "apart": both}, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
