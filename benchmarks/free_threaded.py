"""What more workers bring without a GIL: empty tasks per second, and computing tasks beside bare forks, in one run.

    python benchmarks/free_threaded.py [--quick] [--json FILE]

Runs on every interpreter and says whether it had a GIL; the targets are for one without. The forks are made before there
is any thread, and compute the same. It times nothing but the running of tasks that have been submitted before.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from controls import noop
from report import Row, paired, write

import brokerless
from brokerless import BackgroundTasks
from brokerless.core import CORE

COUNTS = (1, 2, 4, 8)
"""Workers; more than the cores of most machines that this is run on."""
COLLAPSE = 0.5
"""More workers than cores may cost something, but not more than this share of the best figure."""
GAIN = 0.9
"""What two workers gain, of what two forks gain."""
CRUNCH = 50_000  # additions of one computing task, some milliseconds


def crunch(count: int = CRUNCH) -> int:
    """A task that only computes, in Python."""
    total = 0
    for number in range(count):
        total += number & 7
    return total


def engine(workers: int) -> BackgroundTasks:
    """Unbounded lanes and a fixed number of workers, started."""
    tasks = BackgroundTasks(
        workers=workers, queue_size=None, result_max=0, enable_auto_scaling=False, enable_c_compilation=False
    )
    for handle in [tasks.add_task(noop, 0) for _ in range(workers * 4)]:
        handle.wait()
    return tasks


def run_queued(tasks: BackgroundTasks, fill: Callable[[], None]) -> float:
    """Seconds in which the workers run what `fill` has submitted."""
    tasks.pause()
    fill()
    begin = time.perf_counter()
    tasks.resume()
    tasks.drain()
    return time.perf_counter() - begin


def submit_and_run(tasks: BackgroundTasks, count: int) -> float:
    """Seconds from the first submit, in one thread, to the last end."""
    add = tasks.add_task
    begin = time.perf_counter()
    for number in range(count):
        add(noop, number)
    tasks.drain()
    return time.perf_counter() - begin


class Forks:
    """Children that compute on request; made while this process has one thread."""

    def __init__(self, count: int) -> None:
        self.ends = [self._fork() for _ in range(count)]

    def _fork(self) -> tuple[int, int, int]:
        there, request = os.pipe()
        answer, back = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(request)  # and those of earlier children stay open, so each is ended by a message
                while (tasks := int.from_bytes(os.read(there, 4), "little")) > 0:
                    for _ in range(tasks):
                        crunch()
                    os.write(back, b".")
            finally:
                os._exit(0)
        os.close(there)
        os.close(back)
        return pid, request, answer

    def run(self, children: int, tasks: int) -> float:
        """Seconds in which that many of them run so many tasks in equal parts."""
        begin = time.perf_counter()
        for _, request, _ in self.ends[:children]:
            os.write(request, (tasks // children).to_bytes(4, "little"))
        for _, _, answer in self.ends[:children]:
            os.read(answer, 1)
        return time.perf_counter() - begin

    def close(self) -> None:
        """Ends them."""
        for pid, request, answer in self.ends:
            os.write(request, bytes(4))
            os.waitpid(pid, 0)
            os.close(request)
            os.close(answer)


def noop_rows(count: int, runs: int) -> list[Row]:
    """Tasks per second by the number of workers, each beside the best of the run."""
    engines = [engine(workers) for workers in COUNTS]

    def queued(tasks: BackgroundTasks) -> float:
        add = tasks.add_task

        def fill() -> None:
            for number in range(count):
                add(noop, number)

        return run_queued(tasks, fill)

    rows: list[Row] = []
    for name, measure in (
        ("empty tasks, queued before", queued),
        ("empty tasks, submitted by one thread meanwhile", lambda tasks: submit_and_run(tasks, count)),
    ):
        columns = paired(runs, *(lambda tasks=tasks, measure=measure: measure(tasks) for tasks in engines))
        rates = [count / statistics.median(column) for column in columns]
        best = max(rates)
        for workers, rate in zip(COUNTS, rates, strict=True):
            crowded = workers > (os.cpu_count() or 1)
            rows.append(
                Row(
                    f"{name}, {workers} worker(s)",
                    f"{rate / 1e6:.2f} M/s",
                    f"best here {best / 1e6:.2f} M/s",
                    rate / best,
                    f">= {COLLAPSE:g}" if crowded else "",
                    rate / best >= COLLAPSE if crowded else None,
                )
            )
    for tasks in engines:
        tasks.shutdown()
    return rows


def crunch_row(forks: Forks, count: int, runs: int) -> Row:
    """What a second worker brings to computing tasks, beside what a second fork brings."""
    one, two = engine(1), engine(2)

    def queued(tasks: BackgroundTasks) -> float:
        def fill() -> None:
            for _ in range(count):
                tasks.add_task(crunch)

        return run_queued(tasks, fill)

    ones, twos, single, double = paired(
        runs, lambda: queued(one), lambda: queued(two), lambda: forks.run(1, count), lambda: forks.run(2, count)
    )
    ours = statistics.median(a / b for a, b in zip(ones, twos, strict=True))
    theirs = statistics.median(a / b for a, b in zip(single, double, strict=True))
    one.shutdown()
    two.shutdown()
    return Row(
        f"{count} computing tasks of {statistics.median(ones) / count * 1e3:.1f} ms: 2 workers over 1",
        f"{ours:.2f} times",
        f"2 forks over 1: {theirs:.2f} times",
        ours / theirs,
        f">= {GAIN:g}",
        ours / theirs >= GAIN,
    )


def main() -> None:
    """Runs all rows and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the tasks: does it run, not how fast")
    parser.add_argument("--json", help="where to keep the table as JSON")
    options = parser.parse_args()
    scale, runs = (10, 3) if options.quick else (1, 7)
    forks = Forks(2)
    rows = [crunch_row(forks, 200 // scale, runs), *noop_rows(200_000 // scale, runs)]
    forks.close()
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    write(rows, options.json, {"brokerless": brokerless.__version__, "core": CORE, "gil": gil})


if __name__ == "__main__":
    main()
