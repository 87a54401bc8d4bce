"""Write the tables of reference in the documents from what they describe.

    python docs/manual.py

"Every key" of config/README.md is made of config.yaml, its comments, the schema and the presets; the columns in
docs/products.md of `drizzleflow.io.columns`. Tests compare.
"""

import json
import re
from pathlib import Path

from drizzleflow.io import columns, tables, yaml_safe

DOCS = Path(__file__).resolve().parent
CONFIG = DOCS.parent / "config"
HEAD = "| key | default | `preset: jwst` | `preset: hst` | meaning, unit, range | alias |\n|---|---|---|---|---|---|\n"
#: sections without a table
RESERVED = ("comparewarp", "tso", "ifu")


def comments(text: str) -> dict[tuple[str, str], str]:
    """Return the comment above each key, as one line: (section, key) -> text; section "" for the top keys."""
    found, section, words = {}, "", []
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("# ---"):
            words = []
        elif stripped.startswith("#"):
            words.append(stripped[1:].strip())
        else:
            key = stripped.split(":")[0]
            inside = line.startswith(" ")
            section = section if inside else key
            found[section if inside else "", key] = " ".join(words)
            words = []
    return found


def cell(values: dict, key: str) -> str:
    """Return a value as the table shows it; nothing where there is none."""
    if key not in values:
        return ""
    value = values[key]
    plain = isinstance(value, str) and " " not in value  # "4.0 2.5" is one text, and looks like two numbers
    return f"`{value if plain else json.dumps(value)}`"


def table(section: str, keys, defaults, presets, rules, said) -> str:
    rows = []
    for key in keys:
        aliases = rules[key].get("aliases", [])
        meaning = re.sub(r" Alias: .*$", "", said[section, key]).replace("*", "\\*").replace("|", "\\|")
        columns = [f"`{key}`", *(cell(values, key) for values in (defaults, *presets)), meaning]
        rows.append("| " + " | ".join(columns) + " | " + ", ".join(f"`{a}`" for a in aliases) + " |")
    return HEAD + "\n".join(rows) + "\n"


def manual(text: str) -> str:
    """Return README.md with its tables of keys made anew."""
    config = (CONFIG / "config.yaml").read_text(encoding="utf-8")
    schema = json.loads((CONFIG / "schemas" / "config.schema.json").read_text(encoding="utf-8"))
    defaults, said = yaml_safe.load(config), comments(config)
    presets = [
        yaml_safe.load((CONFIG / "presets" / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("jwst", "hst")
    ]
    sections = [name for name in schema["$defs"] if name not in RESERVED]
    top = [key for key in defaults if key not in schema["$defs"]]
    made = {"The run": table("", top, defaults, presets, schema["properties"], said)}
    for name in sections:
        rules = schema["$defs"][name]["properties"]
        inside = [values.get(name, {}) for values in (defaults, *presets)]
        made[name] = table(name, list(defaults[name]), inside[0], inside[1:], rules, said)
    head, rest = text.split("## Every key", 1)
    for name, rows in made.items():
        title = name if name == "The run" else f"`{name}`"
        rest, n = re.subn(
            rf"(### {re.escape(title)}(?:(?!\n### ).)*?\n\n)\| key .*?\n(?=\n)",
            lambda m, rows=rows: m[1] + rows,
            rest,
            flags=re.S,
        )
        if n != 1:
            raise SystemExit(f"README.md: {n} tables under '### {title}', expected one")
    return f"{head}## Every key{rest}"


def products(text: str) -> str:
    """Return products.md with its tables of columns made anew."""
    for name, declared in columns.TABLES.items():
        rows = "".join(
            f"| `{row.column}` | {row.dtype} | {row.unit} | {row.meaning} |\n"
            for row in tables.describe(declared).itertuples()
        )
        text, n = re.subn(
            rf"(### `{re.escape(name)}`\n(?:(?!### )[^|].*\n|\n)*\| column .*\n\|[-|]+\n)(?:\|.*\n)*",
            lambda m, rows=rows: m[1] + rows,
            text,
        )
        if n != 1:
            raise SystemExit(f"products.md: {n} tables under '### `{name}`', expected one")
    return text


if __name__ == "__main__":
    for path, made in ((CONFIG / "README.md", manual), (DOCS / "products.md", products)):
        path.write_text(made(path.read_text(encoding="utf-8")), encoding="utf-8")
