"""Descriptions of what is simulated: cameras, files and frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drizzleflow.errors import InputError
from drizzleflow.simulate import scene


@dataclass
class Camera:
    """What differs from one flavour to another."""

    conversion: float  #: electrons a second and pixel for 1 MJy/sr
    readnoise: float  #: electrons
    exptime: float  #: s
    sky: float  #: lowest sky of an exposure, MJy/sr
    sky_spread: float  #: range of the exposures' skies above it, MJy/sr
    mags: tuple[float, float]  #: AB magnitudes of the brightest and the faintest sources
    charge: float  #: median electrons that a cosmic ray leaves in each pixel of its path


CAMERAS = {
    "jwst": Camera(1.2, 14.0, 300.0, 0.30, 0.20, (19.5, 27.0), 450.0),
    "roman": Camera(2.9, 8.0, 140.0, 0.25, 0.15, (18.0, 25.5), 450.0),
    "hst": Camera(0.6, 5.0, 500.0, 0.20, 0.10, (17.0, 25.5), 400.0),
    "simple": Camera(30.0, 8.0, 100.0, 0.60, 0.10, (16.0, 23.5), 1500.0),
}


def camera_of(flavour) -> Camera:
    """Return the camera of a flavour; raise `InputError` if there is no such flavour."""
    if flavour not in CAMERAS:
        raise InputError(f"flavour {flavour!r}: expected one of {', '.join(CAMERAS)}")
    return CAMERAS[flavour]


@dataclass
class FrameSpec:
    """One detector image to be simulated."""

    detector: str  #: frames of one name have the same bad pixels, flat field and read noise
    shape: tuple[int, int]
    to_sky: Any  #: function (x, y), 0-based pixels -> (ra, dec), degrees
    extver: int = 1
    fwhm: float = 0.04  #: arcsec
    trail: int = 0  #: where charge trails lie: 1 towards lower rows, -1 towards higher, 0 nowhere
    payload: dict = field(default_factory=dict)  #: what the flavour's writer needs
    map: scene.FieldMap | None = None


@dataclass
class FileSpec:
    """One member of an association, to be written as a file."""

    member: str
    filename: str
    group: str
    exposure: int
    frames: list[FrameSpec]
    product: str
