"""Our steps beside those of drizzlepac 3.11.0, each from the peer's own products of the step before.

Every test prints its figures.
"""

import json

import astrodrizzle_steps as steps
import hst_inputs
import numpy as np
import pytest
from peer_drizzlepac import VARIANTS
from peers import DRIZZLEPAC, HERE, astrodrizzle, call, require
from real_data import real_data

from drizzleflow.arrays.morphology import abs_deriv
from drizzleflow.outliers.driz_cr import clean, driz_cr
from drizzleflow.outliers.static_mask import static_mask

TABLES = "wcs_assets/hst_uvis_sample_svm_flc_10x10.fits"
pytestmark = pytest.mark.filterwarnings("ignore::Warning")


# --- functions of the peer on random arrays
# ---------------------------------------------------------------------------


def random_cases(seed):
    """Arrays and settings for `driz_cr`, the derivative and the static mask."""
    rng = np.random.default_rng(seed)
    cases, arrays = {}, {}
    for k in range(100):
        ny, nx = rng.integers(12, 60, 2)
        blot = rng.gamma(1, 200, (ny, nx)) * (rng.random((ny, nx)) < 0.05) + rng.uniform(0, 100)
        blot[rng.random((ny, nx)) < 0.02] *= -0.1
        hits = (rng.random((ny, nx)) < 0.03) * rng.exponential(500, (ny, nx))
        data = blot + rng.normal(size=(ny, nx)) * np.sqrt(np.abs(blot) + 25) + hits
        arrays[f"cr{k}/data"], arrays[f"cr{k}/blot"] = data.astype(np.float32), blot.astype(np.float32)
        cte_dir = int(rng.integers(-1, 2))
        cases[f"cr{k}"] = {
            "kind": "driz_cr",
            "gain": float(rng.choice([1.0, 1.5, 7.12])),
            "readnoise": float(rng.uniform(0, 8)),
            "sky": float(rng.uniform(0, 80)),
            "cte_dir": cte_dir,
            "grow": int(rng.integers(1, 6)),
            "ctegrow": int(rng.choice([0, 1, 3, 5]))
            if cte_dir
            else 0,  # without a direction the peer masks everything
            "snr": f"{rng.uniform(2, 6):.2f} {rng.uniform(1, 4):.2f}",
            "scale": f"{rng.uniform(0.5, 3):.2f} {rng.uniform(0.2, 2):.2f}",
        }
        arrays[f"deriv{k}/data"], cases[f"deriv{k}"] = arrays[f"cr{k}/blot"], {"kind": "deriv"}
        ny, nx = rng.integers(5, 120, 2)
        count = int(rng.integers(1, 5))
        for number in range(count):
            image = rng.normal(rng.uniform(-10, 1000), rng.uniform(0.1, 30), (ny, nx))
            image += (rng.random((ny, nx)) < 0.05) * rng.exponential(1000, (ny, nx))
            image -= (rng.random((ny, nx)) < 0.02) * rng.exponential(100, (ny, nx))
            if k % 10 == 9:
                image = np.round(image)
            if k % 17 == 16:
                image[:] = 5.0
            arrays[f"static{k}/{number}"] = image.astype(np.float32)
        cases[f"static{k}"] = {"kind": "static", "count": count, "static_sig": float(rng.uniform(1.5, 5))}
    return cases, arrays


def test_random_arrays(tmp_path):
    """Masks of `_driz_cr` and of the static mask, and the derivative, bit by bit."""
    require(DRIZZLEPAC)
    cases, arrays = random_cases(12)
    np.savez(tmp_path / "cases.npz", cases=json.dumps(cases), **arrays)
    call([DRIZZLEPAC, HERE / "peer_driz_cr.py", tmp_path / "cases.npz", tmp_path / "out.npz"], tmp_path)
    pixels = {"driz_cr": 0, "static": 0}
    with np.load(tmp_path / "out.npz") as peer:
        for name, case in cases.items():
            kind, settings = case["kind"], {k: v for k, v in case.items() if k != "kind"}
            if kind == "deriv":
                np.testing.assert_array_equal(abs_deriv(arrays[f"{name}/data"], "zero"), peer[name])
                continue
            if kind == "driz_cr":
                options = {"derivative_edges": "zero", "sky_counted": "twice", **settings}
                bad = driz_cr(arrays[f"{name}/data"], arrays[f"{name}/blot"], **options)
            else:
                images = (arrays[f"{name}/{number}"] for number in range(case["count"]))
                bad = ~static_mask(images, case["static_sig"])
            np.testing.assert_array_equal(bad, peer[name] == 0, err_msg=f"{name} {case}")
            pixels[kind] += int(bad.sum())
    print(pixels)
    assert min(pixels.values()) > 5000


FRAMES = [
    {},
    {"rot": 0.0},
    {"rot": -130.0},
    {"scale": 0.04},
    {"scale": 0.06, "rot": 20.0},
    {"outnx": 5000, "outny": 4001},
    {"outnx": 501, "outny": 600, "scale": 0.3, "rot": 90.0},
    {"ra": 5.7, "dec": -72.0},
    {"crpix1": 100.0, "crpix2": 120.0, "rot": 5.0},
    {"ra": 137.8, "dec": -64.9, "crpix1": 10.0, "crpix2": 20.0, "outnx": 100, "outny": 50},
]


def test_grids_of_real_headers(tmp_path):
    """ACS/WFC (SIP) and WFC3/UVIS (SIP, NPOL, D2IM), both chips at their full size."""
    from astropy.io import fits
    from astropy.wcs import WCS

    from drizzleflow.geometry import astrodrizzle_frame, astrodrizzle_grid
    from drizzleflow.geometry.fits_wcs import from_astropy

    require(DRIZZLEPAC)
    files = {"wcs_assets/astropy_j94f05bgq_flt.fits": (2048, 4096), TABLES: (2051, 4096)}
    cases = {
        f"{name} {k}": {
            "kind": "output_wcs",
            "path": str(real_data(name)),
            "shape": shape,
            "parameters": parameters,
        }
        for name, shape in files.items()
        for k, parameters in enumerate(FRAMES)
    }
    np.savez(tmp_path / "cases.npz", cases=json.dumps(cases))
    call([DRIZZLEPAC, HERE / "peer_driz_cr.py", tmp_path / "cases.npz", tmp_path / "out.npz"], tmp_path)
    worst = 0.0
    with np.load(tmp_path / "out.npz") as peer:
        for name, case in cases.items():
            with fits.open(case["path"]) as hdus:
                chips = [
                    from_astropy(WCS(hdus["SCI", e].header, fobj=hdus), tuple(case["shape"])) for e in (1, 2)
                ]
                scale, angle = astrodrizzle_frame.orientation(hdus[0].header, hdus["SCI", 1].header)
            parameters = {{"scale": "new_scale"}.get(k, k): v for k, v in case["parameters"].items()}
            grid = astrodrizzle_grid.build(chips, scale, angle, **parameters)
            nx, ny = (int(n) for n in peer[name][:2])
            assert grid.shape == (ny, nx), name
            wcs = WCS(naxis=2)
            wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
            wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cd = (
                peer[name][2:4],
                peer[name][4:6],
                peer[name][6:].reshape(2, 2),
            )
            x, y = np.array([0, nx, 0, nx, nx / 2]), np.array([0, 0, ny, ny, ny / 2])
            u, v = grid.to_pixel(*wcs.wcs_pix2world(x, y, 0))
            worst = max(worst, float(np.hypot(u - x, v - y).max()))
    print({"pixels": worst})
    assert worst < 1e-6


# --- AstroDrizzle itself
# ----------------------------------------------------------------------------------------------


def variant(oracle, name):
    run = steps.Run(oracle[0], oracle[1] / name)
    assert run.summary["error"] is None, f"{name}: {run.summary['error']}"
    return run


def check_grids(run):
    for step in ("single", "final"):
        figures = steps.grid_difference(run, step)
        print(step, figures)
        assert figures["shape"] == figures["peer_shape"] and figures["pixels"] < 1e-7


def check_drizzle(figures, kernel):
    """The square kernel takes a pixel's corners from its neighbours' centres; the peer from the WCS itself."""
    print(kernel, figures)
    assert figures["pixels"] > 10000 and figures["covered_differ"] == 0 and figures.get("ctx_differ", 0) == 0
    assert figures["wht"] < (2e-4 if kernel == "square" else 1e-6)
    assert figures["sci_rel"] < (5e-3 if kernel == "square" else 1e-5)


def check_masks(figures):
    print(figures)
    assert figures["cosmic_rays"] > 1000
    assert figures["differ"] == 0 and figures["differ_own_blot"] == 0
    assert figures["blot"] < 5e-5


@pytest.mark.parametrize("name", ["defaults", "north-up", "sep-scale", "sep-frame"])
def test_grid(oracle, name):
    check_grids(variant(oracle, name))


def test_static(oracle):
    figures = steps.check_static(variant(oracle, "defaults"))
    print(figures)
    assert figures["differ"] == 0 and figures["masked"] > 100


SINGLES = [
    "defaults",
    "square",
    "point",
    "gaussian",
    "pixfrac",
    "bits",
    "static-off",
    "sky-off",
    "sky-mode",
    "globalmin",
    "sep-scale",
    "sep-frame",
    "stepsize",
]


@pytest.mark.parametrize("name", SINGLES)
def test_single_drizzle(oracle, name):
    run = variant(oracle, name)
    check_drizzle(steps.check_singles(run), run.keywords.get("driz_sep_kernel", "turbo"))


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_blot_and_crmask(oracle, name):
    check_masks(steps.check_crmasks(variant(oracle, name)))


FINALS = [
    "defaults",
    "final-turbo",
    "point",
    "gaussian",
    "pixfrac",
    "bits",
    "static-off",
    "sky-off",
    "counts",
    "weight-err",
    "weight-err-scale",
    "weight-ivm",
    "weight-ivm-scale",
    "north-up",
    "stepsize",
]


@pytest.mark.parametrize("name", FINALS)
def test_final_drizzle(oracle, name):
    run = variant(oracle, name)
    check_drizzle(steps.check_final(run), run.keywords.get("final_kernel", "square"))


def test_crclean(oracle):
    """SCI of ``_crclean.fits``. (The peer writes the last chip's flags into (DQ,1) and leaves the others as
    they were.)
    """
    from astropy.io import fits

    run = variant(oracle, "crclean")
    replaced = 0
    for (path, extver), frame in run.frames.items():
        blotted = steps.image(run.folder / f"{run.root(path)}_sci{extver}_blt.fits")
        mask = fits.getdata(run.folder / f"{run.root(path)}_sci{extver}_crmask.fits") == 0
        sci, flags = clean(frame.data, frame.dq, mask, blotted)
        with fits.open(run.folder / f"{run.root(path)}_crclean.fits") as peer:
            np.testing.assert_array_equal(sci, peer["SCI", extver].data)
            if extver == max(run.chips):
                np.testing.assert_array_equal(flags, peer["DQ", 1].data)
        replaced += np.count_nonzero(flags)
    assert replaced > 1000


KINDS = {
    "single chip": hst_inputs.single_chip,
    "WFC3/IR": hst_inputs.wfc3_ir,
    "lookup tables": lambda source, target: hst_inputs.lookup_tables(source, target, real_data(TABLES)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_inputs(simulated, kind):
    inputs = simulated.parent / kind.replace("/", "-").replace(" ", "-")
    KINDS[kind](simulated, inputs)
    names = ["defaults", "final-turbo"]
    astrodrizzle(inputs, names)
    for name in names:
        run = steps.Run(inputs, inputs / "runs" / name)
        check_grids(run)
        assert steps.check_static(run)["differ"] == 0
        check_drizzle(steps.check_singles(run), "turbo")
        check_masks(steps.check_crmasks(run))
        check_drizzle(steps.check_final(run), run.keywords.get("final_kernel", "square"))
