"""combine_type beside drizzlepac 3.11.0: 1,000 random stacks, the same float32 values where the peer is
right.

`peer_combine.py` runs `drizzlepac.minmed.min_med` and `stsci.image.numcombine.num_combine` in the peer's
environment (``.venv-drizzlepac/bin/python``, or that of DRIZZLEFLOW_PEER_DRIZZLEPAC). In every case ours
equals the slow definition of `slow_combine` exactly. The peer's values differ only where it is wrong, each
case counted and bounded here:

- mean, imean: 0 where nlow + nhigh are not under the number of good values; ours relaxes them as median does;
- imedian, imean: pixels without a good value are filled in the first column only, and with another image's
  value;
- sum: added in float32, ours in float64: equal within the rounding of its N additions.
"""

import json
from collections import Counter

import numpy as np
import pytest
import slow_combine as slow
from peers import DRIZZLEPAC, HERE, call, require

from drizzleflow.combine import combine_stack

COUNT = 1000
KINDS = ("median", "mean", "sum", "minmed", "imedian", "imean")


def draw(number):
    """(case, arrays): a stack with a sky, sources, cosmic rays, ties and masks, and parameters."""
    rng = np.random.default_rng(number)
    kind = KINDS[number // 2 % len(KINDS)] if number % 2 else "minmed"
    n = int(rng.integers(2, 41)) if rng.random() < 0.4 else int(rng.integers(2, 9))
    shape = tuple(int(x) for x in rng.integers(5, 16, 2))
    case = {
        "name": f"case{number}",
        "combine_type": kind,
        "combine_grow": int(rng.integers(0, 3)),
        "combine_nsigma": [float(x) for x in rng.choice([0.5, 1.0, 2.0, 3.0, 4.0, 5.5], 2)],
        "exptime": [float(x) for x in rng.choice([30.0, 100.0, 350.5], n)],
        "readnoise": [float(x) for x in rng.uniform(0, 12, n)],
        "sky": [float(x) for x in rng.uniform(0, 900, n)],
        "combine_nlow": 0,
        "combine_nhigh": 0,
        "combine_lthresh": None,
        "combine_hthresh": None,
    }
    if kind != "minmed" and kind != "sum":
        case["combine_nlow"] = int(rng.integers(0, min(4, n)))
        case["combine_nhigh"] = int(rng.integers(0, min(4, n - case["combine_nlow"])))
        if rng.random() < 0.3:
            case["combine_lthresh"] = -1.0
        if rng.random() < 0.3:
            case["combine_hthresh"] = 20.0
    level = rng.choice([0.0, 1.0, 50.0], shape) * rng.random(shape)
    time = np.array(case["exptime"])[:, None, None]
    images = level + rng.normal(size=(n, *shape)) * np.sqrt(level * time + 500) / time
    images += (rng.random(images.shape) < rng.choice([0.0, 0.02, 0.3])) * rng.exponential(30, images.shape)
    if rng.random() < 0.2:
        images = np.round(images)  # ties
    weights = (
        time * rng.uniform(0.2, 1.3, images.shape) if rng.random() < 0.7 else time * np.ones(images.shape)
    )
    masks = rng.random(images.shape) < rng.choice([0.0, 0.1, 0.7])
    if rng.random() < 0.3:
        masks[:, 1, 2] = True
    return case, {"images": images.astype(np.float32), "masks": masks, "weights": weights.astype(np.float32)}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """(case, arrays, the peer's image) of every case."""
    require(DRIZZLEPAC)
    folder = tmp_path_factory.mktemp("combine")
    cases = [draw(number) for number in range(COUNT)]
    arrays = {f"{case['name']}/{key}": value for case, own in cases for key, value in own.items()}
    np.savez(folder / "cases.npz", cases=json.dumps([case for case, _ in cases]), **arrays)
    call([DRIZZLEPAC, HERE / "peer_combine.py", folder / "cases.npz", folder / "out.npz"], folder)
    with np.load(folder / "out.npz") as made:
        return [(case, own, made[case["name"]]) for case, own in cases]


def ours(case, arrays, **more):
    names = [name for name in case if name.startswith("combine_")]
    return combine_stack(
        arrays["images"],
        arrays["weights"],
        masks=arrays["masks"],
        exptime=case["exptime"],
        readnoise=case["readnoise"],
        sky=case["sky"],
        median_newmasks=False,
        **{name: case[name] for name in names},
        **more,
    )


def rejected(case, arrays):
    bad, images = arrays["masks"].copy(), arrays["images"].astype(float)
    if case["combine_lthresh"] is not None:
        bad |= images < case["combine_lthresh"]
    if case["combine_hthresh"] is not None:
        bad |= images >= case["combine_hthresh"]
    return bad


def definition(case, arrays):
    images, bad, kind = arrays["images"], rejected(case, arrays), case["combine_type"]
    if kind == "minmed":
        keys = ("exptime", "readnoise", "sky")
        return slow.minmed(
            images,
            bad,
            arrays["weights"],
            *(case[k] for k in keys),
            case["combine_nsigma"],
            case["combine_grow"],
        )
    base = slow.statistic(kind.removeprefix("i"), images, bad, case["combine_nlow"], case["combine_nhigh"])
    return slow.filled(base, images) if kind[0] == "i" else base


def test_every_type_and_depth_is_drawn(table):
    kinds = Counter(case["combine_type"] for case, *_ in table)
    assert min(kinds[kind] for kind in KINDS) >= 80 and kinds["minmed"] >= 500, kinds
    assert {len(arrays["images"]) for _, arrays, _ in table} == set(range(2, 41))


def test_ours_is_the_definition(table):
    wrong = []
    for case, arrays, _ in table:
        expected = np.nan_to_num(definition(case, arrays), nan=0.0)
        if not np.array_equal(ours(case, arrays), expected):
            wrong.append(case["name"])
    assert not wrong, wrong


def test_the_peer_gives_the_same_where_it_is_right(table):
    differing, where = Counter(), Counter()
    for case, arrays, peer in table:
        kind = case["combine_type"]
        found, good = ours(case, arrays), (~rejected(case, arrays)).sum(axis=0)
        wrong = np.zeros(good.shape, bool)
        if kind in ("mean", "imean"):
            wrong = good <= case["combine_nlow"] + case["combine_nhigh"]
        elif kind == "imedian":
            wrong = good == 0
        elif kind == "sum":
            rounding = len(arrays["images"]) * 2.0**-24 * np.abs(arrays["images"]).sum(axis=0, dtype=float)
            wrong = np.abs(found - peer.astype(float)) <= rounding
        same = (found == peer) | wrong
        if not same.all():
            differing[kind] += 1
        where[kind] += int(np.count_nonzero((found != peer) & wrong))
    print(
        f"\npixels where the peer is wrong, and ours differs: {dict(where)}; other differences, in stacks: {dict(differing)}"
    )
    assert not differing
    assert where["mean"] and where["imedian"] and where["imean"]
