"""Give a verdict on a product: what a careful colleague would ask about, with the number and the likely cause.

`verdict` makes ``checks.json``, which the report shows first. Thresholds are the configuration's section
``checks``; a check whose threshold is null is left out.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from statistics import median

from drizzleflow.plan.product import Finding

FEW = 10  #: flagged pixels of a frame that are never many
CALM = 1.3  #: noise against the other exposures that contradicts a scatter far above ERR
LEAST = 4  #: frames of a detector from which one that stands out can be told
#: what each check is about, in the order in which they are told
ABOUT = {
    "flagged": "part of a frame's pixels that is flagged",
    "flagged_ratio": "flagged pixels of a frame, in units of the median of the frames",
    "shift": "shift of a frame's sources against those of the other exposures, pixels",
    "width": "how much wider or sharper a frame's PSF is than that of the other exposures, pixels",
    "noise": "noise of a frame against the other exposures, in units of the expected",
    "error": "scatter of a frame's blank sky, in units of its ERR",
    "sky": "how far a sky level stands out from those of the other exposures",
    "filters": "filters in one product",
    "instruments": "instruments in one product",
    "units": "units in one product",
    "exposure_times": "exposure times that differ where no unit says that data are rates",
    "good": "part of a frame's pixels that is good",
    "saturated": "part of a frame's pixels that is saturated",
    "unseen": "part of a frame's good pixels where no other exposure looks",
    "components": "sets of exposures that no overlap connects",
    "holes": "part of the mosaic that is holes",
}


def verdict(product: str, limits: dict, frames, sky, mosaic: dict, mixed=()) -> dict:
    """Return the contents of ``checks.json``.

    Parameters
    ----------
    product : str
    limits : dict
        The configuration's section ``checks``.
    frames : list of dict
        Rows of ``frames.csv`` (`drizzleflow.io.columns.FRAMES`); None: not known.
    sky : list of dict
        Rows of ``sky.csv``; empty where there is none.
    mosaic : dict
        Statistics of the mosaic's record.
    mixed : list of Finding
        What the plan found in the members (`drizzleflow.plan.mixtures.doubts`).

    Returns
    -------
    dict
        ``product``; ``verdict``, "ok" or "look"; ``checks``, a dictionary for each check: ``check``,
        ``about``, ``status`` ("ok", "look" or "unknown": nothing was measured), ``limit``, ``measured`` (how
        many numbers were looked at), ``worst`` (the number farthest on the wrong side) and ``findings``, each
        with ``text``, ``value``, ``member`` and ``extver``.
    """
    frames, sky, mosaic = list(map(_known, frames)), list(map(_known, sky)), _known(mosaic)
    made = []
    for check, about in ABOUT.items():
        limit = limits.get(check, True)
        if limit is None:
            continue
        if check in _OF_FRAMES:
            found, values = _each_frame(check, limit, frames)
        elif check in _OF_ALL:
            found, values = _OF_ALL[check](limit, frames, sky, mosaic)
        else:  # of the members, which the plan has looked at
            found, values = [Finding(*one) for one in mixed if one[0] == check], [None]
        made.append(
            {
                "check": check,
                "about": about,
                "status": "look" if found else "ok" if values else "unknown",
                "limit": None if limit is True else limit,
                "measured": len(values),
                "worst": _worst(check, values),
                "findings": [
                    {key: value for key, value in one._asdict().items() if key != "check"} for one in found
                ],
            }
        )
    return {
        "product": product,
        "verdict": "look" if any(one["findings"] for one in made) else "ok",
        "checks": made,
    }


def text(verdict: dict) -> str:
    """Return the text of ``checks.json``."""
    return json.dumps(verdict, indent=1, allow_nan=False) + "\n"


def sentences(verdict: dict) -> list[str]:
    """Return what the checks found, a sentence each."""
    return [one["text"] for check in verdict["checks"] for one in check["findings"]]


def sentences_in(path) -> list[str]:
    """Return the `sentences` of a ``checks.json``."""
    with open(path, encoding="utf-8") as file:
        return sentences(json.load(file))


def _known(row: dict) -> dict:
    """Return a row with None for numbers that are not finite, for which JSON has no word."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }


def _worst(check, values):
    numbers = [value for value in values if value is not None]
    if not numbers:
        return None
    return min(numbers) if check == "good" else max(numbers, key=_farthest if check == "error" else abs)


def _farthest(ratio: float) -> float:
    return abs(math.log(ratio)) if ratio > 0 else math.inf


# -- what a number of one frame tells: (number of a row, whether it is beyond the limit, the sentence)


def _shift(row):
    return None if None in (row["shift_x"], row["shift_y"]) else math.hypot(row["shift_x"], row["shift_y"])


def _above(value, limit, row) -> bool:
    return value > limit


def _off(value, limit, row) -> bool:
    """Whether ERR is off; a scatter far above it may be that of sources, if the other exposures are no further off."""
    calm = row["noise"] is not None and row["noise"] < CALM
    return _farthest(value) > math.log(limit) and not (value > 1 and calm)


def _error_text(value) -> str:
    if value < 1:
        return (
            f"the blank sky scatters by {value:.2f} of ERR: ERR is too large, or the image is smooth because it "
            "was resampled"
        )
    return f"the blank sky scatters by {value:.2f} times ERR: ERR is too small, or sources fill the frame"


_OF_FRAMES = {
    "flagged": (
        lambda row: row["fraction"],
        _above,
        lambda v: (
            f"{100 * v:.2f} % of its pixels are flagged: wrong registration, an ERR that is too small, a "
            "moving or variable source, or bad pixels that DQ does not know"
        ),
    ),
    "shift": (
        _shift,
        _above,
        lambda v: (
            f"its sources lie {v:.2f} pixels from those of the other exposures: its WCS wants aligning (jwst "
            "tweakreg, tweakwcs, SCAMP)"
        ),
    ),
    "width": (
        lambda row: row["width"],
        lambda value, limit, row: abs(value) > limit,
        lambda v: (
            f"its PSF is {'wider' if v > 0 else 'sharper'} than that of the other exposures by {abs(v):.2f} "
            "pixels: seeing or focus; the tops of stars may be flagged, which median.combine_type: median avoids where 3 "
            "or 4 exposures overlap"
        ),
    ),
    "noise": (
        lambda row: row["noise"],
        lambda value, limit, row: value >= limit,
        lambda v: (
            f"it differs from the other exposures by {v:.2f} times the expected noise: an ERR that is too "
            "small, a background that varies, or a scale of its own"
        ),
    ),
    "error": (lambda row: row["error"], _off, _error_text),
    "good": (
        lambda row: row["good"],
        lambda value, limit, row: value < limit,
        lambda v: (
            f"{100 * v:.1f} % of its pixels are good: an empty or damaged frame, or flags that are taken for "
            "bad (good_bits)"
        ),
    ),
    "saturated": (
        lambda row: row["saturated"],
        _above,
        lambda v: f"{100 * v:.1f} % of its pixels are saturated",
    ),
    "unseen": (
        lambda row: row["unseen"],
        _above,
        lambda v: (
            f"no other exposure looks at {100 * v:.1f} % of its pixels: it overlaps nothing; is it of another "
            "field, or its WCS wrong?"
        ),
    ),
}


def _each_frame(check, limit, frames):
    number, beyond, sentence = _OF_FRAMES[check]
    values = [(row, number(row)) for row in frames]
    values = [(row, value) for row, value in values if value is not None]
    found = [
        _finding(check, row, value, sentence(value)) for row, value in values if beyond(value, limit, row)
    ]
    return found, [value for _, value in values]


def _finding(check, row, value, sentence) -> Finding:
    several = f" {row['extver']}" if row.get("extver", 1) not in (None, 1) else ""
    return Finding(check, f"{row['member']}{several}: {sentence}", value, row["member"], row.get("extver"))


# -- what only all frames together tell


def _flagged_ratio(limit, frames, sky, mosaic):
    rows = [row for row in frames if row["flagged"] is not None and row["status"] != "SKIPPED"]
    if len(rows) < LEAST:
        return [], []
    found, values = [], []
    ordered = sorted(row["flagged"] for row in rows)
    for row in rows:
        usual = max(FEW, _median_without(row["flagged"], ordered))
        values.append(row["flagged"] / usual)
        if values[-1] > limit:
            sentence = (
                f"{row['flagged']:,} flagged pixels, {values[-1]:.0f} times as many as in the other frames: is "
                "its WCS, its flux scale or its ERR another?"
            )
            found.append(_finding("flagged_ratio", row, values[-1], sentence))
    return found, values


def _median_without(value, ordered):
    """Return the median of sorted numbers without one of them."""
    own, n = bisect_left(ordered, value), len(ordered) - 1
    low, high = (ordered[k + (k >= own)] for k in ((n - 1) // 2, n // 2))
    return low if n % 2 else (low + high) / 2


def _sky(limit, frames, sky, mosaic):
    scatter = {(row["member"], row["extver"]): row["scatter"] for row in frames}
    chips = {}
    for row in sky:
        if row["valid"] and row["sky"] is not None:
            chips.setdefault(row.get("chip", row["extver"]), []).append(row)
    found, values = [], []
    for rows in chips.values():
        if len(rows) < LEAST:
            continue
        middle = median(row["sky"] for row in rows)
        spread = 1.4826 * median(abs(row["sky"] - middle) for row in rows)
        for row in rows:
            unit = max(spread, scatter.get((row["member"], row["extver"])) or 0.0)
            value = abs(row["sky"] - middle) / unit if unit else 0.0
            values.append(value)
            if value > limit:
                sentence = (
                    f"its sky level is {row['sky']:.6g}, that of the others {middle:.6g}, {value:.3g} times their "
                    "scatter: the Moon, twilight, clouds or stray light, or another unit"
                )
                found.append(_finding("sky", row, value, sentence))
    return found, values


def _components(limit, frames, sky, mosaic):
    numbers = sorted({row["component"] for row in sky} - {0, None})
    if len(numbers) < 2:
        return [], [len(numbers)] if numbers else []
    first = {number: next(r["member"] for r in sky if r["component"] == number) for number in numbers}
    listed = ", ".join(list(first.values())[:8])
    sentence = (
        f"{len(numbers)} sets of exposures do not overlap (one of each: {listed}): nothing measures their relative "
        "sky level; are they of one field?"
    )
    return [Finding("components", sentence, len(numbers))], [len(numbers)]


def _holes(limit, frames, sky, mosaic):
    value = mosaic.get("holes")
    if value is None:
        return [], []
    sentence = (
        f"{100 * value:.2f} % of the mosaic are holes: gaps that the dithers do not fill, pixels that are bad in "
        "every exposure, or pixfrac or pixel_scale too small for so many exposures"
    )
    return [Finding("holes", sentence, value)] if value > limit else [], [value]


_OF_ALL = {"flagged_ratio": _flagged_ratio, "sky": _sky, "components": _components, "holes": _holes}
