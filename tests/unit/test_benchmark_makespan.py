"""benchmarks/makespan.py: made-up records of a small run, whose schedules can be counted by hand."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import makespan


def record(folder, name, seconds, reads=(), writes=(), log=None, began=0):
    """Write the record of a job of the product p in results/, as `drizzleflow.jobs.record` does."""
    path = folder / "results/p/record" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "rule": name.partition("/")[0] + "_member",
        "log": f"results/p/log/{log or name}.log",
        "started": f"2026-01-01T00:00:{began:02d}.000+00:00",
        "inputs": [{"path": p if p.startswith("raw") else f"results/p/{p}"} for p in reads],
        "outputs": [{"path": f"results/p/{p}"} for p in writes],
        "seconds": seconds,
    }
    path.write_text(json.dumps(content))


@pytest.fixture
def run(tmp_path):
    """Four members of 4, 3, 2 and 1 s, then one job of 5 s, then one that reads the records."""
    for k in range(4):
        record(tmp_path, f"crmask/m{k}", 4 - k, [f"raw{k}.fits"], [f"crf/m{k}.fits"], began=k)
    record(tmp_path, "mosaic", 5, [f"crf/m{k}.fits" for k in range(4)], ["p_i2d.fits"], began=10)
    record(tmp_path, "report", 1, ["record/mosaic.json", "record/crmask/m0.json"], ["report.html"], began=20)
    (tmp_path / "results/p/checks.json").write_text("{}")
    return tmp_path / "results"


def test_jobs_wait_for_those_whose_files_they_read(run):
    jobs = makespan.read(run)
    assert [job.step for job in jobs] == ["crmask"] * 4 + ["mosaic", "report"]
    assert [job.after for job in jobs] == [set()] * 4 + [{0, 1, 2, 3}, {0, 4}]
    assert makespan.read(run / "p") == jobs


def test_records_with_one_log_are_one_job(run):
    record(run.parent, "blot/m8", 1.5, [], ["blot/m8.fits"], log="blot/batch", began=6)
    record(run.parent, "blot/m9", 2.0, ["blot/m8.fits"], ["blot/m9.fits"], log="blot/batch", began=5)
    record(run.parent, "last", 1, ["record/blot/m9.json"], began=30)
    jobs = makespan.read(run)
    (batch,) = (job for job in jobs if job.step == "blot")
    assert batch.seconds == 3.5 and not batch.after and jobs.index(batch) == 4
    assert jobs[-1].after == {4} and len(jobs) == 8


@pytest.mark.parametrize(
    ("cores", "wall", "path"),
    [
        (1, 16, {"crmask": 10, "mosaic": 5, "report": 1}),
        (2, 11, {"mosaic": 5, "crmask": 5, "report": 1}),  # 4 + 1 and 3 + 2
        (4, 10, {"mosaic": 5, "crmask": 4, "report": 1}),
        (64, 10, {"mosaic": 5, "crmask": 4, "report": 1}),
    ],
)
def test_cores_take_jobs_in_turn(run, cores, wall, path):
    found = makespan.simulate(makespan.read(run), cores, 0.0, 0.0)
    assert found.wall == wall and {k: v for k, v in found.path.items() if v} == path


def test_starts_are_side_by_side_and_the_main_process_is_not(run):
    jobs = makespan.read(run)
    one = makespan.simulate(jobs, 1, 0.5, 0.25)
    assert one.wall == 16 + 6 * 0.75 and one.path["engine"] == 6 * 0.25
    # the fourth of the first jobs begins after four times 0.25 s; the first is the longest all the same
    four = makespan.simulate(jobs, 4, 0.5, 0.25)
    assert four.wall == (0.25 + 4.5) + (0.25 + 5.5) + (0.25 + 1.5)
    # as many cores as jobs do not help where the main process is slow
    slow = makespan.simulate(jobs, 64, 0.0, 10.0)
    assert slow.wall == 4 * 10 + 1 + (10 + 5) + (10 + 1) and slow.path["engine"] == 60


def test_starts_as_they_were_in_the_run(run, capsys):
    for job in makespan.read(run):
        path = run.parent / job.name.replace("/log/", "/benchmark/").replace(".log", ".tsv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{job.seconds + (2 if job.step == 'mosaic' else 0.5)}\t0:00:01\n")
    for results in (run, run / "p"):
        jobs = makespan.read(results)
        assert makespan.simulate(jobs, 1, None, 0.0).wall == pytest.approx(16 + 2 + 5 * 0.5)
        assert makespan.simulate(jobs, 4, None, 0.0).path["mosaic"] == pytest.approx(7)
    path.unlink()
    assert makespan.main([str(run), "--start", "measured"]) == 1
    assert "p/log/report.log: no benchmark file" in capsys.readouterr().err


def test_local_steps_need_no_core_and_no_start(run):
    jobs = makespan.read(run)
    assert makespan.simulate(jobs, 1, 0.5, 0.0, ["crmask"]).wall == 4 + 5.5 + 1.5


def test_the_path_leads_over_cores_where_these_are_what_is_missing(tmp_path):
    """On one core b waits for a, which it does not read."""
    record(tmp_path, "a", 3, began=1)
    record(tmp_path, "b", 2, began=2)
    jobs = makespan.read(tmp_path / "results")
    assert makespan.simulate(jobs, 1, 0.0, 0.0).path == {"a": 3, "b": 2, "engine": 0}
    assert makespan.simulate(jobs, 2, 0.0, 0.0).path == {"a": 3, "engine": 0}


def test_what_is_printed(run, tmp_path, capsys):
    assert makespan.main([str(run), "--cores", "1", "4", "--start", "0", "--engine", "0"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[3][:4] == ["1", "16.0", "1.00", "1.00"] and lines[4][:4] == ["4", "10.0", "1.60", "0.40"]
    assert lines[4][4:] == ["mosaic", "5.0,", "crmask", "4.0,", "report", "1.0"]
    assert ["crmask", "4", "10.0", "2.50", "4.00"] in lines and lines[-1][:3] == ["all", "6", "16.0"]
    assert makespan.main([str(tmp_path / "nothing")]) == 1
    assert "no record, expected the output folder of a run" in capsys.readouterr().err


def test_jobs_that_wait_for_each_other(tmp_path):
    record(tmp_path, "a", 1, ["b.fits"], ["a.fits"])
    record(tmp_path, "b", 1, ["a.fits"], ["b.fits"])
    with pytest.raises(ValueError, match="wait for each other"):
        makespan.simulate(makespan.read(tmp_path / "results"), 2, 0.0, 0.0)
