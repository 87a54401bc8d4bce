"""The demonstration, small; and what a product says of itself when there is nothing to compare."""

import json
import sys
from pathlib import Path

import pytest
from astropy.io import fits
from running import run

from drizzleflow.errors import InputError
from drizzleflow.simulate import demo, simulate

SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))
SMALL = {**demo.PARAMETERS, "exposures": 4, "detectors": 1, "shape": [96, 96]}


def test_demo(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert demo.demo("demo", SNAKEMAKE, SMALL) == 0
    said = capsys.readouterr().out
    for kind in ("mosaic:", "report:"):
        (line,) = (line for line in said.splitlines() if line.startswith(kind))
        assert (tmp_path / line.split()[1]).is_file()
    found, planted = (int(said.split("cosmic rays: ")[1].split()[i]) for i in (0, 2))
    assert 0.8 * planted < found <= planted and planted > 10
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*.fits")}
    assert len(made) > 12

    assert demo.demo("demo", SNAKEMAKE, SMALL) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*.fits")} == made
    assert capsys.readouterr().out.startswith("exposures: those of an earlier run")


@pytest.mark.parametrize("flavour", [pytest.param("hst", marks=pytest.mark.slow), "simple"])
def test_demo_of_another_flavour(flavour, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "PARAMETERS", SMALL)
    assert demo.main([f"demo-{flavour}", SNAKEMAKE, flavour]) == 0
    said = capsys.readouterr().out
    (mosaic,) = (line.split()[1] for line in said.splitlines() if line.startswith("mosaic:"))
    assert fits.getval(mosaic, "INSTRUME") == {"hst": "ACS", "simple": "PLAIN"}[flavour]
    found, planted = (int(said.split("cosmic rays: ")[1].split()[i]) for i in (0, 2))
    assert 0.8 * planted < found <= planted and planted > 10
    flags, false = (int(said.split("flags:")[1].split()[i]) for i in (0, 2))
    assert false < 0.1 * flags


def test_demo_that_fails_shows_the_log(tmp_path, capsys):
    folder = tmp_path / "demo"
    (folder / "exposures").mkdir(parents=True)
    made = demo.simulated(folder / "exposures", SMALL)
    (folder / "exposures" / made["members"][0]).write_bytes(b"SIMPLE  =                    T" + b" " * 2850)
    assert demo.demo(folder, SNAKEMAKE, SMALL) == 1
    said = capsys.readouterr().err
    assert made["members"][0] in said
    assert f"its whole output is {folder / 'snakemake.log'}" in said


def test_ctrl_c_is_told_in_one_line(capsys, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "demo", interrupted)
    assert demo.main(["demo", SNAKEMAKE]) == 130
    assert capsys.readouterr().err == "demo: stopped; the same command goes on from here\n"


def test_demo_without_snakemake(tmp_path):
    with pytest.raises(InputError, match="expected snakemake"):
        demo.demo(tmp_path / "demo", str(tmp_path / "snakemake"), SMALL)


def test_two_detectors_of_one_exposure_are_skipped(tmp_path):
    """One group, two members: nothing can be compared, and everything says so."""
    made = simulate(tmp_path / "in", exposures=1, detectors=2, shape=(64, 64), cosmic_rays=30)
    done = run(tmp_path, {"associations": made["associations"], "outdir": "out"})
    (product,) = made["products"]
    home = done.out / product
    for member in ("crf", "crmask"):
        files = sorted((home / member).glob("*.fits"))
        assert len(files) == 2
        assert {fits.getval(file, "S_OUTLIR") for file in files} == {"SKIPPED"}
    assert not any(fits.getdata(file, "CRMASK").any() for file in (home / "crmask").glob("*.fits"))
    assert not (home / "single").exists() and not list(home.glob("*_median.fits"))
    record = json.loads(next((home / "record" / "crmask").glob("*.json")).read_text())
    assert any("fewer than two groups" in text for text in record["warnings"])
    assert "fewer than two groups" in (home / "report.html").read_text()
    assert (home / f"{product}_i2d.fits").is_file()
