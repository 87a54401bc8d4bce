"""The corpus: named ways to be wrong, each with what must come of it. The cases are in the ``corpus_*``
modules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from bench import Bench


@dataclass
class Case:
    name: str
    flavour: str
    spoil: Callable[[Bench], None]
    stage: str  #: which stage refuses it; ``accepted``: the documents say that such data are read
    says: str  #: a pattern of the message, or of the log of what is accepted
    frames: int | None = None  #: of accepted data: how many
    named: str = "bad"  #: whose name the message must have: the bad file, the association (``asn``), or none


CASES: dict[str, Case] = {}


def case(name: str, flavour: str, stage: str, says: str = "", **more):
    """Register a case: ``@case("name", "jwst", "plan", "pattern")`` above a function of a `Bench`."""

    def register(spoil):
        assert name not in CASES, name
        CASES[name] = Case(name, flavour, spoil, stage, says, **more)
        return spoil

    return register


def every() -> dict[str, Case]:
    """All cases, by name."""
    for part in ("fits", "headers", "asdf", "associations"):
        import_module(f"corpus_{part}")
    return CASES
