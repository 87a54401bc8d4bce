"""Declare the roads (processing paths), each in its own module: its steps, their jobs, files and rules.

A new road is one new module here with a ``ROAD`` (`drizzleflow.plan.layout.Road`), its ``rules/*.smk`` and
its scripts. Which exposures take it, the formats say (``ROADS``).
"""

import pkgutil
from importlib import import_module

from drizzleflow.errors import InputError
from drizzleflow.plan import layout

#: the roads that are built, by name
ROADS: dict[str, layout.Road] = {
    road.name: road
    for road in (
        import_module(f"drizzleflow.plan.roads.{module.name}").ROAD
        for module in pkgutil.iter_modules(__path__)
    )
}
#: the steps of all roads, by name; roads share some
STEPS: dict[str, layout.Step] = {}
for _road in ROADS.values():
    for _step in _road.steps:
        if STEPS.setdefault(_step.name, _step) != _step:
            raise InputError(f"road {_road.name}: step {_step.name} is another road's, expected its own name")


def path(step: str, output: str, **names) -> str:
    """Return the path of a step's output in its product's folder: ``path("crmask", "mask", member="a")``."""
    return STEPS[step].files[output].pattern.format(**names)


def rules() -> list[str]:
    """Return the files of ``rules/`` that the roads name, without ending, each once."""
    return list(dict.fromkeys(name for road in ROADS.values() for name in road.rules))


def wildcards() -> dict[str, str]:
    """Return the regular expression of each wildcard in the paths."""
    found = {"product": layout.ANY_NAME}
    for step in STEPS.values():
        found |= step.each.wildcards
    return found


def step_of(rule: str) -> str:
    """Return the step with the longest name with which the rule's name begins; else the rule itself."""
    fitting = [name for name in STEPS if rule == name or rule.startswith(f"{name}_")]
    return max(fitting, key=len, default=rule)


def temporary(intermediate: bool) -> list[str]:
    """Return patterns (``*``), below a product's folder, of files that a run removes."""
    gone = (layout.TEMPORARY, layout.INTERMEDIATE) if intermediate else (layout.TEMPORARY,)
    files = [file for step in STEPS.values() for file in step.files.values()]
    return [layout.globbed(file.pattern) for file in files if file.kept in gone]


def shown(kind: str) -> list[tuple[str, str]]:
    """Return (step, name) of the report's pictures of a kind ('pictures', 'exposures'), last steps first."""
    return [(step.name, name) for step in reversed(STEPS.values()) for name in getattr(step, kind)]
