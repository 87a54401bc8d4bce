"""match: the levels of images in memory."""

import logging

import numpy as np
import pytest
from sky_images import SHAPE, STEP, image, skies

from drizzleflow.errors import InputError
from drizzleflow.geometry.overlap import overlap_vertices
from drizzleflow.sky import SkyGroup, SkyImage, SkyStats, match, skyimage
from drizzleflow.sky import levels as sky


def mosaic():
    """The documents' second example: a 2x2 mosaic, and one of three that it does not touch."""
    first = [
        image(v, dx, n, dec=dec)
        for v, dx, dec, n in (
            (100, 0, 2, "a"),
            (120, 35, 2, "b"),
            (105, 0, 2.0025, "c"),
            (110, 35, 2.0025, "d"),
        )
    ]
    return first + [image(v, dx, n) for v, dx, n in ((95, 5000, "e"), (90, 5035, "f"), (100, 5070, "g"))]


@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize(
    "method, options, expected",
    [
        ("local", {}, [100, 120, 105, 110, 95, 90, 100]),
        ("global", {}, [90] * 7),
        ("match", {}, [0, 20, 5, 10, 5, 0, 10]),
        ("match", {"match_down": False}, [-20, 0, -15, -10, -5, -10, 0]),
        ("global+match", {}, [100, 120, 105, 110, 95, 90, 100]),
        ("global+match", {"match_down": False}, [100, 120, 105, 110, 95, 90, 100]),
        # stcal's: one zero for both mosaics
        ("match", {"reference": "all"}, [0, 20, 5, 10, 8.75, 3.75, 13.75]),
        ("global+match", {"reference": "all"}, [86.25, 106.25, 91.25, 96.25, 95, 90, 100]),
    ],
)
def test_the_example_of_the_documents(method, options, expected, subtract, caplog):
    images = mosaic()
    before = [im.image.copy() for im in images]
    levels = match(images, method, subtract=subtract, **options)
    assert skies(images) == pytest.approx(expected)
    assert [level.sky for level in levels] == pytest.approx(expected)
    assert all(im.is_sky_valid for im in images)
    for im, data, level in zip(images, before, expected, strict=True):
        assert np.allclose(im.image, data - level * subtract, rtol=0, atol=1e-4)
        assert im.image.dtype == np.float32
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    if "match" in method:
        assert [level.component for level in levels] == [1, 1, 1, 1, 2, 2, 2]
        assert len(warned) == 1 and "a, b, c, d; e, f, g" in warned[0]
    else:
        assert not warned and {level.component for level in levels} == {0}


@pytest.mark.parametrize("method", ["LOCAL", "Match", "GLOBAL", "Global+Match"])
def test_any_case(method):
    match([image(1), image(2, 5)], method)


def test_levels_are_added_to_those_that_images_have():
    for subtract, expected in ((False, [5.0, 7.0, 9.0]), (True, [6.0, 9.0, 12.0])):
        images = [image(5), image(7, 10), image(9, 20)]
        for n, im in enumerate(images):
            im.sky = n + 1.0
        match(images, "local", subtract=subtract)
        assert skies(images) == pytest.approx(expected)
    images = [image(5), image(7, 10)]
    images[1].sky = 2.0  # with it, the two agree
    match(images, "match")
    assert skies(images) == pytest.approx([0.0, 2.0])


def test_groups_share_a_change_and_singles_do_not_see_it():
    a, b, c = image(5, 0, "a"), image(8, 100, "b"), image(11, 20, "c")
    b.sky = 0.5
    group = SkyGroup([a, b], "g")
    levels = match([group, c], "match", match_down=False, subtract=True)
    assert [group.sky, *skies([a, b, c])] == pytest.approx([-6.0, -6.0, -5.5, 0.0])
    assert a.image[0, 0] == 11.0 and b.image[0, 0] == 14.0 and c.image[0, 0] == 11.0
    assert group.is_sky_valid and [level.group for level in levels] == ["g (a, b)", "g (a, b)", "c"]


def test_one_line_an_image(caplog):
    caplog.set_level(logging.INFO)
    a, b = image(10, 0, "a", more={"convf": 2.0}), image(16, 5, "b")
    a.sky = 4.0
    c = image(30, 500, "c")
    match([a, SkyGroup([b, c], "g")], "local")
    lines = [record.message for record in caplog.records if "Sky background" in record.message]
    assert lines == [
        "Image ID=a. Sky background: 5 (old=2, delta=3)",  # in the native unit: divided by convf
        "Image ID=b (group ID=g). Sky background: 16 (old=0, delta=16)",
        "Image ID=c (group ID=g). Sky background: 16 (old=0, delta=16)",
    ]
    assert a.sky == 10.0


@pytest.mark.parametrize(
    "images, method, error, words",
    [
        (
            [],
            "foo",
            ValueError,
            "Unsupported 'skymethod' 'foo'. Valid values are: 'local', 'global', 'match', 'global.match', or 'user'",
        ),
        ([], "global", ValueError, "Argument 'images' must contain at least one image"),
        (
            [1, 2],
            "global",
            TypeError,
            "Each element of the 'images' must be either a 'SkyImage' or a 'SkyGroup'",
        ),
        (image(1), "local", TypeError, "'images' must be a list"),
        (SkyGroup([image(1)]), "local", TypeError, "'images' must be a list"),
        (None, "local", TypeError, "'images' must be a list"),
        ([image(1)], 3, TypeError, "'skymethod' must be a string"),
        ([image(1)], "user", ValueError, "needs a 'skylist'"),
    ],
)
def test_wrong_calls(images, method, error, words):
    with pytest.raises(error, match=words):
        match(images, method)


def test_wrong_options_change_nothing():
    a, b = image(5, 0, "a"), image(7, 3, "b")
    for options in ({"weights": "x"}, {"reference": "x"}, {"overlap": "x"}, {"max_overlaps": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            match([a, b], "match", subtract=True, **options)
    with pytest.raises(InputError, match="Image ID=a is given twice"):
        match([a, SkyGroup([b, a])], "local")
    whole = image(0, data=np.full(SHAPE, 3), name="w")
    fixed = image(3, name="f")
    fixed.image.flags.writeable = False
    for wrong in (whole, fixed):
        with pytest.raises(InputError, match="needs a writable array of floating numbers"):
            match([a, wrong], "local", subtract=True)
        match([wrong], "local")
        assert wrong.sky == 3.0
    assert skies([a, b]) == [0.0, 0.0] and np.all(a.image == 5.0)


def test_no_overlap_at_all(caplog):
    images = [image(5, 0, "near"), image(7, 500, "far")]
    images[0].sky = 1.0
    match(images, "match", subtract=True)
    assert skies(images) == [1.0, 0.0] and not any(im.is_sky_valid for im in images)
    assert np.all(images[0].image == 5.0)
    assert "near" in caplog.text and "far" in caplog.text
    match(images, "global+match")  # each is its own set
    assert skies(images) == [5.0, 7.0] and all(im.is_sky_valid for im in images)
    match(images, "global+match", reference="all")


@pytest.mark.parametrize("bad", [0, 1])
@pytest.mark.parametrize("how", ["mask", "nan"])
def test_an_image_without_a_good_pixel(bad, how, caplog):
    def make():
        images = [image(5 + k, 3 * k, f"im{k}") for k in range(3)]
        if how == "mask":
            images[bad].mask = np.zeros(SHAPE)
        else:
            images[bad].image[:] = np.nan
        return images

    rest = [k for k in range(3) if k != bad]
    low = 5 + rest[0]
    for method, levels, valid in (
        ("local", [5 + k for k in range(3)], False),
        ("global", [low] * 3, True),
        ("match", [5 + k - low for k in range(3)], False),
        ("global+match", [5 + k for k in range(3)], False),
    ):
        images = make()
        match(images, method)
        expected = [0.0 if k == bad and not valid else levels[k] for k in range(3)]
        assert skies(images) == pytest.approx(expected)
        assert [im.is_sky_valid for im in images] == [k != bad or valid for k in range(3)]
        if not valid:
            assert f"im{bad}" in caplog.text
        caplog.clear()
    images = [image(5, mask=np.zeros(SHAPE), name="x"), image(6, 3, mask=np.zeros(SHAPE), name="y")]
    for method in ("local", "global", "match", "global+match"):
        match(images, method, subtract=True)
        assert skies(images) == [0.0, 0.0] and not images[0].is_sky_valid


@pytest.mark.parametrize("stat", ["mean", "median", "mode", "midpt"])
@pytest.mark.parametrize("method", ["local", "match", "global+match"])
def test_constant_data(stat, method):
    images = [image(v, dx, stat=stat) for v, dx in ((5, 0), (7.5, 10), (6, 20))]
    match(images, method)
    assert skies(images) == pytest.approx([0, 2.5, 1] if method == "match" else [5, 7.5, 6])


def test_a_footprint_that_is_not_finite(caplog):
    def nowhere(x, y):
        return x * np.nan, y * np.nan

    lost = SkyImage(np.full(SHAPE, 3.0), None, nowhere, nowhere, SkyStats(), "lost")
    assert "Image ID=lost: its outline on the sky is not finite" in caplog.text
    assert lost.poly_area == 0.0 and lost.polygon.area() == 0.0
    assert lost.calc_sky(overlap=image(1)) == image(1).calc_sky(overlap=lost) == (None, 0, 0.0)
    for method, expected in (("match", [0, 2, 0]), ("global+match", [5, 7, 3]), ("local", [5, 7, 3])):
        images = [image(5), image(7, 3), lost]
        lost.sky = 0.0
        match(images, method)
        assert skies(images) == pytest.approx(expected)
        assert lost.is_sky_valid == (method != "match")


PLACES = [(0.0, 0.0), (359.9999, -60.0), (120.0, 90.0), (33.0, 89.9995), (200.0, -90.0), (0.0, -89.999)]


@pytest.mark.parametrize("overlap", ["scan", "centers"])
@pytest.mark.parametrize("ra, dec", PLACES)
def test_across_ra_0_and_over_the_poles(ra, dec, overlap):
    images = [image(v, 8.0 * v, ra=ra, dec=dec, turn=20.0 * v) for v in (1, 2, 4)]
    match(images, "match", overlap=overlap)
    assert skies(images) == pytest.approx([0, 1, 3])
    assert images[0].poly_area == pytest.approx(1200 * np.radians(STEP) ** 2, rel=1e-5)


def test_identical_images_and_one_inside_the_other():
    images = [image(1), image(4), image(9, shape=(10, 12))]
    match(images, "match")
    assert skies(images) == pytest.approx([0, 3, 8])


def test_images_of_real_noise_are_matched_better_with_variances():
    rng = np.random.default_rng(3)
    found = {"npix": [], "variance": []}
    for _ in range(20):
        data = [
            rng.normal(level, noise, SHAPE).astype(np.float32) for level, noise in ((5, 1), (8, 1), (6, 30))
        ]
        for weights, errors in found.items():
            images = [image(0, dx, data=d) for d, dx in zip(data, (0, 15, 3), strict=True)]
            match(images, "match", weights=weights, overlap="centers")
            errors.append(images[1].sky - images[0].sky - 3)
    assert np.std(found["variance"]) < 0.5 * np.std(found["npix"])


def test_each_image_is_read_once():
    class Once:
        """An image that is loaded when it is asked for."""

        shape, reads = SHAPE, 0

        def __init__(self, value):
            self.value = value

        def __array__(self, dtype=None, copy=None):
            self.reads += 1
            return np.full(SHAPE, self.value, np.float32)

    images = [image(0, dx, data=Once(v)) for v, dx in ((3, 0), (5, 5), (4, 10), (9, 15))]
    for number, method in enumerate(("match", "global+match", "local", "global"), 1):
        match(images, method)
        assert {im.image.reads for im in images} == {number}


def test_only_neighbours_are_compared(monkeypatch):
    """A strip of 40 images, each on two others: what is intersected grows with their number, not with its
    square.
    """
    calls = []
    vertices = skyimage.overlap_vertices
    monkeypatch.setattr(skyimage, "overlap_vertices", lambda *args: calls.append(1) or vertices(*args))
    images = [image(k % 5, 30 * k) for k in range(40)]
    match(images, "match", overlap="centers")
    assert len(calls) == 2 * 39
    assert skies(images) == pytest.approx([k % 5 for k in range(40)])
    calls.clear()
    deep = [image(k, k) for k in range(12)]
    match(deep, "match", overlap="centers", max_overlaps=2)
    assert len(calls) < 12 * 11 / 2 and skies(deep) == pytest.approx(range(12))


def test_global_match_subtracts_before_it_measures_again():
    """`lower` applies to the pixels as they are: with subtract, to those that are matched already."""
    data = np.full(SHAPE, 10.0, np.float32)
    data[:15] = 14.0
    kept = []
    for subtract in (False, True):
        stat = SkyStats("mean", lower=8.0, nclip=0)
        images = [image(10, stat=stat), image(0, data=data + 0, stat=stat, dx=5)]
        match(images, "global+match", subtract=subtract)
        kept.append(skies(images))
    assert kept[0] == pytest.approx([10, 12]) and kept[1] == pytest.approx([10, 12])
    stat = SkyStats("mean", lower=11.5, nclip=0)
    images = [image(12, stat=stat), image(0, data=data + 0, stat=stat, dx=5)]
    match(images, "global+match", subtract=True)
    assert skies(images) == pytest.approx([12, 14])


@pytest.mark.parametrize("subtract", [False, True])
def test_levels_of_the_user(tmp_path, subtract):
    def make():
        return [image(5, name="one_cal.fits"), SkyGroup([image(7, 5, "two_cal"), image(9, 100, "three_cal")])]

    table = tmp_path / "levels.txt"
    table.write_text("# file level\n/somewhere/one_cal.fits 1.5\n\ntwo_crf.fits 2.5  # faint\nthree -3\n")
    for skylist in (table, {"one_cal.fits": 1.5, "two_cal": 2.5, "three_cal": -3}):
        a, group = items = make()
        levels = match(items, "user", subtract=subtract, skylist=skylist)
        assert skies([a, *group]) == pytest.approx([1.5, 2.5, -3]) == [level.sky for level in levels]
        assert a.is_sky_valid and group.is_sky_valid
        assert [im.image[0, 0] for im in (a, *group)] == pytest.approx(
            [3.5, 4.5, 12] if subtract else [5, 7, 9]
        )
        match(items, "user", skylist=skylist)
        assert skies([a, *group]) == pytest.approx([1.5, 2.5, -3])  # not twice


@pytest.mark.parametrize(
    "skylist, words",
    [
        ({"a": 1}, "no level for: b"),
        ({"a": 1, "b": 2, "c": 3}, "no image for: c"),
        ({"a": 1, "b": "much"}, "b: 'much', expected a number"),
        ({"a": 1, "b": np.nan}, "expected a number"),
        ("a 1\nb", "line 2 is 'b', expected a member's name and its sky level"),
        ("a 1\na 2\nb 3", "line 2: a second level of a"),
        ("a 1\nc 2", "no level of b"),
    ],
)
def test_wrong_levels_of_the_user(tmp_path, skylist, words):
    if isinstance(skylist, str):
        path = tmp_path / "levels.txt"
        path.write_text(skylist)
        skylist = path
    images = [image(5, name="a"), image(6, name="b")]
    with pytest.raises(InputError, match=words):
        match(images, "user", skylist=skylist)
    assert skies(images) == [0.0, 0.0]


def test_overlaps_that_the_library_loses(caplog):
    """Edges on one great circle: of the shifts by 1 to 29 pixels, it finds nothing for 10."""
    a, b = image(1), image(4, 10)
    if overlap_vertices(a.outline, b.outline, "spherical_geometry"):
        pytest.skip("this version of spherical_geometry finds it")
    match([a, b], "match")
    assert b.sky - a.sky == 3.0 and "spherical_geometry found no overlap" in caplog.text


def test_names_that_are_missing_or_alike(caplog):
    images = [image(1), image(2), image(3, 500, "x"), image(4, 900, "x")]
    levels = match(images, "match")
    assert [level.group for level in levels] == ["number 0", "number 1", "x", "x [number 3]"]
    with pytest.raises(InputError, match="must differ"):
        match(images, "user", skylist={"x": 1})
    with pytest.raises(AttributeError, match="nothing"):
        sky.nothing  # noqa: B018
