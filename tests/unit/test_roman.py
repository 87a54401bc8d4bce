"""Roman files: what is read of them, the exposure that they belong to, and the flagged copy."""

import os
import re
import subprocess
import sys
from pathlib import Path

import asdf
import gwcs  # noqa: F401  (its converters must be installed for asdf to find)
import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time
from real_data import real_data

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.formats import roman
from drizzleflow.io import asdf_nodes
from drizzleflow.io.asdf_file import AsdfFile
from drizzleflow.io.asdf_time import mjd
from drizzleflow.io.asdf_trees import asdf_bytes
from drizzleflow.resample import i2d
from drizzleflow.simulate import simulate

pytestmark = pytest.mark.filterwarnings("ignore::asdf.exceptions.AsdfWarning")  # unknown tags
SHAPE = (40, 48)
PLANES = ("data", "err", "var_poisson", "var_rnoise", "var_flat")
TAGS = "asdf://stsci.edu/datamodels/roman/tags"
KEYWORDS = {
    "S_OUTLIR": ("COMPLETE", "outlier detection status"),
    "BKGMETH": ("match", "method"),
    "BKGLEVEL": (0.25, "level"),
    "BKGSUB": (False, "subtracted"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The path of a simulated file."""
    few = {"exposures": 1, "detectors": 1, "shape": SHAPE, "stars": 900, "galaxies": 0, "bad_fraction": 0.02}
    return simulate(tmp_path_factory.mktemp("roman"), flavour="roman", **few)["members"][0]


@pytest.fixture(scope="module")
def tagged(made, tmp_path_factory):
    """The same with the tags of roman_datamodels, its logs and planes that no reader asks for, as the
    pipeline writes them.
    """
    raw = Path(made).read_bytes()
    end = raw.index(b"\n...\n") + 5
    text = raw[:end].decode()
    for old, new in (
        ("\nroman:\n", f"\nroman: !<{TAGS}/wfi_image-1.0.0>\n"),
        ("    cal_step: {", f"    cal_step: !<{TAGS}/l2_cal_step-1.0.0> {{"),
        (
            "    filename: ",
            f"    cal_logs: !<{TAGS}/cal_logs-1.0.0>\n    - 2027-04-05 romancal.step - INFO\n    filename: ",
        ),
        ("    exposure: {", f"    exposure: !<{TAGS}/exposure-1.0.0> {{"),
        ("telescope: ROMAN", f"telescope: !<{TAGS}/telescope-1.0.0> ROMAN"),
        (
            "    telescope:",
            f"    unknown: !<{TAGS}/something-9.9.9> &twice {{a: 1.50, b: [0x10, .inf, ~]}}\n    telescope:",
        ),
        ("    wcs: ", "    visit: *twice\n    wcs: "),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path_factory.mktemp("tagged") / "tagged_cal.asdf"
    path.write_bytes(text.encode() + raw[end : raw.index(b"#ASDF BLOCK INDEX")])
    return str(path)


def edited(path, change, to, **how):
    """A copy of a file with `change(tree["roman"])` made; `how` goes to asdf."""
    with asdf.open(path, lazy_load=False, memmap=False) as file:
        change(file.tree["roman"])
        asdf.AsdfFile(dict(file.tree)).write_to(to, **how)
    return str(to)


def member(path, **more):
    return {
        "member": "m",
        "path": os.fspath(path),
        "format": "roman",
        **roman.describe(path, formats.header(path)),
        **more,
    }


def flag(path, to, masks=None):
    if masks is None:
        masks = {1: np.zeros(SHAPE, bool)}
        masks[1][7, 3] = masks[1][20, 20:23] = True
    roman.write_crf(member(path), masks, to, KEYWORDS)
    return masks[1], to


def outline(node, at=()) -> dict:
    """Place -> (tag, text) of every node below one, arrays' numbers of blocks apart."""
    found = {at: (node.tag, node.value if isinstance(node.value, str) else None)}
    if asdf_nodes.is_mapping(node):
        for key, value in node.value:
            found |= outline(value, (*at, key.value))
    elif asdf_nodes.is_sequence(node):
        for number, value in enumerate(node.value):
            found |= outline(value, (*at, number))
    return found


# --- identity
# ---------------------------------------------------------------------------------------------------------


def test_recognised_by_its_tree(made):
    header = formats.header(made)
    assert formats.detect(header) == "roman" and formats.get("roman") is roman
    assert (
        not roman.recognise({"TELESCOP": "ROMAN"})
        and roman.ENDING == "asdf"
        and formats.get("jwst").ENDING == "fits"
    )


def test_describe(made):
    found = member(made)
    assert (found["nframes"], found["cube"], found["nx"], found["ny"]) == (1, False, SHAPE[1], SHAPE[0])
    assert (found["instrument"], found["detector"], found["exp_type"], found["filter"]) == (
        "WFI",
        "WFI01",
        "WFI_IMAGE",
        "F158",
    )
    assert found["group"] == "r0099901001001001001_0001" and found["exptime"] == 140.0


OBSERVATION = {
    "program": 1,
    "execution_plan": 2,
    "pass": 3,
    "segment": 4,
    "observation": 5,
    "visit": 6,
    "exposure": 7,
}


@pytest.mark.parametrize(
    ("change", "group"),
    [
        ({}, "r0000102003004005006_0007"),
        ({"program": "00042", "exposure": "12"}, "r0004202003004005006_0012"),
        ({"execution_plan": "", "plan": 9}, "r0000109003004005006_0007"),
        ({"visit": -999999}, "r0000101001001001001_0003_f158"),
        ({"exposure": "?"}, "r0000101001001001001_0003_f158"),
    ],
)
def test_the_exposure_that_a_file_belongs_to(change, group):
    name = "some/folder/r0000101001001001001_0003_wfi07_f158_cal.asdf"
    assert roman.group_id({"observation": OBSERVATION | change}, name) == group
    assert roman.group_id({}, "a_wfi18_crf.asdf") == "a"


def test_all_detectors_of_an_exposure_are_one_group(tmp_path):
    made = simulate(tmp_path, flavour="roman", exposures=2, detectors=3, shape=(16, 16), stars=0, galaxies=0)
    groups = [member(path)["group"] for path in made["members"]]
    assert groups == ["r0099901001001001001_0001"] * 3 + ["r0099901001001001001_0002"] * 3


def test_every_flag_is_one_bit_and_those_of_the_documents():
    assert sorted(roman.DQ_FLAGS.values()) == [1 << k for k in range(32) if k != 14]
    assert (
        roman.DQ_FLAGS["OUTLIER"] == 128 and roman.DQ_FLAGS["GW_AFFECTED_DATA"] == 16 and roman.OUTLIER == 129
    )


def test_neither_the_plan_nor_the_pixels_need_asdf(made):
    program = (
        "import sys; from drizzleflow import formats; from drizzleflow.formats import roman;"
        f"found = roman.describe({made!r}, formats.header({made!r}));"
        f"roman.read({{'path': {made!r}, 'member': 'm', **found}}, 1, ('data', 'dq', 'err', 'var'));"
        "print(*sorted({'asdf', 'gwcs', 'astropy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# --- reading
# ----------------------------------------------------------------------------------------------------------


def test_read(made):
    frame = formats.read(member(made), 1, ("data", "dq", "err", "var"))
    with asdf.open(made) as file:
        image = file["roman"]
        for found, name in (
            (frame.data, "data"),
            (frame.err, "err"),
            *((frame.var[k], v) for k, v in roman.VARIANCES.items()),
        ):
            assert (
                found.dtype == np.float32
                and found.dtype.isnative
                and found.flags.c_contiguous
                and found.flags.writeable
            )
            np.testing.assert_array_equal(found, image[name])
        assert frame.dq.dtype == np.uint32
        np.testing.assert_array_equal(frame.dq, image["dq"])
        exposure = image["meta"]["exposure"]
        assert frame.exposure_time == exposure["effective_exposure_time"] and frame.measurement_time is None
        assert frame.start_time == pytest.approx(exposure["start_time"].mjd, abs=1e-9)
        assert frame.end_time == pytest.approx(exposure["end_time"].mjd, abs=1e-9)
        assert frame.pixelarea_steradians == image["meta"]["photometry"]["pixel_area"]
        assert frame.s_region == image["meta"]["wcsinfo"]["s_region"]
        assert frame.rate_factor == image["meta"]["photometry"]["conversion_megajanskys"]
    assert (frame.unit, frame.product_unit, frame.level, frame.subtracted, frame.shape) == (
        "DN/s",
        "MJy/sr",
        None,
        None,
        SHAPE,
    )
    assert frame.per_pixel is False


def test_only_what_is_asked_for(made):
    frame = formats.read(member(made), 1, ())
    assert frame.data is frame.err is frame.dq is None and frame.var == {} and frame.shape == SHAPE
    frame = formats.read(member(made), 1, ("dq",))
    assert frame.data is None and frame.dq.shape == SHAPE


@pytest.mark.parametrize("rows", [(0, 40), (7, 19), (39, 40), (5, 5)])
@pytest.mark.parametrize("compression", [None, "zlib", "bzp2"])
def test_some_rows(made, tmp_path, rows, compression):
    path = edited(made, lambda image: None, tmp_path / "c_cal.asdf", all_array_compression=compression)
    whole, some = (formats.read(member(path), 1, ("data", "dq", "err", "var"), rows=r) for r in (None, rows))
    same = formats.read(member(made), 1, ("data",))
    np.testing.assert_array_equal(whole.data, same.data)
    assert some.shape == SHAPE and some.wcs.shape == SHAPE
    pairs = [(getattr(whole, name), getattr(some, name)) for name in ("data", "err", "dq")]
    pairs += [(whole.var[key], some.var[key]) for key in whole.var]
    for a, b in pairs:
        assert b.dtype == a.dtype and b.flags.c_contiguous
        np.testing.assert_array_equal(a[slice(*rows)], b)


def test_arrays_in_every_form(made, tmp_path):
    """Quantities, half precision, big-endian, a view with strides, and an array in the tree itself."""
    base = np.arange(2.0 * SHAPE[0] * SHAPE[1], dtype=np.float32).reshape(SHAPE[0], -1)

    def change(image):
        image["data"] = image["data"] * (u.DN / u.s)
        image["err"] = image["err"].astype(np.float16)
        image["var_rnoise"] = image["var_rnoise"].astype(">f8")
        image["var_poisson"] = base[:, ::2]
        image["meta"]["photometry"]["pixel_area"] = 2.5e-13 * u.sr

    path = edited(made, change, tmp_path / "q_cal.asdf")
    old, new = (formats.read(member(p), 1, ("data", "err", "var")) for p in (made, path))
    assert new.unit == "DN/s" and new.pixelarea_steradians == 2.5e-13
    np.testing.assert_array_equal(new.data, old.data)
    np.testing.assert_array_equal(new.err, old.err.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(new.var["rnoise"], old.var["rnoise"])
    np.testing.assert_array_equal(new.var["poisson"], base[:, ::2])
    np.testing.assert_array_equal(
        formats.read(member(path), 1, ("var",), rows=(3, 9)).var["poisson"], base[3:9, ::2]
    )
    mask, crf = flag(path, tmp_path / "q_crf.asdf")
    with asdf.open(crf, lazy_load=False, memmap=False) as file:
        image = file["roman"]
        assert image["data"].unit == u.DN / u.s and np.isnan(image["data"].value[mask]).all()
        assert image["err"].dtype == np.float16 and np.isnan(image["err"][mask]).all()
        good = ~np.isnan(image["err"])
        np.testing.assert_array_equal(image["var_poisson"][good], base[:, ::2][good])
    inline = edited(made, lambda image: None, tmp_path / "i_cal.asdf", all_array_storage="inline")
    np.testing.assert_array_equal(formats.read(member(inline), 1, ("data",)).data, old.data)
    mask, crf = flag(inline, tmp_path / "i_crf.asdf")
    assert ((formats.read(member(crf), 1, ("dq",)).dq & 128) != 0).tolist() == mask.tolist()


@pytest.mark.parametrize(
    ("change", "unit", "factor"),
    [
        (lambda meta: meta["cal_step"].update(flux="COMPLETE"), ("MJy/sr", None), 1.0),
        (lambda meta: meta["photometry"].update(conversion_megajanskys=None), ("DN/s", None), 1.0),
        (lambda meta: meta["photometry"].update(conversion_megajanskys=-999999), ("DN/s", None), 1.0),
        (lambda meta: meta["photometry"].update(conversion_megajanskys=0.5), ("DN/s", "MJy/sr"), 0.5),
    ],
)
def test_units(made, tmp_path, change, unit, factor):
    frame = formats.read(
        member(edited(made, lambda image: change(image["meta"]), tmp_path / "u_cal.asdf")), 1, ()
    )
    assert (frame.unit, frame.product_unit) == unit and frame.rate_factor == factor


def test_a_recorded_sky_level_and_missing_numbers(made, tmp_path):
    def change(image):
        image["meta"]["background"] = {"level": 0.25, "method": "match", "subtracted": False}
        times = {
            "effective_exposure_time": -999999,
            "exposure_time": 7.5,
            "start_time": "2027-01-01T12:00:00.25",
        }
        image["meta"]["exposure"] |= times
        del image["meta"]["exposure"]["end_time"]
        image["meta"]["wcsinfo"]["roll_ref"] = None
        del image["var_flat"]

    frame = formats.read(member(edited(made, change, tmp_path / "s_cal.asdf")), 1, ("var",))
    assert (frame.level, frame.subtracted, frame.exposure_time, frame.end_time) == (0.25, False, 7.5, None)
    assert frame.start_time == Time("2027-01-01T12:00:00.25").mjd and set(frame.var) == {"rnoise", "poisson"}
    assert frame.wcs.info == {}


@pytest.mark.parametrize(
    "time",
    [Time(61500.25, format="mjd"), Time("2027-04-05 06:00:00", format="iso"), Time(2461500.75, format="jd")],
)
def test_times_as_astropy_writes_them(time, tmp_path):
    path = tmp_path / "time.asdf"
    path.write_bytes(asdf_bytes({"time": time}))
    assert mjd(AsdfFile(path).value("time")) == pytest.approx(61500.25, abs=1e-9)


def test_the_wcs_and_its_reference_point(made):
    wcs = formats.read(member(made), 1, ()).wcs
    with asdf.open(made) as file:
        exact, info = file["roman"]["meta"]["wcs"], file["roman"]["meta"]["wcsinfo"]
        x, y = np.meshgrid([0.0, 20.5, 47.0], [0.0, 11.0, 39.0])
        np.testing.assert_array_equal(wcs.to_sky(x, y), exact(x, y))
        np.testing.assert_allclose(wcs.to_pixel(*wcs.to_sky(x, y)), (x, y), atol=1e-5)
    assert wcs.bbox == ((-0.5, SHAPE[1] - 0.5), (-0.5, SHAPE[0] - 0.5)) and wcs.shape == SHAPE
    assert wcs.info["ra_ref"] == info["ra_ref"] and wcs.info["vparity"] == -1
    # +y is where the WCS says, not only the keywords
    lon, lat = wcs.to_sky(np.array([23.5, 23.5]), np.array([19.5, 20.5]))
    angle = np.degrees(np.arctan2((lon[1] - lon[0]) * np.cos(np.radians(lat[0])), lat[1] - lat[0]))
    assert (angle - wcs.info["pa_y"] + 180) % 360 - 180 == pytest.approx(0, abs=0.1)


@pytest.fixture(scope="module")
def real(made, tmp_path_factory):
    """A frame of the size of a detector, with a real GWCS of an old pipeline and nothing but zeros."""
    source = real_data("wcs_assets/romancal_base_image_wcs.asdf")

    def change(image):
        with asdf.open(source, lazy_load=False, memmap=False) as file:
            image["meta"]["wcs"] = file["wcs"]
        # the camera's reference point, as in the WCS's own rotation
        image["meta"]["wcsinfo"] |= {"ra_ref": 270.0, "dec_ref": 66.0, "roll_ref": 60.0, "v3yangle": -60.0}
        zeros = np.zeros((4088, 4088), np.uint8)
        for name in (*PLANES, "dq"):
            image[name] = zeros.astype(np.uint32 if name == "dq" else np.float16)

    return edited(
        made, change, tmp_path_factory.mktemp("real") / "real_cal.asdf", all_array_compression="zlib"
    )


def test_a_real_gwcs(real):
    from drizzleflow.geometry.footprint import describe
    from drizzleflow.geometry.lattice import Lattice

    wcs = formats.read(member(real), 1, ()).wcs
    lon, lat = wcs.to_sky(np.array([0.0]), np.array([0.0]))
    assert (lon[0], lat[0]) == pytest.approx((269.33189032, 65.56866666), abs=1e-7)
    assert wcs.info == {}  # that point is half a degree away
    found = describe(wcs)
    assert (
        -180 <= found["pa_y"] <= 180
        and found["vparity"] == -1
        and found["ra_ref"] == pytest.approx(269.2, abs=0.2)
    )
    assert found["scale"] == pytest.approx(0.11, rel=0.02) and (found["nx"], found["ny"]) == (4088, 4088)
    assert Lattice.sample(wcs, tolerance=1e-3).x[-1] >= 4087


# --- the flagged copy
# -------------------------------------------------------------------------------------------------


def test_nan_and_flag_rules(tmp_path, tagged):
    """Outliers: DO_NOT_USE + OUTLIER. Whatever is NaN in any plane or DO_NOT_USE: NaN in all, and DO_NOT_USE."""

    def change(image):
        for k, name in enumerate(PLANES):
            image[name][10 + k, 10] = np.nan
        image["dq"][30, 30] |= 1
        image["dq"][31, 30] = 4

    source = edited(tagged, change, tmp_path / "n_cal.asdf")
    before = Path(source).read_bytes()
    mask, path = flag(source, tmp_path / "n_crf.asdf")
    assert Path(source).read_bytes() == before
    with asdf.open(source) as old, asdf.open(path) as new:
        old, new = old["roman"], new["roman"]
        invalid = mask | ((old["dq"] & 1) != 0)
        for name in PLANES:
            invalid |= np.isnan(old[name])
        assert all(invalid[y, 10] for y in range(10, 15)) and invalid[30, 30] and not invalid[31, 30]
        for name in PLANES:
            assert new[name].dtype == old[name].dtype
            np.testing.assert_array_equal(np.isnan(new[name]), invalid, err_msg=name)
            np.testing.assert_array_equal(new[name][~invalid], old[name][~invalid])
        expected = old["dq"] | np.where(mask, 129, 0).astype(np.uint32) | invalid.astype(np.uint32)
        assert new["dq"].dtype == np.uint32
        np.testing.assert_array_equal(new["dq"], expected)


def test_everything_else_is_the_inputs(tmp_path, tagged):
    """Foreign tags, texts of numbers, aliases, the order of keys, and the bytes of all blocks that are not
    flagged.
    """
    _, path = flag(tagged, tmp_path / "t_crf.asdf")
    old, new = AsdfFile(tagged), AsdfFile(path)
    a, b = outline(old.root), outline(new.root)
    assert a["roman",][0] == f"{TAGS}/wfi_image-1.0.0" and a["roman", "meta", "unknown", "b", 0][1] == "0x10"
    changed = {place for place in a | b if a.get(place) != b.get(place)}
    background = ("roman", "meta", "background")
    assert changed == {
        ("roman", "meta", "cal_step", "outlier_detection"),
        background,
        *((*background, key) for key in ("level", "method", "subtracted")),
    }
    assert [p for p in b if p in a] == list(a)
    assert new.node("roman", "meta", "unknown") is new.node("roman", "meta", "visit")
    assert new.value("roman", "meta", "cal_step")["outlier_detection"] == "COMPLETE"
    assert new.value("roman", "meta", "background") == {"level": 0.25, "method": "match", "subtracted": False}
    assert [p for p, kind in b.items() if p[-1:] == ("source",)] == [p for p in a if p[-1:] == ("source",)]
    flagged = {old.value("roman", name, "source") for name in (*PLANES, "dq")}
    assert len(new.blocks) == len(old.blocks) and len(flagged) == 6
    for number in set(range(len(old.blocks))) - flagged:
        assert bytes(new.block(number)) == bytes(old.block(number))
    # asdf itself agrees: checksums, the index of blocks, the tags
    with asdf.open(path, validate_checksums=True, lazy_load=False, ignore_unrecognized_tag=True) as file:
        assert (
            file["roman"]._tag == f"{TAGS}/wfi_image-1.0.0"
            and file["roman"]["meta"]["telescope"].data == "ROMAN"
        )
        assert isinstance(file["roman"]["meta"]["exposure"]["start_time"], Time)


def test_the_same_bytes_on_every_run(tmp_path, tagged):
    """In another process too, and nothing of where and when."""
    mask, first = flag(tagged, tmp_path / "a_crf.asdf")
    program = (
        "import sys, numpy as np; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/..']; import test_roman as t;"
        "m = {1: np.load(sys.argv[4])}; t.flag(sys.argv[2], sys.argv[3], m)"
    )
    np.save(tmp_path / "mask.npy", mask)
    arguments = [str(Path(__file__).parent), tagged, str(tmp_path / "b_crf.asdf"), str(tmp_path / "mask.npy")]
    subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    raw = first.read_bytes()
    assert raw == (tmp_path / "b_crf.asdf").read_bytes()
    assert str(tmp_path).encode() not in raw and os.uname().nodename.encode() not in raw


def test_a_flagged_copy_can_be_read_and_flagged_again(tmp_path, tagged):
    mask, path = flag(tagged, tmp_path / "t_crf.asdf")
    frame = formats.read(member(path), 1, ("data", "dq"))
    assert np.isnan(frame.data[mask]).all() and ((frame.dq[mask] & 129) == 129).all()
    assert (frame.level, frame.subtracted) == (0.25, False) and member(path)["group"] == member(tagged)[
        "group"
    ]
    _, again = flag(path, tmp_path / "again_crf.asdf", {1: mask})
    assert path.read_bytes() == again.read_bytes()
    x, y = np.array([3.0]), np.array([4.0])
    np.testing.assert_array_equal(
        frame.wcs.to_sky(x, y), formats.read(member(tagged), 1, ()).wcs.to_sky(x, y)
    )


def test_planes_that_share_a_block_and_a_file_without_dq(tmp_path, made):
    def change(image):
        image["var_flat"] = image["spare"] = image["var_rnoise"]
        del image["dq"], image["meta"]["cal_step"]

    source = edited(made, change, tmp_path / "d_cal.asdf")
    assert formats.read(member(source), 1, ("dq",)).dq is None
    mask, path = flag(source, tmp_path / "d_crf.asdf")
    with asdf.open(source) as old, asdf.open(path) as new:
        assert ((new["roman"]["dq"] & 128) != 0).tolist() == mask.tolist()
        np.testing.assert_array_equal(new["roman"]["spare"], old["roman"]["spare"])
        for name in ("var_flat", "var_rnoise"):
            assert np.isnan(new["roman"][name][mask]).all()
        assert new["roman"]["meta"]["cal_step"] == {"outlier_detection": "COMPLETE"}


def test_a_step_that_was_skipped_and_no_level(tmp_path, made):
    roman.write_crf(
        member(made), {1: np.zeros(SHAPE, bool)}, tmp_path / "s_crf.asdf", {"S_OUTLIR": ("SKIPPED", "")}
    )
    meta = AsdfFile(tmp_path / "s_crf.asdf").value("roman", "meta")
    assert meta["cal_step"]["outlier_detection"] == "SKIPPED" and "background" not in meta


def test_what_the_copy_says_of_its_making(tmp_path, made):
    """Texts, though they look like numbers."""
    known = {"PROVVER": ("drizzleflow 1", ""), "PROVCODE": ("1" * 64, ""), "PROVIN": ("12e" + "4" * 61, "")}
    roman.write_crf(
        member(made),
        {1: np.zeros(SHAPE, bool)},
        tmp_path / "s_crf.asdf",
        {"S_OUTLIR": ("COMPLETE", ""), **known},
    )
    meta = AsdfFile(tmp_path / "s_crf.asdf").value("roman", "meta")
    assert meta["drizzleflow"] == {
        "software": "drizzleflow 1",
        "code_sha256": "1" * 64,
        "input_sha256": "12e" + "4" * 61,
    }
    assert ("PROVIN", "12e" + "4" * 61) in [card[:2] for card in roman.headers(tmp_path / "s_crf.asdf")]


def test_the_input_is_never_replaced(tmp_path, made):
    path = tmp_path / "x_cal.asdf"
    path.write_bytes(Path(made).read_bytes())
    with pytest.raises(InputError, match="would replace its own input"):
        flag(path, path)
    with pytest.raises(InputError, match=r"mask of shape \(3, 3\), expected \(40, 48\)"):
        flag(path, tmp_path / "y", {1: np.zeros((3, 3), bool)})
    assert path.read_bytes() == Path(made).read_bytes() and os.listdir(tmp_path) == ["x_cal.asdf"]


def test_cards_for_a_product(made, tmp_path):
    other = edited(
        made, lambda image: image["meta"]["instrument"].update(detector="WFI02"), tmp_path / "o_cal.asdf"
    )
    merged = {card[0]: card[1] for card in i2d.merge_headers([made, other], roman.headers)}
    assert (
        merged["TELESCOP"] == "ROMAN"
        and merged["FILTER"] == "F158"
        and merged["PROGRAM"] == 999
        and "DETECTOR" not in merged
    )


# --- bad input
# --------------------------------------------------------------------------------------------------------


def test_files_that_are_no_roman_images(tmp_path):
    path = tmp_path / "x_cal.asdf"
    for content, message in (
        (b"SIMPLE  =                    T", r"x_cal\.asdf: not an ASDF file"),
        (
            b"#ASDF 1.0.0\n%YAML 1.1\n---\nroman: {",
            r"x_cal\.asdf: the file is cut short: its tree has no end",
        ),
        (b"#ASDF 1.0.0\n%YAML 1.1\n---\nroman: {\n...\n", r"x_cal\.asdf: the tree is not valid YAML"),
        (b"#ASDF 1.0.0\n%YAML 1.1\n---\nroman: \xff\n...\n", r"x_cal\.asdf: the tree is not UTF-8"),
        (asdf_bytes({"wcs": 1}), r"x_cal\.asdf: no 'roman' in the tree; expected a Roman WFI"),
        (asdf_bytes({"roman": {"data": 1}}), r"x_cal\.asdf: no 'roman\.meta' in the tree"),
        (
            asdf_bytes({"roman": {"meta": {}}}),
            r"x_cal\.asdf: no 'roman\.data' in the tree; expected an image",
        ),
        (
            asdf_bytes({"roman": {"meta": {}, "data": "text"}}),
            r"x_cal\.asdf\[data\]: shape None; expected an image",
        ),
        (
            asdf_bytes({"roman": {"meta": {}, "data": np.zeros((2, 3, 4))}}),
            r"x_cal\.asdf\[data\]: shape \(2, 3, 4\)",
        ),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            member(path)


def test_a_plane_of_another_shape_and_no_wcs(made, tmp_path):
    def change(image):
        image["var_flat"] = np.zeros((42, 48), np.float32)

    with pytest.raises(
        InputError, match=r"w_cal\.asdf\[var_flat\]: shape \(42, 48\), expected \(40, 48\) as data has"
    ):
        member(edited(made, change, tmp_path / "w_cal.asdf"))
    without = edited(made, lambda image: image["meta"].update(wcs=None), tmp_path / "n_cal.asdf")
    with pytest.raises(
        InputError, match=r"n_cal\.asdf: no 'roman\.meta\.wcs' in the tree; expected the GWCS"
    ):
        _ = formats.read(member(without), 1, ()).wcs
    wrong = edited(made, lambda image: image["meta"].update(wcs={"name": "none"}), tmp_path / "v_cal.asdf")
    with pytest.raises(InputError, match=r"v_cal\.asdf: no readable GWCS at roman\.meta\.wcs"):
        _ = formats.read(member(wrong), 1, ()).wcs


def test_cut_anywhere(made, tmp_path):
    """A file that ends too early anywhere is told with its name, or has all that is asked of it."""
    whole, path, outcomes = Path(made).read_bytes(), tmp_path / "cut_cal.asdf", set()
    for size in [*range(0, len(whole), 5003), len(whole)]:
        path.write_bytes(whole[:size])
        try:
            frame = formats.read(member(path), 1, ("data", "dq", "err", "var"))
            _ = frame.wcs
            flag(path, tmp_path / "cut_crf.asdf")
            outcomes.add("read")
        except InputError as error:
            assert "cut_cal.asdf" in str(error) and "\n" not in str(error)
            assert re.search("cut short|not an ASDF file|no readable GWCS", str(error)), error
            outcomes.add("told")
    assert outcomes == {"read", "told"} and os.listdir(tmp_path).count("cut_crf.asdf") == 1


def test_blocks_of_lz4(monkeypatch):
    """What the pipeline writes by default: pieces with their lengths; the package is asked for only then."""
    from lz4.block import compress

    from drizzleflow.io.asdf_blocks import Block, decompressed

    def block(kind, size):
        return Block(0, 0, 0, 0, size, kind, False, bytes(16))

    pieces = [compress(piece) for piece in (b"one", b"two" * 1000)]
    content = memoryview(b"".join(len(piece).to_bytes(4, "big") + piece for piece in pieces))
    assert bytes(decompressed(content, block(b"lz4", 3003), "a.asdf", 0)) == b"one" + b"two" * 1000
    for size in (3002, 3004):
        with pytest.raises(InputError, match=r"a\.asdf: block 0: cannot be decompressed"):
            decompressed(content, block(b"lz4", size), "a.asdf", 0)
    monkeypatch.setitem(sys.modules, "lz4.block", None)
    with pytest.raises(
        InputError, match=r"a\.asdf: block 0 is compressed with lz4; expected the Python package lz4"
    ):
        decompressed(content, block(b"lz4", 3003), "a.asdf", 0)
    with pytest.raises(InputError, match=r"unknown compression 'zstd', expected zlib"):
        decompressed(content, block(b"zstd", 3003), "a.asdf", 0)
