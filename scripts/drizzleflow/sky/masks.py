"""Read the user's masks of pixels in which the sky is measured (``skymatch.masks``)."""

from __future__ import annotations

import numpy as np

from drizzleflow.errors import InputError
from drizzleflow.io.fits_images import all_images


def sky_mask(masks, member: dict, extver: int, shape) -> np.ndarray:
    """Return the pixels of a frame in which its sky may be measured: bool (ny, nx).

    Parameters
    ----------
    masks : list of (path, HDU or None) or None
        A member's, one for each frame in order, as `drizzleflow.io.lists.read_sky_masks` reads them; frames
        without one may be measured everywhere.
    member : dict
    extver : int
        Number of the frame in its member, from 1.
    shape : (ny, nx)

    Raises
    ------
    InputError
        There are more masks than frames, or a mask is no image of the frame's shape.
    """
    from drizzleflow.io.fits import open_fits, plane

    frames = 1 if member["cube"] else member["nframes"]
    if len(masks) > frames:
        raise InputError(
            f"skymatch.masks: {len(masks)} masks of {member['member']}, which has {frames} frame(s)"
        )
    if extver > len(masks) or masks[extver - 1] is None:
        return np.ones(shape, bool)
    path, index = masks[extver - 1]
    with open_fits(path) as hdus:
        images = all_images(hdus)
        if index is None and images:
            index = images[0]
        if index not in images:
            raise InputError(f"{path}: no image in HDU {index}, expected the mask of {member['member']}")
        if hdus[index].shape != tuple(shape):
            raise InputError(
                f"{path}[{index}]: shape {hdus[index].shape}, expected {tuple(shape)} as frame {extver} of "
                f"{member['member']} has"
            )
        return np.asarray(plane(hdus, index, None, path)) != 0
