"""provenance: provenance.json of a product, from the jobs' records."""

from drizzleflow import provenance
from drizzleflow.jobs import checkout, record

with record.job(snakemake) as job:
    provenance.collect(
        [*snakemake.input.records, snakemake.input.report],
        snakemake.wildcards.product,
        snakemake.output.provenance,
        snakemake.params.opts["sources"],
        checkout.announced()["config"],
        job.account(),
    )
