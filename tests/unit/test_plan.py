"""The plan: products, groups, batches and roads of real FITS files, and a cache that changes nothing."""

import json
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from plan_files import build, jwst, plain, settings_of, table
from real_data import real_data

from drizzleflow.errors import InputError
from drizzleflow.plan import association, files
from drizzleflow.plan import products as plan
from drizzleflow.plan.roads import imaging


def hd36805():
    return sorted(real_data("jwst_niriss_hd36805").glob("*_cal.fits"))


# -- what a good product is
# -----------------------------------------------------------------------------------------


def test_real_exposures(tmp_path):
    files = hd36805()
    source = table(tmp_path, "hd36805.csv", *files)
    product = build(source, mode="imaging", batch_size=10)["hd36805"]
    assert product.error is None and product.road == "imaging" and len(product.members) == 25
    first = product.members[0]
    assert (first.format, first.instrument, first.exp_type, first.filter) == (
        "jwst",
        "NIRISS",
        "NIS_AMI",
        "F480M",
    )
    assert (first.nx, first.ny, first.nframes, first.cube) == (80, 80, 1, False)
    assert first.size == files[0].stat().st_size and first.exptime > 0
    assert list(product.groups) == [f"jw01093020001_03102_{i:05d}" for i in range(1, 26)]
    assert sorted(len(names) for names in product.batches.values()) == [4, 6, 7, 8]  # of 10 at most
    refused = build(source)["hd36805"]
    assert refused.members == [] and "NIS_AMI" in refused.error and "set mode: imaging" in refused.error


def test_real_cubes(tmp_path):
    folder = real_data("jwst_miri_4qpm")
    source = table(tmp_path, "disk.csv", *sorted(folder.glob("*_calints.fits")))
    refused = build(source, mode="imaging")["disk"].error
    assert re.search(r"calints\.fits\[VAR_\w+,1\]: shape .* \(inputs\.variances: ignore uses ERR", refused)
    product = build(source, mode="imaging", inputs={"variances": "ignore"})["disk"]
    assert product.error is None and product.members[0].cube and product.members[0].odd_variances
    assert all(group.endswith("-i0001") for group in product.groups) and len(product.groups) == 9
    assert "the coron road is not built yet; set mode: imaging" in build(source)["disk"].error


def test_real_plain_files(tmp_path):
    folder = real_data("decam_legacypipe")
    rows = []
    for image in sorted(map(str, folder.glob("*_ooi_*.fits"))):
        band = image.split("_ooi_")[1][0]
        rows.append(f"{image},{band},{image.replace('_ooi_', '_ood_')},{image.replace('_ooi_', '_oow_')},2")
    products = build(table(tmp_path, "field.csv", "path,product,dq,ivar,flux_scale", *rows))
    assert {name: len(product.members) for name, product in products.items()} == {"z": 4, "g": 2, "r": 3}
    member = products["r"].members[0]
    assert (
        member.format == "simple"
        and member.flux_scale == 2.0
        and "_ood_" in member.dq
        and "_oow_" in member.ivar
    )
    assert len(products["r"].groups) == 3


def test_detectors_of_an_exposure_are_one_group(tmp_path):
    names = [
        jwst(tmp_path / f"e{exposure}_{detector}_cal.fits", exposure, detector).name
        for exposure in (2, 1)
        for detector in ("nrca1", "nrca2")
    ]
    product = build(table(tmp_path, "t.csv", *names))["t"]
    assert product.groups == {
        "jw01345001001_02101_00002": [("e2_nrca1", [1]), ("e2_nrca2", [1])],
        "jw01345001001_02101_00001": [("e1_nrca1", [1]), ("e1_nrca2", [1])],
    }
    assert product.member("e1_nrca2").detector == "nrca2"
    second, first = product.groups  # both detectors of an exposure are left out of what either meets
    wanted = {"e2_nrca1": second, "e2_nrca2": second, "e1_nrca1": first, "e1_nrca2": first}
    assert product.stacked_in == {name: [(1, group)] for name, group in wanted.items()}
    assert {name: imaging.own_groups(product, name) for name in wanted} == product.stacked_in


def test_the_association_s_group_wins_and_the_member_s_name_is_the_last_resort(tmp_path):
    jwst(tmp_path / "a_cal.fits")
    jwst(tmp_path / "b_cal.fits")
    fits.delval(tmp_path / "b_cal.fits", "VISIT")
    product = build(table(tmp_path, "t.csv", "path,group", "a_cal.fits,mine", "b_cal.fits,"))["t"]
    assert list(product.groups) == ["mine", "b"]


def test_integrations_are_frames_and_groups(tmp_path):
    for detector in ("nrca1", "nrca2"):
        jwst(tmp_path / f"e_{detector}_calints.fits", detector=detector, nints=3)
    product = build(table(tmp_path, "t.csv", "e_nrca1_calints.fits", "e_nrca2_calints.fits"))["t"]
    assert [(m.nframes, m.cube) for m in product.members] == [(3, True)] * 2
    assert product.groups == {
        f"jw01345001001_02101_00001-i{i:04d}": [("e_nrca1", [i]), ("e_nrca2", [i])] for i in (1, 2, 3)
    }
    each = [(i, f"jw01345001001_02101_00001-i{i:04d}") for i in (1, 2, 3)]
    assert imaging.own_groups(product, "e_nrca1") == imaging.own_groups(product, "e_nrca2") == each


def test_integrations_of_a_cube_that_is_treated_as_images(tmp_path):
    """Of a time series, which would have a road of its own: each integration is left out by itself."""
    jwst(tmp_path / "a_calints.fits", exp_type="NRC_TSIMAGE", nints=2)
    jwst(tmp_path / "b_calints.fits", 2, exp_type="NRC_TSIMAGE", nints=1)
    source = table(tmp_path, "t.csv", "a_calints.fits", "b_calints.fits")
    product = build(source, mode="imaging")["t"]
    assert product.error is None and product.road == "imaging"
    a, b = "jw01345001001_02101_00001", "jw01345001001_02101_00002"
    assert product.stacked_in == {"a": [(1, f"{a}-i0001"), (2, f"{a}-i0002")], "b": [(1, f"{b}-i0001")]}
    assert imaging.own_groups(product, "a") == product.stacked_in["a"]
    aligned = build(source, mode="imaging", single_drizzle={"resample_data": False})["t"]
    assert aligned.stacked_in == {"a": [(1, "a-i0001"), (2, "a-i0002")], "b": [(1, "b")]}


def test_chips_are_frames_of_one_group(tmp_path):
    hdus = [fits.PrimaryHDU()]
    hdus[0].header.update(TELESCOP="HST", INSTRUME="ACS", DETECTOR="WFC", ROOTNAME="j8xi0x01q", EXPTIME=100.0)
    for version in (1, 2):
        for name in ("SCI", "ERR", "DQ"):
            hdus.append(
                fits.ImageHDU(np.zeros((6, 8), "i2" if name == "DQ" else "f4"), name=name, ver=version)
            )
    fits.HDUList(hdus).writeto(tmp_path / "j8xi0x01q_flt.fits")
    product = build(table(tmp_path, "t.csv", "j8xi0x01q_flt.fits"))["t"]
    assert product.error is None and product.road == "imaging" and product.members[0].format == "hst"
    assert list(product.groups.values()) == [[("j8xi0x01q", [1, 2])]]
    (group,) = product.groups
    assert product.stacked_in == {"j8xi0x01q": [(1, group), (2, group)]}
    assert imaging.own_groups(product, "j8xi0x01q") == []  # there is no other
    hdus[0].header["ROOTNAME"] = "j8xi0x02q"
    fits.HDUList(hdus).writeto(tmp_path / "j8xi0x02q_flt.fits")
    two = build(table(tmp_path, "two.csv", "j8xi0x01q_flt.fits", "j8xi0x02q_flt.fits"))["two"]
    assert len(two.groups) == 2 and imaging.own_groups(two, "j8xi0x01q") == [(1, group), (2, group)]


def test_members_are_plain_and_whole(tmp_path):
    plain(tmp_path / "a.fits")
    member = build(table(tmp_path, "t.csv", "path,flux_scale", "a.fits,2"))["t"].members[0]
    assert json.loads(json.dumps(member.asdict())) == member.asdict()
    assert pickle.loads(pickle.dumps(member)) == member
    with pytest.raises(AttributeError):
        member.path = "elsewhere"


def test_settings_follow_the_first_science_member(tmp_path):
    jwst(tmp_path / "a_cal.fits", 1)
    jwst(tmp_path / "b_cal.fits", 2, FILTER="F150W")
    entry = {"filter": "F090W", "set": {"median": {"maskpt": 0.5}}}
    source = table(
        tmp_path,
        "t.csv",
        "path,exptype,product",
        "b_cal.fits,background,p",
        "a_cal.fits,science,p",
        "b_cal.fits,science,q",
        "a_cal.fits,science,q",
    )
    products = build(source, overrides=[entry])
    assert {name: product.options["median"]["maskpt"] for name, product in products.items()} == {
        "p": 0.5,
        "q": 0.7,
    }
    assert [member.exptype for member in products["p"].others] == ["background"]


def test_notes_say_which_settings_of_the_user_s_do_nothing(tmp_path):
    jwst(tmp_path / "a_cal.fits", 1)
    jwst(tmp_path / "b_cal.fits", 2, FILTER="F150W")
    source = table(tmp_path, "t.csv", "path,product", "a_cal.fits,p", "b_cal.fits,q")

    def notes(**user):
        made = build(source, **user)
        return [[note.split(" has no effect")[0] for note in made[name].notes] for name in "pq"]

    assert notes() == notes(preset="jwst") == notes(crmask={"snr": "5 4"}) == [[], []]
    assert notes(crmask={"scale": "1 1", "backg": 0.1}) == [["crmask.scale", "crmask.backg"]] * 2
    assert notes(crmask={"sharp": 0}, preset="jwst") == [["crmask.sharp"]] * 2
    only = {"filter": "F150W", "set": {"crmask": {"reference": "median"}}}
    assert notes(crmask={"scale": "1 1"}, overrides=[only]) == [["crmask.scale"], []]
    assert notes(median={"clip_slope": 1}, overrides=[only]) == [[], ["median.clip_slope"]]
    (note,) = build(source, crmask={"scale": "1 1"})["p"].notes
    assert note == "crmask.scale has no effect: crmask.reference is others; it counts with median alone"


# -- what is wrong stays with its product
# ------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Error validating header")
def test_a_wrong_association_leaves_the_others_alone(tmp_path):
    plain(tmp_path / "a.fits")
    jwst(tmp_path / "j_cal.fits")
    jwst(tmp_path / "s_cal.fits", exp_type="NRC_TSIMAGE")
    jwst(tmp_path / "i_cal.fits", exp_type="MIR_MRS")
    (tmp_path / "broken.fits").write_bytes(b"not FITS")
    (tmp_path / "cut.fits").write_bytes((tmp_path / "j_cal.fits").read_bytes()[:2000])
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    cases = {
        "good": (["a.fits"], None),
        "missing": (["none.fits"], "no such file"),
        "twice": (["a.fits", "a.fits"], "duplicate member a"),
        "broken": (["broken.fits"], "broken.fits"),
        "cut": (["cut.fits"], "cut.fits"),
        "empty": (["empty.fits"], "empty.fits"),
        "mixed": (["a.fits", "j_cal.fits"], "members of several formats"),
        "series": (["s_cal.fits"], "the tso road is not built yet; set mode: imaging to"),
        "cubes": (["i_cal.fits"], "the ifu road is not built yet"),
        "roads": (["j_cal.fits", "s_cal.fits"], "several roads"),
        "scaled": (["path,flux_scale", "j_cal.fits,2"], "flux_scale is for plain FITS"),
    }
    sources = [table(tmp_path, f"{name}.csv", *rows) for name, (rows, _) in cases.items()]
    products = build(tmp_path / "absent.json", tmp_path / "odd.txt", *sources)
    assert "no such file" in products["absent"].error and "odd.txt" in products["odd"].error
    for name, (_, words) in cases.items():
        product = products[name]
        if words is None:
            assert product.error is None and len(product.members) == 1
        else:
            assert words in product.error and "\n" not in product.error and f"{name}.csv" in product.error
            assert product.members == [] and product.groups == {} and product.batches == {}
        assert product.options["crmask"]["snr"] == "4.5 3.3"
    made = plan.build(settings_of(*sources), None)
    assert list(made.good) == ["good"]


def test_two_products_with_one_name(tmp_path):
    plain(tmp_path / "a.fits")
    first = table(tmp_path, "x.csv", "path,product", "a.fits,p")
    second = table(tmp_path, "y.csv", "path,product", "a.fits,p", "a.fits,q")
    products = build(first, second)
    assert set(products) == {"p", "q"} and products["q"].error is None
    assert str(first) in products["p"].error and str(second) in products["p"].error


def test_unsafe_product_names_are_mended_and_unique(tmp_path):
    plain(tmp_path / "a.fits")
    rows = ["path,product", "a.fits,a b", "a.fits,a/b", "a.fits,a_b", "a.fits,-x", "a.fits,.."]
    products = build(table(tmp_path, "t.csv", *rows))
    assert len(products) == 5 and products["a_b"].error is None
    assert all(
        association.SAFE_NAME.fullmatch(name) and product.name == name for name, product in products.items()
    )
    assert sum("cannot be a file name" in (product.error or "") for product in products.values()) == 4


def test_nothing_to_do_is_an_empty_plan():
    assert build() == {}


# -- the cache
# ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch):
    """Paths whose headers were described, in order."""
    seen, real = [], files.describe

    def count(path, settings):
        seen.append(os.path.basename(path))
        return real(path, settings)

    monkeypatch.setattr(files, "describe", count)
    return seen


def test_headers_are_read_once_and_again_when_the_file_changes(tmp_path, opened):
    cache = tmp_path / "new folder" / "plan.json"
    plain(tmp_path / "a.fits")
    plain(tmp_path / "b.fits")
    source = table(tmp_path, "t.csv", "a.fits", "b.fits")
    before = build(source, cache=cache)
    assert opened == ["a.fits", "b.fits"] and os.listdir(cache.parent) == ["plan.json"]
    assert build(source, cache=cache) == before and opened == ["a.fits", "b.fits"]
    plain(tmp_path / "b.fits", shape=(60, 80))
    after = build(source, cache=cache)
    assert opened == ["a.fits", "b.fits", "b.fits"] and after["t"].member("b").nx == 80
    # the description of a plain file depends on the keyword names
    renamed = build(source, cache=cache, simple={"exptime_keyword": "CRVAL2"})
    assert renamed["t"].members[0].exptime == 5.0 and len(opened) == 5


def test_a_same_size_file_with_another_time_is_read_again(tmp_path, opened):
    cache = tmp_path / "plan.json"
    path = plain(tmp_path / "a.fits")
    source = table(tmp_path, "t.csv", "a.fits")
    build(source, cache=cache)
    plain(path, EXPTIME=99.0)
    os.utime(path, ns=(1, 1))
    stored = cache.read_bytes()
    made = plan.build(settings_of(source), cache)
    assert made.products["t"].members[0].exptime == 99.0
    # whoever acts on it saves the cache afterwards: a kill in between does not make it forget
    assert made.cache.replaced == {os.fspath(path)} and cache.read_bytes() == stored
    made.cache.save()
    assert plan.build(settings_of(source), cache).cache.replaced == set()


def test_a_sheet_is_read_again_when_it_or_its_schema_changes(tmp_path, monkeypatch):
    reads, cache, source = [], tmp_path / "plan.json", table(tmp_path, "t.csv", "a.fits")
    plain(tmp_path / "a.fits")
    read = association.read_sheet
    monkeypatch.setattr(association, "read_sheet", lambda path: reads.append(path) or read(path))
    first = build(source, cache=cache)
    assert build(source, cache=cache) == first and len(reads) == 1
    plain(tmp_path / "b.fits")
    assert [
        m.member for m in build(table(tmp_path, "t.csv", "a.fits", "b.fits"), cache=cache)["t"].members
    ] == ["a", "b"]
    assert len(reads) == 2
    made = plan.build(settings_of(source), cache)
    made.cache.save()  # the sheet was replaced: see above
    schema = tmp_path / "schema.json"
    schema.write_text(association.ASSOCIATION_SCHEMA.read_text() + "\n")
    monkeypatch.setattr(association, "ASSOCIATION_SCHEMA", schema)
    build(source, cache=cache)
    assert len(reads) == 4
    wrong = table(tmp_path, "w.csv", "a.fits,b.fits")
    for _ in range(2):  # failures are not kept
        assert "row 1 has 2 values" in build(wrong, cache=cache)["w"].error
    assert len(reads) == 6


def test_jobs_see_the_plan_of_the_run(tmp_path, opened):
    cache = tmp_path / "plan.json"
    path = plain(tmp_path / "a.fits")
    source = table(tmp_path, "t.csv", "a.fits")
    before = build(source, cache=cache)
    stored = cache.read_bytes()
    path.unlink()
    assert build(source, cache=cache, main_process=False) == before
    assert opened == ["a.fits"] and cache.read_bytes() == stored
    assert "no such file" in build(source, cache=cache)["t"].error


def test_a_job_without_a_cache_looks_itself_and_writes_nothing(tmp_path):
    cache = tmp_path / "plan.json"
    plain(tmp_path / "a.fits")
    assert build(table(tmp_path, "t.csv", "a.fits"), cache=cache, main_process=False)["t"].error is None
    assert not cache.exists()


@pytest.mark.parametrize(
    "junk", ["", "{", "[]", "null", '{"version": 1}', '{"version": "x", "files": 3, "code": 3}']
)
def test_a_broken_cache_is_no_cache(tmp_path, junk):
    cache = tmp_path / "plan.json"
    cache.write_text(junk)
    plain(tmp_path / "a.fits")
    source = table(tmp_path, "t.csv", "a.fits")
    assert build(source, cache=cache)["t"].error is None
    assert json.loads(cache.read_text())["files"]


def test_failures_are_not_kept(tmp_path, opened):
    cache = tmp_path / "plan.json"
    (tmp_path / "a.fits").write_bytes(b"")
    source = table(tmp_path, "t.csv", "a.fits")
    assert build(source, cache=cache)["t"].error
    assert build(source, cache=cache)["t"].error and opened == ["a.fits", "a.fits"]


def test_settings_that_do_not_fit_raise():
    with pytest.raises(InputError, match="mode"):
        settings_of(mode="ifu")


def test_a_plan_from_the_cache_imports_nothing_heavy(tmp_path):
    """Every job of a run makes the plan again: 0.4 s is the budget of association and plan together."""
    cache = tmp_path / "plan.json"
    plain(tmp_path / "a.fits")
    settings_file = tmp_path / "settings.json"
    settings_file.write_text(json.dumps(settings_of(table(tmp_path, "t.csv", "a.fits"))))
    code = (
        "import sys, json, time; start = time.perf_counter(); from drizzleflow.plan import products;"
        f"made = products.build(json.load(open({str(settings_file)!r})), {str(cache)!r}, sys.argv[1] == 'main');"
        "print(made.products['t'].error, time.perf_counter() - start < 0.4,"
        "[m for m in ('numpy', 'pandas', 'jsonschema', 'astropy', 'gwcs') if m in sys.modules])"
    )

    def run(role):
        return subprocess.run(
            [sys.executable, "-c", code, role], capture_output=True, text=True, check=True
        ).stdout

    first = run("main")  # reads the sheet and the header
    assert "pandas" in first and "astropy" in first
    assert run("job") == run("main") == "None True []\n"


@pytest.mark.parametrize(
    ("filter_", "hint"),
    [("F1140C", "mode: imaging takes it"), ("P750L", "a spectrum"), ("GR150R", "a spectrum")],
)
def test_no_mode_is_recommended_for_a_spectrum(tmp_path, filter_, hint):
    jwst(tmp_path / "a_calints.fits", exp_type="MIR_LRS-SLITLESS", nints=2, FILTER=filter_)
    (refused,) = build(tmp_path).values()
    assert refused.error.endswith(f"(a_calints.fits: exposure type MIR_LRS-SLITLESS ({hint}))")


def test_exposures_that_nothing_is_compared_with_are_told(tmp_path):
    """Two detectors of one exposure are one group; without a comparison there is nothing to tell."""
    paths = [jwst(tmp_path / f"{d}_cal.fits", detector=d) for d in ("NRCA1", "NRCA2")]
    one = table(tmp_path, "one.csv", *(path.name for path in paths))
    told = "fewer than two groups of exposures: nothing can be compared, and no outlier is flagged"
    for user, expected in (({}, [f"one: {told}"]), ({"outlier_method": "none"}, [])):
        assert plan.build(settings_of(one, **user), None).told == expected
    jwst(tmp_path / "NRCA2_cal.fits", exposure=2, detector="NRCA2")
    assert plan.build(settings_of(one), None).told == []
