"""median_band: combine one band of rows of all single-drizzled images.

Settings: the sections median and single_drizzle. Output: median/{band}.npz (the planes of the median's file,
and what is told of all images).
"""

import os

from drizzleflow.combine import median_stack
from drizzleflow.jobs import record


def main(job):
    opts, number = job.options, int(job.wildcards.band)
    folder = os.path.dirname(job.output.band)
    planes, told = median_stack.combine(job.input.singles, opts, folder, opts["bands"], number)
    median_stack.write_band(job.output.band, planes, told)
    job.log("%d x %d pixels of %d images", *planes["SCI"].shape[::-1], len(told.paths))
    job.statistics["rows"] = planes["SCI"].shape[0]


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
