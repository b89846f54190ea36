"""The checked constructor arguments of `BackgroundTasks`, under their own and their other names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .exits import checked_on_exit
from .options import count

__all__ = ["Configuration"]

OTHER_NAMES = {
    "initial_workers": "workers",
    "task_workers": "workers",
    "task_queue_size": "queue_size",
    "enable_task_c_compilation": "enable_c_compilation",
    "use_jemalloc": "enable_jemalloc",
    "enable_jemalloc": "enable_jemalloc",
    "memory_profiling": "enable_profiling",
}


def cores() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@dataclass(frozen=True)
class Configuration:
    """What one `BackgroundTasks` was asked for; see its docstring for the meaning."""

    workers: int
    min_workers: int
    max_workers: int
    queue_size: int | None
    enable_auto_scaling: bool
    enable_c_compilation: bool
    memory_pool_mb: int | None
    on_full: str
    on_exit: str
    result_ttl: float | None
    result_max: int | None
    application: str | None

    @classmethod
    def checked(cls, given: Mapping[str, Any], other_names: Mapping[str, Any]) -> Configuration:
        """Raises TypeError for an unknown name or a wrong type, ValueError for a value out of range."""
        values = dict(given)
        for name, value in other_names.items():
            if name not in OTHER_NAMES:
                raise TypeError(
                    f"BackgroundTasks() has no option {name!r}; besides those of its signature it takes "
                    f"{', '.join(OTHER_NAMES)}"
                )
            values[OTHER_NAMES[name]] = value
        if values["on_full"] not in ("raise", "block"):
            raise ValueError(f"on_full={values['on_full']!r}: allowed are 'raise' and 'block'")
        ttl = values["result_ttl"]
        if ttl is not None and (isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not ttl > 0):
            raise ValueError(f"result_ttl={ttl!r}: expected seconds above 0, or None to keep results")
        application = values["application"]
        if application is not None and (not isinstance(application, str) or not application):
            raise TypeError(f"application={application!r}: expected a text that is not empty, or None")
        workers, least, most = _worker_counts(values["workers"], values["min_workers"], values["max_workers"])
        return cls(
            workers=workers,
            min_workers=least,
            max_workers=most,
            queue_size=count("queue_size", values["queue_size"], least=1, optional=True),
            enable_auto_scaling=bool(values["enable_auto_scaling"]),
            enable_c_compilation=bool(values["enable_c_compilation"]),
            memory_pool_mb=count("memory_pool_mb", values["memory_pool_mb"], least=1, optional=True),
            on_full=values["on_full"],
            on_exit=checked_on_exit(values["on_exit"]),
            result_ttl=ttl,
            result_max=count("result_max", values["result_max"], optional=True),
            application=application,
        )


def _worker_counts(workers: Any, least: Any, most: Any) -> tuple[int, int, int]:
    """(at the start, least, most), checked."""
    given = count("workers", workers, least=1, optional=True)
    low = count("min_workers", least, least=1, optional=True)
    high = count("max_workers", most, least=1, optional=True)
    size = given
    if size is None:
        size = max(2, cores(), low or 0)
        size = size if high is None else min(size, high)
    if high is None:
        high = max(size, min(32, cores() + 4)) if given is None else size
    if low is None:
        low = min(size, high)
    if not low <= size <= high:
        raise ValueError(f"min_workers={low}, workers={size}, max_workers={high}: expected min <= workers <= max")
    return size, low, high
