"""The exposure in memory, and images on parts of the grid.

`frame.Frame` is one detector image with its planes; `window.Window` a rectangle of the grid;
`stack_image.StackImage` says what an image has to have to be combined with others, and `windowed.Windowed` is
one in a file.
"""
