# The report, the provenance record and the audit. They read the jobs' records, never intermediate images.


rule report_product:
    input:
        records=lambda wc: records(wc.product),
        members=at("members", "table"),
        sky=lambda wc: next(iter(files(wc.product, "skymatch", "sky")), []),
    output:
        **outputs("report"),
    log:
        log_of("report"),
    benchmark:
        benchmark_of("report")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.records(0.0205, libraries=76)),
        runtime=10,
    params:
        **reads("report"),
        doubts=fact("doubts", lambda wc: [list(doubt) for doubt in GOOD[wc.product].doubts]),
        notes=fact("notes", lambda wc: GOOD[wc.product].notes),
        left_out=fact("left_out", lambda wc: GOOD[wc.product].left_out),
    script:
        "../scripts/report.py"


rule verdict:
    input:
        checks=at("report", "checks"),
        # at the very end: a job that fails stops what has not begun
        all=every("provenance", "provenance"),
    output:
        **outputs("verdict"),
    log:
        log_of("verdict"),
    benchmark:
        benchmark_of("verdict")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(50),
        runtime=10,
    params:
        **reads("verdict"),
    script:
        "../scripts/verdict.py"


rule provenance:
    input:
        records=lambda wc: records(wc.product),
        report=f"{OUT}/{{product}}/{STEPS['report'].record}",
    output:
        **outputs("provenance"),
    log:
        log_of("provenance"),
    benchmark:
        benchmark_of("provenance")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.records(0.025, libraries=22)),
        runtime=10,
    params:
        **reads("provenance"),
        sources=fact("sources", lambda wc: table_of(wc.product)),
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
        mem_mb=lambda wc, attempt: figures.asked(
            figures.audit(sum(len(p.members) for p in GOOD.values())), attempt
        ),
        runtime=60,
    params:
        outdir=OUT,
        temporary=[f"*/{path}" for path in roads.temporary(not CONFIG["save_intermediate_results"])],
        # for the dry run, which has to see the same workflow
        snakefile=f"{ROOT}/Snakefile",
        config=lambda wc: config,
        code=list(CODE.values()),
    script:
        "../scripts/audit.py"
