"""history.py: what products' headers say of their making, and what must not show in it."""

import numpy as np
import pytest
from astropy.io import fits

from drizzleflow import __version__
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.jobs import history

OPTIONS = {
    "median": {"combine_type": "auto", "combine_bufsize": 1.0},
    "mosaic": {"kernel": "square", "bands": 1},
    "grid": {"pixel_scale": None, "output_wcs": "here/w.fits"},
    "member": {"member": "m", "path": "here/m_cal.fits"},
    "groups": 3,
    "off": None,
}


@pytest.mark.parametrize(
    "change",
    [
        {"median": {"combine_type": "auto", "combine_bufsize": 0.1}},
        {"mosaic": {"bands": 7, "kernel": "square"}},
        {"grid": {"pixel_scale": None, "output_wcs": "there/w.fits"}},
        {"member": {"member": "m", "path": "there/m_cal.fits"}},
        {"groups": 4},
    ],
)
def test_settings_that_cannot_change_the_product_do_not_count(change):
    assert history.settings_hash(OPTIONS | change) == history.settings_hash(OPTIONS)


@pytest.mark.parametrize(
    "change",
    [
        {"median": {"combine_type": "mean", "combine_bufsize": 1.0}},
        {"mosaic": {"kernel": "turbo", "bands": 1}},
        {"grid": {"pixel_scale": 0.1, "output_wcs": "here/w.fits"}},
        {"crmask": {}},
    ],
)
def test_other_settings_count(change):
    assert history.settings_hash(OPTIONS | change) != history.settings_hash(OPTIONS)


def test_cards_of_a_product(tmp_path):
    """Long lines take several cards, and the file verifies."""
    found = history.keywords(OPTIONS, "c" * 64, "d" * 64)
    lines = history.members([("a" * 90, 1), ("b", 2), ("c", 1)], {"a" * 90: "e" * 64, "c": None})
    assert lines == [f"frame 0: {'a' * 90}", f"sha256 {'e' * 64}", "frames 1 to 2: b", "frame 3: c"]
    write_hdus(
        tmp_path / "p.fits", [(image_header(None, primary=True, cards=history.cards(found, lines)), None)]
    )
    with fits.open(tmp_path / "p.fits", checksum=True) as hdus:
        header = hdus[0].header
        hdus.verify("exception")
    assert (header["PROVVER"], header["PROVCODE"], header["PROVIN"]) == (
        f"drizzleflow {__version__}",
        "c" * 64,
        "d" * 64,
    )
    assert header["PROVCONF"] == history.settings_hash(OPTIONS)
    text = list(header["HISTORY"])
    assert (
        "".join(text).replace(" ", "") == "".join(lines).replace(" ", "")
        and text.count("sha256 " + "e" * 64) == 1
    )


def test_what_is_not_known_is_left_out():
    assert [*history.keywords({})] == ["PROVVER", "PROVCONF"]


def test_a_members_hash_lies_beside_its_lattices(tmp_path):
    from drizzleflow.geometry.pixmap import LatticeFiles

    np.savez(tmp_path / "b.npz", **{LatticeFiles.hash_key("a/b"): np.array("f" * 64)})
    assert LatticeFiles([tmp_path / "b.npz"]).sha256("a/b") == "f" * 64
    assert LatticeFiles([tmp_path / "b.npz"]).sha256("c") is None
