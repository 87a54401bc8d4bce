"""Snakemake's scheduler looks at the ready jobs once for each job that ends: docs/snakemake_rate_limit.md."""

import re

from running import run

from drizzleflow.simulate import simulate


def test_a_pass_of_the_scheduler_for_each_job(tmp_path):
    made = simulate(tmp_path / "data", exposures=5, detectors=1, shape=(48, 48), cosmic_rays=0)
    config = {"associations": str(made["associations"][0]), "batch_size": 1}
    # in processes of their own jobs last about a second, as long as a timer
    done = run(tmp_path, config, "--verbose", "--", "skymatch", cores=1, measured=True)
    passes, ended = (len(re.findall(words, done.said)) for words in ("Ready jobs: ", "Finished jobid: "))
    assert ended >= 13 and passes <= ended + 1
