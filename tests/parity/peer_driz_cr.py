"""drizzlepac's `_driz_cr`, static masks and output grids on arrays and headers: run by the peer's Python.

    python peer_driz_cr.py CASES.npz OUT.npz

CASES.npz: ``cases``, a JSON list; a case of kind ``driz_cr`` names arrays ``{name}/data``, ``{name}/blot``
and has the keywords of `drizzlepac.drizCR`; a case of kind ``static`` names ``{name}/0``, ``{name}/1`` ...;
``deriv`` names ``{name}/data``; ``output_wcs`` has a ``path`` (its chips are taken to be of ``shape``) and
``parameters`` of the output frame. OUT.npz: one array a case, as the peer makes it (masks: 1 = good;
output_wcs: nx ny crval crpix cd). See test_astrodrizzle_steps.py.
"""

import json
import os
import sys
import tempfile
from types import SimpleNamespace

import numpy as np
from astropy.io import fits
from drizzlepac import drizCR, quickDeriv, staticMask


class Image:
    """What the peer's steps ask of an image object: one chip in memory."""

    scienceExt, _numchips, inmemory, group, _filename = "SCI", 1, False, None, "case_flt.fits"
    virtualOutputs = {}

    def __init__(self, data, dq, chip):
        self.data, self.dq, self.chip, self.saved = data, dq, chip, None
        self.outputNames = {"crcorImage": "case_crclean.fits"}

    def __getitem__(self, extension):
        return self.chip

    def getData(self, extension=None):
        return self.data.copy()

    def getExtensions(self, *_, **__):
        return [1]

    def buildMask(self, chip, bits=None, write=False):
        return (self.dq == 0).astype(np.uint8)

    def saveVirtualOutputs(self, outputs):
        pass


def driz_cr(name, case, arrays):
    data, blot = arrays[f"{name}/data"], arrays[f"{name}/blot"]
    fits.PrimaryHDU(blot).writeto("blot.fits", overwrite=True)
    names = {"blotImage": "blot.fits", "crmaskImage": "crmask.fits"}
    chip = SimpleNamespace(
        _conversionFactor=case.get("conversion", 1.0),
        _effGain=case["gain"],
        _rdnoise=case["readnoise"],
        subtractedSky=case["sky"],
        cte_dir=case["cte_dir"],
        group_member=True,
        outputNames=names,
        dq_extn="DQ",
    )
    settings = {
        "driz_cr_snr": case["snr"],
        "driz_cr_scale": case["scale"],
        "driz_cr_grow": case["grow"],
        "driz_cr_ctegrow": case["ctegrow"],
        "driz_cr_corr": False,
        "crbit": 4096,
        "inmemory": False,
    }
    drizCR._driz_cr(Image(data, np.zeros(data.shape, np.int16), chip), {}, settings)
    return fits.getdata("crmask.fits")


def static(name, case, arrays):
    signature = ("ACS/WFC", arrays[f"{name}/0"].shape, 1)
    mask = staticMask.staticMask({"STEP 1: STATIC MASK": {"static_sig": case["static_sig"]}})
    for number in range(case["count"]):
        chip = SimpleNamespace(signature=signature, outputNames={}, _chip=1)
        try:
            mask.addMember(Image(arrays[f"{name}/{number}"], None, chip))
        except ValueError as error:  # an image that it has no statistics of
            print(f"{name}/{number}: {error}", file=sys.stderr)
            return np.zeros(0, np.int16)
    return mask.getMaskArray(signature)


def output_wcs(case):
    from drizzlepac.wcs_functions import mergeWCS
    from stwcs.distortion import utils
    from stwcs.wcsutil import HSTWCS

    chips = []
    with fits.open(case["path"]) as hdus:
        for extver in (1, 2):
            chips.append(HSTWCS(hdus, ext=("SCI", extver)))
            chips[-1].pixel_shape = case["shape"][::-1]
    names = ("ra", "dec", "scale", "rot", "outnx", "outny", "crpix1", "crpix2")
    wcs = mergeWCS(utils.output_wcs(chips), {**dict.fromkeys(names), **case["parameters"]})
    return np.array([*wcs.pixel_shape, *wcs.wcs.crval, *wcs.wcs.crpix, *wcs.wcs.cd.ravel()])


def main(source, target):
    with np.load(source) as stored:
        arrays = {key: stored[key] for key in stored.files}
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, case in json.loads(str(arrays["cases"])).items():
            kind = case["kind"]
            if kind == "driz_cr":
                out[name] = driz_cr(name, case, arrays)
            elif kind == "static":
                out[name] = static(name, case, arrays)
            elif kind == "output_wcs":
                out[name] = output_wcs(case)
            else:
                out[name] = quickDeriv.qderiv(arrays[f"{name}/data"])
    np.savez_compressed(target, **out)


if __name__ == "__main__":
    main(*(os.path.abspath(path) for path in sys.argv[1:3]))
