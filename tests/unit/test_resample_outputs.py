"""Drizzling onto a grid: variances, context, data quality and times (`test_resample` has data and weights)."""

import numpy as np
import pytest
from test_resample import INNER, ONES, model, run, shifted, target

from drizzleflow.resample import Resample

# --- variances: the hand numbers of the study
# -------------------------------------------------------------------------


@pytest.mark.parametrize("variance", ["exact", "reference"])
@pytest.mark.parametrize(
    ("weight_type", "planes", "expected"),
    [
        ("exptime", [{"var_rnoise": 1.0}, {"var_rnoise": 1.0}], {"var_rnoise": (1 + 9) / 16}),
        (
            "ivm",
            [
                {"var_rnoise": 2.0, "var_poisson": 3.0, "var_flat": 0.0},
                {"var_rnoise": 4.0, "var_poisson": 5.0, "var_flat": 0.0},
            ],
            {
                "var_rnoise": (1 / 2 + 1 / 4) / (3 / 4) ** 2,
                "var_poisson": (3 / 4 + 5 / 16) / (9 / 16),
                "var_flat": 0.0,
            },
        ),
    ],
)
def test_aligned_images(variance, weight_type, planes, expected):
    """Where images lie pixel on pixel the two estimators agree."""
    images = [model(ONES, time=t, **p) for t, p in zip((1.0, 3.0), planes, strict=True)]
    out = run(images, enable_var=True, compute_err="from_var", weight_type=weight_type, variance=variance)
    for key, value in expected.items():
        np.testing.assert_allclose(out[key][INNER], value, rtol=1e-5, atol=1e-9)
        assert np.isnan(out[key][:3]).all()
    np.testing.assert_allclose(out["err"][INNER], np.sqrt(sum(expected.values())), rtol=1e-5)
    assert np.isnan(out["err"][:3]).all()


def test_half_a_pixel_off():
    """Each output pixel is the mean of four: the exact variance falls to V/4; the reference does not see
    that.
    """
    frame = model(ONES, shifted(ONES.shape, 2.5, 3.5), var_rnoise=4.0)
    inner = np.s_[4:9, 3:9]
    exact = run([frame], enable_var=True)["var_rnoise"][inner]
    np.testing.assert_allclose(exact, 1.0, rtol=1e-5)
    reference = run([frame], enable_var=True, variance="reference")["var_rnoise"][inner]
    np.testing.assert_allclose(reference, 4.0, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 9])
@pytest.mark.parametrize("weight_type", ["ivm", "exptime"])
@pytest.mark.parametrize("variance", ["exact", "reference"])
def test_n_equal_images(n, weight_type, variance):
    images = [model(ONES, var_rnoise=0.5, var_poisson=0.25, var_flat=0.25) for _ in range(n)]
    out = run(images, enable_var=True, compute_err="from_var", weight_type=weight_type, variance=variance)
    np.testing.assert_allclose(out["var_rnoise"][INNER], 0.5 / n, rtol=1e-5)
    np.testing.assert_allclose(out["err"][INNER], np.sqrt(1 / n), rtol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_reference_errors_scale_with_the_pixel(scale):
    """err_out = err_in * p_in / p_out, from variances and from drizzled errors (surface brightness)."""
    frame = model(
        np.ones((40, 40)),
        shifted((40, 40), 4, 4, scale),
        var_rnoise=1.0,
        var_poisson=2.0,
        var_flat=1.0,
        err=2.0,
    )
    output = target((100, 100), 1 / scale)
    for how in ("from_var", "driz_err"):
        out = run([frame], output, compute_err=how, variance="reference")
        seen = out["wht"] > 0.9 * out["wht"].max()
        np.testing.assert_allclose(out["err"][seen], 2.0 * scale, rtol=1e-5)


def test_drizzled_errors_are_a_mean():
    images = [model(ONES, err=2.0), model(ONES, err=4.0)]
    out = run(images, compute_err="driz_err")
    np.testing.assert_allclose(out["err"][INNER], 3.0, rtol=1e-6)
    assert "var_rnoise" not in out


@pytest.mark.parametrize("variance", ["exact", "reference"])
def test_tiny_errors_do_not_overflow(variance):
    """ERR of 1e-14: weights of 1e28, whose squares a float32 cannot hold."""
    images = [model(ONES, var_rnoise=1e-28, var_poisson=1e-28, var_flat=0.0) for _ in range(2)]
    out = run(images, enable_var=True, compute_err="from_var", variance=variance)
    np.testing.assert_allclose(out["err"][INNER], 1e-14, rtol=1e-5)
    np.testing.assert_allclose(out["wht"][INNER], 2e28, rtol=1e-5)


@pytest.mark.parametrize("unit", [2.0**-90, 2.0**80])
def test_the_unit_of_the_data_is_of_no_matter(unit):
    """In units of another power of two every product has the same bits, scaled."""
    rng = np.random.default_rng(8)
    frames = [
        model(
            rng.normal(size=(20, 20)),
            shifted((20, 20), 5.3 + k, 4.4, 1.0, 20.0 * k),
            var_rnoise=rng.uniform(1, 2, (20, 20)).astype("f4"),
        )
        for k in range(3)
    ]
    scaled = [
        f | {"data": f["data"] * np.float32(2.0**-40), "var_rnoise": f["var_rnoise"] * np.float32(unit)}
        for f in frames
    ]
    options = {"enable_var": True, "fillval": "NAN"}
    one, other = (run(f, target((40, 40)), **options) for f in (frames, scaled))
    np.testing.assert_array_equal(one["data"] * np.float32(2.0**-40), other["data"])
    np.testing.assert_array_equal(one["wht"] * np.float32(1 / unit), other["wht"])
    np.testing.assert_array_equal(one["var_rnoise"] * np.float32(unit), other["var_rnoise"])


def test_from_var_implies_the_variances():
    out = run([model(ONES, var_rnoise=1.0)], enable_var=False, compute_err="from_var")
    assert (out["err"][INNER] == 1).all() and "var_rnoise" in out
    assert not {"err", "var_rnoise"} & set(run([model(ONES, var_rnoise=1.0)], enable_var=False))


@pytest.mark.parametrize("variance", ["exact", "reference"])
def test_a_variance_that_no_image_has_is_nan(variance):
    out = run([model(ONES, var_rnoise=1.0)], enable_var=True, compute_err="from_var", variance=variance)
    assert np.isnan(out["var_flat"]).all() and (out["err"][INNER] == 1).all()


# --- context, data quality, times
# -------------------------------------------------------------------------------------


def test_context_of_33_images():
    models = [model(ONES, shifted(ONES.shape, 2, 3) + (0 if k != 5 else 500), group=k) for k in range(33)]
    models[7]["pixmap"] = np.full((*ONES.shape, 2), np.nan)
    con = run(models)["con"]
    assert con.shape == (2, 12, 14) and con.dtype == np.int32
    inner = con[(slice(None), *INNER)].view(np.uint32)
    assert (inner[0] == 0xFFFFFFFF & ~(1 << 5) & ~(1 << 7)).all() and (inner[1] == 1).all()
    assert (con[:, :3] == 0).all()


def test_context_planes_are_found_without_being_told():
    resample = Resample(target(), enable_var=False)
    for k in range(33):
        resample.add_model(model(ONES, group=k))
    assert resample.output_model["con"].shape[0] == 2
    assert run([model(ONES)], enable_ctx=False)["con"] is None


def test_data_quality_of_the_pixels_that_count():
    dq = np.zeros(ONES.shape, np.uint32)
    dq[1, 1], dq[2, 2], dq[3, 3] = 4, 8, 1 << 31
    other = np.zeros(ONES.shape, np.uint32)
    other[1, 1] = 2
    out = run([model(ONES) | {"dq": dq}, model(ONES) | {"dq": other}], propagate_dq=True, good_bits="~8")
    assert out["dq"].dtype == np.uint32
    inner = out["dq"][INNER]
    assert inner[1, 1] == 6 and inner[2, 2] == 0 and inner[3, 3] == 1 << 31 and np.count_nonzero(inner) == 2
    assert run([model(ONES)])["dq"] is None


def test_times_of_groups():
    """Two detectors of one exposure and another exposure: 3, 3, 5 s give 8 s and two pointings."""
    models = [
        model(ONES, time=t, group=g)
        | {"start_time": a, "end_time": b, "measurement_time": t - 1, "duration": t + 1}
        for t, g, a, b in ((3.0, "a", 10.0, 11.0), (3.0, "a", 9.0, 99.0), (5.0, "b", 7.0, 8.0))
    ]
    out = run(models)
    assert (out["exposure_time"], out["measurement_time"], out["duration"], out["pointings"]) == (8, 6, 10, 2)
    assert (out["start_time"], out["end_time"]) == (7, 11)
    assert (out["con"][(slice(None), *INNER)] == 0b111).all()
    models[2]["measurement_time"] = None
    assert run(models)["measurement_time"] is None  # an unknown part, an unknown sum


def test_an_image_beside_the_grid_counts_as_an_exposure():
    out = run(
        [
            model(ONES, group="a", time=2.0),
            model(ONES, np.full((*ONES.shape, 2), np.nan), group="b", time=3.0),
        ]
    )
    assert (out["pointings"], out["exposure_time"]) == (2, 5.0)


@pytest.mark.parametrize("variance", ["exact", "reference"])
def test_only_images_beside_the_grid(variance):
    beside = model(ONES, np.full((*ONES.shape, 2), np.nan), var_rnoise=1.0, err=1.0)
    for compute_err in ("from_var", "driz_err"):
        out = run(
            [beside, beside],
            enable_var=True,
            compute_err=compute_err,
            propagate_dq=True,
            variance=variance,
            fillval="NAN",
        )
        assert np.isnan(out["data"]).all() and np.isnan(out["err"]).all() and (out["wht"] == 0).all()
        assert (out["dq"] == 0).all() and (out["con"] == 0).all() and np.isnan(out["var_rnoise"]).all()
