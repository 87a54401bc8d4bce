"""Small exposures of HST's other cameras, with the headers that their handbooks describe: ACS/HRC, STIS, WFPC2.

Stars on a flat sky, four dithered exposures, and rays at known pixels. What a builder returns: ``association``
(CSV), ``members`` (paths) and ``rays``, {(member, frame): bool (ny, nx)}.
"""

import math
from pathlib import Path

import numpy as np
from astropy.io import fits

from drizzleflow.frames.hst_detectors import WFPC2
from drizzleflow.simulate.hst import offset_pointing, to_sky_of, wcs_cards

POINTING, ROLL = (150.1, 2.2), 20.0
FWHM = 0.12  #: arcsec
SKY = 60.0  #: electrons a second and arcsec^2
DITHERS = [(0.0, 0.0), (0.31, 0.17), (-0.23, 0.42), (0.12, -0.38)]  #: arcsec along the detector's axes
START = 52000.0  #: MJD


def _stars(radius, number, rng):
    """(ra, dec, electrons/s) of stars within `radius` arcsec of the pointing."""
    places = rng.uniform(-radius, radius, (number, 2))
    sky = [offset_pointing(*POINTING, 0.0, dx, dy) for dx, dy in places]
    return [(*place, flux) for place, flux in zip(sky, rng.uniform(3, 60, number), strict=True)]


def _chip(cards, shape, scale, seconds, readnoise, stars, rng):
    """Electrons of a chip with sky, and the pixels of its rays."""
    from astropy.wcs import WCS

    wcs = WCS(fits.Header([fits.Card(*card) for card in cards]))
    rate = np.full(shape, SKY * scale**2)
    y, x = (np.arange(n) for n in shape)
    width = FWHM / 2.3548 / scale * math.sqrt(2)
    for ra, dec, flux in stars:
        x0, y0 = (float(v) for v in wcs.wcs_world2pix(ra, dec, 0))
        if -9 < x0 < shape[1] + 9 and -9 < y0 < shape[0] + 9:  # the light in each pixel, not at its centre
            part = [
                [math.erf((k - c + 0.5) / width) - math.erf((k - c - 0.5) / width) for k in axis]
                for axis, c in ((y, y0), (x, x0))
            ]
            rate += flux * np.outer(*part) / 4
    data = rng.poisson(rate * seconds) + rng.normal(0, readnoise, shape)
    rays = np.zeros(shape, bool)
    for _ in range(shape[0] * shape[1] // 400):
        row, column = rng.integers(2, shape[0] - 3), rng.integers(2, shape[1] - 3)
        rays[row : row + rng.integers(1, 3), column : column + rng.integers(1, 4)] = True
    data[rays] += rng.uniform(300, 3000, rays.sum())
    return data.astype(np.float32), rays


def _image(name, ver, data, cards):
    header = fits.Header([fits.Card(*card) for card in cards])
    return fits.ImageHDU(data, header, name=name, ver=ver)


def _write(folder, name, primary, hdus):
    path = Path(folder) / name
    first = fits.PrimaryHDU(header=fits.Header({"FILENAME": name, "NEXTEND": len(hdus), **primary}))
    fits.HDUList([first, *hdus]).writeto(path, overwrite=True)
    return path


def _association(folder, name, paths):
    table = Path(folder) / f"{name}.csv"
    table.write_text("\n".join(["path", *(path.name for path in paths)]) + "\n")
    return table


def _common(root, seconds, number):
    start = START + number * 600 / 86400
    times = {"EXPTIME": seconds, "EXPSTART": start, "EXPEND": start + seconds / 86400}
    more = {
        "TELESCOP": "HST", "ROOTNAME": root, "OBSTYPE": "IMAGING", "DATE-OBS": "2001-04-01", "TIME-OBS": "00:00:00",
        "PA_V3": ROLL, "EQUINOX": 2000.0, "SUBARRAY": False, "EXPFLAG": "NORMAL", "IDCTAB": "N/A",
        "NPOLFILE": "N/A", "D2IMFILE": "N/A", "PFLTFILE": "N/A", "TARGNAME": "STARS", "IMAGETYP": "EXT",
    }  # fmt: skip
    return more, times


def _sci_cards(cards, root, scale, ngood, unit):
    more = {
        "BUNIT": unit, "EXPNAME": root, "ORIENTAT": ROLL, "IDCSCALE": scale, "VAFACTOR": 1.0, "NGOODPIX": ngood,
        "MEANDARK": 0.0, "NCOMBINE": 1, "BINAXIS1": 1, "BINAXIS2": 1, "LTV1": 0.0, "LTV2": 0.0, "LTM1_1": 1.0,
        "LTM2_2": 1.0, "PHOTFLAM": 1e-19, "PHOTPLAM": 6000.0,
    }  # fmt: skip
    return [*cards, *((key, value, "") for key, value in more.items())]


def _flags(shape, rng):
    """Hot pixels (16) that the pipeline knows."""
    dq = np.zeros(shape, np.int16)
    dq[rng.random(shape) < 0.003] = 16
    return dq


def _dithered(number, dx=0.0, dy=0.0):
    ddx, ddy = DITHERS[number]
    return offset_pointing(*POINTING, ROLL, dx + ddx, dy + ddy)


def hrc(folder, shape=(97, 103), seconds=400.0, seed=1):
    """ACS/HRC ``_flt``: one chip in electrons, read at amplifier C."""
    rng, scale, readnoise = np.random.default_rng(seed), 0.028, 4.7
    stars, paths, rays = _stars(2.0, 25, rng), [], {}
    for number in range(4):
        root = f"j8abcd0{number + 1}q"
        cards = wcs_cards(shape, *_dithered(number), ROLL, scale, None)
        data, hit = _chip(cards, shape, scale, seconds, readnoise, stars, rng)
        dq = _flags(shape, rng)
        data[dq > 0] += 500
        more, times = _common(root, seconds, number)
        primary = {
            **more, **times, "INSTRUME": "ACS", "DETECTOR": "HRC", "CCDAMP": "C", "CCDGAIN": 2.0, "APERTURE": "HRC",
            "FILTER1": "F606W", "FILTER2": "CLEAR2S",
            **{f"ATODGN{a}": 2.2 if a == "C" else 0.0 for a in "ABCD"},
            **{f"READNSE{a}": readnoise if a == "C" else 0.0 for a in "ABCD"},
        }  # fmt: skip
        sci = [*_sci_cards(cards, root, scale, int((dq == 0).sum()), "ELECTRONS"), ("CCDCHIP", 1, "")]
        err = np.sqrt(np.maximum(data, 0) + readnoise**2).astype(np.float32)
        hdus = [_image("SCI", 1, data, sci), _image("ERR", 1, err, cards), _image("DQ", 1, dq, cards)]
        paths.append(_write(folder, f"{root}_flt.fits", primary, hdus))
        rays[root, 1] = hit
    return {"association": _association(folder, "hrc", paths), "members": paths, "rays": rays}


def stis(folder, shape=(97, 103), times=(400.0, 250.0), seed=2, split=False):
    """STIS CCD ``_flt`` in counts: two files, each with two exposures of their own times and places.

    The primary header has the first exposure's EXPTIME, as AstroDrizzle leaves it. `split`: four files of one.
    """
    rng, scale, gain, readnoise = np.random.default_rng(seed), 0.0507, 4.016, 7.1
    stars, paths, rays = _stars(3.4, 25, rng), [], {}
    files = [(k,) for k in range(4)] if split else [(0, 1), (2, 3)]
    for first, numbers in enumerate(files, start=1):
        root, hdus, told = f"o6abcd0{first}0", [], []
        for ver, number in enumerate(numbers, start=1):
            seconds = times[number % 2]
            cards = wcs_cards(shape, *_dithered(number), ROLL, scale, None)
            data, hit = _chip(cards, shape, scale, seconds, readnoise, stars, rng)
            dq = _flags(shape, rng)
            data[dq > 0] += 500
            more, own = _common(root, seconds, number)
            name = f"o6abcd{number + 1:02d}q"
            sci = _sci_cards(cards, name, scale, int((dq == 0).sum()), "COUNTS")
            sci += [(key, value, "") for key, value in {**own, "DATE-OBS": more["DATE-OBS"]}.items()]
            err = np.sqrt(np.maximum(data, 0) + readnoise**2) / gain
            hdus += [
                _image("SCI", ver, data / np.float32(gain), sci),
                _image("ERR", ver, err.astype(np.float32), cards),
                _image("DQ", ver, dq, cards),
            ]
            told.append(own)
            rays[name if split else root, ver] = hit
        root = name if split else root
        more["ROOTNAME"] = root
        primary = {
            **more, **told[0], "INSTRUME": "STIS", "DETECTOR": "CCD", "OBSMODE": "ACCUM", "OPT_ELEM": "MIRVIS",
            "APERTURE": "50CCD", "FILTER": "Clear", "CCDAMP": "D", "CCDGAIN": 4, "ATODGAIN": gain,
            "READNSE": readnoise, "CRSPLIT": len(numbers), "NRPTEXP": 1, "LFLTFILE": "N/A",
            "TEXPTIME": sum(one["EXPTIME"] for one in told),
        }  # fmt: skip
        paths.append(_write(folder, f"{root}_flt.fits", primary, hdus))
    return {"association": _association(folder, "stis", paths), "members": paths, "rays": rays}


#: WFPC2: chip -> arcsec a pixel, its centre in units of half a WF chip, its turn from the first
CHIPS = {1: (0.0455, (0.55, 0.55), 0), 2: (0.0996, (-1.05, 1.05), 90), 3: (0.0996, (-1.05, -1.05), 180), 4: (0.0996, (1.05, -1.05), 270)}  # fmt: skip


def wfpc2(folder, side=71, seconds=500.0, seed=3, gain=7, telescope=True, flt=False):
    """WFPC2 ``_c0m`` and ``_c1m``: four chips in counts, PC and WF2 to WF4, without ERR.

    Headers that were GEIS files have no TELESCOP. `flt`: one file with DQ, and drizzlepac's ERR.
    """
    rng, paths, rays = np.random.default_rng(seed), [], {}
    half = side * CHIPS[2][0] / 2
    stars = _stars(2 * half, 70, rng)
    for number in range(4):
        root, images, flags = f"u6abcd0{number + 1}m", [], []
        for chip, (scale, (dx, dy), turn) in CHIPS.items():
            place = _dithered(number, half * dx, half * dy)
            cards = wcs_cards((side, side), *place, ROLL + turn, scale, None)
            per_dn, readnoise = WFPC2[gain][chip]
            data, rays[root, chip] = _chip(cards, (side, side), scale, seconds, readnoise, stars, rng)
            dq = _flags((side, side), rng)
            data[dq > 0] += 500
            more = _sci_cards(cards, root, scale, int((dq == 0).sum()), "COUNTS")
            images.append(
                _image("SCI", chip, data / np.float32(per_dn), [*more, ("DETECTOR", chip, "CCD detector")])
            )
            flags.append(_image("DQ" if flt else "SCI", chip, dq, [*cards, ("DETECTOR", chip, "")]))
        more, times = _common(root, seconds, number)
        primary = {
            **more, **times, "INSTRUME": "WFPC2", "ATODGAIN": float(gain), "FILTNAM1": "F814W", "FILTNAM2": "",
            "MODE": "FULL", "DARKTIME": seconds,
        }  # fmt: skip
        del primary["OBSTYPE"]
        if not telescope:
            del primary["TELESCOP"]
        if flt:
            with np.errstate(invalid="ignore"):
                errors = [_image("ERR", hdu.ver, np.sqrt(hdu.data), hdu.header.cards) for hdu in images]
            primary["DETECTOR"] = "PC"
            paths.append(_write(folder, f"{root}_flt.fits", primary, [*images, *flags, *errors]))
        else:
            paths.append(_write(folder, f"{root}_c0m.fits", primary, images))
            _write(folder, f"{root}_c1m.fits", primary, flags)
    return {"association": _association(folder, "wfpc2", paths), "members": paths, "rays": rays}


def sky_of(path, ver, x, y):
    """The sky position of a pixel, by the header."""
    with fits.open(path) as hdus:
        return to_sky_of(list(hdus["SCI", ver].header.cards))(x, y)
