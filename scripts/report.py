"""report: report.html of a product, from the jobs' records and the small tables."""

from drizzleflow.io.tables import rows
from drizzleflow.jobs import record
from drizzleflow.report import contents as report


def main(job):
    report.make(
        job.input.records,
        rows(job.input.members),
        rows(job.input.sky) if job.input.sky else [],
        job.output.report,
        job.wildcards.product,
    )


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
