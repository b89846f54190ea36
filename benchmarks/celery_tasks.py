"""The app and the task of every side of `celery_shim.py`; also what the real worker processes import.

`BENCH_SIDE` says which package is behind it: shim, celery or potatoq; `BENCH_BROKER` and `BENCH_BACKEND` are its URLs.
"""

from __future__ import annotations

import os
import time

if os.environ.get("BENCH_SIDE") == "shim":
    import brokerless.compat.celery_shim as api
elif os.environ.get("BENCH_SIDE") == "potatoq":
    import potatoq as api
else:
    import celery as api

app = api.Celery("bench", broker=os.environ.get("BENCH_BROKER"), backend=os.environ.get("BENCH_BACKEND"))
if os.environ.get("BENCH_SIDE") == "potatoq":
    app.conf.update(task_ignore_result=False, worker_concurrency=2)
else:
    app.conf.update(
        worker_concurrency=2, worker_hijack_root_logger=False, broker_connection_retry_on_startup=True, result_max=10**7
    )


@app.task(name="bench.noop")
def noop(value: int) -> int:
    """One argument in, the same out."""
    return value


@app.task(name="bench.total")
def total(values: list[int]) -> int:
    """The body of a chord."""
    return sum(values)


@app.task(name="bench.following")
def following(value: int) -> int:
    """The step of a chain."""
    return value + 1


@app.task(name="bench.stamp")
def stamp() -> float:
    """When it ran."""
    return time.time()
