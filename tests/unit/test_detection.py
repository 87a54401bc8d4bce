"""The seed's class in memory finds what the workflow finds on disk."""

import numpy as np
import pytest
from astropy.io import fits

from drizzleflow import formats
from drizzleflow.outliers import OutlierDetection
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


def test_unknown_parameter_is_named():
    with pytest.raises(TypeError, match="grow"):
        OutlierDetection([], grow=1)
