"""Look up a single-drizzled image's exposure time, read noise and sky, from which ``minmed`` gets its noise.

The user's values come first, then those of the calibrated exposure beside the image, then those of the
image's own header, into which AstroDrizzle copies the keywords of the exposure.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass

from drizzleflow.errors import InputError
from drizzleflow.formats.hst import UNITS
from drizzleflow.frames.hst_detectors import WFPC2, mean_of
from drizzleflow.frames.noise import Noise
from drizzleflow.io.header import number

#: (instrument, detector) -> the unit of the exposures and of MDRIZSKY; used where the exposure is missing
_NATIVE = {
    ("ACS", ""): "ELECTRONS",
    ("WFC3", "UVIS"): "ELECTRONS",
    ("WFC3", "IR"): "ELECTRONS/S",
    ("STIS", ""): "COUNTS",
    ("WFPC2", ""): "COUNTS",
    ("NICMOS", ""): "COUNTS/S",
}
#: NICMOS (Data Handbook): camera -> electrons per DN, read noise in electrons
_NICMOS = {1: (5.4, 26.0), 2: (5.4, 26.0), 3: (6.5, 29.0)}


@dataclass(frozen=True)
class Overrides:
    """The user's own values for one image; None: the value is looked up in headers."""

    exptime: float | None = None  #: s
    rdnoise: float | None = None  #: electrons
    gain: float | None = None  #: electrons per unit of the data
    sky: float | None = None  #: electrons a pixel, subtracted before drizzling
    expkeyword: str | None = None  #: header keyword in place of EXPTIME
    rnkeyword: str | None = None  #: header keywords in place of READNSE*; the mean of several is taken
    gnkeyword: str | None = None  #: header keywords in place of ATODGN*; the mean of several is taken
    skyuser: str | None = None  #: header keyword in place of MDRIZSKY


def noise_of(name, header, exposure, user: Overrides, needed: bool) -> Noise:
    """Return the noise of a single-drizzled image; a field is None where it is neither known nor needed.

    Parameters
    ----------
    name : path
        The image, for messages.
    header : fits.Header
        Its header, primary and extension merged. Headers of this workflow's singles have all values.
    exposure : path or None
        The calibrated exposure (``_flt``, ``_flc``). Its chips that the single's D001DATA, D002DATA ... name
        are used, or all chips.
    user : Overrides
        The user's own values.
    needed : bool
        Whether an unknown value is an error.

    Raises
    ------
    InputError
        A value is not known; the message says where it was looked for and which parameter can give it.
    """
    said = Noise.from_header(header)
    sources = []
    if exposure is not None and said is None:
        sources.append((os.fspath(exposure), *_exposure_headers(exposure, header)))
    sources.append((os.fspath(name), header, [header]))
    looked = " or ".join(path for path, *_ in sources)

    def settle(value, what, keys, parameter):
        if value is None and needed:
            raise InputError(f"{name}: {what} is not known: no {keys} in {looked}; give it with {parameter}")
        return None if value is None else float(value)

    exptime, readnoise, sky, electrons = user.exptime, user.rdnoise, user.sky, None
    if exptime is None:
        keys = _keys(user.expkeyword, ["EXPTIME"])
        exptime = said.exptime if said else _first(sources, lambda primary, sci: _either(primary, sci, keys))
        exptime = settle(exptime, "the exposure time", "/".join(keys), "exptime (seconds)")
    if needed and not exptime > 0:
        raise InputError(
            f"{name}: the exposure time is {exptime:g} s, expected more than 0: "
            "leave the image out, or give exptime"
        )
    if readnoise is None:
        keys = _keys(user.rnkeyword, None)
        readnoise = (
            said.readnoise
            if said
            else _of_chips(
                sources,
                lambda p, s: _either(p, s, keys) if keys else _detector(p, s)[1],
                lambda chips: math.sqrt(sum(value**2 for value in chips) / len(chips)),
            )
        )
        readnoise = settle(
            readnoise, "the read noise", "/".join(keys or ["READNSEA", "READNSE"]), "rdnoise (electrons)"
        )
    if sky is None:
        sky = said.sky if said else _sky(sources, user, exptime)
        key = user.skyuser or "MDRIZSKY"
        sky = settle(
            sky, "the subtracted sky", f"{key} in a known unit", "sky (electrons a pixel, 0 where none was)"
        )
    if said and user.gain is None:
        electrons = said.electrons
    else:
        electrons = _per_unit(header, sources, user, exptime)
    if electrons is None and needed:
        raise InputError(
            f"{name}: BUNIT is {header.get('BUNIT')!r}, expected electrons or counts, per second or not: "
            "give the electrons/s of one unit with gain"
        )
    return Noise(exptime, readnoise, sky, electrons)


def chips_named(header) -> list[int]:
    """Return the numbers of the SCI extensions from which a single was drizzled; may be empty.

    The header has them as ``D001DATA = 'x_flt.fits[sci,1]'`` and so on.
    """
    matches = (
        re.search(r"\[sci,\s*(\d+)\]$", str(header[key]), re.IGNORECASE)
        for key in header
        if re.fullmatch(r"D\d{3}DATA", key)
    )
    return sorted({int(match[1]) for match in matches if match})


def exposure_named(header) -> str:
    """Return the name of the file from which a single was drizzled (``D001DATA``); empty if not known."""
    return os.path.basename(re.sub(r"\[[^\]]*\]$", "", str(header.get("D001DATA", "")).strip()))


def _exposure_headers(path, single):
    from drizzleflow.io.fits import open_fits

    wanted = chips_named(single)
    with open_fits(path) as hdus:
        headers = {hdu.ver: hdu.header.copy() for hdu in hdus if hdu.name == "SCI"}
        chips = [headers[ver] for ver in wanted if ver in headers] or list(headers.values())
        return hdus[0].header.copy(), chips or [hdus[0].header.copy()]


def _keys(given, default):
    return [key for key in re.split(r"[,\s]+", given.strip()) if key] if given else default


def _either(primary, sci, keys):
    """Return the mean of the keywords' non-zero values, from the chip's header, else from the primary.

    It is 0 if all values are 0, and None if neither header has one of the keywords.
    """
    for header in (sci, primary):
        if any(number(header.get(key)) is not None for key in keys):
            return mean_of(header, keys) or 0.0
    return None


def _first(sources, look):
    for _, primary, chips in sources:
        value = look(primary, chips[0])
        if value is not None:
            return value
    return None


def _of_chips(sources, look, join):
    """Return the chips' values joined by `join`, from the first source that has the values of all chips."""
    for _, primary, chips in sources:
        values = [look(primary, sci) for sci in chips]
        if all(value is not None for value in values):
            return join(values)
    return None


def _detector(primary, sci):
    """Return a chip's gain (electrons per DN) and read noise (electrons), each None where not known."""
    instrument = str(primary.get("INSTRUME", "")).strip().upper()
    if instrument == "WFPC2":
        chip = number(sci.get("DETECTOR", primary.get("DETECTOR")))
        return WFPC2.get(int(number(primary.get("ATODGAIN")) or 0), {}).get(int(chip or 0), (None, None))
    if instrument == "NICMOS":
        return _NICMOS.get(int(number(primary.get("CAMERA")) or 0), (None, None))
    if instrument == "ACS" and str(primary.get("DETECTOR", "")).strip().upper() == "SBC":
        return 1.0, 0.0  # a photon counter
    gain = readnoise = None
    for keys in ([f"ATODGN{a}" for a in "ABCD"], ["ATODGAIN"], ["ADCGAIN"]):
        gain = gain or _either(primary, sci, keys)
    for keys in ([f"READNSE{a}" for a in "ABCD"], ["READNSE"]):
        readnoise = _either(primary, sci, keys) if readnoise is None else readnoise
    return gain or None, readnoise


def _gain(primary, sci, user):
    if user.gain is not None:
        return user.gain
    keys = _keys(user.gnkeyword, None)
    return (_either(primary, sci, keys) if keys else _detector(primary, sci)[0]) or None


def _conversion(unit, gain, exptime):
    """Return the electrons in one unit of an exposure; None where unit, gain or time is not known."""
    unit = unit.strip().upper()
    if unit == "" or unit.startswith("ERG"):  # AstroDrizzle takes these as electrons/s
        unit = "ELECTRONS/S"
    if unit not in UNITS:
        return None
    factor = 1.0 if unit.startswith("ELECTRONS") else gain
    if unit.endswith("/S"):
        factor = None if factor is None or exptime is None else factor * exptime
    return factor


def _sky(sources, user, exptime):
    """Return the lowest sky of the chips, in electrons."""
    key = user.skyuser or "MDRIZSKY"

    def of_chip(primary, sci):
        value = number(sci.get(key, primary.get(key)))
        if not value:
            return value
        instrument, detector = (str(primary.get(k, "")).strip().upper() for k in ("INSTRUME", "DETECTOR"))
        unit = (
            sci.get("BUNIT")
            if sci is not single
            else _NATIVE.get((instrument, detector), _NATIVE.get((instrument, "")))
        )
        factor = (
            None
            if unit is None and sci is single
            else _conversion(str(unit or ""), _gain(primary, sci, user), exptime)
        )
        return None if factor is None else value * factor

    single = sources[-1][1]
    return _of_chips(sources, of_chip, min)


def _per_unit(header, sources, user, exptime):
    """Return the electrons/s in one unit of a single.

    AstroDrizzle's singles are in electrons/s, whatever the unit of the exposures.
    """
    unit = str(header.get("BUNIT", "")).strip().upper() or "ELECTRONS/S"
    gain = _first(sources, lambda primary, sci: _gain(primary, sci, user))
    if unit not in UNITS:
        return user.gain
    factor = 1.0 if unit.startswith("ELECTRONS") else gain
    if factor is None or unit.endswith("/S"):
        return factor
    return factor / exptime if exptime else None
