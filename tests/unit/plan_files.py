"""A plan of real files: small FITS files with what the plan looks at, tables of them, and `build`."""

from pathlib import Path

import numpy as np
from astropy.io import fits

from drizzleflow.plan import config
from drizzleflow.plan import products as plan

ROOT = Path(__file__).parents[2]
DEFAULTS = config.load(ROOT / "config" / "config.yaml")


def settings_of(*associations, **user):
    user = {"associations": [str(path) for path in associations], **user}
    return config.resolve(DEFAULTS, user, ROOT / "config" / "presets")


def build(*associations, cache=None, main_process=True, **user):
    return plan.build(settings_of(*associations, **user), cache, main_process).products


def jwst(path, exposure=1, detector="NRCA1", exp_type="NRC_IMAGE", nints=None, shape=(6, 8), **more):
    """A file with what the plan looks at: keywords of the primary header and the shape of SCI."""
    primary = fits.PrimaryHDU()
    primary.header.update(
        TELESCOP="JWST",
        INSTRUME="NIRCAM",
        DETECTOR=detector,
        EXP_TYPE=exp_type,
        FILTER="F090W",
        EFFEXPTM=10.0,
        PROGRAM="01345",
        OBSERVTN="001",
        VISIT="001",
        VISITGRP="02",
        SEQ_ID="1",
        ACT_ID="01",
        EXPOSURE=str(exposure),
    )
    primary.header.update(more)
    shape = shape if nints is None else (nints, *shape)
    planes = [fits.ImageHDU(np.zeros(shape, "f4"), name=name) for name in ("SCI", "ERR")]
    fits.HDUList([primary, *planes]).writeto(path, overwrite=True)
    return path


def plain(path, shape=(6, 8), **keywords):
    hdu = fits.PrimaryHDU(np.zeros(shape, "f4"))
    hdu.header.update(
        {
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CRVAL1": 10.0,
            "CRVAL2": 5.0,
            "CRPIX1": 1.0,
            "CRPIX2": 1.0,
            "CDELT1": -1e-4,
            "CDELT2": 1e-4,
            "EXPTIME": 30.0,
            **keywords,
        }
    )
    fits.HDUList([hdu, fits.ImageHDU(np.ones(shape, "f4"), name="ERR")]).writeto(path, overwrite=True)
    return path


def table(folder, name, *rows):
    lines = rows if rows and str(rows[0]).startswith("path") else ["path", *rows]
    (folder / name).write_text("\n".join(str(line) for line in lines) + "\n")
    return folder / name
