"""Exposures in memory: `frame.Frame` is one detector image with its planes.

`window` and `windowed` describe an image on a part of the output grid, `noise` and `variances` how noisy it
is.
"""
