"""Small images on tangent planes, for the tests of sky matching."""

import numpy as np

from drizzleflow.sky import SkyImage, SkyStats

STEP = 1e-4  #: degrees a pixel
SHAPE = (30, 40)


class Plane:
    """A tangent plane at (ra, dec), moved by `dx` pixels, turned by `turn` degrees."""

    def __init__(self, dx=0.0, dy=0.0, ra=150.0, dec=2.0, turn=0.0, shape=SHAPE):
        self.middle = np.array([[shape[1] / 2 - dx], [shape[0] / 2 - dy]])
        a, d, t = np.radians([ra, dec, turn])
        self.axes = np.array(
            [
                [np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)],
                [-np.sin(a), np.cos(a), 0.0],
                [-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)],
            ]
        )
        self.turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])

    def forward(self, x, y):
        u = np.radians(STEP) * self.turn @ (np.array([x, y], float) - self.middle)
        v = self.axes.T @ np.vstack([np.ones(u.shape[1]), u])
        return np.degrees(np.arctan2(v[1], v[0])) % 360, np.degrees(np.arctan2(v[2], np.hypot(v[0], v[1])))

    def inverse(self, lon, lat):
        lon, lat = np.radians(lon), np.radians(lat)
        v = self.axes @ np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        return self.turn.T @ (v[1:] / v[0]) / np.radians(STEP) + self.middle


def image(
    value, dx=0.0, name=None, stat="mean", mask=None, noise=0.0, data=None, shape=SHAPE, more=None, **place
):
    plane = Plane(dx, shape=shape, **place)
    if data is None:
        data = (value + noise * np.random.default_rng(int(value * 7)).standard_normal(shape)).astype(
            np.float32
        )
    stat = SkyStats(stat) if isinstance(stat, str) else stat
    return SkyImage(data, mask, plane.forward, plane.inverse, stat, name, **(more or {}))


def skies(items):
    return [item.sky for item in items]
