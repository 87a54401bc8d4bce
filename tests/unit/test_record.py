"""record.py and thumbnail.py: what a job leaves behind when it ends well, and when it does not."""

import base64
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from drizzleflow.errors import InputError
from drizzleflow.io import files
from drizzleflow.jobs import guard, record, refusal, thumbnail


@pytest.fixture
def given(tmp_path, monkeypatch):
    """An object like Snakemake's, in a working folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw.fits").write_bytes(b"raw" * 100)
    return SimpleNamespace(
        rule="crmask",
        wildcards={"product": "p", "member": "m1"},
        input=["raw.fits", "results/p/sky.csv"],
        output=SimpleNamespace(mask="results/p/crmask/m1.fits", record="results/p/record/crmask/m1.json"),
        params={"opts": {"snr": "5.0 4.0", "lower": None}, "code": "c0de"},
        log=["results/logs/m1.log"],
        threads=2,
        resources=SimpleNamespace(mem_mb=100),
    )


def write(path, content=b"product"):
    with files.replacing(path) as temporary, open(temporary, "wb") as out:
        out.write(content)


def picture(text):
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(text)))
    return np.asarray(image.convert("RGB") if image.mode == "P" else image)


def test_a_good_job_leaves_its_record(given, capsys):
    with record.job(given) as job:
        job.log("%d pixels", 7)
        job.warn("little overlap")
        job.input_hash("raw.fits")
        job.input_hash("results/../raw.fits")
        job.statistics["frames"] = [{"extver": np.int64(1), "fraction": np.float32(np.nan), "limit": np.inf}]
        job.statistics["shape"] = np.arange(2)
        write(given.output.mask)
    found = record.read(given.output.record)
    assert (found["rule"], found["code"], found["wildcards"]) == (
        "crmask",
        "c0de",
        {"product": "p", "member": "m1"},
    )
    assert found["params"] == {"snr": "5.0 4.0", "lower": None}
    product = {"path": given.output.mask, "sha256": hashlib.sha256(b"product").hexdigest(), "size": 7}
    assert found["outputs"] == [product]
    raw = hashlib.sha256(b"raw" * 100).hexdigest()
    assert found["inputs"][0] == {"path": "raw.fits", "sha256": raw, "size": 300}
    assert found["inputs"][1] == {"path": "results/p/sky.csv"}
    assert found["inputs"][2]["sha256"] == raw  # a file beside the rule's inputs
    assert found["statistics"] == {
        "frames": [{"extver": 1, "fraction": None, "limit": "inf"}],
        "shape": [0, 1],
    }
    assert found["warnings"] == ["little overlap"]
    assert found["started"] <= found["ended"]
    assert found["versions"]["numpy"] == np.__version__
    assert found["peak_mb"] > 10
    log = Path(given.log[0]).read_text()
    assert "7 pixels" in log
    assert "little overlap" in log
    assert capsys.readouterr().err == "crmask: WARNING: little overlap\n"


def test_a_silent_job_has_an_empty_log(given):
    with record.job(given):
        write(given.output.mask)
    assert Path(given.log[0]).read_text() == ""


def test_warnings_of_libraries_are_logged_and_kept(given, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with record.job(given):
            warnings.warn("two\nlines", UserWarning, stacklevel=1)
            write(given.output.mask)
        (kept,) = record.read(given.output.record)["warnings"]
        assert kept.startswith("UserWarning: two lines (test_record.py:")
        assert "two lines" in Path(given.log[0]).read_text()
        assert "two lines" in capsys.readouterr().err
        with pytest.warns(UserWarning):  # and the process is as it was before
            warnings.warn("later", UserWarning, stacklevel=1)


def test_input_errors_are_one_line_without_traceback(given, capsys):
    with pytest.raises(SystemExit) as stop, record.job(given):
        raise InputError("a.fits[SCI]: found\nnothing")
    assert stop.value.code == 1
    assert Path(given.log[0]).read_text() == "crmask: a.fits[SCI]: found nothing\n"
    assert capsys.readouterr().err == "crmask: a.fits[SCI]: found nothing\n"
    with pytest.raises(InputError, match="no such record"):
        record.read(given.output.record)


def test_other_errors_leave_a_traceback_in_the_log(given, capsys):
    with pytest.raises(SystemExit) as stop, record.job(given):
        {}["key"]
    assert stop.value.code == 1
    log = Path(given.log[0]).read_text()
    assert log.startswith("Traceback")
    assert "test_other_errors" in log
    assert capsys.readouterr().err == "crmask: KeyError: 'key'\n"


def test_a_disk_that_takes_no_more_is_told_by_the_files_name(given, capsys):
    """A limit on the size of files stands in for a full disk."""
    given.log = ["/dev/full"]  # where every write fails
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(SystemExit), record.job(given) as job:
        job.log("this line is lost")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            write(given.output.mask, b"x" * 2000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert capsys.readouterr().err == "crmask: results/p/crmask/m1.fits: File too large\n"
    assert list(Path("results/p/crmask").iterdir()) == []


def test_a_log_that_cannot_be_opened_is_told(given, capsys):
    Path("results").write_text("a file where the folder should be")
    with pytest.raises(SystemExit, match=r"^crmask: results/logs: Not a directory$"), record.job(given):
        pass


def test_a_member_replaced_since_the_plan_fails_the_job(given, capsys, monkeypatch):
    status = os.stat("raw.fits")
    entry = [status.st_size, status.st_mtime_ns, {}]
    Path("plan.json").write_text(json.dumps({"files": {f"{os.path.abspath('raw.fits')} about": entry}}))
    monkeypatch.setenv(guard.PLAN, "plan.json")
    write(given.output.mask)
    with record.job(given):
        pass
    os.unlink(given.output.record)
    with pytest.raises(SystemExit), record.job(given):
        os.utime("raw.fits", (1, 1))
    assert capsys.readouterr().err.startswith("crmask: raw.fits: replaced while the run was going on ")
    assert not Path(given.output.record).exists()
    os.unlink("raw.fits")  # gone when it was read: nothing to say
    with record.job(given):
        pass


def test_a_job_that_does_not_write_its_output_fails(given, capsys):
    with pytest.raises(SystemExit), record.job(given):
        pass
    assert given.output.mask in capsys.readouterr().err


def test_a_rule_may_have_no_record(given):
    given.output = []
    with record.job(given) as job:
        job.log("looked")
    assert "looked" in Path(given.log[0]).read_text()


def test_jobs_after_each_other_do_not_share_logs(given):
    with record.job(given) as job:
        job.log("first")
        write(given.output.mask)
    given.log = ["second.log"]
    with record.job(given) as job:
        job.log("second")
    assert "second" not in Path("results/logs/m1.log").read_text()
    assert Path("second.log").read_text().count("second\n") == 1


@pytest.mark.parametrize("text", ["", "[]", '{"x": 1}', '{"rule": "a"'])
def test_what_is_no_record_is_refused(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match=r"r\.json"):
        record.read(tmp_path / "r.json")


def test_snakemake_runs_it(tmp_path):
    """Snakemake's own objects, a process of its own: record, log, and the message of a failure."""
    (tmp_path / "Snakefile").write_text(
        textwrap.dedent("""
        rule a:
            input: "in.txt"
            output: product="out/{x}.txt", record="record/a/{x}.json"
            params: opts={"pixfrac": 1.0}, code="abc"
            log: "logs/a/{x}.log"
            script: "a.py"
        """)
    )
    (tmp_path / "a.py").write_text(
        textwrap.dedent("""
        from drizzleflow.jobs import record
        from drizzleflow.errors import InputError
        with record.job(snakemake) as job:
            if snakemake.wildcards.x == "bad":
                raise InputError("in.txt: nothing in it")
            with open(snakemake.output.product, "w") as out:
                out.write("x")
        """)
    )
    (tmp_path / "in.txt").write_text("in")
    tool = Path(sys.executable).with_name("snakemake")
    library = str(Path(record.__file__).parents[2])
    command = [tool, "out/good.txt", "out/bad.txt", "--cores", "1", "--keep-going", "--quiet"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": library},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "a: in.txt: nothing in it" in done.stderr
    assert "Traceback" not in done.stderr
    found = record.read(tmp_path / "record/a/good.json")
    assert found["wildcards"] == {"x": "good"}
    assert found["params"] == {"pixfrac": 1.0}
    assert (found["code"], found["inputs"]) == ("abc", [{"path": "in.txt"}])
    assert [entry["path"] for entry in found["outputs"]] == ["out/good.txt"]
    assert "numpy" not in found["versions"]
    assert not (tmp_path / "record/a/bad.json").exists()
    assert (tmp_path / "logs/a/good.log").read_text() == ""
    assert (tmp_path / "logs/a/bad.log").read_text() == "a: in.txt: nothing in it\n"


@pytest.mark.parametrize(
    "modules, heavy", [("jobs.record, report.contents, provenance, io.files", []), ("audit", ["numpy"])]
)
def test_light_modules_import_neither_numpy_nor_astropy(modules, heavy):
    """The audit adds up FITS checksums: numpy alone."""
    imports = ", ".join(f"drizzleflow.{name}" for name in modules.split(", "))
    code = f"import sys, {imports}; print([m for m in ('numpy', 'astropy', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(heavy)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "a[1].txt"
    files.write_text(target, "old")
    (tmp_path / ".a[1].txt.tmp-99999").write_text("left by a killed writer")
    with pytest.raises(ZeroDivisionError), files.replacing(target) as temporary, open(temporary, "w") as out:
        out.write("new")
        1 / 0  # noqa: B018
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a[1].txt"]


def test_fingerprint(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    expected = {"path": str(tmp_path / "a"), "sha256": hashlib.sha256(b"abc").hexdigest(), "size": 3}
    assert files.fingerprint(tmp_path / "a") == expected
    assert json.dumps(expected)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (256, 256), (257, 256), (1000, 333), (300, 1025)])
def test_block_mean_is_the_mean_of_finite_pixels(shape):
    image = np.random.default_rng(3).normal(size=shape)
    image[image > 1] = np.nan
    image[0, 0] = np.inf
    small = thumbnail.block_mean(image, 64)
    step = -(-max(shape) // 64)
    assert max(small.shape) <= 64
    for (y, x), value in np.ndenumerate(small):
        block = image[y * step : (y + 1) * step, x * step : (x + 1) * step]
        good = block[np.isfinite(block)]
        assert (np.isnan(value) and not good.size) or value == pytest.approx(good.mean())


def test_thumbnail_shows_masked_pixels_red_and_missing_ones_black():
    image = np.random.default_rng(4).normal(10, 1, (512, 400)).astype(">f4")
    image[0:4, 0:4] = np.nan
    mask = np.zeros(image.shape, np.uint8)
    mask[500, 10] = 1
    text, _ = thumbnail.png(image, mask, 256)
    shown = picture(text)
    assert shown.shape == (256, 200, 3)
    red = np.argwhere(shown[..., 0].astype(int) - shown[..., 1] > 100)
    assert red.tolist() == [[255 - 250, 5]]  # row 0 of the image is at the bottom
    assert (shown[-2:, :2] == 0).all()
    assert (shown[:-2] > 0).all()


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_thumbnail_of_a_constant_image(value):
    shown = picture(thumbnail.png(np.full((10, 20), value))[0])
    assert shown.shape == (10, 20)
    assert np.unique(shown).size == 1


@pytest.mark.parametrize("weights", [[5.0], [4.0, 5.0], [0.0, 5.0]])
def test_black_may_be_given_alone(weights):
    """A mosaic's coverage: four weights of five are no hole, and no weight is one."""
    image = np.full((20, 20), 5.0)
    image[3, : len(weights)] = weights
    text, (low, high) = thumbnail.png(image, stretch=(0.0, None))
    shown = picture(text)
    assert (low, high) == (0.0, 5.0) and shown[10, 10] == 254
    assert {0.0: 24, 4.0: 236, 5.0: 254}[weights[0]] == shown[20 - 1 - 3, 0]


def test_two_thumbnails_with_one_stretch(given):
    before = np.random.default_rng(5).normal(size=(64, 64))
    after = before.copy()
    before[3, 3] = 1e4
    with record.job(given) as job:
        limits = job.thumbnail("before", before)
        assert job.thumbnail("after", after, limits=limits) == limits
        write(given.output.mask)
    pictures = record.read(given.output.record)["thumbnails"]
    different = picture(pictures["before"]) != picture(pictures["after"])
    assert different.sum() == 1
    assert different[-1 - 3, 3]


def test_busiest_cut():
    mask = np.zeros((300, 500), bool)
    mask[200:210, 400:410] = True
    mask[10, 10] = True
    cut = thumbnail.busiest(mask, 128)
    assert mask[cut].shape == (128, 128)
    assert mask[cut].sum() == 100
    assert mask[thumbnail.busiest(mask, 1000)].shape == mask.shape
    edge = np.zeros((250, 245), bool)
    edge[28:35, 230:242] = edge[240, 3] = True
    assert edge[thumbnail.busiest(edge, 128)].sum() == 84
    assert mask[thumbnail.busiest(np.zeros((300, 500), bool), 128)].shape == (128, 128)


# what a second attempt cannot help -------------------------------------------------------------


def attempt(given, error=None) -> tuple[bool, int]:
    """Whether the script of a job got to work, and the job's status."""
    worked = False
    try:
        with record.job(given):
            worked = True
            if error:
                raise error
            write(given.output.mask)
    except SystemExit as end:
        return worked, end.code
    return worked, 0


def test_what_was_refused_is_told_again_at_once(given, monkeypatch, capsys):
    monkeypatch.setenv(refusal.VARIABLE, "")  # so that it is not set after the test
    monkeypatch.delenv(refusal.VARIABLE)
    refusal.announce("results")
    assert attempt(given, InputError("raw.fits: no WCS")) == (True, 1)
    said = capsys.readouterr().err
    assert attempt(given) == (False, "crmask: raw.fits: no WCS")  # Python prints it, and the status is 1
    assert said == "crmask: raw.fits: no WCS\n"
    assert Path("results/logs/m1.log").read_text() == said
    # another job has nothing to do with it, and the next run begins without it
    other = SimpleNamespace(**{**vars(given), "log": ["results/logs/m2.log"]})
    assert attempt(other) == (True, 0)
    refusal.clear("results")
    assert not Path("results", refusal.FOLDER).exists()
    assert attempt(given) == (True, 0)


def test_what_may_pass_is_tried_again(given, monkeypatch):
    monkeypatch.setenv(refusal.VARIABLE, "")  # so that it is not set after the test
    monkeypatch.delenv(refusal.VARIABLE)
    refusal.announce("results")
    for error in (OSError(5, "Input/output error", "raw.fits"), MemoryError(), ValueError("a fault of ours")):
        assert attempt(given, error) == (True, 1)
        assert attempt(given) == (True, 0)


def test_by_hand_nothing_is_left(given, monkeypatch):
    monkeypatch.setenv(refusal.VARIABLE, "")  # so that it is not set after the test
    monkeypatch.delenv(refusal.VARIABLE)
    assert attempt(given, InputError("raw.fits: no WCS")) == (True, 1)
    assert attempt(given) == (True, 0)
