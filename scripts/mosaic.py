"""mosaic: the mosaic's file, from its bands or, where there is one band, from the flagged members themselves.

Settings: mosaic, grid.pad, grid.pixmap_tolerance. Output: {product}_i2d.fits.
"""

import numpy as np

from drizzleflow import i2d, mosaic, record
from drizzleflow.grid import Grid
from drizzleflow.inputs import MosaicInputs
from drizzleflow.tables import read_members

with record.job(snakemake) as job:
    opts = snakemake.params.opts
    settings, grid = opts["mosaic"], Grid.load(snakemake.input.grid)
    members = read_members(snakemake.input.members, snakemake.input.crfs)
    if snakemake.input.bands:
        pieces = []
        for path in snakemake.input.bands:
            with np.load(path) as stored:
                pieces.append({key: stored[key] for key in stored.files})
        unit = str(pieces[0]["unit"])
        model = mosaic.join(pieces)
    else:
        inputs = MosaicInputs(snakemake.input, grid, opts)
        model, unit = mosaic.drizzle(members, grid, settings, inputs.read, pad=opts["grid"]["pad"])
    model |= i2d.exposure_times(members, opts["simple"])
    cards = i2d.merge_headers(snakemake.input.crfs)
    i2d.write_i2d(
        snakemake.output.mosaic, model, grid, unit=unit, parameters=settings, cards=cards, report_var=settings["report_var"]
    )
    job.statistics.update(
        pointings=model["pointings"], exposure_time=model["exposure_time"], covered=float((model["wht"] > 0).mean())
    )
    job.thumbnail("mosaic", model["data"], size=512)
    job.thumbnail("coverage", model["wht"], size=512)
