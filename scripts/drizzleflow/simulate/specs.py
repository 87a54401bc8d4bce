"""What is simulated: cameras, files and frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drizzleflow.simulate import scene


@dataclass
class Camera:
    """What differs between the flavours; rates are electrons a second and pixel for 1 MJy/sr."""

    conversion: float
    readnoise: float  #: electrons
    exptime: float  #: s
    sky: float  #: MJy/sr
    sky_spread: float  #: MJy/sr, largest offset of an exposure's sky
    mags: tuple[float, float]  #: AB, bright and faint end of the sources
    charge: float  #: median electrons of a cosmic ray, a pixel of its path


CAMERAS = {
    "jwst": Camera(1.2, 14.0, 300.0, 0.30, 0.20, (19.5, 27.0), 450.0),
    "roman": Camera(2.9, 8.0, 140.0, 0.25, 0.15, (18.0, 25.5), 450.0),
    "hst": Camera(0.6, 5.0, 500.0, 0.20, 0.10, (17.0, 25.5), 400.0),
    "simple": Camera(30.0, 8.0, 100.0, 0.60, 0.10, (16.0, 23.5), 1500.0),
}


@dataclass
class FrameSpec:
    """One detector image to be made."""

    detector: str  #: same name, same bad pixels, flat and read noise
    shape: tuple[int, int]
    to_sky: Any
    extver: int = 1
    fwhm: float = 0.04  #: arcsec
    trail: int = 0  #: where charge trails lie: 1 towards lower rows, -1 towards higher, 0 nowhere
    payload: dict = field(default_factory=dict)  #: what the flavour's writer needs
    map: scene.FieldMap | None = None


@dataclass
class FileSpec:
    """One member to be written."""

    member: str
    filename: str
    group: str
    exposure: int
    frames: list[FrameSpec]
    product: str
