"""checks.json: what is found where a number is beyond its limit, what is not, and that nothing breaks the verdict."""

import json
import math
import re
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.io.columns import FRAMES, SKY
from drizzleflow.plan import config
from drizzleflow.plan.product import Finding
from drizzleflow.report import checks

LIMITS = config.standard()["checks"]


def frame(number=1, **more) -> dict:
    """A frame as it should be."""
    values = {
        "npix": 10000,
        "flagged": 40,
        "fraction": 0.004,
        "good": 0.97,
        "saturated": 0.001,
        "scatter": 2.0,
        "error": 1.05,
        "shift_x": 0.01,
        "shift_y": -0.02,
        "width": 0.1,
        "noise": 1.1,
        "unseen": 0.0,
    }
    row = {column.name: None for column in FRAMES} | values
    return row | {"member": f"m{number}", "extver": 1, "status": "COMPLETE", **more}


def level(number, sky, **more) -> dict:
    return {"member": f"m{number}", "extver": 1, "sky": sky, "component": 1, "valid": True, **more}


def verdict(frames=(), sky=(), mosaic=None, mixed=(), **limits) -> dict:
    """The verdict, which has to be strict JSON, by check."""
    made = checks.verdict("p", LIMITS | limits, list(frames), list(sky), mosaic or {}, mixed)
    assert strict(checks.text(made)) == made
    assert made["verdict"] == ("look" if checks.sentences(made) else "ok")
    return {one["check"]: one for one in made["checks"]}


def strict(text):
    def refuse(word):
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def looked(made) -> list[str]:
    return [name for name, one in made.items() if one["status"] == "look"]


def test_every_check_has_its_limit_and_what_it_is_about():
    assert set(checks.ABOUT) - {"components"} == set(LIMITS) - {"level"}
    made = verdict()
    assert list(made) == list(checks.ABOUT) and {one["limit"] for one in made.values()} >= {
        0.02,
        None,
        "same",
    }
    assert all(one["about"] and one["findings"] == [] for one in made.values())
    assert {name for name, one in made.items() if one["status"] == "ok"} == {
        "filters",
        "instruments",
        "units",
        "exposure_times",
    }


def test_frames_as_they_should_be():
    made = verdict(
        [frame(k) for k in range(5)],
        [level(k, 3.0 + 0.1 * k) for k in range(5)],
        {"holes": 0.0002, "covered": 0.8},
    )
    assert looked(made) == [] and {one["status"] for one in made.values()} == {"ok"}
    assert made["shift"]["measured"] == 5 and made["shift"]["worst"] == pytest.approx(math.hypot(0.01, 0.02))
    assert (
        made["good"]["worst"] == 0.97
        and made["holes"]["worst"] == 0.0002
        and made["components"]["worst"] == 1
    )


@pytest.mark.parametrize(
    ("check", "odd", "value", "words"),
    [
        ("flagged", {"fraction": 0.031}, 0.031, "m9: 3.10 % of its pixels are flagged"),
        ("flagged_ratio", {"flagged": 4100}, 102.5, "m9: 4,100 flagged pixels, 102 times as many as"),
        ("shift", {"shift_x": -0.3, "shift_y": 0.4}, 0.5, "m9: its sources lie 0.50 pixels from"),
        ("width", {"width": 1.25}, 1.25, "m9: its PSF is wider than that of the other exposures by 1.25"),
        ("width", {"width": -1.25}, -1.25, "m9: its PSF is sharper than"),
        ("noise", {"noise": 1.8}, 1.8, "m9: it differs from the other exposures by 1.80 times"),
        ("error", {"error": 2.5, "noise": None}, 2.5, "by 2.50 times ERR: ERR is too small, or sources fill"),
        ("error", {"error": 0.4}, 0.4, "by 0.40 of ERR: ERR is too large, or the image is smooth"),
        ("error", {"error": 0.0}, 0.0, "by 0.00 of ERR"),
        ("good", {"good": 0.12}, 0.12, "m9: 12.0 % of its pixels are good"),
        ("saturated", {"saturated": 0.2}, 0.2, "m9: 20.0 % of its pixels are saturated"),
        ("unseen", {"unseen": 1.0}, 1.0, "m9: no other exposure looks at 100.0 % of its pixels"),
    ],
)
def test_a_frame_beyond_a_limit(check, odd, value, words):
    others = [frame(k) for k in range(4)]
    made = verdict([*others, frame(9, **odd)])
    assert looked(made) == [check] and made[check]["worst"] == pytest.approx(value)
    (found,) = made[check]["findings"]
    assert found["value"] == pytest.approx(value) and (found["member"], found["extver"]) == ("m9", 1)
    assert words in found["text"] and found["text"] in checks.sentences({"checks": made.values()})
    assert check not in verdict([*others, frame(9, **odd)], **{check: None})  # null switches it off
    assert looked(verdict([*others, frame(9, **dict.fromkeys(odd))])) == []  # not known is no finding


@pytest.mark.parametrize("check", ["flagged", "shift", "width", "saturated", "unseen", "good", "error"])
def test_what_is_just_at_the_limit_is_not_beyond_it(check):
    at = {"shift_x": LIMITS["shift"], "shift_y": 0.0} if check == "shift" else {check: LIMITS[check]}
    if check == "flagged":
        at = {"fraction": LIMITS["flagged"]}
    assert looked(verdict([frame(**at, **({"noise": None} if check == "error" else {}))])) == []


def test_a_scatter_that_the_other_exposures_contradict_is_that_of_sources():
    assert looked(verdict([frame(error=4.0, noise=1.1)])) == []
    assert looked(verdict([frame(error=4.0, noise=1.4)])) == ["error"]
    assert looked(verdict([frame(error=0.2, noise=1.1)])) == ["error"]
    assert verdict([frame(error=4.0, noise=1.1)])["error"]["worst"] == 4.0
    made = verdict([frame(error=1.9), frame(error=0.51)])
    assert made["error"]["worst"] == 0.51  # a factor of 1.96


def test_chips_and_integrations_are_named():
    text = verdict([frame(9, extver=2, good=0.1)])["good"]["findings"][0]["text"]
    assert text.startswith("m9 2: 10.0 %")


def test_few_frames_cannot_tell_which_stands_out():
    for count in (1, 2, 3):
        made = verdict([frame(k, flagged=4 + 5000 * (k == 0)) for k in range(count)])
        assert made["flagged_ratio"]["status"] == "unknown"
    assert looked(verdict([frame(k, flagged=4 + 90 * (k == 0)) for k in range(4)])) == []  # 94 are few
    assert looked(verdict([frame(k, flagged=4 + 990 * (k == 0)) for k in range(4)])) == ["flagged_ratio"]
    skipped = [frame(k, status="SKIPPED", flagged=0) for k in range(4)]
    assert verdict(skipped)["flagged_ratio"]["status"] == "unknown"


def test_a_sky_level_that_stands_out():
    levels = [level(k, 100 + k) for k in range(5)] + [level(9, 150.0)]
    frames = [frame(k, scatter=1.0) for k in (0, 1, 2, 3, 4, 9)]
    made = verdict(frames, levels)
    assert looked(made) == ["sky"]
    (found,) = made["sky"]["findings"]
    assert found["member"] == "m9" and "its sky level is 150, that of the others 102.5" in found["text"]
    assert (
        looked(verdict([frame(k, scatter=40.0) for k in (0, 1, 2, 3, 4, 9)], levels)) == []
    )  # lost in the noise
    assert verdict(frames, levels[:3])["sky"]["status"] == "unknown"
    assert looked(verdict(frames, [*levels[:5], level(9, 150.0, valid=False)])) == []
    # chips have skies of their own
    two = [level(k, 10.0 * (1 + 9 * chip), extver=chip, chip=chip) for k in range(4) for chip in (0, 1)]
    assert looked(verdict([], two)) == []


def test_sets_of_exposures_that_do_not_overlap():
    made = verdict([], [level(1, 0.0), level(2, 0.0, component=2), level(3, 0.0, component=0)])
    assert looked(made) == ["components"] and made["components"]["worst"] == 2
    assert (
        "2 sets of exposures do not overlap (one of each: m1, m2)"
        in made["components"]["findings"][0]["text"]
    )
    assert verdict([], [level(1, 0.0, component=0)])["components"]["status"] == "unknown"


def test_holes_of_the_mosaic():
    assert (
        "1.50 % of the mosaic are holes" in verdict(mosaic={"holes": 0.015})["holes"]["findings"][0]["text"]
    )
    assert verdict(mosaic={"holes": 0.0})["holes"]["status"] == "ok"
    assert verdict(mosaic={})["holes"]["status"] == "unknown"


def test_what_the_plan_found_is_told():
    doubt = Finding("filters", "2 filters in one product: B, V", "B, V")
    for given_as in (doubt, list(doubt)):  # as a rule's parameter
        made = verdict(mixed=[given_as])
        assert looked(made) == ["filters"]
        (found,) = made["filters"]["findings"]
        assert found == {"text": doubt.text, "value": "B, V", "member": "", "extver": None}


NUMBERS = st.none() | st.floats(-1e12, 1e12) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1e300])
FRAME = st.fixed_dictionaries(
    {
        column.name: {
            "text": st.none() | st.sampled_from(["", "a", "b"]),
            "int": st.none() | st.integers(0, 2**40),
            "float": NUMBERS,
        }[column.kind]
        for column in FRAMES
    }
)
LEVEL = st.fixed_dictionaries(
    {
        "member": st.sampled_from("abcde"),
        "extver": st.integers(1, 3),
        "sky": NUMBERS,
        "component": st.integers(0, 3),
        "valid": st.booleans(),
        "chip": st.sampled_from([("x", 1), (None, 2)]),
    }
)


@settings(max_examples=300)
@given(
    st.lists(FRAME, max_size=5),
    st.lists(LEVEL, max_size=9),
    st.dictionaries(st.sampled_from(["holes", "covered"]), NUMBERS),
)
def test_no_rows_break_the_verdict(frames, sky, mosaic):
    made = verdict(frames, sky, mosaic)
    for one in made.values():
        assert one["status"] == ("look" if one["findings"] else "ok" if one["measured"] else "unknown")
        assert all(re.search(r"\w", found["text"]) for found in one["findings"])
        if one["findings"] and one["check"] in ("flagged", "shift", "saturated", "unseen", "holes", "sky"):
            assert abs(one["worst"]) > one["limit"]
    assert {column.name for column in SKY} >= {"member", "extver", "sky", "component", "valid"}


@pytest.mark.parametrize("count", [2, 3, 4, 9, 10])
def test_the_median_of_the_others_is_found_in_sorted_numbers(count):
    numbers = np.random.default_rng(count).integers(0, 6, count).tolist()  # some are equal
    for k, number in enumerate(numbers):
        others = numbers[:k] + numbers[k + 1 :]
        assert checks._median_without(number, sorted(numbers)) == statistics.median(others)
