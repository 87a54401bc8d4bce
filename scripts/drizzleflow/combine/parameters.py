"""Check the parameters of `drizzlepac.createMedian`, and give its documentation's advice on them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from drizzleflow.errors import InputError

TYPES = ("auto", "median", "mean", "sum", "minmed", "iminmed", "imedian", "imean")
ALIASES = {"average": "mean", "iaverage": "imean"}
NOISE_TYPES = ("auto", "minmed", "iminmed")  #: types that compare a difference with the noise
UNSET = ("", "none", "indef")


@dataclass(frozen=True)
class Parameters:
    """Hold createMedian's parameters; values are checked and converted when the object is made.

    Raises
    ------
    InputError
        A value is not allowed; the message names the parameter, the value and what is expected.

    Source: the documentation of `drizzlepac.createMedian` 3.11.
    """

    #: auto, median, mean (average), sum, minmed, iminmed, imedian or imean, in any case. Where all images are
    #: bad, the types that begin with i take the last image's value
    combine_type: str = "minmed"
    #: how many standard deviations the minimum must lie below the median to be taken: anywhere, and beside
    #: pixels where it was taken. "4 3", "4,3" or [4, 3]; one number stands for both
    combine_nsigma: tuple = (4.0, 3.0)
    #: number of lowest values of a pixel that are left out: median, mean, imedian, imean
    combine_nlow: int = 0
    combine_nhigh: int = 0  #: number of highest values that are left out
    #: values below this are bad, in the unit of the images; None, "INDEF": no limit. Not for minmed
    combine_lthresh: float | None = None
    combine_hthresh: float | None = None  #: values of at least this are bad
    combine_grow: int = 1  #: how many pixels around chosen ones the second nsigma counts; auto, minmed
    #: pixels with less than this fraction of their image's mean weight are bad: 0 to 1
    combine_maskpt: float = 0.7
    median_newmasks: bool = True  #: False: pixels of low weight are used too; NaN never is
    combine_bufsize: float = 1.0  #: MiB of each image (data and weights) in memory at a time; None: 1
    #: auto: a pixel that one low value has pulled down by so many standard deviations below its surroundings
    #: gets the median instead; 0: none (createMedian has no such parameter)
    hole_nsigma: float = 4.0

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
        put(self, "hole_nsigma", _between("hole_nsigma", self.hole_nsigma, 0, 1e6, "standard deviations"))
        low, high = self.combine_lthresh, self.combine_hthresh
        if low is not None and high is not None and low >= high:
            raise InputError(f"combine_lthresh is {low:g}, expected less than combine_hthresh, {high:g}")
        what = "a fraction of the mean weight"
        put(self, "combine_maskpt", _between("combine_maskpt", self.combine_maskpt, 0, 1, what))
        put(self, "median_newmasks", _truth("median_newmasks", self.median_newmasks))
        size = 1.0 if unset(self.combine_bufsize) else _number(self.combine_bufsize)
        if size is None or not 0 < size < math.inf:
            raise InputError(f"combine_bufsize is {self.combine_bufsize!r}, expected MiB, a number > 0")
        put(self, "combine_bufsize", size)

    @classmethod
    def of(cls, settings: dict) -> Parameters:
        """Return the parameters in the configuration's section ``median``."""
        taken = {
            key: value
            for key, value in settings.items()
            if key.startswith("combine_") or key in ("median_newmasks", "hole_nsigma")
        }
        return cls(combine_maskpt=settings["maskpt"], **taken)

    @property
    def statistic(self) -> str:
        """The statistic, `combine_type` without a leading i: median, mean, minmed, sum or auto."""
        return self.combine_type[1:] if self.fills else self.combine_type

    @property
    def fills(self) -> bool:
        """Whether pixels that are bad in all images get the last image's value."""
        return self.combine_type.startswith("i")

    @property
    def needs_noise(self) -> bool:
        """Whether the combination needs the noise of the images."""
        return self.combine_type in NOISE_TYPES

    @property
    def trims(self) -> bool:
        """Whether the combination leaves out combine_nlow and combine_nhigh values."""
        return self.statistic in ("median", "mean")

    @property
    def clips(self) -> bool:
        """Whether combine_lthresh and combine_hthresh are used; as in drizzlepac, not for sum and minmed."""
        return self.statistic not in ("sum", "minmed")

    def check_depth(self, n: int) -> None:
        """Raise `InputError`, as drizzlepac does, if nlow and nhigh leave no value of `n` images."""
        if self.trims and n - self.combine_nlow - self.combine_nhigh < 1:
            raise InputError(
                f"combine_nlow is {self.combine_nlow} and combine_nhigh is {self.combine_nhigh}: "
                "Rejecting all pixels due to large 'nlow' and/or 'nhigh'; "
                f"expected a sum under the number of images, {n}"
            )


def advice(parameters: Parameters, n: int) -> list[str]:
    """Return advice against some parameters for `n` images, in lines, after createMedian's documentation."""
    p, kind, said = parameters, parameters.statistic, []
    low, high = p.combine_nlow, p.combine_nhigh
    if n == 1:
        said.append("one image: there is nothing to compare it with, it is taken as it is")
    elif n == 2 and kind in ("median", "mean") and not low + high:
        said.append(
            f"combine_type {p.combine_type} of 2 images is their mean: "
            "no cosmic ray is rejected; auto or minmed can"
        )
    elif n < 3 and kind in ("minmed", "auto"):
        said.append("2 images: a ray is recognised only by the noise; 3 or more are advised")
    if kind == "minmed" and n >= 10:
        said.append(
            f"combine_type {p.combine_type} is biased low for {n} images: "
            "avoid it for 10 or more; auto or median are not"
        )
    if kind == "median" and n > 2:
        if n == 4 and not high:
            said.append("combine_type median of 4 images: combine_nhigh 1 is advised")
        elif (n - low - high) % 2 == 0 and n <= 10:
            said.append(
                f"combine_type median of {n} images without {low} low and {high} high ones averages "
                "the middle two of an even number; an odd number is advised"
            )
    if p.trims and low + high and n == low + high + 1:
        said.append(f"combine_nlow {low} and combine_nhigh {high} leave one of {n} values")
    if not p.trims and low + high:
        said.append(f"combine_type {p.combine_type} takes no notice of combine_nlow and combine_nhigh")
    if not p.clips and (p.combine_lthresh is not None or p.combine_hthresh is not None):
        said.append(f"combine_type {p.combine_type} takes no notice of combine_lthresh and combine_hthresh")
    return said


def unset(value) -> bool:
    """Return whether a value means "not set": None, an empty text, "None" or "INDEF"."""
    return value is None or (isinstance(value, str) and value.strip().lower() in UNSET)


def _number(value) -> float | None:
    """Return a value, or its text, as a number; None if it is not a number."""
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


def _between(name, value, low, high, what) -> float:
    number = _number(value)
    if number is None or not low <= number <= high:
        raise InputError(f"{name} is {value!r}, expected a number from {low} to {high:g}, {what}")
    return number


def _truth(name, value) -> bool:
    words = {"yes": True, "true": True, "no": False, "false": False}
    truth = words.get(value.strip().lower()) if isinstance(value, str) else value
    if truth not in (True, False):
        raise InputError(f"{name} is {value!r}, expected True or False")
    return bool(truth)
