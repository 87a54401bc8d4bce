"""Find and read WFPC2's flags, which are in a file beside the image: ``_c1m.fits`` beside ``_c0m.fits``."""

from __future__ import annotations

import os
import re

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.io.fits_images import all_images


def beside(path, versions, shapes) -> str:
    """Return the path of the flags of a ``_c0m.fits`` whose images have these EXTVER and (ny, nx).

    Raises
    ------
    InputError
        It is not there, or has other planes than the image.
    """
    from drizzleflow.io.fits import expect_plane, open_fits

    found = re.sub(r"_c0m(?=\.fits(\.gz)?$)", "_c1m", os.fspath(path), flags=re.IGNORECASE)
    if found == os.fspath(path):
        raise InputError(f"{path}: no extension DQ, expected flags there, or a _c0m.fits with its _c1m.fits")
    if not os.path.isfile(found):
        raise InputError(f"{path}: no {os.path.basename(found)} beside it, expected the file of its flags")
    with open_fits(found) as hdus:
        planes = _planes(hdus)
        for version, shape in zip(versions, shapes, strict=True):
            if version not in planes:
                raise InputError(f"{found}: no flags with EXTVER {version}, expected those of {path}")
            expect_plane(hdus[planes[version]], shape, found, flags=True)
    return found


def read(path, version: int, shape, image) -> np.ndarray:
    """Return the flags with an EXTVER, (ny, nx) in their own type; `image`: the file that they are of.

    Raises
    ------
    InputError
        There are none of this shape.
    """
    from drizzleflow.io.fits import open_fits, plane

    with open_fits(path) as hdus:
        index = _planes(hdus).get(version)
        if index is None or hdus[index].shape != shape:
            raise InputError(f"{path}: no flags of shape {shape} with EXTVER {version}, as {image} has")
        return np.array(plane(hdus, index, None, path))


def _planes(hdus) -> dict[int, int]:
    """Map EXTVER to the index of each image of a ``_c1m.fits``, which are called SCI (or DQ)."""
    return {hdus[i].ver: i for i in all_images(hdus) if hdus[i].name in ("SCI", "DQ")}
