"""For each setting of the configuration another value that it may have."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

CONFIG = Path(__file__).resolve().parents[1] / "config"
DEFAULTS = yaml.safe_load((CONFIG / "config.yaml").read_text())
SCHEMA = json.loads((CONFIG / "schemas/config.schema.json").read_text())["$defs"]
#: where a rule from the schema does not do: it would need more than this setting, or be the same as the default
CHOSEN = {
    "skymatch.skymethod": "local",
    "skymatch.masks": "masks.txt",
    "skymatch.skylist": "levels.txt",
    "skymatch.dqbits": 4,
    "grid.pixel_scale": 0.07,
    "grid.crval": [150.1, 2.2],
    "grid.crpix": [90.0, 90.0],
    "grid.output_shape": [180, 180],
    "grid.output_wcs": "grid.asdf",
    "single_drizzle.pixfrac": 0.8,
    "mosaic.pixfrac": 0.8,
    "crmask.noise_range": "0.7 2.5",
    "crmask.corr": True,
    "crmask.crbit": 8192,
    "median.combine_hthresh": 1e9,
    "skymatch.upper": 1e9,
    "simple.sci": 1,
}


def other_value(section: str, key: str):
    """A value of a setting that is not its default."""
    name, default = f"{section}.{key}", DEFAULTS[section][key]
    if name in CHOSEN:
        return CHOSEN[name]
    rule = SCHEMA[section]["properties"][key]
    kinds = [rule, *rule.get("anyOf", ())]
    for kind in kinds:
        listed = [value for value in kind.get("enum", ()) if value not in (default, "auto", "user")]
        if listed:
            return listed[0]
    types = [
        one
        for kind in kinds
        for one in ([kind["type"]] if isinstance(kind.get("type"), str) else kind.get("type", ()))
    ]
    if "boolean" in types:
        return not default
    if isinstance(default, str) and len(default.split()) == 2:
        return " ".join(str(float(word) + 0.25) for word in default.split())
    if "number" in types or "integer" in types:
        number = default if isinstance(default, (int, float)) else 2
        step = 1 if "number" not in types else 0.25
        return number + step if number + step <= rule.get("maximum", 1e30) else number - step
    return "OTHER"


#: every setting in a section
NAMES = [f"{section}.{key}" for section, keys in SCHEMA.items() for key in keys["properties"]]
