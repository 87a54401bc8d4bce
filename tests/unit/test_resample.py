"""Drizzling onto a grid: data, weights, variances, context, data quality and times."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drizzleflow.errors import InputError
from drizzleflow.geometry.grid import Grid
from drizzleflow.resample import Resample
from drizzleflow.resample.kernels import KERNELS, kernel_reach, parse_fillval

FLUX_CONSERVING = ("square", "point", "turbo")


def target(shape=(12, 14), ratio=1.0):
    return {"wcs": SimpleNamespace(array_shape=shape), "pixel_scale_ratio": ratio}


def shifted(shape, dx=0.0, dy=0.0, scale=1.0, angle=0.0):
    """A pixel map: scaled by `scale` (output pixels an input pixel), rotated (degrees) about the origin,
    shifted.
    """
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    s, c = scale * np.sin(np.radians(angle)), scale * np.cos(np.radians(angle))
    made = np.stack([c * x - s * y + dx, s * x + c * y + dy], axis=-1)
    return np.rint(made * 2**32) / 2**32


def model(data, pixmap=None, *, time=1.0, group="g", **planes):
    data = np.asarray(data, np.float32)
    base = {
        "data": data,
        "dq": np.zeros(data.shape, np.uint32),
        "pixmap": shifted(data.shape, 2, 3) if pixmap is None else pixmap,
        "exposure_time": time,
        "measurement_time": None,
        "duration": time,
        "start_time": 1.0,
        "end_time": 2.0,
        "group_id": group,
        "level": None,
        "subtracted": None,
        "filename": "m1",
        "pixelarea_steradians": None,
        "err": None,
        "var_rnoise": None,
        "var_poisson": None,
        "var_flat": None,
    }
    full = {
        k: np.full(data.shape, v, np.float32) if np.isscalar(v) and k.startswith(("var", "err")) else v
        for k, v in planes.items()
    }
    return base | full


def run(models, output=None, **options):
    resample = Resample(output or target(), len(models), **{"enable_var": False, **options})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in models:
            resample.add_model(one)
    resample.finalize()
    return resample.output_model


ONES = np.ones((6, 7), np.float32)
INNER = np.s_[3:9, 2:9]  # where `model` puts a (6, 7) frame on the (12, 14) target


# --- data and weights
# -------------------------------------------------------------------------------------------------


def test_identity():
    data = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
    out = run([model(data, var_rnoise=0.25)])
    np.testing.assert_array_equal(out["data"][INNER], data)
    np.testing.assert_array_equal(out["wht"][INNER], 4 * ONES)
    outside = np.ones((12, 14), bool)
    outside[INNER] = False
    assert (out["data"][outside] == 0).all() and (out["wht"][outside] == 0).all()
    assert (out["data"].dtype, out["wht"].dtype, out["con"].dtype) == (np.float32, np.float32, np.int32)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_a_constant_field_stays_constant(kernel, scale):
    frame = model(np.full((30, 30), 7.5), shifted((30, 30), 5.3, 4.6, scale, 0.0), var_rnoise=2.0)
    out = run(
        [frame, model(np.full((30, 30), 7.5), shifted((30, 30), 5.9, 4.1, scale, 10.0))],
        target((70, 70), 1 / scale),
        kernel=kernel,
    )
    seen = np.abs(out["wht"]) > 1e-3
    assert seen.sum() > 800 * min(1, scale) ** 2
    np.testing.assert_allclose(out["data"][seen], 7.5, rtol=2e-5 if "lanczos" not in kernel else 2e-3)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(FLUX_CONSERVING),
    st.sampled_from([0.6, 1.0]),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.floats(-180, 180),
    st.sampled_from(["ivm", "exptime"]),
)
def test_flux_is_conserved(seed, kernel, pixfrac, scale, angle, weight_type):
    """Sum of data x weight over the output = the same sum over the inputs."""
    rng = np.random.default_rng(seed)
    total, weights, models = 0.0, 0.0, []
    for time in (3.0, 10.0):
        data, var = rng.uniform(1, 9, (9, 11)), rng.uniform(0.1, 3, (9, 11)).astype(np.float32)
        dq = (rng.random((9, 11)) < 0.1).astype(np.uint32)
        weight = np.where(dq, 0, 1 / var if weight_type == "ivm" else time)
        total, weights = total + (data * weight).sum(), weights + weight.sum()
        pixmap = shifted((9, 11), 40 + rng.random(), 40 + rng.random(), scale, angle)
        models.append(model(data, pixmap, time=time, var_rnoise=var) | {"dq": dq})
    options = {"kernel": kernel, "pixfrac": pixfrac, "weight_type": weight_type}
    out = run(models, target((80, 80), 1 / scale), **options)
    if kernel == "point":  # the point kernel does not divide the weight over finer pixels
        weights, total = (v * (out["wht"].sum(dtype=float) / weights) for v in (weights, total))
    assert out["wht"].sum(dtype=float) == pytest.approx(weights, rel=2e-5)
    assert (out["data"].astype(float) * out["wht"]).sum() == pytest.approx(total, rel=2e-5)


def axis_overlap(n_in, n_out, scale, shift, pixfrac):
    """(n_out, n_in) length of output pixel o that the drop of input pixel i covers, over the drop's length."""
    centre, half = scale * np.arange(n_in) + shift, scale * pixfrac / 2
    low = np.maximum(np.arange(n_out)[:, None] - 0.5, centre - half)
    high = np.minimum(np.arange(n_out)[:, None] + 0.5, centre + half)
    return np.clip(high - low, 0, None) / (2 * half)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([0.5, 1.0]),
    st.floats(0.5, 2.0),
    st.sampled_from(["square", "turbo"]),
    st.sampled_from(["ivm", "exptime"]),
)
def test_drizzle_by_its_definition(seed, pixfrac, scale, kernel, weight_type):
    """Axis-aligned drops: overlaps by hand, then data = sum wd / sum w, V = sum w^2 V / (sum w)^2."""
    rng = np.random.default_rng(seed)
    shape, out_shape = (5, 6), (24, 26)
    top, squares, bottom, models = 0.0, {}, 0.0, []
    for time in (2.0, 5.0):
        data = rng.normal(0, 5, shape).astype(np.float32)
        var = {
            f"var_{k}": rng.uniform(0.2, 4, shape).astype(np.float32) for k in ("rnoise", "poisson", "flat")
        }
        good = rng.random(shape) > 0.15
        dx, dy = rng.uniform(5, 8, 2)
        models.append(
            model(data, shifted(shape, dx, dy, scale), time=time, **var)
            | {"dq": (~good * 4).astype(np.uint32)}
        )
        ay, ax = (
            axis_overlap(shape[0], out_shape[0], scale, dy, pixfrac),
            axis_overlap(shape[1], out_shape[1], scale, dx, pixfrac),
        )
        weight = np.where(good, 1 / var["var_rnoise"] if weight_type == "ivm" else time, 0)
        top, bottom = top + ay @ (weight * data) @ ax.T, bottom + ay @ weight @ ax.T
        for k, v in var.items():
            squares[k] = squares.get(k, 0) + ay**2 @ (weight**2 * v) @ (ax**2).T
    options = {
        "kernel": kernel,
        "pixfrac": pixfrac,
        "weight_type": weight_type,
        "fillval": "NAN",
        "compute_err": "from_var",
    }
    out = run(models, target(out_shape, 1 / scale), enable_var=True, **options)
    np.testing.assert_allclose(out["wht"], bottom, rtol=1e-4, atol=1e-5)
    seen = bottom > 1e-2 * bottom.max()
    np.testing.assert_allclose(
        out["data"][seen], (top / np.where(bottom, bottom, 1))[seen], rtol=2e-3, atol=2e-3
    )
    total = 0
    for k, s in squares.items():
        np.testing.assert_allclose(out[k][seen], s[seen] / bottom[seen] ** 2, rtol=2e-3)
        total = total + s
    np.testing.assert_allclose(out["err"][seen], np.sqrt(total[seen]) / bottom[seen], rtol=2e-3)
    assert np.isnan(out["data"][bottom == 0]).all() and np.isnan(out["err"][bottom == 0]).all()


def test_the_peers_weights():
    """Three images 10, 5, 5 of variance 1/10, 1/5, 1/5; then of exposure times."""
    images = [model(v * ONES, time=t, var_rnoise=1 / v) for v, t in ((10, 10), (5, 20), (5, 30))]
    out = run(images)
    np.testing.assert_allclose(out["data"][INNER], 7.5, rtol=1e-6)
    np.testing.assert_allclose(out["wht"][INNER], 20, rtol=1e-6)
    out = run(images, weight_type="exptime")
    np.testing.assert_allclose(out["data"][INNER], (10 * 10 + 5 * 20 + 5 * 30) / 60, rtol=1e-6)
    images[0]["measurement_time"] = 40.0  # preferred to the exposure time
    np.testing.assert_allclose(run(images, weight_type="exptime")["wht"][INNER], 90, rtol=1e-6)


def test_sky_is_subtracted_once():
    frame = model(9 * ONES)
    for level, subtracted, expected in ((2.0, False, 7), (2.0, None, 7), (2.0, True, 9), (None, False, 9)):
        out = run([frame | {"level": level, "subtracted": subtracted}])
        np.testing.assert_allclose(out["data"][INNER], expected)
    assert (frame["data"] == 9).all()


def test_bad_pixels_and_nan_do_not_count():
    """Neither by their flag nor by their value, even where the value carries no flag."""
    data = 5 * ONES
    data[2, 3], data[4, 4] = np.nan, 1000
    dq = np.zeros(ONES.shape, np.uint32)
    dq[4, 4], dq[1, 1] = 16, 2
    out = run([model(data) | {"dq": dq}, model(3 * ONES)], good_bits="2")
    expected = np.full(ONES.shape, 4.0)
    expected[2, 3] = expected[4, 4] = 3
    np.testing.assert_array_equal(out["data"][INNER], expected)
    out = run([model(data) | {"dq": dq}], good_bits="2", fillval="NAN")
    assert np.argwhere(np.isnan(out["data"][INNER])).tolist() == [[2, 3], [4, 4]]


def test_flag_names():
    class Named(Resample):
        dq_flag_name_map = {"JUMP_DET": 4}

    frame = model(ONES) | {"dq": np.full(ONES.shape, 4, np.uint32)}
    for good_bits, seen in (("JUMP_DET", True), ("~JUMP_DET", False), (0, False), (None, True)):
        resample = Named(target(), good_bits=good_bits)
        resample.add_model(frame)
        assert (resample.output_model["wht"] > 0).any() == seen


@pytest.mark.parametrize(
    ("fillval", "expected"),
    [(0.0, 0), ("-5.5", -5.5), (3, 3), ("nan", np.nan), ("NAN", np.nan), (None, np.nan), ("indef", np.nan)],
)
def test_fill_values(fillval, expected):
    out = run([model(ONES)], fillval=fillval)
    np.testing.assert_array_equal(out["data"][:3], np.full((3, 14), expected, np.float32))
    assert (out["data"][INNER] == 1).all()


def test_parse_fillval():
    assert [parse_fillval(v) for v in (None, "none", "NaN", " 1e3 ", 2)] == [
        "INDEF",
        "INDEF",
        "NAN",
        "1E3",
        "2",
    ]
    with pytest.raises(InputError, match="fillval 'zero'"):
        parse_fillval("zero")


@pytest.mark.parametrize(("kernel", "lost"), [("turbo", 0), ("point", 0), ("square", 1)])
def test_only_inside_the_bounding_box(kernel, lost):
    """Where the map is NaN nothing is drizzled; drizzle's square kernel also drops the pixels beside NaN."""
    pixmap = shifted((20, 25), 2, 3)
    pixmap[:4] = pixmap[:, :5] = pixmap[:, 20:] = np.nan
    out = run([model(np.ones((20, 25)), pixmap)], target((30, 30)), kernel=kernel)
    seen = np.argwhere(out["wht"] > 0.5)
    assert seen.min(axis=0).tolist() == [7 + lost, 7 + lost] and seen.max(axis=0).tolist() == [22, 21 - lost]


# --- exact under a shift
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_window_with_the_kernels_reach_has_the_bits_of_the_full_frame(kernel, scale):
    """Data, weights and variances of a tile, drizzled with `kernel_reach` as its margin and cropped: 0 pixels
    differ.
    """
    rng = np.random.default_rng(3)
    shape, full = (60, 64), (int(90 * scale) + 20, int(90 * scale) + 20)
    reach = kernel_reach(kernel, scale)
    frames = []
    for k in range(2):
        pixmap = shifted(shape, 25 * scale + 8.3 + k, 6.2 + k / 3, scale, 18.0 + 7 * k)
        frames.append(
            model(rng.normal(0, 9, shape), pixmap, var_rnoise=rng.uniform(0.5, 2, shape).astype(np.float32))
        )
    options = {"kernel": kernel, "enable_var": True, "compute_err": "from_var", "fillval": "NAN"}
    whole = run(frames, target(full, 1 / scale), **options)
    assert (whole["wht"] > 0).sum() > 1500 * scale**2
    mid = full[0] // 2
    tiles = [
        (mid - 13, mid + 9, mid - 7, mid + 15),
        (0, full[1], mid, mid + 1),
        (mid + 3, mid + 4, 0, full[0]),
        (mid - 5, full[1], 0, mid + 5),
    ]
    for x0, x1, y0, y1 in tiles:
        origin = np.array([x0 - reach, y0 - reach], float)
        moved = [f | {"pixmap": f["pixmap"] - origin} for f in frames]
        part = run(moved, target((y1 - y0 + 2 * reach, x1 - x0 + 2 * reach), 1 / scale), **options)
        # beyond the full frame's edge a padded tile keeps pixels that the frame drops: compare inside
        edge = max(0, reach - min(x0, y0, full[1] - x1, full[0] - y1))
        for key in ("wht", "data", "var_rnoise", "err"):
            a = whole[key][y0:y1, x0:x1]
            b = part[key][reach:-reach, reach:-reach]
            inside = np.zeros(full, bool)
            inside[edge : full[0] - edge, edge : full[1] - edge] = True
            inside = inside[y0:y1, x0:x1]
            assert inside.any()
            np.testing.assert_array_equal(a[inside], b[inside], err_msg=f"{key} of {(x0, x1, y0, y1)}")


@pytest.mark.parametrize("kernel", ["square", "lanczos3"])
def test_without_a_margin_it_would_not_be(kernel):
    """What the margin is for: drizzle drops input pixels whose centre is outside the output."""
    shape = (40, 40)
    frame = model(np.random.default_rng(1).normal(size=shape), shifted(shape, 12.3, 4.6, 1.0, 20.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = run([frame], target((60, 60)), kernel=kernel)
        tile = run([frame | {"pixmap": frame["pixmap"] - [15.0, 20.0]}], target((20, 20)), kernel=kernel)
    assert (whole["wht"][20:40, 15:35] != tile["wht"]).any()


def test_the_order_of_the_inputs_is_kept():
    """The running mean in float32 depends on the order; the same order gives the same bits."""
    rng = np.random.default_rng(5)
    frames = [model(rng.normal(size=(6, 7)), shifted((6, 7), 2.3 + k / 5, 3.1)) for k in range(4)]
    first, again = run(frames), run(frames)
    np.testing.assert_array_equal(first["data"], again["data"])
    np.testing.assert_allclose(run(frames[::-1])["data"], first["data"], rtol=1e-4, atol=1e-5)


# --- life cycle and errors
# --------------------------------------------------------------------------------------------


def test_finalize_and_reset():
    resample = Resample(target(), enable_var=False)
    with pytest.raises(InputError, match="no image was added"):
        resample.finalize()
    resample.add_model(model(ONES, group="a"))
    assert not resample.is_finalized() and resample.group_ids == ["a"]
    resample.finalize()
    assert resample.is_finalized()
    with pytest.raises(RuntimeError, match="reset_arrays"):
        resample.add_model(model(ONES))
    kept = resample.output_model["data"]
    resample.reset_arrays()
    resample.add_model(model(9 * ONES, group="b"))
    resample.finalize()
    assert (
        resample.group_ids == ["b"]
        and (resample.output_model["data"][INNER] == 9).all()
        and (kept[INNER] == 1).all()
    )


def test_the_hook_sees_what_was_drizzled():
    seen = []

    class Hooked(Resample):
        def add_model_hook(
            self, model, pixmap, pixel_scale_ratio, iscale, weight_map, xmin, xmax, ymin, ymax
        ):
            seen.append(
                (
                    model["filename"],
                    pixmap.shape,
                    pixel_scale_ratio,
                    iscale,
                    weight_map.shape,
                    xmin,
                    xmax,
                    ymin,
                    ymax,
                )
            )

    Hooked(target((12, 14), 0.5)).add_model(model(ONES))
    assert seen == [("m1", (6, 7, 2), 0.5, 1.0, (6, 7), 0, 6, 0, 5)]


@pytest.mark.parametrize("time", [0, None, -1.0, float("nan")])
def test_an_exposure_time_that_is_not_positive(time):
    with pytest.raises(InputError, match=r"m1: exposure time .*positive"):
        run([model(ONES, time=time)])


@pytest.mark.parametrize("key", ["dq", "err", "var_rnoise", "var_poisson"])
def test_planes_of_another_shape(key):
    frame = model(ONES) | {key: np.ones((6, 8), np.uint32 if key == "dq" else np.float32)}
    with pytest.raises(InputError, match=rf"m1: {key} has shape \(6, 8\), expected \(6, 7\)"):
        run([frame])


@pytest.mark.parametrize(
    ("key", "options"), [("err", {"compute_err": "driz_err"}), ("dq", {"propagate_dq": True})]
)
def test_planes_that_are_missing(key, options):
    """Errors cannot be drizzled without ERR; without DQ there is nothing to propagate."""
    frame = model(ONES, err=1.0) | {key: None}
    if key == "err":
        with pytest.raises(InputError, match=r"m1: .*err"):
            run([frame], **options)
    else:
        assert (run([frame], **options)["dq"] == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "tophat"}, "kernel 'tophat': expected one of square"),
        ({"weight_type": "ivm-smed"}, "weight_type 'ivm-smed'"),
        ({"weight_type": None}, "weight_type None"),
        ({"compute_err": "both"}, "compute_err 'both'"),
        ({"variance": "best"}, "variance 'best'"),
        ({"fillval": "x"}, "fillval 'x'"),
    ],
)
def test_wrong_parameters(options, message):
    with pytest.raises(InputError, match=message):
        Resample(target(), **options)


def test_kernels_in_any_case_and_a_grid_as_the_wcs():
    grid = Grid((12, 14), (10.0, 0.0), (5.0, 5.0), (-1e-5, 0.0, 0.0, 1e-5), 0.036)
    resample = Resample({"wcs": grid}, kernel="SQUARE", enable_var=False)
    resample.add_model(model(ONES))
    assert resample.output_array_shape == (12, 14) and resample.output_wcs is grid


@pytest.mark.parametrize(
    ("kernel", "radius"), [("square", 1), ("turbo", 1), ("lanczos2", 2), ("lanczos3", 3)]
)
def test_kernel_reach(kernel, radius):
    """At least what the study measured: ceil(radius x scale) + 2."""
    for scale in (0.5, 1.0, 2.0, 3.3):
        assert kernel_reach(kernel, scale) >= np.ceil(radius * scale) + 2


def test_a_lossy_kernel_is_told_once_not_with_every_image(caplog):
    resample = Resample(target(), 2, kernel="lanczos3", enable_var=False)
    assert [record.getMessage() for record in caplog.records] == ["kernel lanczos3 does not conserve flux"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            resample.add_model(model(np.ones((5, 6))))
