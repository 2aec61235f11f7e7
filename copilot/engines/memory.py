"""Give memory back to the system: loading models leaves holes as large as the models."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2
"""Heaps glibc may keep. It would make one for every thread, and what a thread once needed stays with it."""


def spare() -> None:
    """Share few heaps among all threads. Call before threads start; does nothing where there is no glibc."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Return what is free on the heaps. Takes some milliseconds; does nothing where there is no glibc."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
