"""What a command says that was made for another process: tasks, queues and results of that process are its own."""

from __future__ import annotations

from typing import Any

import click

from ..exceptions import CeleryCommandException
from ..platforms import EX_UNAVAILABLE

__all__ = (
    "ELSEWHERE",
    "NO_BROKER",
    "has_workers",
    "in_memory",
    "needs_a_broker",
    "needs_workers",
    "note",
    "results_elsewhere",
)

ELSEWHERE = "Tasks run inside the process that sends them, and this command is another process: it cannot reach them."

#: Exit code of the commands that have no meaning without a broker: a wrong use of the command line.
NO_BROKER = 2


def note(text: str) -> None:
    """A remark beside a command's own output."""
    click.echo(f"brokerless: {text}", err=True)


def has_workers(app: Any) -> bool:
    """True if a worker of this app's broker URL runs in this process."""
    from ..runtime.broker import broker_of

    return bool(broker_of(app).workers)


def needs_workers(app: Any) -> None:
    """End a command as Celery does when no worker answers, with the reason beside it."""
    if not has_workers(app):
        note(f"{ELSEWHERE} Use app.control.inspect() in the process that runs them.")
        raise CeleryCommandException(message="No nodes replied within time constraint", exit_code=EX_UNAVAILABLE)


def needs_a_broker(what: str) -> None:
    """End a command that is about a broker."""
    raise CeleryCommandException(
        message=f"`celery {what}` needs a broker, and there is none: tasks stay in the process that sends them",
        exit_code=NO_BROKER,
    )


def in_memory(backend: Any) -> bool:
    """True if no other process sees the results of this store."""
    from ..backends.cache import CacheBackend
    from ..backends.local import LocalBackend

    return isinstance(backend, LocalBackend) or (isinstance(backend, CacheBackend) and backend.backend == "memory")


def results_elsewhere(app: Any) -> None:
    """End a command that would wait for ever for a result that is kept in the memory of another process."""
    raise CeleryCommandException(
        message=f"There is no such result in this process, and results are kept in memory ({app.backend.as_uri()}). "
        f"{ELSEWHERE}",
        exit_code=EX_UNAVAILABLE,
    )
