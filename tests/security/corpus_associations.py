"""Associations and configurations that are wrong, and names that would like to be somewhere else."""

import os
import shutil

import numpy as np
from astropy.io import fits
from corpus import case


def asn(name, stage="plan", says="", flavour="simple", named="asn", **more):
    return case(name, flavour, stage, says, named=named, **more)


# -- who is named


@asn("an association that names itself", says="does not begin with SIMPLE")
def _(b):
    b.table(["table.csv"])


@asn("a JSON association that names itself", says="does not begin with SIMPLE")
def _(b):
    b.level3("table.json")


@asn("links in a circle", says=r"loop\.fits: no such file")
def _(b):
    (b.folder / "loop.fits").symlink_to("pool.fits")
    (b.folder / "pool.fits").symlink_to("loop.fits")
    b.table(["loop.fits"])


@asn("a member that is a folder", says=r"folder\.fits: not a file")
def _(b):
    (b.folder / "folder.fits").mkdir()
    b.table(["folder.fits"])


@asn("a member that is a pipe", says=r"pipe\.fits: not a file")
def _(b):
    os.mkfifo(b.folder / "pipe.fits")
    b.table(["pipe.fits"])


@asn("a member without an end", says=r"zero\.fits: not a file")
def _(b):
    (b.folder / "zero.fits").symlink_to("/dev/zero")
    b.table(["zero.fits"])


@asn("flags that are a pipe", says=r"pipe\.fits \(dq\): not a file")
def _(b):
    os.mkfifo(b.folder / "pipe.fits")
    b.table(f"path,dq\n{b.bad.name},pipe.fits")


@asn("an association that is a pipe", says="not a file")
def _(b):
    os.mkfifo(b.folder / "pipe.csv")
    b.settings["associations"] = str(b.folder / "pipe.csv")
    b.asn = b.folder / "pipe.csv"


@asn("an association without an end", says="not a file")
def _(b):
    b.asn = b.folder / "zero.json"
    b.asn.symlink_to("/dev/zero")
    b.settings["associations"] = str(b.asn)


@asn("two members with one stem", says="duplicate member twin")
def _(b):
    for folder, source in (("one", b.members[0]), ("two", b.members[1])):
        (b.folder / folder).mkdir()
        shutil.copy(source, b.folder / folder / "twin.fits")
    b.table(["one/twin.fits", "two/twin.fits"])


@asn("one stem with two endings", says="duplicate member twin")
def _(b):
    shutil.copy(b.members[0], b.folder / "twin.fits")
    shutil.copy(b.members[1], b.folder / "twin_crf.fits")
    b.table(["twin.fits", "twin_crf.fits"])


# -- names of what is written


def named(name, text, field="member", says=r"cannot be a file name"):
    """A name that an association gives to its product, member or group."""

    @asn(f"{field}: {name}", says=says)
    def _(b):
        if field == "product":
            b.level3(name=text)
        elif field == "group":
            b.level3(group_id=text)
        else:
            b.table(f'path,member\n{b.bad.name},"' + text.replace('"', '""') + '"')


UNSAFE = {
    "a way up": "../../up",
    "an absolute path": "/tmp/owned",
    "a space": "a b",
    "a quote": "a'b",
    "quotes": 'a"b',
    "a command": "$(touch PWNED)",
    "backticks": "`touch PWNED`",
    "a semicolon": "a;touch PWNED",
    "a pipe": "a|touch PWNED",
    "a dash in front": "-rf",
    "dots": "..",
    "too long": "x" * 201,
    "not ASCII": "stjärna",
    "braces": "{product}",
    "a glob": "*",
    "a template": "{{ 7 * 7 }}",
    "per cent": "%s%s%n",
    "a direction": "a\u202eb",
    "an escape": "a\x1b[2Jb",
}
for _name, _text in UNSAFE.items():
    named(_name, _text)
named("a line break", "a\nb", "product")
named("a NUL", "a\0b", "product")
named("half a character", "\ud800", "product")
named("a way up", "../../up", "product")
named("a command", "$(touch PWNED)", "product")
named("a line break", "a\nb", "group")
named("a way up", "../../up", "group")
named("a table", {"a": 1}, "group", r"group_id is \{'a': 1\}, expected a text")


def path(name, text, says):
    @asn(f"a path with {name}", says=says)
    def _(b):
        b.level3(text)


path("a NUL", "a\0b.fits", r"members\[0\]: expname is 'a\\x00b.fits', expected a text")
path("a line break", "a\nb.fits", r"members\[0\]: expname is 'a\\nb.fits', expected a text")
path("half a character", "\ud800.fits", r"expname is '\\ud800.fits', expected a text")
path("braces", "{product}.fits", "has one of { } < >, which Snakemake takes for names to fill in")
path(
    "a name in angle brackets",
    "<results>/x.fits",
    "has one of { } < >, which Snakemake takes for names to fill in",
)
path("ten thousand characters", "x" * 10_000 + ".fits", "no such file|cannot be a file name")


@asn("a CSV path with an escape sequence", says=r"a\\x1b\[2Jb\.fits' has control characters")
def _(b):
    b.table(["a\x1b[2Jb.fits"])


for _name, _text in {
    "spaces": "a b  c",
    "quotes": "a'b\"c",
    "a command": "$(touch PWNED)`touch PWNED`",
    "not ASCII": "stjärna",
    "a dash in front": "-rf",
}.items():

    def _make(text):
        def _(b):
            folder = b.folder / text
            folder.mkdir()
            for number, member in enumerate(b.members):
                shutil.move(member, folder / f"{text} {number}.fits")
            quoted = (text.replace('"', '""'),) * 2
            b.table("path,member\n" + "".join(f'"{quoted[0]}/{quoted[1]} {i}.fits",m{i}\n' for i in (0, 1)))

        return _

    asn(f"read from a path with {_name}", "accepted")(_make(_text))


# -- tables


def text(name, content, says, file="table.json"):
    @asn(name, says=says)
    def _(b):
        b.json(content, file)


text("a thousand brackets", "[" * 1000, "not valid JSON")
text("a million brackets", "[" * 1_000_000, "not valid JSON")
text("a number of a hundred thousand digits", '{"products": ' + "1" * 100_000 + "}", "not valid JSON")
text("JSON in UTF-16", '{"products": []}'.encode("utf-16"), "not a text file in UTF-8")
text("JSON that is binary", b"\x00\x01\x02", "a binary file")
text("products that are a table", {"products": {"a": 1}}, "no list 'products'")
text(
    "a member that is null",
    {"products": [{"name": "a", "members": [None]}]},
    r"members\[0\] is None, expected an object",
)
text(
    "a product's name that is a list",
    {"products": [{"name": ["a"], "members": []}]},
    r"name is \['a'\], expected a text",
)
text("members that are a word", {"products": [{"name": "a", "members": "b"}]}, "no list 'members'")
text("a JSON of nothing", "", "not valid JSON")
text("a CSV with an open quote", 'path\n"a.fits\n', "not valid CSV", "table.csv")
text(
    "a CSV with a field without an end",
    "path\n" + "x" * 200_000 + "\n",
    "not valid CSV|no such file|cannot be",
    "table.csv",
)
text("a CSV of NULs", b"path\n\0\0\0\n", "a binary file", "table.csv")
text("a CSV of other columns", "file;filter\na;b\n", "is unknown, expected some of path", "table.csv")
text("a CSV with too many values", "path\na,b,c\n", "row 1 has 3 values, expected 1", "table.csv")
text(
    "a scale of infinity",
    "path,flux_scale\na.fits,inf\n",
    "flux_scale is 'inf', expected a number > 0",
    "table.csv",
)


def table(name, says, change=None, rows=None):
    """An HST table: its bytes changed, or other rows."""

    @case(name, "hst", "plan", says, named="asn")
    def _(b):
        if rows is not None:
            columns = [fits.Column(key, form, array=np.array(values)) for key, form, values in rows]
            fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(
                b.asn, overwrite=True
            )
        else:
            change(b)


YES = ("MEMPRSNT", "L", [True])
table(
    "an HST table that is cut short",
    r"\[ASN\]: the file is cut short",
    lambda b: b.cut(b.place("ASN", b.asn)[1] + 20, b.asn),
)
table(
    "an HST table of a billion rows",
    "the file is cut short",
    lambda b: b.card("NAXIS2", "          1000000000", 1, b.asn),
)
table(
    "an HST table without a table",
    "no column MEMNAME",
    lambda b: fits.PrimaryHDU().writeto(b.asn, overwrite=True),
)
table(
    "an HST table of no rows",
    "no science member",
    rows=[("MEMNAME", "14A", []), ("MEMTYPE", "14A", []), ("MEMPRSNT", "L", [])],
)
table(
    "an HST table without MEMPRSNT",
    "no column MEMPRSNT",
    rows=[("MEMNAME", "14A", ["A"]), ("MEMTYPE", "14A", ["EXP-DTH"])],
)
table(
    "an HST table with a way up",
    "neither .* exists",
    rows=[("MEMNAME", "20A", ["../../../x"]), ("MEMTYPE", "14A", ["EXP-DTH"]), YES],
)
table(
    "an HST table with a blank name",
    "neither .* exists|cannot be",
    rows=[("MEMNAME", "14A", [""]), ("MEMTYPE", "14A", ["EXP-DTH"]), YES],
)
table(
    "an HST table with numbers for names",
    "no science member|neither .* exists",
    rows=[("MEMNAME", "D", [1.5]), ("MEMTYPE", "D", [2.5]), YES],
)


# -- configuration


def setting(name, value, says, **more):
    @case(f"configuration: {name}", "simple", "config", says, named="none")
    def _(b):
        b.settings.update(value() if callable(value) else value)


def laughs(kind):
    found = ["x"] * 10
    for _ in range(12):
        found = [found] * 10 if kind is list else {str(i): found for i in range(10)}
    return found


setting("an unknown preset", {"preset": "vlt"}, "preset is 'vlt', expected one of null, jwst, hst")
setting("a preset that is a path", {"preset": "../../../etc/passwd"}, "preset is .* expected one of")
setting("a preset that is a list", {"preset": ["jwst"]}, "preset is .* expected one of")
setting("outdir that is a list", {"outdir": ["a"]}, r"outdir is \['a'\], expected")
setting(
    "outdir with braces", {"outdir": "out{member}"}, r"outdir is 'out\{member\}', expected a path without"
)
setting("outdir with a line break", {"outdir": "a\nb"}, "outdir is .* expected text of one line")
setting("outdir with a NUL", {"outdir": "a\0b"}, "outdir is .* expected text of one line")
setting("a path without an end", {"outdir": "x" * 100_000}, "outdir is 'xxx")
setting("associations that are numbers", {"associations": [1]}, r"associations is \[1\], expected a path")
setting("associations that are a table", {"associations": {"a": 1}}, "associations is .* expected a path")
setting(
    "a billion laughs for a section",
    lambda: {"crmask": laughs(list)},
    "crmask is .* expected keys with values",
)
setting("a billion laughs for a value", lambda: {"outdir": laughs(list)}, "outdir is .* expected")
setting("a billion keys", lambda: {"crmask": laughs(dict)}, "crmask.0: no such key")
setting(
    "a keyword with a command and a line break",
    {"simple": {"exptime_keyword": "E\n$(touch PWNED)"}},
    "expected text of one line",
)
setting("not a number", {"grid": {"pixel_scale": float("nan")}}, "grid.pixel_scale is nan, expected")
setting(
    "a number of a thousand digits",
    {"grid": {"pixel_scale": 10**1000}},
    "grid.pixel_scale is 1e300 or more, expected a number",
)
setting("a truth value for a number", {"grid": {"pixel_scale": True}}, "grid.pixel_scale is True, expected")
setting("overrides that are a word", {"overrides": "none"}, "overrides is 'none', expected a list")
setting("a key that is no text", {5: 1}, "5: no such key")
