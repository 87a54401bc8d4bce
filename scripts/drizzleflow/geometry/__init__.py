"""Where pixels lie on the sky: WCS of FITS and GWCS, sparse lattices and pixel maps, outlines and overlaps, the output grid.

Start at `grid` (the output grid) and `pixmap` (a frame's pixels on it).
"""
