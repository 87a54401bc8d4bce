"""What an outlier test finds and what it harms, counted against the simulator's truth (`scene_truth`).

S/N of a pixel is the cosmic ray's deposit over the noise that is expected without it. A flag is false where
nothing was planted: no deposit (the simulator plants none below 0.3 sigma of blank sky), no trail, no low
pixel. Flags on pixels that DQ calls unusable anyway do not count.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.io.fits import open_fits
from drizzleflow.simulate.score import SIGMA, events

DEEP = 3  #: groups that see a pixel, its own among them, of figures at "coverage of three or more"
SOURCE, FAINT = 20.0, 3.0  #: scene over noise above which a pixel lies on a source: for `src` and `src3`
STAR = 60.0  #: scene over noise of a bright star's highest pixel
TRAIL = 0.3  #: a trail above this many sigma is something that a flag may mark

#: column -> what it says; the worst of several runs is the least, or with `HARM` the largest
COLUMNS = {
    "all": "% of the pixels that a ray raised by more than 5 sigma, at any coverage",
    "full": "% of the rays of which all such pixels are flagged, coverage >= 3",
    "s5_10": "% of the pixels raised by 5 to 10 sigma, coverage >= 3",
    "s3_5": "% of the pixels raised by 3 to 5 sigma, coverage >= 3",
    "src": "% of the pixels raised by more than 5 sigma on sources of more than 20 sigma, coverage >= 3",
    "src3": "% of the same where sources are above 3 sigma",
    "alone": "% of the pixels raised by more than 5 sigma that no other exposure covers",
    "pur": "% of the flags that mark something that was planted",
    "star": "% of the stars of peak > 60 sigma with a false flag in the 3 x 3 pixels of their core",
    "low": "% of the low pixels that are flagged, coverage >= 3",
    "low_false": "false flags in other exposures for each low pixel, above what is usual",
    "trail": "% of the pixels that a charge trail raised by more than 5 sigma (and no ray)",
}
HARM = ("star", "low_false")


@dataclass
class FrameTruth:
    """The truth of one frame, images of (ny, nx); see `drizzleflow.simulate.truth`."""

    flux: np.ndarray  #: deposit of the rays, MJy/sr
    noise: np.ndarray  #: MJy/sr; NaN where the pixel is not usable
    scene: np.ndarray  #: MJy/sr
    cover: np.ndarray  #: groups that see the pixel's place
    trail: np.ndarray  #: MJy/sr
    low: np.ndarray | None = None  #: not 0: too low
    near: np.ndarray | None = None  #: not 0: near the low pixel of another exposure
    stars: list = field(default_factory=list)  #: (x, y), 0-based

    @property
    def usable(self):
        return np.isfinite(self.noise)

    @property
    def snr(self):
        """Deposit over noise, 0 where the pixel is not usable."""
        return np.where(self.usable, self.flux / np.where(self.usable, self.noise, 1), 0)

    @property
    def planted(self):
        """bool: where a flag is not false."""
        with np.errstate(invalid="ignore"):
            some = (self.flux > 0) | (self.trail > TRAIL * self.noise)
        return some if self.low is None else some | (self.low != 0)


def bright_stars(truth: FrameTruth):
    """Places (y, x) of the highest pixels of stars above `STAR`; stars in another's core are not apart."""
    ny, nx = truth.scene.shape
    out = []
    for x, y in truth.stars:
        x, y = round(x), round(y)
        if not (3 <= x < nx - 3 and 3 <= y < ny - 3):
            continue
        core = truth.scene[y - 1 : y + 2, x - 1 : x + 2]
        dy, dx = np.unravel_index(np.argmax(core), core.shape)
        y, x = y + int(dy) - 1, x + int(dx) - 1
        peak = truth.scene[y, x]
        # not finite: saturated, and of no interest
        if peak > STAR * truth.noise[y, x] and peak == truth.scene[y - 2 : y + 3, x - 2 : x + 3].max():
            out.append((y, x))
    return list(dict.fromkeys(out))


def frame_counts(mask, truth: FrameTruth) -> dict[str, list[float]]:
    """[counted, of so many] of each of `COLUMNS` in one frame; `mask` (ny, nx) is not 0 where flagged.

    Raises
    ------
    InputError
        A mask of another shape.
    """
    if mask.shape != truth.noise.shape:
        raise InputError(f"mask of shape {mask.shape}, expected {truth.noise.shape}")
    usable, snr, planted = truth.usable, truth.snr, truth.planted
    mask = (mask != 0) & usable
    false = mask & ~planted
    deep, above = truth.cover >= DEEP, snr > SIGMA

    def part(pixels):
        return [int((mask & pixels).sum()), int(pixels.sum())]

    with np.errstate(invalid="ignore"):
        source = np.where(usable, truth.scene / truth.noise, 0)
        trailing = (truth.trail > SIGMA * truth.noise) & ~(truth.flux > 0)
    counts = {
        "all": part(above),
        "full": _whole_rays(mask, truth, snr, above, deep),
        "s5_10": part(above & (snr <= 2 * SIGMA) & deep),
        "s3_5": part((snr > 3) & (snr <= SIGMA) & deep),
        "src": part(above & deep & (source > SOURCE)),
        "src3": part(above & deep & (source > FAINT)),
        "alone": part(above & (truth.cover == 1)),
        "pur": [int((mask & planted).sum()), int(mask.sum())],
        "trail": part(trailing & usable),
    }
    cores = bright_stars(truth)
    harmed = sum(bool(false[y - 1 : y + 2, x - 1 : x + 2].any()) for y, x in cores)
    counts["star"] = [harmed, len(cores)]
    if truth.low is not None:
        low, near = truth.low != 0, truth.near != 0
        counts["low"] = part(low & deep)
        usual = (false & ~near).sum() / max(1, (~near).sum()) * near.sum()
        counts["low_false"] = [float((false & near).sum() - usual), int(low.sum())]
    return counts


def _whole_rays(mask, truth, snr, above, deep):
    """[rays whose pixels above 5 sigma are all flagged, rays]; of those that three groups see wholly."""
    labels, count, bright = events(truth.flux > 0, snr)
    missed = np.bincount(labels[above & ~mask], minlength=count + 1)
    shallow = np.bincount(labels[above & ~deep], minlength=count + 1)
    seen = bright[shallow[bright] == 0]
    return [int((missed[seen] == 0).sum()), int(seen.size)]


def added(counts) -> dict[str, list[float]]:
    """The sum of several frames' counts."""
    total: dict[str, list[float]] = {}
    for one in counts:
        for key, (some, of) in one.items():
            before = total.get(key, [0, 0])
            total[key] = [before[0] + some, before[1] + of]
    return total


def figures(counts: dict) -> dict[str, float | None]:
    """Counts as what `COLUMNS` says; None without anything to count."""
    out = {}
    for key, (some, of) in counts.items():
        scale = 1 if key == "low_false" else 100
        out[key] = scale * some / of if of else None
    return out


def over_runs(several: list[dict]) -> dict[str, tuple[float, float] | None]:
    """(mean, worst) of the figures of several runs."""
    out: dict[str, tuple[float, float] | None] = {}
    for key in COLUMNS:
        values = [run[key] for run in several if run.get(key) is not None]
        worst = max if key in HARM else min
        out[key] = (float(np.mean(values)), float(worst(values))) if values else None
    return out


def read_truth(folder) -> dict[tuple[str, int], FrameTruth]:
    """{(member, EXTVER): truth} of a simulation with `scene_truth`.

    Raises
    ------
    InputError
        A simulation without it.
    """
    with open(os.path.join(folder, "truth.json"), encoding="utf-8") as text:
        members = json.load(text)["members"]
    out = {}
    for member, about in members.items():
        if "stars" not in about:
            raise InputError(f"{folder}: the truth of rays alone, expected a simulation with scene_truth")
        paths = {kind: os.path.join(folder, f"{member}_{kind}.fits") for kind in ("truth", "scene", "low")}
        images = {}
        for path in paths.values():
            if not os.path.exists(path):
                continue
            with open_fits(path) as hdus:
                for hdu in hdus[1:]:
                    images[hdu.name, hdu.ver] = np.array(hdu.data)
        for extver, stars in about["stars"].items():
            version = int(extver)
            out[member, version] = FrameTruth(
                *(images[key, version] for key in ("CRFLUX", "NOISE", "SCENE", "COVER", "TRAIL")),
                low=images.get(("LOW", version)),
                near=images.get(("NEAR", version)),
                stars=[(x, y) for _row, x, y in stars],
            )
    return out
