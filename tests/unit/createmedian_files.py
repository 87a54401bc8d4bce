"""Small single-drizzled images, exposures, and what their combination has to be: for the tests of
createMedian.
"""

import numpy as np
from astropy.io import fits

from drizzleflow.combine import combine_stack

SHAPE = (40, 30)
ROOTS = ["j8xi0xabq", "j8xi0xacq", "j8xi0xadq"]
WCS = {
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRPIX1": 15.5,
    "CRPIX2": 20.5,
    "CRVAL1": 150.0,
    "CRVAL2": 2.0,
    "CD1_1": -1.4e-5,
    "CD1_2": 0.0,
    "CD2_1": 0.0,
    "CD2_2": 1.4e-5,
}
NOISE = {
    "EXPTIME": 500.0,
    "READNSEA": 5.0,
    "READNSEB": 5.0,
    "MDRIZSKY": 60.0,
    "INSTRUME": "ACS",
    "DETECTOR": "WFC",
}


def pixels(n=3, seed=0, shape=SHAPE):
    """Singles of blank sky in e-/s with a few rays, and weights of 500 s, some lower, some none."""
    rng = np.random.default_rng(seed)
    sci = rng.normal(0.1, 0.02, (n, *shape)).astype(np.float32)
    sci[rng.random(sci.shape) < 0.02] += 2
    wht = rng.uniform(480, 500, sci.shape).astype(np.float32)
    wht[rng.random(sci.shape) < 0.05] = 100
    wht[:, :2] = 0
    return sci, wht


def header_of(root, **more):
    """What AstroDrizzle writes: the exposure's keywords, and names of its own."""
    name = f"{root}_single_sci.fits"
    chips = {f"D00{i}DATA": f"{root}_flt.fits[sci,{i}]" for i in (1, 2)}
    mine = {
        "FILENAME": name,
        "ROOTNAME": name,
        "DATE": "2026-01-01",
        "BUNIT": "ELECTRONS/S",
        "TELESCOP": "HST",
        "EXPSTART": 58000.0,
    }
    header = fits.Header()
    for key, value in {**mine, **NOISE, **chips, **WCS, **more}.items():
        if value is not None:
            header[key] = value
    header["HISTORY"] = "AstroDrizzle processing"
    return header


def write_singles(folder, sci, wht, roots=ROOTS, compress=False, **more):
    paths = []
    for root, image, weight in zip(roots, sci, wht, strict=True):
        for name, plane in (("sci", image), ("wht", weight)):
            path, header = folder / f"{root}_single_{name}.fits", header_of(root, **more)
            if compress:
                squeezed = fits.CompImageHDU(plane, compression_type="GZIP_1", quantize_level=0)
                fits.HDUList([fits.PrimaryHDU(header=header), squeezed]).writeto(path)
            else:
                fits.writeto(path, plane, header)
            paths.append(path)
    return paths[::2]


def write_exposure(path, sky=(70.0, 60.0), readnoise=(3.0, 4.0), unit="ELECTRONS", exptime=400.0):
    primary = fits.PrimaryHDU()
    primary.header.update({"EXPTIME": exptime, "INSTRUME": "ACS", "DETECTOR": "WFC", "ATODGNA": 2.0})
    primary.header["READNSEA"], primary.header["READNSEB"] = readnoise
    chips = [fits.ImageHDU(np.ones((4, 5), np.float32), name="SCI", ver=i + 1) for i in range(len(sky))]
    for hdu, value in zip(chips, sky, strict=True):
        hdu.header["BUNIT"] = unit
        if value is not None:
            hdu.header["MDRIZSKY"] = value
    fits.HDUList([primary, *chips]).writeto(path)


def expected(n=3, exptime=500.0, readnoise=5.0, sky=60.0, **parameters):
    sci, wht = pixels(n)
    return combine_stack(
        sci, wht, exptime=exptime, readnoise=readnoise, sky=sky, full_output=True, **parameters
    )


def check(path, wanted):
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(hdus[0].data, wanted.sci)
        np.testing.assert_array_equal(hdus["NUSED"].data, wanted.nused)
