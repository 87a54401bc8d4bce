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
        opts=lambda wc: {
            "error": PLAN.products[wc.product].error,
            "members": [m.asdict() for m in members(wc.product)],
            "left_out": PLAN.products[wc.product].left_out,
            "others": PLAN.products[wc.product].others,
        },
        code=CODE["members"],
    script:
        "../scripts/members.py"
