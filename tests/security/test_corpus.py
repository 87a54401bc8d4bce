"""Every case of the corpus comes to the end that it states: refused in one line before any product, or read as documented."""

import os
import re
import warnings

import numpy as np
from bench import Bench, judge, products_left
from corpus import every

from drizzleflow import formats
from drizzleflow.errors import InputError

CASES = every()


def pytest_generate_tests(metafunc):
    metafunc.parametrize("name", CASES)


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
        assert set(products_left(tmp_path)) <= ({"members.csv", "members.json"} if verdict.stage == "footprint" else set())
    assert not os.listdir(home), "something ran"
    assert before == {path: path.stat().st_mtime_ns for path in bench.folder.iterdir() if path.is_file()}


def read_or_refused(product):
    """The planes that later jobs ask for are arrays of the frame's shape, or refused in a line that names the file."""
    for member in product.members:
        for extver in range(1, member.nframes + 1):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    frame = formats.read(member.asdict(), extver, ("data", "err", "dq", "var"), product.options["simple"])
                except InputError as error:
                    assert os.path.basename(member.path) in str(error)
                    continue
            planes = [frame.data, frame.err, frame.dq, *frame.var.values()]
            assert all(plane.shape == frame.shape for plane in planes if plane is not None)
            assert frame.data.dtype == np.float32 and (frame.dq is None or frame.dq.dtype == np.uint32)
