"""Hold exposures in memory, and images on parts of the output grid.

`frame.Frame` is one detector image with its planes, `noise` and `variances` say how noisy it is.
`window.Window` is a rectangle of the grid; `stack_image.StackImage` says what an image needs so that it can
be combined with others, and `windowed.Windowed` is such an image in a file.
"""
