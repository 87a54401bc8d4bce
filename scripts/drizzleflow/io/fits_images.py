"""Find the images of a plain FITS file, and the planes of errors and flags that belong to each."""

from __future__ import annotations

from fnmatch import fnmatchcase

import numpy as np

from drizzleflow.errors import InputError


def images(hdus, wanted, path) -> list[int]:
    """Return the HDU indices of a file's images: those that ``simple.sci`` names; without, SCI or the first.

    A name may have the wildcards ``* ? []``.

    Raises
    ------
    InputError
        There is none, or none of a name or number.
    """
    held = all_images(hdus)
    if wanted is not None:
        indices = []
        for key in wanted if isinstance(wanted, (list, tuple)) else [wanted]:
            if isinstance(key, int):
                found = [key] if key in held else []
            else:
                found = [i for i in held if fnmatchcase(hdus[i].name, key.upper())]
            if not found:
                names = ", ".join(f"{i} {hdus[i].name}" for i in held) or "none"
                raise InputError(
                    f"{path}: no image extension {key!r} (simple.sci); the file's images: {names}"
                )
            indices += found
        return indices
    indices = [i for i in held if hdus[i].name == "SCI"] or held[:1]
    if not indices:
        raise InputError(f"{path}: no image in any HDU; expected a 2-D image")
    return indices


def unused(hdus, indices, companions) -> list[str]:
    """Return the names of the images that are neither `indices` nor `companions` and as large as the first."""
    shape, taken = hdus[indices[0]].shape, {*indices, *companions}
    return [hdus[i].name or str(i) for i in all_images(hdus) if hdus[i].shape == shape and i not in taken]


def all_images(hdus) -> list[int]:
    """Return the indices of the HDUs that hold an image."""
    return [i for i, hdu in enumerate(hdus) if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]


def index_of(indices, extver, path) -> int:
    if not 1 <= extver <= len(indices):
        raise InputError(f"{path}: no frame {extver}; the file has {len(indices)} image(s)")
    return indices[extver - 1]


def version(hdus, indices, extver) -> int:
    """Return the EXTVER of a frame's companions: the image's, or the frame's number.

    It is the frame's number if two images of the file have the same EXTVER.
    """
    versions = [hdus[index].ver for index in indices]
    return versions[extver - 1] if len(set(versions)) == len(versions) else extver


def companion(hdus, name, indices, extver) -> int | None:
    """Return the index of the HDU called `name` (or with that number) that belongs to a frame, or None.

    It has the EXTVER of `version`, or else the frame's number.
    """
    index = indices[extver - 1]
    if name is None or name == "":
        return None
    if isinstance(name, int):
        return name if name != index and name in all_images(hdus) else None
    found = {hdus[i].ver: i for i in all_images(hdus) if hdus[i].name == name.upper() and i != index}
    return found.get(version(hdus, indices, extver), found.get(extver))


def beside(path, hdus, indices, extver, shape, what, pixels: bool = True) -> np.ndarray | None:
    """Return the plane of image `extver` from a separate file.

    It is the image of the same EXTNAME and EXTVER, or else the file's n-th image. Without `pixels` the plane
    is only checked.
    """
    from drizzleflow.io.fits import expect_plane, open_fits, plane

    names = [(hdus[index].name, hdus[index].ver) for index in indices]
    name = names[extver - 1]
    with open_fits(path) as others:
        listed = all_images(others)
        same = [
            i
            for i in listed
            if name[0] and names.count(name) == 1 and (others[i].name, others[i].ver) == name
        ]
        if not same and extver > len(listed):
            raise InputError(
                f"{path}: no image for frame {extver} ({what}); the file has {len(listed)} image(s)"
            )
        found = same[0] if same else listed[extver - 1]
        expect_plane(others[found], shape, path, flags=what == "dq")
        if not pixels:
            return None
        return in_shape(plane(others, found, None, path), shape, path, found)


def shape_of(header, path, index) -> tuple[int, int]:
    """Return (ny, nx); further axes may only be of length 1."""
    extra = [header[f"NAXIS{i}"] for i in range(3, header["NAXIS"] + 1)]
    if any(length != 1 for length in extra):
        raise InputError(
            f"{path}[{index}]: an image of {header['NAXIS']} dimensions; expected 2 (see simple.sci)"
        )
    if not header["NAXIS1"] * header["NAXIS2"]:
        raise InputError(
            f"{path}[{index}]: {header['NAXIS1']} x {header['NAXIS2']} pixels; expected an image"
        )
    return header["NAXIS2"], header["NAXIS1"]


def in_shape(data, shape, path, index) -> np.ndarray:
    if data.size != shape[0] * shape[1] or data.shape[-2:] != shape:
        raise InputError(f"{path}[{index}]: shape {data.shape}, expected {shape} as the image has")
    return data.reshape(shape)
