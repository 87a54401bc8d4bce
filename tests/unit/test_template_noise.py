"""What is left of noise that is drizzled and interpolated: known numbers, and other noise in other places."""

import warnings

import numpy as np
import pytest

from drizzleflow.outliers import template_noise as module
from drizzleflow.outliers.blot import INTERPOLATIONS, blot
from drizzleflow.outliers.template_noise import template_noise

SIDE = 170


def positions(ratio, angle, x, y, side):
    """Where the pixels of an exposure lie on a grid of `side` pixels, `ratio` times as large."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    turned = np.cos(angle) * columns - np.sin(angle) * rows, np.sin(angle) * columns + np.cos(angle) * rows
    return np.stack(turned, axis=-1) / ratio + (side - 1) / 2 + np.array([x, y])


def left(kernel, pixfrac, ratio, interp, seed):
    """The variance that is left of white noise of variance 1: several exposures, each turned and shifted."""
    from drizzle.resample import Drizzle

    rng, side, squares = np.random.default_rng(seed), int(SIDE / ratio) + 6, []
    for _ in range(3):
        first, second = (
            positions(ratio, rng.uniform(-0.3, 0.3), *rng.uniform(-1, 1, 2), side) for _ in range(2)
        )
        noise = rng.normal(size=(SIDE, SIDE)).astype(np.float32)
        made = Drizzle(kernel=kernel, fillval="NAN", out_shape=(side, side), disable_ctx=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.add_image(noise, exptime=1.0, pixmap=first, pixfrac=pixfrac)
        values = blot(made.out_img, second, np.nan, interp, "linear")[50:-50, 50:-50]
        squares.append(np.square(values[np.isfinite(values)], dtype=float))
    return np.concatenate(squares).mean()


def test_two_triangles_an_axis():
    """The square kernel at the input's scale is a triangle: along an axis 2/3 of the variance is left, and 1/6 is
    shared with the next pixel. Linear interpolation makes 2/3 * 2/3 + 1/3 * 1/6 = 1/2 of it, nearest nothing.
    """
    assert template_noise("square", 1.0, 1.0, "linear") == pytest.approx(0.25, rel=0.03)
    assert template_noise("square", 1.0, 1.0, "nearest") == pytest.approx((2 / 3) ** 2, rel=0.03)


@pytest.mark.parametrize(
    "kernel, pixfrac, ratio, interp",
    [
        ("square", 1.0, 1.0, "linear"),
        ("square", 1.0, 1.0, "poly5"),
        ("square", 1.0, 0.5, "linear"),
        ("square", 1.0, 2.0, "linear"),
        ("square", 1.0, 2.0, "nearest"),
        ("square", 0.6, 0.5, "poly3"),
        ("square", 0.8, 2.0, "poly3"),
        ("gaussian", 1.0, 1.0, "linear"),
        ("gaussian", 0.8, 2.0, "lanczos3"),
        ("turbo", 1.0, 1.0, "nearest"),
        ("turbo", 1.0, 0.5, "poly3"),
        ("point", 1.0, 2.0, "linear"),
    ],
)
def test_other_noise_elsewhere_has_the_same_left(kernel, pixfrac, ratio, interp):
    """Of surface brightness an output pixel's nominal variance is that of the input pixels that it holds."""
    nominal = 1 / max(1, ratio) ** 2
    measured = left(kernel, pixfrac, ratio, interp, seed=7) / nominal
    assert template_noise(kernel, pixfrac, ratio, interp) == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.5, 2.0])
def test_the_nominal_variance_of_flux_per_pixel_is_an_input_pixel_s(ratio):
    surface = template_noise("square", 1.0, ratio, "linear")
    flux = template_noise("square", 1.0, ratio, "linear", per_pixel=True)
    assert flux == pytest.approx(surface / max(1.0, ratio) ** 2, rel=1e-12)


@pytest.mark.parametrize("interp", INTERPOLATIONS)
def test_wider_kernels_leave_less(interp):
    kept = [template_noise("square", pixfrac, 1.0, interp) for pixfrac in (0.6, 0.8, 1.0)]
    assert kept == sorted(kept, reverse=True) and 0 < kept[-1] < kept[0] <= 1.1


def test_the_same_number_in_any_process_and_order():
    first = template_noise("square", 0.9, 1.0, "linear")
    np.random.seed(5)  # noqa: NPY002 (no state of others counts)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    template_noise.cache_clear()
    assert template_noise("square", 0.9, 1.0, "linear") == first
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_it_is_computed_once(monkeypatch):
    first = template_noise("square", 1.0, 1.0, "poly3")
    monkeypatch.setattr(module, "blot", None)
    assert template_noise("square", 1.0, 1.0, "poly3") == first
    with pytest.raises(TypeError):
        template_noise("square", 0.95, 1.0, "poly3")


def test_drops_too_small_for_an_image_have_all_their_noise():
    assert template_noise("square", 0.001, 0.05, "linear") == 1.0
