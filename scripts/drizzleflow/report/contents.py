"""Write one self-contained page on a product: pictures, sky levels, flagged fractions, settings, warnings.

Its contents come from the jobs' records and two small tables, never from an intermediate image, which may
have been deleted. The page is a Jinja template, ``page.html.j2``; it loads nothing and runs no script.
"""

from __future__ import annotations

import json
from collections import Counter
from operator import itemgetter
from pathlib import Path

from drizzleflow.frames.groups import group_of
from drizzleflow.io import light_tables
from drizzleflow.io.columns import FRAMES, MEMBERS, SKY
from drizzleflow.io.files import write_text
from drizzleflow.jobs import record
from drizzleflow.plan import roads
from drizzleflow.report import checks, frames

MAX_WARNINGS = 200  #: different messages listed
MAX_SINGLES = 12  #: images of a step that are shown, such as single drizzles
#: what the page and the verdict take of a record
TOLD = (
    "rule",
    "wildcards",
    "params",
    "statistics",
    "thumbnails",
    "warnings",
    "warnings_count",
    "versions",
    "started",
    "ended",
    "seconds",
    "peak_mb",
)
FOLD = 40  #: longer tables are folded
#: parameters that name a job's files, not its method
FILES = {"member", "members", "frames", "others", "error", "sources", "masks", "left_out", "doubts"}


def make(
    records,
    members,
    sky,
    out_path,
    product: str,
    frames_path=None,
    checks_path=None,
    *,
    limits=None,
    doubts=(),
    notes=(),
    left_out=(),
) -> None:
    """Write the report of one product, the table of its frames, and the verdict on it.

    Parameters
    ----------
    records : list of paths
        Records of the product's jobs (see `drizzleflow.jobs.record`), in any order; the page does not depend
        on it.
    members, sky : DataFrames
        ``members.csv`` and ``sky.csv`` (see `drizzleflow.io.tables`), or some of their columns; either may be
        empty.
    out_path : path
        The HTML file.
    product : str
        Name of the product.
    frames_path : path, optional
        ``frames.csv``, see `drizzleflow.io.columns.FRAMES`.
    checks_path : path, optional
        ``checks.json``, see `drizzleflow.report.checks.verdict`.
    limits : dict, optional
        The configuration's section ``checks``; nothing is checked without it.
    doubts : sequence of Finding
        What the plan found in the members (`drizzleflow.plan.mixtures.doubts`).
    notes : sequence of str
        What is to be said of the configuration.
    left_out : sequence of str
        Which files of a folder are no members, and why.

    Raises
    ------
    InputError
        A record cannot be read.
    """
    from jinja2 import Environment, FileSystemLoader

    jobs = _load(records)
    masks = frames.rows(jobs, list(members.get("member", ())))
    warnings = _warnings(jobs, notes)
    verdict = None
    if limits is not None:
        mosaic = next((entry["statistics"] for entry in jobs if entry["rule"] == "mosaic"), {})
        verdict = checks.verdict(product, limits, masks, _levels(sky, members), mosaic, doubts)
    pages = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=FileSystemLoader(Path(__file__).parent)
    )
    text = pages.get_template("page.html.j2").render(
        product=product,
        fold=FOLD,
        verdict=verdict,
        facts=_facts(jobs, members, masks, warnings),
        pictures=_pictures(jobs, *roads.shown("pictures")),
        exposures=_pictures(jobs, *roads.shown("exposures")),
        blink=_blink(jobs),
        members=_grid(members, MEMBERS),
        left_out=left_out,
        sky=_grid(sky, SKY, rounded=True),
        masks=masks,
        measured=any(row["noise"] is not None for row in masks),
        numbers=[
            (rule, _pairs(entry["statistics"]))
            for rule in [step.name for step in roads.STEPS.values() if step.numbers]
            for entry in jobs
            if entry["rule"] == rule and entry.get("statistics")
        ],
        warnings=warnings,
        times=_times(jobs),
        parameters=_parameters(jobs),
        versions=_versions(jobs),
    )
    write_text(out_path, text)
    if frames_path is not None:
        light_tables.write(frames_path, FRAMES, (row.values() for row in masks))
    if checks_path is not None and verdict is not None:
        write_text(checks_path, checks.text(verdict))


def _levels(sky, members) -> list[dict]:
    """Return the rows of ``sky.csv``, with the ``chip`` that each is of: levels of one chip can be compared."""
    if sky is None or sky.empty:
        return []
    known = {row["member"]: row for row in members.to_dict("records")}
    rows = sky.to_dict("records")
    for row in rows:
        member = known.get(row["member"], {})
        row["chip"] = (member.get("detector"), 1 if member.get("cube") else row["extver"])
    return rows


def _load(records) -> list[dict]:
    """Return the records by rule and wildcards, with only what the page tells, and pictures that it can show.

    Thousands of records then fit in memory.
    """
    jobs, blink, shown = [], None, Counter()
    exposures = {step for step, _ in roads.shown("exposures")}
    for path in sorted(map(str, records)):
        entry = record.read(path)
        entry = {key: entry[key] for key in TOLD if key in entry}
        entry["rule"] = roads.step_of(entry["rule"])  # crmask for crmask_member
        wildcards = entry.get("wildcards") or {}
        entry["name"] = (
            ", ".join(str(wildcards[key]) for key in wildcards if key != "product") or entry["rule"]
        )
        entry["statistics"] = entry.get("statistics") or {}
        pictures = entry.get("thumbnails") or {}
        if entry["rule"] in exposures:
            shown[entry["rule"]] += 1
            pictures = pictures if shown[entry["rule"]] <= MAX_SINGLES else {}
        elif {"before", "after"} <= set(pictures):
            if blink is None or frames.flagged(entry) > frames.flagged(blink):
                if blink is not None:
                    blink["thumbnails"] = {}
                blink = entry
            else:
                pictures = {}
        entry["thumbnails"] = pictures
        jobs.append(entry)
    return sorted(jobs, key=lambda entry: (entry["rule"], entry["name"]))


def _facts(jobs, members, masks, warnings) -> list[tuple[str, str]]:
    science = members[members.exptype.str.lower() == "science"] if "exptype" in members else members
    facts = [("members", str(len(science)))] if len(members) else []
    if len(science) and "group" in science:
        told = science.to_dict("records")
        groups = {group_of(row, v) for row in told for v in range(1, row.get("nframes", 1) + 1)}
        facts.append(("groups", str(len(groups))))
    for key in ("instrument", "detector", "filter"):
        names = sorted(set(science[key]) - {""}) if key in science else []
        if names:
            facts.append((key, ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")))
    known = {
        entry["rule"]: entry["statistics"]
        for entry in jobs
        if entry["rule"] in ("grid", "skymatch", "mosaic")
    }
    grid, mosaic = known.get("grid", {}), known.get("mosaic", {})
    if {"nx", "ny", "pixel_scale"} <= set(grid):
        facts.append(("mosaic", f"{grid['nx']} x {grid['ny']} pixels of {grid['pixel_scale']:.5g} arcsec"))
    if mosaic.get("level") is not None:
        facts.append(("level of the mosaic", _level(mosaic, known.get("skymatch", {}).get("skymethod"))))
    if mosaic.get("exposure_time"):
        facts.append(("exposure time", f"{mosaic['exposure_time']:,.1f} s, each group once"))
    flagged = [row["flagged"] for row in masks if row["flagged"] is not None]
    npix = [row["npix"] for row in masks if row["npix"]]
    if masks:
        share = (
            f" ({100 * sum(flagged) / sum(npix):.4f} % of {sum(npix):,} in {len(masks)} frames)"
            if npix
            else ""
        )
        facts.append(("pixels flagged as outliers", f"{sum(flagged):,}{share}"))
        skipped = sum(row["status"] == "SKIPPED" for row in masks)
        if skipped:
            facts.append(("frames without outlier detection", f"{skipped} (the warnings say why)"))
    facts.append(("warnings", f"{warnings['total']:,}" if warnings["total"] else "none"))
    if ended := [entry["ended"] for entry in jobs if entry.get("ended")]:
        seconds = sum(entry.get("seconds") or 0.0 for entry in jobs)
        facts.append(
            ("made", f"{max(ended)[:19].replace('T', ' ')} UTC, {len(jobs)} jobs, {seconds:.1f} s in all")
        )
    return facts


def _level(mosaic, method) -> str:
    """Say what sky the mosaic has, and why."""
    words = {
        "match": ": the levels agree, and the lowest exposure keeps its sky (skymatch.skymethod: global+match "
        "subtracts that too)",
        "none": ": no sky was subtracted (skymatch.skip)",
    }
    unit = f" {mosaic['unit']}" if mosaic.get("unit") else ""
    return f"{mosaic['level']:.5g}{unit} (median){words.get(method, '')}"


def _pictures(jobs, *wanted) -> list[tuple[str, str]]:
    """Return title and PNG of the wanted pictures (rule, name), in the order wanted."""
    found, whole = [], {step for step, _ in roads.shown("pictures")}
    for rule, name in wanted:
        for entry in jobs:
            if entry["rule"] == rule and name in entry["thumbnails"]:
                title = entry["name"] if entry["name"] != rule else name
                found.append((name if rule in whole else title, entry["thumbnails"][name]))
    return found


def _blink(jobs) -> dict | None:
    """Return the pictures of the frame with the most flagged pixels."""
    pairs = [entry for entry in jobs if {"before", "after"} <= set(entry["thumbnails"])]
    if not pairs:
        return None
    entry = max(pairs, key=frames.flagged)
    return {
        "name": entry["name"],
        **{key: entry["thumbnails"].get(key) for key in ("before", "after", "mask")},
    }


def _grid(table, declared, rounded: bool = False) -> dict | None:
    """Return a table as columns and cells, `rounded` with numbers to 7 digits; None when it is empty.

    Empty columns are left out; a column with the same value in all rows is given once (``same``).
    """
    if table is None or table.empty:
        return None
    cells = {}
    for column in declared:
        if column.name in table:
            short = rounded and column.kind == "float"
            values = table[column.name].astype(object)
            values = values.where(values.notna(), None)
            texts = [
                _short(value) if short and value is not None else column.write(value) for value in values
            ]
            if any(texts):
                cells[column.name] = texts
    own = ("member", "group", "path", "sky")
    same = [name for name in cells if len(table) > 1 and name not in own and len(set(cells[name])) == 1]
    columns = [name for name in cells if name not in same]
    return {
        "columns": columns,
        "rows": [list(row) for row in zip(*(cells[name] for name in columns), strict=True)],
        "same": [f"{name} {cells[name][0]}" for name in same],
    }


def _short(value) -> str:
    """Return a number as text with 7 digits, another value as text."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.7g}"
    return value if isinstance(value, str) else json.dumps(value)


def _pairs(statistics: dict) -> list[tuple[str, str]]:
    return [(key, "null" if value is None else _short(value)) for key, value in statistics.items()]


def _warnings(jobs, notes=()) -> dict:
    """Return the different messages and their counts, the most frequent first."""
    counts = Counter((entry["rule"], text) for entry in jobs for text in entry.get("warnings") or ())
    counts.update(("configuration", note) for note in notes)
    lines = [{"rule": rule, "text": text, "count": n} for (rule, text), n in counts.items()]
    lines.sort(key=lambda line: (-line["count"], line["rule"], line["text"]))
    total = len(notes)
    total += sum(entry.get("warnings_count") or len(entry.get("warnings") or ()) for entry in jobs)
    return {"total": total, "lines": lines[:MAX_WARNINGS], "more": max(0, len(lines) - MAX_WARNINGS)}


def _times(jobs) -> list[dict]:
    """Return one row per rule, in the order in which the rules began."""
    rows: dict[str, dict] = {}
    for entry in jobs:
        empty = {"jobs": 0, "seconds": 0.0, "longest": 0.0, "peak": 0.0, "first": ""}
        row = rows.setdefault(entry["rule"], {"rule": entry["rule"], **empty})
        seconds, started = entry.get("seconds") or 0.0, entry.get("started") or ""
        row["jobs"] += 1
        row["seconds"] += seconds
        row["longest"] = max(row["longest"], seconds)
        row["peak"] = max(row["peak"], entry.get("peak_mb") or 0.0)
        row["first"] = min(row["first"] or started, started)
    return sorted(rows.values(), key=itemgetter("first", "rule"))


def _parameters(jobs) -> list[dict]:
    """Return the settings, each section once: name, keys and values.

    Where rules had different settings, the rules are named too.
    """
    seen: dict[tuple[str, str], dict] = {}
    for entry in jobs:
        chosen = entry.get("params") or {}
        sections = {
            key: value for key, value in chosen.items() if isinstance(value, dict) and key not in FILES
        }
        own = {key: value for key, value in chosen.items() if key not in sections and key not in FILES}
        for name, section in [*sections.items(), (f"{entry['rule']}: other", own)]:
            if section:
                key = (name, json.dumps(section, sort_keys=True))
                row = seen.setdefault(key, {"name": name, "rules": set(), "pairs": _pairs(section)})
                row["rules"].add(entry["rule"])
    count = Counter(name for name, _ in seen)
    return [
        {**row, "rules": sorted(row["rules"]) if count[name] > 1 else []}
        for (name, _), row in sorted(seen.items(), key=itemgetter(0))
    ]


def _versions(jobs) -> list[str]:
    return sorted(
        {f"{name} {version}" for entry in jobs for name, version in (entry.get("versions") or {}).items()}
    )
