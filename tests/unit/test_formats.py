"""What formats declare, that nothing else names one, and that a new format is one new file."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from drizzleflow import formats
from drizzleflow.plan.files import Formats

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
FUNCTIONS = ("recognise", "describe", "read", "write_crf")


def listed() -> set[str]:
    """The names that the documentation of `drizzleflow.formats` lists."""
    lines = re.findall(r"^    (\w+)(?:\(.*?\))?\s{2,}", formats.__doc__, re.MULTILINE)
    return {*lines, "SKY_BITS"}


@pytest.mark.parametrize("name", formats.names())
def test_every_format_declares_all_that_is_listed(name):
    module = formats.get(name)
    assert [key for key in listed() if not hasattr(module, key)] == []
    assert module.NAME == name and module.__doc__ and isinstance(module.PRIORITY, int)
    assert module.ENDING in ("fits", "asdf")
    assert all(re.fullmatch(r"_[a-z0-9]+", suffix) for suffix in module.SUFFIXES)
    assert all(callable(getattr(module, function)) for function in FUNCTIONS)
    assert all(function is None or callable(function) for function in (module.write_clean, module.headers))
    assert all(isinstance(number, (int, float)) and number > 0 for number in module.MEMORY.values())
    assert set(module.GOOD_BITS) == {"single", "mosaic"}


def test_the_list_is_whole():
    """What the formats have in common in capital letters is listed."""
    shared = set.intersection(
        *({key for key in vars(formats.get(name)) if key.isupper()} for name in formats.names())
    )
    assert shared <= listed() and len(listed()) > 18


def test_plain_fits_is_asked_last():
    assert set(formats.names()) == {"jwst", "hst", "roman", "simple"} and formats.names()[-1] == "simple"


def test_bits_of_outliers():
    assert formats.outlier_bits(formats.get("jwst"), {"outlier_bit": 4}) == 17
    assert formats.outlier_bits(formats.get("simple"), {"outlier_bit": 4}) == 4


def test_what_is_declared_survives_the_cache():
    stored: dict = {}
    before = Formats(stored)
    assert before["roman"].ending == "asdf" and before.titles(lambda one: one.has_gwcs) == "JWST, Roman"
    after = Formats(json.loads(json.dumps(stored)))
    assert after.suffixes == before.suffixes == formats.suffixes()
    for name in formats.names():
        assert after[name] == before[name] == formats.declared(name)
        assert json.loads(json.dumps(asdict(after[name]))) == asdict(after[name])


# -- nothing else names one


def named(path) -> list[str]:
    """Texts in code that are a format's name; ``simple``, a section of settings too, where it is compared."""
    text = path.read_text()
    if path.suffix == ".smk":
        return re.findall(r"[\"'](jwst|roman|hst)[\"']", text)
    nodes = list(ast.walk(ast.parse(text)))
    compared = {id(part) for node in nodes if isinstance(node, ast.Compare) for part in ast.walk(node)}
    words = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    names = set(formats.names()) - {"simple"}
    return [
        node.value
        for node in words
        if node.value in names or (node.value == "simple" and id(node) in compared)
    ]


def test_nothing_else_names_a_format():
    files = [
        *sorted((SCRIPTS / "drizzleflow/plan").rglob("*.py")),
        *sorted((ROOT / "rules").glob("*.smk")),
        *sorted(SCRIPTS.glob("*.py")),
        *(
            SCRIPTS / "drizzleflow" / name
            for name in ("provenance/drops.py", "resample/mosaic.py", "resample/i2d.py")
        ),
    ]
    assert len(files) > 30
    assert {str(path.relative_to(ROOT)): words for path in files if (words := named(path))} == {}


# -- a new one

ODD = '''"""A format of this test: the image is the primary HDU's, FORMAT says so, and it is doubled."""
import numpy as np

from drizzleflow.frames.frame import Frame

NAME, TITLE, PRIORITY = "odd", "odd", 5
SUFFIXES = ("_odd",)
ENDING = "fits"
ROADS = {"ODD_IMAGE": "imaging"}
HAS_GWCS, READS_ROWS, TAKES_COMPANIONS, ERR_ALONE = False, False, True, True
TAKES_BITS = False
MEMORY = {"crmask": 1000}
DQ_FLAGS = {}
GOOD_BITS, SKY_BITS = {"single": 0, "mosaic": 0}, 0
SKYMETHOD, SATURATED, DETECTORS_APART = "match", 0, False
OUTLIER, OUTLIER_KEY = 1, None
write_clean = headers = None


def recognise(header):
    return hasattr(header, "get") and header.get("FORMAT") == "ODD"


def describe(path, header, options=None):
    return {"nframes": 1, "cube": False, "nx": header["NAXIS1"], "ny": header["NAXIS2"], "instrument": "",
            "detector": "", "exp_type": header["EXP_TYPE"], "filter": "", "exptime": 1.0, "err": True}


def read(member, extver=1, planes=("data", "dq"), options=None):
    from astropy.io import fits

    data = 2 * fits.getdata(member["path"]).astype(np.float32)
    return Frame(member=member["member"], extver=extver, group=member["group"], shape=data.shape, data=data)


def write_crf(member, masks, path, keywords, options=None):
    raise NotImplementedError
'''

PROGRAM = """
import json, sys
from drizzleflow import formats
from drizzleflow.plan import config, figures, products

root, path, cache = sys.argv[1:]
defaults = config.load(root + "/config/config.yaml")
settings = config.resolve(defaults, {"associations": path}, root + "/config/presets")
made = products.build(settings, cache)
product = made.products["t"]
heavy = [name for name in ("numpy", "astropy", "drizzleflow.formats.odd") if name in sys.modules]
member = product.members[0].asdict()
print(json.dumps({
    "error": product.error, "name": member["member"], "format": member["format"], "road": product.road,
    "ending": product.format.ending, "flux_scale": member["flux_scale"], "heavy": heavy,
    "names": formats.names(),
    "bytes": figures.of_frame(product, "crmask", {})[1], "other": figures.of_frame(product, "mosaic", {})[1],
    "sum": float(formats.read(member).data.sum()), "version": json.load(open(cache))["version"],
}))
"""


def test_a_new_format_is_one_new_file(tmp_path):
    """In a copy of the library: found, asked, read, and known to the plan, which imports it once."""
    import numpy as np
    from astropy.io import fits

    copy = shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "config", tmp_path / "config")
    fits.PrimaryHDU(np.ones((4, 5), "f4"), fits.Header({"FORMAT": "ODD", "EXP_TYPE": "ODD_IMAGE"})).writeto(
        tmp_path / "one_odd.fits"
    )
    (tmp_path / "t.csv").write_text("path,flux_scale\none_odd.fits,3\n")

    def run():
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, ROOT, tmp_path / "t.csv", tmp_path / "plan.json"],
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    plain = run()
    assert (plain["format"], plain["name"], plain["sum"]) == ("simple", "one_odd", 60.0)
    (copy / "drizzleflow/formats/odd.py").write_text(ODD)
    first, again = run(), run()
    assert first["error"] is None and first["names"][0] == "odd"
    assert (first["format"], first["name"], first["road"], first["ending"]) == (
        "odd",
        "one",
        "imaging",
        "fits",
    )
    assert (first["bytes"], first["other"], first["sum"], first["flux_scale"]) == (1000, 75, 40.0, 3.0)
    assert first["version"] == again["version"] != plain["version"]  # what the cache knew was thrown away
    assert "numpy" in first["heavy"] and again.pop("heavy") == [] and again.items() <= first.items()
