"""given_grid: make the grid that the settings give, which further exposures do not change.

The first member tells how large its pixels are against the grid's, and its handedness. Settings: grid. Output:
given_grid.json, like grid.json without what all exposures together decide.
"""

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.geometry import footprint
from drizzleflow.geometry.build_grid import build
from drizzleflow.io import asdf_trees
from drizzleflow.jobs import record


def main(job):
    asdf_trees.quick_start()
    member = job.options["member"]
    frame = formats.read(member, 1, (), formats.reading(job.options))
    try:
        described = footprint.describe(frame.wcs, frame.s_region)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{member['path']}: frame 1: {error}") from None
    build([described], job.options["grid"]).save(job.output.grid)


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
