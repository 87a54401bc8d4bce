"""A folder or a pattern as association: which files become members of which products, and what is said of the others."""

import os
import random
import re
import shutil
from unittest import mock

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from plan_files import build, jwst, plain, settings_of
from real_data import real_data

from drizzleflow.errors import InputError
from drizzleflow.plan import files, folder
from drizzleflow.plan import products as plan
from drizzleflow.plan.product import Finding, Product

FORMATS = files.Formats({})


def members(products) -> dict[str, list[str]]:
    assert [product.error for product in products.values() if product.error] == []
    return {name: [member.member for member in product.members] for name, product in products.items()}


def left_out(products) -> str:
    """What is said of files that are no members: the same with all products."""
    told = {tuple(product.left_out) for product in products.values()}
    assert len(told) == 1
    return "\n".join(told.pop())


# -- each file has one place
# -----------------------------------------------------------------------------------------

STEMS = st.sampled_from(["a", "b", "a_ooi_r", "a_ood_r", "a_oow_r", "c d", "-e"])
ENDINGS = st.lists(
    st.sampled_from(
        ["", "_dq", "_mask", "_ivar", "_cal", "_flt", "_flc", "_i2d", "_uncal", "_sci", ".weight"]
    ),
    max_size=2,
).map("".join)
TYPES = st.sampled_from([".fits", ".fits.gz", ".FITS", ".fts", ".asdf", ".txt", "_asn.json", ".fits.part"])
NAMES = st.builds("{}{}{}".format, STEMS, ENDINGS, TYPES)
#: what a file's headers say: the format, the filter, and whether it can be used
KINDS = st.tuples(st.sampled_from(["simple", "jwst", "hst"]), st.sampled_from(["r", "R", ""]), st.booleans())


def read(contents: dict, order=sorted):
    """The products of a folder of such files."""

    def describe(path):
        name, band, good = contents[path]
        if not good:
            raise InputError(f"{path}: cut short")
        kind = {"jwst": "NRC_IMAGE"}.get(name, "")
        return {
            "format": name,
            "instrument": "CAM",
            "detector": "x",
            "filter": band,
            "exp_type": kind,
            "celestial": None,
        }

    with mock.patch.object(folder, "NAMED", 1000):  # every name is told
        return folder.read("data", order(contents), describe, FORMATS.suffixes, FORMATS, "auto")


@given(
    st.dictionaries(
        st.builds("data/{}{}".format, st.sampled_from(["", "night/"]), NAMES), KINDS, max_size=12
    ),
    st.randoms(),
)
def test_each_file_is_a_member_or_beside_one_or_left_out(contents, shuffled):
    images = sorted(path for path in contents if re.search(r"\.(fits|fts|asdf)(\.gz)?$", path, re.IGNORECASE))
    try:
        found = read(contents)
    except InputError as error:
        message = str(error)
        if images:
            assert f"no calibrated image among {len(images)} FITS" in message
        else:
            assert "no FITS or ASDF file" in message
        with pytest.raises(InputError, match=re.escape(message)):
            read(contents, lambda paths: shuffled.sample(sorted(paths), len(paths)))
        return
    assert read(contents, lambda paths: shuffled.sample(sorted(paths), len(paths))) == found
    used = [
        member[key]
        for product in found
        for member in product.members
        for key in ("path", "dq", "ivar")
        if key in member
    ]
    assert len({tuple(product.left_out) for product in found}) == 1
    told = [line.removeprefix("data: left out ").split(": ")[0].split(", ") for line in found[0].left_out]
    names = [os.path.basename(path) for path in used] + [name for several in told for name in several]
    assert sorted(names) == sorted(map(os.path.basename, images))
    assert len(set(used)) == len(used)
    assert len({product.name for product in found}) == len(found)
    for product in found:
        kinds = {contents[member["path"]] for member in product.members}
        assert len(kinds) == 1 and all(good for _, _, good in kinds)
        takes = next(iter(kinds))[0] == "simple"
        assert takes or not any({"dq", "ivar"} & set(member) for member in product.members)
        assert all(re.fullmatch(r"[A-Za-z0-9._+][A-Za-z0-9._+-]*", m["member"]) for m in product.members)


def test_what_lies_beside_an_image():
    good, no = ("simple", "r", True), ("simple", "r", False)
    (found,) = read({f"data/{n}.fits": good for n in ("a", "a_dq", "a_mask", "a_ivar", "b", "c_mask")})
    assert found.members == [
        {
            "path": "data/a.fits",
            "member": "a",
            "exptype": "science",
            "dq": "data/a_dq.fits",
            "ivar": "data/a_ivar.fits",
        },
        {"path": "data/b.fits", "member": "b", "exptype": "science"},
    ]
    assert found.left_out == [
        "data: left out a_mask.fits: data quality or weights of a.fits, which takes them from elsewhere",
        "data: left out c_mask.fits: data quality or weights without their image",
    ]
    (found,) = read({"data/a.fits": no, "data/a_dq.fits": good, "data/b.fits": good})
    assert found.left_out == [
        "data: left out a.fits: cut short",
        "data: left out a_dq.fits: data quality or weights of a.fits, which is no member",
    ]
    (found,) = read({"data/x_cal.fits": ("jwst", "r", True), "data/x_cal_mask.fits": good})
    assert [set(member) for member in found.members] == [{"path", "member", "exptype"}]
    assert "x_cal_mask.fits" in found.left_out[0]


def test_long_lists_are_shortened():
    contents = {f"data/n{k}_i2d.fits": None for k in range(9)} | {"data/a.fits": ("simple", "", True)}
    (line,) = folder.read(
        "data",
        list(contents),
        lambda path: {"format": "simple", "instrument": "", "detector": "", "filter": ""},
        (),
        FORMATS,
        "auto",
    )[0].left_out
    assert line == "data: left out n0_i2d.fits, n1_i2d.fits, n2_i2d.fits, n3_i2d.fits and 5 more: a mosaic"


# -- files on disk
# -------------------------------------------------------------------------------------------------


def test_a_folder_of_several_filters_and_kinds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = tmp_path / "my night"
    here.mkdir()
    for number, band in enumerate(["F090W", "F200W", "F090W"], start=1):
        jwst(here / f"jw_{number}_nrca1_cal.fits", number, FILTER=band)
    shutil.copy(here / "jw_1_nrca1_cal.fits", here / "jw_1_nrca1_rate.fits")
    jwst(here / "jw_9_cal.fits", 9, exp_type="NRC_DARK")
    plain(here / "a b.fits", INSTRUME="CAM", FILTER="r")
    plain(here / "zero.fits", INSTRUME="CAM", FILTER="r", IMAGETYP="Bias Frame")
    plain(here / "nowhere.fits", INSTRUME="CAM", FILTER="r", CTYPE1="", CTYPE2="")
    (here / "cut.fits").write_bytes((here / "a b.fits").read_bytes()[:3000])
    (here / "notes.txt").write_text("seeing 0.8")
    (here / "below.fits").mkdir()
    made = build("my night")
    assert members(made) == {
        "cam_r": ["a_b"],
        "nircam_f090w": ["jw_1_nrca1", "jw_3_nrca1"],
        "nircam_f200w": ["jw_2_nrca1"],
    }
    told = left_out(made)
    for words in (
        "my night: left out cut.fits: [0]: the file is cut short",
        "my night: left out jw_1_nrca1_rate.fits: not calibrated yet",
        "my night: left out jw_9_cal.fits: exposure type NRC_DARK (mode: imaging takes it)",
        "my night: left out nowhere.fits: no celestial WCS; solve it first, for example with astrometry.net or SCAMP",
        "my night: left out zero.fits: exposure type Bias Frame",
    ):
        assert words in told
    assert "notes.txt" not in told and len(told.splitlines()) == 5
    assert plan.build(settings_of("my night"), None).told[: len(told.splitlines())] == told.splitlines()


def test_the_filter_of_niriss_may_be_in_its_other_wheel(tmp_path):
    for number, (first, second, name) in enumerate(
        [
            ("CLEAR", "F090W", "F090W"),
            ("CLEAR", "F200W", "F200W"),
            ("F480M", "NRM", "F480M"),
            ("F150W2", "F162M", "F150W2+F162M"),
            ("GR150C", "F200W", "GR150C+F200W"),
            ("CLEAR", "", "CLEAR"),
        ],
        start=1,
    ):
        path = jwst(tmp_path / f"n{number}_cal.fits", number, FILTER=first, PUPIL=second, INSTRUME="NIRISS")
        assert files.describe(path, settings_of())["filter"] == name
    made = build(tmp_path)
    assert {"niriss_f090w", "niriss_f200w", "niriss_f480m", "niriss_f150w2+f162m"} <= set(members(made))
    assert all(len(product.members) == 1 for product in made.values())


def test_a_pattern_takes_what_lies_beside_its_images_and_not_the_run_s_own_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "n1/a_ooi_r",
        "n1/a_ood_r",
        "n2/b_ooi_r",
        "n2/b_oow_r",
        "n2/other",
        "results/p/crf/a_ooi_r_crf",
    ):
        path = tmp_path / f"{name}.fits"
        path.parent.mkdir(parents=True, exist_ok=True)
        plain(path)
    (product,) = build("n*/*_ooi_*.fits").values()
    assert [(m.path, m.dq, m.ivar) for m in product.members] == [
        ("n1/a_ooi_r.fits", "n1/a_ood_r.fits", None),
        ("n2/b_ooi_r.fits", None, "n2/b_oow_r.fits"),
    ]
    (product,) = build("**/*.fits").values()
    assert [m.path for m in product.members] == ["n1/a_ooi_r.fits", "n2/b_ooi_r.fits", "n2/other.fits"]
    (product,) = build("results/p/crf").values()  # who asks for them gets them
    assert [m.member for m in product.members] == ["a_ooi_r"]


def test_nothing_to_make_a_product_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/notes.txt").write_text("")
    cases = {
        "data": "data: no FITS or ASDF file in this folder; data/**/*.fits takes those below it",
        "data/*_cal.fits": "data/*_cal.fits: no FITS or ASDF file matches this pattern",
    }
    for source, message in cases.items():
        (product,) = build(source).values()
        assert product.error == message
    plain(tmp_path / "data/x_i2d.fits")
    plain(tmp_path / "data/y_dq.fits")
    (product,) = build("data").values()
    assert product.name == "data" and product.error == (
        "data: no calibrated image among 2 FITS and ASDF files "
        "(x_i2d.fits: a mosaic; y_dq.fits: data quality or weights without their image)"
    )


def test_two_folders_of_one_filter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for night in ("n1", "n2"):
        (tmp_path / night).mkdir()
        plain(tmp_path / night / f"{night}.fits", FILTER="r")
    (product,) = build("n1", "n2").values()
    assert "r: the product's name is used 2 times (n1, n2)" in product.error and "n?/*" not in product.error
    assert members(build("n?/*.fits")) == {"r": ["n1", "n2"]}
    shutil.copy(tmp_path / "n1/n1.fits", tmp_path / "n2/n1.fits")
    assert "duplicate member n1 (n1/n1.fits and n2/n1.fits)" in build("n?/*.fits")["r"].error


def test_names_of_files_cannot_reach_the_terminal(tmp_path):
    plain(tmp_path / "a.fits")
    (tmp_path / "b\x1b[31m\n_i2d.fits").write_bytes(b"")
    made = plan.build(settings_of(tmp_path), None)
    assert all(line.isprintable() for line in made.told) and "b\\x1b[31m" in made.told[0]
    odd = Product("p", "p.csv", doubts=[Finding("filters", "2 filters: \x1b[31mr, i")])  # of an ASDF file
    assert plan.Plan({"p": odd}, None).told == [r"p: 2 filters: \x1b[31mr, i"]


@pytest.mark.filterwarnings("ignore:Error validating header")
def test_jobs_see_the_files_that_the_run_began_with(tmp_path):
    """A file that comes, is mended or goes while the run is at work; the next run sees it."""
    here, cache = tmp_path / "data", tmp_path / "plan.json"
    here.mkdir()
    for name in "abc":
        plain(here / f"{name}.fits")
    whole = (here / "c.fits").read_bytes()
    (here / "c.fits").write_bytes(whole[:3000])
    began = build(here, cache=cache)
    assert members(began) == {"data": ["a", "b"]} and "c.fits" in left_out(began)
    (here / "c.fits").write_bytes(whole)
    plain(here / "d.fits")
    (here / "b.fits").rename(tmp_path / "b.fits")
    assert build(here, cache=cache, main_process=False) == began
    assert members(build(here, cache=tmp_path / "none.json")) == {"data": ["a", "c", "d"]}
    assert members(build(here, cache=cache)) == {"data": ["a", "c", "d"]}


def test_the_order_of_directory_entries_does_not_matter(tmp_path, monkeypatch):
    for name in ("a", "a_dq", "b", "c_i2d", "d"):
        plain(tmp_path / f"{name}.fits")
    found, scan = build(tmp_path), os.scandir

    def shuffled(path):
        return iter(random.Random(3).sample(entries := list(scan(path)), len(entries)))

    monkeypatch.setattr(folder.os, "scandir", shuffled)
    assert [entry.name for entry in os.scandir(tmp_path)] != sorted(os.listdir(tmp_path))
    assert build(tmp_path) == found


# -- real files
# ----------------------------------------------------------------------------------------------------


def test_real_files_of_noirlab_s_archive():
    made = build(real_data("decam_legacypipe"))
    assert {name: len(names) for name, names in members(made).items()} == {
        "decam_z": 4,
        "decam_g": 2,
        "decam_r": 3,
    }
    for member in (member for product in made.values() for member in product.members):
        assert "_ooi_" in member.path
        assert member.dq == member.path.replace("_ooi_", "_ood_")
        assert member.ivar == member.path.replace("_ooi_", "_oow_")
    assert left_out(made) == ""
    (doubt,) = made["decam_z"].doubts
    assert doubt.check == "exposure_times" and "107 to 209 s with no unit" in doubt.text


def test_real_files_that_need_mode_imaging():
    here = real_data("jwst_niriss_hd36805")
    (refused,) = build(here).values()
    assert "no calibrated image among 25 FITS" in refused.error
    assert "and 21 more: exposure type NIS_AMI (mode: imaging takes it)" in refused.error
    made = build(here, mode="imaging")
    assert {name: len(names) for name, names in members(made).items()} == {"niriss_f480m": 25}


def test_real_odd_files(tmp_path):
    made = build(real_data("odd_files"))
    assert "iccz11q4q_ima.fits: its" in left_out(
        made
    ) and "are the reads of one ramp (an _ima file)" in left_out(made)
    assert sorted(name for names in members(made).values() for name in names)[:2] == [
        "ib6o23rtq",
        "ib6o23rwq",
    ]
    (alone,) = build(str(real_data("odd_files") / "*_ima.fits")).values()
    assert "expected the calibrated image, _flt" in alone.error


def test_hst_detectors_are_cameras_of_their_own(tmp_path):
    for number, detector in enumerate(["UVIS", "IR", "UVIS"]):
        header = {
            "TELESCOP": "HST",
            "INSTRUME": "WFC3",
            "DETECTOR": detector,
            "FILTER": "F606W",
            "ROOTNAME": f"i{number}",
        }
        primary = fits.PrimaryHDU()
        primary.header.update(header)
        planes = [fits.ImageHDU(np.zeros((6, 8), "f4"), name=name, ver=1) for name in ("SCI", "ERR")]
        fits.HDUList([primary, *planes]).writeto(tmp_path / f"i{number}_flt.fits")
    shutil.copy(tmp_path / "i0_flt.fits", tmp_path / "i0_flc.fits")
    made = build(tmp_path)
    assert members(made) == {"wfc3_ir_f606w": ["i1"], "wfc3_uvis_f606w": ["i0", "i2"]}
    assert made["wfc3_uvis_f606w"].members[0].path.endswith("i0_flc.fits")
    assert "i0_flt.fits: another version of i0_flc.fits" in left_out(made)
