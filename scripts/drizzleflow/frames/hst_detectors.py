"""Know HST's detectors: gain, read noise, times, error, and on which side their charge trails lie.

Sources: the instrument handbooks, and what AstroDrizzle of drizzlepac 3.11.0 does. `drizzleflow.formats.hst`
reads the files.
"""

from __future__ import annotations

import numpy as np

from drizzleflow.io.header import number, text

#: WFPC2 (Instrument Handbook): ATODGAIN -> by chip (DETECTOR), electrons per DN and read noise in electrons
WFPC2 = {
    7: {1: (7.12, 5.24), 2: (7.12, 5.51), 3: (6.90, 5.22), 4: (7.10, 5.19)},
    15: {1: (13.99, 7.02), 2: (14.50, 7.84), 3: (13.95, 6.99), 4: (13.95, 8.32)},
}
PHOTON_COUNTERS = ("SBC", "FUV-MAMA", "NUV-MAMA")  #: detectors without read-out noise: 1 count is 1 photon


def instrument_of(primary) -> str:
    return text(primary.get("INSTRUME")).upper()


def gain_and_readnoise(primary, sci) -> tuple[float, float | None]:
    """Return electrons per DN (1 where the headers do not say) and the read noise in electrons of a chip."""
    if instrument_of(primary) == "WFPC2":
        table = WFPC2.get(int(number(primary.get("ATODGAIN")) or 0), {})
        gain, readnoise = table.get(int(number(sci.get("DETECTOR")) or 0), (None, None))
    elif text(primary.get("DETECTOR")).upper() in PHOTON_COUNTERS:
        gain, readnoise = 1.0, 0.0
    else:
        gain = mean_of(primary, [f"ATODGN{a}" for a in "ABCD"]) or mean_of(primary, ["ATODGAIN", "ADCGAIN"])
        readnoise = mean_of(primary, [f"READNSE{a}" for a in "ABCD"]) or mean_of(primary, ["READNSE"])
    return gain or 1.0, readnoise


def mean_of(header, keys) -> float | None:
    """Return the mean of a keyword over the amplifiers in use; unused ones have the value 0."""
    values = [v for v in (number(header.get(key)) for key in keys) if v]
    return sum(values) / len(values) if values else None


def times(primary, sci) -> tuple[float | None, float | None, float | None]:
    """Return EXPTIME (s), EXPSTART and EXPEND (MJD) of a chip.

    The exposures in a STIS file have them in their own headers. AstroDrizzle copies those of the first into
    the primary header, where other instruments have theirs: it is looked at last.
    """
    headers = (sci, primary) if instrument_of(primary) == "STIS" else (primary, sci)
    return tuple(
        number(next((h[key] for h in headers if key in h), None)) for key in ("EXPTIME", "EXPSTART", "EXPEND")
    )


def exposed_apart(primary, nframes: int) -> bool:
    """Return whether a file's images were exposed one after the other: the imsets of a STIS file.

    STIS has one detector in a file; several SCI are CR-SPLIT or repeated exposures. In other files they are
    the chips of one exposure.
    """
    return nframes > 1 and instrument_of(primary) == "STIS"


def has_own_error(primary) -> bool:
    """Return whether ERR of an instrument's files is an uncertainty.

    WFPC2's ``_c0m`` have none, and in its ``_flt`` drizzlepac fills ERR with the root of the counts, without
    gain and read noise, and NaN below 0.
    """
    return instrument_of(primary) != "WFPC2"


def error_of(data, gain: float, readnoise: float) -> np.ndarray:
    """Return the uncertainty of an image in DN, float32: photons of sources and sky, and read noise.

    It is sqrt(gain max(data, 0) + readnoise^2) / gain, NaN where the image is. (WFPC2 Instrument Handbook;
    the noise of dark and flat field is far below.)

    Parameters
    ----------
    data : float32 (ny, nx)
        With its sky, DN.
    gain, readnoise : float
        Electrons per DN, electrons.
    """
    with np.errstate(invalid="ignore"):
        variance = np.maximum(data, np.float32(0)) * np.float32(gain)
    variance += np.float32(readnoise**2)
    return np.sqrt(variance, out=variance) / np.float32(gain)


def cte_direction(instrument: str, detector: str, chip: int, amps: str = "") -> int:
    """Return on which side charge trails lie, as `cte_dir` of `drizzleflow.outliers.driz_cr.driz_cr`.

    Parameters
    ----------
    instrument, detector : str
        INSTRUME and DETECTOR.
    chip : int
        CCDCHIP. The trails of ACS/WFC and WFC3/UVIS point away from the amplifiers: chip 1 is read out at its
        top, chip 2 at its bottom. (AstroDrizzle uses the number of the extension: the same in a file of both
        chips, wrong in a subarray of chip 1.)
    amps : str
        CCDAMP; used for ACS/HRC. The direction is 0 if amplifiers on both sides were read.
    """
    instrument, detector = str(instrument).strip().upper(), str(detector).strip().upper()
    if detector in ("WFC", "UVIS"):
        return {1: 1, 2: -1}.get(int(chip), 0)
    if detector == "HRC":
        letters = set(str(amps).strip().upper())
        top, bottom = bool(letters & set("AB")), bool(letters & set("CD"))
        return int(top) - int(bottom)
    if instrument == "WFPC2":
        return -1
    if instrument == "STIS" and detector == "CCD":
        return 1
    return 0
