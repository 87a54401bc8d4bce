"""grid: the mosaic's WCS and shape, and the table of all outlines.

Settings: the grid section. Outputs: grid.json, footprints.csv.
"""

import csv
import io
import json

from drizzleflow import grid, record
from drizzleflow.files import write_text

COLUMNS = ("member", "extver", "group", "level", "subtracted", "scale", "pixel_area", "nx", "ny", "outline", "sky_outline")

with record.job(snakemake) as job:
    frames = []
    for path in snakemake.input.outlines:
        with open(path, encoding="utf-8") as file:
            frames += json.load(file)
    made = grid.build(frames, snakemake.params.opts["grid"])
    made.save(snakemake.output.grid)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for frame in frames:
        cells = frame | {key: json.dumps(frame[key]) for key in ("outline", "sky_outline")}
        table.writerow([cells[column] for column in COLUMNS])
    write_text(snakemake.output.footprints, text.getvalue())
    job.log("grid of %d x %d pixels of %.5g arcsec", made.shape[1], made.shape[0], made.pixel_scale)
    job.statistics.update(nx=made.shape[1], ny=made.shape[0], pixel_scale=made.pixel_scale, crval=list(made.crval))
