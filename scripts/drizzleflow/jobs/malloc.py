"""The memory of a job's process."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  #: mallopt's names of them (glibc's malloc.h)


def keep_freed() -> None:
    """Ask the C library to keep freed arrays for the next ones, instead of giving each back to the system.

    Every fresh page has to be cleared, and on a virtual machine to be fetched from its host: for jobs that go through
    planes of many megabytes one after the other this costs more than the arithmetic. Does nothing where the C library
    is not glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
