"""HST inputs of other kinds, made from the simulator's two-chip ACS/WFC files: each function fills a folder
with copies.
"""

from pathlib import Path

import numpy as np
from astropy.io import fits

TABLES = ("CPDIS", "DP1", "DP2", "D2IMDIS", "D2IM1", "D2IM2")


def _members(source):
    return sorted(Path(source).glob("*_flt.fits"))


def _write(hdus, target, path):
    Path(target).mkdir(parents=True, exist_ok=True)
    hdus.writeto(Path(target) / path.name, overwrite=True)
    hdus.close()


def two_chips(source, target):
    """The files as they are."""
    for path in _members(source):
        _write(fits.open(path), target, path)


def single_chip(source, target):
    """The first chip alone, as a subarray has it."""
    for path in _members(source):
        hdus = fits.open(path)
        hdus[0].header["NEXTEND"] = 3
        _write(fits.HDUList([hdus[i] for i in range(4)]), target, path)


def wfc3_ir(source, target):
    """One chip as WFC3/IR writes it: electrons/s, and the extensions SAMP and TIME."""
    for path in _members(source):
        hdus = fits.open(path)
        exptime = np.float32(hdus[0].header["EXPTIME"])
        hdus[0].header.update(
            INSTRUME="WFC3",
            DETECTOR="IR",
            FILTER="F160W",
            APERTURE="IR",
            NEXTEND=5,
            SAMP_SEQ="SPARS50",
            NSAMP=11,
        )
        for hdu in hdus[1:3]:
            hdu.data = hdu.data / exptime
            hdu.header["BUNIT"] = "ELECTRONS/S"
        shape = hdus[1].data.shape
        extra = [
            fits.ImageHDU(np.full(shape, 11, np.int16), name="SAMP"),
            fits.ImageHDU(np.full(shape, exptime), name="TIME"),
        ]
        _write(fits.HDUList([*(hdus[i] for i in range(4)), *extra]), target, path)


def lookup_tables(source, target, tables):
    """With the NPOL and D2IM tables of a WFC3/UVIS file (`tables`; cut to 10 x 10 nodes of 64 px)."""
    for path in _members(source):
        hdus = fits.open(path)
        with fits.open(tables) as real:
            for chip in (1, 2):
                header = hdus["SCI", chip].header
                for card in real["SCI", chip].header.cards:
                    if card.keyword.startswith(TABLES):
                        header.append(fits.Card(card.rawkeyword, card.rawvalue, card.comment), end=True)
                header["NPOLEXT"] = "simulated"
            for hdu in real:
                if hdu.name in ("WCSDVARR", "D2IMARR"):
                    copy = fits.ImageHDU(np.array(hdu.data), hdu.header)
                    hdus.append(copy)
        _write(hdus, target, path)


def flat_field(source, target):
    """With a flat field of ones in PFLTFILE, which AstroDrizzle needs for final_wht_type='IVM'."""
    for path in _members(source):
        hdus = fits.open(path)
        hdus[0].header["PFLTFILE"] = "flat_pfl.fits"
        shape = hdus["SCI", 1].data.shape
        _write(hdus, target, path)
    flats = [fits.ImageHDU(np.ones(shape, np.float32), name="SCI", ver=chip) for chip in (1, 2)]
    fits.HDUList([fits.PrimaryHDU(), *flats]).writeto(Path(target) / "flat_pfl.fits", overwrite=True)
