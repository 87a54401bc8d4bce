"""The interpolated pixel map of AstroDrizzle."""

import numpy as np
import pytest

from drizzleflow.errors import InputError
from drizzleflow.frames.frame import SkyWCS
from drizzleflow.geometry import astrodrizzle_pixmap


class Plane:
    """A grid whose sky is its pixels."""

    def to_pixel(self, lon, lat):
        return lon, lat


def bent(x, y):
    return x + 1e-3 * x**2 - 2e-3 * x * y, y + 5e-4 * y**2 + 7.0


FRAME = SkyWCS(bent, None, (37, 52))


def test_exact_at_the_nodes_and_bilinear_between():
    found = astrodrizzle_pixmap.pixmap(FRAME, Plane())
    assert found.shape == (37, 52, 2) and found.dtype == np.float64
    y, x = np.mgrid[9:37:10, 9:52:10]  # 1-based 10, 20, 30 ...
    np.testing.assert_allclose(found[9:37:10, 9:52:10], np.stack(bent(x, y), axis=-1), rtol=1e-14)
    y, x = np.mgrid[:37, :52]
    error = found[..., 0] - np.stack(bent(x, y))[0]
    distance = (x + 1) % 10
    np.testing.assert_allclose(error, 1e-3 * distance * (10 - distance), atol=1e-12)


def test_step_one_is_exact_and_rows_do_not_depend_on_the_choice():
    y, x = np.mgrid[:37, :52]
    np.testing.assert_allclose(
        astrodrizzle_pixmap.pixmap(FRAME, Plane(), 1), np.stack(bent(x, y), axis=-1), rtol=1e-14
    )
    whole = astrodrizzle_pixmap.pixmap(FRAME, Plane(), 7)
    for rows in ((0, 1), (5, 30), (36, 37)):
        np.testing.assert_array_equal(
            astrodrizzle_pixmap.pixmap(FRAME, Plane(), 7, rows), whole[slice(*rows)]
        )


def test_a_frame_smaller_than_a_step():
    found = astrodrizzle_pixmap.pixmap(SkyWCS(bent, None, (3, 4)), Plane())
    assert found.shape == (3, 4, 2) and np.isfinite(found).all()


@pytest.mark.parametrize("step", [0, -1, 2.5])
def test_bad_step(step):
    with pytest.raises(InputError, match="stepsize"):
        astrodrizzle_pixmap.pixmap(FRAME, Plane(), step)
