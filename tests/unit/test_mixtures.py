"""What the members of one product have to have in common: refused, or told."""

import pytest
from plan_files import build, jwst, plain, table

from drizzleflow.errors import InputError
from drizzleflow.io.header import is_count, is_rate, per_second
from drizzleflow.plan import config, mixtures
from drizzleflow.plan.product import Member

LIMITS = config.standard()["checks"]


def member(name="a", **more):
    known = {"filter": "V", "instrument": "CAM", "unit": "", "exptime": 60.0}
    return Member(name, f"{name}.fits", "science", name, "simple", 1, **known | more)


def doubts(*members, scaled=True, **limits):
    return {one.check: one for one in mixtures.doubts(members, LIMITS | limits, scaled)}


@pytest.mark.parametrize(
    ("units", "is_rate_", "is_count_"),
    [
        (
            [
                "e-/s",
                "ELECTRONS/S",
                "DN / s",
                "adu/sec",
                "counts/seconds",
                "DN s-1",
                "electron s**-1",
                "adu s^-1",
                "cps",
            ],
            True,
            False,
        ),
        (["MJy/sr", "uJy", "nJy", "nanomaggy", "erg/s/cm2/Angstrom", "erg s-1 cm-2"], True, False),
        (
            ["adu", "ADU", " DN", "counts", "count", "ct", "e-", "electron", "ELECTRONS", "photons"],
            False,
            True,
        ),
        (["", "1/sr", "m/sr", "W m-2", "mag", "samples"], False, False),
    ],
)
def test_units(units, is_rate_, is_count_):
    for unit in units:
        assert (is_rate(unit), is_count(unit)) == (is_rate_, is_count_), unit
    assert [per_second(unit) for unit in ("adu/s", "e- s-1", "MJy/sr", "adu", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_members_that_fit():
    assert doubts(member("a"), member("b", exptime=60.5)) == {}
    mixtures.refuse("p", [member("a", unit="adu"), member("b", unit="adu", exptime=60.5)], True)


def test_different_names_are_told():
    found = doubts(
        member("a"),
        member("b", filter="R", instrument="OTHER", unit="adu"),
        member("c", unit="DN", filter=""),
    )
    assert {name: one.text for name, one in found.items()} == {
        "filters": "2 filters in one product: R, V",
        "instruments": "2 instruments in one product: CAM, OTHER",
        "units": "2 units in one product: DN, adu",
    }
    assert found["filters"].value == "R, V"
    assert doubts(member("a"), member("b", filter="R"), filters=2) == {}
    assert doubts(member("a"), member("b", filter="R"), filters=None) == {}
    assert doubts(member("a"), member("b", filter="")) == {}  # not known


def test_exposure_times_without_a_unit_are_told():
    (found,) = doubts(member("a"), member("b", exptime=120.0)).values()
    assert found.check == "exposure_times" and found.value == 2.0
    assert found.text == (
        "exposures of 60 to 120 s with no unit: if they are counts, set simple.flux_scale: exptime; "
        "if they are rates or calibrated, set checks.exposure_times: null"
    )
    assert (
        "with the unit 'mag'"
        in doubts(member("a", unit="mag"), member("b", exptime=9.0, unit="mag"))["exposure_times"].text
    )
    for same in (
        [member("a", unit="adu/s"), member("b", unit="adu/s", exptime=120.0)],
        [member("a"), member("b", exptime=None)],
        [member("a", flux_scale=1.0), member("b", exptime=120.0, flux_scale=0.5)],
        [member("a", flux_scale=1.0), member("b", exptime=120.0)],  # one time is left
    ):
        assert doubts(*same) == {}
    assert doubts(member("a"), member("b", exptime=120.0), scaled=False) == {}
    assert doubts(member("a"), member("b", exptime=120.0), exposure_times=None) == {}


def test_counts_of_different_times_are_refused():
    both = [member("a"), member("b", unit="adu", exptime=120.0)]
    with pytest.raises(
        InputError, match=r"t\.csv: exposures of 60 to 120 s in adu, which grow with the time; expected one"
    ):
        mixtures.refuse("t.csv", both, True)
    mixtures.refuse("t.csv", both, False)
    mixtures.refuse(
        "t.csv",
        [member("a", unit="adu", flux_scale=1.0), member("b", unit="adu", exptime=9.0, flux_scale=2.0)],
        True,
    )


def test_grisms_and_images_are_refused(tmp_path):
    for number, pupil in enumerate(["GRISMR", "CLEAR"], start=1):
        jwst(tmp_path / f"{number}_cal.fits", number, FILTER="F322W2", PUPIL=pupil)
    product = build(table(tmp_path, "t.csv", "1_cal.fits", "2_cal.fits"))["t"]
    assert "1_cal.fits is dispersed (filter F322W2+GRISMR) and" in product.error
    assert "2_cal.fits is an image (filter F322W2)" in product.error
    assert build(table(tmp_path, "u.csv", "1_cal.fits"))["u"].error is None


def test_what_the_plan_makes_of_it(tmp_path):
    plain(tmp_path / "a.fits", BUNIT="adu", FILTER="r")
    plain(tmp_path / "b.fits", BUNIT="adu", FILTER="i", EXPTIME=90.0)
    source = table(tmp_path, "t.csv", "a.fits", "b.fits")
    assert "t.csv: product t: exposures of 30 to 90 s in adu" in build(source)["t"].error
    product = build(source, simple={"flux_scale": "exptime"})["t"]
    assert [m.flux_scale for m in product.members] == [pytest.approx(1 / 30), pytest.approx(1 / 90)]
    assert [m.unit for m in product.members] == ["adu/s"] * 2
    assert [doubt.check for doubt in product.doubts] == ["filters"]
    scaled = table(tmp_path, "s.csv", "path,flux_scale", "a.fits,1", "b.fits,0.5")
    assert [m.flux_scale for m in build(scaled)["s"].members] == [1.0, 0.5]  # the column says so: no question
    entry = {"filter": "r", "set": {"checks": {"filters": 2}}}
    assert build(scaled, overrides=[entry])["s"].doubts == []


def test_the_sky_method_goes_by_the_format(tmp_path):
    plain(tmp_path / "a.fits")
    jwst(tmp_path / "j_cal.fits")
    sources = [table(tmp_path, "t.csv", "a.fits"), table(tmp_path, "u.csv", "j_cal.fits")]

    def methods(**user):
        return [product.options["skymatch"]["skymethod"] for product in build(*sources, **user).values()]

    assert methods() == ["global+match", "match"]
    assert methods(skymatch={"skymethod": "local"}) == ["local", "local"]
    assert methods(preset="jwst") == ["match", "match"]
