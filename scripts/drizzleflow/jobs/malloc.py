"""How the C library manages the memory of a job's process."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = (
    -1,
    -4,
)  #: mallopt's parameters M_TRIM_THRESHOLD and M_MMAP_MAX (malloc.h of glibc)


def keep_freed() -> None:
    """Ask the C library to keep the memory of freed arrays for new ones, instead of returning it.

    The system has to clear every fresh page, and a virtual machine to fetch it from its host. For jobs that
    go through planes of many megabytes one after the other this costs more than the arithmetic. The function
    does nothing where the C library is not glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
