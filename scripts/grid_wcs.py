"""grid_wcs: the grid as an ASDF file (wcs, pixel_area, pixel_scale, array_shape), as the peers take for
output_wcs.
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
