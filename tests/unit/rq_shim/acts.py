"""The functions that these tests enqueue, and the gates by which a test lets them go on."""

from __future__ import annotations

import threading
from typing import Any

from brokerless.compat.rq_shim.job import get_current_job

LONG = 10.0

order: list[Any] = []
started = threading.Semaphore(0)
gate = threading.Event()
threads: set[int] = set()


def reset() -> None:
    """Close the gate, forget what ran."""
    global started
    order.clear()
    threads.clear()
    started = threading.Semaphore(0)
    gate.clear()


def note(word: Any) -> Any:
    order.append(word)
    return word


def boom(word: str) -> None:
    order.append(word)
    raise ValueError(word)


def boom_once(word: str) -> int:
    order.append(word)
    if order.count(word) == 1:
        raise ValueError(word)
    return order.count(word)


def hold(word: str) -> str:
    """Say that it runs, then wait for the gate."""
    threads.add(threading.get_ident())
    started.release()
    assert gate.wait(LONG)
    order.append(word)
    return word


def spin() -> None:
    """Run until interrupted. The event is its own: an interrupt may leave the lock of an event taken."""
    started.release()
    never = threading.Event()
    for _ in range(1000):
        never.wait(0.01)


def takes_priority(priority: int) -> int:
    return priority


def shape(*args: Any, **kwargs: Any) -> list[Any]:
    """What it is called with."""
    return [list(args), kwargs]


def grow(values: list[Any]) -> list[Any]:
    """Change an argument."""
    values.append("more")
    return values


async def doubled(number: int) -> int:
    return 2 * number


def parents_values() -> list[Any]:
    """The return values of the jobs that the current one depended on."""
    job = get_current_job()
    assert job is not None
    return [parent.return_value() for parent in job.fetch_dependencies()]
