"""grid_wcs: the grid as an ASDF file (wcs, pixel_area, pixel_scale, array_shape), as the peers take for output_wcs."""

from drizzleflow import asdfio, record
from drizzleflow.grid import Grid
from drizzleflow.gridfile import write_asdf

with record.job(snakemake) as job:
    asdfio.quick_start()
    write_asdf(Grid.load(snakemake.input.grid), snakemake.output.wcs)
