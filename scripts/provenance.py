"""provenance: write a product's provenance.json from the jobs' records."""

from drizzleflow import provenance
from drizzleflow.jobs import checkout, record


def main(job):
    provenance.collect(
        [*job.input.records, job.input.report],
        job.wildcards.product,
        job.output.provenance,
        job.options["sources"],
        checkout.announced()["config"],
        job.account(),
    )


if __name__ == "__main__":
    with record.job(snakemake) as job:
        main(job)
