"""The command amid hostile input: what is wrong is told and leaves nothing, what is healthy comes out the
same, nothing runs.
"""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from bench import Bench
from runs import call, complete, products

#: without { } < >, which Snakemake fills in: such paths are refused
NASTY = 'it\'s $(touch PWNED) `touch PWNED`; touch PWNED & "q" %s%n\\ *?[!] stjärna'
#: what a reader might run, for header cards
PAYLOADS = {
    "INSTRUME": "$(touch PWNED)",
    "FILTER": "<script>alert(1)</script>",
    "DETECTOR": "`touch PWNED`",
    "OBJECT": "{{ 7 * 191 }}",
    "TARGNAME": "{__import__('os').system('touch PWNED')}",
    "EXP_TYPE": "; touch PWNED",
    "ORIGIN": "%s%n{0}{member}",
    "OBSERVER": "!!python/object/apply:os.system ['touch PWNED']",
    "PROPOSER": "</td><img src=x onerror=alert(1)>",
    "ROOTNAME": "../../PWNED",
    "FILENAME": "/tmp/PWNED",
    "BUNIT": "$(touch PWNED)",
}


def plant(folder: Path) -> Path:
    """Two good exposures with a payload in every string, in a folder whose name is one; their association."""
    bench = Bench(folder, "simple")

    def change(hdus):
        for key, text in PAYLOADS.items():
            hdus[0].header[key] = text.replace("{member}", "(member)"), text[:20]
            hdus[1].header[key] = text

    for member in bench.members:
        bench.edit(change, member)
    bench.replace(
        b"touch PWNED", b"TOUCH PWNED", bench.bad
    )  # a header edited after its checksum: a warning with the file's path
    lines = [f'"{path.name}",{path.stem},planted' for path in bench.members]
    bench.table("path,member,product\n" + "\n".join(lines), "planted.csv")
    return bench.asn


def write(run: Path) -> dict[str, str]:
    """product -> the association that makes it: two healthy ones, two of useless pixels, and bad ones."""
    data = run / "data"
    made = {"field": Bench(data / "field", "simple"), "planted": None}
    made["field"].table([p.name for p in made["field"].members], "field.csv")
    found = {"field": made["field"].asn, "planted": plant(data / NASTY)}
    for name, value in (("flagged", None), ("nothing", np.nan)):
        bench = Bench(data / name, "simple")
        for member in bench.members:

            def change(hdus, value=value):
                if value is None:
                    hdus["DQ"].data[:] = 1
                else:
                    hdus["SCI"].data[:] = value

            bench.edit(change, member)
        bench.table([p.name for p in bench.members], f"{name}.csv")
        found[name] = bench.asn
    return {name: str(path.relative_to(run)) for name, path in found.items()}


def write_bad(run: Path) -> dict[str, tuple[str, str]]:
    """product -> (association, what is said of it)"""
    found = {}

    def bad(name, says, spoil, flavour="simple"):
        bench = Bench(run / "data" / name, flavour)
        spoil(bench)
        if bench.asn.name != f"{name}.csv":
            bench.table([p.name for p in bench.members], f"{name}.csv")
        found[name] = (str(bench.asn.relative_to(run)), says)

    def pipe(bench):
        os.mkfifo(bench.folder / "pipe.fits")
        bench.table(["pipe.fits"], "pipe.csv")

    bad(
        "cut",
        r"members: .*cut\.csv: product cut: .*sim_e001_d1\.fits\[DQ\]: the file is cut short",
        lambda b: b.cut(b.place("DQ")[1] + 9),
    )
    bad(
        "damaged",
        r"footprint: .*sim_e001_d1\.fits\[SCI\]: the data are not those of DATASUM",
        lambda b: b.flip(b.place("SCI")[1] + 7),
    )
    bad(
        "nowhere",
        r"footprint: .*sim_e001_d1\.fits\[SCI\]: its WCS cannot be used",
        lambda b: b.card("CRVAL2", "95.0", 1),
    )
    bad("pipe", r"members: .*pipe\.csv: product pipe: member pipe: .*pipe\.fits: not a file", pipe)
    bad(
        "braces",
        r"members: .*has one of { } < >, which Snakemake takes for names to fill in",
        lambda b: b.table(["{product}.fits"], "braces.csv"),
    )
    bad(
        "escape",
        r"members: .*a\\x1b\[2Jb\.fits' has control characters",
        lambda b: b.table(["a\x1b[2Jb.fits"], "escape.csv"),
    )
    return found


CONFIG = {
    "outdir": "made $(touch PWNED); touch PWNED",
    "batch_size": 4,
    "overrides": [
        {"instrument": "$(touch PWNED)", "filter": "`touch PWNED`", "set": {"crmask": {"grow": 3}}}
    ],
}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    run = tmp_path_factory.mktemp("hostile") / "run"
    healthy, bad = write(run), write_bad(run)
    listed = [*(asn for asn, _ in bad.values()), *healthy.values()]
    status, text = call(run, CONFIG | {"associations": listed}, "--keep-going")
    return run, run / CONFIG["outdir"], healthy, bad, status, text


def test_what_is_wrong_is_told_and_leaves_nothing(mixed):
    _, out, _, bad, status, text = mixed
    assert status == 1 and "Traceback" not in text
    for name, (_, says) in bad.items():
        # the engine's own line may follow without a break
        lines = (re.sub(r"Execute \d+ jobs\.\.\.$", "", line) for line in text.splitlines())
        assert len({line for line in lines if re.match(says, line)}) == 1, (
            name,
            says,
            text[-3000:],
        )
        left = {
            path.name
            for path in (out / name).rglob("*")
            if path.is_file() and not {"log", "benchmark"} & set(path.parts)
        }
        assert left <= ({"members.csv", "members.json"} if says.startswith("footprint") else set()), (
            name,
            left,
        )


def test_healthy_ones_finish_with_the_same_bytes(mixed, tmp_path):
    run, out, healthy, *_ = mixed
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copytree(run / "data", alone / "data", symlinks=True, ignore=shutil.ignore_patterns("pipe"))
    names = ["field", "planted"]
    complete(alone, CONFIG | {"associations": [healthy[name] for name in names]})
    for name in names:
        found = products(out / name)
        assert f"{name}_i2d.fits" in found and found == products(alone / CONFIG["outdir"] / name)
        assert (out / name / "report.html").exists()


def test_useless_pixels_make_an_empty_mosaic(mixed):
    """Documented: data that are all flagged, or no numbers, are no error; nothing is flagged as outliers, the
    mosaic has no value.
    """
    out = mixed[1]
    for name in ("flagged", "nothing"):
        with fits.open(out / name / f"{name}_i2d.fits") as hdus:
            assert (
                np.isnan(hdus["SCI"].data).all() and not hdus["WHT"].data.any() and not hdus["CON"].data.any()
            )
        for path in (out / name / "crmask").iterdir():
            assert not fits.getdata(path, "CRMASK").any()


def test_nothing_ran(mixed):
    run, out, *_, text = mixed
    assert not [path for path in run.rglob("*") if path.name == "PWNED"] and not Path("/tmp/PWNED").exists()
    assert "1337" not in (out / "planted/report.html").read_text()  # 7 * 191
    assert "\x1b[2J" not in text


def test_the_report_shows_text_as_text(mixed):
    page = (mixed[1] / "planted/report.html").read_text()
    assert not re.search(r"<(script|img src=x)", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "$(touch PWNED)" in page
    assert "its header is not that of CHECKSUM" in page  # the warning, with the file's path


def test_a_plain_run_stops_at_once(mixed, tmp_path):
    run, _, healthy, bad, *_ = mixed
    shutil.copytree(run / "data", tmp_path / "data", symlinks=True, ignore=shutil.ignore_patterns("pipe"))
    associations = [healthy["field"], bad["cut"][0]]
    status, text = call(tmp_path, {"associations": associations, "outdir": "out"}, cores=1)
    assert status == 1 and "the file is cut short" in text
    assert not list((tmp_path / "out/field").rglob("*.fits"))
