"""A process that sends tasks and then has nothing else to do: ``celery call``, a script."""

from __future__ import annotations

from typing import Any

__all__ = ("wait_until_done",)


def wait_until_done(broker: Any) -> None:
    """Block until all tasks of this process have ended, those with an eta too; returns at once where none runs."""
    engine = broker.engine
    if engine is not None:
        engine.drain()
