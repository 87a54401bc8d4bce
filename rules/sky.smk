# Sky levels: each member's statistics where it meets others, then one solution for all.


rule static_mask:
    input:
        files=lambda wc: member_files(wc.product),
    output:
        static=at("static_mask.fits"),
        record=at("record/static_mask.json"),
    log:
        at("log/static_mask.log"),
    benchmark:
        at("benchmark/static_mask.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=frame_memory("static_mask", "static_mask"),
        runtime=lambda wc, input: minutes(input.size_mb * 1e5),
    params:
        opts=lambda wc: {
            **options(wc.product, "static_mask", "simple"),
            "members": [m.asdict() for m in members(wc.product)],
        },
        code=CODE["static_mask"],
    script:
        "../scripts/static_mask.py"


rule sky_overlaps:
    input:
        files=batch_files,
        footprints=at("footprints.csv"),
        overlaps=at("overlaps.json"),
        grid=at("grid.json"),
        lattices=at("footprint/{batch}.npz"),
        static=static_mask_of,
    output:
        table=at("sky/{batch}.csv"),
        cells=at("sky/{batch}.npz"),
        record=at("record/sky_overlaps/{batch}.json"),
    log:
        at("log/sky_overlaps/{batch}.log"),
    benchmark:
        at("benchmark/sky_overlaps/{batch}.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=frame_memory("sky_overlaps", "skymatch"),
        runtime=lambda wc, input: minutes(input.size_mb * 1e5),
    params:
        opts=lambda wc: {**options(wc.product, "skymatch", "grid", "simple"), "members": batch_members(wc)},
        code=CODE["sky_overlaps"],
    script:
        "../scripts/sky_overlaps.py"


rule skymatch_product:
    input:
        tables=lambda wc: sky_tables(wc, "csv"),
        cells=lambda wc: sky_tables(wc, "npz"),
        skylist=lambda wc: options(wc.product, "skymatch")["skymatch"]["skylist"] or [],
        footprints=at("footprints.csv"),
        overlaps=at("overlaps.json"),
    output:
        sky=at("sky.csv"),
        record=at("record/skymatch.json"),
    log:
        at("log/skymatch.log"),
    benchmark:
        at("benchmark/skymatch.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=skymatch_memory,
        runtime=lambda wc: minutes(total_pixels(wc.product)),
    params:
        opts=lambda wc: options(wc.product, "skymatch"),
        code=CODE["skymatch"],
    script:
        "../scripts/skymatch.py"
