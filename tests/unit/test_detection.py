"""`OutlierDetection` in memory finds what the workflow finds on disk, pixel by pixel."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from drizzleflow import formats
from drizzleflow.errors import InputError
from drizzleflow.io.light_tables import read_levels
from drizzleflow.jobs import record
from drizzleflow.jobs.by_hand import by_hand
from drizzleflow.outliers import OutlierDetection
from drizzleflow.outliers.detection import SECTIONS
from drizzleflow.plan import config, products
from drizzleflow.simulate import simulate


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detection")
    made = simulate(folder, flavour="jwst", exposures=4, detectors=1, shape=(96, 96), seed=3, sky_spread=0.0)
    return folder, made


def frames_of(made):
    found = []
    for k, path in enumerate(sorted(map(str, made["members"]))):
        member = {
            "member": f"m{k}",
            "path": path,
            "group": f"g{k}",
            "cube": False,
            "format": "jwst",
            "nframes": 1,
        }
        found.append(formats.read(member, 1, ("data", "err", "dq", "var")))
    return found


def test_finds_the_planted_cosmic_rays(sky):
    folder, made = sky
    frames = frames_of(made)
    before = [frame.dq.copy() for frame in frames]
    counts = OutlierDetection(frames).do_detection()
    for frame, old, count, path in zip(
        frames, before, counts, sorted(map(str, made["members"])), strict=True
    ):
        new = (frame.dq & 16 != 0) & (old & 16 == 0)
        assert new.sum() == count > 0
        truth = fits.getdata(
            next(folder.glob(f"truth/{path.split('/')[-1].split('_cal')[0]}*.fits")), "CRMASK"
        )
        assert (truth[new] != 0).mean() > 0.8


def test_without_resampling_the_median_is_over_the_inputs(sky):
    frames = frames_of(sky[1])
    still = [frames[0]]
    for k in (1, 2):
        other = formats.read(
            {
                "member": "x",
                "path": str(sorted(map(str, sky[1]["members"]))[0]),
                "group": str(k),
                "cube": False,
                "format": "jwst",
            },
            1,
            ("data", "err", "dq", "var"),
        )
        still.append(other)
    still[1].data[40, 50] += 1000 * np.nanmedian(still[1].err)
    assert OutlierDetection(still, resample_data=False).do_detection() == [0, 1, 0]
    assert still[1].dq[40, 50] & 16


def test_one_group_flags_nothing(sky):
    frames = frames_of(sky[1])
    for frame in frames:
        frame.group = "one"
    assert OutlierDetection(frames).do_detection() == [0] * 4


def test_unknown_parameters_are_named():
    """Not those either that only say what a run writes, or how a mosaic is made."""
    for names in (["sigma"], ["corr"], ["bands", "sigma"]):
        with pytest.raises(TypeError, match=f"unknown parameters {', '.join(names)}$"):
            OutlierDetection([], **dict.fromkeys(names, 1), snr="5 4")


def test_wrong_values_are_named():
    for pars, says in (
        ({"snr": "5"}, r"crmask\.snr is '5'"),
        ({"preset": "kepler"}, "preset is 'kepler'"),
        ({"maskpt": 2}, r"median\.maskpt is 2"),
        ({"levels": [1.0]}, "levels: 1 of them, expected 0"),
    ):
        with pytest.raises(InputError, match=says):
            OutlierDetection([], **pars)


def test_settings_are_those_of_the_configuration():
    """Defaults, presets and aliases are read from where a run reads them; a name is one setting only."""
    for preset in (None, "jwst", "hst"):
        wanted = config.for_product(config.standard({"preset": preset}))
        found = OutlierDetection([], preset=preset).options
        assert found == {section: wanted[section] for section in SECTIONS}
    names = [name for listed in config.names(SECTIONS).values() for name in listed]
    assert len(set(names)) == len(names)
    pars = {"weight_type": "exptime", "driz_cr_snr": "4 3", "combine_maskpt": 0.5, "final_scale": 0.1}
    options = OutlierDetection([], "reference files", preset="hst", **pars).options
    assert options["single_drizzle"]["weight_type"] == "exptime" and options["crmask"]["snr"] == "4.0 3.0"
    assert options["median"]["maskpt"] == 0.5 and options["grid"]["pixel_scale"] == 0.1
    assert options["crmask"]["interp"] == "poly5"


def test_without_a_median_nothing_is_flagged(sky):
    assert OutlierDetection(frames_of(sky[1]), median=False).do_detection() == [0] * 4


def test_frames_of_different_units(sky):
    frames = frames_of(sky[1])
    frames[2].unit = "nJy"
    with pytest.raises(InputError, match="members in different units"):
        OutlierDetection(frames).do_detection()
    frames = frames_of(sky[1])
    frames[1].err = None
    with pytest.raises(InputError, match="no error plane"):
        OutlierDetection(frames, noise="err").do_detection()
    with pytest.raises(InputError, match="no read noise"):
        OutlierDetection(frames).do_detection()
    assert all((frame.dq & 16 == 0).all() for frame in frames)


def test_a_static_mask_needs_the_detector(sky):
    with pytest.raises(InputError, match="does not tell its detector"):
        OutlierDetection(frames_of(sky[1]), static=True).do_detection()


# --- against the workflow's own scripts ---------------------------------------------------------------------


def job(rule, folder, options, input, output):
    """Run a rule's script as Snakemake would, in this process; the output's paths."""
    scripts = str(Path(__file__).parents[2] / "scripts")
    sys.path[:0] = [scripts]
    try:
        script = importlib.import_module(rule)
    finally:
        sys.path.remove(scripts)
    output = {name: str(folder / path) for name, path in output.items()}
    for path in output.values():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    with record.job(by_hand(rule, input=input, output=output, options=options)) as one:
        script.main(one)
    return output


def workflow(folder, made, settings):
    """What a run's scripts make: the plan's product, the settings, the sky levels, (member, extver) -> mask."""
    resolved = config.standard({"associations": list(map(str, made["associations"])), **settings})
    (product,) = products.build(resolved, None).products.values()
    assert product.error is None
    options = {**product.options, "simple": resolved["simple"]}
    members = [member.asdict() for member in product.members]
    files = [member["path"] for member in members]

    def run(rule, input, output, **more):
        return job(rule, folder, {**options, **more}, input, output)

    batch = run(
        "footprint",
        {"files": files},
        {"outlines": "footprint.json", "lattices": "footprint.npz"},
        members=members,
    )
    grid = run(
        "grid",
        {"outlines": [batch["outlines"]], "wcs": []},
        {"grid": "grid.json", "footprints": "footprints.csv", "overlaps": "overlaps.json"},
        order=[member["member"] for member in members],
    )
    static = []
    if options["static_mask"]["static"]:
        static = [run("static_mask", {"files": files}, {"static": "static.fits"}, members=members)["static"]]
    places = {key: grid[key] for key in ("footprints", "overlaps")}
    measured = run(
        "sky_overlaps",
        {"files": files, **places, "grid": grid["grid"], "lattices": batch["lattices"], "static": static},
        {"table": "sky/all.csv", "cells": "sky/all.npz"},
        members=members,
        masks={},
    )
    sky = run(
        "skymatch",
        {"tables": [measured["table"]], "cells": [measured["cells"]], "skylist": [], **places},
        {"sky": "sky.csv"},
    )["sky"]
    common = {"lattices": [batch["lattices"]], "grid": grid["grid"], "sky": sky}
    stack = product.groups
    if not options["single_drizzle"]["resample_data"]:
        stack = {
            f"{m.member}-{v}": [(m.member, [v])] for m in product.members for v in range(1, m.nframes + 1)
        }
    singles = {
        name: run(
            "single_drizzle",
            {"files": [], **common, "static": static},
            {"single": f"single/{name}.fits"},
            subtract=product.resampled or product.against_others,
            frames=[(product.member(member).asdict(), extvers) for member, extvers in frames],
        )["single"]
        for name, frames in stack.items()
    }
    given = {"singles": list(singles.values()), "grid": grid["grid"]}
    groups = list(stack) if product.against_others else []
    median = run("median", given, {"median": "median.fits"}, groups=groups)["median"]
    stacked = {(m, v): name for name, frames in stack.items() for m, extvers in frames for v in extvers}
    masks = {}
    for member in members:
        name = member["member"]
        output = {"mask": f"{name}_crmask.fits", "crf": f"{name}_crf.fits"}
        own = [(v, name) for (m, v), name in stacked.items() if m == member["member"] and groups]
        given = {
            "files": [],
            **common,
            "median": [median],
            "singles": [singles[name] for name in dict.fromkeys(name for _, name in own)],
        }
        more = {"member": member, "off": None, "groups": own, "mosaic": {"good_bits": "auto"}}
        done = run("crmask", given, output, **more)
        with fits.open(done["mask"]) as hdus:
            for hdu in hdus[1:]:
                masks[name, hdu.ver] = hdu.data.astype(bool)
    return product, resolved, read_levels(sky), masks


@pytest.fixture(scope="module")
def two_chips(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("hst"), flavour="hst", exposures=3, shape=(96, 112), seed=3)


@pytest.fixture(scope="module")
def two_detectors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jwst")
    return simulate(folder, flavour="jwst", exposures=3, detectors=2, shape=(96, 96), seed=5)


@pytest.mark.parametrize(
    "flavour, preset, pars",
    [
        ("jwst", None, {}),
        ("jwst", "jwst", {}),
        ("jwst", None, {"resample_data": False}),
        ("jwst", None, {"weight_type": "ivm-sky", "kernel": "gaussian", "pixfrac": 0.8, "grow": 3}),
        ("jwst", None, {"weight_type": "exptime", "pixmap_stepsize": 20, "pixmap_order": 1}),
        ("jwst", None, {"reference": "median", "backg": 0.1, "pixmap_stepsize": 20, "pixmap_order": 1}),
        ("jwst", None, {"combine_type": "median", "match": 0, "interp": "poly5", "noise": "err"}),
        ("hst", None, {}),
        ("hst", None, {"noise": "model", "ctegrow": 3}),
        ("hst", "hst", {}),
        ("hst", "hst", {"resample_data": False, "snr": "4 3"}),
    ],
)
def test_the_same_masks_as_a_run(flavour, preset, pars, two_detectors, two_chips, tmp_path):
    sections = {name: section for section, names in config.names(SECTIONS).items() for name in names}
    settings = {"preset": preset} if preset else {}
    for name, value in pars.items():
        settings.setdefault(sections[name], {})[name] = value
    made = two_detectors if flavour == "jwst" else two_chips
    product, resolved, levels, expected = workflow(tmp_path, made, settings)
    keys, frames = [], []
    for member in product.members:
        for extver in range(1, member.nframes + 1):
            keys.append((member.member, extver))
            planes = ("data", "err", "dq", "var")
            frames.append(formats.read(member.asdict(), extver, planes, resolved["simple"]))
    before = [(frame.data.copy(), frame.err.copy(), frame.dq.copy(), dict(frame.var)) for frame in frames]
    detection = OutlierDetection(
        frames, format=flavour, preset=preset, levels=[levels.get(key) for key in keys], **pars
    )
    counts = detection.do_detection()
    assert sum(counts) > 100
    outlier = np.uint32(formats.get(flavour).OUTLIER)
    for key, frame, count, mask, (data, err, dq, var) in zip(
        keys, frames, counts, detection.masks, before, strict=True
    ):
        np.testing.assert_array_equal(mask, expected[key], err_msg=str(key))
        assert count == np.count_nonzero(mask)
        np.testing.assert_array_equal(frame.dq, np.where(mask, dq | outlier, dq))
        np.testing.assert_array_equal(frame.data, data)
        np.testing.assert_array_equal(frame.err, err)
        assert frame.var.keys() == var.keys()
    if levels and detection.options["single_drizzle"]["resample_data"]:  # they matter
        assert OutlierDetection(frames, format=flavour, preset=preset, **pars).do_detection() != counts
