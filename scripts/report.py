"""report: write a product's report.html from the jobs' records and the small tables."""

from drizzleflow.io import tables
from drizzleflow.jobs import record
from drizzleflow.report import contents as report


def main(job):
    report.make(
        job.input.records,
        tables.read_members(job.input.members),
        tables.read_sky(job.input.sky) if job.input.sky else None,
        job.output.report,
        job.wildcards.product,
    )


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
