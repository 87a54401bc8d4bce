# The configuration, the plan, and the look-ups that the rules share. No numerics.
import os
import re

from snakemake.exceptions import WorkflowError

from drizzleflow.errors import InputError
from drizzleflow.formats import ending
from drizzleflow.jobs import checkout
from drizzleflow.plan import config as configuration, products as planning
from drizzleflow.plan.codehash import code_hash

ROOT = str(workflow.basedir)

try:
    CONFIG = configuration.resolve(
        configuration.load(f"{ROOT}/config/config.yaml"), config, f"{ROOT}/config/presets"
    )
    OUT = CONFIG["outdir"]
    PLAN = planning.build(CONFIG, f"{OUT}/.plan.json", main_process=workflow.is_main_process)
except InputError as error:
    raise WorkflowError(str(error))

GOOD = PLAN.good
# a wrong association is one failing job, so that the others finish under --keep-going and a plain run stops at once
FAILING = [f"{OUT}/{name}/members.csv" for name in PLAN.products if name not in GOOD]


def no_associations(wildcards):
    raise WorkflowError(
        "configuration: associations is empty, expected the path of an association (JSON, _asn.fits or CSV) or a list"
    )


if not PLAN.products:
    FAILING = no_associations  # told when files are asked for: --lint and --list-rules work without


ANY_NAME = r"[A-Za-z0-9._+-]+"


wildcard_constraints:
    product=ANY_NAME,
    member=ANY_NAME,
    group=ANY_NAME,
    band=r"[0-9]{4}",
    batch=ANY_NAME,


CODE = {
    step: code_hash(f"{ROOT}/scripts/{step}.py", f"{ROOT}/scripts", PLAN.cache.code)
    for step in (
        "members",
        "footprint",
        "grid",
        "grid_wcs",
        "sky_overlaps",
        "static_mask",
        "skymatch",
        "single_drizzle",
        "median",
        "crmask",
        "crclean",
        "mosaic",
        "mosaic_band",
        "report",
        "provenance",
    )
}
if workflow.is_main_process:
    PLAN.cache.git = checkout.describe(ROOT)
checkout.announce(PLAN.cache.git, workflow.configfiles)


def at(name):
    """A path below a product's folder."""
    return f"{OUT}/{{product}}/{name}"


def product_files(product, *names):
    return [f"{OUT}/{product}/{name.format(p=product)}" for name in names]


def options(product, *sections):
    """The settings of some sections, as one plain dict (Snakemake compares bare values as an unordered set)."""
    settings = PLAN.products[product].options
    return {section: settings[section] for section in sections}


def members(product, names=None):
    """All members, or some by name."""
    found = PLAN.products[product]
    return found.members if names is None else [found.member(name) for name in names]


# batches: members that share a job where a job is short
BATCH_OF = {(p, m): b for p in GOOD for b, names in GOOD[p].batches.items() for m in names}


def beside(product, names=None):
    """The files of DQ and inverse variance that an association may name beside members."""
    return [path for member in members(product, names) for path in (member.dq, member.ivar) if path]


def member_files(product, names=None):
    """What members are read from."""
    return [member.path for member in members(product, names)] + beside(product, names)


def batch_files(wildcards):
    return member_files(wildcards.product, GOOD[wildcards.product].batches[wildcards.batch])


def batch_members(wildcards):
    product = GOOD[wildcards.product]
    return [product.member(name).asdict() for name in product.batches[wildcards.batch]]


def lattices(product, names=None):
    """The lattice files of some members (of all by default), each once, in order."""
    names = [m.member for m in members(product)] if names is None else names
    batches = dict.fromkeys(BATCH_OF[product, name] for name in names)
    return [f"{OUT}/{product}/footprint/{batch}.npz" for batch in batches]


# stacks: what the median is taken over, groups when resampling and single frames otherwise
def stack(product):
    """name -> [(member, [extver, ...])]"""
    found = GOOD[product]
    if found.options["single_drizzle"]["resample_data"]:
        return found.groups
    return {
        (m.member if m.nframes == 1 else f"{m.member}-{'i' if m.cube else 'v'}{v:04d}"): [(m.member, [v])]
        for m in found.members
        for v in range(1, m.nframes + 1)
    }


STACK = {product: stack(product) for product in GOOD}


def switched_off(product):
    """The setting by which nothing is compared; None without one."""
    if "blot" not in CONFIG["outlier_method"]:
        return "outlier_method is none"
    return None if GOOD[product].options["median"]["median"] else "median is false"


def flags_outliers(product):
    """Whether there is anything to compare: a single exposure cannot show its own outliers."""
    return switched_off(product) is None and len(STACK[product]) > 1


def singles(product):
    if not flags_outliers(product):
        return []
    return [f"{OUT}/{product}/single/{name}_outlier_i2d.fits" for name in STACK[product]]


def median_of(product):
    return product_files(product, "{p}_median.fits") if flags_outliers(product) else []


def masks(product):
    return [f"{OUT}/{product}/crmask/{m.member}_crmask.fits" for m in members(product)]


def blots(product):
    if not (flags_outliers(product) and GOOD[product].options["single_drizzle"]["resample_data"]):
        return []
    if not CONFIG["save_intermediate_results"]:
        raise WorkflowError(
            "save_intermediate_results is false; set it to true to keep the blotted images (target blot, crmask.corr)"
        )
    return [f"{OUT}/{product}/blot/{m.member}_blot.fits" for m in members(product)]


def cleaned(product):
    """The cleaned copies, where they are asked for and there is something to clean with."""
    wanted = GOOD[product].options["crmask"]["corr"] and blots(product)
    return [f"{OUT}/{product}/crclean/{m.member}_crclean.fits" for m in members(product)] if wanted else []


def crfs(product):
    return [f"{OUT}/{product}/crf/{m.member}_crf.{ending(m.format)}" for m in members(product)]


def products_with(wanted):
    """A constraint of {product}: those whose flagged copies end so (a product has one format)."""
    fitting = [p for p in GOOD if ending(members(p)[0].format) == wanted]
    if fitting and len(fitting) == len(GOOD):
        return ANY_NAME
    return "|".join(map(re.escape, fitting)) or "(?!)"


def measures_sky(product):
    settings = GOOD[product].options["skymatch"]
    return not settings["skip"] and settings["skymethod"] != "user"


def sky_tables(wildcards, ending):
    if not measures_sky(wildcards.product):
        return []
    return [f"{OUT}/{wildcards.product}/sky/{batch}.{ending}" for batch in GOOD[wildcards.product].batches]


def masks_low_pixels(product):
    return GOOD[product].options["static_mask"]["static"]


def static_mask_of(wildcards):
    """The product's static mask, where it is asked for."""
    return product_files(wildcards.product, "static_mask.fits") if masks_low_pixels(wildcards.product) else []


def stack_members(wildcards):
    return [name for name, _ in STACK[wildcards.product][wildcards.group]]


def records(product):
    """The records of all jobs behind a product, in the order of the DAG."""
    here = f"{OUT}/{product}/record"
    found = [f"{here}/members.json"]
    found += [f"{here}/footprint/{batch}.json" for batch in GOOD[product].batches]
    found += [f"{here}/grid.json", f"{here}/grid_wcs.json"]
    if measures_sky(product):
        found += [f"{here}/sky_overlaps/{batch}.json" for batch in GOOD[product].batches]
    found += [f"{here}/skymatch.json"]
    if masks_low_pixels(product):
        found += [f"{here}/static_mask.json"]
    if flags_outliers(product):
        found += [f"{here}/single_drizzle/{name}.json" for name in STACK[product]] + [f"{here}/median.json"]
    found += [f"{here}/crmask/{m.member}.json" for m in members(product)]
    if cleaned(product):
        found += [f"{here}/crclean/{m.member}.json" for m in members(product)]
    found += [f"{here}/mosaic_band/{k:04d}.json" for k in range(len(mosaic_bands(product)))]
    return found + [f"{here}/mosaic.json"]


def bands(product):
    """How many bands of rows the mosaic is made in; `auto` is set by the amount of data, never by the machine."""
    wanted = GOOD[product].options["mosaic"]["bands"]
    if wanted != "auto":
        return int(wanted)
    pixels = total_pixels(product)
    return 1 if pixels < 8e6 else min(16, max(2, round(pixels / 60e6)))


def mosaic_bands(product):
    count = bands(product)
    return [f"{OUT}/{product}/mosaic/{k:04d}.npz" for k in range(count)] if count > 1 else []


def intermediate(path):
    return path if CONFIG["save_intermediate_results"] else temp(path)


def flagged(ending):
    """What the comparison with the median makes of a member whose flagged copy has this ending."""
    kept = {"blot": at("blot/{member}_blot.fits")} if CONFIG["save_intermediate_results"] else {}
    return kept | {
        "mask": at("crmask/{member}_crmask.fits"),
        "crf": at(f"crf/{{member}}_crf.{ending}"),
        "record": at("record/crmask/{member}.json"),
    }


def frame_pixels(product, names=None):
    """Pixels of the largest frame among some members, by default all."""
    found = members(product) if names is None else [GOOD[product].member(name) for name in names]
    return max(m.nx * m.ny for m in found)


def total_pixels(product):
    return sum(m.nx * m.ny * m.nframes for m in members(product))
