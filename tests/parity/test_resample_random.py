"""`drizzleflow.resample.Resample` with ``variance="reference"`` gives what `stcal.resample.Resample` 1.20.0
gives.

200 configurations drawn at random (`resample_cases`), each run through both classes by the peer's interpreter
(`peer_resample.py`): all within 1e-5 of max(|value|, ERR), DQ and CON the same. Not compared, each counted
and bounded here:

- pixels whose total weight is under 1e-6, CON bits of inputs whose own weight is: rounding tells whether such
  a pixel is touched;
- pixels where the peer itself changes as much when its positions move by 3e-10 px, or when its pixel scale
  ratio is ours (both areas agree to 2e-6): lanczos kernels are tables with steps, and pixels of exactly
  aligned grids just touch, or do not;
- ERR of driz_err where nothing falls: the peer's is its fill value over the pixel scale ratio, ours NaN.

What the peer does wrong, or stops at, is `resample_apart`'s: ours is compared with what the peer gives when
the case is put so that it can do it, or with the answer that our documents give.
"""

import math
from collections import Counter

import pytest
from compare import LIMIT
from peers import drawn

COUNT = 200
PLANES = ("data", "wht", "err", "var_rnoise", "var_flat", "var_poisson")
SAME_AREA = 2e-6  #: the peer's area of a small image is that good: 6e-15 steradian
AREAS = (
    "pixel_scale_ratio",
    ".pixel_scale_ratio",
    ".output_pixel_scale",
    "pixelarea_steradians",
    "pixelarea_arcsecsq",
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return drawn("peer_resample.py", tmp_path_factory.mktemp("resample"), COUNT)


def test_every_option_is_drawn(table):
    rows = table["drawn"]
    assert [row["number"] for row in rows] == list(range(COUNT))
    least = {"kernel": (6, 15), "weight_type": (3, 30), "compute_err": (3, 30), "pixmap_stepsize": (4, 20)}
    least |= {"pixmap_order": (2, 50), "fillval": (8, 10), "good_bits": (20, 2)}
    least |= {"enable_var": (2, 50), "enable_ctx": (2, 20), "propagate_dq": (2, 50)}
    for option, (values, times) in least.items():
        counts = Counter(str(row["options"][option]) for row in rows)
        assert len(counts) >= values and min(counts.values()) >= times, counts
    assert {row["flags"] for row in rows} == {None, "dict", "map"}
    assert min(row["ratio"] for row in rows) < 0.55 and max(row["ratio"] for row in rows) > 1.9
    assert sum(row["images"] for row in rows) > 2 * COUNT
    assert sum(row["boxes"] for row in rows) > 200
    planes = [row["con"]["kinds"][1] for row in rows if row["images"] > 32]
    assert len(planes) >= 3 and all("(2, " in kind for kind in planes)


def wrong_planes(row, names=PLANES):
    """In words, what is wrong with the planes of a row."""
    found = []
    for name, plane in row["planes"].items():
        if name not in names:
            continue
        if "missing" in plane:
            found.append(f"{name}: {plane['missing']} is missing")
            continue
        if plane["max"] > LIMIT:
            found.append(
                f"{name}: {plane['max']:.2g} at {plane['where']} of {plane['above']}: ours, peer's {plane['values']}"
            )
        drizzled_error = name == "err" and row["options"]["compute_err"] == "driz_err"
        if not plane["empty_ours_nan"] if drizzled_error else plane["empty_differs"]:
            found.append(f"{name}: another fill value")
        if plane["unsteady"] > max(2, 0.01 * plane["pixels"]):
            found.append(f"{name}: {plane['unsteady']} unsteady pixels of {plane['pixels']}")
    return found


def wrong_flags(row, name):
    flags = row.get(name)
    if flags is None:
        return []
    if "missing" in flags or flags["kinds"][0] != flags["kinds"][1]:
        return [f"{name}: {flags}"]
    return [f"{name}: {flags}"] if flags["differ"] else []


def meaning(fill):
    text = "INDEF" if fill is None else str(fill).upper()
    return text if text == "INDEF" else repr(float(text))  # nan is not itself


def wrong_metadata(row):
    found = [] if row["untouched"] else ["a model, or a WCS, was changed"]
    for key, (ours, peers) in row["metadata"].items():
        if key in AREAS:
            same = math.isclose(ours, peers, rel_tol=SAME_AREA)
        elif key == "fillval":
            same = meaning(ours) == meaning(peers)
        else:
            same = ours == peers
        if not same:
            found.append(f"{key}: ours {ours!r}, the peer's {peers!r}")
    return found


def refuse(rows, wrong):
    """Fail with all that is wrong."""
    texts = [f"{row['number']} {'; '.join(found)} | {row['words']}" for row in rows if (found := wrong(row))]
    assert not texts, f"{len(texts)} of {len(rows)} configurations\n" + "\n".join(texts)


@pytest.mark.parametrize("name", PLANES)
def test_planes(table, name):
    rows = [row for row in table["drawn"] if name in row["planes"]]
    refuse(rows, lambda row: wrong_planes(row, (name,)))
    assert len(rows) > 60
    for title, kernels in {
        "conserving": ("square", "point", "turbo"),
        "others": ("gaussian", "lanczos2", "lanczos3"),
    }.items():
        planes = [row["planes"][name] for row in rows if row["options"]["kernel"] in kernels]
        pixels, dust, unsteady = (
            sum(plane[key] for plane in planes) for key in ("pixels", "dust", "unsteady")
        )
        worst = max(plane["max"] for plane in planes)
        text = f"{len(planes)} configurations, {pixels} pixels: max {worst:.1e}; dust {dust}, unsteady {unsteady}"
        print(f"\n{name:<12s}{title:<11s}{text}")
        assert pixels > 100_000 and unsteady <= 1e-3 * pixels and dust <= 0.02 * pixels


@pytest.mark.parametrize("name", ["con", "dq"])
def test_flags(table, name):
    rows = [row for row in table["drawn"] if name in row]
    refuse(rows, lambda row: wrong_flags(row, name))
    total = {key: sum(row[name].get(key, 0) for row in rows) for key in ("set", "dust", "unsteady")}
    print(f"\n{name:<12s}{len(rows)} configurations: {total}")
    assert (
        len(rows) > 60 and total["set"] > 100_000 and total["dust"] + total["unsteady"] <= 0.01 * total["set"]
    )


def test_metadata(table):
    """Times, groups, pixel scales, and every other key of the product; the caller's models stay as they were."""
    refuse(table["drawn"], wrong_metadata)


def test_time(table):
    seconds = [sum(row["seconds"][who] for row in table["drawn"]) for who in (0, 1)]
    print(
        f"\nseconds     {COUNT} configurations: the peer {seconds[0]:.0f}, ours and the comparison {seconds[1]:.0f}"
    )


#: cases that the peer can do only when they are put otherwise -> what it does with them as they are
PEER_ALONE = {
    "ivm-sky": {"other variances", "UnboundLocalError"},  # var_rnoise weights them
    "no var_rnoise first": {"UnboundLocalError"},
    "no var_rnoise last": {"goes on"},  # with the weights of the image before
    "NaN without a flag": {"other data"},  # NaN in all that it touches
    "negative var_rnoise": {"other data"},  # a negative weight
    "from_var alone": {"no err"},
}


@pytest.mark.parametrize("kind", PEER_ALONE)
def test_products_that_the_peer_gets_wrong(table, kind):
    rows = [row for row in table["apart"] if row["name"].startswith(kind)]
    assert rows and {row["peer"] for row in rows} <= PEER_ALONE[kind]
    refuse(
        [row["row"] for row in rows],
        lambda row: [*wrong_planes(row), *wrong_flags(row, "con"), *wrong_flags(row, "dq")],
    )
    refuse([row["row"] for row in rows], wrong_metadata)


#: case -> what the peer does, what ours does
ANSWERS = {
    "second product": (
        "ValueError",
        "the same",
    ),  # the peer still knows the groups of the first, and has no times
    "duration unknown": (30.0, None),  # the peer's sum leaves the unknown out
    "weight_type None": ("AttributeError", "InputError"),
    "weight_type ivm-smed": ("ValueError", "InputError"),
    "weight_type median": ("ValueError", "InputError"),
    "kernel tophat": ("ValueError", "InputError"),
    "fillval a word": ("ValueError", "InputError"),
    "compute_err a word": ("goes on", "InputError"),
    "pixmap_order 2": ("goes on", "InputError"),
    "pixmap_order 2, stepsize 5": ("ValueError", "InputError"),
    "pixfrac -1": ("goes on", "InputError"),
    "good_bits an unknown flag": ("ValueError", "InputError"),
    "output_wcs without wcs": ("AttributeError", "InputError"),
    "output of no pixels": ("ValueError", "InputError"),
    "output without shape": ("ValueError", "InputError"),
    "output of three axes": ("UnsupportedWCSError", "UnsupportedWCSError, InputError"),
    "data of three dimensions": ("RuntimeError", "InputError"),
    "a key is missing": ("KeyError", "KeyError"),
    "a variance of another shape": ("goes on", "InputError"),  # the peer leaves it out
    "exposure_time 0": ("ValueError", "InputError"),
    "exposure_time None": ("TypeError", "InputError"),
    "an image of the other half of the sky": ("ValueError", "InputError"),
    "no image": ("AssertionError", "InputError"),
    "an image too late": ("RuntimeError", "RuntimeError"),
}


def test_answers(table):
    found = {row["name"]: (row["peer"], row["ours"]) for row in table["apart"] if "ours" in row}
    assert (
        found.pop("area in a box that cuts pixels")[1] < 1e-3
    )  # the mean over one row more or less of a bent image
    assert found == ANSWERS
