"""What is wrong is said in one line by the plan or the first script that can know.

tests/workflow/test_errors.py has a whole run of each family of messages.
"""

import os
import re
import shutil
from pathlib import Path

import pytest
from astropy.io import fits
from by_hand_runs import make_grid

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.plan.config import load, resolve
from drizzleflow.plan.products import build
from drizzleflow.simulate import simulate

ROOT = Path(__file__).parents[2]
DEFAULTS = load(ROOT / "config" / "config.yaml")


def plan(**user):
    """The products of a configuration."""
    return build(resolve(DEFAULTS, user, ROOT / "config" / "presets"), None).products


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    """A folder with three plain exposures and good.csv, which names them."""
    here = tmp_path_factory.mktemp("wrong")
    made = simulate(here / "data", flavour="simple", exposures=3, detectors=1, shape=(96, 96), seed=2)
    shutil.rmtree(made["truth"])
    os.unlink(made["associations"][0])
    files = [os.path.basename(path) for path in made["members"]]
    (here / "data/good.csv").write_text("\n".join(["path", *files]) + "\n")
    return here


@pytest.fixture
def here(exposures, tmp_path, monkeypatch):
    """A copy of it as the working folder; the names of the exposures."""
    folder = shutil.copytree(exposures, tmp_path / "run")
    monkeypatch.chdir(folder)
    return sorted(path.name for path in (folder / "data").glob("*.fits"))


# the configuration ----------------------------------------------------------------------

WRONG = {
    "unknown key": (
        {"nonsense": 1},
        "configuration: nonsense: no such key; expected one of associations, outdir",
    ),
    "close key": (
        {"crmask": {"snrr": 4}},
        "configuration: crmask.snrr: no such key; did you mean crmask.snr?",
    ),
    "another section's key": (
        {"median": {"snr": 4}},
        "configuration: median.snr: no such key; did you mean crmask.snr?",
    ),
    "number": (
        {"median": {"maskpt": "high"}},
        "configuration: median.maskpt is 'high', expected a number >= 0",
    ),
    "range": (
        {"median": {"combine_bufsize": 0}},
        "configuration: median.combine_bufsize is 0, expected a number > 0",
    ),
    "choice": (
        {"single_drizzle": {"kernel": "round"}},
        "configuration: single_drizzle.kernel is 'round', expected one of square, gaussian, point, turbo, lanczos2, lanczos3",
    ),
    "preset": ({"preset": "vst"}, "configuration: preset is 'vst', expected one of null, jwst, hst"),
    "not yet": (
        {"preset": "lsst"},
        "configuration: preset: 'lsst' is not built yet; expected one of null, jwst, hst",
    ),
    "section": ({"crmask": 5}, "configuration: crmask is 5, expected keys with values"),
    "together": (
        {"skymatch": {"lower": 2, "upper": 1}},
        "configuration: skymatch.lower is 2.0, expected less than skymatch.upper (1.0)",
    ),
    "override": (
        {"overrides": [{"filter": "r", "set": {"crmask": {"sn": 1}}}]},
        "configuration: overrides[0].set.crmask.sn: no such key; did you mean overrides[0].set.crmask.snr?",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_configuration(here, case):
    config, message = WRONG[case]
    with pytest.raises(InputError) as caught:
        plan(**{"associations": "data/good.csv", "batch_size": 4, **config})
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
    assert not Path("results").exists()


@pytest.mark.parametrize("user", [{}, {"associations": []}])
def test_no_association(user):
    """An empty plan, of which the Snakefile says that there is none (tests/workflow/test_errors.py)."""
    assert plan(**user) == {}


# the members ----------------------------------------------------------------------


def test_pixels_that_cannot_be_read(here):
    """A file that ends amid its pixels: its headers say how long it should be, so nothing of it is started."""
    path = Path("data", here[1])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    (product,) = plan(associations="data/good.csv", batch_size=4).values()
    ended = make_grid(product, Path("results/good"))
    assert ended.status == 1
    line = (
        rf"members: data/good\.csv: product good: data/{re.escape(here[1])}\[SCI\]: "
        r"the file is cut short \(\d+ bytes, expected \d+\)\n"
    )
    assert re.fullmatch(line, ended.said)
    assert [path.name for path in Path("results").rglob("*") if path.is_file()] == ["members.log"]
    assert Path("results/good/log/members.log").read_text() == ended.said


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("flavour", ["jwst", "hst", "simple"])
def test_cut_anywhere(tmp_path, flavour):
    """An exposure that ends too early anywhere is told with its name, or has all that is asked of it."""
    made = simulate(tmp_path, flavour=flavour, exposures=1, detectors=1, shape=(32, 32), seed=2)
    path = Path(made["members"][0])
    whole = path.read_bytes()
    outcomes = set()
    for size in range(0, len(whole), 5 * 2880 + 700):
        path.write_bytes(whole[:size])
        (product,) = plan(associations=made["associations"]).values()
        try:
            if product.error:
                raise InputError(product.error)
            (member,) = product.members
            for extver in range(1, member.nframes + 1):
                frame = formats.read(member.asdict(), extver, options=product.options["simple"])
                frame.wcs  # noqa: B018
            outcomes.add("read")
        except InputError as error:
            assert path.name in str(error) and "\n" not in str(error)
            outcomes.add("told")
    assert "told" in outcomes


def test_members_in_different_units(here):
    with fits.open(Path("data", here[1]), mode="update") as hdus:
        next(hdu for hdu in hdus if hdu.header["NAXIS"] == 2).header["BUNIT"] = "nJy"
    (product,) = plan(associations="data/good.csv").values()
    ended = make_grid(product, Path("results/good"))
    assert ended.status == 1
    assert re.fullmatch(r"grid: members in different units: .*in nJy.*; expected one unit\n", ended.said)


@pytest.mark.parametrize("units", ["cps", "counts"])
def test_a_unit_that_is_no_rate(here, units):
    for name in here:
        with fits.open(Path("data", name), mode="update") as hdus:
            next(hdu for hdu in hdus if hdu.header["NAXIS"] == 2).header["BUNIT"] = "adu"
    (product,) = plan(associations="data/good.csv", mosaic={"final_units": units}).values()
    ended = make_grid(product, Path("results/good"))
    assert ended.status == 1
    line = rf"footprint: data/.*fits: the product's unit is adu, and mosaic\.units {units} needs a rate such as .*\n"
    assert re.fullmatch(line, ended.said)


# the grid ----------------------------------------------------------------------


def test_a_grid_where_no_member_is(here):
    """Said before anything is drizzled, with the settings that made the grid."""
    grid = {"crval": [150.3, 2.2], "crpix": [10, 10], "output_shape": [20, 20]}
    (product,) = plan(associations="data/good.csv", grid=grid).values()
    ended = make_grid(product, Path("results/good"))
    assert ended.status == 1
    assert ended.said.count("\n") == 1 and ended.said.endswith(
        "grid: none of the 3 frames falls on the output grid; "
        "check grid.output_shape, grid.crpix, grid.crval\n"
    )
    assert not list(Path("results").glob("*/grid.json"))


def test_a_script_that_ends_well_says_nothing(here):
    (product,) = plan(associations="data/good.csv").values()
    assert make_grid(product, Path("results/good")) == (0, "")
    assert Path("results/good/grid.json").exists()
