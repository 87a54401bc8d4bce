"""grid: the mosaic's WCS and shape, the table of all outlines, and which groups sky matching compares.

Settings: grid, skymatch.max_overlaps. Outputs: grid.json, footprints.csv, overlaps.json.
"""

import csv
import io
import json

from drizzleflow.geometry.build_grid import product_grid
from drizzleflow.geometry.neighbours import neighbours
from drizzleflow.io import asdf_trees
from drizzleflow.io.files import write_text
from drizzleflow.jobs import record

COLUMNS = (
    "member",
    "extver",
    "group",
    "level",
    "subtracted",
    "scale",
    "pixel_area",
    "nx",
    "ny",
    "outline",
    "sky_outline",
)


def main(job):
    opts, frames = job.options, []
    for path in job.input.outlines:
        with open(path, encoding="utf-8") as file:
            frames += json.load(file)
    if job.input.wcs:
        job.input_hash(job.input.wcs)
    asdf_trees.expect_file(opts["grid"]["output_wcs"])
    made, outside = product_grid(frames, opts["grid"])
    for number in outside:
        job.warn("%s %d falls outside the output grid", frames[number]["member"], frames[number]["extver"])
    made.save(job.output.grid)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for frame in frames:
        cells = frame | {key: json.dumps(frame[key]) for key in ("outline", "sky_outline")}
        table.writerow([cells[column] for column in COLUMNS])
    write_text(job.output.footprints, text.getvalue())
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
