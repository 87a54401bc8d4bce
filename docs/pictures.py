"""Draw the pictures of docs/design.md: ``python docs/pictures.py`` (``make pictures``).

``floors.svg`` shows the packages of the library and which of them import which; it is made from the contract
in pyproject.toml and from the modules' imports (grimp, which import-linter brings). ``rules.svg`` shows the
rules that wait for each other; it is made from ``snakemake --rulegraph`` of a small simulated association,
with every optional rule on.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from html import escape
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "scripts/drizzleflow"
FONT = "font-family='Helvetica, Arial, sans-serif'"
INK, GREY, LINE, BLUE = "#1a1a1a", "#666", "#9aa7b4", "#2b6cb0"
#: a run with every optional rule
CONFIGURATION = {
    "associations": ["exposures/sim_r.csv"],
    "batch_size": 1,  # batches are rules of their own
    "grid": {
        "crval": [150.1, 2.2],
        "crpix": [100, 100],
        "output_shape": [200, 200],
        "pixel_scale": 0.1,
        "rotation": 0,
    },
    "static_mask": {"static": True},
    "crmask": {"corr": True},
    "median": {"bands": 2},
    "mosaic": {"bands": 2},
    "checks": {"level": "error"},
}


def text(x, y, words, size=13, colour=INK, anchor="start", more="") -> str:
    """An SVG text whose baseline begins, ends or is centred at (x, y)."""
    return (
        f"<text x='{x:g}' y='{y:g}' font-size='{size}' fill='{colour}' text-anchor='{anchor}' {FONT}{more}>"
        f"{escape(words)}</text>"
    )


def picture(width: float, height: float, title: str, parts) -> str:
    """An SVG of some parts on white."""
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}' width='{width:g}'>"
    ground = f"<rect width='{width:g}' height='{height:g}' fill='white'/>"
    return "\n".join([head, f"<title>{escape(title)}</title>", ground, *parts, "</svg>", ""])


# --- floors -----------------------------------------------------------------------------------------------


def floors() -> list[list[str]]:
    """The packages of each floor, the roof first, by the layers of pyproject.toml that exist."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    named = ([name.strip("() ") for name in layer.split(":")] for layer in layers)
    there = (
        [n for n in names if (LIBRARY / n).is_dir() or (LIBRARY / f"{n}.py").exists()] for names in named
    )
    return [names for names in there if names]


def imports() -> dict[str, set[str]]:
    """package or facade -> those that its modules import."""
    import grimp

    graph = grimp.build_graph("drizzleflow")
    pairs: dict[str, set[str]] = {}
    for module in graph.modules:
        mine = module.split(".")[1:2]
        for other in graph.find_modules_directly_imported_by(module) if mine else ():
            if other.count(".") and other.split(".")[1] != mine[0]:
                pairs.setdefault(mine[0], set()).add(other.split(".")[1])
    return pairs


def first_line(name: str) -> str:
    """The first line of a package's or module's docstring, without marks and what is in parentheses."""
    path = LIBRARY / name / "__init__.py" if (LIBRARY / name).is_dir() else LIBRARY / f"{name}.py"
    line = ast.get_docstring(ast.parse(path.read_text())).split("\n")[0]
    line = re.sub(r" \([^)]*\)|`", "", line).rstrip(".")
    return line if len(line) <= 108 else line[:108].rsplit(" ", 1)[0] + " …"


def draw_floors() -> str:
    """The floors from the roof to the ground; a dot says that the row's package imports the column's."""
    levels, pairs = floors(), imports()
    below = [names[0] for names in levels if len(names) == 1]
    height, left, top, step = 34, 740, 110, 32
    parts, right = [], left + step * len(below)
    for k, name in enumerate(below):
        x = left + step * (k + 0.5)
        turn = f" transform='rotate(-50 {x:g} {top - 8})'"
        parts.append(text(x, top - 8, name, 12, GREY, "start", turn))
    for row, names in enumerate(levels):
        y = top + height * row
        shade = "#f3f6f9" if row % 2 else "#e6edf4"
        parts.append(f"<rect x='10' y='{y}' width='{right - 10}' height='{height}' fill='{shade}'/>")
        parts.append(text(20, y + 22, ", ".join(names), 14, INK, "start", " font-weight='bold'"))
        if len(names) == 1:
            parts.append(text(130, y + 22, first_line(names[0]), 11.5, GREY))
        else:
            parts.append(text(290, y + 22, "the roof: public names and commands", 11.5, GREY))
        used = set().union(*(pairs.get(name, set()) for name in names))
        for k, name in enumerate(below):
            x = left + step * (k + 0.5)
            if name in names:
                parts.append(
                    f"<rect x='{x - 6:g}' y='{y + 11}' width='12' height='12' fill='none' stroke='{LINE}'/>"
                )
            elif name in used:
                parts.append(f"<circle cx='{x:g}' cy='{y + 17}' r='5.5' fill='{BLUE}'/>")
    foot = top + height * len(levels) + 26
    note = "A dot: the package of the row imports that of the column, which is always on a floor below."
    parts.append(text(20, foot, note, 12, GREY))
    return picture(right + 60, foot + 16, "The floors of the library", parts)


# --- rules ------------------------------------------------------------------------------------------------


def rulegraph() -> tuple[list[str], set[tuple[str, str]]]:
    """The rules of a run and the pairs (rule, rule that waits for it)."""
    from drizzleflow.simulate.exposures import simulate

    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder) / "exposures", flavour="simple", exposures=2, detectors=1, shape=(64, 64))
        (Path(folder) / "config.json").write_text(json.dumps(CONFIGURATION))
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--rulegraph"]
        command += ["dot", "--configfile", "config.json", "--quiet"]
        dot = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r"^\s*(\d+)\s*\[\s*label = \"(\w+)\"", dot, re.MULTILINE))
    edges = re.findall(r"^\s*(\d+) -> (\d+)", dot, re.MULTILINE)
    return sorted(names.values()), {(names[a], names[b]) for a, b in edges if a != b}


def reduced(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges without those that a longer way through other edges implies."""
    after: dict[str, set[str]] = {}
    for a, b in edges:
        after.setdefault(a, set()).add(b)

    def reaches(start, end):
        return any(
            nearer == end or reaches(nearer, end) for nearer in after.get(start, ()) if nearer != start
        )

    return {(a, b) for a, b in edges if not any(c != b and reaches(c, b) for c in after[a])}


def ranks(names, edges) -> dict[str, int]:
    """rule -> its row: one more than the lowest row of the rules that it waits for."""
    before = {name: [a for a, b in edges if b == name] for name in names}

    def rank(name):
        return 1 + max(map(rank, before[name]), default=-1)

    return {name: rank(name) for name in names}


def rows_of(names, edges) -> list[list[str]]:
    """The rules in rows, ordered so that lines are short; an empty name keeps the place of a line that
    passes.
    """
    rank = ranks(names, edges)
    rows: list[list] = [[n for n in names if rank[n] == k] for k in range(max(rank.values()) + 1)]
    links = []
    for a, b in sorted(edges):
        chain = [a, *((a, b, k) for k in range(rank[a] + 1, rank[b])), b]
        for k in range(rank[a] + 1, rank[b]):
            rows[k].append((a, b, k))
        links += pairwise(chain)
    for turn in range(24):
        order = range(1, len(rows)) if turn % 2 == 0 else range(len(rows) - 2, -1, -1)
        for k in order:
            other = rows[k - 1] if turn % 2 == 0 else rows[k + 1]
            place = {node: i / max(len(other) - 1, 1) for i, node in enumerate(other)}
            old = {node: i / max(len(rows[k]) - 1, 1) for i, node in enumerate(rows[k])}

            def middle(node, place=place, old=old):
                near = [place[x] for pair in links if node in pair for x in pair if x in place]
                return sum(near) / len(near) if near else old[node]

            rows[k].sort(key=middle)
    return rows


def draw_rules() -> str:
    """The rules from top to bottom; a line leads from a rule to one that waits for it."""
    names, edges = rulegraph()
    edges = reduced(edges)
    rows = rows_of(names, edges)
    width, box, height, gap = 1000, 168, 30, 42
    at = {}
    for k, row in enumerate(rows):
        slots = [1.0 if isinstance(node, str) else 0.35 for node in row]
        total, x = sum(slots), 0.0
        for node, slot in zip(row, slots, strict=True):
            spread = min(width / total, 210)
            start = (width - spread * total) / 2
            at[node] = start + spread * (x + slot / 2), 20 + k * (height + gap)
            x += slot
    parts = []
    rank = {node: k for k, row in enumerate(rows) for node in row}
    for a, b in sorted(edges):
        chain = [a, *((a, b, k) for k in range(rank[a] + 1, rank[b])), b]
        (x, y), path = at[a], ""
        path = f"M{x:.0f} {y + height:.0f}"
        last = y + height
        for node in chain[1:]:
            nx, ny = at[node]
            half = (last + ny) / 2
            path += f" C{x:.0f} {half:.0f} {nx:.0f} {half:.0f} {nx:.0f} {ny:.0f}"
            if not isinstance(node, str):
                path += f" L{nx:.0f} {ny + height:.0f}"
            x, last = nx, ny + height
        parts.append(f"<path d='{path}' fill='none' stroke='{LINE}' stroke-width='1.6'/>")
    for name in names:
        x, y = at[name]
        fill = "#e6edf4" if name != "all" else "white"
        parts.append(
            f"<rect x='{x - box / 2:.0f}' y='{y:.0f}' width='{box}' height='{height}' rx='5' "
            f"fill='{fill}' stroke='{BLUE}'/>"
        )
        parts.append(text(round(x), y + 20, name, 13, INK, "middle"))
    foot = 20 + len(rows) * (height + gap)
    note = "A rule waits for those above it from which a line leads to it. Lines that a longer way implies are left out."
    parts.append(text(20, foot, note, 12, GREY))
    note = "Not in this run: crmask_asdf_member (in place of crmask_member, for Roman), and audit, which waits for none."
    parts.append(text(20, foot + 17, note, 12, GREY))
    return picture(width, foot + 34, "The rules of the workflow", parts)


def main() -> None:
    """Write both pictures beside this file."""
    for name, draw in (("floors", draw_floors), ("rules", draw_rules)):
        (ROOT / "docs" / f"{name}.svg").write_text(draw(), encoding="utf-8")
        print(f"docs/{name}.svg")


if __name__ == "__main__":
    main()
