"""Resolve the configuration: defaults < preset < overrides < the user's own file, checked key by key.

`config/config.yaml` explains every key, `config/schemas/config.schema.json` says what each may hold:
`drizzleflow.plan.config_schema` checks.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from fnmatch import fnmatchcase

from drizzleflow.errors import InputError
from drizzleflow.plan.config_checks import check_together, unused
from drizzleflow.plan.config_schema import Checker, show

#: of this checkout: defaults, presets and schema
FOLDER = os.path.join(os.path.abspath(__file__).rsplit(os.sep, 4)[0], "config")
_SELECTORS = ("instrument", "exp_type", "filter")


def load(path) -> dict:
    """Read a YAML file as a dict of plain Python types; an empty file is an empty dict.

    Raises
    ------
    InputError
        The file cannot be read, is not YAML, or holds something other than keys.
    """
    from drizzleflow.io import yaml_safe

    try:
        with open(path, encoding="utf-8") as text:
            found = yaml_safe.load(text.read())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:  # not YAML, not UTF-8, a number that is none
        raise InputError(f"{path}: not valid YAML ({error})") from None
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise InputError(f"{path}: found {show(found)}, expected 'key: value' lines")
    return dict(found)


def resolve(defaults: Mapping, user: Mapping, presets_dir) -> dict:
    """Check the layers of the configuration and merge them.

    Parameters
    ----------
    defaults : mapping
        Contents of ``config/config.yaml``.
    user : mapping
        What differs: the user's file and ``--config``. Aliases and any case of a value's name are accepted.
    presets_dir : path
        Folder of ``{preset}.yaml``; the schema is in ``../schemas`` beside it.

    Returns
    -------
    dict
        Every top key and section with canonical names and types (numbers are float, ``outlier_method`` a
        list). Sections hold defaults < preset < user, without overrides; `for_product` gives those of one
        product. The key ``layers`` keeps what it needs: ``base`` and ``user`` sections.

    Raises
    ------
    InputError
        A key or value is not known or not built yet: the key, the value and what is allowed.
    """
    presets_dir = os.fspath(presets_dir)
    with open(
        os.path.join(os.path.dirname(os.path.abspath(presets_dir)), "schemas", "config.schema.json")
    ) as text:
        schema = json.load(text)
    check = Checker(schema)
    if isinstance(user.get("median"), bool):  # AstroDrizzle's switch
        user = {**user, "median": {"median": user["median"]}}
    base = check.table(defaults, schema, "", "config.yaml")
    mine = check.table(user, schema, "", "configuration")
    preset = mine.get("preset", base.get("preset"))
    chosen = {}
    if preset:
        path = os.path.join(presets_dir, f"{preset}.yaml")
        chosen = check.table(load(path), schema, "", path)
    sections = list(schema["$defs"])
    below = merge(base, chosen, sections)
    resolved = merge(below, mine, sections)
    resolved["overrides"] = [
        *base.get("overrides", []),
        *chosen.get("overrides", []),
        *mine.get("overrides", []),
    ]
    resolved["layers"] = {
        "base": {name: below.get(name, {}) for name in sections},
        "user": {name: mine.get(name, {}) for name in sections},
    }
    for_product({**resolved, "overrides": []})
    for entry in resolved["overrides"]:  # what an entry breaks stops the run here
        check_together(_merged(resolved["layers"], [entry["set"]]))
    return resolved


def standard(user: Mapping | None = None) -> dict:
    """Call `resolve` with the defaults and presets of this checkout (`FOLDER`)."""
    return resolve(load(os.path.join(FOLDER, "config.yaml")), user or {}, os.path.join(FOLDER, "presets"))


def names(sections) -> dict[str, list[str]]:
    """Return the keys of some sections and their aliases, from the schema: section -> names."""
    with open(os.path.join(FOLDER, "schemas", "config.schema.json"), encoding="utf-8") as text:
        known = json.load(text)["$defs"]
    return {
        section: [
            name
            for key, rule in known[section]["properties"].items()
            for name in (key, *rule.get("aliases", ()))
        ]
        for section in sections
    }


def merge(lower: Mapping, upper: Mapping, sections) -> dict:
    """Merge `upper` over `lower`: sections key by key, anything else as a whole; neither is changed."""
    merged = copy.deepcopy({**lower, **upper})
    for name in sections:
        if name in lower or name in upper:
            merged[name] = copy.deepcopy({**lower.get(name, {}), **upper.get(name, {})})
    return merged


def for_product(resolved: Mapping, instrument: str = "", exp_type: str = "", filter: str = "") -> dict:
    """Return a product's settings by instrument, exposure type and filter: {section: {key: value}}.

    Raises
    ------
    InputError
        Two values contradict each other.
    """
    options = _merged(resolved["layers"], _chosen(resolved, instrument, exp_type, filter))
    check_together(options)
    return options


def without_effect(
    resolved: Mapping, instrument: str = "", exp_type: str = "", filter: str = ""
) -> list[str]:
    """Return a line for each setting of the user's that does nothing for a product, given its others."""
    chosen = _chosen(resolved, instrument, exp_type, filter)
    layers = resolved["layers"]
    return unused(_merged(layers, chosen), [*chosen, layers["user"]])


def _chosen(resolved: Mapping, instrument: str, exp_type: str, filter: str) -> list[Mapping]:
    """Return the settings of the overrides that a product matches."""
    product = {"instrument": instrument, "exp_type": exp_type, "filter": filter}
    return [
        entry["set"]
        for entry in resolved["overrides"]
        if all(_matches(entry.get(key), product[key]) for key in _SELECTORS)
    ]


def _merged(layers: Mapping, overrides) -> dict:
    options = copy.deepcopy(layers["base"])
    for layer in [*overrides, layers["user"]]:
        options = merge(options, layer, list(options))
    return options


def _matches(patterns, value) -> bool:
    if patterns is None:
        return True
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatchcase(str(value).upper(), pattern.upper()) for pattern in patterns)
