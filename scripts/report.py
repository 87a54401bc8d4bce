"""report: write a product's report.html, frames.csv and checks.json from the jobs' records and the small tables.

Settings: checks.
"""

from drizzleflow.io import tables
from drizzleflow.jobs import record
from drizzleflow.report import contents as report


def main(job):
    opts = job.options
    report.make(
        job.input.records,
        tables.read_members(job.input.members),
        tables.read_sky(job.input.sky) if job.input.sky else None,
        job.output.report,
        job.wildcards.product,
        job.output.get("frames"),
        job.output.get("checks"),
        limits=opts["checks"],
        doubts=opts["doubts"],
        notes=opts["notes"],
    )


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
