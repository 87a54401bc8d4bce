"""createMedian's parameters: where they may be written, what is refused, the noise of headers, help, the
command.
"""

import logging
import os
import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pytest
from astropy.io import fits
from createmedian_files import ROOTS, check, expected, pixels, write_exposure, write_singles

from drizzleflow.combine import createmedian
from drizzleflow.combine.createmedian import getHelpAsString, main, median
from drizzleflow.combine.createmedian_config import PARAMETERS, read_cfg, resolve
from drizzleflow.combine.exposure_noise import Overrides
from drizzleflow.combine.named_images import find
from drizzleflow.errors import InputError


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with nothing but singles."""
    write_singles(tmp_path, *pixels())
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- noise
# ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "missing, message, option",
    [
        (
            "EXPTIME",
            "the exposure time is not known: no EXPTIME in j8xi0xabq_single_sci.fits; give it with exptime",
            {"exptime": 500},
        ),
        (
            "READNSEA READNSEB",
            "the read noise is not known: no READNSEA/READNSE in .*; give it with rdnoise",
            {"rdnoise": "5"},
        ),
        (
            "MDRIZSKY",
            "the subtracted sky is not known: no MDRIZSKY .*; give it with sky",
            {"sky": [60, 60, 60]},
        ),
    ],
)
def test_noise_that_is_not_known(tmp_path, monkeypatch, missing, message, option):
    monkeypatch.chdir(tmp_path)
    write_singles(tmp_path, *pixels(), **dict.fromkeys(missing.split()))
    with pytest.raises(InputError, match=message):
        median("*flt.fits")
    check(median("*flt.fits", **option), expected())
    check(median("*flt.fits", combine_type="median"), expected(combine_type="median"))  # has no need of it


def test_zero_exposure_time(here):
    """drizzlepac divides by it."""
    fits.setval(f"{ROOTS[1]}_single_sci.fits", "EXPTIME", value=0.0)
    with pytest.raises(
        InputError, match=r"j8xi0xacq_single_sci.fits: the exposure time is 0 s, expected more than 0"
    ):
        median(ROOTS)
    assert median(ROOTS, exptime=[500, 400, 500])


def noise_from(tmp_path, user=None, exposure=None, **header):
    (path,) = write_singles(
        tmp_path, *pixels(1), roots=["a"], **{**header, "D001DATA": None, "D002DATA": None}
    )
    if exposure:
        write_exposure(tmp_path / "a_flt.fits", **exposure)
    single, _ = find(str(path))[0][0].open(Overrides(**(user or {})), True, True)
    return astuple(single.noise)


HEADERS = [
    ({"READNSEA": 3.0, "READNSEB": 0.0}, {}, (500, 3, 60, 1)),  # unused amplifiers are 0
    (
        {"INSTRUME": "WFC3", "DETECTOR": "IR", "MDRIZSKY": 0.5},
        {},
        (500, 5, 250, 1),
    ),  # MDRIZSKY is in electrons/s there
    (
        {"INSTRUME": "STIS", "READNSEA": None, "READNSEB": None, "READNSE": 4.0, "ATODGAIN": 2.0},
        {},
        (500, 4, 120, 1),
    ),
    ({"INSTRUME": "WFPC2", "ATODGAIN": 7, "DETECTOR": 2}, {}, (500, 5.51, 60 * 7.12, 1)),
    ({"INSTRUME": "NICMOS", "CAMERA": 3, "MDRIZSKY": 0.1}, {}, (500, 29, 0.1 * 6.5 * 500, 1)),
    ({"DETECTOR": "SBC", "READNSEA": None, "READNSEB": None}, {}, (500, 0, 60, 1)),
    ({"BUNIT": "COUNTS/S", "ATODGNA": 2.0}, {}, (500, 5, 60, 2)),
    ({"BUNIT": "COUNTS"}, {"gain": 2.0}, (500, 5, 60, 2 / 500)),
    ({"BUNIT": "MJy/sr"}, {"gain": 7.0}, (500, 5, 60, 7)),
    (
        {"BUNIT": None, "RN": 9.0, "TEXP": 250.0, "BACK": 30.0},
        {"expkeyword": "TEXP", "rnkeyword": "RN, RN2", "skyuser": "BACK"},
        (250, 9, 30, 1),
    ),
]


@pytest.mark.parametrize("header, user, wanted", HEADERS)
def test_the_noise_of_a_header(tmp_path, header, user, wanted):
    assert noise_from(tmp_path, user, **header) == pytest.approx(wanted)


def test_the_noise_of_an_exposure(tmp_path):
    exposure = {"sky": (0.3, 0.2), "unit": "COUNTS/S", "readnoise": (6.0, 8.0)}
    assert noise_from(tmp_path, exposure=exposure) == pytest.approx((400, 7, 0.2 * 2 * 400, 1))


@pytest.mark.parametrize("header", [{"BUNIT": "MJy/sr"}, {"BUNIT": "COUNTS/S"}])
def test_a_unit_that_is_not_electrons(tmp_path, header):
    with pytest.raises(InputError, match=f"BUNIT is '{header['BUNIT']}', expected electrons or counts.*gain"):
        noise_from(tmp_path, **header)


def test_auto_has_no_need_of_noise_keywords_and_writes_err(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    write_singles(tmp_path, *pixels(), EXPTIME=None, READNSEA=None, READNSEB=None, MDRIZSKY=None)
    with fits.open(median("*flt.fits", combine_type="auto")) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "NUSED", "ERR"]
        assert hdus["ERR"].header["BUNIT"] == "ELECTRONS/S" and "EXPTIME" not in hdus[0].header
        assert 0.005 < np.nanmedian(hdus["ERR"].data) < 0.03
    assert "measured from differences" in caplog.text


# --- parameters
# -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["minmed", "iminmed", "median", "average", "mean", "sum", "imedian", "imean", "auto"]
)
def test_every_type_is_that_of_the_arrays(here, kind):
    wanted = expected(combine_type=kind)
    path = median(ROOTS, combine_type=kind)
    check(path, wanted)
    assert ("ERR" in fits.open(path)) == (kind == "auto")


PARAMETER_SETS = [
    {"combine_nsigma": "2 1"},
    {"combine_nsigma": 3},
    {"combine_nsigma": "3,2", "combine_grow": 3},
    {"combine_grow": "0"},
    {"combine_type": "median", "combine_nhigh": 1},
    {"combine_type": "average", "combine_nlow": "1", "combine_nhigh": "1"},
    {"combine_type": "median", "combine_lthresh": 0.08, "combine_hthresh": "0.5"},
    {"combine_type": "median", "combine_lthresh": "INDEF", "combine_hthresh": "None"},
    {"combine_bufsize": 1e-4},
    {"combine_bufsize": None},
    {"combine_maskpt": "0.3"},
    {"median_newmasks": False},
]


@pytest.mark.parametrize("given", PARAMETER_SETS, ids=str)
def test_parameters_of_a_call_a_dict_sections_and_a_file(here, given):
    wanted = expected(**given)
    check(median(ROOTS, **given), wanted)
    check(median(ROOTS, configObj=given), wanted)
    check(median(ROOTS, {"STEP 4: CREATE MEDIAN IMAGE": given}), wanted)
    lines = "\n".join(f"{key} = {value!r}   # why" for key, value in given.items())
    (here / "my.cfg").write_text(
        f'_task_name_ = createMedian\ninput = "*flt.fits"\n\n[STEP 4: CREATE MEDIAN IMAGE]\n{lines}\n[_RULES_]\n'
    )
    check(median(configObj="my.cfg"), wanted)
    check(median(None, here / "my.cfg", combine_bufsize=0.01), wanted)  # a call goes before


def test_the_packaged_configurations_of_the_peer(here):
    """createMedian.cfg has combine_maskpt 0.7, astrodrizzle.cfg 0.3; so have configurations that do not say."""
    alone = {"STEP 4: CREATE MEDIAN IMAGE": {"median": "True", "combine_grow": "1"}}
    within = {**alone, "STEP 5: BLOT BACK THE MEDIAN IMAGE": {"blot": "True"}, "runfile": "astrodrizzle.log"}
    for config, fraction in (
        (None, 0.7),
        (alone, 0.7),
        (within, 0.3),
        ({"_task_name_": "astrodrizzle", "build": False}, 0.3),
    ):
        assert resolve(config)[0]["combine_maskpt"] == fraction
        assert fits.getheader(median(ROOTS, config))["COMBMKPT"] == fraction
    assert resolve(within, {"combine_maskpt": 0.5})[0]["combine_maskpt"] == 0.5
    defaults = resolve(None)[0]
    assert {k: v for k, v in defaults.items() if PARAMETERS[k].step} == {
        "median": True,
        "median_newmasks": True,
        "combine_maskpt": 0.7,
        "combine_type": "minmed",
        "combine_nsigma": "4 3",
        "combine_nlow": 0,
        "combine_nhigh": 0,
        "combine_lthresh": None,
        "combine_hthresh": None,
        "combine_grow": 1,
        "combine_bufsize": None,
    }


def test_astrodrizzles_sections_about_the_noise(here):
    steps = {
        "STEP 1: STATIC MASK": {"static": True},
        "INSTRUMENT PARAMETERS": {"gain": "", "rdnoise": "6", "exptime": 450, "expkeyword": ""},
    }
    settings, images = resolve({"input": "*flt.fits", **steps})
    assert (
        images == "*flt.fits"
        and settings["rdnoise"] == [6]
        and settings["exptime"] == [450]
        and settings["gain"] is None
    )
    assert resolve({**steps, "STEP 2: SKY SUBTRACTION": {"skysub": "no", "skyuser": ""}})[0]["sky"] == [0]
    assert (
        resolve({**steps, "STEP 2: SKY SUBTRACTION": {"skysub": False, "skyuser": "BACK"}})[0]["skyuser"]
        == "BACK"
    )
    assert resolve({"expkeyword": "TEXP"}, {"exptime": 3})[0]["expkeyword"] is None


@pytest.mark.parametrize(
    "given, message",
    [
        ({"combine_typ": "median"}, "combine_typ: unknown parameter, did you mean combine_type"),
        ({"xyz": 1}, "xyz: unknown parameter; the parameters are median, median_newmasks"),
        ({"combine_type": "medain"}, "combine_type is 'medain', expected one of"),
        ({"combine_nsigma": "4;3"}, "combine_nsigma is '4;3'"),
        ({"combine_nsigma": "4 3 2"}, "combine_nsigma"),
        ({"combine_nlow": -1}, "combine_nlow is -1"),
        ({"combine_nhigh": "1.5"}, "combine_nhigh is '1.5'"),
        ({"combine_grow": "x"}, "combine_grow is 'x'"),
        ({"combine_maskpt": 70}, "combine_maskpt is 70"),
        ({"combine_bufsize": 0}, "combine_bufsize is 0"),
        ({"combine_lthresh": "low"}, "combine_lthresh is 'low'"),
        ({"median": "perhaps"}, "median is 'perhaps', expected yes or no"),
        ({"median_newmasks": 2}, "median_newmasks is 2"),
        ({"exptime": "long"}, "exptime is 'long', expected a number"),
        ({"exptime": 0}, "exptime is 0, expected a number > 0"),
        ({"rdnoise": -5}, "rdnoise is -5, expected a number >= 0"),
        ({"sky": [1, 2]}, "sky: 2 values for 3 images"),
        ({"gain": 1, "gnkeyword": "ATODGNA"}, "gain and gnkeyword are both given"),
        ({"rnkeyword": "READ NOISE!"}, "rnkeyword is"),
        ({"output": 3}, "output is 3, expected a text"),
        ({"fillval": "blank"}, "fillval is 'blank'"),
        (
            {"combine_type": "median", "combine_nlow": 1, "combine_nhigh": 2},
            "Rejecting all pixels due to large 'nlow' and/or 'nhigh'",
        ),
    ],
    ids=str,
)
def test_parameters_that_are_refused(here, given, message):
    before = sorted(os.listdir(here))
    with pytest.raises(InputError, match=message) as error:
        median(ROOTS, **given)
    assert "\n" not in str(error.value) and sorted(os.listdir(here)) == before


@pytest.mark.parametrize(
    "text, message",
    [
        ("combine_type\n", "line 1 is 'combine_type', expected .section. or key = value"),
        ("# x\ncombine_grow = 1\ncombine_grow = 2\n", "line 3: combine_grow is there twice"),
        ("combine_type = 'median\n", "line 1: .*expected a text that ends with '"),
        (
            "[STEP 4: CREATE MEDIAN IMAGE]\ncombine_grwo = 1\n",
            r"x.cfg: \[STEP 4: CREATE MEDIAN IMAGE\] combine_grwo: unknown parameter, did you mean combine_grow",
        ),
        ("combine_type = nothing\n", "x.cfg: combine_type is 'nothing'"),
    ],
)
def test_configurations_that_are_refused(here, text, message):
    (here / "x.cfg").write_text(text)
    with pytest.raises(InputError, match=message):
        median(ROOTS, "x.cfg")
    with pytest.raises(InputError, match=r"none.cfg: cannot be read"):
        median(ROOTS, "none.cfg")


def test_the_syntax_of_a_cfg(tmp_path):
    path = tmp_path / "a.cfg"
    path.write_text(
        "a = \"x # y\" # z\nb = 4 3 # two\n\n[[ S 1: t ]] # section\nc = ''\nd=1\ne = 'p', 'q'\nf = __import__('os').getcwd()\n"
    )
    assert read_cfg(path) == {
        "a": "x # y",
        "b": "4 3",
        "S 1: t": {"c": "", "d": "1", "e": "p, q", "f": "__import__('os').getcwd()"},
    }


def test_no_median_is_made_where_none_is_wanted(here, caplog):
    caplog.set_level(logging.INFO)
    (here / "no.cfg").write_text("[STEP 4: CREATE MEDIAN IMAGE]\nmedian = no\n")
    assert median("*flt.fits", median=False) is None and median("*flt.fits", "no.cfg") is None
    assert "median is no" in caplog.text and not (here / "final_med.fits").exists()


def test_no_window_to_edit_parameters(here):
    with pytest.raises(InputError, match=r"editpars: there is no window"):
        median("*flt.fits", editpars=True)


# --- help and the command
# ---------------------------------------------------------------------------------------------


def test_help(tmp_path, capsys):
    text = getHelpAsString()
    assert text.startswith("createMedian (drizzleflow ") and getHelpAsString(show_ver=False).startswith(
        "createMedian\n"
    )
    for name in PARAMETERS:
        assert f"\n{name} : " in text
    assert "avoided for ten or more" in " ".join(text.split()) and "median(input=None" in getHelpAsString(
        docstring=True
    )
    createmedian.help()
    assert capsys.readouterr().out.strip() == getHelpAsString(docstring=True).strip()
    path = tmp_path / "help.txt"
    path.write_text("older")
    createmedian.help(str(path))
    assert path.read_text() == getHelpAsString(docstring=True)
    with pytest.raises(InputError, match=r"a folder, expected the name of a file"):
        createmedian.help(str(tmp_path))


def test_the_page_for_users_names_every_parameter():
    page = open(
        os.path.join(os.path.dirname(__file__), "..", "..", "docs", "createmedian.md"), encoding="utf-8"
    ).read()
    assert [name for name in PARAMETERS if f"`{name}`" not in page] == []


def call(*arguments):
    command = [sys.executable, "-m", "drizzleflow.combine", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command(here):
    done = call(
        "*flt.fits",
        "--combine_type",
        "median",
        "--combine_nhigh",
        "1",
        "--output",
        "m51",
        "--median_newmasks",
        "yes",
    )
    assert (done.returncode, done.stdout) == (0, "m51_med.fits\n"), done.stderr
    check("m51_med.fits", expected(combine_type="median", combine_nhigh=1))
    (here / "my.cfg").write_text("combine_grow = 2\n")
    done = call(*[f"{root}_flt.fits" for root in ROOTS], "--config", "my.cfg")
    assert done.stdout == "final_med.fits\n" and fits.getheader("final_med.fits")["COMBGROW"] == 2
    done = call("*flt.fits", "--combine_type", "maximum")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("createMedian: combine_type is 'maximum'") and done.stderr.count("\n") == 1


def test_the_command_s_help_and_exit_codes(here, capsys):
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    text = capsys.readouterr().out
    assert (
        done.value.code == 0
        and all(f"--{name}" in text for name in PARAMETERS)
        and "%" not in text.replace("%%", "")
    )
    with pytest.raises(SystemExit) as done:
        main(["--combine_typ", "median"])
    assert done.value.code == 2
    assert main(["*flt.fits", "--median", "no"]) == 0 and not os.path.exists("final_med.fits")
