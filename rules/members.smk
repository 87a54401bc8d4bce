# The members of a product: the first job of every road.


rule members:
    input:
        lambda wc: table_of(wc.product) if wc.product in GOOD else [],
    output:
        **outputs("members"),
    log:
        log_of("members"),
    benchmark:
        benchmark_of("members")
    # first of all: what is wrong with an association is told before anything is made of the others
    priority: 1
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(80),
        runtime=10,
    params:
        **reads("members"),
        **told("members", member_facts, "members"),
        error=fact("error", lambda wc: PLAN.products[wc.product].error),
        others=fact("others", lambda wc: [m.asdict() for m in PLAN.products[wc.product].others]),
    script:
        "../scripts/members.py"
