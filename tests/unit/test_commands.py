"""`drizzleflow.association` and `drizzleflow.config` as commands: what they print, and how they fail."""

import subprocess
import sys

import pytest
import yaml

from drizzleflow.plan import config
from drizzleflow.simulate import simulate


def run(module, *arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", f"drizzleflow.{module}", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    simulate(folder, flavour="jwst", exposures=2, detectors=2, shape=(32, 32), seed=1)
    return folder


def table(output):
    names, *rows = (line.split() for line in output.splitlines())
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_the_members_of_an_association(exposures):
    (asn,) = exposures.glob("*.json")
    done = run("association", asn.name, folder=exposures)
    assert (done.returncode, done.stderr) == (0, "")
    rows = table(done.stdout)
    assert len(rows) == 4 and len({row["group"] for row in rows}) == 2  # two detectors an exposure
    assert {row["format"] for row in rows} == {"jwst"} and {row["exptype"] for row in rows} == {"science"}
    assert all((exposures / row["path"]).is_file() for row in rows)
    assert len({row["product"] for row in rows}) == 1 and len({row["member"] for row in rows}) == 4


def test_members_that_a_run_leaves_alone_are_shown(exposures):
    one, two, *_ = sorted(path.name for path in exposures.glob("*_cal.fits"))
    (exposures / "two.csv").write_text(
        f"path,exptype,member\n{one},,a\n{two},,b\nabsent\x1b.fits,background,c\n"
    )
    done = run("association", "two.csv", folder=exposures)
    assert done.returncode == 0, done.stderr
    a, b, c = table(done.stdout)
    assert (a["product"], a["member"], b["member"]) == ("two", "a", "b")
    assert (c["member"], c["exptype"], c["group"], c["format"]) == ("c", "background", "-", "-")
    assert "\x1b" not in done.stdout and c["path"] == r"absent\x1b.fits"


def test_the_products_of_a_folder(exposures):
    (exposures / "night").mkdir()
    for path in exposures.glob("*_cal.fits"):
        (exposures / "night" / path.name).write_bytes(path.read_bytes())
    (exposures / "night/x_i2d.fits").write_bytes(b"")
    for source in ("night", "nig*/*.fits"):
        done = run("association", source, folder=exposures)
        assert done.returncode == 0 and len(table(done.stdout)) == 4
        assert done.stderr == f"{source}: left out x_i2d.fits: a mosaic\n"


def test_a_wrong_association_is_told_and_the_others_are_shown(exposures):
    (asn,) = exposures.glob("*.json")
    (exposures / "gone.csv").write_text("path\nnowhere_cal.fits\n")
    done = run("association", asn.name, "gone.csv", folder=exposures)
    assert done.returncode == 1 and len(table(done.stdout)) == 4
    (line,) = done.stderr.splitlines()
    assert line.startswith("gone.csv: product gone: member nowhere: nowhere_cal.fits")
    for name in ("gone.csv", "absent.json"):
        done = run("association", name, folder=exposures)
        assert done.returncode == 1 and done.stdout == ""
        assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith(name)


def test_a_table_is_checked_with_the_run_s_settings(exposures):
    """Members without an error plane can be combined, but not compared."""
    (exposures / "plain").mkdir()
    simulate(exposures / "plain", flavour="simple", exposures=2, detectors=1, shape=(32, 32), seed=1)
    (table_file,) = (exposures / "plain").glob("*.csv")
    (exposures / "my.yaml").write_text("simple: {err: null, ivar: null}\n")
    good = run("association", table_file, folder=exposures)
    assert good.returncode == 0, good.stderr
    bad = run("association", table_file, "--configfile", "my.yaml", folder=exposures)
    assert bad.returncode == 1 and "no error plane" in bad.stderr
    (exposures / "wrong.yaml").write_text("crmsk: {}\n")
    bad = run("association", table_file, "--configfile", "wrong.yaml", folder=exposures)
    assert (bad.returncode, bad.stdout) == (1, "") and "did you mean crmask?" in bad.stderr


def test_the_resolved_configuration(tmp_path):
    (tmp_path / "my.yaml").write_text("preset: hst\nmosaic: {pixfrac: 8e-1}\ncrmask: {driz_cr_snr: 4 3}\n")
    done = run("config", "my.yaml", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    resolved = yaml.safe_load(done.stdout)
    assert resolved["mosaic"]["pixfrac"] == 0.8  # mine
    assert (
        resolved["crmask"]["snr"] == "4.0 3.0" and resolved["crmask"]["interp"] == "poly5"
    )  # mine, the preset's
    assert resolved["median"]["combine_nlow"] == 0  # the default
    assert "defaults < preset hst < 'my.yaml'" in done.stdout
    # what is printed is a configuration, and gives the same again
    (tmp_path / "again.yaml").write_text(done.stdout)
    assert yaml.safe_load(run("config", "again.yaml", folder=tmp_path).stdout) == resolved


def test_the_defaults(tmp_path):
    done = run("config", folder=tmp_path)
    expected = config.standard()
    del expected["layers"]
    assert done.returncode == 0 and yaml.safe_load(done.stdout) == expected
    assert expected["associations"] == [] and expected["preset"] is None


@pytest.mark.parametrize(
    "text, says",
    [
        ("crmask: {snr: 5 5 5}", "crmask.snr is '5 5 5'"),
        ("crmsk: {}", "did you mean crmask?"),
        ("a: [1", "not valid YAML"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_configuration(tmp_path, text, says):
    if text is not None:
        (tmp_path / "my.yaml").write_text(text)
    done = run("config", "my.yaml", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert says in line
