"""Gives memory back: results that no one looks at any more, and what their values were made in."""

import ctypes
import gc
import sys
from collections.abc import Callable
from threading import Thread
from time import sleep

import pyarrow as pa

# The longest refresh is five minutes: what a page shows is used more often than that.
UNUSED_S = 600.0
SWEPT_EVERY_S = 60.0


def sweep(drop_unused: Callable[[float], int]) -> None:
    """From now on, drop what was not used for ten minutes, each minute, in a thread."""
    Thread(target=_sweep, args=(drop_unused,), name="memory", daemon=True).start()


def _sweep(drop_unused: Callable[[float], int]) -> None:
    while True:
        sleep(SWEPT_EVERY_S)
        if drop_unused(UNUSED_S):
            give_back()


def give_back() -> None:
    """Return to the system what is free: by itself an allocator keeps most of it."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
        if trim:
            trim(0)
