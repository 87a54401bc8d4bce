"""Compute on numpy arrays, independent of files and exposures.

`dq` reads data-quality flags, `statistics` has sigma-clipped sky statistics, and `ranks` medians and other
order statistics of stacks of images.
"""
