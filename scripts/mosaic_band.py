"""mosaic_band: the flagged members drizzled onto one band of the grid's rows.

Settings: mosaic, grid.pad, grid.pixmap_tolerance. Output: mosaic/{band}.npz (the output model's arrays, the unit, and every frame's window).
"""

import json

import numpy as np

from drizzleflow.geometry.grid import Grid
from drizzleflow.io.files import replacing
from drizzleflow.io.light_tables import read_members
from drizzleflow.jobs import record
from drizzleflow.jobs.inputs import MosaicInputs
from drizzleflow.resample import mosaic


def main(job):
    opts = job.options
    grid = Grid.load(job.input.grid)
    members = read_members(job.input.members, job.input.crfs)
    edges = mosaic.bands(grid.shape[0], opts["bands"])
    number = int(job.wildcards.band)
    rows = edges[number] if number < len(edges) else (grid.shape[0], grid.shape[0])
    inputs = MosaicInputs(job.input, grid, opts)
    model, unit = mosaic.drizzle(
        members, grid, opts["mosaic"], inputs.read, pad=opts["grid"]["pad"], rows=rows
    )
    arrays = {key: value for key, value in model.items() if isinstance(value, np.ndarray)}
    with replacing(job.output.band) as temporary, open(temporary, "wb") as out:
        np.savez(out, unit=np.array(unit), windows=np.array(json.dumps(inputs.windows)), **arrays)
    job.statistics["rows"] = list(rows)


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
