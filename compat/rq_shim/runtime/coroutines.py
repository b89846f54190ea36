"""`async def` jobs: their coroutines run on the engine's event loop, while the worker's thread waits for them."""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from typing import Any

from .deadlines import guard_of
from .engines import engine

__all__ = ["is_coroutine", "run_coroutine"]


def is_coroutine(value: Any) -> bool:
    """Whether it can be run on a loop."""
    import inspect

    return inspect.iscoroutine(value)


def run_coroutine(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The coroutine's result. A time limit or a stop of the job cancels it."""
    from concurrent.futures import CancelledError
    from contextvars import copy_context

    loop = engine().eventloop
    context = copy_context()

    async def inside() -> Any:
        for variable, value in context.items():
            variable.set(value)
        return await coroutine

    if loop.thread is threading.current_thread():
        return _elsewhere(inside())
    future = engine().run_coroutine(inside())
    guard = guard_of(threading.get_ident())
    if guard is None:
        return future.result()
    guard.cancel = future.cancel
    try:
        return future.result()
    except CancelledError:
        if guard.fired:
            raise guard._exception from None
        raise
    finally:
        guard.cancel = None


def _elsewhere(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """From the loop's own thread, which cannot wait for itself: a loop of its own in a thread of its own."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, "brokerless-coroutine") as pool:
        return pool.submit(asyncio.run, coroutine).result()
