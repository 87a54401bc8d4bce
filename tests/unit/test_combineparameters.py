"""createMedian's parameters: what is understood, what is refused and how, what is advised; wrong stacks."""

import numpy as np
import pytest

from drizzleflow.combine import combine_stack
from drizzleflow.combine.parameters import Parameters, advice
from drizzleflow.errors import InputError


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("combine_type", " MinMed", "minmed"),
        ("combine_type", "average", "mean"),
        ("combine_nsigma", "4 3", (4, 3)),
        ("combine_nsigma", "4,3", (4, 3)),
        ("combine_nsigma", "4", (4, 4)),
        ("combine_nsigma", 4, (4, 4)),
        ("combine_nsigma", [4, "3.5"], (4, 3.5)),
        ("combine_nsigma", np.array([5, 2]), (5, 2)),
        ("combine_nlow", np.int64(2), 2),
        ("combine_nhigh", "1", 1),
        ("combine_grow", 2.0, 2),
        ("combine_lthresh", "INDEF", None),
        ("combine_lthresh", "", None),
        ("combine_hthresh", "None", None),
        ("combine_hthresh", "12.5", 12.5),
        ("combine_bufsize", None, 1.0),
        ("combine_bufsize", "INDEF", 1.0),
        ("combine_bufsize", 0.25, 0.25),
        ("median_newmasks", "No", False),
        ("combine_maskpt", 1, 1.0),
    ],
)
def test_values_that_are_understood(name, value, expected):
    assert getattr(Parameters(**{name: value}), name) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("combine_type", "sinc"),
        ("combine_type", "spline3"),
        ("combine_type", None),
        ("combine_nsigma", "4 3 2"),
        ("combine_nsigma", "high"),
        ("combine_nsigma", "-1 3"),
        ("combine_nsigma", ""),
        ("combine_nsigma", None),
        ("combine_nlow", -1),
        ("combine_nlow", 0.5),
        ("combine_nhigh", "two"),
        ("combine_nhigh", True),
        ("combine_grow", -1),
        ("combine_grow", None),
        ("combine_lthresh", "low"),
        ("combine_hthresh", float("nan")),
        ("combine_maskpt", 70),
        ("combine_maskpt", -0.1),
        ("combine_maskpt", "INDEF"),
        ("median_newmasks", "perhaps"),
        ("median_newmasks", None),
        ("combine_bufsize", 0),
        ("combine_bufsize", "big"),
        ("combine_bufsize", -2),
    ],
)
def test_values_that_are_refused(name, value):
    with pytest.raises(InputError, match=rf"^{name} is .*expected") as refused:
        Parameters(**{name: value})
    assert "\n" not in str(refused.value) and (value in (None, "") or str(value) in str(refused.value))


def test_unknown_types_are_answered_with_the_list():
    with pytest.raises(InputError, match="auto, median, mean, sum, minmed, iminmed, imedian, imean, average"):
        Parameters(combine_type="mode")


STACK = np.ones((3, 4, 5), np.float32)


@pytest.mark.parametrize(
    ("images", "keywords", "message"),
    [
        (STACK[0], {}, r"images has shape \(4, 5\)"),
        ([STACK[0], STACK[0, :2]], {}, r"^images: expected N images of one shape"),
        (STACK[:0], {}, r"images has shape \(0, 4, 5\)"),
        ([["a"]], {}, r"^images"),
        (STACK, {"weights": np.ones((3, 4))}, r"weights has shape \(3, 4\)"),
        (STACK, {"weights": [1, -1, 1]}, r"weights: expected numbers >= 0"),
        (STACK, {"weights": -STACK}, r"weights: expected numbers >= 0"),
        (STACK, {"weights": [1, np.nan, 1]}, r"weights: expected numbers >= 0"),
        (STACK, {"masks": np.ones((3, 4, 4), bool)}, r"masks has shape \(3, 4, 4\)"),
        (STACK, {"exptime": [1, 2]}, r"exptime has 2 values, expected one or 3"),
        (STACK, {"exptime": [1, 0, 1]}, r"exptime of image 1 is 0, expected seconds, a number > 0"),
        (STACK, {"readnoise": -1}, r"readnoise of image 0 is -1"),
        (STACK, {"sky": "dark"}, r"sky of image 0 is 'dark'"),
        (STACK, {"combine_sigma": 3}, r"combine_sigma: no such parameter"),
        (
            STACK,
            {"combine_type": "median", "combine_nhigh": 2, "combine_nlow": 1},
            r"Rejecting all pixels due to large 'nlow' and/or 'nhigh'",
        ),
        (
            STACK,
            {"combine_lthresh": 3, "combine_hthresh": 3},
            r"combine_lthresh is 3, expected less than combine_hthresh",
        ),
    ],
)
def test_wrong_stacks_are_refused(images, keywords, message):
    with pytest.raises(InputError, match=message) as refused:
        combine_stack(images, **keywords)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("n", "given_", "said"),
    [
        (10, {"combine_type": "minmed"}, "biased low for 10 images"),
        (9, {"combine_type": "minmed"}, None),
        (12, {"combine_type": "auto"}, None),
        (4, {"combine_type": "median"}, "combine_nhigh 1 is advised"),
        (6, {"combine_type": "median"}, "averages the middle two"),
        (6, {"combine_type": "median", "combine_nhigh": 1}, None),
        (5, {"combine_type": "median", "combine_nhigh": 1}, "averages the middle two"),
        (2, {"combine_type": "median"}, "no cosmic ray is rejected"),
        (2, {"combine_type": "auto"}, "3 or more are advised"),
        (1, {"combine_type": "auto"}, "one image"),
        (3, {"combine_type": "median", "combine_nhigh": 2}, "leave one of 3 values"),
        (3, {"combine_type": "minmed", "combine_nhigh": 1}, "no notice of combine_nlow and combine_nhigh"),
        (3, {"combine_type": "sum", "combine_lthresh": 1}, "no notice of combine_lthresh"),
        (3, {"combine_type": "auto", "combine_lthresh": 1}, None),
    ],
)
def test_advice(n, given_, said):
    lines = advice(Parameters(**given_), n)
    assert (said in " ".join(lines)) if said else not lines
