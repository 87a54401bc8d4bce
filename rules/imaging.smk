# The imaging road: single drizzles, their median, the outliers against it, the mosaic.


rule single_drizzle_group:
    input:
        files=lambda wc: member_files(wc.product, stack_members(wc)),
        lattices=lambda wc: lattices(wc.product, stack_members(wc)),
        grid=at("grid.json"),
        sky=at("sky.csv"),
        static=static_mask_of,
    output:
        single=intermediate(at("single/{group}_outlier_i2d.fits")),
        record=at("record/single_drizzle/{group}.json"),
    log:
        at("log/single_drizzle/{group}.log"),
    benchmark:
        at("benchmark/single_drizzle/{group}.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=single_memory,
        runtime=lambda wc, input: minutes(input.size_mb * 1e5),
    params:
        opts=lambda wc: {
            **options(wc.product, "single_drizzle", "grid", "simple"),
            "frames": [
                (GOOD[wc.product].member(name).asdict(), v) for name, v in STACK[wc.product][wc.group]
            ],
        },
        code=CODE["single_drizzle"],
    script:
        "../scripts/single_drizzle.py"


rule median_product:
    input:
        singles=lambda wc: singles(wc.product),
        grid=at("grid.json"),
    output:
        median=intermediate(at("{product}_median.fits")),
        record=at("record/median.json"),
    log:
        at("log/median.log"),
    benchmark:
        at("benchmark/median.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=median_memory,
        runtime=lambda wc: minutes(total_pixels(wc.product)),
    params:
        opts=lambda wc: options(wc.product, "median", "single_drizzle", "skymatch"),
        code=CODE["median"],
    script:
        "../scripts/median.py"


rule crmask_member:
    input:
        files=lambda wc: member_files(wc.product, [wc.member]),
        lattices=lambda wc: lattices(wc.product, [wc.member]),
        grid=at("grid.json"),
        sky=at("sky.csv"),
        median=lambda wc: median_of(wc.product),
    output:
        **flagged("fits"),
    log:
        at("log/crmask/{member}.log"),
    benchmark:
        at("benchmark/crmask/{member}.tsv")
    wildcard_constraints:
        product=products_with("fits"),
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=crmask_memory,
        runtime=lambda wc, input: minutes(input.size_mb * 1e5),
    params:
        opts=lambda wc: {
            **options(wc.product, "crmask", "single_drizzle", "grid", "skymatch", "simple"),
            "member": GOOD[wc.product].member(wc.member).asdict(),
            "groups": len(STACK[wc.product]),
            "off": switched_off(wc.product),
        },
        code=CODE["crmask"],
    script:
        "../scripts/crmask.py"


# the same for formats whose flagged copies are ASDF files; the two rules have no product in common
use rule crmask_member as crmask_asdf_member with:
    output:
        **flagged("asdf"),
    wildcard_constraints:
        product=products_with("asdf"),


rule crclean_member:
    input:
        files=lambda wc: member_files(wc.product, [wc.member]),
        mask=at("crmask/{member}_crmask.fits"),
        blot=at("blot/{member}_blot.fits"),
        sky=at("sky.csv"),
    output:
        crclean=at("crclean/{member}_crclean.fits"),
        record=at("record/crclean/{member}.json"),
    log:
        at("log/crclean/{member}.log"),
    benchmark:
        at("benchmark/crclean/{member}.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=frame_memory("crclean", "crmask"),
        runtime=lambda wc, input: minutes(input.size_mb * 1e5),
    params:
        opts=lambda wc: {
            **options(wc.product, "crmask", "single_drizzle", "simple"),
            "member": GOOD[wc.product].member(wc.member).asdict(),
        },
        code=CODE["crclean"],
    script:
        "../scripts/crclean.py"


rule mosaic_band:
    input:
        crfs=lambda wc: crfs(wc.product),
        beside=lambda wc: beside(wc.product),
        lattices=lambda wc: lattices(wc.product),
        members=at("members.csv"),
        grid=at("grid.json"),
        sky=at("sky.csv"),
        static=static_mask_of,
    output:
        band=temp(at("mosaic/{band}.npz")),
        record=at("record/mosaic_band/{band}.json"),
    log:
        at("log/mosaic_band/{band}.log"),
    benchmark:
        at("benchmark/mosaic_band/{band}.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=mosaic_memory,
        runtime=lambda wc: minutes(total_pixels(wc.product)),
    params:
        opts=lambda wc: {**options(wc.product, "mosaic", "grid", "simple"), "bands": bands(wc.product)},
        code=CODE["mosaic_band"],
    script:
        "../scripts/mosaic_band.py"


rule mosaic_product:
    input:
        bands=lambda wc: mosaic_bands(wc.product),
        crfs=lambda wc: crfs(wc.product),
        beside=lambda wc: [] if mosaic_bands(wc.product) else beside(wc.product),
        lattices=lambda wc: [] if mosaic_bands(wc.product) else lattices(wc.product),
        members=at("members.csv"),
        grid=at("grid.json"),
        sky=at("sky.csv"),
        static=lambda wc: [] if mosaic_bands(wc.product) else static_mask_of(wc),
    output:
        mosaic=at("{product}_i2d.fits"),
        record=at("record/mosaic.json"),
    log:
        at("log/mosaic.log"),
    benchmark:
        at("benchmark/mosaic.tsv")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=mosaic_memory,
        runtime=lambda wc: minutes(total_pixels(wc.product)),
    params:
        opts=lambda wc: options(wc.product, "mosaic", "grid", "simple"),
        code=CODE["mosaic"],
    script:
        "../scripts/mosaic.py"
