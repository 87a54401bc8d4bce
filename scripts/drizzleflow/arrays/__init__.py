"""Arithmetic on arrays that knows nothing of files or frames: data-quality bits, clipped statistics, order statistics."""
