"""provenance: provenance.json of a product, from the jobs' records."""

from drizzleflow import provenance, record

with record.job(snakemake) as job:
    provenance.collect(
        snakemake.input.records, snakemake.wildcards.product, snakemake.output.provenance, snakemake.params.opts["sources"]
    )
