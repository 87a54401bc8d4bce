"""good_bits: every spelling of the seed, and which pixels it calls good."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drizzleflow.arrays.dq import as_bits, flagged, good_mask_value, good_pixels
from drizzleflow.errors import InputError

FLAGS = {"DO_NOT_USE": 1, "JUMP_DET": 4, "DROPOUT": 8, "NON_SCIENCE": 512, "REFERENCE_PIXEL": 1 << 31}
ALL = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("spelling", "value"),
    [
        (12, 12),
        ("12", 12),
        ("4+8", 12),
        ("4,8", 12),
        ("4, 8", 12),
        ("4|8", 12),
        ([4, 8], 12),
        (("4", 8), 12),
        ("JUMP_DET, DROPOUT", 12),
        ("jump_det+dropout", 12),
        (["JUMP_DET", 8], 12),
        ("JUMP_DET|8", 12),
        ("~4+8", ALL - 12),
        ("~4,8", ALL - 12),
        ("~(4+8)", ALL - 12),
        ("~DO_NOT_USE+NON_SCIENCE", ALL - 513),
        ("~DO_NOT_USE", ALL - 1),
        (0, 0),
        ("0", 0),
        (np.int64(6), 6),
        ("REFERENCE_PIXEL", 1 << 31),
        (None, None),
        ("", None),
        ("None", None),
        ("~0", None),
        ([], 0),
        (4 + 4096, 4100),
    ],
)
def test_spellings(spelling, value):
    assert good_mask_value(spelling, FLAGS) == value


@pytest.mark.parametrize("wrong", ["HOT", "4+HOTT", "JUMPDET", "4.5", True, ["~"]])
def test_unknown_flags_are_named(wrong):
    with pytest.raises(InputError, match="good_bits"):
        good_mask_value(wrong, FLAGS)


def test_a_format_without_names_says_so():
    with pytest.raises(InputError, match="numbers only"):
        good_mask_value("HOT")


@pytest.mark.parametrize(
    ("good_bits", "expected"),
    [
        # the table of stcal's build_mask: DQ 0 1 2 4 8 9 12
        (None, [1, 1, 1, 1, 1, 1, 1]),
        ("~0", [1, 1, 1, 1, 1, 1, 1]),
        (0, [1, 0, 0, 0, 0, 0, 0]),
        (12, [1, 0, 0, 1, 1, 0, 1]),
        ("~4", [1, 1, 1, 0, 1, 1, 0]),
        ("~1+8", [1, 0, 1, 1, 0, 0, 0]),
    ],
)
def test_good_pixels(good_bits, expected):
    dq = np.array([[0, 1, 2, 4, 8, 9, 12]], np.uint32)
    found = good_pixels(dq, good_bits)
    assert found.dtype == bool and found.tolist() == [[bool(v) for v in expected]]


def test_the_highest_bit_and_a_missing_plane():
    dq = np.array([0, 1 << 31], np.uint32)
    assert good_pixels(dq, 0).tolist() == [True, False]
    assert good_pixels(dq, "~DO_NOT_USE", FLAGS).tolist() == [True, True]
    assert good_pixels(dq, "~REFERENCE_PIXEL", FLAGS).tolist() == [True, False]
    assert good_pixels(None, 0, shape=(2, 3)).shape == (2, 3) and good_pixels(None, 0, shape=(2, 3)).all()


@given(st.integers(0, ALL), st.integers(0, ALL))
def test_a_pixel_is_good_when_it_has_no_bit_outside_the_good_ones(dq, good):
    bits = [1 << k for k in range(32) if good >> k & 1]
    plane = np.array([dq], np.uint32)
    expected = dq & ~good & ALL == 0
    assert good_pixels(plane, good)[0] == expected
    assert good_pixels(plane, bits)[0] == expected
    assert good_pixels(plane, "+".join(map(str, bits)) or "0")[0] == expected
    # '~' lists the bad ones instead
    inverted = "~" + ",".join(map(str, bits)) if bits else None
    assert good_pixels(plane, inverted)[0] == (dq & good == 0)


@pytest.mark.parametrize("kind", [bool, "u1", "i2", ">i2", "<u2", ">i4", "u4"])
def test_flags_of_a_file_are_bits(kind):
    """A signed integer's last bit is a flag, and no sign; the number itself comes back from uint32."""
    ones = np.full((2, 3), -1).astype(kind)
    bits = as_bits(ones)
    assert bits.dtype == np.uint32 and (bits == (1 if kind is bool else 2 ** (8 * ones.itemsize) - 1)).all()


@pytest.mark.parametrize("kind", ["f4", "f8", "c8"])
def test_flags_that_are_none(kind):
    with pytest.raises(InputError, match=r"a\.fits\[DQ\]: flags of type .*, expected integers"):
        as_bits(np.zeros((2, 2), kind), "a.fits[DQ]")


@pytest.mark.parametrize("kind", [">i8", "i8", "u8"])
def test_flags_of_64_bits_have_room_for_32(kind):
    bits = as_bits(np.array([0, 1, ALL]).astype(kind))
    assert bits.dtype == np.uint32 and bits.tolist() == [0, 1, ALL]
    for beyond in (-1, ALL + 1):
        with pytest.raises(InputError, match=r"DQ: flags from \d|DQ: flags from -1 to 0, expected bits"):
            as_bits(np.array([beyond, 0]).astype(kind))


@pytest.mark.parametrize(
    ("kind", "bits", "written"),
    [
        ("u1", 4096, "i2"), ("i1", 4096, "i2"), (">i2", 4096, "i2"), ("i2", 1 << 15, "i2"), ("u2", 4096, "u2"),
        (">i4", 4096, "i4"), ("u4", 4096, "u4"), (">i8", 4096, "i8"), ("u8", 4096, "i8"),
        ("u1", 1 << 16, "i4"), ("i2", 1 << 20, "i4"), ("u2", 1 << 31, "i4"), ("u4", 1 << 31, "u4"),
    ],
)  # fmt: skip
def test_flags_with_a_bit_more(kind, bits, written):
    """The copy's flags have room for the bit, and every other flag of the file."""
    before = np.array([[0, 1, 64, 65]]).astype(kind)
    if before.itemsize == 2 and before.dtype.kind == "i":
        before[0, 0] = -32768
    mask = np.array([[True, False, True, False]])
    after = flagged(before, mask, bits, cleared=64)
    assert after.dtype == np.dtype(written) and after.dtype.isnative
    old = as_bits(before) & ~np.uint32(64)
    assert as_bits(after).tolist() == np.where(mask, old | np.uint32(bits), old).tolist()
    assert before[0, 2] == 64
