"""Frames compared one by one as the configuration asks: what is measured on, what can be flagged, what is told."""

import numpy as np
import pytest

from drizzleflow import formats
from drizzleflow.combine import group_noise
from drizzleflow.combine.leave_one_out import Limits
from drizzleflow.combine.parameters import Parameters
from drizzleflow.combine.stack import median_image
from drizzleflow.errors import InputError
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import WindowedArrays, cards
from drizzleflow.io.columns import FRAMES, names
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.outliers import comparison as module
from drizzleflow.outliers.comparison import Comparison
from drizzleflow.outliers.template import PLANES
from drizzleflow.outliers.template_noise import template_noise
from drizzleflow.plan import config
from drizzleflow.resample.single import SingleImage

SHAPE = (90, 100)
JWST = formats.get("jwst")
MEASURED = names(FRAMES)[names(FRAMES).index("shift_x") :]
DO_NOT_USE, JUMP, SATURATED = 1, 4, 2
RAY = {"clean": (20, 30), "jump": (40, 50), "saturated": (60, 20), "unusable": (70, 80)}
FLAG = {"clean": 0, "jump": JUMP, "saturated": SATURATED, "unusable": DO_NOT_USE}


def options_of(mosaic_bits="auto", **user) -> dict:
    return {**config.for_product(config.standard(user)), "mosaic": {"good_bits": mosaic_bits}}


def frames(n=3, **more) -> list[Frame]:
    """Exposures of the same stars on the same pixels, with photon noise and a sky of 5; the first has rays."""
    rng, (y, x) = np.random.default_rng(3), np.mgrid[: SHAPE[0], : SHAPE[1]]
    truth = np.zeros(SHAPE)
    for _ in range(40):
        cy, cx, peak = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1]), 10 ** rng.uniform(1.5, 3.5)
        truth += peak * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 2)
    made = []
    for k in range(n):
        err = np.sqrt(1 + 0.05 * truth)
        data, flags = truth + 5 + err * rng.normal(size=SHAPE), np.zeros(SHAPE, np.uint32)
        for name, place in RAY.items() if k == 0 else ():
            data[place], flags[place] = truth[place] + 5 + 100 * err[place], FLAG[name]
        made.append(
            Frame(
                f"m{k}",
                1,
                f"g{k}",
                SHAPE,
                data=data.astype(np.float32),
                err=err.astype(np.float32),
                dq=flags,
                unit="MJy/sr",
                **more,
            )
        )
    return made


def singles_of(listed, level=5.0) -> dict[str, SingleImage]:
    """Each frame as its single-drizzled image; what has a flag has no weight."""
    return {
        frame.group: SingleImage(
            frame.data - np.float32(level),
            (frame.dq == 0).astype(np.float32),
            Window.placed(SHAPE),
            "MJy/sr",
            noise=Noise(1.0, 20.0, 0.0, 20.0),
        )
        for frame in listed
    }


def comparison_of(listed, options, ratio=1.0) -> Comparison:
    singles, settings = singles_of(listed), options["median"]
    limits = Limits.of(settings) if options["crmask"]["reference"] == "others" else None
    made = median_image(list(singles.values()), Window.placed(SHAPE), Parameters.of(settings), limits)
    planes = {"SCI": made.sci}
    if limits is None:
        return Comparison(options, WindowedArrays(planes, Window.placed(SHAPE)), JWST, ratio=ratio)
    planes |= dict(zip(PLANES, (made.sci, made.nused, *made.clipped), strict=True))
    median, groups = (
        WindowedArrays(planes, Window.placed(SHAPE)),
        dict(zip(singles, made.groups, strict=True)),
    )
    return Comparison(options, median, JWST, singles, groups, ratio)


def pixmap():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    return np.stack([x, y], axis=-1)


# -- what can be flagged


@pytest.mark.parametrize("resampled", [True, False])
@pytest.mark.parametrize(
    "single_bits, mosaic_bits, flagged",
    [
        ("auto", "auto", ["clean", "jump", "saturated"]),  # of jwst: all that is not DO_NOT_USE
        (0, 0, ["clean"]),
        (0, JUMP, ["clean", "jump"]),
        (0, f"{JUMP},{SATURATED}", ["clean", "jump", "saturated"]),
        (0, None, ["clean", "jump", "saturated", "unusable"]),
        (JUMP, 0, ["clean", "jump"]),  # what the singles use can be flagged in any case
        (JUMP, SATURATED, ["clean", "jump", "saturated"]),
        ("~DO_NOT_USE", "~DO_NOT_USE+NON_SCIENCE", ["clean", "jump", "saturated"]),
    ],
)
def test_rays_are_flagged_where_the_mosaic_may_use_the_pixel(resampled, single_bits, mosaic_bits, flagged):
    single = {"good_bits": single_bits, "resample_data": resampled}
    options, listed = options_of(mosaic_bits, single_drizzle=single), frames()
    compared = comparison_of(listed, options)
    before = listed[0].dq.copy()
    mask, _, _ = compared.compare(listed[0], pixmap() if resampled else None, 5.0, "g0")
    assert {name for name, place in RAY.items() if mask[place]} == set(flagged)
    assert np.count_nonzero(mask) <= len(flagged) + 3
    np.testing.assert_array_equal(listed[0].dq, before)


def test_only_what_the_singles_use_is_measured_on():
    """Pixels that the mosaic alone uses, and those that nobody uses, may hold anything."""
    listed, options = frames(), options_of(JUMP, single_drizzle={"good_bits": 0})
    compared = comparison_of(listed, options)
    _, _, plain = compared.compare(listed[1], pixmap(), 5.0, "g1")
    listed[1].dq[10:40], listed[1].dq[50:60] = JUMP, DO_NOT_USE
    noisy = listed[1].dq > 0
    listed[1].data[noisy] += 8 * np.random.default_rng(1).normal(size=noisy.sum()).astype(np.float32)
    mask, _, measured = compared.compare(listed[1], pixmap(), 5.0, "g1")
    assert measured["noise"] == pytest.approx(plain["noise"], abs=0.1)
    assert mask[10:40].mean() > 0.2 and not mask[50:60].any() and mask[60:].sum() <= 3


def test_frames_without_flags():
    listed, options = frames(), options_of()
    compared = comparison_of(listed, options)
    for frame in listed:
        frame.dq = None
    mask, _, _ = compared.compare(listed[0], pixmap(), 5.0, "g0")
    assert all(mask[place] for place in RAY.values())


# -- what is told


def test_measured_are_the_columns_of_frames():
    listed = frames()
    compared = comparison_of(listed, options_of(single_drizzle={"resample_data": False}))
    assert compared.planes == ("data", "err", "dq")
    for frame in listed:
        mask, blotted, measured = compared.compare(frame, None, 5.0, frame.group)
        assert list(measured) == MEASURED
        for column in FRAMES[-len(MEASURED) :]:
            assert isinstance(measured[column.name], int if column.kind == "int" else float)
        assert measured["noise"] == pytest.approx(1, abs=0.15) and measured["depth"] == pytest.approx(
            2, abs=0.1
        )
        assert abs(measured["shift_x"]) < 0.05 and abs(measured["shift_y"]) < 0.05
        assert 0 <= measured["unseen"] < 0.02 and measured["negative"] == measured["sharp"] == 0
        assert mask.dtype == bool and blotted.dtype == np.float32 and blotted.shape == mask.shape == SHAPE
        assert np.median(np.abs(blotted - (frame.data - 5))) < 2  # without its sky


def test_without_structure_no_shift_is_told():
    listed = frames()
    for frame in listed:
        rng = np.random.default_rng(int(frame.member[1]))
        frame.data[...] = 5 + rng.normal(size=SHAPE)
        frame.err[...] = 1
    compared = comparison_of(listed, options_of(single_drizzle={"resample_data": False}))
    _, _, measured = compared.compare(listed[1], None, 5.0, "g1")
    assert [measured[name] for name in ("shift_x", "shift_y", "width")] == [None] * 3
    assert measured["noise"] == pytest.approx(1, abs=0.15)


def test_pixels_that_no_other_exposure_sees():
    listed = frames()
    for frame in listed[1:]:
        frame.dq[:, 75:] = DO_NOT_USE
    compared = comparison_of(listed, options_of(single_drizzle={"resample_data": False}))
    _, blotted, measured = compared.compare(listed[0], None, 5.0, "g0")
    assert measured["unseen"] == pytest.approx(0.25, abs=0.005)
    assert np.isfinite(blotted[:, 80:]).mean() > 0.9  # the combined image stands in
    listed[0].dq[...] = DO_NOT_USE
    _, _, measured = compared.compare(listed[0], None, 5.0, "g0")
    assert measured["unseen"] is None and measured["depth"] == 0


def test_the_noise_asked_for_counts():
    listed = frames()
    for frame in listed:
        frame.err *= np.float32(1000)
    compared = comparison_of(listed, options_of(crmask={"noise": "err", "noise_range": "0.8 2"}))
    assert not compared.compare(listed[0], pixmap(), 5.0, "g0")[0].any()
    with pytest.raises(InputError, match="m0: frame 1: no read noise"):
        comparison_of(listed, options_of(crmask={"noise": "model"})).compare(listed[0], pixmap(), 5.0, "g0")


# -- how much of the template's noise counts


@pytest.fixture
def told(monkeypatch):
    """The settings with which frames are compared."""
    kept, compare = [], module.compare_with_others

    def keeping(frame, template, level, settings, *more):
        kept.append(settings)
        return compare(frame, template, level, settings, *more)

    monkeypatch.setattr(module, "compare_with_others", keeping)
    return kept


@pytest.mark.parametrize(
    "crmask, single, ratio, per_pixel, expected",
    [
        ({}, {}, 1.0, False, ("square", 1.0, 1.0, "linear", False)),
        ({"interp": "nearest"}, {"pixfrac": 0.8}, 2.0, True, ("square", 0.8, 2.0, "nearest", True)),
        ({}, {"kernel": "gaussian"}, 0.5, False, ("gaussian", 1.0, 0.5, "linear", False)),
        ({"template_noise": 0.7}, {"pixfrac": 0.8}, 2.0, False, 0.7),
        ({"template_noise": 0}, {}, 1.0, False, 0),
        ({}, {"resample_data": False}, 2.0, False, 1.0),
        ({"template_noise": 0.7}, {"resample_data": False}, 1.0, False, 0.7),
    ],
)
def test_template_noise(told, crmask, single, ratio, per_pixel, expected):
    options, listed = options_of(crmask=crmask, single_drizzle=single), frames(per_pixel=per_pixel)
    compared = comparison_of(listed, options, ratio)
    resampled = options["single_drizzle"]["resample_data"]
    compared.compare(listed[0], pixmap() if resampled else None, 5.0, "g0")
    wanted = template_noise(*expected) if isinstance(expected, tuple) else expected
    assert [settings["template_noise"] for settings in told] == [wanted]
    asked = crmask.get("template_noise", "auto")
    assert options["crmask"]["template_noise"] == asked and told[0] == {
        **options["crmask"],
        "template_noise": wanted,
    }


# -- against the median, and from files


@pytest.mark.parametrize("resampled", [True, False])
def test_the_median_needs_one_plane_and_nothing_is_measured(resampled):
    crmask = {"reference": "median", "noise": "err"}
    options = options_of(crmask=crmask, single_drizzle={"resample_data": resampled})
    listed = frames()
    compared = comparison_of(listed, options)
    assert compared.others is None and compared.planes == ("data", "err")
    level = 5.0 if resampled else None
    frame = listed[0]
    if not resampled:  # there the median holds the sky
        frame.data -= np.float32(5)
    frame.dq = None
    mask, blotted, measured = compared.compare(frame, pixmap() if resampled else None, level, None)
    assert measured == {} and mask[RAY["clean"]] and blotted.shape == SHAPE and mask.sum() < 40


def files_of(folder, listed, options, left_out=(), table=True):
    """The median's file and those of the singles, as the jobs write them."""
    compared = comparison_of(listed, options)
    singles = singles_of(listed)
    paths = {group: folder / f"{group}.fits" for group in singles}
    for group, path in paths.items():
        singles[group].write(path)
    place = cards(Window.placed(SHAPE), "MJy/sr")
    hdus = [(image_header(None, primary=True), None)]
    for name, plane in compared.median.arrays.items():
        if name not in left_out:
            hdus.append((image_header(plane, name, cards=place), plane))
    if table and compared.others:
        hdus.append(group_noise.table(list(singles), list(compared.others.groups.values())))
    write_hdus(folder / "median.fits", hdus)
    return compared, Comparison.of_files(options, folder / "median.fits", paths, JWST)


@pytest.mark.parametrize("reference", ["others", "median"])
@pytest.mark.parametrize("threshold_of", ["clipped_mean", "mean"])
def test_files_give_what_memory_gives(tmp_path, reference, threshold_of):
    options = options_of(
        crmask={"reference": reference, "noise": "err"}, median={"threshold_of": threshold_of}
    )
    listed = frames()
    in_memory, on_disk = files_of(tmp_path, listed, options)
    assert on_disk.planes == in_memory.planes
    if reference == "others":
        assert on_disk.others.groups == in_memory.others.groups
    for frame in listed:
        one, two = (c.compare(frame, pixmap(), 5.0, frame.group) for c in (in_memory, on_disk))
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
        assert one[2] == two[2]


@pytest.mark.parametrize("plane", PLANES)
def test_the_others_need_all_planes(tmp_path, plane):
    with pytest.raises(InputError, match=rf"median\.fits\[{plane}\]: no such extension"):
        files_of(tmp_path, frames(), options_of(), left_out=[plane])


def test_the_others_need_the_table_of_groups(tmp_path):
    with pytest.raises(InputError, match=r"median\.fits\[GROUPS\]: no such extension"):
        files_of(tmp_path, frames(), options_of(), table=False)
