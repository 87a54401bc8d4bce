"""Where pixels lie on the sky: WCS, pixel maps, outlines and their overlaps, the output grid.

Start reading at `grid` (the output grid) and `pixmap` (where a frame's pixels fall on it).
"""
