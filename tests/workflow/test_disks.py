"""A disk that is full or cannot be written: one line names the file; with room again the next plain run
finishes.
"""

import re
import subprocess

import pytest
from runs import CONFIG, assert_as_undisturbed, call, complete, differing, jobs, kill_at, products, working


def mount(*words):
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this test has to mount a file system, which is refused here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(request):
    """A function that puts an empty disk of some KiB in memory over a folder."""

    def make(folder, size):
        folder.mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", f"size={size}k", "tmpfs", folder)
        request.addfinalizer(lambda: subprocess.run(["umount", "--lazy", folder], check=True))

    return make


def resize(folder, size):
    mount("-o", f"remount,size={size}k", folder)


FULL = re.compile(r"^(\w+): (results/field/\S+): No space left on device$", re.MULTILINE)


def test_full_disk(fresh, expected, small_disk):
    """The output folder's disk is full at one step after the other; each time it gets a little larger."""
    out = fresh / "results"
    small_disk(out, 12)
    failed = set()
    for size in (12, 400, 3000, 5000):
        resize(out, size)
        status, text = call(fresh, CONFIG)
        assert status == 1
        told = FULL.findall(text)
        assert told, text[-3000:]
        for rule, name in told:
            assert not (fresh / name).exists() or "/log/" in name
            failed.add(rule)
        assert "Traceback" not in text and "Logging error" not in text
        # nothing that is half written has a product's name
        assert set(differing(products(out), expected).values()) <= {"missing"}
        assert [path for path in out.rglob("*") if ".tmp-" in path.name] == []
    assert len(failed) >= 3, failed
    resize(out, 100_000)
    complete(fresh, CONFIG)
    assert_as_undisturbed(fresh, expected)
    complete(fresh, CONFIG, "audit")


def test_full_disk_of_the_engine(fresh, data, expected, small_disk, tmp_path):
    """Where also Snakemake's notes find no room, it says so, and what it could not note is done again."""
    small_disk(tmp_path / "disk", 10_000)
    here = tmp_path / "disk/run"
    (fresh / "data").rename(tmp_path / "data")
    here.mkdir()
    (here / "data").symlink_to(tmp_path / "data")
    for size in (60, 150):
        resize(tmp_path / "disk", size)
        status, text = call(here, CONFIG)
        assert status != 0 and "No space left on device" in text
        assert set(differing(products(here / "results"), expected).values()) == {"missing"}
    resize(tmp_path / "disk", 100_000)
    complete(here, CONFIG)
    assert_as_undisturbed(here, expected)
    again = jobs(complete(here, {**CONFIG, "grid": {"pixmap_tolerance": 2e-3}}, "--dry-run"))
    assert again["footprint"] == 2 and again["mosaic_product"] == 1  # it sees every changed setting


def test_read_only_folder(fresh, expected):
    """An output folder that is mounted read-only amid its products, as after an error of the disk."""
    out = fresh / "results"
    kill_at(fresh, working(out, "single_drizzle"))
    mount("--bind", out, out)
    try:
        mount("-o", "remount,bind,ro", out)
        status, text = call(fresh, CONFIG)
        assert status == 1
        # Snakemake speaks first where an output of an unfinished job was there already
        told = (
            "results/.lock: Read-only file system; the output folder has to be writable",
            "Write-protected output files for rule",
        )
        assert sum(text.count(line) for line in told) == 1, text[-3000:]
        assert "Traceback" not in text and "Error in rule" not in text
    finally:
        subprocess.run(["umount", out], check=True)
    complete(fresh, CONFIG)
    assert_as_undisturbed(fresh, expected)


#: this user without root's right to write everywhere
AS_OWNER = [
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
]


def test_folder_without_permission(fresh, expected):
    """One that may not be written at all, and one in which one product's folder may not."""
    prefix = AS_OWNER if subprocess.run([*AS_OWNER, "true"], capture_output=True).returncode == 0 else []
    out = fresh / "results"
    for locked, told in (
        (out, r"results/\.lock: Permission denied; the output folder has to be writable"),
        (
            out / "field/footprint",
            r"footprint: results/field/footprint/b[01]\.(npz|json): Permission denied",
        ),
    ):
        locked.mkdir(parents=True, exist_ok=True)
        (locked / ".here").touch()  # Snakemake removes empty folders
        locked.chmod(0o555)
        try:
            status, text = call(fresh, CONFIG, prefix=prefix)
        finally:
            locked.chmod(0o755)
        (locked / ".here").unlink()
        assert status == 1
        assert re.search(f"^{told}$", text, re.MULTILINE), text[-3000:]
        assert "Traceback" not in text
    complete(fresh, CONFIG)
    assert_as_undisturbed(fresh, expected)
