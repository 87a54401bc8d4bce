"""The page that `drizzleflow.report` fills: a Jinja template. Nothing is loaded from elsewhere and nothing runs."""

PAGE = """\
{% macro picture(title, png) %}
<figure><img src="data:image/png;base64,{{ png }}" alt="{{ title }}"><figcaption>{{ title }}</figcaption></figure>
{% endmacro %}
{% macro grid(data) %}
{% if data.same %}<p>The same for all: {{ data.same|join(", ") }}.</p>{% endif %}
{% if data.rows|length > fold %}<details><summary>{{ data.rows|length }} rows</summary>{% endif %}
<table><tr>{% for column in data.columns %}<th>{{ column }}</th>{% endfor %}</tr>
{% for row in data.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% if data.rows|length > fold %}</details>{% endif %}
{% endmacro %}
{% macro pairs(rows, title="") %}
<table>{% if title %}<caption>{{ title }}</caption>{% endif %}
{% for key, value in rows %}<tr><th>{{ key }}</th><td>{{ value }}</td></tr>
{% endfor %}</table>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ product }}: drizzleflow report</title>
<style>
body { font: 15px/1.45 sans-serif; max-width: 74em; margin: 2em auto; padding: 0 1em; color: #222; }
h1 { font-size: 24px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 1.8em 0 .4em; border-bottom: 1px solid #ccc; }
p { margin: .4em 0; max-width: 60em; }
table { border-collapse: collapse; margin: .5em 0; font-size: 13px; display: block; overflow-x: auto; }
caption { text-align: left; font-weight: 600; padding: .2em 0; }
th, td { border: 1px solid #ccc; padding: .15em .5em; text-align: left; vertical-align: top; }
th { background: #f2f2f2; font-weight: 600; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { display: inline-block; margin: .5em 1em .5em 0; vertical-align: top; max-width: 100%; }
figcaption { font-size: 13px; overflow-wrap: anywhere; }
img { image-rendering: pixelated; display: block; max-width: 100%; object-fit: contain; object-position: left; }
.large img { height: 30em; }
.small img { height: 11em; }
.small figcaption { max-width: 15em; }
.cut img { width: 17em; }
.blink { position: relative; }
.blink img + img { position: absolute; top: 0; left: 0; animation: blink 1.6s steps(1) infinite; }
.blink:hover img + img { animation-play-state: paused; }
@keyframes blink { 0% { opacity: 0; } 50% { opacity: 1; } }
@media (prefers-reduced-motion: reduce) { .blink img + img { animation: none; opacity: 0; } }
.cards { display: flex; flex-wrap: wrap; gap: 0 1.5em; align-items: flex-start; }
.cards table { max-width: 100%; }
.cards td { max-width: 24em; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>{{ product }}</h1>
{{ pairs(facts) }}
{% if warnings.lines %}
<h2>Warnings</h2>
<table><tr><th>rule</th><th>times</th><th>message</th></tr>
{% for line in warnings.lines %}
<tr><td>{{ line.rule }}</td><td class="n">{{ line.count }}</td><td>{{ line.text }}</td></tr>
{% endfor %}
</table>
{% if warnings.more %}<p>{{ warnings.more }} more; the logs have all {{ warnings.total }}.</p>{% endif %}
{% endif %}
{% if pictures %}
<h2>Mosaic and coverage</h2>
<div class="large">
{% for title, png in pictures %}
{{ picture(title, png) }}
{% endfor %}
</div>
<p>Coverage is the sum of the weights, bright where many exposures add up. All pictures on this page: first row at the
bottom, averages of blocks of pixels, asinh stretch, black where there are no data.</p>
{% endif %}
{% if blink %}
<h2>Before and after</h2>
<p>A part of {{ blink.name }}, the frame with the most flagged pixels. After: flagged pixels show the median of the
exposures instead. Hold the pointer on the first picture to stop it.</p>
<div class="cut">
<figure><div class="blink"><img src="data:image/png;base64,{{ blink.before }}" alt="before">
<img src="data:image/png;base64,{{ blink.after }}" alt="after"></div>
<figcaption>before and after in turn</figcaption></figure>
{{ picture("before", blink.before) }}
{{ picture("after", blink.after) }}
{% if blink.mask %}{{ picture("flagged (red)", blink.mask) }}{% endif %}
</div>
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
<p>The level that is subtracted from each frame, in its own unit per pixel; sigma is its uncertainty, relative to the
zero of its component (frames that a chain of overlaps connects). npix: the pixels behind it.</p>
{{ grid(sky) }}
{% endif %}
{% if exposures %}
<h2>Median and single-drizzled groups</h2>
<div class="small">
{% for title, png in exposures %}
{{ picture(title, png) }}
{% endfor %}
</div>
{% endif %}
{% if members %}
<h2>Members</h2>
{{ grid(members) }}
{% endif %}
{% if numbers %}
<h2>Numbers</h2>
<div class="cards">
{% for rule, rows in numbers %}
{{ pairs(rows, rule) }}
{% endfor %}
</div>
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
<div class="cards">
{% for row in parameters %}
{{ pairs(row.pairs, row.name ~ (" (" ~ row.rules|join(", ") ~ ")" if row.rules else "")) }}
{% endfor %}
</div>
<h2>Software</h2>
<p>{{ versions|join(", ") }}</p>
</body>
</html>
"""
