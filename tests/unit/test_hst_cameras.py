"""ACS/HRC, STIS and WFPC2: how their files become frames, groups and flagged copies, and what is refused."""

import hst_instruments as cameras
import numpy as np
import pytest
from astropy.io import fits
from planned import DEFAULTS, ROOT

from drizzleflow import formats
from drizzleflow.formats import hst
from drizzleflow.frames.hst_detectors import error_of
from drizzleflow.plan import config, products


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """camera -> its exposures; ``wfpc2-flt``: with DQ and ERR in the file."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("hrc", "stis", "wfpc2", "wfpc2-flt")}
    shape = {"shape": (40, 44)}
    return {
        "hrc": cameras.hrc(folders["hrc"], **shape),
        "stis": cameras.stis(folders["stis"], **shape),
        "wfpc2": cameras.wfpc2(folders["wfpc2"], side=40),
        "wfpc2-flt": cameras.wfpc2(folders["wfpc2-flt"], side=40, telescope=False, flt=True),
    }


def plan(association, **user):
    settings = config.resolve(DEFAULTS, {"associations": str(association), **user}, ROOT / "config/presets")
    (product,) = products.build(settings, None).products.values()
    return product


def member_of(made, camera, number=0) -> dict:
    product = plan(made[camera]["association"])
    assert product.error is None
    return product.members[number].asdict()


# -- groups


def test_the_exposures_in_a_stis_file_are_groups_of_their_own(made):
    product = plan(made["stis"]["association"])
    roots = ("o6abcd010", "o6abcd020")
    assert product.groups == {f"{root}-v{v:04d}": [(root, [v])] for root in roots for v in (1, 2)}
    member = product.members[0]
    assert (member.nframes, member.apart, member.cube, member.exptime) == (2, True, False, 650.0)
    frames = [hst.read(member.asdict(), v, ("data", "err", "var")) for v in (1, 2)]
    assert [frame.group for frame in frames] == ["o6abcd010-v0001", "o6abcd010-v0002"]
    assert [frame.exposure_time for frame in frames] == [400.0, 250.0]  # not the primary header's
    assert frames[1].start_time > frames[0].end_time
    assert len({frame.chip for frame in frames}) == 1  # one detector: one static mask
    for frame, seconds in zip(frames, (400.0, 250.0), strict=True):
        assert (frame.gain, frame.readnoise, frame.cte_dir) == (4.016, 7.1, 1)
        assert frame.rate_factor == pytest.approx(4.016 / seconds)
        np.testing.assert_allclose(frame.var["rnoise"], (7.1 / 4.016) ** 2, rtol=1e-6)


def test_one_exposure_in_a_stis_file_is_a_group(tmp_path):
    product = plan(cameras.stis(tmp_path, shape=(20, 22), split=True)["association"])
    assert [*product.groups] == [f"o6abcd{k:02d}q" for k in (1, 2, 3, 4)]
    assert not any(member.apart for member in product.members)


def test_the_chips_of_wfpc2_are_one_group(made):
    for camera in ("wfpc2", "wfpc2-flt"):
        product = plan(made[camera]["association"])
        assert product.error is None
        assert product.groups["u6abcd01m"] == [("u6abcd01m", [1, 2, 3, 4])]
        assert len(product.groups) == 4 and product.members[0].err and product.members[0].filter == "F814W"


def test_a_group_of_the_association_holds_for_a_stis_file(made, tmp_path):
    path = made["stis"]["members"][0]
    table = tmp_path / "asn.csv"
    table.write_text(f"path,group\n{path},visit1\n")
    assert [*plan(table).groups] == ["visit1-v0001", "visit1-v0002"]


# -- planes


def test_hrc_reads_one_amplifier(made):
    frame = hst.read(member_of(made, "hrc"), 1, ("data", "err", "dq", "var"))
    assert (frame.readnoise, frame.gain, frame.cte_dir, frame.chip) == (4.7, 1.0, -1, "1")
    np.testing.assert_allclose(frame.var["rnoise"], 4.7**2, rtol=1e-6)


@pytest.mark.parametrize(("chip", "gain", "readnoise"), [(1, 7.12, 5.24), (3, 6.90, 5.22), (4, 7.10, 5.19)])
def test_wfpc2_has_gain_read_noise_and_error_by_chip(made, chip, gain, readnoise):
    """The ERR of its _flt is the root of the counts: it is not taken."""
    errors = []
    for camera in ("wfpc2", "wfpc2-flt"):
        member = member_of(made, camera)
        frame = hst.read(member, chip, ("data", "err", "dq", "var"))
        assert (frame.gain, frame.readnoise, frame.cte_dir, frame.chip) == (gain, readnoise, -1, str(chip))
        np.testing.assert_allclose(
            frame.err, np.sqrt(gain * np.maximum(frame.data, 0) + readnoise**2) / gain, rtol=1e-6
        )
        np.testing.assert_allclose(frame.var["rnoise"], (readnoise / gain) ** 2, rtol=1e-6)
        np.testing.assert_array_equal(hst.read(member, chip, ("err",)).err, frame.err)
        assert set(np.unique(frame.dq)) == {0, 16}
        errors.append(frame.err)
    np.testing.assert_array_equal(*errors)
    with fits.open(made["wfpc2-flt"]["members"][0]) as hdus:
        assert not np.allclose(hdus["ERR", chip].data, errors[0], equal_nan=True)


def test_the_error_of_counts_is_their_scatter():
    """Exposures of one flat sky: their scatter is the error, with and without photons; NaN stays."""
    rng = np.random.default_rng(5)
    for level in (0.0, 30.0):
        counts = (rng.poisson(level * 7, 200_000) + rng.normal(0, 5.2, 200_000)) / 7
        assert error_of(np.full((2, 2), level, np.float32), 7.0, 5.2) == pytest.approx(counts.std(), rel=0.01)
    assert np.isnan(error_of(np.array([[np.nan]], np.float32), 7.0, 5.2)).all()
    # of a rate: so many electrons for one unit
    assert error_of(np.zeros((1, 1), np.float32), 7.0 * 100, 5.2)[0, 0] == pytest.approx(5.2 / 700)


def test_photon_counters_have_no_read_noise(made, tmp_path):
    path = tmp_path / "o1_flt.fits"
    with fits.open(made["stis"]["members"][0]) as hdus:
        hdus[0].header["DETECTOR"] = "NUV-MAMA"
        del hdus[0].header["ATODGAIN"], hdus[0].header["READNSE"]
        hdus.writeto(path)
    frame = hst.read({"member": "o1", "path": str(path), "group": "g", "apart": True}, 2, ("data", "var"))
    assert (frame.gain, frame.readnoise, frame.var, frame.cte_dir) == (1.0, 0.0, {}, 0)


# -- the flagged copy


def test_the_copy_of_a_c0m_has_its_flags(made, tmp_path):
    member = member_of(made, "wfpc2")
    assert member["dq"] == member["path"].replace("_c0m", "_c1m")
    masks = {v: np.zeros((40, 40), bool) for v in (1, 2, 3, 4)}
    masks[2][5, 6] = True
    out = tmp_path / "u_crf.fits"
    hst.write_crf(member, masks, out, {"S_OUTLIR": ("COMPLETE", "")})
    with fits.open(member["path"]) as before, fits.open(out) as after, fits.open(member["dq"]) as flags:
        assert [(h.name, h.ver) for h in after[5:]] == [("DQ", v) for v in (1, 2, 3, 4)]
        assert after[0].header["NEXTEND"] == 8
        for v in (1, 2, 3, 4):
            assert before["SCI", v].data.tobytes() == after["SCI", v].data.tobytes()
            assert after["DQ", v].data.dtype.name == "int16"
            np.testing.assert_array_equal(after["DQ", v].data, flags["SCI", v].data + 4096 * masks[v])
    # the copy is complete: the file beside it is not looked at
    again = hst.read(member | {"path": str(out), "dq": "/nowhere"}, 2, ("dq",))
    assert again.dq[5, 6] & 4096


# -- what is refused, by the plan


def edited(source, folder, change):
    """A copy of an exposure with a header changed, and an association of it alone."""
    with fits.open(source) as hdus:
        change(hdus)
        hdus.writeto(folder / source.name)
    (folder / "asn.csv").write_text(f"path\n{source.name}\n")
    return plan(folder / "asn.csv")


def test_a_spectrum_of_stis_is_refused(made, tmp_path):
    def grating(hdus):
        hdus[0].header.update(OBSTYPE="SPECTROSCOPIC", OPT_ELEM="G750L")

    error = edited(made["stis"]["members"][0], tmp_path, grating).error
    assert error.endswith(
        "o6abcd010_flt.fits: a STIS spectrum (OPT_ELEM G750L), expected an image (MIRVIS, MIRCUV ...); take it out "
        "of the association"
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda hdus: hdus[0].header.update(ATODGAIN=1.0), "ATODGAIN 1.0 and DETECTOR 1 of a chip, expected 7 or 15"),
        (lambda hdus: hdus["SCI", 3].header.update(DETECTOR=9), "ATODGAIN 7.0 and DETECTOR 9 of a chip, expected"),
        (lambda hdus: None, "no u6abcd01m_c1m.fits beside it, expected the file of its flags"),
    ],
)  # fmt: skip
def test_wfpc2_without_what_it_needs_is_refused(made, tmp_path, change, says):
    assert says in edited(made["wfpc2"]["members"][0], tmp_path, change).error


def test_flags_of_another_exposure_are_refused(made, tmp_path):
    source = made["wfpc2"]["members"][0]
    with fits.open(str(source).replace("_c0m", "_c1m")) as hdus:
        del hdus[4]
        hdus.writeto(tmp_path / source.name.replace("_c0m", "_c1m"))
    assert "no flags with EXTVER 4" in edited(source, tmp_path, lambda hdus: None).error


def test_a_wfpc2_flt_without_flags_is_refused(made, tmp_path):
    def without(hdus):
        for v in (1, 2, 3, 4):
            del hdus["DQ", v]

    error = edited(made["wfpc2-flt"]["members"][0], tmp_path, without).error
    assert "no extension DQ, expected flags there, or a _c0m.fits with its _c1m.fits" in error


def test_a_file_with_flags_is_found_and_not_given(made, tmp_path):
    path = made["wfpc2"]["members"][0]
    (tmp_path / "asn.csv").write_text(f"path,dq\n{path},{str(path).replace('_c0m', '_c1m')}\n")
    assert "dq is for plain FITS files, expected none with hst files" in plan(tmp_path / "asn.csv").error


# -- resetbits and crbit


def flagged_file(tmp_path, kind="i2"):
    flags = np.zeros((6, 8), kind)
    flags[0, :5] = 0, 16, 64, 80, 1
    hdus = [
        fits.PrimaryHDU(header=fits.Header({"TELESCOP": "HST", "EXPTIME": 10.0})),
        fits.ImageHDU(np.zeros((6, 8), np.float32), fits.Header({"BUNIT": "ELECTRONS"}), name="SCI", ver=1),
        fits.ImageHDU(flags, name="DQ", ver=1),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "a_flt.fits")
    return {"member": "a", "path": str(tmp_path / "a_flt.fits"), "group": "g"}


@pytest.mark.parametrize(
    ("resetbits", "left"),
    [
        ("auto", [0, 16, 64, 80, 1]),
        (0, [0, 16, 64, 80, 1]),
        (64, [0, 16, 0, 16, 1]),
        ("WARM,16", [0, 0, 0, 0, 1]),
    ],
)
@pytest.mark.parametrize("crbit", ["auto", 8192, 65536])
def test_bits_that_are_cleared_and_set(tmp_path, resetbits, left, crbit):
    member = flagged_file(tmp_path)
    options = formats.reading({"simple": {}, "inputs": {"resetbits": resetbits}, "crmask": {"crbit": crbit}})
    assert hst.read(member, 1, ("dq",), options).dq[0, :5].tolist() == left
    mask = np.zeros((6, 8), bool)
    mask[0, 1] = mask[5, 5] = True
    hst.write_crf(member, {1: mask}, tmp_path / "a_crf.fits", {"S_OUTLIR": ("COMPLETE", "")}, options)
    bit = 4096 if crbit == "auto" else crbit
    assert formats.outlier_bits(hst, options) == bit
    with fits.open(tmp_path / "a_crf.fits") as hdus:
        assert hdus["DQ"].data.dtype.name == ("int32" if crbit == 65536 else "int16")
        expected = np.zeros((6, 8), int)
        expected[0, :5] = left
        np.testing.assert_array_equal(hdus["DQ"].data, expected | np.where(mask, bit, 0))
    with pytest.raises(
        formats.InputError, match=r"configuration: inputs\.resetbits: unknown flag 'COLD'; known"
    ):
        hst.read(member, 1, ("dq",), {"resetbits": "COLD"})
    # a copy of ours keeps its flags, whatever is cleared in inputs
    again = hst.read(member | {"path": str(tmp_path / "a_crf.fits")}, 1, ("dq",), options)
    assert again.dq[5, 5] == bit


@pytest.mark.parametrize(
    ("user", "says"),
    [
        (
            {"inputs": {"resetbits": 4096}},
            "inputs.resetbits is 4096, which is for HST files; expected auto with",
        ),
        ({"crmask": {"crbit": 4096}}, "crmask.crbit is 4096, which is for HST files; expected auto with"),
    ],
)
def test_bits_are_for_hst(tmp_path, user, says):
    header = fits.Header(
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CDELT1": 1e-5, "CDELT2": 1e-5}
    )
    fits.PrimaryHDU(np.ones((8, 8), np.float32), header).writeto(tmp_path / "a.fits")
    (tmp_path / "asn.csv").write_text("path\na.fits\n")
    assert says in plan(tmp_path / "asn.csv", **user).error
    assert plan(tmp_path / "asn.csv").error is None


def test_weights_by_error_need_an_error(tmp_path):
    fits.PrimaryHDU(np.ones((8, 8), np.float32)).writeto(tmp_path / "a.fits")
    (tmp_path / "asn.csv").write_text("path\na.fits\n")
    for section in ("single_drizzle", "mosaic"):
        error = plan(tmp_path / "asn.csv", **{section: {"weight_type": "err"}}).error
        assert (
            f"no error plane, expected ERR or an inverse variance (without one, choose another {section}.weight_type)"
            in error
        )
