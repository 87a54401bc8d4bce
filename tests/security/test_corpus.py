"""Every case of the corpus comes to the end that it states: refused in one line before any product, or read
as documented.
"""

import os
import re
import warnings

import numpy as np
import pytest
from bench import Bench, judge, one_line, products_left
from corpus import every

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.geometry.build_grid import build

CASES = every()


@pytest.mark.parametrize("name", CASES)
def test_case(name, tmp_path, monkeypatch):
    case, home = CASES[name], tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    bench = Bench(tmp_path / "in", case.flavour)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case.spoil(bench)
    before = {path: path.stat().st_mtime_ns for path in bench.folder.iterdir() if path.is_file()}
    verdict = judge(bench.settings, tmp_path)
    assert re.fullmatch(case.stage, verdict.stage), (verdict.stage, verdict.message)
    if verdict.stage == "accepted":
        assert re.search(case.says, verdict.log), verdict.log
        assert len(verdict.outlines) == (case.frames or sum(m.nframes for m in verdict.product.members))
        read_or_refused(verdict.product)
    else:
        assert re.search(case.says, verdict.message, re.DOTALL), verdict.message
        assert verdict.message.isprintable() and len(verdict.message) < 2100
        name = {"bad": bench.bad.name, "asn": bench.asn.name, "none": ""}[case.named]
        assert name in verdict.message, verdict.message
        # what the plan says of the members is all there may be
        assert set(products_left(tmp_path)) <= (
            {"members.csv", "members.json"} if verdict.stage == "footprint" else set()
        )
    assert not os.listdir(home), "something ran"
    assert before == {path: path.stat().st_mtime_ns for path in bench.folder.iterdir() if path.is_file()}


def read_or_refused(product):
    """The planes that later jobs ask for are arrays of the frame's shape, or refused in a line that names the
    file.
    """
    for member in product.members:
        for extver in range(1, member.nframes + 1):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    frame = formats.read(
                        member.asdict(), extver, ("data", "err", "dq", "var"), product.options["simple"]
                    )
                except InputError as error:
                    assert os.path.basename(member.path) in str(error)
                    continue
            planes = [frame.data, frame.err, frame.dq, *frame.var.values()]
            assert all(plane.shape == frame.shape for plane in planes if plane is not None)
            assert frame.data.dtype == np.float32 and (frame.dq is None or frame.dq.dtype == np.uint32)


BOMB = "#ASDF 1.0.0\n%YAML 1.1\n--- !<tag:stsci.edu:asdf/core/asdf-1.1.0>\na0: &a0 [x,x]\n" + "".join(
    f"a{i}: &a{i} [*a{i - 1},*a{i - 1}]\n" for i in range(1, 60)
)


@pytest.mark.parametrize(
    "name, content, says",
    [
        ("pipe.fits", None, r"grid\.output_wcs: .*pipe\.fits: not a file"),
        ("pipe.asdf", None, r"grid\.output_wcs: .*pipe\.asdf: not a file"),
        (
            "laughs.asdf",
            BOMB + "...\n",
            r"laughs\.asdf: the tree is not valid YAML \(its aliases make more than",
        ),
        (
            "deep.asdf",
            "#ASDF 1.0.0\n--- " + "[" * 100_000 + "\n...\n",
            r"deep\.asdf: .*more than 200 collections",
        ),
        ("cut.asdf", "#ASDF 1.0.0\n---\nwcs: 1\n", r"cut\.asdf: not an ASDF tree, or cut short"),
        ("text.fits", "CTYPE1 = nothing", r"grid\.output_wcs: .*text\.fits"),
    ],
)
def test_an_output_wcs(tmp_path, name, content, says):
    """What a user names is looked at like what a file holds."""
    path, footprint = (
        tmp_path / name,
        {"outline": [[1, 2], [1, 2]], "pixel_area": 1e-12, "scale": 0.1, "s_region": None},
    )
    os.mkfifo(path) if content is None else path.write_text(content)
    options = {"output_wcs": str(path), "output_shape": None, "footprints": "wcs"}
    with pytest.raises(InputError, match=says) as caught:
        build([footprint], options)
    one_line(caught.value)
