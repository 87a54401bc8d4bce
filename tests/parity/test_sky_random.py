"""`drizzleflow.sky.match`, `SkyImage` and `SkyGroup` give what ``stcal.skymatch`` 1.20.0 gives.

200 configurations drawn at random, each run through both by the peer's interpreter (`peer_sky.py`): all
methods, groups, masks, flags, statistics and their options, outlines with more vertices, skies that images
already have, subtraction; across RA 0 and over the poles. All levels agree to 1e-6 of max(1, |level|). Ours
are called with their defaults; where images are in several sets that do not overlap, the peer's levels
between the sets mean nothing: each set is then compared by itself, and all of them with reference='all'. Not
compared: the area of an overlap where the peer gives that of the whole sphere.

`ANSWERS` has what both say where the peer stops or is wrong, and at the edges of what can be matched.
"""

import math
from collections import Counter

import pytest
from peers import drawn

COUNT = 200
LIMIT = 1e-6  #: of levels and pixels
SAME_AREA = 1e-4  #: the peer's area of a small polygon is that good: 1e-15 steradian
SPHERE = 4 * math.pi


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return drawn("peer_sky.py", tmp_path_factory.mktemp("sky"), COUNT)


def several(row):
    return len(row["components"]) > 1


def difference(ours, peers):
    """The largest, in units of max(1, |level|)."""
    return max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(ours, peers, strict=True))


def refuse(rows, wrong):
    """Fail with all that is wrong."""
    texts = [f"{row['number']} {'; '.join(found)} | {row['words']}" for row in rows if (found := wrong(row))]
    assert not texts, f"{len(texts)} of {len(rows)} configurations\n" + "\n".join(texts)


def test_every_option_is_drawn(table):
    rows = table["drawn"]
    assert [row["number"] for row in rows] == list(range(COUNT))
    assert Counter(row["method"] for row in rows) == dict.fromkeys(
        ("local", "global", "match", "global+match"), COUNT // 4
    )
    assert len({row["options"]["skymethod"] for row in rows}) >= 10
    for option in ("match_down", "subtract"):
        assert min(Counter(row["options"][option] for row in rows).values()) > COUNT / 4
    assert min(Counter(row["stats"]["skystat"] for row in rows).values()) > COUNT / 8
    assert {row["stats"]["nclip"] for row in rows} == set(range(7))
    assert (
        sum("lower" in row["stats"] for row in rows) > 30
        and sum("upper" in row["stats"] for row in rows) > 20
    )
    assert sum(row["groups"] for row in rows) > COUNT and sum(row["images"] for row in rows) > 4 * COUNT
    assert sum(several(row) for row in rows) >= 10
    assert sum(len(row["stepsizes"]) > 1 for row in rows) > 30


def wrong_levels(row, key):
    found = []
    for name in ("sky", "group"):
        if (most := difference(row[key][name], row["peer"][name])) > LIMIT:
            found.append(f"{name}: {most:.2g}: ours {row[key][name]}, the peer's {row['peer'][name]}")
    if row[key]["valid"] != row["peer"]["valid"]:
        found.append(f"valid: ours {row[key]['valid']}, the peer's {row['peer']['valid']}")
    if row[key]["pixels"] > LIMIT or not row[key]["same_nan"] or not row[key]["dtypes"]:
        found.append(f"pixels: {row[key]['pixels']:.2g}")
    return found


@pytest.mark.parametrize("method", ["local", "global", "match", "global+match"])
def test_levels(table, method):
    rows = [row for row in table["drawn"] if row["method"] == method]
    refuse(rows, lambda row: wrong_levels(row, "all"))
    connected = [row for row in rows if not several(row)]
    refuse(connected, lambda row: wrong_levels(row, "default"))
    worst = max(difference(row["all"]["sky"], row["peer"]["sky"]) for row in rows)
    print(
        f"\n{method:<13s}{len(rows)} configurations, {sum(row['images'] for row in rows)} images: max {worst:.1e}"
    )


def test_sets_that_do_not_overlap(table):
    """Inside each set, the differences of levels are the peer's; match sets each one's own zero."""
    rows = [row for row in table["drawn"] if several(row)]
    for row in rows:
        ours, peers, sets = row["default"]["sky"], row["peer"]["sky"], row["component"]
        for number in row["components"]:
            shift = [a - b for a, b, c in zip(ours, peers, sets, strict=True) if c == number]
            assert max(shift) - min(shift) <= LIMIT * max(1.0, *map(abs, peers)), row["words"]
    assert max(difference(row["default"]["sky"], row["peer"]["sky"]) for row in rows) > 0.1


def test_triples(table):
    """What `calc_sky` returns, of images and groups, whole and in overlaps, relative and not."""
    spheres, worst, count = 0, 0.0, 0

    def wrong(row):
        nonlocal spheres, worst, count
        found = []
        for peers, ours in zip(*row["triples"], strict=True):
            count += 1
            if (peers[0] is None) != (ours[0] is None) or peers[1] != ours[1]:
                found.append(f"ours {ours}, the peer's {peers}")
            elif ours[0] is not None:
                most = difference([ours[0]], [peers[0]])
                worst = max(worst, most)
                sphere = peers[2] > 1.0
                spheres += sphere
                if most > LIMIT or not (sphere or math.isclose(ours[2], peers[2], rel_tol=SAME_AREA)):
                    found.append(f"ours {ours}, the peer's {peers}")
                assert not sphere or abs(peers[2] - SPHERE) < 1e-3
        return found

    refuse(table["drawn"], wrong)
    print(
        f"\ncalc_sky     {count} calls: max {worst:.1e}; of {spheres} overlaps the peer's area is the whole sphere"
    )
    assert count > 2000 and spheres < 0.01 * count


def test_time(table):
    seconds = [sum(row["seconds"][who] for row in table["drawn"]) for who in (0, 1)]
    print(
        f"\nseconds      {COUNT} configurations, matching: the peer {seconds[0]:.1f}, ours {seconds[1]:.1f}"
    )


#: case -> the peer's answer, ours; ``!``: the level is not valid
ANSWERS = {
    "no image": ("ValueError", "InputError"),
    "unknown method": ("ValueError", "InputError"),
    "a method that is no string": ("AttributeError", "TypeError"),
    "an element that is no image": ("TypeError", "TypeError"),
    "not a list": ("TypeError", "TypeError"),
    "no overlap at all, match": (["0 !", "0 !"], ["0 !", "0 !"]),
    "no overlap at all, global+match": (["5", "5"], ["5", "7"]),
    "two sets, match": (["0", "20", "12.5", "7.5"], ["0", "20", "5", "0"]),
    "two sets, match up": (["-20", "0", "-7.5", "-12.5"], ["-20", "0", "0", "-5"]),
    "two sets, global+match": (["82.5", "102.5", "95", "90"], ["100", "120", "95", "90"]),
    "two sets, local": (["100", "120", "95", "90"], ["100", "120", "95", "90"]),
    "one image, match": (["0 !"], ["0 !"]),
    "one image, global+match": (["5"], ["5"]),
    "all bad first": (["7", "7"], ["7", "7"]),
    "all bad second": ("TypeError", ["5", "5"]),
    "all bad, local": (["5", "0 !"], ["5", "0 !"]),
    "all bad, match": (["0", "4", "0 !"], ["0", "4", "0 !"]),
    "all are bad, global": (["0 !"], ["0 !"]),
    "constant, midpt": (["0", "0"], ["5", "7"]),
    "constant, mode": (["0", "2"], ["0", "2"]),
    "median without clipping": ([49.5], [20.0]),  # the peer's ignores `lower` and `upper`
    "NaN that no mask tells": ([None], [50.0]),
    "NaN footprint": ("ValueError", ["5", "7"]),
    "NaN footprint, match": ("ValueError", ["0 !", "0", "2"]),
    "across RA 0": (["0", "2"], ["0", "2"]),
    "over the pole": (["0", "2"], ["0", "2"]),
    "the same outline": (["0", "3"], ["0", "3"]),
    "whole numbers, subtract": ("UFuncTypeError", "InputError"),
    "an empty group": ("ValueError", "InputError"),
    "a mask of another shape": ("ValueError", "InputError"),
    "no mask": ("AttributeError", [49.5, 100]),
    "a mask of numbers": ("RuntimeError", [74.5]),  # non-zero is good
    "overlap with a polygon": ("UnboundLocalError", [3.0, 100]),
}


def test_answers(table):
    apart = table["apart"]
    assert {name: (apart["peer"][name], apart["ours"][name]) for name in apart["ours"]} == ANSWERS
