"""Declare the imaging road: groups of exposures are drizzled, combined, compared and mosaicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drizzleflow.errors import InputError
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


def masks_low_pixels(product: Product) -> bool:
    """Return whether a static mask is asked for."""
    return product.options["static_mask"]["static"]


STEPS = (
    MEMBERS,
    Step(
        "footprint",
        BATCH,
        {"outlines": File("footprint/{batch}.json"), "lattices": File("footprint/{batch}.npz")},
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
    ),
    Step("grid_wcs", PRODUCT, {"wcs": File("grid.asdf", target=True)}),
    Step(
        "sky_overlaps",
        BATCH,
        {"table": File("sky/{batch}.csv"), "cells": File("sky/{batch}.npz")},
        when=measures_sky,
    ),
    Step("skymatch", PRODUCT, {"sky": File("sky.csv")}, numbers=True),
    Step("static_mask", PRODUCT, {"static": File("static_mask.fits")}, when=masks_low_pixels),
    Step(
        "single_drizzle",
        GROUP,
        {"single": File("single/{group}_outlier_i2d.fits", INTERMEDIATE)},
        when=compares,
        exposures=("single",),
    ),
    Step("median_band", MEDIAN_BAND, {"band": File("median/{band}.npz", TEMPORARY)}, when=compares),
    Step(
        "median",
        PRODUCT,
        {"median": File("{product}_median.fits", INTERMEDIATE)},
        when=compares,
        numbers=True,
        exposures=("median",),
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
    ),
    Step("crclean", MEMBER, {"crclean": File("crclean/{member}_crclean.fits", target=True)}, when=cleans),
    Step("mosaic_band", BAND, {"band": File("mosaic/{band}.npz", TEMPORARY)}),
    Step(
        "mosaic",
        PRODUCT,
        {"mosaic": File("{product}_i2d.fits", target=True)},
        numbers=True,
        pictures=("mosaic", "coverage"),
    ),
    REPORT,
    VERDICT,
    PROVENANCE,
)

ROAD = Road("imaging", STEPS, ("geometry", "sky", "imaging"))
