"""The parameters of seed 001 (createMedian): their values checked, and the document's advice on them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from drizzleflow.errors import InputError

TYPES = ("auto", "median", "mean", "sum", "minmed", "iminmed", "imedian", "imean")
ALIASES = {"average": "mean", "iaverage": "imean"}
NOISE_TYPES = ("auto", "minmed", "iminmed")  #: they compare a difference with the noise
UNSET = ("", "none", "indef")


@dataclass(frozen=True)
class Parameters:
    """createMedian's parameters, checked when made; README and seed 001 have the whole story.

    Raises
    ------
    InputError
        One line: the parameter, the value, what is expected.
    """

    #: auto, median, mean (average), sum, minmed, iminmed, imedian or imean, in any case. The i types put the last image's value
    #: where all are bad
    combine_type: str = "minmed"
    #: standard deviations for the choice of the minimum, and for it near pixels chosen by the first: "4 3", "4,3" or [4, 3];
    #: one number counts twice
    combine_nsigma: tuple = (4.0, 3.0)
    combine_nlow: int = 0  #: lowest values of a pixel to leave out: median, mean, imedian, imean
    combine_nhigh: int = 0  #: highest values to leave out
    combine_lthresh: float | None = (
        None  #: values below are bad, in the unit of the images; None, "INDEF": no limit. Not for minmed
    )
    combine_hthresh: float | None = None  #: values of this and above are bad
    combine_grow: int = 1  #: pixels around chosen ones where the second nsigma counts; auto, minmed
    combine_maskpt: float = (
        0.7  #: pixels with less than this fraction of their image's mean weight are bad: 0 to 1
    )
    median_newmasks: bool = True  #: False: no masks from weights, bad pixels are used too; NaN never is
    combine_bufsize: float = 1.0  #: MiB of each image (data and weights) in memory at a time; None: 1

    def __post_init__(self):
        put = object.__setattr__
        kind = str(self.combine_type).strip().lower()
        kind = ALIASES.get(kind, kind)
        if kind not in TYPES:
            raise InputError(
                f"combine_type is {self.combine_type!r}, expected one of {', '.join(TYPES)}, average"
            )
        put(self, "combine_type", kind)
        put(self, "combine_nsigma", _nsigma(self.combine_nsigma))
        for name in ("combine_nlow", "combine_nhigh", "combine_grow"):
            put(self, name, _whole(name, getattr(self, name)))
        for name in ("combine_lthresh", "combine_hthresh"):
            put(self, name, _limit(name, getattr(self, name)))
        low, high = self.combine_lthresh, self.combine_hthresh
        if low is not None and high is not None and low >= high:
            raise InputError(f"combine_lthresh is {low:g}, expected less than combine_hthresh, {high:g}")
        put(self, "combine_maskpt", _between("combine_maskpt", self.combine_maskpt, 0, 1))
        put(self, "median_newmasks", _truth("median_newmasks", self.median_newmasks))
        size = 1.0 if unset(self.combine_bufsize) else _number(self.combine_bufsize)
        if size is None or not 0 < size < math.inf:
            raise InputError(f"combine_bufsize is {self.combine_bufsize!r}, expected MiB, a number > 0")
        put(self, "combine_bufsize", size)

    @classmethod
    def of(cls, settings: dict) -> Parameters:
        """Those of the configuration's ``median`` section."""
        taken = {
            key: value
            for key, value in settings.items()
            if key.startswith("combine_") or key == "median_newmasks"
        }
        return cls(combine_maskpt=settings["maskpt"], **taken)

    @property
    def statistic(self) -> str:
        """combine_type without the i of the types that fill: median, mean, minmed, sum or auto."""
        return self.combine_type[1:] if self.fills else self.combine_type

    @property
    def fills(self) -> bool:
        return self.combine_type.startswith("i")

    @property
    def needs_noise(self) -> bool:
        return self.combine_type in NOISE_TYPES

    @property
    def trims(self) -> bool:
        """Do nlow and nhigh count?"""
        return self.statistic in ("median", "mean")

    @property
    def clips(self) -> bool:
        """Do lthresh and hthresh count? The sum is of all values, and minmed takes none, as in the peer."""
        return self.statistic not in ("sum", "minmed")

    def check_depth(self, n: int) -> None:
        """Refuse nlow and nhigh that leave nothing of `n` images, as the peer does."""
        if self.trims and n - self.combine_nlow - self.combine_nhigh < 1:
            raise InputError(
                f"combine_nlow is {self.combine_nlow} and combine_nhigh is {self.combine_nhigh}: "
                f"Rejecting all pixels due to large 'nlow' and/or 'nhigh'; expected a sum under the number of images, {n}"
            )


def advice(parameters: Parameters, n: int) -> list[str]:
    """What seed 001 advises against in combining `n` images with these parameters: one line each."""
    p, kind, said = parameters, parameters.statistic, []
    low, high = p.combine_nlow, p.combine_nhigh
    if n == 1:
        said.append("one image: there is nothing to compare it with, it is taken as it is")
    elif n == 2 and kind in ("median", "mean") and not low + high:
        said.append(
            f"combine_type {p.combine_type} of 2 images is their mean: no cosmic ray is rejected; auto or minmed can"
        )
    elif n < 3 and kind in ("minmed", "auto"):
        said.append("2 images: a ray is recognised only by the noise; 3 or more are advised")
    if kind == "minmed" and n >= 10:
        said.append(
            f"combine_type {p.combine_type} is biased low for {n} images: avoid it for 10 or more; auto or median are not"
        )
    if kind == "median" and n > 2:
        if n == 4 and not high:
            said.append("combine_type median of 4 images: combine_nhigh 1 is advised")
        elif (n - low - high) % 2 == 0 and n <= 10:
            said.append(
                f"combine_type median of {n} images without {low} low and {high} high ones averages the middle two of an even "
                "number; an odd number is advised"
            )
    if p.trims and low + high and n == low + high + 1:
        said.append(f"combine_nlow {low} and combine_nhigh {high} leave one of {n} values")
    if not p.trims and low + high:
        said.append(f"combine_type {p.combine_type} takes no notice of combine_nlow and combine_nhigh")
    if not p.clips and (p.combine_lthresh is not None or p.combine_hthresh is not None):
        said.append(f"combine_type {p.combine_type} takes no notice of combine_lthresh and combine_hthresh")
    return said


def unset(value) -> bool:
    """Whether a value stands for none: None, an empty text, "None" or "INDEF"."""
    return value is None or (isinstance(value, str) and value.strip().lower() in UNSET)


def _number(value) -> float | None:
    """The number that a value or its text is; None if it is none."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(number) else number


def _nsigma(value) -> tuple[float, float]:
    words = re.split(r"[\s,]+", value.strip()) if isinstance(value, str) else value
    try:
        words = list(words)
    except TypeError:
        words = [words]
    numbers = [_number(word) for word in words]
    if len(numbers) not in (1, 2) or any(x is None or not 0 <= x < math.inf for x in numbers):
        raise InputError(f"combine_nsigma is {value!r}, expected one or two numbers >= 0, as '4 3'")
    return numbers[0], numbers[-1]


def _whole(name, value) -> int:
    number = _number(value)
    if number is None or number < 0 or number != number // 1:
        raise InputError(f"{name} is {value!r}, expected an integer >= 0")
    return int(number)


def _limit(name, value) -> float | None:
    if unset(value):
        return None
    number = _number(value)
    if number is None:
        raise InputError(f"{name} is {value!r}, expected a number or None")
    return number


def _between(name, value, low, high) -> float:
    number = _number(value)
    if number is None or not low <= number <= high:
        raise InputError(
            f"{name} is {value!r}, expected a number from {low} to {high}, a fraction of the mean weight"
        )
    return number


def _truth(name, value) -> bool:
    words = {"yes": True, "true": True, "no": False, "false": False}
    found = words.get(value.strip().lower()) if isinstance(value, str) else value
    if found not in (True, False):
        raise InputError(f"{name} is {value!r}, expected True or False")
    return bool(found)


ALONE = ("createMedian", "getHelpAsString", "help", "median")  #: of `drizzleflow.combine.createmedian`
