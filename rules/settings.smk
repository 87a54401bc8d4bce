# The parameters of rules: each setting that a step reads is one, so that a change starts what reads it and nothing else,
# and Snakemake says in a line what has changed. Each is a dictionary with one key: Snakemake compares the values alone.
import hashlib
import json

from drizzleflow.plan import keys


def reads(step, product=None):
    """The parameters for a step's settings and code, of all products or of one."""
    names = [product] if product else [name for name in GOOD if step in roads.ROADS[GOOD[name].road].by_name]
    by_product = {name: keys.chosen(GOOD[name], STEPS[step].reads(GOOD[name])) for name in names}
    listed = dict.fromkeys(key for found in by_product.values() for key in found)
    made = {re.sub(r"\W", "_", key): _parameter(key, by_product) for key in listed}
    return made | {"code": {"code": CODE[step]}}


def _parameter(key, by_product):
    def of_job(wildcards):
        # a batch is of one product, and has no wildcards
        found = by_product[getattr(wildcards, "product", first)]
        return {key: found[key]} if key in found else {}

    first = next(iter(by_product))
    if key in keys.NEUTRAL:
        # a parameter that takes the inputs is not compared
        return lambda wildcards, input: of_job(wildcards)
    values = [{key: found[key]} if key in found else {} for found in by_product.values()]
    return values[0] if all(value == values[0] for value in values) else of_job


def apart(name, find, most):
    """Parameters for a list of `most` things at most, each its own."""
    last = {}

    def number(index):
        def one(wildcards):
            if last.get("job") is not wildcards:  # asked for all of a job's parameters, one after the other
                last.update(job=wildcards, found=find(wildcards))
            found = last["found"]
            return {f"{name}[{index}]": found[index]} if index < len(found) else {}

        return one

    return {f"{name}_{index}": number(index) for index in range(most)}


def fact(name, find):
    """A parameter with what `find` tells of a job."""
    return lambda wildcards: {name: find(wildcards)}


def told(name, find, of):
    """Parameters for what `find` tells of a job, where it is long: a digest is compared in its place.

    `of`: what it is a list of, in the words of Snakemake's message.
    """

    def digest(wildcards):
        found = find(wildcards)
        text = json.dumps(found, sort_keys=True, default=str)
        return {f"via plan: {len(found)} {of}": hashlib.sha256(text.encode()).hexdigest()[:16]}

    # a parameter that takes the inputs is not compared
    return {name: lambda wildcards, input: {name: find(wildcards)}, f"{name}_digest": digest}


def member_facts(wildcards):
    return [member.asdict() for member in members(wildcards.product)]


def member_names(wildcards):
    return [member.member for member in members(wildcards.product)]


LARGEST_BATCH = max(
    (len(names) for product in GOOD.values() for names in product.batches.values()), default=0
)
LARGEST_GROUP = max((len(parts) for product in GOOD.values() for parts in product.stack.values()), default=0)
