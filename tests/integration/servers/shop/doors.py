"""`submit(number, delay)` through the door that SHOP_DOOR names: the native API, the Celery shim or the RQ shim."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta

from work import work

__all__ = ["submit"]

HOUR = 3600.0


def _native() -> Callable[[int, float], str]:
    from brokerless import BackgroundTasks

    tasks = BackgroundTasks(workers=2)
    return lambda number, delay: tasks.add_task(work, number, timeout_ms=None, delay_ms=delay * 1000).task_id


def _celery() -> Callable[[int, float], str]:
    from brokerless.compat.celery_shim import Celery

    app = Celery("shop", broker="redis://localhost:6379/0")
    task = app.task(work, name="shop.work")
    return lambda number, delay: str(task.apply_async((number,), countdown=delay or None).id)


def _rq() -> Callable[[int, float], str]:
    from brokerless.compat.rq_shim import Queue

    queue = Queue("shop")

    def submit(number: int, delay: float) -> str:
        if delay:
            return str(queue.enqueue_in(timedelta(seconds=delay), work, number).id)
        return str(queue.enqueue(work, number).id)

    return submit


submit = {"native": _native, "celery": _celery, "rq": _rq}[os.environ.get("SHOP_DOOR", "native")]()

if os.environ.get("SHOP_SIGNALS"):
    from brokerless import install_signal_handlers

    install_signal_handlers()

if os.environ.get("SHOP_AT_IMPORT"):
    submit(0, 0.0)
