# The configuration, the plan, and the look-ups that the rules share. No numerics.
import contextlib
import os
import re

from snakemake.exceptions import WorkflowError

from drizzleflow.errors import InputError
from drizzleflow.jobs import checkout
from drizzleflow.plan import config as configuration, folder, layout, products as planning, roads
from drizzleflow.plan.codehash import code_hash
from drizzleflow.plan.roads import STEPS, imaging

ROOT = str(workflow.basedir)

try:
    CONFIG = configuration.resolve(
        configuration.load(f"{ROOT}/config/config.yaml"), config, f"{ROOT}/config/presets"
    )
    OUT = CONFIG["outdir"]
    if os.path.exists(OUT) and not os.path.isdir(OUT):
        raise InputError(f"configuration: outdir is {OUT}, which is a file; expected a folder")
    PLAN = planning.build(CONFIG, f"{OUT}/.plan.json", main_process=workflow.is_main_process)
except InputError as error:
    raise WorkflowError(str(error))

GOOD = PLAN.good


def no_associations(wildcards):
    raise WorkflowError(
        "configuration: associations is empty, expected a folder of exposures, a pattern, a table (JSON, _asn.fits or CSV) or a list of these"
    )


WRONG = {name: product.error for name, product in PLAN.products.items() if name not in GOOD}


def wrong_associations(wildcards):
    """A wrong association is one failing job: the others finish under --keep-going, and a plain run stops at once.

    A dry run starts no job, and fails here.
    """
    if workflow.dryrun and WRONG:
        raise WorkflowError("\n".join(WRONG.values()))
    return [f"{OUT}/{name}/members.csv" for name in WRONG]


# no products: told when files are asked for, so that --lint and --list-rules work without
FAILING = wrong_associations if PLAN.products else no_associations


wildcard_constraints:
    **roads.wildcards(),


CODE = {step: code_hash(f"{ROOT}/scripts/{step}.py", f"{ROOT}/scripts", PLAN.cache.code) for step in STEPS}
if workflow.is_main_process:
    PLAN.cache.git = checkout.describe(ROOT)
checkout.announce(PLAN.cache.git, workflow.configfiles)


# files, as the roads declare them: patterns for rules, paths for the products of the plan


def at(step, output, ending="{ending}"):
    """The pattern of a step's output."""
    return f"{OUT}/{{product}}/{STEPS[step].files[output].pattern}".replace("{ending}", ending)


def outputs(step, ending="{ending}", fill=str):
    """All outputs of a step's rule, its record the last; `fill` makes paths of their patterns."""
    kept = CONFIG["save_intermediate_results"]
    gone = {layout.TEMPORARY} if kept else {layout.TEMPORARY, layout.INTERMEDIATE}
    found = {
        name: temp(fill(at(step, name, ending))) if file.kept in gone else fill(at(step, name, ending))
        for name, file in STEPS[step].files.items()
        if kept or file.kept != layout.EXTRA
    }
    return found | {"record": fill(f"{OUT}/{{product}}/{STEPS[step].record}")}


def log_of(step):
    return f"{OUT}/{{product}}/{STEPS[step].account(layout.LOG, 'log')}"


def benchmark_of(step):
    return f"{OUT}/{{product}}/{STEPS[step].account(layout.BENCHMARK, 'tsv')}"


def below(product, find, *what):
    """The paths that a function of the product's road finds."""
    road = roads.ROADS[GOOD[product].road]
    try:
        return [f"{OUT}/{product}/{path}" for path in find(road, GOOD[product], *what)]
    except InputError as error:
        raise WorkflowError(str(error))


def files(product, step, output):
    """The files that a step makes for a product; none where the product has no such step."""
    return below(product, layout.Road.paths, step, output)


def every(step, output):
    """These files of all products."""
    return [path for product in GOOD for path in files(product, step, output)]


def targets(product):
    return below(product, layout.Road.targets)


def records(product):
    """The records of all jobs behind a product, in the order of the DAG."""
    return below(product, layout.Road.records)


def only(products):
    """A constraint of {product}: some products."""
    if products and len(products) == len(GOOD):
        return layout.ANY_NAME
    return "|".join(map(re.escape, products)) or "(?!)"


def products_of(road):
    """A constraint of {product}: the products of a road."""
    return only([name for name in GOOD if GOOD[name].road == road])


# settings and members


def setting(product, section, key):
    return GOOD[product].options[section][key]


def of_product(step, output):
    """A function of inputs: the file that a step makes once for a product."""
    return lambda wildcards: at(step, output).format(product=wildcards.product)


def grid_for(alone):
    """A function of inputs: the grid, or where settings give it a file that no further exposure touches.

    `alone`: whether a job needs nothing else of the grid, as a function of the product.
    """
    given, whole = of_product("given_grid", "grid"), of_product("grid", "grid")
    return lambda wildcards: (given if alone(GOOD[wildcards.product]) else whole)(wildcards)


def from_grid(output):
    """A table of all frames, for the jobs that measure the sky; none where each frame is measured alone."""
    table = of_product("grid", output)
    return lambda wildcards: [] if imaging.sky_alone(GOOD[wildcards.product]) else table(wildcards)


sky_table = of_product("skymatch", "sky")  # the sky levels of all frames


def own_outlines(wildcards):
    """A batch's own outlines, where they are read in place of the table of all."""
    if not imaging.sky_alone(GOOD[wildcards.product]):
        return []
    return at("footprint", "outlines").format(product=wildcards.product, batch=wildcards.batch)


def shared_sky(wildcards):
    """The sky levels of all frames, where a group's does not follow from its own frames alone."""
    return [] if imaging.own_sky(GOOD[wildcards.product]) else sky_table(wildcards)


def own_sky(wildcards):
    """What was measured in a group's own frames, where its level follows from it."""
    if imaging.own_sky(GOOD[wildcards.product]) != "local":
        return []
    return of_batches(wildcards.product, "sky_overlaps", "table", stack_members(wildcards))


def given_wcs(wildcards):
    """The file that gives the grid, if one does."""
    return setting(wildcards.product, "grid", "output_wcs") or []


def members(product, names=None):
    """All members, or some by name."""
    found = PLAN.products[product]
    return found.members if names is None else [found.member(name) for name in names]


def table_of(product):
    """The table that lists a product's members; none where a folder or a pattern does."""
    source = PLAN.products[product].source
    return [] if folder.is_listing(source) else [source]


def first_member(product):
    """The member by whose pixels the grid's are measured."""
    return members(product)[0]


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


def stacked_frames(wildcards):
    """A group's members, each with the numbers of its frames."""
    product = GOOD[wildcards.product]
    return [(product.member(name).asdict(), extvers) for name, extvers in product.stack[wildcards.group]]


def sky_masks(wildcards):
    """The masks for the sky of a batch's members: member -> one for each frame."""
    product = GOOD[wildcards.product]
    names = product.batches[wildcards.batch]
    return {name: product.sky_masks[name] for name in names if name in product.sky_masks}


def lattices(product, names=None):
    """The lattice files of some members (of all by default)."""
    names = [m.member for m in members(product)] if names is None else names
    return of_batches(product, "footprint", "lattices", names)


def of_batches(product, step, output, names):
    """The files that have some members, of a step that makes one for each batch: each once, in order."""
    batches = dict.fromkeys(GOOD[product].batch_of[name] for name in names)
    return [at(step, output).format(product=product, batch=batch) for batch in batches]


def stack_members(wildcards):
    return [name for name, _ in GOOD[wildcards.product].stack[wildcards.group]]


def stack_groups(wildcards):
    """The groups whose noise is kept with the median; none where none is left out of it again."""
    product = GOOD[wildcards.product]
    return list(product.stack) if product.against_others else []


def static_mask_of(wildcards):
    """The product's static mask, where it is asked for."""
    return files(wildcards.product, "static_mask", "static")


def mosaic_bands(product):
    return files(product, "mosaic_band", "band")


def median_bands(product):
    return files(product, "median_band", "band")


def groups_of(wildcards):
    """(extver, group) of a member's frames, where these groups are left out of what the frames meet."""
    return imaging.own_groups(GOOD[wildcards.product], wildcards.member)


def singles_of(product, frames):
    """The single drizzles of some frames' groups, each once."""
    groups = dict.fromkeys(group for _, group in frames)
    return [at("single_drizzle", "single").format(product=product, group=group) for group in groups]


def found_by_checks():
    """A line for each product whose checks found something."""
    from drizzleflow.report import checks

    for name in GOOD:
        with contextlib.suppress(OSError, ValueError, LookupError):
            found = checks.sentences_in(f"{OUT}/{name}/checks.json")
            if found:
                yield f"{name}: {len(found)} thing(s) to look at, see {OUT}/{name}/report.html; the first: {found[0]}"
