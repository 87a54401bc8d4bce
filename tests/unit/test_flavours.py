"""The demonstration without the engine: its flavours, and who gets which folder."""

import subprocess
from pathlib import Path

import pytest

from drizzleflow.simulate import demo
from drizzleflow.simulate.specs import CAMERAS

ROOT = Path(__file__).parents[2]


def test_a_wrong_flavour_is_told_in_one_line(tmp_path, capsys):
    folder = tmp_path / "demo-wfpc"
    assert demo.main([str(folder), "snakemake", "wfpc"]) == 1
    assert capsys.readouterr().err == "demo: flavour 'wfpc': expected one of jwst, roman, hst, simple\n"
    assert not folder.exists()


def test_too_many_arguments(capsys):
    assert demo.main(["demo", "snakemake", "hst", "simple"]) == 2
    assert capsys.readouterr().err.startswith("usage: ")


@pytest.mark.parametrize("flavour", [None, *CAMERAS])
def test_make_demo_gives_each_flavour_a_folder(flavour):
    choice = [f"FLAVOUR={flavour}"] if flavour else []
    command = ["make", "--dry-run", "--no-print-directory", "demo", *choice]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    folder = "demo" if flavour in (None, "jwst") else f"demo-{flavour}"
    expected = f"python -m drizzleflow.demo {folder} .venv/bin/snakemake {flavour or 'jwst'}"
    assert done.stdout.splitlines()[-1].endswith(expected)


def test_exposures_of_another_flavour_are_simulated_again(tmp_path, capsys):
    small = {**demo.PARAMETERS, "exposures": 1, "shape": [32, 32]}
    made = {}
    for flavour in ("simple", "hst", "hst"):
        made[flavour] = demo.simulated(tmp_path, {**small, "flavour": flavour})
        assert all((tmp_path / path).is_file() for path in made[flavour]["members"])
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in said] == ["simulating", "simulating", "those"]
    assert "(simple)" in said[0] and "(hst)" in said[1] and made["simple"] != made["hst"]
