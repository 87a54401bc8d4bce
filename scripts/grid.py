"""grid: the mosaic's WCS and shape, the table of all outlines, and which groups sky matching compares.

Settings: grid, skymatch.max_overlaps. Outputs: grid.json, footprints.csv, overlaps.json.
"""

import json
from dataclasses import replace

import pandas as pd

from drizzleflow.errors import InputError
from drizzleflow.geometry.build_grid import build
from drizzleflow.geometry.neighbours import neighbours
from drizzleflow.geometry.region import covered, tilt, windows
from drizzleflow.io import tables
from drizzleflow.io.files import write_text
from drizzleflow.jobs import record


def given(settings):
    """The settings of the grid that the user made."""
    keys = ("output_wcs", "output_shape", "crpix", "crval", "rotation", "pixel_scale")
    return ", ".join(f"grid.{key}" for key in keys if settings[key] is not None) or "the members' coordinates"


def main(job):
    opts, frames = job.options, []
    for path in job.input.outlines:
        with open(path, encoding="utf-8") as file:
            frames += json.load(file)
    units = {frame["unit"]: frame["member"] for frame in reversed(frames)}
    if len(units) > 1:
        listed = ", ".join(f"{member} in {unit or 'no unit'}" for unit, member in units.items())
        raise InputError(f"members in different units: {listed}; expected one unit")
    if job.input.wcs:
        job.input_hash(job.input.wcs)
    made = build(frames, opts["grid"])
    outlines, groups = [frame["outline"] for frame in frames], [frame["group"] for frame in frames]
    s_region, outside = covered(outlines, made)
    if not s_region:
        raise InputError(
            f"grid: none of the {len(frames)} frames falls on the output grid; check {given(opts['grid'])}"
        )
    for number in outside:
        job.warn("%s %d falls outside the output grid", frames[number]["member"], frames[number]["extver"])
    made = replace(
        made, s_region=s_region, windows=windows(outlines, groups, made), tilt=tilt(outlines, made)
    )
    made.save(job.output.grid)
    tables.write_footprints(pd.DataFrame(frames), job.output.footprints)
    near_to = {}
    if "match" in opts["skymatch"]["skymethod"].lower() and not opts["skymatch"]["skip"]:
        near_to = neighbours(
            [frame["sky_outline"] for frame in frames], groups, opts["skymatch"]["max_overlaps"]
        )
    write_text(job.output.overlaps, json.dumps(near_to, indent=0) + "\n")
    job.log("grid of %d x %d pixels of %.5g arcsec", made.shape[1], made.shape[0], made.pixel_scale)
    job.statistics.update(
        nx=made.shape[1], ny=made.shape[0], pixel_scale=made.pixel_scale, crval=list(made.crval)
    )


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
