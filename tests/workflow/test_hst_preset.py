"""The HST road: preset hst with its static mask and cleaned copies, a run without a median, and shallow
stacks by default.
"""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from running import digests, dishonest, masks, open_verified, rows, run

from drizzleflow.simulate import simulate
from drizzleflow.simulate.score import score

SHAPE = (256, 300)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("hst") / "in", flavour="hst", exposures=4, shape=SHAPE, seed=3)


@pytest.fixture(scope="module")
def made(inputs, tmp_path_factory):
    folder, before = tmp_path_factory.mktemp("preset"), digests(inputs["members"])
    config = {"associations": inputs["associations"], "preset": "hst", "crmask": {"driz_cr_corr": True}}
    done = run(folder, config, measured=True)
    assert digests(inputs["members"]) == before
    (done.folder_of_product,) = [path for path in (folder / "results").iterdir() if path.is_dir()]
    again = run(folder, config)
    assert "Nothing to be done" in again.said
    assert "every file is what its record says" in run(folder, config, "audit").said
    return done


def test_static_mask(made):
    """Pixels far below the sky: none of them counts in any exposure."""
    product = made.folder_of_product
    with open_verified(product / "static_mask.fits") as hdus:
        assert [(h.name, h.header["CHIP"], h.shape) for h in hdus[1:]] == [
            ("STATIC", "1", SHAPE),
            ("STATIC", "2", SHAPE),
        ]
        assert all(100 < np.count_nonzero(h.data == 0) < 0.02 * h.data.size for h in hdus[1:])


def test_singles_tell_their_noise(made):
    for path in (made.folder_of_product / "single").iterdir():
        header = fits.getheader(path, "SCI")
        assert header["WHTTYPE"] == "exptime" and header["READNSE"] == 5.0 and header["ELECRATE"] == 1.0
        assert header["SKYELEC"] > 10 and 0.9 < header["WHTAVG"] / header["EXPTIME"] <= 1.001


def test_flagged_copies_tell_the_sky(made):
    for row in rows(made.folder_of_product / "sky.csv"):
        header = fits.getheader(
            made.folder_of_product / "crf" / f"{row['member']}_crf.fits", ("SCI", int(row["extver"]))
        )
        assert (
            header["MDRIZSKY"] == header["BKGLEVEL"] == pytest.approx(float(row["sky"]))
            and header["BKGSUB"] is False
        )


def test_median_is_minmed_and_has_no_err(made):
    with open_verified(next(made.folder_of_product.glob("*_median.fits"))) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "NUSED"] and hdus[0].header[
            "COMBTYPE"
        ] == "minmed"


def test_masks_find_what_was_planted(made, inputs):
    total = score(inputs["truth"], made.folder_of_product)["total"]
    assert total["events_deep"] > 100 and total["found_deep"] > 0.95 * total["events_deep"]


def test_cleaned_copies(made, inputs):
    """Outliers and bad pixels have the blot and the sky; everything else is the input's."""
    product, found = made.folder_of_product, masks(made.folder_of_product)
    levels = {(row["member"], int(row["extver"])): float(row["sky"]) for row in rows(product / "sky.csv")}
    for path in inputs["members"]:
        name = Path(path).name.removesuffix("_flt.fits")
        with open_verified(product / "crclean" / f"{name}_crclean.fits") as clean, fits.open(path) as before:
            assert [(h.name, h.ver) for h in clean] == [(h.name, h.ver) for h in before]
            for extver in (1, 2):
                replaced = found[name][extver].astype(bool) | ((before["DQ", extver].data & ~4096) != 0)
                np.testing.assert_array_equal(
                    clean["SCI", extver].data[~replaced], before["SCI", extver].data[~replaced]
                )
                np.testing.assert_array_equal(clean["DQ", extver].data, np.where(replaced, 4096, 0))
                blot = fits.getdata(product / "blot" / f"{name}_blot.fits", ("SCI", extver))
                np.testing.assert_allclose(
                    clean["SCI", extver].data[replaced], (blot + levels[name, extver])[replaced], rtol=1e-5
                )
                assert clean["ERR", extver].data.tobytes() == before["ERR", extver].data.tobytes()


def test_cleaned_copies_are_refused_for_other_formats(tmp_path):
    sim = simulate(tmp_path / "in", flavour="jwst", exposures=2, shape=(64, 64), seed=1)
    done = run(tmp_path, {"associations": sim["associations"], "crmask": {"corr": True}}, check=False)
    assert (
        done.process.returncode != 0
        and "crmask.corr writes cleaned copies of HST files only, found jwst" in done.said
    )


@pytest.mark.parametrize("config", [{"median": False}, {"median": {"median": False}}])
def test_without_a_median_nothing_is_flagged(inputs, tmp_path, config):
    done = run(tmp_path, {"associations": inputs["associations"], **config}, "crmask")
    (product,) = [path for path in (tmp_path / "results").iterdir() if path.is_dir()]
    assert not (product / "single").exists() and not list(product.glob("*_median.fits"))
    assert not any(plane.any() for planes in masks(product).values() for plane in planes.values())
    assert fits.getval(next((product / "crf").iterdir()), "S_OUTLIR") == "SKIPPED"
    assert "median is false: nothing is flagged" in done.said + "".join(
        p.read_text() for p in product.glob("log/crmask/*.log")
    )


@pytest.mark.parametrize(("exposures", "least"), [(2, 0.75), (3, 0.9)])
def test_two_and_three_exposures_reject_cosmic_rays(tmp_path, exposures, least):
    """By default; the plain median of two finds no isolated ray."""
    sim = simulate(tmp_path / "in", flavour="jwst", exposures=exposures, shape=(256, 256), seed=8, dither=0.1)
    run(tmp_path, {"associations": sim["associations"]}, "crmask")
    (product,) = [path for path in (tmp_path / "results").iterdir() if path.is_dir()]
    total = score(sim["truth"], product)["total"]
    print(total)
    assert total["found"] > least * total["events"] and total["false"] < 0.03 * total["flags"]


def test_advice_is_told_in_log_and_report(inputs, tmp_path):
    """An even number for the median, and relative sky levels for minmed."""
    said = {
        "even": ({"combine_type": "median"}, "local"),
        "relative": ({"combine_type": "minmed"}, "match"),
    }
    words = {"even": "combine_nhigh 1 is advised", "relative": "match gives relative levels"}
    for name, (median, method) in said.items():
        config = {
            "associations": inputs["associations"],
            "outdir": name,
            "median": median,
            "skymatch": {"skymethod": method},
        }
        run(tmp_path, config, "report" if name == "even" else "median")
        (product,) = [path for path in (tmp_path / name).iterdir() if path.is_dir()]
        log = (product / "log" / "median.log").read_text()
        assert "WARNING" in log and words[name] in log
        if name == "even":
            assert words[name] in (product / "report.html").read_text()


def test_the_jobs_ask_for_the_memory_that_they_take(made):
    assert dishonest(made.out) == []
