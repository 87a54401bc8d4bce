"""The mosaic: what a frame becomes, bands, the i2d file."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.formats import jwst
from drizzleflow.frames import bands
from drizzleflow.frames.frame import Frame
from drizzleflow.frames.variances import variances_from_err
from drizzleflow.frames.window import Window
from drizzleflow.geometry.build_grid import build
from drizzleflow.geometry.footprint import describe
from drizzleflow.geometry.grid import Grid
from drizzleflow.geometry.gwcs_wcs import from_gwcs
from drizzleflow.geometry.lattice import Lattice
from drizzleflow.geometry.pixmap import exact, from_lattice
from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.jobs.reader import planes_of
from drizzleflow.resample import i2d, mosaic
from drizzleflow.resample.drizzle_window import WindowDrizzle, drizzle_window
from drizzleflow.resample.models import frame_model
from drizzleflow.simulate.jwst import nircam_like

SHAPE = (60, 66)
SETTINGS = {
    "weight_type": "ivm",
    "kernel": "square",
    "pixfrac": 1.0,
    "fillval": "NAN",
    "good_bits": "auto",
    "variance": "exact",
    "context": "full",
    "propagate_dq": True,
    "compute_err": "from_var",
    "report_var": True,
}
GRID_OPTIONS = {
    "pixel_scale": None,
    "pixel_scale_ratio": 1.0,
    "rotation": None,
    "crpix": None,
    "crval": None,
    "output_shape": None,
    "output_wcs": None,
    "method": "tangent_plane",
    "footprints": "wcs",
}


class Field:
    """Three dithered, rolled exposures of two detectors, in memory."""

    def __init__(self, ratio=1.0):
        rng = np.random.default_rng(4)
        self.frames, self.lattices, self.members, outlines = {}, {}, [], []
        for e in range(3):
            for d in range(2):
                wcs, info = nircam_like(d, SHAPE, 150.1 + 1e-4 * e, 2.2 - 5e-5 * e, 40.0 + 3 * e)
                sky = from_gwcs(wcs, SHAPE, info)
                name = f"m{e}{d}"
                dq = rng.choice([0, 0, 0, 0, 0, 0, 0, 1, 4, 512], SHAPE).astype(np.uint32)
                var = {
                    k: rng.uniform(0.5, 2, SHAPE).astype(np.float32) for k in ("rnoise", "poisson", "flat")
                }
                self.frames[name] = {
                    "member": name,
                    "extver": 1,
                    "group": f"g{e}",
                    "shape": SHAPE,
                    "dq": dq,
                    "var": var,
                    "unit": "MJy/sr",
                    "data": rng.normal(3, 1, SHAPE).astype(np.float32),
                    "err": np.ones(SHAPE, np.float32),
                    "exposure_time": 10.0 + e,
                    "measurement_time": 9.0 + e,
                    "duration": 11.0,
                    "start_time": 1.0 + e,
                    "end_time": 2.0 + e,
                    "open_wcs": lambda sky=sky: sky,
                }
                self.lattices[name] = Lattice.sample(sky)
                self.members.append({"member": name, "format": "jwst", "nframes": 1})
                outlines.append(describe(sky))
        self.grid = build(outlines, GRID_OPTIONS | {"pixel_scale_ratio": ratio})
        self.rows_read = []

    def read(self, member, extver, rows_of):
        name = member["member"]
        rows = rows_of(self.lattices[name])
        self.rows_read.append(rows)
        if rows[0] >= rows[1]:
            return None
        frame = Frame(**self.frames[name]).cut(rows)
        return frame, from_lattice(self.lattices[name], self.grid, rows), 0.1 * int(name[1])

    def drizzle(self, pad=True, rows=None, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return mosaic.drizzle(self.members, self.grid, SETTINGS | options, self.read, pad=pad, rows=rows)


@pytest.fixture(scope="module")
def field():
    return Field()


# --- bands
# ------------------------------------------------------------------------------------------------------------

CHOICES = [
    {},
    {"variance": "reference"},
    {"kernel": "lanczos3", "compute_err": "driz_err"},
    {
        "kernel": "turbo",
        "weight_type": "exptime",
        "pixfrac": 0.75,
    },  # 0.7 has no exact half: 1 pixel in 10^5 is 1 ulp off
    {"kernel": "gaussian", "variance": "reference"},
    {"kernel": "point", "context": "none", "propagate_dq": False, "report_var": False, "compute_err": "none"},
]


@pytest.mark.parametrize("options", CHOICES, ids=[str(list(c.values())) for c in CHOICES])
@pytest.mark.parametrize("pad", [True, False])
def test_bands_have_the_bits_of_the_whole(field, options, pad):
    whole, unit = field.drizzle(pad, **options)
    assert unit == "MJy/sr" and (whole["wht"] > 0).sum() > 4000
    for count in (2, 5):
        pieces = [field.drizzle(pad, rows, **options)[0] for rows in bands.bands(field.grid.shape[0], count)]
        joined = bands.join(pieces)
        assert set(joined) == set(whole)
        for key, plane in whole.items():
            if isinstance(plane, np.ndarray):
                assert joined[key].dtype == plane.dtype
                np.testing.assert_array_equal(joined[key], plane, err_msg=f"{key}, {count} bands")


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_bands_at_other_scales(ratio):
    field = Field(ratio)
    whole, _ = field.drizzle()
    joined = bands.join([field.drizzle(rows=rows)[0] for rows in bands.bands(field.grid.shape[0], 3)])
    for key in ("data", "wht", "err", "con", "dq"):
        np.testing.assert_array_equal(joined[key], whole[key], err_msg=key)


def test_a_band_reads_only_the_rows_that_reach_it(field):
    first, end = bands.bands(field.grid.shape[0], 10)[4]
    field.rows_read.clear()
    field.drizzle(rows=(first, end))
    assert sum(b - a for a, b in field.rows_read) < 0.5 * len(field.members) * SHAPE[0]
    # and no row that it leaves out would have reached the band
    made = WindowDrizzle(field.grid, Window(0, field.grid.shape[1], first, end), SETTINGS)
    for lattice in field.lattices.values():
        a, b = made.rows_of(lattice)
        y = from_lattice(lattice, field.grid)[..., 1]
        y[a:b] = np.nan
        left = y[np.isfinite(y)]
        assert not ((left >= made.drizzled.y0 - 0.5) & (left <= made.drizzled.y1 - 0.5)).any()


@pytest.mark.parametrize("options", [{}, {"variance": "reference", "compute_err": "driz_err"}])
def test_bands_that_no_frame_meets(options):
    """A grid of the user's with empty rows: their bands are empty, and the whole has the same bits."""
    field = Field()
    field.grid = replace(field.grid.window(-20, 110, -100, 160), origin=(0, 0))
    whole, _ = field.drizzle(**options)
    pieces = [field.drizzle(rows=rows, **options)[0] for rows in bands.bands(260, 7)]
    assert any(piece["wht"].max() == 0 for piece in pieces)
    nothing = field.drizzle(rows=(260, 260), **options)[0]  # a band more than there are rows
    assert nothing["data"].shape == (0, 130)
    joined = bands.join([*pieces, nothing])
    for key, plane in whole.items():
        if isinstance(plane, np.ndarray):
            np.testing.assert_array_equal(joined[key], plane, err_msg=key)


@given(st.integers(1, 5000), st.integers(1, 200))
def test_bands_make_up_all_rows(ny, count):
    found = bands.bands(ny, count)
    assert found[0][0] == 0 and found[-1][1] == ny and len(found) == min(ny, count)
    assert all(a[1] == b[0] for a, b in pairwise(found)) and all(a < b for a, b in found)


@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("box", [Window(0, 31, 0, 25), Window(2, 40, 3, 44), Window(37, 58, 20, 21)])
def test_any_window_has_the_bits_of_the_whole(field, box, pad):
    """Variances and flags too; without padding also beside the grid's edge, where the margin ends with the
    grid.
    """
    grid = replace(field.grid.window(15, 80, 25, 110), origin=(0, 0))

    def frames():
        for name, known in field.frames.items():
            yield Frame(**known), from_lattice(field.lattices[name], grid), 0.1

    keys = {"good_bits": 0, "flags": jwst.DQ_FLAGS, "pad": pad, "n_frames": len(field.frames)}
    whole, unit = drizzle_window(grid, Window.placed(grid.shape), SETTINGS, frames(), **keys)
    part, same = drizzle_window(grid, box, SETTINGS, frames(), **keys)
    assert unit == same == "MJy/sr" and set(part) == set(whole) and part["data"].shape == box.shape
    assert {"dq", "con", "err", "var_rnoise", "var_poisson", "var_flat"} <= set(part)
    for key, plane in whole.items():
        if isinstance(plane, np.ndarray):
            cut = plane[(..., *box.inside(Window.placed(grid.shape)))]
            np.testing.assert_array_equal(part[key], cut, err_msg=key)
            assert part[key].flags.c_contiguous


def test_a_window_of_the_image_alone(field):
    """Settings without those of a mosaic; and a drizzle that is started again."""
    settings = {key: SETTINGS[key] for key in ("weight_type", "kernel", "pixfrac", "fillval")}
    made = WindowDrizzle(field.grid, Window(20, 50, 30, 60), settings, flags=jwst.DQ_FLAGS)
    first, second = (
        (Frame(**field.frames[name]), from_lattice(field.lattices[name], field.grid), None)
        for name in ("m00", "m10")
    )
    made.add(first[0], first[1].copy(), None)
    once = made.weight.copy()
    made.add(*second)
    assert made.weight.sum() > once.sum() > 0
    made.restart()
    made.add(*first)
    np.testing.assert_array_equal(made.weight, once)
    model, _ = made.finish()
    assert model["con"] is None and model["dq"] is None and not any(key.startswith("var_") for key in model)
    weight = made.weight_of(first[0])
    good = field.frames["m00"]["dq"] == 0
    assert (weight[~good] == 0).all() and (weight[good] == 1 / first[0].var["rnoise"][good]).all()
    with pytest.raises(InputError, match="no image was added"):
        drizzle_window(field.grid, made.box, settings, [])


def test_joining_pieces_without_a_variance():
    """A band that no frame with a flat-field variance meets."""
    one = {"data": np.ones((2, 3), np.float32), "con": np.ones((2, 2, 3), np.int32), "unit": "x"}
    whole = bands.join([one | {"var_flat": np.ones((2, 3), np.float32)}, one])
    assert whole["data"].shape == (4, 3) and whole["con"].shape == (2, 4, 3) and whole["unit"] == "x"
    np.testing.assert_array_equal(np.isnan(whole["var_flat"][:][:, 0]), [False, False, True, True])
    np.testing.assert_array_equal(
        bands.join([one, one | {"var_flat": one["data"]}])["var_flat"][:][:, 0], [np.nan, np.nan, 1, 1]
    )


# --- frames
# -----------------------------------------------------------------------------------------------------------


def test_padding():
    """On a grid that cuts frames: without it light at the outer edge is lost; elsewhere the two are the same."""
    field = Field()
    whole = field.drizzle()[0]["wht"]
    field.grid = replace(field.grid.window(15, 80, 25, 110), origin=(0, 0))
    kept, lost = field.drizzle(True)[0]["wht"], field.drizzle(False)[0]["wht"]
    np.testing.assert_array_equal(kept, whole[25:110, 15:80])
    assert lost.sum(dtype=float) < 0.999 * kept.sum(dtype=float)
    np.testing.assert_array_equal(kept[5:-5, 5:-5], lost[5:-5, 5:-5])


def test_interpolated_and_exact_maps_give_one_mosaic(field):
    def read(member, extver, rows_of):
        frame = Frame(**field.frames[member["member"]])
        return frame, exact(frame.wcs, field.grid), 0.1 * int(member["member"][1])

    whole, other = field.drizzle()[0], mosaic.drizzle(field.members, field.grid, SETTINGS, read, pad=True)[0]
    good = whole["wht"] > 1e-3
    np.testing.assert_allclose(other["data"][good], whole["data"][good], rtol=1e-4, atol=1e-4)


def test_sky_times_and_pointings(field):
    made, _ = field.drizzle()
    assert (made["pointings"], made["exposure_time"], made["start_time"], made["end_time"]) == (
        3,
        33.0,
        1.0,
        4.0,
    )
    level = np.average(made["data"][made["wht"] > 0], weights=made["wht"][made["wht"] > 0])
    assert level == pytest.approx(3 - 0.1, abs=0.05)  # the levels are 0, 0.1 and 0.2


@pytest.mark.parametrize(
    ("options", "planes"),
    [
        ({}, {"data", "dq", "var"}),
        ({"compute_err": "driz_err"}, {"data", "dq", "var", "err"}),
        ({"compute_err": "none", "report_var": False}, {"data", "dq", "var"}),
        ({"compute_err": "none", "report_var": False, "weight_type": "exptime"}, {"data", "dq"}),
    ],
)
def test_only_the_planes_that_are_needed_are_read(options, planes):
    assert set(planes_of(SETTINGS | options, False)) == planes
    assert ("err" in planes_of(SETTINGS | options, True)) == (planes != {"data", "dq"})


def test_a_frame_in_the_products_unit():
    planes = {k: np.full((2, 2), v, np.float32) for k, v in (("rnoise", 4.0), ("poisson", 8.0))}
    two = np.full((2, 2), 20, np.float32)
    frame = Frame("m", 1, "g", (2, 2), data=two, err=two, var=planes, rate_factor=0.1, exposure_time=10.0)
    made = frame_model(frame, None, 5.0)
    assert (made["data"] == 2).all() and (made["err"] == 2).all() and made["level"] == pytest.approx(0.5)
    np.testing.assert_allclose((made["var_rnoise"][0, 0], made["var_poisson"][0, 0]), (0.04, 0.08), rtol=1e-6)
    assert (frame.data == 20).all() and "var_total" not in made and made["subtracted"] is False
    assert frame_model(frame, None, None)["level"] is None


def test_a_format_with_err_alone():
    """ERR is propagated as one variance, and weights the frame where its read noise is not known."""
    grid = Grid((20, 20), (10.0, 0.0), (5.0, 5.0), (-1e-5, 0.0, 0.0, 1e-5), 0.036)
    y, x = np.mgrid[:6, :7].astype(float)
    made = WindowDrizzle(grid, Window.placed(grid.shape), SETTINGS, flags={}, n_frames=2)
    for err in (2.0, 4.0):
        ones = np.ones((6, 7), np.float32)
        frame = Frame(
            "m", 1, f"g{err}", (6, 7), data=ones, err=err * ones, dq=None, exposure_time=1.0, unit="e/s"
        )
        variances_from_err(frame)
        made.add(frame, np.stack([x + 5, y + 8], axis=-1), None)
    out, unit = made.finish()
    w = np.array([1 / 4, 1 / 16])
    assert unit == "e/s" and not any(key.startswith("var_") for key in out) and (out["dq"] == 0).all()
    np.testing.assert_allclose(out["wht"][8:14, 5:12], w.sum(), rtol=1e-6)
    np.testing.assert_allclose(out["err"][8:14, 5:12], np.sqrt((w**2 * [4, 16]).sum()) / w.sum(), rtol=1e-5)


# --- the file
# ---------------------------------------------------------------------------------------------------------


def test_the_i2d_file(tmp_path, field):
    model, unit = field.drizzle()
    path = tmp_path / "p_i2d.fits"
    merged = [("TELESCOP", "JWST", "telescope"), ("PIXFRAC", 99.0, "replaced")]
    # longer than a card
    region = "POLYGON ICRS 10.0 2.0 10.1 2.0 10.1 2.1 POLYGON ICRS 11.0 2.0 11.1 2.0 11.1 2.1"
    i2d.write_i2d(
        path, model, replace(field.grid, s_region=region), unit=unit, parameters=SETTINGS, cards=merged
    )
    with fits.open(path, checksum=True) as hdus:
        assert [h.name for h in hdus[1:]] == [
            "SCI",
            "ERR",
            "CON",
            "WHT",
            "VAR_POISSON",
            "VAR_RNOISE",
            "VAR_FLAT",
            "DQ",
        ]
        assert all(h.verify_checksum() == 1 and h.verify_datasum() == 1 for h in hdus)
        primary, sci = hdus[0].header, hdus["SCI"].header
        assert (primary["TELESCOP"], primary["NDRIZ"], primary["PIXFRAC"], primary["RESWHT"]) == (
            "JWST",
            3,
            1.0,
            "ivm",
        )
        assert (primary["EXPTIME"], primary["EXPSTART"], primary["PXSCLRT"]) == (33.0, 1.0, 1.0)
        assert sci["BUNIT"] == "MJy/sr" and hdus["VAR_FLAT"].header["BUNIT"] == "(MJy/sr)^2"
        assert sci["PIXAR_A2"] == pytest.approx(field.grid.pixel_scale**2, rel=1e-12, abs=0) and sci[
            "PIXAR_SR"
        ] == pytest.approx(field.grid.pixel_area, rel=1e-12, abs=0)
        for name, key in (
            ("SCI", "data"),
            ("ERR", "err"),
            ("CON", "con"),
            ("WHT", "wht"),
            ("VAR_FLAT", "var_flat"),
            ("DQ", "dq"),
        ):
            np.testing.assert_array_equal(hdus[name].data, model[key])
            assert hdus[name].data.dtype.newbyteorder("=") == model[key].dtype
            x, y = np.array([0.0, 30.0]), np.array([2.0, 50.0])
            lon, lat = WCS(hdus[name].header, naxis=2).all_pix2world(x, y, 0)
            np.testing.assert_allclose((lon, lat), field.grid.to_sky(x, y), rtol=0, atol=1e-12)
        assert sci["S_REGION"] == region


def test_what_was_not_asked_for_is_not_in_the_file(tmp_path, field):
    options = {"context": "none", "propagate_dq": False, "report_var": False, "compute_err": "none"}
    model, unit = field.drizzle(**options)
    i2d.write_i2d(
        tmp_path / "a.fits", model, field.grid, unit=unit, parameters=SETTINGS | options, report_var=False
    )
    with fits.open(tmp_path / "a.fits") as hdus:
        assert [h.name for h in hdus[1:]] == ["SCI", "WHT"]
    model, _ = field.drizzle(report_var=False)
    i2d.write_i2d(tmp_path / "b.fits", model, field.grid, unit=unit, parameters=SETTINGS, report_var=False)
    with fits.open(tmp_path / "b.fits") as hdus:
        assert [h.name for h in hdus[1:]] == ["SCI", "ERR", "CON", "WHT", "DQ"]


def write(path, primary, image):
    data = np.zeros((2, 2), np.float32)
    write_hdus(
        path,
        [
            (image_header(None, primary=True, cards=primary), None),
            (image_header(data, "SCI", cards=image), data),
        ],
    )
    return path


def test_merged_headers(tmp_path):
    """What all inputs agree on, and nothing that describes one file."""
    shared = [
        ("TELESCOP", "JWST", "telescope"),
        ("FILTER", "F200W", ""),
        ("LONG", "x" * 100, ""),
        ("HISTORY", "made", ""),
    ]
    paths = [
        write(
            tmp_path / f"{k}.fits",
            [*shared, ("EXPOSURE", k, ""), ("DATE", "2026", ""), *more],
            [("PHOTMJSR", 2.5, "")] + own,
        )
        for k, more, own in (
            (
                1,
                [("ONLY1", 1, "")],
                [("CRVAL1", 1.0, ""), ("BUNIT", "MJy/sr", ""), ("A_2_0", 1e-5, ""), ("S_REGION", "x", "")],
            ),
            (2, [], [("CRVAL1", 1.0, ""), ("BUNIT", "MJy/sr", "")]),
        )
    ]
    merged = {card[0]: card[1] for card in i2d.merge_headers(paths)}
    assert merged == {"TELESCOP": "JWST", "FILTER": "F200W", "LONG": "x" * 100, "PHOTMJSR": 2.5}
    assert i2d.merge_headers([]) == []


def test_times_from_the_files_headers(tmp_path, monkeypatch):
    """Each exposure once, by its first frame, whichever bands it meets."""
    times = {"a1": ("a", 3.0), "a2": ("a", 3.0), "b1": ("b", 5.0)}

    def read(member, extver, planes, options):
        assert planes == ()
        group, time = times[member["member"]]
        return Frame(
            member["member"],
            extver,
            group,
            (2, 2),
            exposure_time=time,
            duration=time,
            start_time=time,
            end_time=2 * time,
        )

    monkeypatch.setattr(formats, "read", read)
    found = i2d.exposure_times([{"member": name, "nframes": 1} for name in times], {})
    assert found["pointings"] == 2 and found["exposure_time"] == 8.0 and found["measurement_time"] is None
    assert (found["start_time"], found["end_time"]) == (3.0, 10.0)


@pytest.mark.parametrize("name", ["SCI", "other"])
@pytest.mark.parametrize("packed", [False, True])
def test_cards_are_those_that_astropy_reads(name, packed, tmp_path):
    """Long texts and long keywords; of a tile-compressed image those of the image, not of its table."""
    cards = [
        ("LONG", "it''s " + "x" * 150, "and so on"),
        ("HIERARCH ESO DET CHIP", 3, ""),
        ("NOTHING", None, ""),
    ]
    kind = fits.CompImageHDU if packed else fits.ImageHDU
    primary, image = fits.PrimaryHDU(), kind(np.ones((30, 30), np.float32), name=name)
    for header in (primary.header, image.header):
        header.extend(cards)
        header.add_history("of no interest")
    table = fits.BinTableHDU.from_columns([fits.Column("a", "D", array=[1.0])])
    fits.HDUList([primary, table, image, fits.ImageHDU(np.ones((2, 2)), name="later")]).writeto(
        tmp_path / "a.fits"
    )
    with fits.open(tmp_path / "a.fits") as hdus:
        wanted = [card for header in (hdus[0].header, hdus[2].header) for card in header.cards]
        assert [repr(c) for c in i2d.headers(tmp_path / "a.fits")] == [
            repr((card.keyword, card.value, card.comment)) for card in wanted
        ]
