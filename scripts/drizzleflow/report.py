"""One self-contained page about a product: pictures, sky levels, flagged fractions, parameters, times, warnings.

Everything on it comes from the jobs' records and two small tables, never from an intermediate image (these may be gone).
"""

from __future__ import annotations

import csv
import datetime
import json
from collections import Counter
from operator import itemgetter

from drizzleflow import record
from drizzleflow.errors import InputError
from drizzleflow.files import write_text

MAX_WARNINGS = 200  #: different messages listed
MAX_SINGLES = 12  #: single-drizzled images shown
FOLD = 40  #: longer tables are folded


def table(path) -> list[dict]:
    """The rows of a CSV file (``members.csv``, ``sky.csv``), values as text.

    Raises
    ------
    InputError
        The file is missing or not UTF-8 text.
    """
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a readable table ({error})") from None


def make(records, members, sky, out_path, product: str) -> None:
    """Write the report of one product.

    Parameters
    ----------
    records : list of paths
        Records of the product's jobs (see `drizzleflow.record`), in any order; the page does not depend on it.
    members, sky : lists of dicts
        Rows of ``members.csv`` and ``sky.csv`` (see `table`); either may be empty.
    out_path : path
        The HTML file.
    product : str
        Name of the product.

    Raises
    ------
    InputError
        A record cannot be read.
    """
    from jinja2 import Environment

    jobs = _load(records)
    masks = _masks(jobs, members)
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(TEMPLATE)
    text = page.render(
        product=product,
        fold=FOLD,
        facts=_facts(jobs, members, masks),
        pictures=_pictures(jobs),
        blink=_blink(jobs),
        members=_grid(members),
        sky=_grid(sky, rounded=True),
        masks=masks,
        numbers=[(rule, _pairs(entry["statistics"])) for rule in ("grid", "skymatch", "median", "mosaic") for entry in jobs
                 if entry["rule"] == rule and entry.get("statistics")],
        warnings=_warnings(jobs),
        times=_times(jobs),
        parameters=_parameters(jobs),
        versions=_versions(jobs),
    )  # fmt: skip
    write_text(out_path, text)


def _load(records) -> list[dict]:
    """Records by rule and wildcards, with only those pictures that the page can show: thousands must fit in memory."""
    jobs, blink, singles = [], None, 0
    for path in sorted(map(str, records)):
        entry = record.read(path)
        entry["name"] = ", ".join(map(str, (entry.get("wildcards") or {}).values())) or entry["rule"]
        entry["statistics"] = entry.get("statistics") or {}
        pictures = entry.get("thumbnails") or {}
        if entry["rule"] == "single_drizzle":
            singles += 1
            pictures = pictures if singles <= MAX_SINGLES else {}
        elif {"before", "after"} <= set(pictures):
            if blink is None or _flagged(entry) > _flagged(blink):
                if blink is not None:
                    blink["thumbnails"] = {}
                blink = entry
            else:
                pictures = {}
        entry["thumbnails"] = pictures
        jobs.append(entry)
    return sorted(jobs, key=lambda entry: (entry["rule"], entry["name"]))


def _frames(entry) -> list[dict]:
    frames = entry["statistics"].get("frames")
    return [frame for frame in frames if isinstance(frame, dict)] if isinstance(frames, list) else []


def _flagged(entry) -> int:
    return sum(frame.get("flagged") or 0 for frame in _frames(entry))


def _masks(jobs, members) -> list[dict]:
    """A row a frame: member, extver, status, flagged, npix, fraction; in the order of `members`."""
    rows = []
    for entry in jobs:
        if entry["rule"] != "crmask":
            continue
        for frame in _frames(entry):
            flagged, npix, fraction = frame.get("flagged"), frame.get("npix"), frame.get("fraction")
            if fraction is None and npix and flagged is not None:
                fraction = flagged / npix
            rows.append({
                "member": str(frame.get("member") or (entry.get("wildcards") or {}).get("member") or entry["name"]),
                "extver": frame.get("extver"),
                "status": frame.get("status") or entry["statistics"].get("status"),
                "flagged": flagged,
                "npix": npix,
                "fraction": fraction,
            })  # fmt: skip
    order = {row.get("member"): number for number, row in enumerate(members)}
    return sorted(
        rows, key=lambda row: (order.get(row["member"], len(order)), row["member"], row["extver"] or 0)
    )


def _facts(jobs, members, masks) -> list[tuple[str, str]]:
    science = [row for row in members if str(row.get("exptype", "science")).lower() == "science"]
    facts = [("members", str(len(science)))] if members else []
    if any("group" in row for row in science):
        facts.append(("groups", str(len({row["group"] for row in science}))))
    flagged = [row["flagged"] for row in masks if row["flagged"] is not None]
    npix = [row["npix"] for row in masks if row["npix"]]
    if masks:
        facts.append(("frames with a mask", str(len(masks))))
        share = f" ({100 * sum(flagged) / sum(npix):.4f} % of {sum(npix):,})" if npix else ""
        facts.append(("pixels flagged as outliers", f"{sum(flagged):,}{share}"))
        skipped = sum(row["status"] == "SKIPPED" for row in masks)
        if skipped:
            facts.append(("frames without outlier detection", f"{skipped} (fewer than two groups)"))
    times = [entry[key] for entry in jobs for key in ("started", "ended") if entry.get(key)]
    if times:
        span = datetime.datetime.fromisoformat(max(times)) - datetime.datetime.fromisoformat(min(times))
        facts.append(("made", f"{min(times)[:19]} UTC, {span.total_seconds():.1f} s from first job to last"))
    return facts


def _pictures(jobs) -> list[tuple[str, str]]:
    wanted = [
        ("mosaic", "mosaic"),
        ("mosaic", "coverage"),
        ("median", "median"),
        ("single_drizzle", "single"),
    ]
    found = []
    for rule, name in wanted:
        for entry in jobs:
            if entry["rule"] == rule and name in entry["thumbnails"]:
                title = name if name in ("mosaic", "coverage") else f"{name}: {entry['name']}"
                found.append((title, entry["thumbnails"][name]))
    return found


def _blink(jobs) -> dict | None:
    """The pictures of the frame with the most flagged pixels."""
    pairs = [entry for entry in jobs if {"before", "after"} <= set(entry["thumbnails"])]
    if not pairs:
        return None
    entry = max(pairs, key=_flagged)
    return {
        "name": entry["name"],
        **{key: entry["thumbnails"].get(key) for key in ("before", "after", "mask")},
    }


def _grid(rows, rounded: bool = False) -> dict | None:
    """Column names and cells of a list of dicts; None when empty. `rounded`: text that is a number, but no name, also."""
    if not rows:
        return None
    columns = [column for column in rows[0] if column is not None]
    names = (
        columns if not rounded else [column for column in columns if column in ("member", "group", "path")]
    )
    cells = [
        [_short(_number(row.get(key)) if key not in names else row.get(key)) for key in columns]
        for row in rows
    ]
    return {"columns": columns, "rows": cells}


def _number(value):
    """Text that is a number with a fraction or an exponent, as float."""
    try:
        return float(value) if isinstance(value, str) and set(value) & set(".eE") else value
    except ValueError:
        return value


def _short(value) -> str:
    """Numbers to 7 digits, other values as text."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.7g}"
    return value if isinstance(value, str) else json.dumps(value)


def _pairs(statistics: dict) -> list[tuple[str, str]]:
    return [(key, _short(value)) for key, value in statistics.items()]


def _warnings(jobs) -> dict:
    """Different messages and their counts, the most frequent first."""
    counts = Counter((entry["rule"], text) for entry in jobs for text in entry.get("warnings") or ())
    lines = [{"rule": rule, "text": text, "count": n} for (rule, text), n in counts.items()]
    lines.sort(key=lambda line: (-line["count"], line["rule"], line["text"]))
    total = sum(entry.get("warnings_count") or len(entry.get("warnings") or ()) for entry in jobs)
    return {"total": total, "lines": lines[:MAX_WARNINGS], "more": max(0, len(lines) - MAX_WARNINGS)}


def _times(jobs) -> list[dict]:
    """A row a rule, in the order in which the rules began."""
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
    """The different parameter sets of each rule (`opts`; all parameters where there is none) and how many jobs had each."""
    seen: dict[tuple[str, str], dict] = {}
    for entry in jobs:
        params = entry.get("params") or {}
        chosen = params.get("opts", params)
        chosen = chosen if isinstance(chosen, dict) else {"opts": chosen}
        if chosen:
            key = (entry["rule"], json.dumps(chosen, sort_keys=True))
            row = seen.setdefault(key, {"rule": entry["rule"], "jobs": 0, "pairs": _pairs(chosen)})
            row["jobs"] += 1
    return list(seen.values())


def _versions(jobs) -> list[str]:
    return sorted(
        {f"{name} {version}" for entry in jobs for name, version in (entry.get("versions") or {}).items()}
    )


TEMPLATE = """\
{% macro picture(title, png) %}
<figure><img src="data:image/png;base64,{{ png }}" alt="{{ title }}"><figcaption>{{ title }}</figcaption></figure>
{% endmacro %}
{% macro grid(data) %}
{% if data.rows|length > fold %}<details><summary>{{ data.rows|length }} rows</summary>{% endif %}
<table><tr>{% for column in data.columns %}<th>{{ column }}</th>{% endfor %}</tr>
{% for row in data.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% if data.rows|length > fold %}</details>{% endif %}
{% endmacro %}
{% macro pairs(rows) %}
<table>{% for key, value in rows %}<tr><th>{{ key }}</th><td>{{ value }}</td></tr>
{% endfor %}</table>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ product }}: drizzleflow report</title>
<style>
body { font: 15px/1.45 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: .5em 0; font-size: 13px; display: block; overflow-x: auto; }
th, td { border: 1px solid #ccc; padding: .15em .5em; text-align: left; vertical-align: top; }
th { background: #f2f2f2; font-weight: 600; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { display: inline-block; margin: .5em 1em .5em 0; vertical-align: top; }
figcaption { font-size: 13px; max-width: 26em; overflow-wrap: anywhere; }
img { image-rendering: pixelated; min-width: 192px; background: #000; display: block; }
.blink { position: relative; }
.blink img + img { position: absolute; top: 0; left: 0; animation: blink 1.6s steps(1) infinite; }
.blink:hover img + img { animation-play-state: paused; }
@keyframes blink { 0% { opacity: 0; } 50% { opacity: 1; } }
@media (prefers-reduced-motion: reduce) { .blink img + img { animation: none; opacity: 0; } }
</style>
</head>
<body>
<h1>{{ product }}</h1>
{{ pairs(facts) }}
{% if pictures %}
<h2>Pictures</h2>
{% for title, png in pictures %}
{{ picture(title, png) }}
{% endfor %}
<p>First row at the bottom; asinh stretch of block averages; black: no data.</p>
{% endif %}
{% if blink %}
<h2>Before and after</h2>
<figure><div class="blink"><img src="data:image/png;base64,{{ blink.before }}" alt="before">
<img src="data:image/png;base64,{{ blink.after }}" alt="after"></div>
<figcaption>{{ blink.name }} (blinking; hold the pointer on it to stop)</figcaption></figure>
{{ picture("before", blink.before) }}
{{ picture("after", blink.after) }}
{% if blink.mask %}{{ picture("mask", blink.mask) }}{% endif %}
{% endif %}
{% if masks %}
<h2>Flagged pixels</h2>
{% if masks|length > fold %}<details><summary>{{ masks|length }} frames</summary>{% endif %}
<table><tr><th>member</th><th>extver</th><th>status</th><th>flagged</th><th>of</th><th>%</th></tr>
{% for row in masks %}
<tr><td>{{ row.member }}</td><td class="n">{{ row.extver if row.extver is not none }}</td><td>{{ row.status or "" }}</td>
<td class="n">{{ row.flagged if row.flagged is not none }}</td><td class="n">{{ row.npix if row.npix is not none }}</td>
<td class="n">{{ "%.4f"|format(100 * row.fraction) if row.fraction is not none }}</td></tr>
{% endfor %}
</table>
{% if masks|length > fold %}</details>{% endif %}
{% endif %}
{% if sky %}
<h2>Sky</h2>
<p>The level in the frame's own unit per pixel.</p>
{{ grid(sky) }}
{% endif %}
{% for rule, rows in numbers %}
<h2>{{ rule }}</h2>
{{ pairs(rows) }}
{% endfor %}
<h2>Warnings</h2>
{% if warnings.lines %}
<table><tr><th>rule</th><th>times</th><th>message</th></tr>
{% for line in warnings.lines %}
<tr><td>{{ line.rule }}</td><td class="n">{{ line.count }}</td><td>{{ line.text }}</td></tr>
{% endfor %}
</table>
{% if warnings.more %}<p>{{ warnings.more }} more; the logs have all {{ warnings.total }}.</p>{% endif %}
{% else %}
<p>None.</p>
{% endif %}
{% if members %}
<h2>Members</h2>
{{ grid(members) }}
{% endif %}
<h2>Time and memory</h2>
<table><tr><th>rule</th><th>jobs</th><th>total s</th><th>longest s</th><th>peak MiB</th></tr>
{% for row in times %}
<tr><td>{{ row.rule }}</td><td class="n">{{ row.jobs }}</td><td class="n">{{ "%.2f"|format(row.seconds) }}</td>
<td class="n">{{ "%.2f"|format(row.longest) }}</td><td class="n">{{ "%.0f"|format(row.peak) }}</td></tr>
{% endfor %}
</table>
<p>Without the start of the job's process.</p>
<h2>Parameters</h2>
{% for row in parameters %}
<h3>{{ row.rule }} ({{ row.jobs }} {{ "job" if row.jobs == 1 else "jobs" }})</h3>
{{ pairs(row.pairs) }}
{% endfor %}
<h2>Software</h2>
<p>{{ versions|join(", ") }}</p>
</body>
</html>
"""
