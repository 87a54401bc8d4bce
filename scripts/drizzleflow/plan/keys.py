"""Name the settings that steps read, so that a changed setting starts what reads it and nothing else.

A setting is ``section.key``, as in the configuration. Each step of a road declares those that its script
reads (`drizzleflow.plan.layout.Step.reads`); its rule has each as a parameter of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drizzleflow.plan.product import Product

#: settings that a step reads and on which no pixel depends: how memory and work are divided, and paths of files
#: that are inputs themselves; a change of them starts nothing
NEUTRAL = frozenset(
    {"median.combine_bufsize", "median.bands", "mosaic.bands", "skymatch.skylist", "grid.output_wcs"}
)


def keys(*lines: str) -> list[str]:
    """Return settings in full from lines such as ``"crmask: snr grow"``."""
    found = []
    for line in lines:
        section, _, names = line.partition(":")
        found += [f"{section}.{name}" for name in names.split()]
    return found


def section(product: Product, name: str, *, but: Iterable[str] = ()) -> list[str]:
    """Return all settings of a section but some."""
    return [f"{name}.{key}" for key in product.options[name] if key not in set(but)]


def of_frames(product: Product, *what: str) -> list[str]:
    """Return the settings with which the product's format reads frames (`drizzleflow.formats`, SETTINGS).

    `what`: "frame" (what the header tells), "dq", "err" (those planes), "input" (an input and not a flagged copy), "copy"
    (to write that).
    """
    return [key for kind in what for key in keys(*product.format.settings.get(kind, ()))]


def chosen(product: Product, named: Iterable[str]) -> dict[str, object]:
    """Return the values of some settings for a product, by their names in full, each once."""
    pairs = (name.partition(".") for name in dict.fromkeys(named))
    return {f"{section}.{key}": product.options[section][key] for section, _, key in pairs}


def nested(params: Iterable[tuple[str, object]]) -> dict:
    """Return the options of a script from a rule's parameters, each a dictionary of one or more entries.

    ``{"crmask.snr": v}`` is ``options["crmask"]["snr"]``, ``{"members[1]": v}`` an element of the list
    ``options["members"]``, and ``{"member": v}`` is ``options["member"]``. ``code`` and what begins with
    ``via`` (for the engine: a digest to compare, the item of a batch) are no options.
    """
    options: dict = {}
    for _, param in params:
        for key, value in param.items() if isinstance(param, dict) else ():
            if key == "code" or key.startswith("via "):
                continue
            name, dot, rest = key.partition(".")
            if dot:
                options.setdefault(name, {})[rest] = value
            elif key.endswith("]"):
                options.setdefault(key[: key.index("[")], []).append(value)
            else:
                options[key] = value
    return options
