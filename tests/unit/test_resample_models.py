"""Resample with GWCS models: what a user of `stcal.resample.Resample` calls."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.nddata import BitFlagNameMap
from test_resample import ONES, model, run, shifted, target

from drizzleflow.errors import InputError
from drizzleflow.geometry.build_grid import build
from drizzleflow.geometry.footprint import describe
from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.gwcs_wcs import from_gwcs
from drizzleflow.geometry.output_wcs import to_gwcs
from drizzleflow.resample import Resample, utils
from drizzleflow.simulate.jwst import nircam_like

SHAPE = (90, 110)
GRID = Grid((120, 130), (150.1, 2.2), (64.5, 59.5), (-8e-6, 3e-6, 3e-6, 8e-6), 0.0308)


class Flags(BitFlagNameMap):
    DO_NOT_USE = 1
    JUMP_DET = 4


def exposure(pointing=0, **more):
    wcs, _ = nircam_like(0, SHAPE, 150.1 + 3e-5 * pointing, 2.2, 40.0)
    rng = np.random.default_rng(pointing)
    base = model(
        rng.normal(5, 1, SHAPE),
        np.zeros((*SHAPE, 2)),
        group=pointing,
        **{f"var_{n}": 1.0 for n in ("rnoise", "poisson", "flat")},
    )
    del base["pixmap"]
    return base | {"wcs": wcs} | more


def gwcs_grid():
    wcs = to_gwcs(GRID)
    wcs.bounding_box = ((-0.5, GRID.shape[1] - 0.5), (-0.5, GRID.shape[0] - 0.5))
    wcs.array_shape = GRID.shape
    return wcs


# --- GWCS in and out
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stepsize", "order"), [(1, 1), (5, 3), ("auto", 3)])
def test_a_gwcs_and_a_grid_give_one_image(stepsize, order):
    """With the WCS of model and output as GWCS, as our Grid, or with a ready pixel map."""
    options = {"pixmap_stepsize": stepsize, "pixmap_order": order, "fillval": "NAN"}
    frames = [exposure(0), exposure(1)]
    by_gwcs, by_grid = run(frames, {"wcs": gwcs_grid()}, **options), run(frames, {"wcs": GRID}, **options)
    maps = [utils.calc_pixmap(f["wcs"], GRID, SHAPE) for f in frames]
    by_map = run(
        [f | {"pixmap": m} for f, m in zip(frames, maps, strict=True)],
        {"wcs": GRID, "pixel_scale_ratio": 1.0},
        fillval="NAN",
    )
    for other in (by_grid, by_map):
        assert np.array_equal(np.isnan(by_gwcs["data"]), np.isnan(other["data"]))
        np.testing.assert_allclose(by_gwcs["data"], other["data"], rtol=0, atol=2e-4)
        np.testing.assert_array_equal(by_gwcs["con"], other["con"])


def test_the_scale_is_that_of_the_wcs_and_the_ratio_that_to_the_first_model():
    resample = Resample({"wcs": gwcs_grid()}, enable_var=False)
    assert (
        resample.output_pixel_scale == pytest.approx(GRID.pixel_scale, rel=2e-3)
        and resample.pixel_scale_ratio is None
    )
    frame = exposure()
    area = resample.get_input_model_pixel_area(frame)
    assert area == pytest.approx(describe(from_gwcs(frame["wcs"], SHAPE, {}))["pixel_area"])
    assert (
        resample.get_input_model_pixel_area(frame | {"pixelarea_steradians": 3e-14}, prefer_mean=False)
        == 3e-14
    )
    assert resample.get_output_model_pixel_area(resample.output_model) == pytest.approx(
        GRID.pixel_area, rel=4e-3
    )
    resample.add_model(frame)
    expected = resample.output_pixel_scale / (np.degrees(np.sqrt(area)) * 3600)
    assert resample.pixel_scale_ratio == pytest.approx(expected) == resample.output_model["pixel_scale_ratio"]
    given = Resample({"wcs": gwcs_grid(), "pixel_scale": 0.05, "pixel_scale_ratio": 1.7}, enable_var=False)
    assert (given.output_pixel_scale, given.pixel_scale_ratio) == (0.05, 1.7)


def test_the_shape_of_a_wcs_without_one_is_that_of_its_bounding_box():
    wcs = gwcs_grid()
    wcs.array_shape = None
    resample = Resample({"wcs": wcs}, enable_var=False)
    assert resample.output_array_shape == GRID.shape == tuple(wcs.array_shape)
    wcs.array_shape = wcs.bounding_box = None
    with pytest.raises(InputError, match="Unable to infer output image size"):
        Resample({"wcs": wcs})


def test_what_the_output_model_has_before_and_after():
    resample = Resample(
        {"wcs": GRID}, 2, compute_err="from_var", propagate_dq=True, weight_type="exptime", pixfrac=0.8
    )
    before = dict(resample.output_model)
    assert (before["pointings"], before["exposure_time"], before["level"], before["subtracted"]) == (
        0,
        0.0,
        None,
        False,
    )
    assert (before["kernel"], before["pixfrac"], before["weight_type"], before["err"]) == (
        "square",
        0.8,
        "exptime",
        None,
    )
    resample.add_model(exposure(0, exposure_time=3.0))
    resample.add_model(exposure(1, exposure_time=4.0))
    assert resample.group_ids == [0, 1] and not resample.is_finalized()
    resample.finalize()
    after = resample.output_model
    assert (after["pointings"], after["exposure_time"], after["elapsed_exposure_time"]) == (
        2,
        7.0,
        after["duration"],
    )
    for name, kind in Resample.output_array_types.items():
        assert after[name].dtype == kind and after[name].shape[-2:] == GRID.shape
    assert after["dq"].dtype == np.uint32


def test_subclasses_choose_variances_and_add_to_the_output():
    class Ours(Resample):
        variance_array_names = ["var_rnoise", "var_extra"]
        error_from_variances = ["var_extra"]

        def create_output_model(self):
            return super().create_output_model() | {"note": "kept"}

    resample = Ours({"wcs": GRID}, compute_err="from_var", fillval="NAN")
    resample.add_model(exposure(var_extra=np.full(SHAPE, 4.0, np.float32)))
    resample.finalize()
    out = resample.output_model
    assert out["note"] == "kept" and "var_flat" not in out
    np.testing.assert_array_equal(out["err"], np.sqrt(out["var_extra"]))


# --- what a model has to have
# -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "data",
        "dq",
        "wcs",
        "group_id",
        "exposure_time",
        "level",
        "subtracted",
        "pixelarea_steradians",
        "var_flat",
    ],
)
def test_a_missing_key_is_named(key):
    frame = exposure()
    del frame[key]
    with pytest.raises(KeyError, match=rf"m?.*'{key}'"):
        Resample({"wcs": GRID}).add_model(frame)


def test_data_of_another_dimension_and_a_wcs_of_other_axes():
    with pytest.raises(InputError, match=r"m1: data have 3 dimensions"):
        Resample({"wcs": GRID}).add_model(exposure(data=np.zeros((2, *SHAPE), np.float32)))
    spectral = SimpleNamespace(
        output_frame=SimpleNamespace(naxes=3, axes_type=["SPATIAL", "SPATIAL", "SPECTRAL"]),
        array_shape=(3, 4),
    )
    with pytest.raises(utils.UnsupportedWCSError, match="two celestial"):
        Resample({"wcs": spectral})
    with pytest.raises(InputError, match="Output WCS must be provided"):
        Resample({"wcs": None})
    for shape, message in (
        ((0, 4), "Invalid output frame shape"),
        ((10**6, 10**6), "are the coordinates right"),
    ):
        with pytest.raises(InputError, match=message):
            Resample({"wcs": SimpleNamespace(array_shape=shape)})


def test_a_wcs_that_is_not_finite():
    wcs, _ = nircam_like(0, SHAPE, float("nan"), 2.2, 40.0)
    with pytest.raises(InputError, match=r"m1: the WCS is not finite"):
        Resample({"wcs": GRID}, enable_var=False).add_model(exposure(wcs=wcs))


def test_an_image_beside_the_output_is_told_and_counts_for_nothing(caplog):
    caplog.set_level(logging.WARNING, "drizzleflow")
    away, _ = nircam_like(0, SHAPE, 150.2, 2.2, 40.0)
    out = run([exposure(), exposure(1, wcs=away), exposure(2)], {"wcs": GRID})
    assert caplog.text.count("m1: does not meet the output") == 1
    assert np.bitwise_or.reduce(out["con"], axis=None) == 0b101


@pytest.mark.parametrize(("weight_type", "name"), [("ivm", "var_rnoise"), ("ivm-sky", "var_sky")])
def test_equal_weights_without_the_variance_are_told(weight_type, name, caplog):
    caplog.set_level(logging.WARNING, "drizzleflow")
    resample = Resample(target(), weight_type=weight_type, enable_var=False)
    frame = model(ONES)
    frame.pop(name, None)
    resample.add_model(frame)
    assert f"'{name}' array not available" in caplog.text and resample.output_model["wht"].max() == 1


def test_sky_weights_follow_the_sky_variance():
    frames = [model(v * ONES, group=v, var_sky=1 / v, var_rnoise=1.0) for v in (1, 4)]
    for variance in ("exact", "reference"):
        out = run(frames, weight_type="ivm-sky", enable_var=True, variance=variance)
        assert out["data"].max() == pytest.approx((1 + 16) / 5, rel=1e-6)
        assert np.nanmin(out["var_rnoise"]) == pytest.approx((1 + 16) / 25, rel=1e-5)


@pytest.mark.parametrize("kernel", ["gaussian", "lanczos3"])
def test_kernels_that_lose_flux_say_so_once(kernel, caplog):
    caplog.set_level(logging.WARNING, "drizzleflow")
    Resample(target(), kernel=kernel, enable_var=False)
    assert caplog.text.count(f"kernel {kernel} does not conserve flux") == 1


# --- functions
# --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [Flags, {"DO_NOT_USE": 1, "JUMP_DET": 4}])
def test_good_bits_in_all_spellings(names):
    dq = np.arange(8)
    for bits in (5, [1, 4], "1,4", "1+4", "1|4", "DO_NOT_USE, JUMP_DET", "do_not_use+jump_det"):
        assert utils.build_mask(dq, bits, names).tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
    assert utils.build_mask(dq, "~4", names).tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    for bits in (None, "~0"):
        assert utils.build_mask(dq, bits, names).all()
    with pytest.raises(InputError, match="known flags: DO_NOT_USE, JUMP_DET"):
        utils.build_mask(dq, "DEAD", names)


def test_pixmap_options_that_do_not_exist():
    wcs = exposure()["wcs"]
    for options, message in (
        ({"order": 2}, "pixmap_order 2"),
        ({"disable_bbox": "all"}, "disable_bbox 'all'"),
    ):
        with pytest.raises(InputError, match=message):
            utils.calc_pixmap(wcs, GRID, **options)


def test_a_large_step_is_capped_at_a_tenth_of_the_image():
    wcs = exposure()["wcs"]
    exact = utils.calc_pixmap(wcs, GRID)
    for step, order, off in ((10_000, 3, 1e-4), (10_000, 1, 0.05), (11, 1, 0.05)):
        assert np.abs(utils.calc_pixmap(wcs, GRID, stepsize=step, order=order) - exact).max() < off


def test_an_astropy_wcs_is_taken_too():
    from astropy.io import fits
    from astropy.wcs import WCS

    header = fits.Header([fits.Card(*card) for card in GRID.cards()])
    wcs = WCS(header)
    wcs.array_shape = GRID.shape
    found = utils.calc_pixmap(wcs, gwcs_grid())
    y, x = np.indices(GRID.shape)
    np.testing.assert_allclose(found, np.stack([x, y], axis=-1), rtol=0, atol=1e-6)
    assert utils.compute_mean_pixel_area(wcs) == pytest.approx(GRID.pixel_area, rel=4e-3)


def test_units_and_times():
    assert [utils.is_flux_density(u) for u in ("mJy", "MJy/sr", "", None, "nonsense")] == [
        True,
        False,
        False,
        False,
        False,
    ]
    assert utils.get_tmeasure({"measurement_time": 0.0, "exposure_time": 2.0}) == (0.0, True)
    with pytest.raises(KeyError):
        utils.get_tmeasure({})


def test_a_map_of_another_shape():
    with pytest.raises(InputError, match=r"m1: pixmap has shape"):
        run([model(ONES, shifted((3, 3)))])


def test_the_whole_outline_of_a_grid_is_its_frames(tmp_path):
    wcs, info = nircam_like(0, SHAPE, 150.1, 2.2, 40.0)
    options = dict.fromkeys(("pixel_scale", "rotation", "crpix", "crval", "output_shape", "output_wcs"))
    grid = build(
        [describe(from_gwcs(wcs, SHAPE, info))],
        options | {"pixel_scale_ratio": 1.0, "method": "tangent_plane", "footprints": "wcs"},
    )
    inside = np.isfinite(run([exposure()], {"wcs": grid}, fillval="NAN")["data"])
    assert inside.sum() == pytest.approx(SHAPE[0] * SHAPE[1], rel=0.05)
