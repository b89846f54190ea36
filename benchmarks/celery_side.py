"""One side of `celery_shim.py` in a process of its own: reads measures as JSON lines, answers each with one line.

Every side runs this same file: the shim, the real Celery (against a worker process, or with a worker in this process),
huey's memory storage, and potatoq.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

GET_SECONDS = 120.0
BURST = 1000
INTERVAL = 0.002
"""Seconds between two looks at stores that are polled (memory broker, potatoq); their defaults are far longer."""


class CelerySide:
    """Anything with Celery's interface."""

    def __init__(self, local_worker: bool) -> None:
        import celery_tasks

        self.app, self.noop = celery_tasks.app, celery_tasks.noop
        self.leave: Callable[[], Any] = lambda: None
        if local_worker:
            from celery.contrib.testing.worker import start_worker

            worker = start_worker(self.app, pool="threads", concurrency=2, perform_ping_check=False, loglevel="ERROR")
            worker.__enter__()
            self.leave = lambda: worker.__exit__(None, None, None)
        self.noop.delay(0).get(timeout=GET_SECONDS)

    def send(self, count: int) -> list[Any]:
        """That many calls, one after the other."""
        delay = self.noop.delay
        return [delay(1) for _ in range(count)]

    def submit(self, count: int) -> float:
        """Calls of delay() a second, in bursts; each burst is run to its end before the next, off the clock."""
        spent, left = 0.0, count
        while left > 0:
            burst = min(left, BURST)
            begin = time.perf_counter()
            handles = self.send(burst)
            spent += time.perf_counter() - begin
            self.observe(handles)
            left -= burst
        return count / spent

    def observe(self, handles: list[Any]) -> None:
        """Until every result has been seen."""
        for handle in handles:
            handle.get(timeout=GET_SECONDS, interval=INTERVAL)

    def whole(self, count: int) -> float:
        """Tasks a second: sent, run, result stored, result seen by the caller."""
        delay = self.noop.delay
        begin = time.perf_counter()
        handles = [delay(1) for _ in range(count)]
        self.observe(handles)
        return count / (time.perf_counter() - begin)

    def trips(self, count: int) -> list[float]:
        """Microseconds of each `delay().get()` with nothing else going on."""
        delay, found = self.noop.delay, []
        for _ in range(count):
            begin = time.perf_counter()
            delay(1).get(timeout=GET_SECONDS, interval=INTERVAL)
            found.append((time.perf_counter() - begin) * 1e6)
        return found

    def canvas(self, count: int) -> dict[str, list[float]]:
        """Seconds of compositions, see `celery_canvas`."""
        import celery_canvas
        import celery_tasks

        return celery_canvas.canvas(celery_tasks, celery_tasks.api, count)

    def lateness(self, count: int) -> list[float]:
        """Milliseconds from the moment an entry of beat is due to the first line of its task."""
        import celery_beat
        import celery_tasks

        return celery_beat.lateness(self.app, celery_tasks.stamp, count)

    def keep(self, count: int) -> float:
        """Bytes a kept result costs in this process; the handles are dropped, the store keeps the results."""
        gc.collect()
        before = resident()
        last = None
        for _ in range(count):
            last = self.noop.delay(1)
        assert last is not None
        last.get(timeout=GET_SECONDS)
        self.noop.delay(1).get(timeout=GET_SECONDS)
        gc.collect()
        return (resident() - before) / count


class HueySide(CelerySide):
    """huey with its storage in memory and its consumer's threads in this process."""

    def __init__(self) -> None:
        from huey import MemoryHuey

        app = MemoryHuey("bench", results=True)

        @app.task()
        def noop(value: int) -> int:
            return value

        self.call = noop
        consumer = app.create_consumer(workers=2, periodic=False, initial_delay=0.001, max_delay=0.005)
        consumer.start()
        self.leave = lambda: consumer.stop(graceful=True)

    def send(self, count: int) -> list[Any]:
        call = self.call
        return [call(1) for _ in range(count)]

    def observe(self, handles: list[Any]) -> None:
        for handle in handles:
            handle(blocking=True, timeout=GET_SECONDS)

    def whole(self, count: int) -> float:
        begin = time.perf_counter()
        self.observe([self.call(1) for _ in range(count)])
        return count / (time.perf_counter() - begin)

    def trips(self, count: int) -> list[float]:
        found = []
        for _ in range(count):
            begin = time.perf_counter()
            self.call(1)(blocking=True, timeout=GET_SECONDS)
            found.append((time.perf_counter() - begin) * 1e6)
        return found

    def keep(self, count: int) -> float:
        gc.collect()
        before = resident()
        for _ in range(count):
            last = self.call(1)
        last(blocking=True, preserve=True, timeout=GET_SECONDS)
        self.call(1)(blocking=True, timeout=GET_SECONDS)
        gc.collect()
        return (resident() - before) / count


def resident() -> int:
    """Bytes of memory that belong to this process alone."""
    with open("/proc/self/smaps_rollup") as found:
        return 1024 * sum(int(line.split()[1]) for line in found if line.startswith(("Private_Dirty", "Private_Clean")))


def main() -> None:
    if sys.argv[1] == "huey":
        side: Any = HueySide()
    else:
        side = CelerySide(local_worker=sys.argv[1] == "in-process")
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(getattr(side, order["measure"])(order["count"])), flush=True)
    side.leave()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
