"""SkyImage and SkyGroup: what they are made of, their pixels and polygons."""

import copy

import numpy as np
import pytest
from sky_images import SHAPE, STEP, Plane, image, skies
from spherical_geometry.polygon import MalformedPolygonError, SphericalPolygon

from drizzleflow.errors import InputError
from drizzleflow.sky import SkyGroup, SkyImage, SkyStats
from drizzleflow.sky.skyimage import outlines_of


def test_what_an_image_remembers():
    mask, meta, data = np.ones(SHAPE, bool), {"a": 1}, np.zeros(SHAPE, np.float32)
    plane = Plane()
    im = SkyImage(data, mask, plane.forward, plane.inverse, SkyStats("median"), "x", None, meta)
    assert im.image is data and im.mask is mask and im.meta is meta and im.sky_id == im.id == "x"
    assert im.sky == 0.0 and im.is_sky_valid is False and im.convf == 1.0
    assert im.outline.shape == (2, 5)
    square = (SHAPE[0] * SHAPE[1]) * np.radians(STEP) ** 2
    assert im.poly_area == pytest.approx(square, rel=1e-6)
    assert im.polygon is im._polygon and im.polygon.area() == pytest.approx(square, rel=1e-4)
    more = SkyImage(data, None, plane.forward, plane.inverse, SkyStats(), stepsize=10)
    assert more.outline.shape == (2, 15) and more.poly_area == pytest.approx(im.poly_area, rel=1e-6)
    assert copy.deepcopy(im).poly_area == im.poly_area


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"image": np.zeros(5)}, InputError, "two-dimensional"),
        ({"image": np.zeros((0, 5))}, InputError, "two-dimensional"),
        ({"mask": np.ones((3, 3))}, InputError, "'mask' must have the same shape as 'image'"),
        ({"dq": np.ones((3, 3), int)}, InputError, "'dq' must have the same shape"),
        ({"convf": 0.0}, InputError, "convf"),
        ({"convf": np.nan}, InputError, "convf"),
        ({"stepsize": 0}, InputError, "stepsize"),
        ({"dq": np.ones(SHAPE, int), "dqbits": "NO_SUCH"}, InputError, "NO_SUCH"),
        ({"wcs_fwd": 3}, TypeError, "'wcs_fwd' must be callable"),
        ({"skystat": "mean"}, TypeError, "'skystat' must be callable"),
    ],
)
def test_wrong_images(change, error, words):
    plane = Plane()
    good = {
        "image": np.zeros(SHAPE),
        "mask": None,
        "wcs_fwd": plane.forward,
        "wcs_inv": plane.inverse,
        "skystat": None,
    }
    with pytest.raises(error, match=words):
        SkyImage(**{**good, **change})


def test_only_the_pixels_that_count():
    ramp = np.arange(1200, dtype=np.float32).reshape(SHAPE)
    assert image(0, data=ramp).calc_sky()[:2] == (pytest.approx(599.5), 1200)
    assert image(0, data=ramp, mask=(ramp >= 600) * 7.5).calc_sky()[:2] == (
        pytest.approx(899.5),
        600,
    )  # non-zero is good
    assert image(0, data=ramp, mask=(ramp >= 600) * -1).calc_sky()[1] == 600
    flags = np.where(ramp < 300, 1, np.where(ramp < 600, 4, 0))
    names = {"DO_NOT_USE": 1, "JUMP_DET": 4}
    for dqbits, npix in ((0, 600), (4, 900), ("~DO_NOT_USE", 900), ("JUMP_DET", 900), (None, 1200)):
        more = {"dq": flags, "dqbits": dqbits, "dq_flags": names}
        assert image(0, data=ramp, more=more).calc_sky()[1] == npix
    holes = ramp.copy()
    holes[0, :7] = np.nan, np.inf, -np.inf, np.nan, np.nan, np.nan, np.nan
    assert image(0, data=holes).calc_sky()[1] == 1193
    assert image(0, data=holes, stat=lambda v: (v.max(), v.size)).calc_sky()[:2] == (1199.0, 1193)
    more = {"dq": flags, "dqbits": 4}
    assert image(0, data=holes, mask=ramp < 400, more=more).calc_sky()[1] == 100


def test_calc_sky_relative_and_absolute_and_without_any():
    im = image(42)
    im.sky = 21.0
    assert im.calc_sky()[:2] == (21.0, 1200) and im.calc_sky(delta=False)[0] == 42.0
    assert im.calc_sky()[2] == im.poly_area
    assert image(42, mask=np.zeros(SHAPE)).calc_sky() == (None, 0, 0.0)
    assert im.calc_sky(overlap=image(1, 500)) == (None, 0, 0.0)
    assert image(1, data=np.full(SHAPE, np.nan)).calc_sky() == (None, 0, 0.0)
    assert image(1, stat=lambda v: (np.nan, 5)).calc_sky() == (None, 0, 0.0)
    assert image(1, stat=lambda v: (None, 0)).calc_sky() == (None, 0, 0.0)


def test_the_statistics_of_images():
    im = image(5, noise=1.0)
    for skystat in ("mean", "median", "mode", "midpt"):
        im.set_builtin_skystat(skystat, lower=0.0, upper=9.0, nclip=2, lsigma=3.0, usigma=2.5, binwidth=0.2)
        stats = SkyStats(skystat, 0.0, 9.0, 2, 3.0, 2.5, 0.2)
        assert im.calc_sky()[:2] == stats(im.image)
    assert SkyImage(im.image, None, im._wcs_fwd, im._wcs_inv, None).calc_sky()[:2] == SkyStats("mean")(
        im.image
    )


@pytest.mark.parametrize("mode", ["centers", "scan"])
def test_the_pixels_of_an_overlap(mode):
    ramp = np.tile(np.arange(40, dtype=np.float32), (30, 1))
    im, other = image(0, data=ramp), image(0, 10.2)
    value, npix, area = im.calc_sky(overlap=other, mode=mode)
    assert (value, npix) == (24.5, 900)  # from 9.7 to 39.5: columns 10 to 39
    assert area == pytest.approx(im.poly_area * 29.8 / 40, rel=1e-5)
    for same in (SkyGroup([other]), other.polygon, tuple(other.outline)):
        assert im.calc_sky(overlap=same, mode=mode) == (value, npix, pytest.approx(area))


def test_what_cannot_be_overlapped():
    for wrong in (3, "name", [1, 2, 3]):
        with pytest.raises(TypeError, match="overlap: expected a SkyImage"):
            image(1).calc_sky(overlap=wrong)
    assert len(outlines_of(SkyGroup([image(1), image(1, 50)]))) == 2


def test_intersections(monkeypatch, caplog):
    # turned: of edges on one great circle, spherical_geometry loses unions
    a, b, c = image(1), image(1, 10, turn=0.05), image(1, 30, turn=-0.05)
    pixel = np.radians(STEP) ** 2
    assert a.intersection(b).area() == pytest.approx(900 * pixel, rel=0.01)
    group = SkyGroup([b, c])
    assert a.intersection(group).area() == pytest.approx(900 * pixel, rel=0.01)
    assert group.polygon.area() == pytest.approx(1800 * pixel, rel=0.01)
    assert group.intersection(a).area() == pytest.approx(900 * pixel, rel=0.01)
    assert a.intersection(image(1, 500)).area() == 0.0

    def fail(*args):
        raise MalformedPolygonError("broken")

    lost = image(1, 10)
    assert a.intersection(lost).area() == pytest.approx(
        900 * pixel, rel=1e-4
    )  # clipped, where the library finds nothing
    monkeypatch.setattr(SphericalPolygon, "intersection", fail)
    assert a.intersection(b).area() == pytest.approx(900 * pixel, rel=0.01)
    assert "Encountered MalformedPolygonError while computing the intersection" in caplog.text
    assert a.intersection(image(1, 500)).area() == 0.0
    assert a.calc_sky(overlap=b)[1] == pytest.approx(900, abs=60)  # not the whole image


def test_groups():
    a, b = image(5, name="a"), image(7, 35, name="b")
    a.sky, b.sky = 1.0, 2.0
    group = SkyGroup([a, b], "g")
    assert len(group) == 2 and group[0] is a and list(group) == [a, b] and group[0:1] == [a]
    assert group.sky == 0.0 and group.id == group.sky_id == "g" and not group.is_sky_valid
    assert group.calc_sky()[:2] == (4.0, 1200)  # of the lowest member
    assert group.calc_sky(delta=False)[:2] == (5.0, 1200)
    group.sky = 10.0
    assert skies([a, b, group]) == [11.0, 12.0, 10.0]
    c = image(0, 20)
    value, npix, area = group.calc_sky(overlap=c, delta=False, mode="centers")
    assert npix == 600 + 750 and value == pytest.approx((5 * 600 + 7 * 750) / 1350)
    assert area == pytest.approx(a.poly_area * (20 + 25) / 40, rel=1e-5)
    # the pixels of any member, once; the area of each
    value, npix, total = c.calc_sky(overlap=group, mode="centers")
    assert (npix, total) == (1200, pytest.approx(area))
    assert group.calc_sky(overlap=image(1, 500)) == (None, 0, 0.0)
    group.is_sky_valid = True
    assert a.is_sky_valid and group.is_sky_valid


@pytest.mark.parametrize(
    "images, error",
    [
        ([], ValueError),
        (None, TypeError),
        ([1], TypeError),
        ([SkyGroup([image(1)])], TypeError),
        (image(1), TypeError),
    ],
)
def test_what_is_no_group(images, error):
    with pytest.raises(error, match="SkyGroup requires a list of images"):
        SkyGroup(images)
