# The imaging road: single drizzles, their median and mean, the outliers against the others, the mosaic.

for jobs in jobs_of("single_drizzle", "single_drizzle_group"):

    rule:
        name:
            jobs.name
        input:
            **jobs.each(
                files=lambda wc: member_files(wc.product, stack_members(wc)),
                lattices=lambda wc: lattices(wc.product, stack_members(wc)),
                own_sky=own_sky,
            ),
            **jobs.all(
                grid=grid_for(imaging.gives_grid),
                sky=shared_sky,
                static=static_mask_of,
            ),
        output:
            **jobs.outputs(),
        log:
            jobs.account(layout.LOG, "log"),
        benchmark:
            jobs.account(layout.BENCHMARK, "tsv")
        wildcard_constraints:
            **jobs.constraints,
        priority: jobs.priority
        conda:
            "../envs/drizzleflow.yaml"
        resources:
            mem_mb=jobs.memory(figures.single),
            runtime=by_input,
        params:
            **jobs.params(),
            **jobs.each(
                **apart("frames", stacked_frames, LARGEST_GROUP),
                subtract=fact(
                    "subtract", lambda wc: GOOD[wc.product].resampled or GOOD[wc.product].against_others
                ),
                own_sky=fact("own_sky", lambda wc: imaging.own_sky(GOOD[wc.product])),
            ),
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
        **reads("median_band"),
        **told("groups", stack_groups, "groups"),
        bands=fact("bands", lambda wc: GOOD[wc.product].median_bands),
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
        **reads("median"),
        **told("groups", stack_groups, "groups"),
    script:
        "../scripts/median.py"


# for formats whose flagged copies are FITS files, and for those whose are ASDF files
for jobs in [
    *jobs_of("crmask", "crmask_member", "fits"),
    *jobs_of("crmask", "crmask_asdf_member", "asdf"),
]:

    rule:
        name:
            jobs.name
        input:
            **jobs.each(
                files=lambda wc: member_files(wc.product, [wc.member]),
                lattices=lambda wc: lattices(wc.product, [wc.member]),
                singles=lambda wc: singles_of(wc.product, groups_of(wc)),
            ),
            **jobs.all(
                grid=of_product("grid", "grid"),
                sky=sky_table,
                median=lambda wc: files(wc.product, "median", "median"),
            ),
        output:
            **jobs.outputs(),
        log:
            jobs.account(layout.LOG, "log"),
        benchmark:
            jobs.account(layout.BENCHMARK, "tsv")
        wildcard_constraints:
            **jobs.constraints,
        priority: jobs.priority
        conda:
            "../envs/drizzleflow.yaml"
        resources:
            mem_mb=jobs.memory(figures.crmask),
            runtime=by_input,
        params:
            **jobs.params(),
            **jobs.each(
                member=fact("member", lambda wc: GOOD[wc.product].member(wc.member).asdict()),
                groups=fact("groups", groups_of),
                off=fact("off", lambda wc: imaging.switched_off(GOOD[wc.product])),
            ),
        script:
            "../scripts/crmask.py"


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
        **reads("crclean"),
        member=fact("member", lambda wc: GOOD[wc.product].member(wc.member).asdict()),
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
        **reads("mosaic_band"),
        bands=fact("bands", lambda wc: GOOD[wc.product].bands),
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
        **reads("mosaic"),
    script:
        "../scripts/mosaic.py"
