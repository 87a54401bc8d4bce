"""A run that is killed or loses power anywhere: the next plain run makes the bytes of an undisturbed one."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from runs import (
    CONFIG,
    alive,
    assert_as_undisturbed,
    call,
    complete,
    differing,
    end,
    jobs,
    kill_at,
    products,
    said,
    start,
    unfinished,
    wait_for,
    working,
)


def test_killed_at_each_step(fresh, expected):
    """SIGKILL to all processes of one run after the other, each amid a job of a later step; then it finishes."""
    out = fresh / "results"
    singles = out / "field/single"

    def writing():
        return singles.is_dir() and any(".tmp-" in name for name in os.listdir(singles))

    def between():
        done = {path.stem for path in out.glob("field/record/crmask/*.json")}
        return any(
            path.name.removesuffix("_crmask.fits") not in done
            for path in out.glob("field/crmask/*_crmask.fits")
        )

    kill_at(fresh, lambda: (fresh / ".snakemake").exists())  # before the first job
    for moment in (
        working(out, "footprint"),
        working(out, "sky_overlaps"),
        writing,
        working(out, "median"),
        working(out, "crmask"),
        between,
        working(out, "mosaic"),
        working(out, "report"),
    ):
        kill_at(fresh, moment)
        if moment is writing:
            assert any(
                ".tmp-" in name for name in os.listdir(singles)
            )  # half a file, without a product's name
        if moment is between:
            assert between()  # some of a job's outputs
    complete(fresh, CONFIG)
    assert_as_undisturbed(fresh, expected)
    complete(fresh, CONFIG, "audit")


@pytest.fixture(scope="module")
def span(undisturbed):
    """How long the undisturbed run took here and now, in seconds; the next ones find the caches warm, and
    take less.
    """
    return 0.9 * float((undisturbed.parent / "seconds").read_text())


@pytest.mark.parametrize(
    ("kills", "in_a_row"),
    [
        (2, 1),
        (6, 6),
        pytest.param(20, 1, marks=pytest.mark.slow),
        pytest.param(30, 6, marks=pytest.mark.slow),
    ],
)
def test_killed_at_random(data, expected, span, tmp_path, kills, in_a_row):
    """SIGKILL to all processes at random moments over the time that a run takes: new runs, and one run again
    and again.
    """
    draw = random.Random(kills)
    survived, number, at = 0, 0, {}
    while survived < kills:
        number += 1
        assert number <= 2 * kills, f"{survived} kills in {number} runs: the moments come too late"
        folder = shutil.copytree(data, tmp_path / f"run{number}")
        for _ in range(min(in_a_row, kills - survived)):
            process = start(folder, CONFIG)
            if in_a_row == 1:  # each kill in its own part of the time
                moment = 0.95 * (survived + draw.random()) / kills
            else:
                moment = draw.uniform(0, 0.6)
            time.sleep(span * moment)
            if end(process) != -signal.SIGKILL:  # it was done before
                assert process.returncode == 0, said(folder)[-3000:]
                span *= 0.8  # the machine has less to do than when it was measured
                break
            survived += 1
            steps = {
                Path(path).parts[3].removesuffix(".json") for path in unfinished(folder) if "/record/" in path
            }
            for step in steps or {"no job"}:
                at[step] = at.get(step, 0) + 1
        complete(folder, CONFIG)
        assert_as_undisturbed(folder, expected)
        shutil.rmtree(folder)
    print(f"{survived} kills survived in {number} runs, amid {at}")
    assert kills < 20 or (len(at) > kills // 10 and set(at) != {"no job"})  # they really hit several steps


def test_killed_with_temporary_intermediates(fresh, expected):
    config = {**CONFIG, "save_intermediate_results": False}
    kill_at(fresh, working(fresh / "results", "crmask"), config)
    kill_at(fresh, working(fresh / "results", "mosaic"), config)
    complete(fresh, config)
    gone = ("field/single/", "field/blot/", "field/field_median.fits")
    rest = {name: value for name, value in expected.items() if not name.startswith(gone)}
    assert_as_undisturbed(fresh, rest, config)


def test_one_job_killed(fresh, expected):
    """SIGKILL to the process of one job, as when memory is out: the run says which, and the next one
    finishes.
    """
    out, step = fresh / "results", "crmask"
    process = start(fresh, CONFIG)

    def script():
        found = [pid for pid, words in alive(process.pid).items() if words[-1].endswith(f".{step}.py")]
        return working(out, step)() and found  # its log is open, so its imports are done

    try:
        wait_for(process, script)
        killed = script()[0]
        os.kill(killed, signal.SIGKILL)
        assert process.wait(timeout=60) == 1
    finally:
        end(process)
    text = said(fresh)
    assert "died with <Signals.SIGKILL: 9>" in text or "returned non-zero exit status 137" in text
    assert f"Error in rule {step}" in text
    assert f"results/field/log/{step}/" in text
    assert "Traceback" not in text
    assert set(differing(products(out), expected).values()) == {"missing"}
    complete(fresh, CONFIG)
    assert_as_undisturbed(fresh, expected)


# a power cut: the kernel forgets what it has not yet written ------------------------------------------

CUTS = {"empty": lambda size: 0, "half": lambda size: size // 2, "last byte": lambda size: size - 1}


def cut(path, how):
    """Shorten a file in place, and give it a time stamp of long ago."""
    os.truncate(path, max(0, CUTS[how](path.stat().st_size)))
    os.utime(path, (1e9, 1e9))


def test_power_cut(fresh, undisturbed, expected):
    """All outputs of the jobs at work lie there under their names, cut short; Snakemake's marks of these jobs
    may be lost.

    A record is written last, when its job's other outputs are on the disk: where the marks are lost, it is
    not whole either.
    """
    for step, how, marks, record in (
        ("footprint", "empty", "kept", "cut"),
        ("single_drizzle", "half", "kept", "cut"),
        ("crmask", "last byte", "lost", "gone"),
        ("mosaic", "half", "lost", "cut"),
    ):
        kill_at(fresh, working(fresh / "results", step))
        found = unfinished(fresh)
        assert any(f"/record/{step}" in name for name in found)
        for name in found:
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(undisturbed / name, path)
            cut(path, how)
            if record == "gone" and "/record/" in name:
                path.unlink()
        if marks == "lost":
            shutil.rmtree(fresh / ".snakemake/incomplete")
            (fresh / ".snakemake/incomplete").mkdir()
        for path in (*(fresh / ".snakemake/log").iterdir(), fresh / "results/.plan.json"):
            cut(path, how)
    complete(fresh, CONFIG)
    assert_as_undisturbed(fresh, expected)
    complete(fresh, CONFIG, "audit")


@pytest.mark.parametrize("how", ["empty", "half", "gone"])
def test_lost_notes(finished, expected, how):
    """Snakemake's notes on finished jobs are lost: without them it sees no changed setting, so these jobs are
    done again.
    """
    import base64

    for name in ("results/field/record/mosaic.json", "results/field/field_median.fits"):
        note = finished / ".snakemake/metadata" / base64.urlsafe_b64encode(name.encode()).decode()
        if how != "gone":
            cut(note, how)
        elif "/record/" in name:
            note.unlink()
    planned = jobs(complete(finished, CONFIG, "--dry-run"))
    assert planned["mosaic_product"] == 1
    assert ("median_product" in planned) == (how != "gone")
    assert "single_drizzle_group" not in planned
    complete(finished, CONFIG)
    assert_as_undisturbed(finished, expected)


def test_lost_records(finished, expected):
    """A record that is cut short or gone: its job is done again, as are all that read it."""
    out = finished / "results/field"
    cut(out / "record/skymatch.json", "last byte")
    cut(out / "record/report.json", "empty")
    (out / "record/provenance.json").unlink()
    cut(out / "provenance.json", "half")
    status, text = call(finished, CONFIG, "audit")  # which repairs nothing
    assert status == 1 and "altered: results/field/record/skymatch.json" in text
    complete(finished, CONFIG)
    assert_as_undisturbed(finished, expected)
    complete(finished, CONFIG, "audit")
