"""Declare the imaging road: groups of exposures are drizzled, combined, compared and mosaicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drizzleflow.errors import InputError
from drizzleflow.plan.config_checks import ONLY_WITH
from drizzleflow.plan.keys import keys, of_frames, section
from drizzleflow.plan.layout import (
    BAND,
    BATCH,
    EXTRA,
    GROUP,
    INTERMEDIATE,
    MEDIAN_BAND,
    MEMBER,
    MEMBERS,
    PRODUCT,
    PROVENANCE,
    REPORT,
    TEMPORARY,
    VERDICT,
    File,
    Road,
    Step,
)

if TYPE_CHECKING:
    from drizzleflow.plan.product import Product


def switched_off(product: Product) -> str | None:
    """Return the setting that switches the comparison off; None without such a setting."""
    if "blot" not in product.methods:
        return "outlier_method is none"
    return None if product.options["median"]["median"] else "median is false"


def compares(product: Product) -> bool:
    """Return whether there is anything to compare: a single exposure cannot show its own outliers."""
    return switched_off(product) is None and len(product.stack) > 1


def own_groups(product: Product, member: str) -> list[tuple[int, str]]:
    """Return (extver, group) of a member's frames where their groups are left out of what they meet."""
    return product.stacked_in[member] if compares(product) and product.against_others else []


def blots(product: Product) -> bool:
    """Return whether files with the median blotted to the members' pixels are made.

    Raises
    ------
    InputError
        They are, but the settings say not to keep them.
    """
    if not (compares(product) and product.resampled):
        return False
    if not product.keeps:
        raise InputError(
            "save_intermediate_results is false; set it to true to keep the blotted images "
            "(target blot, crmask.corr)"
        )
    return True


def cleans(product: Product) -> bool:
    """Return whether cleaned copies are asked for and there is a blot to clean with."""
    return product.options["crmask"]["corr"] and blots(product)


def measures_sky(product: Product) -> bool:
    """Return whether sky levels are measured, and neither given by the user nor skipped."""
    settings = product.options["skymatch"]
    return not settings["skip"] and settings["skymethod"] != "user"


def matches_sky(product: Product) -> bool:
    """Return whether sky levels follow from the overlaps of exposures."""
    return measures_sky(product) and "match" in product.options["skymatch"]["skymethod"].lower()


def masks_low_pixels(product: Product) -> bool:
    """Return whether a static mask is asked for."""
    return product.options["static_mask"]["static"]


# -- what does not depend on the other exposures


def gives_grid(product: Product) -> bool:
    """Return whether settings give the grid, so that further exposures leave it as it is."""
    grid = product.options["grid"]
    wanted = ("crval", "crpix", "output_shape", "pixel_scale", "rotation")
    return bool(grid["output_wcs"]) or (
        grid["method"] == "tangent_plane" and all(grid[key] is not None for key in wanted)
    )


def sky_alone(product: Product) -> bool:
    """Return whether a frame's sky is measured without a look at the others, on a given grid."""
    return gives_grid(product) and measures_sky(product) and not matches_sky(product)


def own_sky(product: Product) -> str | None:
    """Return how a group's sky level follows from its own frames alone: 'local', 'recorded', or None."""
    if not (gives_grid(product) and product.resampled):
        return None
    settings = product.options["skymatch"]
    return "recorded" if settings["skip"] else "local" if settings["skymethod"] == "local" else None


# -- the settings that each step reads


def _without_effect(product: Product, name: str) -> tuple[str, ...]:
    """Return the keys of a section that count with the other kind of ``crmask.reference`` alone."""
    other = "median" if product.against_others else "others"
    return ONLY_WITH[other].get(name, ())


def footprint_reads(product: Product) -> list[str]:
    listed = keys(
        "grid: method pixmap_tolerance",
        "single_drizzle: pixmap_stepsize pixmap_order",
        "mosaic: pixmap_stepsize pixmap_order units",
        "skymatch: stepsize",
        "inputs: checksum",
    )
    return listed + of_frames(product, "frame")


def grid_reads(product: Product) -> list[str]:
    listed = keys("skymatch: skip skymethod")
    if matches_sky(product):
        listed += keys("skymatch: max_overlaps")
    if product.options["grid"]["output_wcs"]:
        return listed + keys("grid: output_wcs output_shape")
    return listed + section(product, "grid", but=("pixmap_tolerance", "pad"))


def given_grid_reads(product: Product) -> list[str]:
    listed = [name for name in grid_reads(product) if name.startswith("grid.")]
    return listed + of_frames(product, "frame")


def sky_overlaps_reads(product: Product) -> list[str]:
    statistic = "skymatch: skystat dqbits lower upper nclip lsigma usigma binwidth overlap"
    return keys(statistic) + of_frames(product, "frame", "dq", "input")


def skymatch_reads(product: Product) -> list[str]:
    settings = product.options["skymatch"]
    if settings["skip"]:
        return keys("skymatch: skip")
    if settings["skymethod"] == "user":
        return keys("skymatch: skip skymethod skylist")
    return keys("skymatch: skip skymethod skystat match_down weights disconnected")


def static_mask_reads(product: Product) -> list[str]:
    return keys("static_mask: static_sig") + of_frames(product, "frame")


def single_drizzle_reads(product: Product) -> list[str]:
    listed = keys("single_drizzle: resample_data weight_type good_bits")
    if product.resampled:
        listed += keys(
            "single_drizzle: kernel pixfrac fillval pixmap_stepsize pixmap_order",
            "grid: pad pixmap_tolerance",
        )
    return listed + of_frames(product, "frame", "dq", "err", "input")


def median_band_reads(product: Product) -> list[str]:
    unused = ("median", "bands", *_without_effect(product, "median"))
    return section(product, "median", but=unused) + keys("single_drizzle: resample_data")


def median_reads(product: Product) -> list[str]:
    return median_band_reads(product) + (
        keys("skymatch: skymethod") if "minmed" in product.options["median"]["combine_type"] else []
    )


def crmask_reads(product: Product) -> list[str]:
    listed = keys("mosaic: good_bits", "skymatch: skip skymethod level_keyword")
    listed += of_frames(product, "frame", "dq", "err", "input", "copy")
    if not compares(product):
        return listed
    unused = ("corr", "crbit", *_without_effect(product, "crmask"))
    listed += section(product, "crmask", but=unused)
    listed += keys("single_drizzle: resample_data good_bits")
    if product.resampled:
        listed += keys("single_drizzle: pixmap_stepsize pixmap_order", "grid: pixmap_tolerance")
    if product.against_others:
        listed += keys("single_drizzle: kernel pixfrac")
        listed += section(product, "median", but=("median", "bands"))
    return listed


def crclean_reads(product: Product) -> list[str]:
    return keys("single_drizzle: good_bits", "crmask: crbit") + of_frames(product, "frame", "dq", "input")


def mosaic_reads(product: Product) -> list[str]:
    listed = section(product, "mosaic", but=("bands",)) + keys("grid: pad pixmap_tolerance")
    return listed + of_frames(product, "frame", "dq", "err")


STEPS = (
    MEMBERS,
    Step(
        "footprint",
        BATCH,
        {"outlines": File("footprint/{batch}.json"), "lattices": File("footprint/{batch}.npz")},
        reads=footprint_reads,
    ),
    Step(
        "grid",
        PRODUCT,
        {
            "grid": File("grid.json"),
            "footprints": File("footprints.csv"),
            "overlaps": File("overlaps.json"),
        },
        numbers=True,
        reads=grid_reads,
    ),
    Step(
        "given_grid",
        PRODUCT,
        {"grid": File("given_grid.json")},
        when=gives_grid,
        reads=given_grid_reads,
    ),
    Step("grid_wcs", PRODUCT, {"wcs": File("grid.asdf", target=True)}),
    Step(
        "sky_overlaps",
        BATCH,
        {"table": File("sky/{batch}.csv"), "cells": File("sky/{batch}.npz")},
        when=measures_sky,
        reads=sky_overlaps_reads,
    ),
    Step("skymatch", PRODUCT, {"sky": File("sky.csv")}, numbers=True, reads=skymatch_reads),
    Step(
        "static_mask",
        PRODUCT,
        {"static": File("static_mask.fits")},
        when=masks_low_pixels,
        reads=static_mask_reads,
    ),
    Step(
        "single_drizzle",
        GROUP,
        {"single": File("single/{group}_outlier_i2d.fits", INTERMEDIATE)},
        when=compares,
        exposures=("single",),
        reads=single_drizzle_reads,
    ),
    Step(
        "median_band",
        MEDIAN_BAND,
        {"band": File("median/{band}.npz", TEMPORARY)},
        when=compares,
        reads=median_band_reads,
    ),
    Step(
        "median",
        PRODUCT,
        {"median": File("{product}_median.fits", INTERMEDIATE)},
        when=compares,
        numbers=True,
        exposures=("median",),
        reads=median_reads,
    ),
    Step(
        "crmask",
        MEMBER,
        {
            "blot": File("blot/{member}_blot.fits", EXTRA, when=blots),
            "mask": File("crmask/{member}_crmask.fits", target=True),
            "crf": File("crf/{member}_crf.{ending}"),
        },
        flags=True,
        reads=crmask_reads,
    ),
    Step(
        "crclean",
        MEMBER,
        {"crclean": File("crclean/{member}_crclean.fits", target=True)},
        when=cleans,
        reads=crclean_reads,
    ),
    Step("mosaic_band", BAND, {"band": File("mosaic/{band}.npz", TEMPORARY)}, reads=mosaic_reads),
    Step(
        "mosaic",
        PRODUCT,
        {"mosaic": File("{product}_i2d.fits", target=True)},
        numbers=True,
        pictures=("mosaic", "coverage"),
        reads=mosaic_reads,
    ),
    REPORT,
    VERDICT,
    PROVENANCE,
)

ROAD = Road("imaging", STEPS, ("geometry", "sky", "imaging"))
