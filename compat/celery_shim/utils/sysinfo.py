"""The machine: processors that this process may use (also inside a container), load, free disk space."""

from __future__ import annotations

import os
import posixpath
from collections import namedtuple
from collections.abc import Callable
from math import ceil
from typing import Any

from .lean import cached_property

__all__ = (
    "AUTO_CONCURRENCY",
    "CpuBudget",
    "available_cpu_count",
    "cgroup_cpu_quota",
    "cpu_budget",
    "df",
    "is_auto_concurrency",
    "load_average",
)

AUTO_CONCURRENCY = "auto"
CGROUP_ROOT = "/sys/fs/cgroup"
PROC_SELF_CGROUP = "/proc/self/cgroup"


def is_auto_concurrency(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() == AUTO_CONCURRENCY


def available_cpu_count() -> int:
    """Processors that this process may run on."""
    found = None
    if hasattr(os, "process_cpu_count"):
        found = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        try:
            found = len(os.sched_getaffinity(0))
        except OSError:
            found = None
    return found or os.cpu_count() or 2


def _read_text(path: str) -> str | None:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def _parse_quota(quota_us: str, period_us: str) -> float | None:
    """Processors that a quota allows; None for no limit."""
    try:
        quota, period = int(quota_us), int(period_us)
    except ValueError:
        return None
    return quota / period if quota > 0 and period > 0 else None


def _cgroup_paths() -> tuple[str | None, str | None, str]:
    """Our group in version 2, in version 1, and the name under which version 1 is mounted."""
    text = _read_text(PROC_SELF_CGROUP)
    new = old = None
    mount = "cpu"
    for line in (text or "").splitlines():
        parts = line.split(":", 2)
        if len(parts) != 3:
            continue
        number, controllers, path = parts
        if number == "0" and not controllers:
            new = path
        elif "cpu" in controllers.split(","):
            old, mount = path, controllers
    return new, old, mount


def _ancestors(path: str) -> list[str]:
    """A group and those above it: the tightest limit counts."""
    node = posixpath.normpath("/" + path.lstrip("/"))
    found = [node]
    while node != "/":
        node = posixpath.dirname(node)
        found.append(node)
    return found


def _read_v2_quota(cgroup_dir: str) -> tuple[str, str] | None:
    parts = (_read_text(posixpath.join(cgroup_dir, "cpu.max")) or "").split()
    return (parts[0], parts[1]) if len(parts) == 2 else None


def _read_v1_quota(cgroup_dir: str) -> tuple[str, str] | None:
    quota = _read_text(posixpath.join(cgroup_dir, "cpu.cfs_quota_us"))
    period = _read_text(posixpath.join(cgroup_dir, "cpu.cfs_period_us"))
    return None if quota is None or period is None else (quota.strip(), period.strip())


def _min_quota(base: str, cgroup_path: str, read: Callable[[str], tuple[str, str] | None]) -> float | None:
    limits = []
    for node in _ancestors(cgroup_path):
        raw = read(posixpath.join(base, node.lstrip("/")))
        limit = _parse_quota(*raw) if raw else None
        if limit is not None:
            limits.append(limit)
    return min(limits, default=None)


def cgroup_cpu_quota() -> float | None:
    """Processors that the container may use; None for no limit."""
    new, old, mount = _cgroup_paths()
    if new is None and old is None:
        new = old = "/"
    if new is not None:
        limit = _min_quota(CGROUP_ROOT, new, _read_v2_quota)
        if limit is not None:
            return limit
    if old is not None:
        for name in dict.fromkeys((mount, "cpu")):
            limit = _min_quota(posixpath.join(CGROUP_ROOT, name), old, _read_v1_quota)
            if limit is not None:
                return limit
    return None


#: How many workers make sense. Not a ``NamedTuple`` class: to checkers a field ``count`` hides a tuple's method.
CpuBudget: Any = namedtuple("CpuBudget", ("count", "available", "quota"))


def cpu_budget(use_cgroup_quota: bool = True) -> Any:
    available = available_cpu_count()
    quota = cgroup_cpu_quota() if use_cgroup_quota else None
    if quota is None:
        return CpuBudget(available, available, None)
    return CpuBudget(min(available, max(1, ceil(quota))), available, quota)


def load_average() -> tuple[float, ...]:
    """The load over 1, 5 and 15 minutes, rounded up to hundredths."""
    if not hasattr(os, "getloadavg"):
        return 0.0, 0.0, 0.0
    return tuple(ceil(load * 100.0) / 100.0 for load in os.getloadavg())


class df:
    """Free space of the disk that holds a path."""

    def __init__(self, path: Any) -> None:
        self.path = path

    @cached_property
    def stat(self) -> Any:
        return os.statvfs(os.path.abspath(self.path))

    @property
    def total_blocks(self) -> float:
        return self.stat.f_blocks * self.stat.f_frsize / 1024

    @property
    def available(self) -> float:
        return self.stat.f_bavail * self.stat.f_frsize / 1024

    @property
    def capacity(self) -> int:
        """Per cent in use."""
        used = self.stat.f_blocks - self.stat.f_bfree
        return ceil(used * 100.0 / (used + self.stat.f_bavail) + 0.5)
