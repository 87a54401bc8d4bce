"""skymatch: compute one sky level for each frame from the statistics of all frames.

Settings: skymatch. Output: sky.csv, one row for each frame; sky in the frame's unit per pixel. With skymethod
skip, the levels are those that the inputs record and have not subtracted; with skymethod user, those of
skylist.
"""

import json

import numpy as np

from drizzleflow.io import lists, tables
from drizzleflow.jobs import record
from drizzleflow.sky import level_table
from drizzleflow.sky.cells import CellFiles


def in_order(overlaps, frames):
    """The rows in the order of the frames, however these were divided into batches: sums are the same to the bit."""
    number = {key: at for at, key in enumerate(zip(frames.member, frames.extver, strict=True))}
    at = [number[key] for key in zip(overlaps.member, overlaps.extver, strict=True)]
    return overlaps.iloc[np.argsort(at, kind="stable")].reset_index(drop=True)


def main(job):
    settings = job.options["skymatch"]
    if job.input.skylist:
        job.input_hash(job.input.skylist)
    frames = tables.read_footprints(
        job.input.footprints, ("member", "extver", "group", "level", "subtracted")
    )
    if settings["skip"]:
        sky, method = level_table.recorded(frames), "none"
        job.log("no sky matching: levels are those that the inputs record")
    elif settings["skymethod"] == "user":
        levels = lists.read_skylist(settings["skylist"], frames.member.tolist())
        sky, method = level_table.listed(frames, levels), "user"
        job.log("sky levels are those of %s", settings["skylist"])
    else:
        between = ()
        if settings["skystat"] == "auto":
            with open(job.input.overlaps, encoding="utf-8") as file:
                near_to = json.load(file)
            between = level_table.cell_differences(frames, near_to, CellFiles(job.input.cells).read)
        overlaps = in_order(tables.read_overlaps(*job.input.tables), frames)
        sky, method = level_table.matched(frames, overlaps, settings, between), settings["skymethod"]
        for row in sky.itertuples():
            job.log("%s %d: sky %g +- %g", row.member, row.extver, row.sky, row.sigma)
        job.statistics["components"] = sky.component[sky.component > 0].nunique()
    tables.write_sky(sky, job.output.sky)
    job.statistics.update(skymethod=method, valid=int(sky.valid.sum()), frames=len(sky))


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
