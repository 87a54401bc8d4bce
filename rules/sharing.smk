# Members and groups that share a job. Snakemake has outputs of one form for all jobs of a rule, so a batch is a rule of
# its own, whose inputs, outputs and parameters have the number of their item at the end of their names; jobs/shared.py
# takes them apart again.
from types import SimpleNamespace

from drizzleflow.plan.layout import filled

CALLED = {}  # a batch's rule -> that by wildcards


class Jobs:
    """What makes the jobs of a step: by wildcards one for each item, or one for the items of a batch.

    `called` is the name where it is by wildcards, `products` are those that it makes, `ending` that of flagged copies.
    """

    def __init__(self, step, called, products, ending="{ending}"):
        self.step, self.name, self.called, self.ending = STEPS[step], called, called, ending
        self.constraints = {"product": only(products)}
        self.product, self.items, self.priority = None, None, 0

    @classmethod
    def of_batch(cls, step, called, product, batch, names):
        self = cls(step, called, [product], GOOD[product].format.ending)
        self.name, self.product, self.batch = f"{called}_{product}_{batch}", product, batch
        (wildcard,) = STEPS[step].each.wildcards
        self.items = [SimpleNamespace(product=product, **{wildcard: name}) for name in names]
        self.constraints = {}
        self.priority = len(names)  # large batches first, so that small ones fill the cores at the end
        CALLED[self.name] = called
        return self

    def each(self, **found):
        """Inputs or parameters that each item has of its own: functions of its wildcards."""
        if self.items is None:
            return found

        def of_item(find, item):
            return lambda wildcards: find(item)

        return {
            f"{name}_{n}": of_item(find, item)
            for n, item in enumerate(self.items)
            for name, find in found.items()
        }

    def all(self, **found):
        """Inputs that all items of a job have in common: functions of their product."""
        return found if self.items is None else {name: find(self.items[0]) for name, find in found.items()}

    def outputs(self):
        if self.items is None:
            return outputs(self.step.name, self.ending)
        (wildcard,) = self.step.each.wildcards
        made = {}
        for n, item in enumerate(self.items):
            job = {wildcard: getattr(item, wildcard)}
            fill = lambda pattern: filled(pattern, GOOD[self.product], job)
            found = outputs(self.step.name, self.ending, fill)
            made |= {f"{name}_{n}": path for name, path in found.items()}
        return made

    def account(self, folder, ending):
        """The file of a job's log or benchmark."""
        if self.items is None:
            return f"{OUT}/{{product}}/{self.step.account(folder, ending)}"
        return f"{OUT}/{self.product}/{folder}/{self.step.name}/{self.batch}.{ending}"

    def memory(self, figure):
        """As `memory`: that of the item that needs most, for they come one after the other."""
        if self.items is None:
            return memory(figure)
        items = self.items
        most = lambda product, wildcards, input: max(figure(product, item, input) for item in items)
        return memory(most, self.product)

    def params(self):
        """The settings and the code; for a batch the items' wildcards, and the name that messages and records have."""
        found = reads(self.step.name, self.product)
        if self.items is None:
            return found
        own = {f"item_{n}": {"via item": vars(item)} for n, item in enumerate(self.items)}
        return found | own | {"rule": {"via rule": self.called}}


def jobs_of(step, called, ending=None, road="imaging"):
    """All that makes the jobs of a step: by wildcards, and the batches of products whose items share jobs."""
    own = [name for name in GOOD if GOOD[name].road == road and ending in (None, GOOD[name].format.ending)]
    batches = {name: GOOD[name].shared[step] for name in own}
    batches = {
        name: found for name, found in batches.items() if any(len(items) > 1 for items in found.values())
    }
    yield Jobs(step, called, [name for name in own if name not in batches], ending or "{ending}")
    for name, found in batches.items():
        for batch, items in found.items():
            yield Jobs.of_batch(step, called, name, batch, items)
