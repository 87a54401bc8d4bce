"""Planes of a band in a file: what is read is what was written, rows by rows; the joined planes are the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from drizzleflow.frames import bands
from drizzleflow.io import plane_file
from drizzleflow.io.fits import checksummed, image_header, write_hdus
from drizzleflow.io.spool import Spool

KINDS = ("f4", "i2", "i4", "u4", ">f4", "f8", "u1")


def same(a, b):
    np.testing.assert_array_equal(a, b, strict=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("planes")


@given(shape=array_shapes(min_dims=2, max_dims=4, max_side=6), kind=st.sampled_from(KINDS), data=st.data())
def test_any_rows_are_those_that_were_written(folder, shape, kind, data):
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    path = folder / "a.npz"
    plane_file.write(
        path, {"n": np.array("text é"), "empty": array[..., :0, :], "plane": array, "x": np.arange(3)}
    )
    found = plane_file.read(path)
    assert list(found) == ["n", "empty", "plane", "x"] and str(found["n"]) == "text é"
    same(found["x"], np.arange(3))
    plane = found["plane"]
    assert (plane.dtype, plane.shape, plane.ndim) == (array.dtype, array.shape, array.ndim)
    index = tuple(data.draw(st.integers(0, n - 1)) for n in shape[:-2])
    rows = slice(*(data.draw(st.integers(0, shape[-2] + 2)) for _ in "ab"))
    same(plane[(*index, rows)], array[(*index, rows)])
    assert found["empty"][(*index, slice(None))].shape == (0, shape[-1])
    with np.load(path) as stored:
        same(stored["plane"], array)


def test_a_file_of_planes_that_are_kept_on_disk(tmp_path):
    """It is the file of the same arrays, byte for byte, at any time."""
    image = np.arange(33, dtype=np.int16).reshape(11, 3)
    kept = Spool(tmp_path, image.shape, np.int16(0))
    kept.put(0, image)
    plane_file.write(tmp_path / "a.npz", {"NUSED": kept})
    plane_file.write(tmp_path / "b.npz", {"NUSED": image})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    same(plane_file.read(tmp_path / "a.npz")["NUSED"][:], image)


def test_a_file_that_is_cut_short_while_it_is_read(tmp_path):
    plane_file.write(tmp_path / "a.npz", {"a": np.ones((100, 100))})
    plane = plane_file.read(tmp_path / "a.npz")["a"]
    with open(tmp_path / "a.npz", "r+b") as file:
        file.truncate(40_000)
    same(plane[:40], np.ones((40, 100)))
    with pytest.raises(OSError, match="cut short") as raised:
        plane[40:60]
    assert raised.value.filename == str(tmp_path / "a.npz")


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 7)),
    kind=st.sampled_from(["f4", "i2", "u4", "i4", "u1"]),
    count=st.integers(1, 25),
    lacking=st.booleans(),
    piece=st.sampled_from([1, 50, 2**20]),
)
def test_joined_planes_are_the_whole(folder, shape, kind, count, lacking, piece):
    """In files and in arrays, 2-D and 3-D; and the same bytes and checksums in a FITS file."""
    array, bands_piece = np.arange(np.prod(shape)).reshape(shape).astype(kind), bands.PIECE
    flat, made = array[0], []
    for number in range(count):
        rows = slice(*bands.band(shape[1], count, number))
        band = {
            "data": flat[rows].astype(np.float32),
            "n": np.array(number),
            "cube": array[:, rows],
            "flat": flat[rows],
        }
        if number or not lacking:
            band["more"] = flat[rows].astype(np.float32)
        if number % 2:
            path = folder / f"{number}.npz"
            plane_file.write(path, band)
            band = plane_file.read(path)
        made.append(band)
    bands.PIECE = piece
    try:
        joined = bands.join(made)
        assert int(joined["n"]) == 0
        for name, whole in (("cube", array), ("flat", flat)):
            same(np.concatenate([part.ravel() for part in joined[name].pieces()]).reshape(whole.shape), whole)
            same(joined[name][1:4], whole[..., 1:4, :])
            header = image_header(joined[name], "A")
            write_hdus(folder / "a.fits", [(image_header(None, primary=True), None), (header, joined[name])])
            write_hdus(folder / "b.fits", [(image_header(None, primary=True), None), (header, whole)])
            assert (folder / "a.fits").read_bytes() == (folder / "b.fits").read_bytes()
        if "more" in joined:
            missing = np.isnan(joined["more"][:]).any(axis=1).nonzero()[0]
            first = bands.band(shape[1], count, 0)[1] if lacking else 0
            same(missing, np.arange(first))
    finally:
        bands.PIECE = bands_piece


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 2**20 - 2, 2**20 + 2, 3 * 2**20 + 6])
def test_checksums_of_data_in_pieces(tmp_path, size):
    """Pieces of no whole number of words, as of an odd number of 16-bit integers."""
    raw = np.random.default_rng(size).integers(0, 256, size, np.uint8)

    class Pieces:
        dtype, shape = raw.dtype, raw.shape

        def pieces(self):
            for first in range(0, size, 99_999):
                yield raw[first : first + 99_999]

    header = image_header(raw, primary=True)
    write_hdus(tmp_path / "a.fits", [(header, Pieces())])
    padded = np.pad(raw, (0, -size % 2880)).tobytes()
    assert (tmp_path / "a.fits").read_bytes() == checksummed(header, [padded]) + padded
