"""Read createMedian's parameters as users write them: names, defaults, help texts and ``.cfg`` files.

Keywords of a call take precedence over a configuration (a dict, or a ``.cfg`` file as drizzlepac writes
them), which takes precedence over the defaults. A ``.cfg`` file is text, with sections in brackets and ``key
= value # comment``; nothing in it is executed.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from drizzleflow.combine.parameters import Parameters, unset
from drizzleflow.errors import InputError


@dataclass(frozen=True)
class Parameter:
    """Describe one parameter, as the help text explains it."""

    name: str
    default: object
    kind: str  #: type and unit, in words
    text: str  #: what it does
    step: bool = True  #: whether it is one of createMedian's own (AstroDrizzle's step 4)


PARAMETERS = {
    p.name: p
    for p in (
        Parameter(
            "median",
            True,
            "bool",
            "Whether to make a median image. False: nothing is read or written, and nothing is returned.",
        ),
        Parameter(
            "median_newmasks",
            True,
            "bool",
            "Leave out pixels whose weight says that they are bad (see combine_maskpt). False takes every "
            "pixel, also those on which nothing was drizzled: only for looking at bad pixels.",
        ),
        Parameter(
            "combine_maskpt",
            0.7,
            "float, 0 to 1",
            "Fraction of an image's mean weight below which a pixel is left out. The mean is that of all "
            "weights from 1e-8 on. Within an AstroDrizzle configuration the default is 0.3, as there.",
        ),
        Parameter(
            "combine_type",
            "minmed",
            "minmed, median, average (mean), sum, auto; imedian, imean, iminmed",
            "How the images are combined. minmed: the median, but the minimum where the median is "
            "significantly higher than it: highly recommended for three images, good for four to six, to be "
            "avoided for ten or more (it is then biased low). median: for many images, and as good as "
            "minmed down to about four; with four images set combine_nhigh to 1, with more consider a "
            "higher one, and keep the number of images minus combine_nhigh odd, since the median of an even "
            "number is the mean of the middle two. average: of the good values. sum: of all values, good or "
            "bad. auto: minmed's choice by the depth of each pixel, and an ERR extension. The types with i: "
            "where all images are bad, the last one's value.",
        ),
        Parameter(
            "combine_nsigma",
            "4 3",
            "one or two floats",
            "minmed and auto: how many sigma the minimum has to be below the median to be taken. The second "
            "is for pixels beside such a pixel; one value serves for both. sigma = sqrt(M + S + R^2), in "
            "electrons: median, subtracted sky and read noise.",
        ),
        Parameter(
            "combine_nlow",
            0,
            "int",
            "median and average: how many of the lowest values of each pixel are left out.",
        ),
        Parameter(
            "combine_nhigh",
            0,
            "int",
            "median and average: how many of the highest values of each pixel are left out.",
        ),
        Parameter(
            "combine_lthresh",
            None,
            "float or None, unit of the images (electrons/s)",
            "Values below it are left out. None or INDEF: no limit. Not for minmed and sum.",
        ),
        Parameter(
            "combine_hthresh",
            None,
            "float or None, unit of the images (electrons/s)",
            "Values from it on are left out. None or INDEF: no limit. Not for minmed and sum.",
        ),
        Parameter(
            "combine_grow",
            1,
            "int, pixels",
            "minmed and auto: how far around a pixel taken from the minimum the second value of "
            "combine_nsigma counts. Other types do not use it.",
        ),
        Parameter(
            "combine_bufsize",
            None,
            "float or None (1), MiB",
            "How much of each image is in memory at a time. The result does not depend on it; a larger "
            "buffer opens the files less often, which helps with compressed images.",
        ),
        Parameter(
            "output",
            None,
            "str",
            "Root of the output, <output>_med.fits. Default: final; the root of the image where there is "
            "one; the product of an association table.",
            False,
        ),
        Parameter(
            "exptime",
            None,
            "float or list, s",
            "Exposure times, one for all or one an image, in place of the headers'.",
            False,
        ),
        Parameter(
            "rdnoise", None, "float or list, electrons", "Read noise, in place of the headers'.", False
        ),
        Parameter(
            "gain",
            None,
            "float or list, electrons/DN",
            "Gain, for images or skies in counts; for images in another unit, the electrons/s of one unit.",
            False,
        ),
        Parameter(
            "sky",
            None,
            "float or list, electrons a pixel",
            "Sky that was subtracted before drizzling, in place of the headers'; 0 for none.",
            False,
        ),
        Parameter("expkeyword", None, "str", "Header keyword in place of EXPTIME.", False),
        Parameter(
            "rnkeyword",
            None,
            "str",
            "Header keywords in place of READNSEA ... (several with commas: their mean without zeros).",
            False,
        ),
        Parameter("gnkeyword", None, "str", "Header keywords in place of ATODGNA ...", False),
        Parameter(
            "skyuser", None, "str", "Header keyword in place of MDRIZSKY, in the unit of the exposure.", False
        ),
        Parameter("fillval", 0.0, "float or nan", "Value of pixels that no image has.", False),
    )
}
PER_IMAGE = ("exptime", "rdnoise", "gain", "sky")
KEYWORDS = ("expkeyword", "rnkeyword", "gnkeyword", "skyuser")
_PAIRS = tuple(zip(PER_IMAGE, KEYWORDS, strict=True))  #: a value, and the header keyword that may give it
#: parameters of AstroDrizzle that are accepted and not used
_IGNORED = {
    "_task_name_",
    "_mdriztab_btn_",
    "_RULES_",
    "runfile",
    "wcskey",
    "proc_unit",
    "coeffs",
    "context",
    "group",
    "build",
    "crbit",
    "stepsize",
    "resetbits",
    "num_cores",
    "in_memory",
    "rules_file",
    "mdriztab",
    "updatewcs",
    "driz_sep_compress",
    "restore",
    "preserve",
    "overwrite",
    "clean",
    "skysub",
}
_STEP = re.compile(r"STEP\s+(\w+)\s*:", re.IGNORECASE)
ASTRODRIZZLE_MASKPT = 0.3


def resolve(config=None, given: Mapping | None = None, within: bool = False) -> tuple[dict, object]:
    """Return the values of all parameters, and the input that a configuration names (or None).

    Parameters
    ----------
    config : None, mapping or path
        Without sections, or with AstroDrizzle's; only parameters that concern the median are read from its
        other steps.
    given : mapping
        Keywords of the call, which take precedence.
    within : bool
        True: `config` is AstroDrizzle's own, whatever it holds.

    Raises
    ------
    InputError
        A key is unknown or a value is not of its type; the message names file, key and value.
    """
    where, values, images, defaults = "", {}, None, {name: p.default for name, p in PARAMETERS.items()}
    if config is not None and not hasattr(config, "items"):
        where = f"{os.fspath(config)}: "
        config = read_cfg(config)
    if config is not None:
        within = within or _is_astrodrizzle(config)
        values, images = _flatten(config, where, within)
        if within:
            defaults["combine_maskpt"] = ASTRODRIZZLE_MASKPT
    settings = dict(defaults)
    for source, table in ((where, values), ("", given or {})):
        for key in table:
            if key not in PARAMETERS:
                raise InputError(f"{source}{key}: unknown parameter{_near(key)}")
        for (
            pair
        ) in _PAIRS:  # a value of the call also replaces the keyword of a configuration, and vice versa
            if any(table.get(key) is not None for key in pair):
                settings.update(dict.fromkeys(pair))
        for key, value in table.items():
            settings[key] = defaults[key] if unset(value) else convert(key, value, source)
        try:
            parameters_of(settings)
        except InputError as error:
            raise InputError(f"{source}{error}") from None
    _check(settings)
    return settings, images


def parameters_of(settings) -> Parameters:
    """Return the checked `Parameters` of the combination, from the values of all parameters."""
    known = [field.name for field in dataclasses.fields(Parameters) if field.name in settings]
    return Parameters(**{name: settings[name] for name in known})


def _is_astrodrizzle(config) -> bool:
    """Return whether a configuration is AstroDrizzle's: it has its name, or steps other than the median."""
    steps = (_STEP.match(key) for key in config if hasattr(config[key], "items"))
    return str(config.get("_task_name_", "")).strip().lower() == "astrodrizzle" or any(
        s and s[1] != "4" for s in steps
    )


def is_median_section(name) -> bool:
    """Return whether a section is the median's, 'STEP 4: CREATE MEDIAN IMAGE' (step 5 blots the median)."""
    step = _STEP.match(name)
    return step[1] == "4" if step else "MEDIAN" in name.upper()


def _flatten(config, where, within) -> tuple[dict, object]:
    """Return the parameters of a configuration, with or without sections, and its input (or None)."""
    values, images, skysub = {}, None, True
    for key, value in config.items():
        if not hasattr(value, "items"):
            if key == "input":
                images = value
            elif key in PARAMETERS:
                values[key] = value
            elif key not in _IGNORED and not within:
                raise InputError(f"{where}{key}: unknown parameter{_near(key)}")
            continue
        own = is_median_section(key)
        for name, inner in value.items():
            if name in PARAMETERS:
                values[name] = inner
            elif name == "skysub":
                skysub = _bool(name, inner, where)
            elif own and name not in _IGNORED:
                raise InputError(f"{where}[{key}] {name}: unknown parameter{_near(name)}")
    if not skysub and not str(values.get("skyuser") or "").strip():
        values.setdefault("sky", 0.0)  # nothing was subtracted
    elif within and skysub:
        values.pop("skyuser", None)  # AstroDrizzle reads it only where it subtracts nothing
    return {key: value for key, value in values.items() if not unset(value)}, images or None


def convert(key, value, where=""):
    """Convert the value of the parameter `key`, given as text or not, to the parameter's type.

    Raises
    ------
    InputError
        The value cannot be converted; the message begins with `where`.
    """
    if isinstance(value, str):
        value = value.strip()
    if key in ("median", "median_newmasks"):
        return _bool(key, value, where)
    if key == "fillval":
        return _number(key, value, where)
    if key in PER_IMAGE:
        parts = re.split(r"[,\s]+", value.strip(" ,[]()")) if isinstance(value, str) else value
        try:
            parts = list(parts)
        except TypeError:
            parts = [parts]
        return [_number(key, part, where) for part in parts]
    if PARAMETERS[key].step:
        return value
    if not isinstance(value, (str, os.PathLike)):
        raise InputError(f"{where}{key} is {value!r}, expected a text")
    return os.fspath(value)


def _bool(key, value, where):
    word = str(value).strip().lower()
    if word in ("true", "yes", "y", "on", "1"):
        return True
    if word in ("false", "no", "n", "off", "0"):
        return False
    raise InputError(f"{where}{key} is {value!r}, expected yes or no")


def _number(key, value, where):
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{where}{key} is {value!r}, expected a number ({PARAMETERS[key].kind})") from None


def _check(settings) -> None:
    for key in PER_IMAGE:
        least = "> 0" if key in ("exptime", "gain") else ">= 0"
        for value in settings[key] or ():
            if not 0 <= value < float("inf") or (value == 0 and least == "> 0"):
                raise InputError(f"{key} is {value:g}, expected a number {least}")
    for key, keyword in _PAIRS:
        if settings[key] is not None and settings[keyword] is not None:
            raise InputError(f"{key} and {keyword} are both given, expected one of them")
        if settings[keyword] is not None and not re.fullmatch(
            r"[\w-]{1,8}([,\s]+[\w-]{1,8})*", settings[keyword], re.ASCII
        ):
            raise InputError(f"{keyword} is {settings[keyword]!r}, expected a header keyword")


def _near(key) -> str:
    close = difflib.get_close_matches(str(key), list(PARAMETERS), 1, 0.6)
    return f", did you mean {close[0]}?" if close else f"; the parameters are {', '.join(PARAMETERS)}"


def read_cfg(path) -> dict:
    """Read a ``.cfg`` file as a dict of texts, in which each section is a dict of its own.

    Raises
    ------
    InputError
        The file cannot be read, or a line is neither ``[section]`` nor ``key = value`` nor a comment.
    """
    path = os.fspath(path)
    try:
        with open(path, encoding="utf-8-sig") as text:
            lines = text.read().splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 (byte {error.start})") from None
    content = section = {}
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        heading = re.fullmatch(r"\[+\s*(.*?)\s*\]+\s*(#.*)?", line)
        if heading:
            section = content.setdefault(heading[1], {})
            if not isinstance(section, dict):
                raise InputError(
                    f"{path}: line {number}: [{heading[1]}] is a key too, expected a section of another name"
                )
            continue
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise InputError(f"{path}: line {number} is {line[:60]!r}, expected [section] or key = value")
        if key.strip() in section:
            raise InputError(f"{path}: line {number}: {key.strip()} is there twice, expected once")
        section[key.strip()] = _text(value.strip(), path, number)
    return content


def _text(value, path, number) -> str:
    """Return the text of a value without its quotes and without the comment after it."""
    if value[:1] in ("'", '"'):
        mark = value[0]
        end = value.find(mark, 1)
        rest = value[end + 1 :].strip()
        if end < 0 or (rest and not rest.startswith(("#", ","))):
            raise InputError(f"{path}: line {number}: {value[:60]!r}, expected a text that ends with {mark}")
        if rest.startswith(","):  # a list of texts
            return re.sub(r"[\"']", "", value.split("#")[0]).strip()
        return value[1:end]
    return value.split("#")[0].strip()
