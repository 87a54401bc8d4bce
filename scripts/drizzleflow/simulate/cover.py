"""Tell how many exposures of a simulation see a place on the sky, for all of its frames at once.

A frame for itself is `drizzleflow.simulate.scene.FieldMap`. Here the maps of all frames lie in arrays, so that
a place costs a few multiplications for each frame near it; Newton's method is left for the places at edges.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev

from drizzleflow.simulate.scene import FieldMap
from drizzleflow.simulate.specs import FileSpec, FrameSpec

PAIRS = 2**17  #: frames times places that are looked at in one go; it bounds the memory


class Cover:
    """The frames of some files, to be asked who sees what.

    Parameters
    ----------
    files : list of FileSpec
        Their frames have maps (`drizzleflow.simulate.field.map_frames`).
    """

    def __init__(self, files: list[FileSpec]):
        numbers = {group: k for k, group in enumerate(dict.fromkeys(f.group for f in files))}
        found = [(numbers[f.group], f, frame) for f in files for frame in f.frames]
        found.sort(key=lambda entry: entry[0])  # frames of one group come together
        self.groups = np.array([number for number, _, _ in found])
        self.frames = [(f, frame) for _, f, frame in found]
        maps = [frame.map for _, frame in self.frames]
        self.affine = np.array([m.affine for m in maps])  # (frames, 3, 2)
        self.centre, self.half = np.array([m.centre for m in maps]), np.array([m.half for m in maps])
        self.bend = np.array([m.bend for m in maps])
        self.fit = np.array([m.coefficients for m in maps])  # (frames, 2, order in y, order in x)
        circles = np.array([_circle(m) for m in maps])
        self.middle, self.radius = circles[:, :2], circles[:, 2]

    def near(self, field: FieldMap, margin: float = 0.0) -> np.ndarray:
        """The numbers of the frames that may have places within `margin` pixels of one, int64."""
        x, y, radius = _circle(field)
        apart = np.hypot(self.middle[:, 0] - x, self.middle[:, 1] - y)
        return np.flatnonzero(apart <= self.radius + radius + margin * field.scale)

    def others(self, group: str, frame: FrameSpec, margin: float):
        """(member, frame) of the frames of other groups that may have places within `margin` pixels of one."""
        for k in self.near(frame.map, margin).tolist():
            f, there = self.frames[k]
            if f.group != group:
                yield f.member, there

    def groups_at(self, frame: FrameSpec, x, y) -> np.ndarray:
        """The number of groups whose frames contain the places of some pixels (x, y) of a frame, int64 (n,)."""
        xi, eta = frame.map.points(x, y)
        count, seen, group = np.zeros(xi.size, int), np.zeros(xi.size, bool), -1
        near, step = self.near(frame.map), max(1, PAIRS // max(1, xi.size))
        for first in range(0, len(near), step):
            chosen = near[first : first + step]
            for number, inside in zip(self.groups[chosen], self.contain(chosen, xi, eta), strict=True):
                if number != group:
                    count += seen
                    seen, group = np.zeros(xi.size, bool), number
                seen |= inside
        return count + seen

    def contain(self, chosen, xi, eta) -> np.ndarray:
        """Whether each of some frames contains each of some places, exact at the edges.

        Parameters
        ----------
        chosen : (f,) int array
            Numbers of frames.
        xi, eta : (n,) arrays
            Places on the tangent plane, arcsec.

        Returns
        -------
        (f, n) bool array
        """
        at = (self.affine[chosen, 0, :, None] + self.affine[chosen, 1, :, None] * xi) + self.affine[
            chosen, 2, :, None
        ] * eta
        depth = (self.half[chosen, :, None] - np.abs(at - self.centre[chosen, :, None])).min(axis=1)
        bend = self.bend[chosen, None]
        inside = depth > bend
        k, place = np.nonzero(np.abs(depth) <= bend)
        inside[k, place] = self._exactly(
            chosen[k], at[k, :, place], np.stack([xi[place], eta[place]], axis=1)
        )
        return inside

    def _exactly(self, which, start, wanted) -> np.ndarray:
        """Whether frames contain places, by Newton's method on their fits; one frame for each place.

        which : (n,) numbers of frames. start : (n, 2) pixels. wanted : (n, 2) arcsec.
        """
        centre, half, fit = self.centre[which], self.half[which], self.fit[which]
        along_x, along_y = chebyshev.chebder(fit, axis=3), chebyshev.chebder(fit, axis=2)
        at = start
        for _ in range(5):
            u = (at - centre) / half
            vx, vy = (chebyshev.chebvander(u[:, i], FieldMap.DEGREE)[:, None] for i in (0, 1))
            off = wanted - _values(fit, vx, vy)
            a, c = (_values(along_x, vx[..., :-1], vy) / half[:, :1]).T
            b, d = (_values(along_y, vx, vy[..., :-1]) / half[:, 1:]).T
            step = np.stack([d * off[:, 0] - b * off[:, 1], a * off[:, 1] - c * off[:, 0]], axis=1)
            # steps end near the frame, since the fit diverges far from it
            at = np.clip(at + step / (a * d - b * c)[:, None], centre - 1.2 * half, centre + 1.2 * half)
        return (half - np.abs(at - centre)).min(axis=1) >= 0


def _values(fit, vx, vy):
    """The values (n, 2) of fits (n, 2, order in y, order in x) with Chebyshev's polynomials (n, 1, orders)."""
    return ((fit @ vx[..., None])[..., 0] * vy).sum(axis=-1)


def _circle(field: FieldMap) -> tuple[float, float, float]:
    """A circle (x, y, radius; arcsec) of the tangent plane around a frame, with a pixel to spare."""
    ny, nx = field.shape
    x, y = np.linspace(-1.5, nx + 0.5, 9), np.linspace(-1.5, ny + 0.5, 9)
    xi, eta = field.grid(x, y)
    middle = float((xi.min() + xi.max()) / 2), float((eta.min() + eta.max()) / 2)
    return *middle, 1.01 * float(np.hypot(xi - middle[0], eta - middle[1]).max())
