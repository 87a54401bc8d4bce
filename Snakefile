# drizzleflow: cosmic rays and other outliers in dithered exposures, and the exposures' mosaic.
#
#   snakemake --cores 4 --configfile my.yaml            everything
#   snakemake median --cores 4 --configfile my.yaml     up to a step: skymatch, single_drizzle, median, blot, crmask, mosaic, report
#   snakemake audit --cores 1 --configfile my.yaml      is every file what the records say?
#
# config/README.md explains the configuration; docs/design.md the steps.
from snakemake.utils import min_version

min_version("9.20")


include: "rules/common.smk"
include: "rules/settings.smk"
include: "rules/resources.smk"
include: "rules/sharing.smk"
include: "rules/cluster.smk"
include: "rules/resume.smk"
include: "rules/members.smk"


for name in roads.rules():

    include: f"rules/{name}.smk"


include: "rules/report.smk"


# short jobs on tables and records, of which a product has one each: here they wait in no queue
localrules:
    members,
    grid,
    given_grid,
    grid_wcs,
    skymatch_product,
    report_product,
    verdict,
    provenance,


rule all:
    default_target: True
    input:
        FAILING,
        [targets(product) for product in GOOD],


rule skymatch:
    input:
        FAILING,
        every("skymatch", "sky"),


rule single_drizzle:
    input:
        FAILING,
        every("single_drizzle", "single"),


rule median:
    input:
        FAILING,
        every("median", "median"),


rule blot:
    input:
        FAILING,
        lambda wildcards: every("crmask", "blot"),


rule crmask:
    input:
        FAILING,
        every("crmask", "mask"),


rule mosaic:
    input:
        FAILING,
        every("mosaic", "mosaic"),


rule report:
    input:
        FAILING,
        every("report", "report"),


onstart:
    hold_output_folder()
    refusal.clear(OUT)
    spare_local_runs_the_rate_limit()
    retry_what_may_help()
    look_at_the_queue()
    submit_arrays()
    for line in PLAN.told:
        logger.warning(line)


onsuccess:
    refusal.clear(OUT)
    for line in found_by_checks():
        logger.warning(line)


onerror:
    refusal.clear(OUT)
