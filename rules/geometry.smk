# Who is in a product, what each frame covers, and the grid of the mosaic.


rule members:
    input:
        lambda wc: [PLAN.products[wc.product].source] if wc.product in GOOD else [],
    output:
        table=at("members.csv"),
        record=at("record/members.json"),
    log:
        at("log/members.log"),
    benchmark:
        at("benchmark/members.tsv")
    # first of all: what is wrong with an association is told before anything is made of the others
    priority: 1
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=constant(30),
        runtime=10,
    params:
        opts=lambda wc: {
            "error": PLAN.products[wc.product].error,
            "members": [m.asdict() for m in members(wc.product)],
            "others": PLAN.products[wc.product].others,
        },
        code=CODE["members"],
    script:
        "../scripts/members.py"


rule footprint:
    input:
        files=batch_files,
    output:
        outlines=at("footprint/{batch}.json"),
        lattices=at("footprint/{batch}.npz"),
        record=at("record/footprint/{batch}.json"),
    log:
        at("log/footprint/{batch}.log"),
    benchmark:
        at("benchmark/footprint/{batch}.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=constant(140),
        runtime=lambda wc, input: minutes(input.size_mb * 1e5),
    params:
        opts=lambda wc: {
            **options(wc.product, "grid", "single_drizzle", "mosaic", "skymatch", "simple"),
            "members": batch_members(wc),
        },
        code=CODE["footprint"],
    script:
        "../scripts/footprint.py"


rule grid:
    input:
        outlines=lambda wc: [f[:-3] + "json" for f in lattices(wc.product)],
        wcs=lambda wc: options(wc.product, "grid")["grid"]["output_wcs"] or [],
    output:
        grid=at("grid.json"),
        footprints=at("footprints.csv"),
        overlaps=at("overlaps.json"),
        record=at("record/grid.json"),
    log:
        at("log/grid.log"),
    benchmark:
        at("benchmark/grid.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=grid_memory,
        runtime=10,
    params:
        opts=lambda wc: options(wc.product, "grid", "skymatch"),
        code=CODE["grid"],
    script:
        "../scripts/grid.py"


# the grid as a gwcs in ASDF, which jwst and romancal take as their output_wcs; nothing here waits for it
rule grid_wcs:
    input:
        grid=at("grid.json"),
    output:
        wcs=at("grid.asdf"),
        record=at("record/grid_wcs.json"),
    log:
        at("log/grid_wcs.log"),
    benchmark:
        at("benchmark/grid_wcs.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=constant(125),
        runtime=10,
    params:
        opts={},
        code=CODE["grid_wcs"],
    script:
        "../scripts/grid_wcs.py"
