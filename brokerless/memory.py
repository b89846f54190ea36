"""How much memory the process and the engine use, read from the operating system and the core; nothing is estimated."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from . import core
from .model import MemoryStats

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["has_jemalloc", "memory_stats", "peak_bytes", "resident_bytes"]

MB = 1024.0 * 1024.0


def _page_size() -> int:
    return os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def resident_bytes() -> int:
    """Resident memory of this process; the peak where the system does not tell the present value."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * _page_size()
    except (OSError, ValueError, IndexError):
        return peak_bytes()


def peak_bytes() -> int:
    """Largest resident memory so far; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def has_jemalloc() -> bool:
    """Whether jemalloc's own figures show the engine's bytes."""
    return bool(core.memory_stats()["has_jemalloc"])


def memory_stats(engine: Engine) -> MemoryStats:
    """One reading."""
    totals = engine.totals()
    reserved, in_use = int(totals["pool_reserved"]), int(totals["pool_in_use"])
    source = core.memory_stats()
    return MemoryStats(
        allocator=str(source["allocator"]),
        has_jemalloc=bool(source["has_jemalloc"]),
        reserved_bytes=reserved,
        in_use_bytes=in_use,
        queue_bytes=int(totals["queue_bytes"]),
        fragmentation_percent=100.0 * (reserved - in_use) / reserved if reserved else 0.0,
        memory_usage_mb=resident_bytes() / MB,
        peak_memory_usage_mb=peak_bytes() / MB,
    )
