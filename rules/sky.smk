# Sky levels: each member's statistics where it meets others, then one solution for all.


rule static_mask:
    input:
        files=lambda wc: member_files(wc.product),
    output:
        **outputs("static_mask"),
    log:
        log_of("static_mask"),
    benchmark:
        benchmark_of("static_mask")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.frames("static_mask", "static_mask")),
        runtime=by_input,
    params:
        **reads("static_mask"),
        **told("members", member_facts, "members"),
    script:
        "../scripts/static_mask.py"


rule sky_overlaps:
    input:
        files=batch_files,
        masks=lambda wc: [mask[0] for masks in sky_masks(wc).values() for mask in masks if mask],
        footprints=from_grid("footprints"),
        overlaps=from_grid("overlaps"),
        outlines=own_outlines,
        grid=grid_for(imaging.sky_alone),
        lattices=at("footprint", "lattices"),
        static=static_mask_of,
    output:
        **outputs("sky_overlaps"),
    log:
        log_of("sky_overlaps"),
    benchmark:
        benchmark_of("sky_overlaps")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.frames("sky_overlaps", "skymatch")),
        runtime=by_input,
    params:
        **reads("sky_overlaps"),
        **apart("members", batch_members, LARGEST_BATCH),
        masks=fact("masks", sky_masks),
    script:
        "../scripts/sky_overlaps.py"


rule skymatch_product:
    input:
        tables=lambda wc: files(wc.product, "sky_overlaps", "table"),
        cells=lambda wc: files(wc.product, "sky_overlaps", "cells"),
        skylist=lambda wc: setting(wc.product, "skymatch", "skylist") or [],
        footprints=at("grid", "footprints"),
        overlaps=at("grid", "overlaps"),
    output:
        **outputs("skymatch"),
    log:
        log_of("skymatch"),
    benchmark:
        benchmark_of("skymatch")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.skymatch),
        runtime=by_pixels,
    params:
        **reads("skymatch"),
    script:
        "../scripts/skymatch.py"
