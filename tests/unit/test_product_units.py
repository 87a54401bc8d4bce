"""A mosaic in counts, and weights from ERR."""

import numpy as np
import pytest

from drizzleflow.errors import InputError
from drizzleflow.resample import Resample, units
from drizzleflow.resample.utils import build_driz_weight


@pytest.mark.parametrize(
    ("unit", "counts"),
    [
        ("ELECTRONS/S", "ELECTRONS"),
        ("electron/s", "electron"),
        ("DN / s", "DN"),
        ("ct s-1", "ct"),
        ("electron s^-1", "electron"),
        ("adu s**(-1)", "adu"),
        ("counts/sec", "counts"),
    ],
)
def test_a_rate_becomes_counts(unit, counts):
    units.expect_rate(unit, "counts", "a.fits")
    seen = np.array([[True, False]])
    model = {
        "data": np.array([[2.0, -7.0]], np.float32),
        "wht": np.where(seen, 3, 0).astype(np.float32),
        "err": np.array([[0.5, np.nan]], np.float32),
        "var_rnoise": np.array([[0.25, np.nan]], np.float32),
        "con": np.ones((1, 1, 2), np.int32),
        "exposure_time": 100.0,
    }
    assert units.to_counts(model, unit, 100.0) == counts
    assert model["data"].tolist() == [[200.0, -7.0]]  # the fill value stays
    assert model["err"][0, 0] == 50 and model["var_rnoise"][0, 0] == 2500 and model["wht"][0, 0] == 3
    assert model["con"].max() == 1


@pytest.mark.parametrize("unit", ["MJy/sr", "ELECTRONS", "nJy", "", "MJy sr-1", "arcsec"])
@pytest.mark.parametrize("chosen", ["cps", "counts"])
def test_what_is_no_rate_is_refused(unit, chosen):
    units.expect_rate(unit, "auto", "a.fits")
    with pytest.raises(
        InputError, match=rf"a\.fits: the product's unit is .*, and mosaic.units {chosen} needs a"
    ):
        units.expect_rate(unit, chosen, "a.fits")


def test_counts_need_a_time():
    with pytest.raises(InputError, match="exposure time is None"):
        units.to_counts({"wht": np.ones((1, 1))}, "DN/s", None)


def model(value, err, name, **more):
    y, x = np.indices((6, 6), float)
    shape = np.full((6, 6), np.nan, np.float32)
    return {
        "data": np.full((6, 6), value, np.float32), "dq": None, "err": np.full((6, 6), err, np.float32),
        "var_rnoise": np.full((6, 6), 1.0, np.float32), "var_flat": shape, "var_poisson": shape,
        "pixmap": np.stack([x, y], axis=-1), "filename": name, "group_id": name, "exposure_time": 10.0,
        "measurement_time": None, "duration": 10.0, "start_time": 0.0, "end_time": 1.0, "level": None,
        "subtracted": True, "pixelarea_steradians": None, **more,
    }  # fmt: skip


class Plane:
    """An output of 6 x 6 pixels that knows no sky."""

    array_shape = (6, 6)
    coarsest = 1.0


def resampled(models, **options):
    made = Resample(
        {"wcs": Plane(), "pixel_scale": 1.0, "pixel_scale_ratio": 1.0}, weight_type="err", **options
    )
    for one in models:
        made.add_model(one)
    made.finalize()
    return made.output_model


@pytest.mark.parametrize("variance", ["exact", "reference"])
def test_weights_are_the_inverse_square_of_err(variance):
    """Values 1 and 4 with errors 1 and 2: the mean has weights 1 and 1/4."""
    out = resampled([model(1.0, 1.0, "a"), model(4.0, 2.0, "b")], variance=variance)
    inner = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(out["wht"][inner], 1.25, rtol=1e-6)
    np.testing.assert_allclose(out["data"][inner], (1 + 4 / 4) / 1.25, rtol=1e-6)
    np.testing.assert_allclose(out["var_rnoise"][inner], (1 + 1 / 16) / 1.25**2, rtol=1e-5)


def test_pixels_without_an_error_have_no_weight():
    one = model(1.0, 1.0, "a")
    one["err"][2, 2], one["err"][3, 3] = 0.0, np.nan
    weight = build_driz_weight(one, "err", 0)
    assert weight[2, 2] == weight[3, 3] == 0 and weight[0, 0] == 1


def test_weights_by_error_need_an_error():
    with pytest.raises(InputError, match="a: there is no err, from which weight_type err has its weights"):
        resampled([model(1.0, 1.0, "a") | {"err": None}])
