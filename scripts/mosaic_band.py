"""mosaic_band: drizzle the flagged members onto one band of the grid's rows.

Settings: mosaic, grid.pad, grid.pixmap_tolerance. Output: mosaic/{band}.npz (the arrays of the output model,
the unit, and every frame's window).
"""

import json

import numpy as np

from drizzleflow import formats
from drizzleflow.frames.bands import band
from drizzleflow.io import plane_file
from drizzleflow.io.light_tables import read_members
from drizzleflow.jobs import record
from drizzleflow.jobs.reader import FrameReader
from drizzleflow.resample import i2d, mosaic, units


def main(job):
    opts = job.options
    reader = FrameReader.of(job, "mosaic")
    members, grid = read_members(job.input.members, job.input.crfs), reader.grid
    rows = band(grid.shape[0], opts["bands"], int(job.wildcards.band))
    model, unit = mosaic.drizzle(
        members, grid, opts["mosaic"], reader.to_drizzle, pad=opts["grid"]["pad"], rows=rows
    )
    if opts["mosaic"]["units"] == "counts":
        times = i2d.exposure_times(members, formats.reading(opts))
        unit = units.to_counts(model, unit, times["exposure_time"])
    arrays = {key: value for key, value in model.items() if isinstance(value, np.ndarray)}
    told = {"unit": np.array(unit), "windows": np.array(json.dumps(reader.reached))}
    plane_file.write(job.output.band, told | arrays)
    job.statistics["rows"] = list(rows)


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
