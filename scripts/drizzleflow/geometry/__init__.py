"""Where pixels lie on the sky: coordinate systems, pixel maps, outlines and their overlaps, the output grid.

Start at `grid` (the output grid) and `pixmap` (where a frame's pixels fall on it).
"""
