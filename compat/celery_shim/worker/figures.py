"""What ``inspect stats`` says of a worker: counts, pool, broker URL, use of resources. Reads only; starts nothing."""

from __future__ import annotations

import os
import time
from typing import Any

__all__ = ("Figures",)


class Figures:
    """Mixed into ``WorkController``."""

    def info(self: Any) -> dict[str, Any]:
        return {
            "total": dict(self.total),
            "pid": os.getpid(),
            "clock": str(self.app.clock),
            "uptime": round(time.time() - self.startup_time),
        }

    def stats(self: Any) -> dict[str, Any]:
        """What ``inspect stats`` shows."""
        pool = self.pool
        figures: dict[str, Any] = self.info()
        figures.update(
            pool={
                "implementation": "brokerless:threads",
                "max-concurrency": pool.size if pool else 0,
                "processes": [os.getpid()],
                "threads": len(pool.workers) if pool else 0,
                "max-tasks-per-child": "N/A",
                "put-guarded-by-semaphore": False,
                "timeouts": [0, 0],
            },
            prefetch_count=self.concurrency,
            broker=_broker_info(self.app),
            rusage=_rusage(),
        )
        return figures


def _broker_info(app: Any) -> dict[str, Any]:
    """What the URL of the broker says, without the password; nothing connects."""
    try:
        info: dict[str, Any] = app.connection_for_write().info()
    except (ImportError, AttributeError):  # kombu loads the transport's client library, which need not be here
        from kombu.utils.url import parse_url

        info = parse_url(app.conf.broker_write_url or "memory://")
    info.pop("password", None)
    return info


def _rusage() -> Any:
    try:
        import resource
    except ImportError:
        return "N/A"
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {name.removeprefix("ru_"): getattr(used, name) for name in dir(used) if name.startswith("ru_")}
