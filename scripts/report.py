"""report: write a product's report.html and frames.csv from the jobs' records and the small tables."""

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
        job.output.get("frames"),
        job.options["notes"],
    )


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
