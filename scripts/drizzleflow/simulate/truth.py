"""What a simulation keeps of what it planted: planes of each member, and rows of ``truth.json``."""

from __future__ import annotations

import os

import numpy as np

from drizzleflow.io.fits import image_header, write_hdus
from drizzleflow.simulate.cover import Cover
from drizzleflow.simulate.scene import DO_NOT_USE
from drizzleflow.simulate.score import events
from drizzleflow.simulate.specs import FileSpec, FrameSpec

NEAR = 2.5  #: pixels; a flag so near the place of another exposure's low pixel may be its fault
MOST = 255  #: groups that a plane of counts can tell


def write_rays(path, f: FileSpec, planes, cover: Cover) -> dict:
    """Truth planes of one member: CRMASK, CRFLUX (MJy/sr), CRSIGMA (CRFLUX over ERR), DEPTH (groups there).

    DEPTH is 255 where there are more.
    """
    hdus = [(image_header(None, primary=True, cards=[("MEMBER", f.member, "")]), None)]
    counts = {"cr_pixels": 0, "cr_events": 0, "cr_events_5sigma": 0}
    for frame, readouts in zip(f.frames, planes, strict=True):
        stack = {k: np.stack([r[k] for r in readouts]) for k in ("crmask", "crflux", "crsigma")}
        depth = np.stack([_depth(frame, mask, cover) for mask in stack["crmask"]])
        for name, data in (*((k.upper(), v) for k, v in stack.items()), ("DEPTH", depth)):
            data = data if len(readouts) > 1 else data[0]
            hdus.append((image_header(data, name, extver=frame.extver), data))
        for mask, sigma in zip(stack["crmask"], stack["crsigma"], strict=True):
            _labels, total, bright = events(mask, sigma)
            counts["cr_pixels"] += int(mask.sum(dtype=int))
            counts["cr_events"] += total
            counts["cr_events_5sigma"] += len(bright)
    write_hdus(path, hdus)
    return counts


def _depth(frame: FrameSpec, mask, cover: Cover):
    """uint8 (ny, nx): at the pixels of `mask`, the number of groups whose frames contain that place."""
    y, x = np.nonzero(mask)
    depth = np.zeros(mask.shape, np.uint8)
    if x.size:
        depth[y, x] = _counted(frame, x, y, cover)
    return depth


def _counted(frame, x, y, cover):
    return np.minimum(cover.groups_at(frame, x, y), MOST)


def write_scene(path, f: FileSpec, planes, images, cover: Cover) -> None:
    """What one member would show without cosmic rays, a set of planes for each frame.

    SCENE : float32, MJy/sr, the sources alone, without noise and sky.
    NOISE : float32, MJy/sr, the noise that is expected of a pixel that no ray hits; NaN where DQ has
    DO_NOT_USE.
    COVER : uint8, groups whose frames contain the pixel's place on the sky, its own among them; 255: or more.
    TRAIL : float32, MJy/sr, charge that trails behind cosmic rays.
    """
    hdus = [(image_header(None, primary=True, cards=[("MEMBER", f.member, "")]), None)]
    for frame, (readout,), image in zip(f.frames, planes, images, strict=True):
        unusable = (readout["dq"] & DO_NOT_USE) != 0
        ny, nx = frame.shape
        depth = np.empty(frame.shape, np.uint8)
        for row in range(0, ny, 128):  # some rows at a time: places are float64
            y, x = np.mgrid[row : min(row + 128, ny), :nx].reshape(2, -1)
            depth[row : row + 128] = _counted(frame, x, y, cover).reshape(-1, nx)
        for name, data in (
            ("SCENE", image.astype(np.float32)),
            ("NOISE", np.where(unusable, np.float32(np.nan), readout["noise"])),
            ("COVER", depth),
            ("TRAIL", readout["trail"]),
        ):
            hdus.append((image_header(data, name, extver=frame.extver), data))
    write_hdus(path, hdus)


def stars(f: FileSpec, sources) -> dict:
    """{EXTVER as text: [[row of the sources, x, y], ...]} of the stars that lie in a member's frames."""
    rows, out = np.flatnonzero(sources.radius == 0), {}
    for frame in f.frames:
        x, y, inside = frame.map.invert(sources.xi[rows], sources.eta[rows])
        places = zip(rows[inside].tolist(), x[inside].tolist(), y[inside].tolist(), strict=True)
        out[str(frame.extver)] = [[row, round(px, 3), round(py, 3)] for row, px, py in places]
    return out


def write_low(folder, files, lows, cover: Cover) -> None:
    """``{member}_low.fits`` of every member: LOW, its low pixels, and NEAR, what is near those of other
    groups.

    Both are uint8, 1 there; near is within `NEAR` pixels of their places on the sky.

    lows : {(member, EXTVER): (y, x)}
    """
    reach = int(NEAR)
    disc = [
        (dy, dx)
        for dy in range(-reach, reach + 1)
        for dx in range(-reach, reach + 1)
        if dy * dy + dx * dx <= NEAR * NEAR
    ]
    for f in files:
        hdus = [(image_header(None, primary=True, cards=[("MEMBER", f.member, "")]), None)]
        for frame in f.frames:
            low, near = np.zeros(frame.shape, np.uint8), np.zeros(frame.shape, np.uint8)
            low[lows[f.member, frame.extver]] = 1
            for member, there in cover.others(f.group, frame, margin=NEAR):
                y, x = lows[member, there.extver]
                x, y, inside = frame.map.invert(*there.map.points(x, y), margin=NEAR)
                x, y = np.rint(x[inside]).astype(int), np.rint(y[inside]).astype(int)
                for dy, dx in disc:
                    on = (y + dy >= 0) & (y + dy < low.shape[0]) & (x + dx >= 0) & (x + dx < low.shape[1])
                    near[y[on] + dy, x[on] + dx] = 1
            for name, data in (("LOW", low), ("NEAR", near)):
                hdus.append((image_header(data, name, extver=frame.extver), data))
        write_hdus(os.path.join(folder, f"{f.member}_low.fits"), hdus)
