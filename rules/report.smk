# What went on: the report, the provenance record and the audit. They read records, never the intermediates.


rule report_product:
    input:
        records=lambda wc: records(wc.product),
        members=at("members.csv"),
        sky=at("sky.csv"),
    output:
        report=at("report.html"),
        record=at("record/report.json"),
    log:
        at("log/report.log"),
    benchmark:
        at("benchmark/report.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=records_memory(0.6, libraries=80),
        runtime=10,
    params:
        opts={},
        code=CODE["report"],
    script:
        "../scripts/report.py"


rule provenance:
    input:
        records=lambda wc: records(wc.product),
        report=at("record/report.json"),
    output:
        provenance=at("provenance.json"),
        record=at("record/provenance.json"),
    log:
        at("log/provenance.log"),
    benchmark:
        at("benchmark/provenance.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=records_memory(1.0),
        runtime=10,
    params:
        opts=lambda wc: {"sources": [PLAN.products[wc.product].source]},
        code=CODE["provenance"],
    script:
        "../scripts/provenance.py"


# no inputs and no outputs: with inputs Snakemake would repair the evidence first
rule audit:
    log:
        f"{OUT}/audit.log",
    conda:
        "../envs/drizzleflow.yaml"
    threads: 2
    resources:
        mem_mb=300,
        runtime=60,
    params:
        outdir=OUT,
        temporary=["*/mosaic/*"]
        + ([] if CONFIG["save_intermediate_results"] else ["*/single/*", "*_median.fits"]),
        # for the dry run, which has to see the same workflow
        snakefile=f"{ROOT}/Snakefile",
        config=lambda wc: config,
        code=list(CODE.values()),
    script:
        "../scripts/audit.py"
