"""Draw the pictures of docs/outliers.md: ``python docs/outlier_pictures.py`` (``make pictures``).

Four exposures are simulated with their truth, and tested in memory with our defaults and with ``preset:
jwst``. ``outlier_steps.png`` shows the test step by step beside a star; ``outlier_counts.png`` what it makes
of all pixels.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from drawing import BLUE, GREY, INK, LINE, ORANGE, RED, Plot, Sheet, diverging, grey

from drizzleflow import formats
from drizzleflow.outliers import OutlierDetection
from drizzleflow.outliers.expected_noise import noise_of
from drizzleflow.outliers.significance import BLANK, STEEP, structure
from drizzleflow.outliers.template_noise import template_noise
from drizzleflow.simulate import simulate
from drizzleflow.simulate.outlier_scores import DEEP, FrameTruth, bright_stars, read_truth

#: undersampled stars, and pointing errors of 0.1 px that the files do not tell
EXPOSURES = {
    "exposures": 4,
    "detectors": 1,
    "shape": (768, 768),
    "fwhm": 1.4,
    "wcs_error": 0.1,
    "stars": 500.0,
    "cosmic_rays": 0.005,
    "scene_truth": True,
}
HALF = 24  #: pixels; half of a side of the cut-out


# --- what is shown ----------------------------------------------------------------------------------------


class Watched(OutlierDetection):
    """The detection, which keeps what each frame was compared with."""

    def __init__(self, *args, **pars):
        super().__init__(*args, **pars)
        self.seen: list[tuple] = []  #: (frame, template of the others, the same matched)

    def _compare(self, comparison, index, frame, pixmap, group):
        template = comparison.others.at(frame, group, pixmap.copy(), self.options["crmask"]["interp"])
        mask, matched, measured = comparison.compare(frame, pixmap, self.levels[index], group)
        self.seen.append((frame, template, matched))
        self.measured.append(measured)
        return mask


@dataclass
class Shown:
    """One exposure and the steps of its test, images of (ny, nx)."""

    truth: FrameTruth
    data: np.ndarray  #: without sky
    template: np.ndarray  #: the matched mean of the others; NaN where there is none
    raw: np.ndarray  #: difference over noise before the template was matched
    difference: np.ndarray  #: difference over noise
    z: np.ndarray  #: the same with the tolerance for sources
    steepness: np.ndarray  #: slope of the template over the expected noise
    ours: np.ndarray  #: bool, flagged by our defaults
    jwst: np.ndarray  #: bool, flagged with preset: jwst

    @property
    def good(self):
        """bool: usable, and seen by two other exposures."""
        return self.truth.usable & (self.truth.cover >= DEEP) & np.isfinite(self.z)


def frames(folder: Path) -> list:
    """The simulated exposures, read anew."""
    paths = sorted(folder.glob("*_cal.fits"))
    members = [
        {
            "member": path.name.removesuffix("_cal.fits"),
            "path": str(path),
            "group": path.name,
            "cube": False,
            "format": "jwst",
            "nframes": 1,
        }
        for path in paths
    ]
    return [formats.read(member, 1, ("data", "err", "dq", "var")) for member in members]


def exposures() -> list[Shown]:
    """Simulate and test; what is shown of each exposure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder, **EXPOSURES)
        truth = read_truth(folder / "truth")
        about = json.loads((folder / "truth" / "truth.json").read_text())["members"]
        read = frames(folder)
        levels = [about[frame.member]["sky_in_file_unit"] for frame in read]
        ours = Watched(read, levels=levels)
        ours.do_detection()
        theirs = OutlierDetection(frames(folder), levels=levels, preset="jwst")
        theirs.do_detection()
    every = zip(ours.seen, ours.measured, levels, ours.masks, theirs.masks, strict=True)
    return [
        steps(ours.options, *seen, measured, level, truth[seen[0].member, 1], *masks)
        for seen, measured, level, *masks in every
    ]


def steps(options, frame, template, matched, measured, level, truth, ours, jwst) -> Shown:
    """The steps of `drizzleflow.outliers.others.outliers`, with what was measured there."""
    single, settings = options["single_drizzle"], options["crmask"]
    part = template_noise(single["kernel"], single["pixfrac"], 1.0, settings["interp"], frame.per_pixel)
    err = noise_of(frame, template.mean, level, settings["noise"])
    sigma = np.sqrt(err**2 + part * np.nan_to_num(template.variance))
    noise = measured["noise"] * sigma
    data = frame.data - np.float32(level)
    matched = np.where(np.isnan(template.mean), np.float32(np.nan), matched)
    gradient = structure(matched)
    expected = np.hypot(noise, measured["tolerance"] * gradient)
    return Shown(
        truth,
        data,
        matched,
        (data - template.mean) / noise,
        (data - matched) / noise,
        (data - matched) / expected,
        gradient / sigma,
        ours,
        jwst,
    )


def cut_out(shown: list[Shown]) -> tuple[Shown, tuple[slice, slice]]:
    """The exposure and the square around a bright star that the preset harms and we do not, where most pixels
    of rays are found by us alone.
    """
    best, chosen = -1, None
    for one in shown:
        truth, false = one.truth, one.truth.usable & ~one.truth.planted
        for y, x in bright_stars(truth):
            core = np.s_[y - 1 : y + 2, x - 1 : x + 2]
            square = np.s_[y - HALF : y + HALF, x - HALF : x + HALF]
            inside = min(y, x) > HALF and max(y, x) < min(truth.noise.shape) - HALF
            if not inside or not one.good[square].mean() > 0.95 or not (one.jwst & false)[core].any():
                continue
            gained = (one.ours & ~one.jwst & (truth.snr > 5))[square].sum() - 9 * (one.ours & false)[
                square
            ].sum()
            if gained > best:
                best, chosen = gained, (one, square)
    return chosen


def marked(background, mask, truth: FrameTruth):
    """A pale image with the mask's pixels in colour, and those of rays that it lacks."""
    colours = (255 - (255 - background.astype(int)) // 3).astype(np.uint8)
    mask, hit = mask & truth.usable, truth.snr > 5
    colours[hit & ~mask] = ORANGE
    colours[mask & truth.planted] = BLUE
    colours[mask & ~truth.planted] = RED
    return colours


def draw_steps(shown: list[Shown]) -> None:
    """A star and rays, from the exposure to the masks."""
    one, square = cut_out(shown)
    size, gap, top, most = 9, 26, 52, 10
    side = 2 * HALF * size
    sheet = Sheet(4 * side + 3 * gap + 20, 2 * (side + top) + gap + 10)
    blank = np.nanmedian(one.truth.noise)
    truth = FrameTruth(*(plane[square] for plane in (one.truth.flux, one.truth.noise, one.truth.scene)), 0, 0)
    truth.trail = np.zeros_like(truth.flux)
    data, template = (grey(image[square], -3 * blank, 120 * blank) for image in (one.data, one.template))
    panels = [
        ("1  the exposure", data),
        ("2  mean of the others, matched", template),
        ("3  difference / noise", diverging(one.difference[square], most)),
        ("4  z: with the tolerance", diverging(one.z[square], most)),
        ("5  truth: rays / noise", diverging(truth.snr, most)),
        ("6  flagged: our default", marked(data, one.ours[square], truth)),
        ("7  flagged: preset jwst", marked(data, one.jwst[square], truth)),
    ]
    for k, (title, colours) in enumerate(panels):
        x, y = 10 + k % 4 * (side + gap), top + k // 4 * (side + top + gap)
        sheet.text(x, y - 14, title, 28)
        sheet.pixels(x, y, colours, size)
    x, y = 10 + 3 * (side + gap), top + side + top + gap
    sheet.text(x, y + 20, "panels 3, 4 and 5, sigma", 26)
    ramp = diverging(np.linspace(-most, most, side)[None], most)
    sheet.pixels(x, y + 40, np.repeat(ramp, 26, axis=0), 1)
    for value, anchor in ((-most, "la"), (0, "ma"), (most, "ra")):
        sheet.text(
            x + (value + most) * side / 2 / most, y + 76, f"{value:+d}" if value else "0", 24, GREY, anchor
        )
    sheet.text(x, y + 160, "panels 6 and 7", 26)
    said = (
        (BLUE, "a ray's pixel, flagged"),
        (ORANGE, "a ray's pixel above 5 sigma, missed"),
        (RED, "flagged, and no ray: false"),
    )
    for k, (colour, words) in enumerate(said):
        sheet.draw.rectangle((x, y + 182 + 44 * k, x + 26, y + 208 + 44 * k), fill=colour)
        sheet.text(x + 40, y + 204 + 44 * k, words, 24)
    sheet.text(x, y + 360, f"{2 * HALF} x {2 * HALF} pixels of one of four", 24, GREY)
    sheet.text(x, y + 392, "simulated exposures; FWHM 1.4 px,", 24, GREY)
    sheet.text(x, y + 424, "pointing errors of 0.1 px", 24, GREY)
    sheet.save("outlier_steps")


def ratio(some, of):
    return f"{100 * some / of:.3g} %" if of else "-"


def draw_counts(shown: list[Shown]) -> None:
    """What is left of the differences, what is found, and what it costs, of all pixels."""
    width, height, left, top = 520, 440, 130, 164
    sheet = Sheet(3 * (left + width) + 30, top + height + 100)

    def box(k):
        x = left + k * (left + width)
        return x, top, x + width, top + height

    quiet = [one.good & ~one.truth.planted for one in shown]

    def all_of(name, where):
        return np.concatenate([getattr(one, name)[w] for one, w in zip(shown, where, strict=True)])

    steep = [q & (one.steepness > STEEP) for one, q in zip(shown, quiet, strict=True)]
    flat = [q & (one.steepness < BLANK) for one, q in zip(shown, quiet, strict=True)]
    plot = Plot(sheet, box(0), (-12, 12), (1e-5, 1), (False, True))
    plot.ticks(
        [(v, f"{v:d}") for v in (-10, -5, 0, 5, 10)],
        [(10.0**v, f"{10.0**v:g}" if v > -4 else f"1e{v}") for v in range(-5, 1)],
        "standard deviations",
        "part of the pixels in a bin of 0.5",
        "pixels that no ray has hit",
    )
    edges = np.arange(-12, 12.01, 0.5)
    middle = (edges[1:] + edges[:-1]) / 2
    plot.line(middle, 0.5 * np.exp(-(middle**2) / 2) / np.sqrt(2 * np.pi), LINE, 14)
    curves = [
        (ORANGE, "sources, unmatched", all_of("raw", steep)),
        (RED, "sources, matched", all_of("difference", steep)),
        (BLUE, "sources, z", all_of("z", steep)),
        (INK, "blank sky, z", all_of("z", flat)),
    ]
    for colour, _, values in curves:
        plot.line(middle, np.histogram(values, edges)[0] / len(values), colour, 4)
    lines = [(LINE, "Gaussian"), *(curve[:2] for curve in reversed(curves))]
    plot.legend(lines, 2)

    masks = (("ours", BLUE, "our default"), ("jwst", ORANGE, "preset: jwst"))
    plot = Plot(sheet, box(1), (2, 40), (0, 100), (True, False))
    plot.ticks(
        [(v, f"{v:d}") for v in (2, 3, 5, 10, 20, 40)],
        [(v, f"{v:d}") for v in range(0, 101, 20)],
        "what a ray deposited in a pixel / noise",
        "flagged, per cent",
        "pixels of rays",
    )
    edges = np.array([2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 10, 13, 17, 25, 40])
    middle = np.sqrt(edges[1:] * edges[:-1])
    where = [one.good for one in shown]
    snr = np.concatenate([one.truth.snr[w] for one, w in zip(shown, where, strict=True)])
    legend = []
    for name, colour, words in masks:
        found = all_of(name, where)
        share = np.histogram(snr[found], edges)[0] / np.maximum(1, np.histogram(snr, edges)[0])
        plot.line(middle, 100 * share, colour, 4, True)
        flags = [getattr(one, name) & one.truth.usable for one in shown]
        on = sum(int((f & one.truth.planted).sum()) for f, one in zip(flags, shown, strict=True))
        pure = ratio(on, sum(int(f.sum()) for f in flags))
        legend.append((colour, f"{words}; {pure} of flags on rays"))
    plot.legend(legend)

    plot = Plot(sheet, box(2), (60, 500), (0, 50), (True, False))
    plot.ticks(
        [(v, f"{v:d}") for v in (60, 100, 200, 500)],
        [(v, f"{v:d}") for v in range(0, 51, 10)],
        "a star's highest pixel / noise",
        "with a false flag in the core, per cent",
        "stars",
    )
    edges = np.array([60, 90, 130, 190, 500])
    middle = np.sqrt(edges[1:] * edges[:-1])
    peaks, harmed = [], {name: [] for name, *_ in masks}
    for one in shown:
        for y, x in bright_stars(one.truth):
            core = np.s_[y - 1 : y + 2, x - 1 : x + 2]
            peaks.append(one.truth.scene[y, x] / one.truth.noise[y, x])
            for name in harmed:
                false = getattr(one, name) & one.truth.usable & ~one.truth.planted
                harmed[name].append(bool(false[core].any()))
    peaks, legend = np.array(peaks), []
    for name, colour, words in masks:
        some, every = np.histogram(peaks[harmed[name]], edges)[0], np.histogram(peaks, edges)[0]
        there = every > 0
        plot.line(middle[there], 100 * some[there] / every[there], colour, 4, True)
        legend.append((colour, f"{words}: {sum(harmed[name])} of {len(peaks)} stars"))
    plot.legend(legend)
    sheet.save("outlier_counts")


def main() -> None:
    """Write both pictures beside this file."""
    shown = exposures()
    draw_steps(shown)
    draw_counts(shown)


if __name__ == "__main__":
    main()
