"""Single-drizzled images as files: found by the names that a user gives, opened for their headers, read in sections.

AstroDrizzle's ``{root}_single_sci.fits`` and ``{root}_single_wht.fits`` (plain or tile-compressed, which moves the image to
extension 1), and files that hold both planes as extensions SCI and WHT, such as this workflow's ``_outlier_i2d.fits``.
"""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from drizzleflow.combine.exposure_noise import Overrides, exposure_named, noise_of
from drizzleflow.errors import InputError
from drizzleflow.frames.noise import Noise
from drizzleflow.frames.stack_image import StackImage
from drizzleflow.frames.window import Window
from drizzleflow.frames.windowed import rows_at
from drizzleflow.plan.association import member_name
from drizzleflow.plan.files import read_hst_table

_ENDING = re.compile(r"\.(fits?|fts)(\.(gz|fz))?$", re.IGNORECASE)
_ENDINGS = (".fits", ".fits.fz", ".fits.gz", ".fit")
_EXPOSURES = ("_flt", "_flc", "_c0m", "_crf", "")
LEAST_WEIGHT = 1e-8  #: weights below do not count in the mean
_STRIPE = (
    2**20
)  #: bytes of weights in memory while their mean is taken; fixed, so that the sum is always the same


@dataclass(frozen=True)
class Plane:
    """One 2-D image of a file, looked at once; every `read` opens the file anew."""

    path: str
    index: int
    shape: tuple[int, int]
    offset: int | None  #: first byte of plain float32 data; None is read through astropy

    @classmethod
    def open(cls, path, name=None):
        """(plane, merged header) of the extension `name`, or of the first image in the file.

        Raises
        ------
        InputError
            There is no such image, or it is not two-dimensional.
        """
        from drizzleflow.io.fits import open_fits

        with open_fits(path) as hdus:
            images = [
                i
                for i, h in enumerate(hdus)
                if getattr(h, "is_image", False) and h.header.get("NAXIS", 0) > 0
            ]
            index = next((i for i in images if name is None or hdus[i].name == name), None)
            if index is None:
                raise InputError(
                    f"{path}{f'[{name}]' if name else ''}: no image, expected a single-drizzled image"
                )
            hdu = hdus[index]
            header = hdu.header
            if header["NAXIS"] != 2:
                raise InputError(f"{path}[{hdu.name}]: {header['NAXIS']} dimensions, expected an image (2)")
            plain = header["BITPIX"] == -32 and header.get("BSCALE", 1) == 1 and header.get("BZERO", 0) == 0
            mapped = (
                plain and type(hdu).__name__ != "CompImageHDU" and not os.fspath(path).lower().endswith(".gz")
            )
            offset = hdu.fileinfo()["datLoc"] if mapped else None
            merged = over_primary(hdus[0].header, header) if index else header.copy()
            return cls(os.fspath(path), index, (header["NAXIS2"], header["NAXIS1"]), offset), merged

    def read(self, y0: int, y1: int) -> np.ndarray:
        """Rows y0..y1-1, native float32.

        Raises
        ------
        InputError
            The file is gone, changed its shape or is cut short.
        """
        count = (y1 - y0) * self.shape[1]
        if self.offset is None:
            from drizzleflow.io.fits import open_fits, plane

            with open_fits(self.path) as hdus:
                rows = plane(hdus, self.index, np.float32, self.path, rows=(y0, y1))
        else:
            try:
                rows = rows_at(self.path, self.offset, np.float32, self.shape[1], y0, y1)
            except OSError as error:
                raise InputError(f"{self.path}: cannot be read ({error.strerror})") from None
        if rows.size != count:
            raise InputError(
                f"{self.path}: the file is cut short, expected an image of {self.shape[0]} x {self.shape[1]} pixels"
            )
        return rows.reshape(y1 - y0, self.shape[1]).astype(np.float32)


@dataclass(frozen=True)
class MemoryPlane:
    """An image in memory (AstroDrizzle's ``in_memory``)."""

    path: str
    data: np.ndarray

    @property
    def shape(self):
        return self.data.shape

    def read(self, y0, y1):
        return np.array(self.data[y0:y1], np.float32)


@dataclass
class DrizzledSingle(StackImage):
    """A single-drizzled image that a user names: its planes, its noise and what is left of its header."""

    sci: Plane | MemoryPlane
    wht: Plane | MemoryPlane | None  #: None: all pixels count alike
    noise: Noise
    cards: dict = field(default_factory=dict)  #: what is left of the header: see `_KEPT`
    weight_type: str = (
        "exptime"  #: AstroDrizzle's weights are seconds; others are scaled so that their mean is
    )

    @property
    def path(self) -> str:
        return self.sci.path

    @property
    def window(self) -> Window:
        return Window.placed(
            self.sci.shape, (int(self.cards.get("WINX0", 0)), int(self.cards.get("WINY0", 0)))
        )

    @cached_property
    def mean_weight(self) -> float:
        """Mean of the weights from 1e-8 on over the whole image; NaN where there are none: the image has no good pixel."""
        if self.wht is None:
            return 1.0
        total, number = 0.0, 0
        rows = max(1, _STRIPE // (4 * self.shape[1]))
        for first in range(0, self.shape[0], rows):
            weight = self.wht.read(first, min(first + rows, self.shape[0]))
            weight = weight[(weight >= LEAST_WEIGHT) & np.isfinite(weight)]
            total, number = total + float(weight.sum(dtype=np.float64)), number + weight.size
        return total / number if number else float("nan")

    def read(self, plane: str, y0: int, y1: int) -> np.ndarray:
        """Rows y0..y1-1 of 'SCI' or 'WHT', native float32; weights of 1 where there is no weight image."""
        if plane == "WHT" and self.wht is None:
            return np.ones((y1 - y0, self.shape[1]), np.float32)
        return (self.sci if plane == "SCI" else self.wht).read(y0, y1)


_MATRIX = tuple("CD1_1 CD1_2 CD2_1 CD2_2 PC1_1 PC1_2 PC2_1 PC2_2 CDELT1 CDELT2".split())
#: what the check of the grids and the header of the median need of every image
_KEPT = (
    *("WINX0", "WINY0", "CTYPE1", "CTYPE2", "CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2"),
    *_MATRIX,
    *("EXPSTART", "EXPEND"),
)


def single_of(sci, wht, header, noise: Noise) -> DrizzledSingle:
    """Put together, with the shapes compared."""
    if wht is not None and wht.shape != sci.shape:
        raise InputError(f"{wht.path}: shape {wht.shape}, expected {sci.shape} as {sci.path} has")
    cards = {key: header[key] for key in _KEPT if key in header}
    return DrizzledSingle(sci, wht, noise, cards)


def over_primary(primary, extension):
    """The primary header with the extension's cards over it."""
    merged = primary.copy(strip=True)
    for card in extension.copy(strip=True).cards:
        if card.keyword in ("COMMENT", "HISTORY", ""):
            merged.append(card, end=True)
        else:
            merged[card.keyword] = (card.value, card.comment)
    return merged


# --- names ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """Where an image's planes are."""

    given: str
    root: str
    sci: str
    wht: (
        str | None
    )  #: the file of the weights, the same as `sci` where it holds both planes; None: there is none
    exposure: str | None

    def open(self, user: Overrides, weights: bool, noise: bool):
        """(DrizzledSingle, header); `weights`: a missing weight image is an error; `noise`: so is a missing noise."""
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


def find(given) -> tuple[list[Found], str]:
    """The images that names, lists, wildcards, ``@file`` lists and ``_asn.fits`` tables stand for, and the output's root.

    Raises
    ------
    InputError
        Nothing is found for a name, or an image is given twice.
    """
    names, product = expand(given)
    found, seen = [], {}
    for name in names:
        image = locate(name)
        place = os.path.realpath(image.sci)
        if place in seen:
            raise InputError(
                f"{image.sci}: given twice, as {seen[place]} and as {name}; expected each image once"
            )
        seen[place] = name
        found.append(image)
    if not found:
        raise InputError("input: no images, expected at least one")
    return found, product or ("final" if len(found) > 1 else found[0].root)


def expand(given, folder: str = "") -> tuple[list[str], str]:
    """Names of images, in order (those of a wildcard sorted), and the product of an association table."""
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
    """First column of a list; ``#`` starts a comment."""
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
    found = sorted(name for name in glob.glob(pattern) if not _ENDING.sub("", name).endswith("_single_wht"))
    if not found:
        # a folder that holds singles alone: '*flt.fits' means the exposures that they come from
        other = re.sub(r"_?(flt|flc|c0m)\.fits?$", "_single_sci.fits", pattern)
        found = sorted(glob.glob(other)) if other != pattern else []
        if not found:
            tried = f" (nor {os.path.basename(other)})" if other != pattern else ""
            raise InputError(f"{pattern}: no file matches{tried}")
    return found


def _table(path) -> tuple[list[str], str]:
    """Rootnames beside an HST association table, and its product."""
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


def locate(name) -> Found:
    """The planes of the image that an exposure's, a single's or a windowed file's name stands for."""
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
        return Found(name, root, name, _existing(folder, f"{root}_single_wht"), None)
    roots = dict.fromkeys((member_name(name), stem))
    for root in roots:
        sci = _existing(folder, f"{root}_single_sci")
        if sci:
            return Found(name, root, sci, _existing(folder, f"{root}_single_wht"), name if there else None)
        windowed = _existing(folder, f"{root}_outlier_i2d")
        if windowed and windowed != name:
            return Found(name, root, windowed, windowed, name if there else None)
    if there and _has_planes(name):
        return Found(name, stem.removesuffix("_outlier_i2d"), name, name, None)
    raise InputError(
        f"{name}: {'no such file, and ' if not there else ''}no single-drizzled image {next(iter(roots))}_single_sci.fits beside it"
        + (", nor has it extensions SCI and WHT of its own" if there else "")
    )


def _existing(folder, stem):
    return next((path for end in _ENDINGS if os.path.isfile(path := os.path.join(folder, stem + end))), None)


def _has_planes(path) -> bool:
    from drizzleflow.io.fits import open_fits

    with open_fits(path) as hdus:
        return "SCI" in hdus and "WHT" in hdus


def _exposure_beside(sci, root, header):
    """The calibrated exposure that a single was made of, if it is beside it."""
    folder, named = os.path.dirname(sci), exposure_named(header)
    if named and os.path.isfile(os.path.join(folder, named)):
        return os.path.join(folder, named)
    return next((path for end in _EXPOSURES if (path := _existing(folder, root + end))), None)


# --- one grid ---------------------------------------------------------------------------------------------------------


def check_grid(singles) -> None:
    """Raise `InputError`, naming two files, unless all images lie on one grid.

    Images without WINX0, WINY0 have one shape. Where headers have a WCS, pixels of the same number are at the same place
    to 0.01 pixel.
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
    """The first keyword of the WCS in which two images' grids are apart by more than 0.01 pixel."""
    a, b = one.cards, two.cards
    for key in ("CTYPE1", "CTYPE2"):
        if key in a and key in b and a[key] != b[key]:
            return key
    matrix = [key for key in _MATRIX if key in a]
    step = (
        max((abs(a[key]) for key in matrix if key[:2] == "CD"), default=0.0) or 1.0
    )  # CD or CDELT: degrees a pixel
    limits = {"CRPIX1": 0.01, "CRPIX2": 0.01, "CRVAL1": 0.01 * step, "CRVAL2": 0.01 * step}
    reach = max(one.shape + two.shape)
    for key in matrix:
        limits[key] = 0.01 / reach * (1.0 if key.startswith("PC") else step)
    for key, limit in limits.items():
        if key in a and key in b:
            shift = {"CRPIX1": one.origin[0] - two.origin[0], "CRPIX2": one.origin[1] - two.origin[1]}.get(
                key, 0
            )
            if abs(a[key] - b[key] + shift) > limit:
                return key
    return None
