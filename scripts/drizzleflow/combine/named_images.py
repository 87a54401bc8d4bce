"""Find the single-drizzled images that a user names: exposures, singles, wildcards, lists, tables.

AstroDrizzle writes ``{root}_single_sci.fits`` and ``{root}_single_wht.fits`` beside the exposure
``{root}_flt.fits``; this workflow writes ``{group}_outlier_i2d.fits`` with the extensions SCI and WHT. `find`
turns names into `SingleFiles`, whose `SingleFiles.open` reads the headers.
"""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass

from drizzleflow.combine.drizzle_singles import Plane, single_of
from drizzleflow.combine.exposure_noise import Overrides, exposure_named, noise_of
from drizzleflow.errors import InputError
from drizzleflow.plan.association import member_name
from drizzleflow.plan.files import read_hst_table

_ENDING = re.compile(r"\.(fits?|fts)(\.(gz|fz))?$", re.IGNORECASE)
_ENDINGS = (".fits", ".fits.fz", ".fits.gz", ".fit")
_EXPOSURES = ("_flt", "_flc", "_c0m", "_crf", "")


@dataclass(frozen=True)
class SingleFiles:
    """Hold the names of the files of one single-drizzled image."""

    given: str  #: the name that the user gave
    root: str  #: the root of the names of its files
    sci: str  #: the file of the image
    wht: str | None  #: the file of its weights, which is `sci` where that holds both; None: there is none
    exposure: str | None  #: the exposure that the user gave; None: the user gave the single itself

    def open(self, user: Overrides, weights: bool, noise: bool):
        """Read the headers; return (DrizzledSingle, header of the image).

        Parameters
        ----------
        user : Overrides
            The user's own values of exposure time, read noise, gain and sky.
        weights : bool
            Whether a missing weight image is an error.
        noise : bool
            Whether an unknown exposure time, read noise, gain or sky is an error.

        Raises
        ------
        InputError
            A file is missing or is not an image.
        """
        both = self.wht == self.sci
        sci, header = Plane.open(self.sci, "SCI" if both else None)
        wht = None
        if self.wht is not None:
            wht, _ = Plane.open(self.wht, "WHT" if both else None)
        elif weights:
            raise InputError(
                f"{self.sci}: its weight image {self.root}_single_wht.fits is missing, expected beside it "
                "(or median_newmasks=False with a combine_type that needs no weights)"
            )
        exposure = self.exposure or _exposure_beside(self.sci, self.root, header)
        single = single_of(sci, wht, header, noise_of(self.sci, header, exposure, user, noise))
        if both:
            single.weight_type = "unknown"
        return single, header


def find(given) -> tuple[list[SingleFiles], str]:
    """Return the images that a user names, and the root of the output's name.

    Parameters
    ----------
    given : str, path or list
        Names, wildcards, ``@file`` lists and ``_asn.fits`` tables.

    Raises
    ------
    InputError
        There is no image for a name, or an image is given twice.
    """
    names, product = expand(given)
    images, seen = [], {}
    for name in names:
        image = locate(name)
        place = os.path.realpath(image.sci)
        if place in seen:
            raise InputError(
                f"{image.sci}: given twice, as {seen[place]} and as {name}; expected each image once"
            )
        seen[place] = name
        images.append(image)
    if not images:
        raise InputError("input: no images, expected at least one")
    return images, product or ("final" if len(images) > 1 else images[0].root)


def expand(given, folder: str = "") -> tuple[list[str], str]:
    """Return the names of images in the order given, and the name of a table's product.

    The files that match a wildcard are sorted. Names are relative to `folder`, the one of an ``@file`` list.
    """
    if isinstance(given, (str, os.PathLike)):
        given = [given]
    names, product = [], ""
    for item in given:
        item = os.fspath(item).strip()
        path = os.path.join(folder, item)
        if not item:
            raise InputError("input: an empty name, expected a file, a wildcard, @list or _asn.fits table")
        if item.startswith("@"):
            if folder:
                raise InputError(f"{item}: a list in a list, expected names of images")
            lines = _lines(item[1:])
            names += expand(lines, os.path.dirname(item[1:]) or ".")[0]
        elif os.path.exists(path):
            if _ENDING.sub("", item).lower().endswith("_asn"):
                members, product = _table(path)
                names += members
            else:
                names.append(path)
        elif any(c in item for c in "*?["):
            names += _wildcard(path)
        elif "," in item:
            more, product = expand([part for part in item.split(",") if part.strip()], folder)
            names += more
        else:
            names.append(path)
    return names, product


def _lines(path) -> list[str]:
    """Return the first word of each line of a list; ``#`` begins a comment."""
    try:
        with open(path, encoding="utf-8") as text:
            words = [line.split("#")[0].split() for line in text]
    except OSError as error:
        raise InputError(f"@{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"@{path}: not a text file, expected one name a line") from None
    names = [line[0] for line in words if line]
    if not names:
        raise InputError(f"@{path}: no names, expected one a line")
    return names


def _wildcard(pattern) -> list[str]:
    """Return the files that match a wildcard, without weight images."""
    names = sorted(name for name in glob.glob(pattern) if not _ENDING.sub("", name).endswith("_single_wht"))
    if not names:
        # in a folder that holds only singles, '*flt.fits' stands for those made of such exposures
        other = re.sub(r"_?(flt|flc|c0m)\.fits?$", "_single_sci.fits", pattern)
        names = sorted(glob.glob(other)) if other != pattern else []
        if not names:
            tried = f" (nor {os.path.basename(other)})" if other != pattern else ""
            raise InputError(f"{pattern}: no file matches{tried}")
    return names


def _table(path) -> tuple[list[str], str]:
    """Return the members' rootnames in an HST association table, with its folder, and its product's name."""
    rows = read_hst_table(path)
    members = [
        os.path.join(os.path.dirname(path), root)
        for root, kind, present in rows
        if present and kind.startswith("EXP")
    ]
    if not members:
        raise InputError(f"{path}: no exposure is present, expected rows EXP-* with MEMPRSNT true")
    products = {kind: root for root, kind, _ in reversed(rows)}
    default = os.path.basename(path).split("_")[0]
    return members, next(
        (products[k] for k in ("PROD-DTH", "PROD-RPT", "PROD-CRJ") if k in products), default
    )


def locate(name) -> SingleFiles:
    """Return the files of the image that a name stands for: an exposure, a single, or one with both planes.

    Raises
    ------
    InputError
        There is no such image.
    """
    folder, base = os.path.split(name)
    stem = _ENDING.sub("", base)
    there = os.path.isfile(name)
    if os.path.isdir(name):
        raise InputError(f"{name}: a folder, expected an image; give '{os.path.join(name, '*flt.fits')}'")
    if stem.endswith("_single_wht"):
        raise InputError(f"{name}: a weight image, expected {stem[:-4]}_sci.fits")
    if stem.endswith("_single_sci"):
        root = stem[: -len("_single_sci")]
        if not there:
            raise InputError(f"{name}: no such file")
        return SingleFiles(name, root, name, _existing(folder, f"{root}_single_wht"), None)
    roots = dict.fromkeys((member_name(name), stem))
    for root in roots:
        sci = _existing(folder, f"{root}_single_sci")
        if sci:
            return SingleFiles(
                name, root, sci, _existing(folder, f"{root}_single_wht"), name if there else None
            )
        windowed = _existing(folder, f"{root}_outlier_i2d")
        if windowed and windowed != name:
            return SingleFiles(name, root, windowed, windowed, name if there else None)
    if there and _has_planes(name):
        return SingleFiles(name, stem.removesuffix("_outlier_i2d"), name, name, None)
    raise InputError(
        f"{name}: {'no such file, and ' if not there else ''}no single-drizzled image "
        f"{next(iter(roots))}_single_sci.fits beside it"
        + (", nor has it extensions SCI and WHT of its own" if there else "")
    )


def _existing(folder, stem):
    return next((path for end in _ENDINGS if os.path.isfile(path := os.path.join(folder, stem + end))), None)


def _has_planes(path) -> bool:
    from drizzleflow.io.fits import open_fits

    with open_fits(path) as hdus:
        return "SCI" in hdus and "WHT" in hdus


def _exposure_beside(sci, root, header):
    """Return the calibrated exposure from which a single was drizzled; None if it is not beside it."""
    folder, named = os.path.dirname(sci), exposure_named(header)
    if named and os.path.isfile(os.path.join(folder, named)):
        return os.path.join(folder, named)
    return next((path for end in _EXPOSURES if (path := _existing(folder, root + end))), None)
