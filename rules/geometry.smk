# The footprint of each frame, and the grid of the mosaic.


rule footprint:
    input:
        files=batch_files,
    output:
        **outputs("footprint"),
    log:
        log_of("footprint"),
    benchmark:
        benchmark_of("footprint")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(140),
        runtime=by_input,
    params:
        opts=lambda wc: {
            **options(wc.product, "grid", "single_drizzle", "mosaic", "skymatch", "simple", "inputs"),
            "members": batch_members(wc),
        },
        code=CODE["footprint"],
    script:
        "../scripts/footprint.py"


rule grid:
    input:
        outlines=lambda wc: files(wc.product, "footprint", "outlines"),
        wcs=lambda wc: options(wc.product, "grid")["grid"]["output_wcs"] or [],
    output:
        **outputs("grid"),
    log:
        log_of("grid"),
    benchmark:
        benchmark_of("grid")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.grid),
        runtime=10,
    params:
        opts=lambda wc: options(wc.product, "grid", "skymatch"),
        code=CODE["grid"],
    script:
        "../scripts/grid.py"


# the grid as a gwcs in ASDF, which jwst and romancal take as their output_wcs; nothing here waits for it
rule grid_wcs:
    input:
        grid=at("grid", "grid"),
    output:
        **outputs("grid_wcs"),
    log:
        log_of("grid_wcs"),
    benchmark:
        benchmark_of("grid_wcs")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(125),
        runtime=10,
    params:
        opts={},
        code=CODE["grid_wcs"],
    script:
        "../scripts/grid_wcs.py"
