"""grid: make the mosaic's WCS and shape, the table of all outlines, and the list of groups to sky-match.

Settings: grid, skymatch.max_overlaps. Outputs: grid.json, footprints.csv, overlaps.json.
"""

import json

from drizzleflow.geometry.build_grid import product_grid
from drizzleflow.geometry.neighbours import neighbours
from drizzleflow.io import light_tables
from drizzleflow.io.columns import FOOTPRINTS
from drizzleflow.io.files import write_text
from drizzleflow.jobs import record


def main(job):
    opts, frames = job.options, []
    for path in job.input.outlines:
        with open(path, encoding="utf-8") as file:
            frames += json.load(file)
    order = {name: number for number, name in enumerate(opts["order"])}
    frames.sort(key=lambda frame: (order[frame["member"]], frame["extver"]))
    if job.input.wcs:
        job.input_hash(job.input.wcs)
    made, outside = product_grid(frames, opts["grid"])
    for number in outside:
        job.warn("%s %d falls outside the output grid", frames[number]["member"], frames[number]["extver"])
    made.save(job.output.grid)
    light_tables.write_named(job.output.footprints, FOOTPRINTS, frames)
    near_to = {}
    if "match" in opts["skymatch"]["skymethod"].lower() and not opts["skymatch"]["skip"]:
        near_to = neighbours(
            [frame["sky_outline"] for frame in frames],
            [frame["group"] for frame in frames],
            opts["skymatch"]["max_overlaps"],
        )
    write_text(job.output.overlaps, json.dumps(near_to, indent=0) + "\n")
    job.log("grid of %d x %d pixels of %.5g arcsec", made.shape[1], made.shape[0], made.pixel_scale)
    job.statistics.update(
        nx=made.shape[1], ny=made.shape[0], pixel_scale=made.pixel_scale, crval=list(made.crval)
    )


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
