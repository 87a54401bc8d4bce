"""What the sky section can be told: levels of the user's own, and fields that do not overlap."""

import json
from pathlib import Path

import numpy as np
import pytest
from running import rows, run

from drizzleflow.simulate import simulate


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """An association of two pairs of exposures, some arcminutes apart: its path, and the members of each
    pair.
    """
    folder = tmp_path_factory.mktemp("fields")
    pairs = []
    for number, ra in ((1, 150.1), (2, 150.2)):
        made = simulate(
            folder / str(number),
            flavour="jwst",
            exposures=2,
            detectors=1,
            shape=(96, 96),
            seed=number,
            radec=(ra, 2.2),
            sky_spread=0.3,
        )
        renamed = []
        for path in map(Path, made["members"]):  # visits of their own
            renamed.append(folder / path.name.replace("jw98765001001", f"jw9876500{number}001"))
            renamed[-1].write_bytes(
                path.read_bytes().replace(b"OBSERVTN= '001", f"OBSERVTN= '00{number}".encode())
            )
        pairs.append(renamed)
    association = {
        "asn_type": "image3",
        "asn_id": "o001",
        "products": [
            {
                "name": "two",
                "members": [{"expname": p.name, "exptype": "science"} for pair in pairs for p in pair],
            }
        ],
    }
    (folder / "two_asn.json").write_text(json.dumps(association))
    return folder / "two_asn.json", [[p.name.removesuffix("_cal.fits") for p in pair] for pair in pairs]


def test_sets_that_do_not_overlap(fields, tmp_path):
    """Each has its own zero, and the names are said; or an error; or one zero."""
    association, pairs = fields
    done = run(tmp_path, {"associations": str(association)}, "skymatch")
    table = rows(done.product("two") / "sky.csv")
    assert [[r["component"] for r in table if r["member"] in pair] for pair in pairs] == [
        ["1", "1"],
        ["2", "2"],
    ]
    for pair in pairs:
        assert min(float(r["sky"]) for r in table if r["member"] in pair) == 0
    log = done.log("two", "skymatch")
    assert (
        "WARNING" in log
        and "2 sets of groups do not overlap" in log
        and all(r["group"] in log for r in table)
    )
    failed = run(
        tmp_path,
        {"associations": str(association), "skymatch": {"disconnected": "error"}},
        "skymatch",
        check=False,
    )
    assert failed.process.returncode != 0
    assert (
        "skymatch.disconnected: 2 sets of groups do not overlap each other"
        in failed.log("two", "skymatch") + failed.said
    )
    done = run(
        tmp_path, {"associations": str(association), "skymatch": {"disconnected": "global"}}, "skymatch"
    )
    assert sorted(float(r["sky"]) == 0 for r in rows(done.product("two") / "sky.csv")) == [
        False,
        False,
        False,
        True,
    ]


def test_levels_of_the_users_own(fields, tmp_path):
    association, pairs = fields
    wanted = {name: 0.25 * k - 0.3 for k, name in enumerate(pairs[0] + pairs[1])}
    (tmp_path / "levels.txt").write_text(
        "# measured by hand\n" + "".join(f"{name}_cal.fits {level}\n" for name, level in wanted.items())
    )
    config = {"associations": str(association), "skymatch": {"skymethod": "user", "skylist": "levels.txt"}}
    done = run(tmp_path, config, "single_drizzle")
    assert {r["member"]: float(r["sky"]) for r in rows(done.product("two") / "sky.csv")} == pytest.approx(
        wanted
    )
    assert not (done.product("two") / "sky").exists()  # nothing is measured
    (tmp_path / "levels.txt").write_text("".join(f"{name} 0.5\n" for name in wanted))
    again = run(tmp_path, config, "skymatch")
    assert np.allclose([float(r["sky"]) for r in rows(again.product("two") / "sky.csv")], 0.5)
    (tmp_path / "levels.txt").write_text(f"{pairs[0][0]} 0.5\n")
    failed = run(tmp_path, config, "skymatch", check=False)
    assert f"levels.txt: no level of {pairs[0][1]}" in failed.said + failed.log("two", "skymatch")
    other = run(
        tmp_path,
        {"associations": str(association), "skymatch": {"skymethod": "user"}},
        "skymatch",
        check=False,
    )
    assert "skymatch.skymethod is user and skymatch.skylist is null, expected user with a file" in other.said
