"""Define where the files of a run lie: what a road, a step and a file declare, and the resulting paths.

Paths are below a product's folder, ``{outdir}/{product}``. Rules, audit, crate, trace and report all look
them up in what the roads declare (`drizzleflow.plan.roads`); nothing here reads a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from drizzleflow.plan.keys import section

if TYPE_CHECKING:
    from drizzleflow.plan.product import Product

ANY_NAME = r"[A-Za-z0-9._+-]+"  #: what a name in a path may be, as a regular expression

#: folders of what jobs tell of themselves
RECORD, LOG, BENCHMARK = "record", "log", "benchmark"

#: what becomes of a file when it has been used
KEPT = "kept"
INTERMEDIATE = "intermediate"  #: removed, unless the setting save_intermediate_results is true
TEMPORARY = "temporary"  #: removed
EXTRA = "extra"  #: made only where save_intermediate_results is true


def always(product: Product) -> bool:
    """The condition of what every product has."""
    return True


@dataclass(frozen=True)
class Each:
    """Say for what a step makes one job each, such as members or groups."""

    wildcards: dict[str, str]  #: name in the paths -> what it may be, a regular expression
    jobs: Callable[[Product], list[dict[str, str]]]  #: the wildcards of each job


PRODUCT = Each({}, lambda product: [{}])
BATCH = Each({"batch": ANY_NAME}, lambda product: [{"batch": name} for name in product.batches])
GROUP = Each({"group": ANY_NAME}, lambda product: [{"group": name} for name in product.stack])
MEMBER = Each({"member": ANY_NAME}, lambda product: [{"member": m.member} for m in product.members])


def _bands(count: int) -> list[dict[str, str]]:
    return [{"band": f"{k:04d}"} for k in range(count)] if count > 1 else []


#: of a mosaic, and of a median, that is made in several bands of rows
BAND = Each({"band": r"[0-9]{4}"}, lambda product: _bands(product.bands))
MEDIAN_BAND = Each({"band": r"[0-9]{4}"}, lambda product: _bands(product.median_bands))


@dataclass(frozen=True)
class File:
    """Declare one output of a step."""

    pattern: str  #: with ``{product}``, the step's wildcards, and ``{ending}``: that of the flagged copies
    kept: str = KEPT
    target: bool = False  #: whether a plain run asks for it; other files are made where a job needs them
    when: Callable[[Product], bool] = always  #: which products have it, of those that have the step


@dataclass(frozen=True)
class Step:
    """Declare a step of a road: one script, one kind of job, one record per job.

    Its rule is called like it, with an ending (``crmask_member``) where the name itself is a target.
    """

    name: str  #: of the script, and of the folders of records, logs and benchmarks
    each: Each
    files: dict[str, File]  #: the rule's name of an output -> the file
    when: Callable[[Product], bool] = always  #: which products have it
    #: the settings that its script reads, in full (`drizzleflow.plan.keys`)
    reads: Callable[[Product], list[str]] = lambda product: []
    reported: bool = True  #: whether report and provenance read its records
    # what the report shows of it
    numbers: bool = False  #: its statistics
    flags: bool = False  #: the flagged pixels of each frame in them
    pictures: tuple[str, ...] = ()  #: those of the whole product, large
    exposures: tuple[str, ...] = ()  #: those of single exposures and what they are compared with, small

    def account(self, folder: str, ending: str) -> str:
        """The pattern of what a job tells of itself; `folder`: RECORD, LOG or BENCHMARK."""
        job = "_".join(f"{{{name}}}" for name in self.each.wildcards)
        return f"{folder}/{self.name}/{job}.{ending}" if job else f"{folder}/{self.name}.{ending}"

    @property
    def record(self) -> str:
        """The pattern of the jobs' records."""
        return self.account(RECORD, "json")

    def jobs(self, product: Product) -> list[dict[str, str]]:
        """The wildcards of each job that a product needs."""
        return self.each.jobs(product) if self.when(product) else []

    def paths(self, product: Product, output: str) -> list[str]:
        """The files that the jobs of a product make as one of their outputs."""
        file = self.files[output]
        if not self.when(product) or not file.when(product):
            return []
        return [filled(file.pattern, product, job) for job in self.each.jobs(product)]

    def records(self, product: Product) -> list[str]:
        """The records of a product's jobs."""
        return [filled(self.record, product, job) for job in self.jobs(product)]


def filled(pattern: str, product: Product, job: dict[str, str]) -> str:
    """A pattern with the names of a product and a job in it."""
    return pattern.format(product=product.name, ending=product.format.ending, **job)


def globbed(pattern: str) -> str:
    """A pattern as a file name pattern, ``*`` for each name."""
    return re.sub(r"\{\w+\}", "*", pattern)


def match(pattern: str, path: str) -> dict[str, str] | None:
    """The names that a path has in the places of a pattern; None where it is no such path."""
    names = re.split(r"\{(\w+)\}", pattern)
    expression = "".join(
        f"(?P<{part}>{ANY_NAME})" if number % 2 else re.escape(part) for number, part in enumerate(names)
    )
    found = re.fullmatch(expression, path)
    return found and found.groupdict()


@dataclass(frozen=True)
class Road:
    """Declare a road: the steps by which products of one kind are made."""

    name: str  #: as the formats' ROADS call it
    steps: tuple[Step, ...]  #: in the order of the DAG
    rules: tuple[str, ...]  #: the files of ``rules/`` that hold its rules, without ending

    @cached_property
    def by_name(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}

    def paths(self, product: Product, step: str, output: str) -> list[str]:
        """As `Step.paths`; none where the road has no such step."""
        return self.by_name[step].paths(product, output) if step in self.by_name else []

    def records(self, product: Product) -> list[str]:
        """The records that report and provenance of a product read, in the order of the DAG."""
        return [path for step in self.steps if step.reported for path in step.records(product)]

    def targets(self, product: Product) -> list[str]:
        """What a plain run asks for: the targets, and the records that no other job reads.

        Without its record a job has not ended.
        """
        outputs = [(step, name) for step in self.steps for name, file in step.files.items() if file.target]
        found = [path for step, name in outputs for path in step.paths(product, name)]
        return found + [path for step in self.steps if not step.reported for path in step.records(product)]


# the two ends of every road

MEMBERS = Step("members", PRODUCT, {"table": File("members.csv", target=True)})
REPORT = Step(
    "report",
    PRODUCT,
    {
        "report": File("report.html", target=True),
        "frames": File("frames.csv", target=True),
        "checks": File("checks.json", target=True),
    },
    reads=lambda product: section(product, "checks", but=("level",)),  # which starts the verdict alone
    reported=False,
)
#: fails where the checks found something and the user asked for it; it makes nothing but its record
VERDICT = Step(
    "verdict",
    PRODUCT,
    {},
    when=lambda product: product.options["checks"]["level"] == "error",
    reported=False,
)
PROVENANCE = Step("provenance", PRODUCT, {"provenance": File("provenance.json", target=True)}, reported=False)
