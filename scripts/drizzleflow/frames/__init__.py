"""The exposure in memory: `frame.Frame` is one detector image with its planes, and `windowed` an image on a part of the grid."""
