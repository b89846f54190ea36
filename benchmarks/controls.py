"""What the engine is compared with: plain Python loops, the standard executor, and other in-process libraries.

Each control submits `count` calls of the same function, waits until all are finished, and returns the seconds it took.
Third-party controls return None where the package is not installed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["CONTROLS", "executor", "loop_bare", "loop_results", "noop"]

WORKERS = 2
PATIENCE = 30.0  # seconds for a control that may never end


def noop(value: int) -> int:
    """The task of most rows: one argument in, the same out."""
    return value


class Result:
    """What a plain loop keeps per task when the caller wants an outcome."""

    __slots__ = ("done", "error", "value")


def _run_loop(count: int, make_result: Callable[[], Any], work: Callable[[Any], None]) -> float:
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def main() -> None:
        get = waiting.get
        while (item := get()) is not None:
            work(item)

    threads = [threading.Thread(target=main) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    put = waiting.put
    begin = time.perf_counter()
    kept = []
    for number in range(count):
        result = make_result()
        put((noop, (number,), result))
        kept.append(result)
    for _ in threads:
        put(None)
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin


def loop_results(count: int) -> float:
    """`queue.SimpleQueue`, two threads, one small result object per task."""

    def work(item: Any) -> None:
        func, args, result = item
        try:
            result.value = func(*args)
        except BaseException as error:
            result.error = error
        result.done = True

    return _run_loop(count, Result, work)


def loop_bare(count: int) -> float:
    """`queue.SimpleQueue`, two threads, outcomes thrown away."""

    def work(item: Any) -> None:
        func, args, _ = item
        try:
            func(*args)
        except BaseException:
            pass

    return _run_loop(count, lambda: None, work)


def executor(count: int) -> float:
    """`ThreadPoolExecutor(2)`, futures kept."""
    with ThreadPoolExecutor(WORKERS) as pool:
        submit = pool.submit
        begin = time.perf_counter()
        futures = [submit(noop, number) for number in range(count)]
        for future in futures:
            future.result()
        return time.perf_counter() - begin


def huey_memory(count: int) -> float | None:
    """huey's in-memory storage with its consumer's threads in this process."""
    try:
        from huey import MemoryHuey
    except ImportError:
        return None
    app = MemoryHuey("bench", results=True)
    task = app.task()(noop)
    consumer = app.create_consumer(workers=WORKERS, periodic=False, initial_delay=0.001, max_delay=0.005)
    consumer.start()
    begin = time.perf_counter()
    handles = [task(number) for number in range(count)]
    for handle in handles:
        handle(blocking=True)
    spent = time.perf_counter() - begin
    consumer.stop(graceful=True)
    return spent


def catzilla_tasks(count: int) -> float | None:
    """catzilla's BackgroundTasks."""
    try:
        from catzilla.background_tasks import BackgroundTasks
    except ImportError:
        return None
    engine = BackgroundTasks(
        workers=WORKERS, queue_size=count + 1, enable_auto_scaling=False, enable_c_compilation=False
    )
    begin = time.perf_counter()
    handles = [engine.add_task(noop, number) for number in range(count)]
    while not all(handle.is_ready() for handle in handles):
        if time.perf_counter() - begin > PATIENCE:  # its wait() has no end when a task was lost, which was seen
            return None
        time.sleep(0.001)
    spent = time.perf_counter() - begin
    engine.shutdown()
    return spent


def pyro3_pool(count: int) -> float | None:
    """pyro3's thread pool."""
    try:
        import pyro3  # type: ignore[import-not-found]
    except ImportError:
        return None
    with pyro3.ThreadPoolExecutor(WORKERS) as pool:
        begin = time.perf_counter()
        futures = [pool.submit(noop, number) for number in range(count)]
        for future in futures:
            future.result()
        return time.perf_counter() - begin


CONTROLS: dict[str, Callable[[int], float | None]] = {
    "huey (memory)": huey_memory,
    "pyro3": pyro3_pool,
    "catzilla": catzilla_tasks,
}
"""Third-party controls by name; they are run with fewer tasks, because they need far longer."""
