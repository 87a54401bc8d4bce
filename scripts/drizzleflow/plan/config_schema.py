"""Check the configuration's values against the schema, and bring them to one spelling.

The schema is read by this small checker, not by jsonschema: every job of a run parses the Snakefile again,
and messages can name the closest known key. A test holds the checker and jsonschema to the same verdicts.
"""

from __future__ import annotations

import difflib
import math
import re
import reprlib
from collections.abc import Mapping

from drizzleflow.errors import LONGEST, InputError, has_control

#: what is planned but not there; the words end the message
NOT_YET = "is not built yet"


class Checker:
    """Convert a layer to canonical names and types, or raise InputError with what is wrong in it."""

    def __init__(self, schema):
        self.schema = schema

    def _follow(self, rule):
        while "$ref" in rule:
            rule = self.schema["$defs"][rule["$ref"].rsplit("/", 1)[1]]
        return rule

    def table(self, found, rule, dotted, origin) -> dict:
        """Check a mapping whose keys the schema lists; ``None`` (a YAML section without keys) is empty."""
        found = {} if found is None else found
        if not isinstance(found, Mapping):
            raise InputError(f"{origin}: {dotted or 'the whole'} is {show(found)}, expected keys with values")
        known = rule["properties"]
        names = {
            alias: key for key, entry in known.items() for alias in self._follow(entry).get("aliases", ())
        }
        canonical, given = {}, {}
        for raw, value in found.items():
            key = names.get(raw, raw) if isinstance(raw, str) else str(raw)
            here = f"{dotted}.{raw}" if dotted else str(raw)
            if key not in known:
                raise InputError(
                    f"{origin}: {here}: no such key{self._advice(str(raw), known, names, dotted)}"
                )
            key = _moved(value, self._follow(known[key])) or key
            if key in given:
                raise InputError(
                    f"{origin}: {dotted}.{given[key]} and {here} are the same setting, expected one of them"
                )
            given[key] = raw
            canonical[key] = self.value(value, self._follow(known[key]), here, origin)
        for key in rule.get("required", ()):
            if key not in canonical:
                raise InputError(f"{origin}: {dotted}: no key {key!r}, expected one")
        return canonical

    def _advice(self, raw, known, names, dotted) -> str:
        if not known:
            return f"; {dotted} {NOT_YET}"
        close = difflib.get_close_matches(raw.lower(), [*known, *names], 1, 0.6)
        if close:
            best = names.get(close[0], close[0])
            return f"; did you mean {dotted + '.' if dotted else ''}{best}?"
        for section, rule in self.schema["$defs"].items():
            for key, entry in rule["properties"].items():
                if section != dotted.rsplit(".", 1)[-1] and raw in (
                    key,
                    *self._follow(entry).get("aliases", ()),
                ):
                    return f"; did you mean {section}.{key}?"
        return f"; expected one of {', '.join(known)}"

    def value(self, found, rule, here, origin):
        """Return the canonical form of one value."""
        rule = self._follow(rule)
        if rule.get("type") == "object":
            return self.table(found, rule, here, origin)
        if rule.get("type") == "array" and self._follow(rule["items"]).get("type") == "object":
            if found is not None and not isinstance(found, (list, tuple)):
                raise InputError(f"{origin}: {here} is {show(found)}, expected a list")
            entry = self._follow(rule["items"])
            return [self.table(one, entry, f"{here}[{i}]", origin) for i, one in enumerate(found or ())]
        for one in found if isinstance(found, (list, tuple)) else [found]:
            if isinstance(one, str) and (has_control(one) or len(one) > LONGEST):
                raise InputError(
                    f"{origin}: {here} is {show(one)}, expected text of one line, at most {LONGEST} characters"
                )
            if isinstance(one, int) and abs(one) >= 1e300:
                raise InputError(f"{origin}: {here} is {show(one)}, expected {allowed(rule)}")
        canonical = _coerce(found, rule)
        if not fits(canonical, rule):
            wanted = [found, *found] if isinstance(found, (list, tuple)) else [found]
            reserved = _reserved(rule)
            for one in wanted:
                if isinstance(one, str) and one.lower() in reserved:
                    raise InputError(f"{origin}: {here}: {one!r} {NOT_YET}; expected {allowed(rule)}")
            raise InputError(f"{origin}: {here} is {show(found)}, expected {allowed(rule)}")
        return _finish(canonical, here.rsplit(".", 1)[-1], rule)


def _moved(value, rule) -> str | None:
    """Return the key of the section to which a value has moved (`grid.footprints: astrodrizzle`), or None."""
    return rule.get("moved", {}).get(value.strip().lower()) if isinstance(value, str) else None


def _reserved(rule) -> set:
    inner = [rule, *rule.get("anyOf", ()), *([rule["items"]] if "items" in rule else [])]
    return set(rule.get("reserved", ())).union(*(_reserved(r) for r in inner if r is not rule))


def _types(rule) -> tuple:
    kinds = rule.get("type", ())
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def _coerce(found, rule):
    """Return the value that the user meant: ``1e-3`` (a string in YAML 1.1), ``Square``, 4.0 for 4."""
    for option in rule.get("anyOf", ()):
        meant = _coerce(found, option)
        if fits(meant, option):
            return meant
    if "enum" in rule:
        text = found.strip().lower() if isinstance(found, str) else found
        text = rule.get("synonyms", {}).get(text, text) if isinstance(text, str) else text
        same = [v for v in rule["enum"] if not isinstance(found, bool) and _is(v, text)]
        return same[0] if same else found
    kinds = _types(rule)
    if isinstance(found, str) and "string" not in kinds:
        text = found.strip().lower()
        if "boolean" in kinds and text in ("true", "false"):
            return text == "true"
        if ("number" in kinds or "integer" in kinds) and re.fullmatch(
            r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text
        ):
            found = float(text)
        elif "null" in kinds and text in ("null", "none", "indef"):
            return None
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        if "number" in kinds and abs(found) < 1e300:  # the bound keeps a huge integer from overflowing
            return float(found)
        if "integer" in kinds and isinstance(found, float) and found.is_integer():
            return int(found)
    if "array" in kinds and isinstance(found, (list, tuple)):
        return [_coerce(one, rule["items"]) for one in found]
    return found


def _is(allowed_value, text) -> bool:
    if isinstance(allowed_value, str) or allowed_value is None:
        return allowed_value == text
    if isinstance(text, str):
        return text == str(allowed_value)
    return isinstance(text, (int, float)) and text == allowed_value


def fits(value, rule) -> bool:
    """Return whether `value` obeys `rule`, by the part of JSON Schema 2020-12 in use; numbers are finite."""
    if "anyOf" in rule and not any(fits(value, option) for option in rule["anyOf"]):
        return False
    if "enum" in rule and not any(type(v) is type(value) and v == value for v in rule["enum"]):
        return False
    kinds = _types(rule)
    if isinstance(value, float) and not math.isfinite(value):
        # YAML's .nan is the one such value with a meaning (fillval)
        return "number" in kinds and "string" in kinds and math.isnan(value)
    if isinstance(value, bool):
        return not kinds or "boolean" in kinds
    if isinstance(value, (int, float)):
        if kinds and not ("number" in kinds or ("integer" in kinds and value == value // 1)):
            return False
        low, above, high = rule.get("minimum"), rule.get("exclusiveMinimum"), rule.get("maximum")
        return (
            (low is None or value >= low)
            and (above is None or value > above)
            and (high is None or value <= high)
        )
    if isinstance(value, str):
        if kinds and "string" not in kinds:
            return False
        return len(value) >= rule.get("minLength", 0) and bool(re.search(rule.get("pattern", ""), value))
    if isinstance(value, list):
        if kinds and "array" not in kinds:
            return False
        if not rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", math.inf):
            return False
        return all(fits(one, rule.get("items", {})) for one in value)
    if value is None:
        return not kinds or "null" in kinds
    return not kinds


def _finish(value, key, rule):
    """Return one spelling for values that have several, so that equal configurations rerun no job."""
    if key == "outlier_method":
        return [value] if isinstance(value, str) else value
    if rule.get("allowed", "").startswith(("two numbers", "one or two numbers")):
        numbers = (
            value.replace(",", " ").split()
            if isinstance(value, str)
            else (value if isinstance(value, (list, tuple)) else [value])
        )
        return " ".join(
            repr(float(number)) for number in (numbers if len(numbers) == 2 else [*numbers, *numbers])
        )
    if "NAN or INDEF" in rule.get("allowed", ""):
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return "NAN"
        if isinstance(value, str):
            return "NAN" if value.lower() in ("nan", "indef") else float(value)
    if isinstance(value, str) and value.startswith("auto"):
        return "auto"
    return value


def allowed(rule) -> str:
    """Say in words what a rule of the schema accepts."""
    if "allowed" in rule:
        return rule["allowed"]
    if "enum" in rule:
        return "one of " + ", ".join("null" if v is None else str(v) for v in rule["enum"])
    if "anyOf" in rule:
        return " or ".join(allowed(option) for option in rule["anyOf"])
    limits = [f"{sign} {rule[key]}" for key, sign in _LIMITS if key in rule]
    words = []
    for kind in _types(rule):
        if kind == "array":
            count = (
                f"{rule['minItems']} "
                if "minItems" in rule and rule.get("minItems") == rule.get("maxItems")
                else ""
            )
            inner = "integers" if "integer" in _types(rule["items"]) else "numbers"
            limits = [f"{sign} {rule['items'][key]}" for key, sign in _LIMITS if key in rule["items"]]
            words.append(f"a list of {count}{inner}")
        else:
            words.append(_WORDS[kind])
        if limits and kind in ("number", "integer", "array"):
            words[-1] += " " + " and ".join(limits)
    return " or ".join(words)


_LIMITS = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="))


class _Brief(reprlib.Repr):
    def repr_int(self, value, level):  # Python refuses to write out thousands of digits
        return repr(value) if abs(value) < 1e300 else f"{'-' * (value < 0)}1e300 or more"


_REPR = _Brief()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother = 3, 60, 80
_WORDS = {
    "boolean": "true or false",
    "number": "a number",
    "integer": "an integer",
    "string": "a text",
    "null": "null",
}


def show(value) -> str:
    """Return a value of a configuration as text short enough for a message."""
    if isinstance(value, str):  # whole in a message as long as it is short
        return repr(value) if len(value) <= 78 else repr(value[:75])[:-1] + "...'"
    # aliases can make a short text an endless list
    return "null" if value is None else _REPR.repr(value)
