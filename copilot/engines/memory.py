"""Give memory back to the system: what models work with comes and goes by the megabyte."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2
"""Heaps glibc may keep. It would make one for every thread, and what a thread once needed stays with it."""
_LARGE: Final = 4 << 20
"""Blocks of so many bytes go back when they are freed. glibc would learn to keep them: a second reading works with
100 MB for some seconds. Smaller limits make readings slower, by a seventh at 1 MB."""
_KEPT: Final = 32 << 20
"""So much may be free at the end of the heap before it is given back."""


def spare() -> None:
    """Share few heaps, keep nothing large. Call before threads start; does nothing where there is no glibc."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)


def give_back() -> None:
    """Return what is free on the heaps. Takes some milliseconds; does nothing where there is no glibc."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
