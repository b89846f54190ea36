"""What a fork asks of the Python half: imports that have ended, new locks in the child, and an end for a child that comes
back to our threads.

The engines themselves are told by the core (`Engine._forked`). The child has only the thread that forked.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from importlib import _bootstrap
from typing import Any

__all__ = ["after_fork", "end_child"]


_LONGEST_IMPORT = 1.0
"""Seconds that a fork waits for other threads' imports: a module may run for as long as the program."""

#: Name to weak reference of a lock whose `owner` is the thread that is importing the module.
_module_locks: dict[str, Any] = getattr(_bootstrap, "_module_locks", {})


def _others_import() -> bool:
    """Whether a thread besides this one and the main one is importing something. A program may be one long import of
    the main thread's."""
    ours = (None, threading.get_ident(), threading.main_thread().ident)
    return any(getattr(reference(), "owner", None) not in ours for reference in list(_module_locks.values()))


def _before_fork() -> None:
    """In a child, nobody goes on with what a thread of the parent was importing: whoever needs that module there waits for
    ever. Our threads import what only some tasks need when they first need it, so this is not as rare as it sounds."""
    deadline = time.monotonic() + _LONGEST_IMPORT
    while _others_import() and time.monotonic() < deadline:
        time.sleep(0.001)  # nothing announces the end of an import


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)


def after_fork(renew: Callable[[], None]) -> None:
    """Calls `renew()` in every forked child: for locks that another thread may have held in the parent."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)


def end_child(error: BaseException | None) -> None:
    """Ends a child whose only thread is one of ours: a task forked, and came back in the child as well.

    What it would go on with is the parent's. The process ends as those of multiprocessing do: non-daemon threads and
    the engine's tasks are waited for, streams are flushed, and the exit status is 0, that of a SystemExit, or 1 after
    any other error, whose traceback is printed. Does not return.
    """
    code = 0
    try:
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        elif error is not None:
            code = 1
            traceback.print_exception(type(error), error, error.__traceback__)
        shut_down = getattr(threading, "_shutdown", None)
        if shut_down is not None:
            shut_down()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (AttributeError, OSError, ValueError):
                pass  # closed, or none at all
        os._exit(code & 0xFF)
