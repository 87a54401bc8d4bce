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
include: "rules/resources.smk"
include: "rules/resume.smk"
include: "rules/geometry.smk"
include: "rules/sky.smk"
include: "rules/imaging.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        FAILING,
        [
            product_files(p, "members.csv", "{p}_i2d.fits", "grid.asdf", "report.html", "provenance.json")
            for p in GOOD
        ],
        [masks(p) + cleaned(p) for p in GOOD],
        # of the jobs whose record no other job reads: without it they have not ended
        [
            product_files(p, *(f"record/{step}.json" for step in ("grid_wcs", "report", "provenance")))
            for p in GOOD
        ],


rule skymatch:
    input:
        FAILING,
        [product_files(p, "sky.csv") for p in GOOD],


rule single_drizzle:
    input:
        FAILING,
        [singles(p) for p in GOOD],


rule median:
    input:
        FAILING,
        [median_of(p) for p in GOOD],


rule blot:
    input:
        FAILING,
        lambda wildcards: [file for p in GOOD for file in blots(p)],


rule crmask:
    input:
        FAILING,
        [masks(p) for p in GOOD],


rule mosaic:
    input:
        FAILING,
        [product_files(p, "{p}_i2d.fits") for p in GOOD],


rule report:
    input:
        FAILING,
        [product_files(p, "report.html") for p in GOOD],


onstart:
    hold_output_folder()
