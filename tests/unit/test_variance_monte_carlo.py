"""The exact ERR against the scatter of the mosaic over many realisations of the noise."""

import numpy as np
import pytest
from test_resample import model, run, shifted, target

from drizzleflow.resample.utils import correlated_noise

SHAPE, REALISATIONS = (36, 36), 300
CASES = [(1.0, 1.0), (0.8, 1.0), (1.0, 0.5), (0.8, 0.5)]


def mosaics(
    pixfrac, ratio, variance, offsets=((0.0, 0.0), (0.31, 0.58), (0.77, 0.23)), angle=7.0, uniform=False
):
    """Science images of all realisations, and the ERR that goes with them, inside the common area."""
    rng = np.random.default_rng(11)
    scale, pad = 1 / ratio, 8
    size = int(np.ceil(SHAPE[0] * scale * 1.2)) + 2 * pad
    planes = []
    for _ in offsets:
        noise = np.ones((2, *SHAPE)) if uniform else rng.uniform(0.3, 3.0, (2, *SHAPE))
        planes.append(dict(zip(("var_rnoise", "var_poisson"), noise.astype(np.float32), strict=True)))
    maps = [
        shifted(SHAPE, pad + 4 * scale + dx * scale, pad + dy * scale, scale, angle) for dx, dy in offsets
    ]
    options = {
        "pixfrac": pixfrac,
        "variance": variance,
        "compute_err": "from_var",
        "fillval": "NAN",
        "enable_ctx": False,
    }
    images, err = [], None
    for k in range(REALISATIONS):
        frames = []
        for plane, pixmap in zip(planes, maps, strict=True):
            sigma = np.sqrt(plane["var_rnoise"] + plane["var_poisson"])
            frames.append(model(5.0 + sigma * rng.normal(size=SHAPE), pixmap, **plane))
        out = run(
            frames,
            target((size, size), ratio),
            **options | ({"enable_var": True} if not k else {"compute_err": None}),
        )
        err = out["err"] if err is None else err
        images.append(out["data"])
    deep = np.isfinite(err) & (out["wht"] > 0.5 * np.median(out["wht"][out["wht"] > 0]))
    return np.array(images), err, deep


@pytest.mark.parametrize(("pixfrac", "ratio"), CASES)
def test_the_exact_error_is_the_scatter(pixfrac, ratio):
    images, err, deep = mosaics(pixfrac, ratio, "exact")
    pull = images.std(axis=0, ddof=1)[deep] / err[deep]
    assert deep.sum() > 500
    # the scatter of a pixel is known to 1 / sqrt(2 N): 4 %; that of all together to better than 1 %
    assert np.mean(pull**2) == pytest.approx(1.0, abs=0.03)
    assert pull.std() < 1.4 / np.sqrt(2 * REALISATIONS)


@pytest.mark.parametrize(("pixfrac", "ratio"), [(1.0, 1.0), (0.8, 1.0)])
def test_the_reference_error_is_not(pixfrac, ratio):
    """stcal's estimator does not square the overlaps: what it calls an error is larger than the scatter."""
    images, err, deep = mosaics(pixfrac, ratio, "reference")
    assert np.mean((images.std(axis=0)[deep] / err[deep]) ** 2) < 0.7


@pytest.mark.parametrize(("pixfrac", "ratio"), CASES)
def test_the_noise_of_an_area_is_the_pixels_times_the_correlation(pixfrac, ratio):
    """Neighbouring pixels share input pixels: a mean over an area scatters `correlated_noise` times as if
    they did not.
    """
    rng = np.random.default_rng(5)
    offsets = tuple(map(tuple, rng.random((12, 2))))  # the formula is for well spread dithers
    images, err, deep = mosaics(pixfrac, ratio, "exact", offsets, uniform=True)
    y, x = np.argwhere(deep).mean(axis=0).astype(int)
    half = int(9 / ratio)
    box = np.s_[y - half : y + half, x - half : x + half]
    independent = np.sqrt(np.sum(err[box].astype(float) ** 2)) / err[box].size
    found = images[(slice(None), *box)].mean(axis=(1, 2)).std(ddof=1) / independent
    # edges of the box count its own pixels once: the ratio comes short of the limit by about a pixel's width
    assert found == pytest.approx(correlated_noise(pixfrac, ratio), rel=0.15)
