"""Where the threads are: the twin of `module_current_frames` in `native/binding/module.c`."""

from __future__ import annotations

import gc
import sys
from types import FrameType

__all__ = ["current_frames"]


def current_frames() -> dict[int, FrameType]:
    """`sys._current_frames()`, without a collection meanwhile.

    Before 3.12 one may begin inside, where the list of threads is locked, and let the GIL go in a finalizer: a thread
    that ends meanwhile takes the two the other way round, and both wait for ever. Who switches the collector on or off
    in another thread at this very moment may have it the other way afterwards, which the native core excludes.
    """
    if sys.version_info >= (3, 12):
        return sys._current_frames()
    collecting = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        if collecting:
            gc.enable()
