"""createMedian alone: every way to give images, kinds of files, weights, the product, and AstroDrizzle's
step.
"""

import os

import numpy as np
import pytest
from astropy.io import fits
from createmedian_files import (
    NOISE,
    ROOTS,
    SHAPE,
    WCS,
    check,
    expected,
    header_of,
    pixels,
    write_exposure,
    write_singles,
)

from drizzleflow.combine.createmedian import createMedian, median, output_name
from drizzleflow.combine.drizzle_singles import DrizzledSingle
from drizzleflow.combine.exposure_noise import Overrides
from drizzleflow.combine.named_images import find
from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.window import Window
from drizzleflow.resample.single import SingleImage


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with nothing but singles."""
    write_singles(tmp_path, *pixels())
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- ways to give images
# ----------------------------------------------------------------------------------------------

WAYS = {
    "wildcard of exposures that are not there": "*flt.fits",
    "wildcard of singles": "*single_sci.fits",
    "wildcard of all singles": "*_single_*.fits",
    "names of exposures": [f"{root}_flt.fits" for root in ROOTS],
    "rootnames": ROOTS,
    "names of singles": [f"{root}_single_sci.fits" for root in ROOTS],
    "commas": ", ".join(f"{root}_flc.fits" for root in ROOTS),
    "list": "@names.lst",
    "association": "j8xi0x010_asn.fits",
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_give_images(here, way):
    (here / "names.lst").write_text(
        "# exposures\n\n" + "".join(f"{root}_flt.fits  {root}_ivm.fits\n" for root in ROOTS)
    )
    names, kinds = (
        [*(root.upper() for root in ROOTS), "J8XI0XZZQ", "J8XI0X010"],
        ["EXP-DTH"] * 4 + ["PROD-DTH"],
    )
    columns = [fits.Column("MEMNAME", "14A", array=names), fits.Column("MEMTYPE", "14A", array=kinds)]
    columns.append(fits.Column("MEMPRSNT", "L", array=[True, True, True, False, True]))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto("j8xi0x010_asn.fits")
    path = median(WAYS[way])
    assert path == ("j8xi0x010_med.fits" if way == "association" else "final_med.fits")
    check(path, expected())


def test_exposures_beside_the_singles_tell_the_noise(here):
    """The wildcard of the document, with the exposures in place: chips' read noise in quadrature, the least
    of their skies.
    """
    for root in ROOTS:
        write_exposure(here / f"{root}_flt.fits")
    readnoise = 3.5
    check(median("*flt.fits"), expected(exptime=400.0, readnoise=readnoise, sky=60.0))
    found, _ = find("*_single_sci.fits")  # named by D001DATA
    single, _ = found[0].open(Overrides(), True, True)
    assert single.noise == Noise(400.0, readnoise, 60.0, 1.0)


def test_another_folder_and_paths(here, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    monkeypatch.chdir(other)
    (here / "a.lst").write_text("\n".join(f"{root}_flt.fits" for root in ROOTS))  # relative to the list
    for way in (str(here / "*flt.fits"), [here / f"{root}_flt.fits" for root in ROOTS], f"@{here / 'a.lst'}"):
        assert median(way) == "final_med.fits"
        check("final_med.fits", expected())
    assert os.listdir(other) == ["final_med.fits"]
    assert median(str(here / "*flt.fits"), output="sub/m51_drz.fits") == "sub/m51_med.fits"


def test_the_name_of_the_output():
    """As AstroDrizzle: run with output = xyz, xyz.fits, xyz_drz.fits, a_b, Abc.1. `xyz_med` it doubles, we do
    not.
    """
    given = ["xyz", "xyz.fits", "xyz_drz.fits", "xyz_drc", "a_b", "Abc.1", "xyz_med.fits"]
    made = [output_name(name).removesuffix("_med.fits") for name in given]
    assert made == ["xyz"] * 4 + ["a_b", "Abc.1", "xyz"]
    with pytest.raises(InputError, match=r"output is 'sub/'"):
        output_name("sub/")


def test_one_image_gives_the_output_its_name(here):
    assert median(f"{ROOTS[0]}_flt.fits", combine_type="median") == f"{ROOTS[0]}_med.fits"


@pytest.mark.parametrize(
    "given, message",
    [
        ("*zzz.fits", r"\*zzz.fits: no file matches$"),
        ("q*flt.fits", r"q\*flt.fits: no file matches \(nor q\*_single_sci.fits\)"),
        (
            "nothing_flt.fits",
            "nothing_flt.fits: no such file, and no single-drizzled image nothing_single_sci.fits beside it",
        ),
        ("empty_flt.fits", "empty_flt.fits: no single-drizzled image .* nor has it extensions SCI and WHT"),
        ("@none.lst", "@none.lst: cannot be read"),
        ("@empty.lst", "@empty.lst: no names"),
        ("@nested.lst", "a list in a list"),
        (ROOTS[0] + "_single_wht.fits", "a weight image, expected j8xi0xabq_single_sci.fits"),
        (
            [ROOTS[0] + "_flt.fits", ROOTS[0] + "_single_sci.fits"],
            "given twice, as j8xi0xabq_flt.fits and as",
        ),
        ("gone_single_sci.fits", "gone_single_sci.fits: no such file"),
        (".", "a folder, expected an image"),
        ("text_single_sci.fits", "text_single_sci.fits: not a readable FITS file"),
        ("table_single_sci.fits", "no image, expected a single-drizzled image"),
        ("cube_single_sci.fits", "3 dimensions, expected an image"),
        ([], "no images"),
        (None, "no images"),
        ("", "no images"),
        ([" "], "an empty name"),
    ],
)
def test_images_that_are_refused(here, given, message):
    (here / "empty.lst").write_text("# nothing\n")
    (here / "nested.lst").write_text("@empty.lst\n")
    (here / "text_single_sci.fits").write_text("hello")
    fits.HDUList([fits.PrimaryHDU()]).writeto("table_single_sci.fits")
    fits.HDUList([fits.PrimaryHDU()]).writeto("empty_flt.fits")
    fits.writeto("cube_single_sci.fits", np.zeros((2, 3, 4), np.float32))
    before = sorted(os.listdir(here))
    with pytest.raises(InputError, match=message) as error:
        median(given)
    assert "\n" not in str(error.value) and sorted(os.listdir(here)) == before


# --- kinds of files
# ---------------------------------------------------------------------------------------------------


def test_compressed_singles(tmp_path, monkeypatch):
    """driz_sep_compress: tile compression, lossless here, moves the image to extension 1."""
    monkeypatch.chdir(tmp_path)
    write_singles(tmp_path, *pixels(), compress=True)
    check(median("*flt.fits", combine_bufsize=0.01), expected())
    header = fits.getheader("final_med.fits")
    assert (
        header["NAXIS"] == 2
        and header["CRPIX1"] == 15.5
        and not any(key.startswith("ZCMP") for key in header)
    )


@pytest.mark.parametrize("kind", ["float64", "gz", "rice"])
def test_other_storage(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    sci, wht = pixels()
    if kind == "float64":
        write_singles(tmp_path, sci.astype(float), wht.astype(float))
    elif kind == "gz":
        for path in [
            q
            for p in write_singles(tmp_path, sci, wht)
            for q in (p, p.with_name(p.name.replace("_sci", "_wht")))
        ]:
            fits.open(path).writeto(f"{path}.gz")
            path.unlink()
    else:
        for root, image, weight in zip(ROOTS, sci, wht, strict=True):
            for name, plane in (("sci", image), ("wht", weight)):
                squeezed = fits.CompImageHDU(
                    np.round(plane * 1000).astype(np.int32), compression_type="RICE_1"
                )
                fits.HDUList([fits.PrimaryHDU(header=header_of(root)), squeezed]).writeto(
                    f"{root}_single_{name}.fits.fz"
                )
    path = median([f"{root}_flt.fits" for root in ROOTS], combine_type="median")
    if kind == "rice":
        assert np.allclose(fits.getdata(path) / 1000, expected(combine_type="median").sci, atol=1e-3)
    else:
        check(path, expected(combine_type="median"))


def test_windows_on_one_grid(tmp_path, monkeypatch):
    """This workflow's singles hold only the window that they cover, and their own noise."""
    monkeypatch.chdir(tmp_path)
    sci, wht = pixels()
    whole = np.full((3, 50, 45), np.nan, np.float32)
    origins = [(7, 3), (5, 6), (12, 9)]
    for i, (x0, y0) in enumerate(origins):
        window = Window.placed(SHAPE, (x0, y0))
        SingleImage(sci[i], wht[i], window, "ELECTRONS/S", noise=Noise(500.0, 5.0, 60.0, 1.0)).write(
            tmp_path / f"g{i}_outlier_i2d.fits"
        )
        good = wht[i] >= 0.7 * wht[i][wht[i] > 0].mean(dtype=float)
        whole[i, y0 : y0 + SHAPE[0], x0 : x0 + SHAPE[1]] = np.where(good, sci[i], np.nan)
    path = median("*_outlier_i2d.fits", combine_type="median", fillval="nan")
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(hdus["NUSED"].data, np.isfinite(whole).sum(axis=0)[3:49, 5:42])
        inside = hdus["NUSED"].data > 0
        np.testing.assert_array_equal(np.isnan(hdus[0].data), ~inside)
        wanted = np.nanmedian(whole[:, 3:49, 5:42][:, inside].astype(float), axis=0)
        np.testing.assert_allclose(hdus[0].data[inside], wanted, rtol=1e-6)
        assert [hdus[i].header[key] for i in (0, 1) for key in ("WINX0", "WINY0")] == [5, 3] * 2
    assert median(
        ["g0_outlier_i2d.fits", "g1_outlier_i2d.fits", "g2_outlier_i2d.fits"]
    )  # minmed: the noise is in the headers
    write_singles(tmp_path, *pixels())
    with pytest.raises(
        InputError, match=r"g0_outlier_i2d.fits is a window of a grid .* j8xi0xabq_single_sci.fits is not"
    ):
        median(["g0_outlier_i2d.fits", f"{ROOTS[0]}_flt.fits"])


def test_the_wcs_of_a_window(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = np.ones((4, 5), np.float32)
    for i, (x0, y0) in enumerate([(10, 20), (8, 25)]):
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI"), fits.ImageHDU(data, name="WHT")]
        hdus[1].header.update(
            {
                **WCS,
                **NOISE,
                "WINX0": x0,
                "WINY0": y0,
                "CRPIX1": 100.5 - x0,
                "CRPIX2": 60.5 - y0,
                "BUNIT": "ELECTRONS/S",
            }
        )
        fits.HDUList(hdus).writeto(f"w{i}_i2d.fits")
    with fits.open(median(["w0_i2d.fits", "w1_i2d.fits"], combine_type="average")) as hdus:
        for hdu in hdus:
            assert (hdu.header["CRPIX1"], hdu.header["CRPIX2"]) == (92.5, 40.5)
        assert hdus[0].shape == (9, 7)


def test_the_grids_are_compared(here):
    fits.writeto("b_single_sci.fits", np.zeros((40, 31), np.float32), header_of("b"))
    fits.writeto("b_single_wht.fits", np.zeros((40, 31), np.float32))
    with pytest.raises(
        InputError, match=r"b_single_sci.fits: shape \(40, 31\), j8xi0xabq_single_sci.fits has \(40, 30\)"
    ):
        median([ROOTS[0], "b"])
    fits.setval("j8xi0xacq_single_sci.fits", "CRVAL2", value=2.0 + 1e-6)
    with pytest.raises(
        InputError, match=r"j8xi0xacq_single_sci.fits and j8xi0xabq_single_sci.fits: CRVAL2 differs"
    ):
        median(ROOTS)
    fits.setval("j8xi0xacq_single_sci.fits", "CRVAL2", value=2.0 + 1e-9)
    assert median(ROOTS)
    fits.writeto("j8xi0xadq_single_wht.fits", np.zeros((3, 4), np.float32), overwrite=True)
    with pytest.raises(InputError, match=r"j8xi0xadq_single_wht.fits: shape \(3, 4\), expected \(40, 30\)"):
        median(ROOTS)


@pytest.mark.filterwarnings("ignore:File may have been truncated")
def test_a_file_that_is_cut_short(here):
    path = here / f"{ROOTS[1]}_single_sci.fits"
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(InputError, match=r"j8xi0xacq_single_sci.fits"):
        median(ROOTS)
    assert not (here / "final_med.fits").exists()


# --- weights
# ----------------------------------------------------------------------------------------------------------


def test_a_missing_weight_image(here):
    """drizzlepac's list of weights is then shorter, and it stops with an IndexError or a TypeError."""
    (here / f"{ROOTS[1]}_single_wht.fits").unlink()
    for parameters in ({}, {"combine_type": "median"}, {"median_newmasks": False}):
        with pytest.raises(
            InputError,
            match=r"j8xi0xacq_single_sci.fits: its weight image j8xi0xacq_single_wht.fits is missing",
        ):
            median(ROOTS, **parameters)
    path = median(ROOTS, median_newmasks="no", combine_type="median")
    np.testing.assert_array_equal(fits.getdata(path), np.median(pixels()[0], axis=0).astype(np.float32))


def test_an_image_without_weight_does_not_count(here, caplog):
    """drizzlepac's threshold is then 0, and the zeros of such an image are data."""
    wht = pixels()[1]
    wht[2] = 0
    fits.writeto(f"{ROOTS[2]}_single_wht.fits", wht[2], overwrite=True)
    path = median(ROOTS, combine_type="median")
    assert (
        fits.getdata(path, "NUSED").max() == 2
        and "j8xi0xadq_single_sci.fits: no pixel has a weight" in caplog.text
    )


def test_the_threshold_is_the_fraction_of_the_mean_weight(here):
    single, _ = find(ROOTS)[0][0].open(Overrides(), True, True)
    weights = pixels()[1][0]
    assert single.mean_weight == pytest.approx(weights[weights >= 1e-8].mean(dtype=float), rel=1e-12)
    for fraction in (0.0, 0.1, 0.7, 1.0):
        wanted = expected(combine_type="median", combine_maskpt=fraction)
        check(median(ROOTS, combine_type="median", combine_maskpt=fraction), wanted)


# --- the product
# ------------------------------------------------------------------------------------------------------


def test_the_header(here):
    path = median(ROOTS, combine_type="average", combine_nhigh=1, output="m51")
    header = fits.getheader(path)
    assert header["FILENAME"] == path == "m51_med.fits" and header["ROOTNAME"] == "m51"
    stale = [k for k in header if k.startswith("D00") or k in ("DATE", "MDRIZSKY")]
    assert not stale and not any(
        "single_sci" in str(header[key]) for key in header if not key.startswith("IMCMB")
    )
    assert (header["NCOMBINE"], header["COMBTYPE"], header["COMBNHI"], header["COMBLTH"]) == (
        3,
        "mean",
        1,
        "INDEF",
    )
    assert header["EXPTIME"] == 1500 and header["TELESCOP"] == "HST" and header["CRVAL2"] == 2.0
    assert [header[f"IMCMB00{i}"] for i in (1, 2, 3)] == [f"{root}_single_sci.fits" for root in ROOTS]
    with fits.open(path, checksum=True) as hdus:
        hdus.verify("exception")
        assert (
            hdus[0].data.dtype == ">f4"
            and hdus["NUSED"].data.dtype == ">i2"
            and hdus["NUSED"].header["CRPIX2"] == 20.5
        )
        assert (
            hdus["NUSED"].data[0].max() == 0 and (hdus[0].data[0] == 0).all()
        )  # as drizzlepac, where no image is good


def test_the_same_bytes_whatever_the_folder_the_buffer_and_what_was_there(
    here, tmp_path_factory, monkeypatch
):
    first = open(median("*flt.fits"), "rb").read()
    for size in (1e-6, 0.002, 50):
        assert open(median("*flt.fits", combine_bufsize=size), "rb").read() == first
    other = tmp_path_factory.mktemp("other")
    monkeypatch.chdir(other)
    (other / "final_med.fits").write_text("an older file")
    assert open(median(str(here / "*flt.fits")), "rb").read() == first
    assert os.listdir(other) == ["final_med.fits"]


def test_the_inputs_stay_and_are_never_the_output(here):
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    median("*flt.fits")
    assert {
        path.name: path.read_bytes() for path in here.iterdir() if path.name != "final_med.fits"
    } == before
    fits.writeto("x_med.fits", pixels()[0][0])
    os.symlink("x_med.fits", "z_single_sci.fits")
    fits.writeto("z_single_wht.fits", pixels()[1][0])
    with pytest.raises(InputError, match=r"x_med.fits: the output is one of the inputs"):
        median("z_single_sci.fits", combine_type="median", output="x")


def test_a_folder_that_cannot_be_written(here):
    (here / "file").write_text("")
    with pytest.raises(InputError, match=r"file/x_med.fits: cannot be written"):
        median(ROOTS, output="file/x")


def test_no_file_stays_open_and_only_sections_are_read(here, monkeypatch):
    before, longest, read = len(os.listdir("/proc/self/fd")), 0, DrizzledSingle.read

    def watch(self, plane, y0, y1):
        nonlocal longest
        longest = max(longest, y1 - y0)
        assert len(os.listdir("/proc/self/fd")) <= before + 1
        return read(self, plane, y0, y1)

    monkeypatch.setattr(DrizzledSingle, "read", watch)
    median(ROOTS, combine_type="median", combine_bufsize=8 * 30 * 4 / 2**20)
    assert 0 < longest <= 8


# --- AstroDrizzle's step
# ----------------------------------------------------------------------------------------------


class Chip:
    """What drizzlepac's step reads of an image object, found by running it with objects that note what they
    are asked.
    """

    def __init__(self, sky, conversion=1.0, readnoise=5.0):
        self._rdnoise, self.subtractedSky, self._conversionFactor, self._exptime = (
            readnoise,
            sky,
            conversion,
            500.0,
        )


class Exposure:
    scienceExt, inmemory, native_units = "SCI", False, "ELECTRONS"

    def __init__(self, root, chips):
        names = {"outSingle": "single_sci", "outSWeight": "single_wht"}
        self.outputNames = {key: f"{root}_{name}.fits" for key, name in names.items()} | {
            "outMedian": "product_med.fits"
        }
        self._chips, self._image, self.virtualOutputs, self._filename = (
            chips,
            {("sci", 1): chips[0]},
            {},
            f"{root}_flt.fits",
        )

    def returnAllChips(self, extname=None):
        assert extname == "SCI"
        return self._chips


class Steps:
    def __init__(self):
        self.said = []

    def addStep(self, name):
        self.said.append(("add", name))

    def endStep(self, name):
        self.said.append(("end", name))


ASTRODRIZZLE = {
    "runfile": "x.log",
    "proc_unit": "native",
    "unheard_of": 1,
    "STEP 3: DRIZZLE SEPARATE IMAGES": {"driz_sep_compress": False},
    "STEP 4: CREATE MEDIAN IMAGE": {
        "median": True,
        "combine_nsigma": "4 3",
        "combine_bufsize": None,
        "compress": False,
    },
    "STEP 5: BLOT BACK THE MEDIAN IMAGE": {"blot": True},
}


@pytest.mark.parametrize("steps", [None, Steps()])
def test_the_step_as_astrodrizzle_calls_it(here, steps):
    """The least sky in electrons: drizzlepac compares one chip's electrons with the next one's own unit."""
    images = [Exposure(root, [Chip(60.0, readnoise=5.0), Chip(35.0, conversion=2.0)]) for root in ROOTS]
    assert createMedian(images, ASTRODRIZZLE, procSteps=steps) is None
    check("product_med.fits", expected(combine_maskpt=0.3))
    assert steps is None or steps.said == [("add", "Create Median"), ("end", "Create Median")]


def test_the_step_in_memory(here):
    images = [Exposure(root, [Chip(60.0)]) for root in ROOTS]
    for image in images:
        image.inmemory = True
        for key in ("outSingle", "outSWeight"):
            name = image.outputNames[key]
            image.virtualOutputs[name] = fits.HDUList([fits.PrimaryHDU(*fits.getdata(name, header=True))])
            os.unlink(name)
    createMedian(images, ASTRODRIZZLE)
    assert os.listdir(here) == []
    np.testing.assert_array_equal(
        images[1].virtualOutputs["product_med.fits"][0].data, expected(combine_maskpt=0.3).sci
    )


def test_the_step_refuses(here):
    images = [Exposure(root, [Chip(60.0)]) for root in ROOTS]
    images[1]._chips[0]._rdnoise = None
    with pytest.raises(
        InputError, match=r"j8xi0xacq_single_sci.fits: exposure time or read noise is not known"
    ):
        createMedian(images, ASTRODRIZZLE)
    with pytest.raises(InputError, match=r"no images"):
        createMedian([], ASTRODRIZZLE)
    os.unlink("j8xi0xabq_single_wht.fits")
    with pytest.raises(InputError, match=r"j8xi0xabq_single_wht.fits: no such file"):
        createMedian(images, {"STEP 4: CREATE MEDIAN IMAGE": {"combine_type": "median"}})
    createMedian(images, {"STEP 4: CREATE MEDIAN IMAGE": {"median": False}})
    createMedian(
        images, {"STEP 4: CREATE MEDIAN IMAGE": {"combine_type": "median", "median_newmasks": False}}
    )
    assert os.path.exists("product_med.fits")
