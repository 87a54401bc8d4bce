"""createMedian beside drizzlepac 3.11: the same single-drizzled images, image objects and parameters give the
same median.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from peers import DRIZZLEPAC, REPO, call, require

from drizzleflow.combine.createmedian import median

#: without thresholds: the peer scales them (docs/createmedian.md)
SETS = [
    {},
    {"combine_nsigma": "2.5 1.5", "combine_grow": 2},
    {"combine_maskpt": 0.95},
    {"median_newmasks": False},
    {"combine_grow": 0},
    {"combine_type": "median"},
    {"combine_type": "median", "combine_nhigh": 1},
    {"combine_type": "median", "combine_nlow": 1, "combine_nhigh": 2},
    {"combine_type": "mean"},
    {"combine_type": "mean", "combine_nhigh": 1},
    {"combine_type": "sum"},
    {"combine_type": "iminmed"},
    {"combine_type": "median", "combine_lthresh": 0.05, "combine_hthresh": 0.6},
    {"combine_type": "median", "combine_nlow": 2, "combine_nhigh": 4},
    {"combine_type": "average"},
]


@pytest.fixture(scope="module", params=[5, 2])
def folder(request, tmp_path_factory):
    """Exposures, AstroDrizzle's products and all medians, with the peer's median in the run; and a run with
    ours.
    """
    require(DRIZZLEPAC)
    made = tmp_path_factory.mktemp("exposures")
    size = ["--exposures", str(request.param), "--detectors", "2", "--shape", "100", "120"]
    call([sys.executable, "-m", "drizzleflow.simulate", made, "--flavour", "hst", *size], made)
    (made / "sets.json").write_text(json.dumps(SETS))
    for who in ("theirs", "ours"):
        (made / who).mkdir()
        for path in made.glob("*_flt.fits"):
            shutil.copy(path, made / who)
        call(
            [
                DRIZZLEPAC,
                Path(__file__).with_name("peer_createmedian.py"),
                made / "sets.json",
                who,
                REPO / "scripts",
            ],
            made / who,
        )
    return made


def test_the_same_medians(folder):
    """Every set of parameters that the peer makes an image with, on its own image objects and from its files
    alone.
    """
    log = json.loads((folder / "theirs" / "errors.json").read_text())
    print("\nseconds", log["seconds"], "errors", log["errors"])
    compared = 0
    for number, parameters in enumerate(SETS):
        theirs, ours = (folder / "theirs" / f"{number}_{who}_med.fits" for who in ("theirs", "ours"))
        if f"{number}_theirs" in log["errors"] or not theirs.exists():
            assert not ours.exists() and "Rejecting all pixels" in log["errors"][f"{number}_ours"], (
                parameters,
                log["errors"],
            )
            continue
        image, mine = fits.getdata(theirs), fits.getdata(ours)
        files = str(folder / "theirs" / "*flt.fits")
        alone = median(files, output=folder / str(number), **{"combine_maskpt": 0.3, **parameters})
        np.testing.assert_array_equal(fits.getdata(alone), mine)
        if parameters.get("combine_type") == "average":
            assert not image.any() and mine.any()
            continue
        differ = image != mine
        print(
            f"{differ.sum():6d} of {differ.size} pixels differ, at most {np.abs(image - mine).max():.2e}: {parameters}"
        )
        if parameters == {"combine_type": "mean", "combine_nhigh": 1}:
            # where fewer values are left than are taken away, the peer's mean is 0, ours relaxes as its
            # median does
            assert (image[differ] == 0).all()
        elif parameters.get("combine_type") == "iminmed":
            # where all images are bad the peer's is 0, against its documents
            lacking = fits.getdata(alone, "NUSED") == 0
            assert (image[lacking] == 0).all() and (image[~lacking] == mine[~lacking]).all()
        else:
            np.testing.assert_allclose(mine, image, rtol=2e-7, atol=2e-8)  # the noise is 0.03
        compared += 1
    assert compared >= 10


def test_astrodrizzle_goes_on_with_our_median_as_with_its_own(folder):
    names = sorted(path.name for path in (folder / "theirs").glob("*_crmask.fits"))
    assert names == sorted(path.name for path in (folder / "ours").glob("*_crmask.fits")) and names
    for name in [*names, "final_med.fits"]:
        np.testing.assert_array_equal(
            fits.getdata(folder / "ours" / name), fits.getdata(folder / "theirs" / name)
        )
    rays = sum(int((fits.getdata(folder / "theirs" / name) == 0).sum()) for name in names)
    assert rays > 0
    print(f"\n{rays} pixels in {len(names)} masks, all equal")


def test_in_memory(folder):
    """AstroDrizzle's in_memory: the images and the median are lists of HDUs."""
    run = folder / "memory"
    run.mkdir(exist_ok=True)
    for path in folder.glob("*_flt.fits"):
        shutil.copy(path, run)
    (folder / "none.json").write_text("[]")
    call(
        [
            DRIZZLEPAC,
            Path(__file__).with_name("peer_createmedian.py"),
            folder / "none.json",
            "ours",
            REPO / "scripts",
        ],
        run,
        ON_DISK="0",
    )
    for path in run.glob("*_flt.fits"):
        other = folder / "theirs" / path.name
        for chip in (1, 2):
            np.testing.assert_array_equal(fits.getdata(path, ("DQ", chip)), fits.getdata(other, ("DQ", chip)))
