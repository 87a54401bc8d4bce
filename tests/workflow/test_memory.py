"""mem_mb of the rules beside what their jobs take, for larger frames; small ones are looked at in the tests
of each kind of run.
"""

import os

import pytest
from running import dishonest, run

from drizzleflow.simulate import simulate


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flavour", "shape", "config"),
    [
        ("jwst", (2048, 2048), {}),
        ("jwst", (2048, 2048), {"preset": "jwst"}),
        ("roman", (2048, 2048), {"mosaic": {"bands": 1}}),
        ("hst", (1024, 2048), {"preset": "hst"}),
        ("hst", (1024, 2048), {"crmask": {"corr": True}}),
        ("simple", (2048, 2048), {"median": {"combine_type": "median", "combine_bufsize": 8}}),
    ],
)
def test_large_frames(tmp_path, flavour, shape, config):
    made = simulate(tmp_path / "in", flavour=flavour, exposures=3, detectors=2, shape=shape, seed=7)
    done = run(tmp_path, {"associations": made["associations"], **config}, measured=True)
    assert dishonest(done.out) == []


def test_a_dry_run_before_there_is_a_grid_and_after_it_is_damaged(field, tmp_path):
    """What a job will hold is not known before grid.json is: Snakemake says so, and no job starts again for
    it.
    """
    config = {"associations": field["associations"]}
    assert "mem_mb=<TBD>" in run(tmp_path, config, "--dry-run").said
    run(tmp_path, config, "single_drizzle")
    grid = tmp_path / "results/field/grid.json"
    assert "Nothing to be done" in run(tmp_path, config, "single_drizzle", "--dry-run").said
    times = grid.stat()
    grid.write_text(grid.read_text()[:40])
    os.utime(grid, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "mem_mb=<TBD>" in run(tmp_path, config, "median", "--dry-run").said
