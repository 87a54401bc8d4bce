"""The score of a run on simulated exposures: how many planted cosmic rays it flagged, and false flags."""

from __future__ import annotations

import argparse
import json
import os

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.io.fits import open_fits
from drizzleflow.plan import roads

SIGMA = 5.0  #: a planted pixel counts where its signal is above this many times ERR
EIGHT = np.ones((3, 3), bool)  #: planted pixels that touch by an edge or a corner are one cosmic ray


def events(mask, sigma):
    """Label the planted cosmic rays, each a set of connected pixels.

    Parameters
    ----------
    mask : (ny, nx) array
        Non-zero where a cosmic ray is planted.
    sigma : (ny, nx) array
        The planted signal over ERR.

    Returns
    -------
    labels : int32 (ny, nx)
        The number of the cosmic ray in each pixel, from 1 on; 0 elsewhere.
    count : int
        How many there are.
    bright : int array
        The numbers of those with a pixel above `SIGMA`.
    """
    from scipy import ndimage

    labels, count = ndimage.label(mask, structure=EIGHT)
    bright = np.unique(labels[(sigma > SIGMA) & (labels > 0)])
    return labels, count, bright


def score_frame(mask, planted, sigma, depth) -> dict:
    """Compare one frame's mask with the planted cosmic rays.

    Parameters
    ----------
    mask, planted : (ny, nx) arrays
        Non-zero where a pixel is flagged, and where one is planted.
    sigma : (ny, nx) array
        The planted signal over ERR.
    depth : (ny, nx) array
        The number of groups that cover a planted pixel.

    Returns
    -------
    dict of int
        ``events``: planted cosmic rays with a pixel above 5 sigma; ``found``: those with a flagged pixel;
        ``pixels``: planted pixels above 5 sigma; ``pixels_found``: those that are flagged; ``events_deep``,
        ``found_deep``, ``pixels_deep``, ``pixels_deep_found``: the same where three groups or more overlap;
        ``flags``: flagged pixels; ``false``: those farther than one pixel from every planted one.
    """
    from scipy import ndimage

    mask, planted = mask != 0, planted != 0
    labels, _, bright = events(planted, sigma)
    hit = np.unique(labels[mask & planted])
    deep = np.unique(labels[(sigma > SIGMA) & (depth >= 3)])
    deep = deep[deep > 0]
    above = planted & (sigma > SIGMA)
    above_deep = above & (depth >= 3)
    near = ndimage.binary_dilation(planted, structure=EIGHT)
    return {
        "events": int(bright.size),
        "found": int(np.isin(bright, hit).sum()),
        "events_deep": int(deep.size),
        "found_deep": int(np.isin(deep, hit).sum()),
        "pixels": int(above.sum()),
        "pixels_found": int((above & mask).sum()),
        "pixels_deep": int(above_deep.sum()),
        "pixels_deep_found": int((above_deep & mask).sum()),
        "flags": int(mask.sum()),
        "false": int((mask & ~near).sum()),
    }


def _ratios(counts: dict) -> dict:
    def ratio(a, b):
        return a / b if b else None

    return counts | {
        "completeness": ratio(counts["found"], counts["events"]),
        "completeness_deep": ratio(counts["found_deep"], counts["events_deep"]),
        "pixel_completeness": ratio(counts["pixels_found"], counts["pixels"]),
        "pixel_completeness_deep": ratio(counts["pixels_deep_found"], counts["pixels_deep"]),
        "purity": ratio(counts["flags"] - counts["false"], counts["flags"]),
    }


def score(truth_dir, product_dir, product: str | None = None) -> dict:
    """Compare a run's masks with the planted cosmic rays.

    Parameters
    ----------
    truth_dir : path
        The folder ``truth`` of the simulation.
    product_dir : path
        The folder ``{outdir}/{product}``, which has ``crmask/{member}_crmask.fits``.
    product : str, optional
        The product whose members are compared; by default the one with the name of `product_dir`, if the
        truth has it, and otherwise all members.

    Returns
    -------
    dict
        ``members``: {member: counts (see `score_frame`) and their ratios}; ``total``: the sums and their
        ratios.

    Raises
    ------
    InputError
        A file is missing, or a mask has another shape than the truth.
    """
    path = os.path.join(truth_dir, "truth.json")
    try:
        with open(path) as text:
            members = json.load(text)["members"]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected the truth folder of a simulation") from None
    known = {m["product"] for m in members.values()}
    product = product or os.path.basename(os.path.normpath(os.fspath(product_dir)))
    if product in known:
        members = {name: m for name, m in members.items() if m["product"] == product}
    out = {"members": {}}
    total: dict = {}
    for name in members:
        counts = _score_member(name, truth_dir, product_dir)
        out["members"][name] = _ratios(counts)
        total = {key: total.get(key, 0) + value for key, value in counts.items()}
    out["total"] = _ratios(total)
    return out


def _score_member(name, truth_dir, product_dir) -> dict:
    mask_path = os.path.join(product_dir, roads.path("crmask", "mask", member=name))
    truth_path = os.path.join(truth_dir, f"{name}_truth.fits")
    total: dict = {}
    with open_fits(mask_path) as masks, open_fits(truth_path) as truth:
        for hdu in truth:
            if hdu.name != "CRMASK":
                continue
            version = hdu.ver
            if ("CRMASK", version) not in masks:
                raise InputError(f"{mask_path}[CRMASK,{version}]: no such extension")
            mask = masks["CRMASK", version].data
            stack = [truth[key, version].data for key in ("CRMASK", "CRSIGMA", "DEPTH")]
            if mask.shape != stack[0].shape:
                raise InputError(
                    f"{mask_path}[CRMASK,{version}]: shape {mask.shape}, expected {stack[0].shape}"
                )
            shape = (-1, *mask.shape[-2:])
            for planes in zip(mask.reshape(shape), *(s.reshape(shape) for s in stack), strict=True):
                counts = score_frame(*planes)
                total = {key: total.get(key, 0) + value for key, value in counts.items()}
    return total


def table(scores: dict) -> str:
    """The scores (see `score`) as a table of text."""

    def percent(value):
        return "     -" if value is None else f"{100 * value:5.1f}%"

    heads = (
        ("events", 7),
        ("found", 7),
        ("", 6),
        ("pixels", 7),
        ("found", 6),
        ("flags", 7),
        ("false", 6),
        ("purity", 6),
    )
    lines = [" ".join([f"{'member':40s}", *(f"{head:>{width}s}" for head, width in heads)])]
    for name, c in (*scores["members"].items(), ("total", scores["total"])):
        lines.append(
            f"{name[:40]:40s} {c['events']:7d} {c['found']:7d} {percent(c['completeness'])} {c['pixels']:7d} "
            f"{percent(c['pixel_completeness'])} {c['flags']:7d} {c['false']:6d} {percent(c['purity'])}"
        )
    c = scores["total"]
    lines.append(
        f"where three or more exposures overlap: {c['found_deep']} of {c['events_deep']} cosmic rays found "
        f"({percent(c['completeness_deep']).strip()}), "
        f"{percent(c['pixel_completeness_deep']).strip()} of their pixels"
    )
    lines.append(
        "a cosmic ray counts with a pixel above 5 sigma; a flag is false when no planted pixel touches it"
    )
    return "\n".join(lines)


def main(argv) -> int:
    """Run the command ``python -m drizzleflow.simulate score``; return its exit status."""
    p = argparse.ArgumentParser(prog="python -m drizzleflow.simulate score")
    p.add_argument("truth", help="the simulation's truth folder")
    p.add_argument("product", help="RESULTS/PRODUCT")
    p.add_argument("--name", help="the product's name in the simulation, where the folder has another")
    p.add_argument("--json", action="store_true", help="print JSON")
    options = p.parse_args(argv)
    result = score(options.truth, options.product, options.name)
    print(json.dumps(result, indent=1) if options.json else table(result))
    return 0
