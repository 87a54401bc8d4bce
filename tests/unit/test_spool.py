"""An image that is kept on disk while it is made: the same image, the same bytes in a file."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from drizzleflow.io import spool
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.io.spool import Spool

FILLS = (np.float32(np.nan), np.float32(0), np.int16(0), np.int16(-3), np.float64(1e-300))


def whole(kept) -> np.ndarray:
    return np.concatenate(list(kept.pieces())).reshape(kept.shape)


def same(a, b):
    np.testing.assert_array_equal(a, b, strict=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("spool")


@given(data=st.data(), shape=st.tuples(st.integers(1, 12), st.integers(1, 7)), fill=st.sampled_from(FILLS))
def test_any_sections_give_the_image(folder, data, shape, fill):
    """Sections of any heights, with gaps between, before and after them."""
    edges = data.draw(st.lists(st.integers(0, shape[0]), max_size=6).map(sorted))
    kept, image = Spool(folder, shape, fill), np.full(shape, fill)
    values = np.random.default_rng(len(edges)).normal(0, 100, shape).astype(image.dtype)
    for first, end in zip(edges[::2], edges[1::2], strict=False):
        kept.put(first, values[first:end])
        image[first:end] = values[first:end]
    same(whole(kept), image)
    same(whole(kept), image)
    assert (kept.shape, kept.dtype, kept.ndim) == (image.shape, image.dtype, image.ndim)


@pytest.mark.parametrize("size", [4, 100, 172, 4000, 2**22])
def test_pieces_are_of_at_most_their_size(folder, size, monkeypatch):
    monkeypatch.setattr(spool, "PIECE", size)
    image = np.arange(11 * 20, dtype=np.float32).reshape(11, 20)
    kept = Spool(folder, image.shape, np.float32(0))
    kept.put(0, image)
    pieces = list(kept.pieces())
    same(np.concatenate(pieces), image.ravel())
    assert all(piece.nbytes == size for piece in pieces[:-1]) and pieces[-1].nbytes <= size


def test_a_reader_may_stop_and_another_begin(folder, monkeypatch):
    monkeypatch.setattr(spool, "PIECE", 40)
    image = np.arange(60, dtype=np.float32).reshape(6, 10)
    kept = Spool(folder, image.shape, np.float32(0))
    kept.put(0, image)
    begun = kept.pieces()
    same(next(begun), image[0])
    same(whole(kept), image)
    same(whole(kept), image)


def test_rows_are_converted_and_need_not_be_contiguous(folder):
    image = np.arange(48.0).reshape(6, 8)
    kept = Spool(folder, (6, 4), np.int16(0))
    kept.put(0, image[:3, ::2])
    kept.put(3, np.asfortranarray(image[3:, ::2].astype(">i4")))
    same(whole(kept), image[:, ::2].astype(np.int16))
    image[...] = 0  # what was put is a copy
    assert whole(kept)[5, 3] == 46


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.float64])
@pytest.mark.parametrize("size, width", [(8, 24), (304, 23), (2**22, 23)])
def test_a_file_has_the_same_bytes(tmp_path, kind, size, width, monkeypatch):
    monkeypatch.setattr(spool, "PIECE", size)
    image = np.random.default_rng(1).normal(0, 50, (37, width)).astype(kind)
    image[20:25] = 3
    kept = Spool(tmp_path, image.shape, kind(3))
    kept.put(0, image[:20])
    kept.put(25, image[25:])
    files = []
    for number, plane in enumerate((image, kept, kept)):
        header = image_header(plane, "MEAN", cards=[("WINX0", 4, "column")])
        files.append(tmp_path / f"{number}.fits")
        write_hdus(files[-1], [(image_header(None, primary=True), None), (header, plane)])
    assert len({path.read_bytes() for path in files}) == 1
    with fits.open(files[1], checksum=True) as hdus:
        np.testing.assert_array_equal(hdus["MEAN"].data, image)


def test_wrong_order_or_shape_is_refused(folder):
    kept = Spool(folder, (10, 4), np.float32(0))
    kept.put(2, np.ones((3, 4), np.float32))
    for first, shape in ((4, (2, 4)), (0, (1, 4)), (6, (2, 3)), (6, (2, 5)), (6, (4,)), (6, (1, 4, 4))):
        with pytest.raises(ValueError, match=rf"rows from {first} .* after 5 rows of \(10, 4\)"):
            kept.put(first, np.ones(shape, np.float32))
    kept.put(5, np.ones((1, 4), np.float32))
    same(whole(kept), np.repeat(np.float32([0, 1, 0]), [2, 4, 4])[:, None] * np.ones((1, 4), np.float32))
    with pytest.raises(ValueError, match="after 10 rows"):  # whoever has read it has seen the gaps filled
        kept.put(6, np.ones((1, 4), np.float32))


def test_rows_are_read_while_others_are_to_come(folder):
    """Those that were not written are blank, and no longer can be."""
    image = np.arange(40, dtype=np.float32).reshape(10, 4)
    kept = Spool(folder, image.shape, np.float32(-1))
    kept.put(2, image[2:5])
    same(kept[3:7], np.concatenate([image[3:5], np.full((2, 4), np.float32(-1))]))
    same(kept[9:2], np.empty((0, 4), np.float32))
    same(kept[:], whole(kept))


def test_nothing_is_left_in_the_folder(tmp_path):
    kept = Spool(tmp_path, (5, 4), np.float32(0))
    assert not list(tmp_path.iterdir())
    kept.put(1, np.ones((2, 4)))
    assert whole(kept).sum() == 8 and not list(tmp_path.iterdir())
    del kept
    assert not list(tmp_path.iterdir())


def test_the_folder_of_a_plain_name_is_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    same(whole(Spool("", (2, 3), np.int16(7))), np.full((2, 3), 7, np.int16))
    with pytest.raises(FileNotFoundError):
        Spool("nowhere", (2, 3), np.int16(7))
