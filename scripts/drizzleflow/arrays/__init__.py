"""Arithmetic on numpy arrays, which knows nothing of files or exposures.

`dq` reads data-quality flags, `statistics` has sigma-clipped sky statistics, and `ranks` medians and other
order statistics of stacks of images.
"""
