"""report: report.html of a product, from the jobs' records and the small tables."""

from drizzleflow.io.tables import rows
from drizzleflow.jobs import record
from drizzleflow.report import contents as report

with record.job(snakemake) as job:
    report.make(
        snakemake.input.records,
        rows(snakemake.input.members),
        rows(snakemake.input.sky),
        snakemake.output.report,
        snakemake.wildcards.product,
    )
