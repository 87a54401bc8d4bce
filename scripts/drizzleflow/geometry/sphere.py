"""Compute distances and tangent planes on the sphere, in degrees."""

from __future__ import annotations

import numpy as np


def tangent_plane(lon, lat, lon0, lat0):
    """Return gnomonic (TAN) coordinates about (lon0, lat0): xi east and eta north, in degrees.

    They are NaN on the far hemisphere.
    """
    dlon = np.radians(np.subtract(lon, lon0))  # subtracted first: exact for neighbouring pixels
    lat, lat0 = np.radians(lat), np.radians(lat0)
    sin_d, cos_d = np.sin(lat), np.cos(lat)
    sin_a, cos_a = np.sin(dlon), np.cos(dlon)
    below = np.sin(lat0) * sin_d + np.cos(lat0) * cos_d * cos_a
    below = np.where(below > 0, below, np.nan)
    xi = cos_d * sin_a / below
    eta = (np.cos(lat0) * sin_d - np.sin(lat0) * cos_d * cos_a) / below
    return np.degrees(xi), np.degrees(eta)


def from_tangent_plane(xi, eta, lon0, lat0):
    """Return lon (in [0, 360)) and lat of gnomonic coordinates, all in degrees: inverts `tangent_plane`."""
    xi, eta = np.radians(xi), np.radians(eta)
    lon0, lat0 = np.radians(lon0), np.radians(lat0)
    north = np.cos(lat0) - eta * np.sin(lat0)
    lon = lon0 + np.arctan2(xi, north)
    lat = np.arctan2(eta * np.cos(lat0) + np.sin(lat0), np.hypot(xi, north))
    return np.degrees(lon) % 360.0, np.degrees(lat)


def separation(lon1, lat1, lon2, lat2):
    """Return the angle (degrees) between two sky positions, by Vincenty's formula, good at any distance."""
    dlon = np.radians(np.subtract(lon2, lon1))  # subtracted first: exact for neighbouring pixels
    lat1, lat2 = np.radians(lat1), np.radians(lat2)
    sin_l, cos_l = np.sin(dlon), np.cos(dlon)
    s1, s2, c1, c2 = np.sin(lat1), np.sin(lat2), np.cos(lat1), np.cos(lat2)
    return np.degrees(np.arctan2(np.hypot(c2 * sin_l, c1 * s2 - s1 * c2 * cos_l), s1 * s2 + c1 * c2 * cos_l))
