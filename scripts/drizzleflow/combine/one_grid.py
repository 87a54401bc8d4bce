"""Check that single-drizzled images lie on one grid, before they are combined pixel by pixel."""

from __future__ import annotations

from drizzleflow.combine.drizzle_singles import MATRIX, DrizzledSingle
from drizzleflow.errors import InputError


def check_grid(singles) -> None:
    """Raise `InputError`, naming two files, unless all images lie on one grid.

    Images without WINX0 and WINY0 must have the same shape. Where headers have a WCS, the same pixel must be
    at the same place to 0.01 pixel.
    """
    first = singles[0]
    windowed = "WINX0" in first.cards
    for other in singles[1:]:
        if ("WINX0" in other.cards) != windowed:
            one, whole = (first, other) if windowed else (other, first)
            raise InputError(
                f"{one.path} is a window of a grid (WINX0) and {whole.path} is not, expected all or none"
            )
        if not windowed and other.shape != first.shape:
            raise InputError(
                f"{other.path}: shape {other.shape}, {first.path} has {first.shape}, expected one shape: "
                "drizzle them onto one output frame"
            )
        if (key := _differs(first, other)) is not None:
            raise InputError(f"{other.path} and {first.path}: {key} differs, expected images on one grid")


def _differs(one: DrizzledSingle, two: DrizzledSingle) -> str | None:
    """Return the first WCS keyword by which two images' grids differ by more than 0.01 pixel, or None."""
    a, b = one.cards, two.cards
    for key in ("CTYPE1", "CTYPE2"):
        if key in a and key in b and a[key] != b[key]:
            return key
    matrix = [key for key in MATRIX if key in a]
    # degrees a pixel, from CD or CDELT
    step = max((abs(a[key]) for key in matrix if key[:2] == "CD"), default=0.0) or 1.0
    limits = {"CRPIX1": 0.01, "CRPIX2": 0.01, "CRVAL1": 0.01 * step, "CRVAL2": 0.01 * step}
    shifts = {"CRPIX1": one.origin[0] - two.origin[0], "CRPIX2": one.origin[1] - two.origin[1]}
    reach = max(one.shape + two.shape)
    for key in matrix:
        limits[key] = 0.01 / reach * (1.0 if key.startswith("PC") else step)
    for key, limit in limits.items():
        if key in a and key in b:
            if abs(a[key] - b[key] + shifts.get(key, 0)) > limit:
                return key
    return None
