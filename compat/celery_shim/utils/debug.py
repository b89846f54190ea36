"""Memory samples and stack dumps, for people who look into a running process."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pprint import pprint
from typing import Any

from ....core import current_frames
from ..platforms import signals
from .text import WhateverIO

try:
    from psutil import Process
except ImportError:
    Process = None

__all__ = ("blockdetection", "cry", "humanbytes", "mem_rss", "memdump", "ps", "sample", "sample_mem")

UNITS = ((2**40.0, "TB"), (2**30.0, "GB"), (2**20.0, "MB"), (2**10.0, "KB"), (0.0, "b"))

_process: Any = None
_mem_sample: list[Any] = []


def _on_blocking(signum: int, frame: Any) -> None:
    import inspect

    raise RuntimeError(f"Blocking detection timed-out at: {inspect.getframeinfo(frame)}")


@contextmanager
def blockdetection(timeout: float | None) -> Iterator[Any]:
    """Raise if the block takes longer than so many seconds (main thread only)."""
    if not timeout:
        yield None
        return
    before = signals["ALRM"]
    before = None if before == _on_blocking else before
    signals["ALRM"] = _on_blocking
    try:
        yield signals.arm_alarm(timeout)  # type: ignore[func-returns-value]
    finally:
        if before:
            signals["ALRM"] = before
        signals.reset_alarm()


def sample_mem() -> Any:
    """Take a sample of the resident memory."""
    current = mem_rss()
    _mem_sample.append(current)
    return current


def _memdump(samples: int = 10) -> tuple[list[Any], Any]:
    import gc

    taken = list(_mem_sample)
    previous = taken if len(taken) <= samples else list(sample(taken, samples))
    _mem_sample.clear()
    gc.collect()
    return previous, mem_rss()


def memdump(samples: int = 10, file: Any = None) -> None:
    """Print the samples taken since the last dump."""
    if ps() is None:
        print("- rss: (psutil not installed).", file=file)
        return
    previous, now = _memdump(samples)
    if previous:
        print("- rss (sample):", file=file)
        for value in previous:
            print(f"-    > {value},", file=file)
    print(f"- rss (end): {now}.", file=file)


def sample(x: Any, n: int, k: int = 0) -> Iterator[Any]:
    """Every so-manieth item, ``n`` in all, from place ``k`` on."""
    step = len(x) // n
    for _ in range(n):
        if k >= len(x):
            return
        yield x[k]
        k += step


def hfloat(f: float, p: int = 5) -> Any:
    return int(f) if int(f) == f else f"{f:.{p}}"


def humanbytes(s: float) -> str:
    """A size with its unit."""
    return next(f"{hfloat(s / size if size else s)}{unit}" for size, unit in UNITS if s >= size)


def mem_rss() -> Any:
    process = ps()
    return None if process is None else humanbytes(_process_memory_info(process).rss)


def ps() -> Any:
    """This process, where psutil is installed."""
    global _process
    if _process is None and Process is not None:
        _process = Process(os.getpid())
    return _process


def _process_memory_info(process: Any) -> Any:
    try:
        return process.memory_info()
    except AttributeError:
        return process.get_memory_info()


def cry(out: Any = None, sepchr: str = "=", seplen: int = 49) -> str:
    """The stacks and local variables of all threads."""
    import threading

    out = WhateverIO() if out is None else out
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    line = sepchr * seplen
    for ident, frame in current_frames().items():
        if ident not in names:
            continue  # ended meanwhile
        print(f"{names[ident]}\n{line}", file=out)
        traceback.print_stack(frame, file=out)
        print(f"{line}\nLOCAL VARIABLES\n{line}", file=out)
        pprint(frame.f_locals, stream=out)
        print("\n", file=out)
    return out.getvalue()
