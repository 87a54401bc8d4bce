# The imaging road: single drizzles, their median and mean, the outliers against the others, the mosaic.
from drizzleflow.plan.roads import imaging


rule single_drizzle_group:
    input:
        files=lambda wc: member_files(wc.product, stack_members(wc)),
        lattices=lambda wc: lattices(wc.product, stack_members(wc)),
        grid=at("grid", "grid"),
        sky=at("skymatch", "sky"),
        static=static_mask_of,
    output:
        **outputs("single_drizzle"),
    log:
        log_of("single_drizzle"),
    benchmark:
        benchmark_of("single_drizzle")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.single),
        runtime=by_input,
    params:
        opts=lambda wc: {
            **options(wc.product, "single_drizzle", "grid", "simple"),
            **resetbits(wc.product),
            "subtract": GOOD[wc.product].resampled or GOOD[wc.product].against_others,
            "frames": [
                (GOOD[wc.product].member(name).asdict(), v) for name, v in GOOD[wc.product].stack[wc.group]
            ],
        },
        code=CODE["single_drizzle"],
    script:
        "../scripts/single_drizzle.py"


rule median_band:
    input:
        singles=lambda wc: files(wc.product, "single_drizzle", "single"),
        grid=at("grid", "grid"),
    output:
        **outputs("median_band"),
    log:
        log_of("median_band"),
    benchmark:
        benchmark_of("median_band")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.median),
        runtime=by_pixels,
    params:
        opts=lambda wc: {
            **options(wc.product, "median", "single_drizzle"),
            "groups": list(GOOD[wc.product].stack) if GOOD[wc.product].against_others else [],
            "bands": GOOD[wc.product].median_bands,
        },
        code=CODE["median_band"],
    script:
        "../scripts/median_band.py"


rule median_product:
    input:
        bands=lambda wc: median_bands(wc.product),
        singles=lambda wc: [] if median_bands(wc.product) else files(wc.product, "single_drizzle", "single"),
        grid=at("grid", "grid"),
    output:
        **outputs("median"),
    log:
        log_of("median"),
    benchmark:
        benchmark_of("median")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.median),
        runtime=by_pixels,
    params:
        opts=lambda wc: {
            **options(wc.product, "median", "single_drizzle", "skymatch"),
            "groups": list(GOOD[wc.product].stack) if GOOD[wc.product].against_others else [],
        },
        code=CODE["median"],
    script:
        "../scripts/median.py"


rule crmask_member:
    input:
        files=lambda wc: member_files(wc.product, [wc.member]),
        lattices=lambda wc: lattices(wc.product, [wc.member]),
        grid=at("grid", "grid"),
        sky=at("skymatch", "sky"),
        median=lambda wc: files(wc.product, "median", "median"),
        singles=lambda wc: singles_of(wc.product, groups_of(wc)),
    output:
        **outputs("crmask", "fits"),
    log:
        log_of("crmask"),
    benchmark:
        benchmark_of("crmask")
    wildcard_constraints:
        product=products_of("imaging", "fits"),
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.crmask),
        runtime=by_input,
    params:
        opts=lambda wc: {
            **options(wc.product, "crmask", "single_drizzle", "grid", "skymatch", "simple"),
            **resetbits(wc.product),
            **(options(wc.product, "median") if groups_of(wc) else {}),
            "member": GOOD[wc.product].member(wc.member).asdict(),
            "groups": groups_of(wc),
            "mosaic_bits": options(wc.product, "mosaic")["mosaic"]["good_bits"],
            "off": imaging.switched_off(GOOD[wc.product]),
        },
        code=CODE["crmask"],
    script:
        "../scripts/crmask.py"


# the same for formats whose flagged copies are ASDF files; the two rules have no product in common
use rule crmask_member as crmask_asdf_member with:
    output:
        **outputs("crmask", "asdf"),
    wildcard_constraints:
        product=products_of("imaging", "asdf"),


rule crclean_member:
    input:
        files=lambda wc: member_files(wc.product, [wc.member]),
        mask=at("crmask", "mask"),
        blot=at("crmask", "blot"),
        sky=at("skymatch", "sky"),
    output:
        **outputs("crclean"),
    log:
        log_of("crclean"),
    benchmark:
        benchmark_of("crclean")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.frames("crclean", "crmask")),
        runtime=by_input,
    params:
        opts=lambda wc: {
            **options(wc.product, "crmask", "single_drizzle", "simple"),
            **resetbits(wc.product),
            "member": GOOD[wc.product].member(wc.member).asdict(),
        },
        code=CODE["crclean"],
    script:
        "../scripts/crclean.py"


rule mosaic_band:
    input:
        crfs=lambda wc: files(wc.product, "crmask", "crf"),
        beside=lambda wc: beside(wc.product),
        lattices=lambda wc: lattices(wc.product),
        members=at("members", "table"),
        grid=at("grid", "grid"),
        sky=at("skymatch", "sky"),
        static=static_mask_of,
    output:
        **outputs("mosaic_band"),
    log:
        log_of("mosaic_band"),
    benchmark:
        benchmark_of("mosaic_band")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.mosaic),
        runtime=by_pixels,
    params:
        opts=lambda wc: {**options(wc.product, "mosaic", "grid", "simple"), "bands": GOOD[wc.product].bands},
        code=CODE["mosaic_band"],
    script:
        "../scripts/mosaic_band.py"


rule mosaic_product:
    input:
        bands=lambda wc: mosaic_bands(wc.product),
        crfs=lambda wc: files(wc.product, "crmask", "crf"),
        beside=lambda wc: [] if mosaic_bands(wc.product) else beside(wc.product),
        lattices=lambda wc: [] if mosaic_bands(wc.product) else lattices(wc.product),
        members=at("members", "table"),
        grid=at("grid", "grid"),
        sky=at("skymatch", "sky"),
        static=lambda wc: [] if mosaic_bands(wc.product) else static_mask_of(wc),
    output:
        **outputs("mosaic"),
    log:
        log_of("mosaic"),
    benchmark:
        benchmark_of("mosaic")
    conda:
        "../envs/drizzleflow.yaml"
    resources:
        mem_mb=memory(figures.mosaic),
        runtime=by_pixels,
    params:
        opts=lambda wc: options(wc.product, "mosaic", "grid", "simple"),
        code=CODE["mosaic"],
    script:
        "../scripts/mosaic.py"
