"""The median in bands of rows: any number of them gives the bytes of the file that one job writes."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from test_combine import random_singles

from drizzleflow.combine import median_stack
from drizzleflow.combine.parameters import TYPES
from drizzleflow.errors import InputError
from drizzleflow.io.fits import write_hdus
from drizzleflow.plan import config

ROOT = Path(__file__).parents[2]
DEFAULTS = config.resolve(config.load(ROOT / "config" / "config.yaml"), {}, ROOT / "config" / "presets")
CARDS = [("NCOMBINE", 1, "")]


def options(groups=(), resampled=True, **median):
    return {
        "median": DEFAULTS["median"] | median,
        "single_drizzle": {"resample_data": resampled},
        "groups": list(groups),
    }


def written(path, planes, told, groups) -> bytes:
    write_hdus(path, median_stack.layout(planes, told, groups, None, CARDS))
    return path.read_bytes()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 5),
    kind=st.sampled_from(TYPES),
    others=st.booleans(),
    count=st.integers(2, 20),
    bufsize=st.sampled_from([1.0, 1e-9, 0.0005]),
)
def test_any_number_of_bands_gives_the_bytes_of_one_job(seed, n, kind, others, count, bufsize):
    """Of every type, with noise that is stated and (even seeds) measured, and more bands than rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [single.path for single in random_singles(name, seed, n)[1]]
        groups = [f"g{k}" for k in range(n)] if others and kind != "sum" else []
        given = options(groups, combine_type=kind, combine_bufsize=bufsize)
        planes, told = median_stack.combine(paths, given, folder)
        whole, deepest = written(folder / "whole.fits", planes, told, groups), int(planes["NUSED"][:].max())
        assert told.deepest == deepest and told.paths == paths
        made = [folder / f"{number:04d}.npz" for number in range(count)]
        for number, path in enumerate(made):
            part, of_part = median_stack.combine(paths, given, folder, count, number)
            assert of_part.window == told.window
            median_stack.write_band(path, part, of_part)
        joined, again = median_stack.join(made)
        assert written(folder / "joined.fits", joined, again, groups) == whole
        assert repr(again) == repr(told) and again.notes == told.notes  # as text: NaN is equal to itself
        with fits.open(folder / "joined.fits", checksum=True) as hdus:
            wanted = ["PRIMARY", "SCI", "NUSED"] + ["ERR"] * (kind == "auto")
            assert [hdu.name for hdu in hdus] == wanted + ["MEAN", "WSUM", "VMEAN", "NMEAN", "GROUPS"] * bool(
                groups
            )


def test_a_band_reads_no_image_that_it_does_not_meet(tmp_path, monkeypatch):
    """Beside what it takes to know all images' noise, which these state."""
    singles = random_singles(tmp_path, 1, 5)[1]
    read, before = [], type(singles[0]).read

    def watched(self, plane, y0, y1):
        read.append(self.path)
        return before(self, plane, y0, y1)

    monkeypatch.setattr(type(singles[0]), "read", watched)
    given = options("abcde", combine_type="median", combine_grow=0)
    paths = [single.path for single in singles]
    count = max(single.window.y1 for single in singles) - min(single.window.y0 for single in singles)
    planes, told = median_stack.combine(paths, given, tmp_path, count, 0)
    assert planes["SCI"].shape[0] == 1
    reach = told.window.y0 + 1 + 2  # the row and those that decide which values take part
    assert set(read) == {single.path for single in singles if single.window.y0 < reach} != set(paths)


def test_frames_of_several_shapes_cannot_be_compared_as_they_are(tmp_path):
    paths = [single.path for single in random_singles(tmp_path, 1, 4)[1]]
    for count in (1, 3):
        with pytest.raises(InputError, match="resample_data: false needs frames of one shape"):
            median_stack.combine(paths, options(resampled=False), tmp_path, count)


def test_the_table_of_groups_has_the_header_that_astropy_writes():
    from drizzleflow.combine import group_noise

    header, raw = group_noise.table(["a", "bcd"], [group_noise.GroupNoise(1.0, 2.0, 3.0)] * 2)
    kinds = [("group", "S3"), ("constant", ">f8"), ("slope", ">f8"), ("w", ">f8")]
    rows = np.frombuffer(raw, kinds)
    assert header.tostring() == fits.BinTableHDU(rows, name="GROUPS").header.tostring()
