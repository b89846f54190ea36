"""One side of `rq_shim.py`, run by the Python that has it: the shim, the real rq, or huey. Prints one line of JSON.

    python rq_side.py shim | rq-simple | rq-fork | huey   [--port N] [--jobs N]

Jobs are no-ops that live in this file, which is why it is imported and not only run. Only the standard library is used
here besides the package that is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUND_TRIPS = 300


def noop(value: Any = None) -> Any:
    """The job."""
    return value


def job() -> Callable[..., Any]:
    """`noop` as an import sees it: rq refuses functions of `__main__`."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import rq_side

    return rq_side.noop


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Median and 99th percentile in microseconds."""
    ordered = sorted(seconds)
    return {"p50": statistics.median(ordered) * 1e6, "p99": ordered[int(len(ordered) * 0.99)] * 1e6}


def rate(count: int, run: Callable[[], Any]) -> float:
    """How often a second."""
    started = time.perf_counter()
    run()
    return count / (time.perf_counter() - started)


def resident() -> int:
    """Bytes of this process in memory; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def shim(jobs: int) -> dict[str, Any]:
    """Enqueue without workers, then everything with two."""
    os.environ["BROKERLESS_RQ_WORKERS"] = "2"
    import brokerless

    started = time.perf_counter()
    from brokerless.compat.rq_shim import Queue

    found: dict[str, Any] = {"import_ms": (time.perf_counter() - started) * 1e3, "core": brokerless.CORE}
    func = job()
    manual = Queue("manual", autostart=False)
    found["enqueue"] = rate(jobs, lambda: [manual.enqueue(func, 1) for _ in range(jobs)])
    manual.empty()

    queue = Queue("auto", autostart=True)
    queue.enqueue(func).wait()

    def through() -> None:
        made = [queue.enqueue(func, 1) for _ in range(jobs)]
        for one in reversed(made):
            one.wait()
        assert all(one.get_status() == "finished" for one in made)

    found["through"] = rate(jobs, through)

    def trip() -> float:
        begun = time.perf_counter()
        one = queue.enqueue(func, 1)
        one.latest_result(timeout=10)
        assert one.return_value() == 1
        return time.perf_counter() - begun

    found["idle"] = quantiles([trip() for _ in range(ROUND_TRIPS * 5)])
    before, kept = resident(), 100_000
    last = [queue.enqueue(func, 1) for _ in range(kept)][-1]
    while queue.count or not last.wait():
        time.sleep(0.01)
    found["bytes"] = (resident() - before) / kept
    found["kept"] = queue.finished_job_registry.count
    begun = time.perf_counter()
    assert queue.finished_job_registry.count
    found["count_ms"] = (time.perf_counter() - begun) * 1e3
    return found


def real_rq(kind: str, port: int, jobs: int) -> dict[str, Any]:
    """Enqueue, then a burst worker of that kind."""
    import logging

    from redis import Redis

    started = time.perf_counter()
    import rq

    found: dict[str, Any] = {"import_ms": (time.perf_counter() - started) * 1e3, "version": rq.VERSION}
    logging.disable(logging.CRITICAL)
    queue = rq.Queue(connection=Redis(port=port))
    func = job()
    worker = rq.SimpleWorker if kind == "rq-simple" else rq.Worker
    found["enqueue"] = rate(jobs, lambda: [queue.enqueue(func, 1) for _ in range(jobs)])
    queue.empty()

    def through() -> None:
        made = [queue.enqueue(func, 1) for _ in range(jobs)]
        worker([queue], connection=queue.connection).work(burst=True)
        assert all(one.get_status() == "finished" for one in made)

    found["through"] = rate(jobs, through)
    return found


def huey(jobs: int) -> dict[str, Any]:
    """huey's queue in memory, with two threads."""
    from huey import MemoryHuey

    app = MemoryHuey(results=True)
    task = app.task()(noop)
    consumer = app.create_consumer(
        workers=2, worker_type="thread", periodic=False, initial_delay=0.001, max_delay=0.001
    )
    found: dict[str, Any] = {"enqueue": rate(jobs, lambda: [task(1) for _ in range(jobs)])}
    app.flush()
    consumer.start()

    def through() -> None:
        for one in [task(1) for _ in range(jobs)]:
            one.get(blocking=True)

    found["through"] = rate(jobs, through)
    consumer.stop(graceful=False)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("side", choices=["shim", "rq-simple", "rq-fork", "huey"])
    parser.add_argument("--port", type=int, default=6379)
    parser.add_argument("--jobs", type=int, default=1000)
    given = parser.parse_args()
    if given.side == "shim":
        found = shim(given.jobs)
    elif given.side == "huey":
        found = huey(given.jobs)
    else:
        found = real_rq(given.side, given.port, given.jobs)
    print(json.dumps(found), flush=True)
    os._exit(0)  # huey's consumer and the like are not waited for


if __name__ == "__main__":
    main()
