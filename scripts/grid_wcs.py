"""grid_wcs: write the grid as an ASDF file, which the JWST and Roman pipelines read as output_wcs.

The file holds wcs, pixel_area, pixel_scale and array_shape.
"""

from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.output_wcs import write_asdf
from drizzleflow.io import asdf_trees
from drizzleflow.jobs import record


def main(job):
    asdf_trees.quick_start()
    write_asdf(Grid.load(job.input.grid), job.output.wcs)


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
