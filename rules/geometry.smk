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
        **reads("footprint"),
        **apart("members", batch_members, LARGEST_BATCH),
    script:
        "../scripts/footprint.py"


rule grid:
    input:
        outlines=lambda wc: files(wc.product, "footprint", "outlines"),
        wcs=given_wcs,
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
        **reads("grid"),
        **told("order", member_names, "members"),
    script:
        "../scripts/grid.py"


# where the settings give the grid: what they say, for the jobs of single exposures, which another exposure leaves alone
rule given_grid:
    input:
        files=lambda wc: member_files(wc.product, [first_member(wc.product).member]),
        wcs=given_wcs,
    output:
        **outputs("given_grid"),
    log:
        log_of("given_grid"),
    benchmark:
        benchmark_of("given_grid")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(140),
        runtime=10,
    params:
        **reads("given_grid"),
        member=fact("member", lambda wc: first_member(wc.product).asdict()),
    script:
        "../scripts/given_grid.py"


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
        **reads("grid_wcs"),
    script:
        "../scripts/grid_wcs.py"
