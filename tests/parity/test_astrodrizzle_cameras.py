"""The preset hst beside AstroDrizzle of drizzlepac 3.11.0 on small exposures of ACS/HRC, STIS and WFPC2.

Ours reads the files that a user has: STIS exposures two in a file, which AstroDrizzle splits, WFPC2's flags in a
file of their own. Every test prints its figures.
"""

import hst_instruments
import numpy as np
import pytest
import yaml
from astropy.io import fits
from peer_drizzlepac import PRODUCT
from peers import astrodrizzle, workflow
from test_astrodrizzle import whole

#: camera -> AstroDrizzle's variant, our settings. WFPC2 without its sky, of which AstroDrizzle takes the lowest in
#: DN of four chips with four gains (docs/differences.md).
CAMERAS = {
    "hrc": ("defaults", {}),
    "stis": ("defaults", {}),
    "wfpc2": ("sky-off", {"skymatch": {"skip": True}}),
}


def peer_name(camera, root, ver):
    """AstroDrizzle's name of a frame."""
    if camera == "stis":
        return f"o6abcd{2 * int(root[-2]) - 2 + ver:02d}q_sci1"
    return f"{root}_c0m_sci{ver}" if camera == "wfpc2" else f"{root}_sci{ver}"


@pytest.mark.parametrize("camera", CAMERAS)
def test_another_camera(camera, tmp_path):
    variant, settings = CAMERAS[camera]
    (tmp_path / "in").mkdir()
    made = getattr(hst_instruments, camera)(tmp_path / "in")
    peer = astrodrizzle(tmp_path / "in", [variant]) / variant
    user = {"associations": str(made["association"]), "preset": "hst", **settings}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(user))
    workflow(["--configfile", "my.yaml", "--quiet", "all"], tmp_path)
    ours = tmp_path / "results" / camera
    differ = rays = 0
    for path in sorted((ours / "crmask").iterdir()):
        with fits.open(path) as hdus:
            for hdu in hdus[1:]:
                name = peer_name(camera, path.name.removesuffix("_crmask.fits"), hdu.ver)
                mask = fits.getdata(peer / f"{name}_crmask.fits") == 0
                differ += int(np.count_nonzero((hdu.data == 1) != mask))
                rays += int(np.count_nonzero(mask))
    theirs = {kind: fits.getdata(next(peer.glob(f"{PRODUCT}_dr?_{kind}.fits"))) for kind in ("sci", "wht")}
    median = fits.getdata(next(peer.glob("*_med.fits")))
    with fits.open(ours / f"{camera}_i2d.fits") as hdus:
        both = (hdus["WHT"].data > 0) & (theirs["wht"] > 0)
        # the whole mosaic of data in counts is divided by the gain of the last chip
        gain = {"stis": 4.016, "wfpc2": 7.10}.get(camera, 1.0)
        sci = hdus["SCI"].data[both] / np.float32(gain) - theirs["sci"][both]
        figures = {
            "cosmic-ray pixels": rays,
            "differ": differ,
            "median": float(
                np.abs(whole(ours / f"{camera}_median.fits", "SCI", median.shape) - median).max()
            ),
            "sci": float(np.abs(sci).max()),
            "wht": float(np.abs(hdus["WHT"].data - theirs["wht"]).max() / theirs["wht"].max()),
            "covered": int(both.sum()),
        }
    print(camera, figures)
    assert rays > 300 and differ == 0 and figures["covered"] > 5000
    assert figures["median"] < 3e-6 and figures["sci"] < 5e-6 and figures["wht"] < 1e-6
