"""The engine's speed and memory beside its controls, in one run: `python benchmarks/engine.py [--quick] [--json FILE]`.

Rounds of ours and of the control alternate; a ratio is the median of the rounds' ratios. It judges nothing but its own
targets, and times nothing in tests.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import controls
from controls import WORKERS, noop
from report import Row, median_ratio, paired, quantile, write

import brokerless
from brokerless import BackgroundTasks, TaskPriority
from brokerless.core import CORE

MILLION = 1e6


def fresh(workers: int = WORKERS) -> BackgroundTasks:
    """An engine as the rows use it: unbounded lanes, a fixed number of workers, started."""
    engine = BackgroundTasks(workers=workers, queue_size=None, enable_auto_scaling=False, enable_c_compilation=False)
    engine.add_task(noop, 0).wait()
    return engine


def finish(engine: BackgroundTasks, begin: float) -> float:
    """Seconds since `begin` once everything is done."""
    engine.drain()
    return time.perf_counter() - begin


def throughput(count: int, runs: int) -> list[Row]:
    """Submit and run to completion, handles kept."""
    engine = fresh()
    items = [{"func": noop, "args": (number,)} for number in range(count)]
    gc.collect()
    gc.freeze()  # else every collection during a control's run would walk over the items of our batch
    calls: dict[str, float] = {}

    def add_task() -> float:
        add = engine.add_task
        begin = time.perf_counter()
        handles = [add(noop, number) for number in range(count)]
        calls["add_task"] = time.perf_counter() - begin
        spent = finish(engine, begin)
        assert len(handles) == count
        return spent

    def submit() -> float:
        lowest = engine.submit
        begin = time.perf_counter()
        handles = [lowest(noop, number) for number in range(count)]
        spent = finish(engine, begin)
        assert len(handles) == count
        return spent

    def add_batch() -> float:
        begin = time.perf_counter()
        handles = engine.add_batch(items)
        calls["add_batch"] = time.perf_counter() - begin
        spent = finish(engine, begin)
        assert len(handles) == count
        return spent

    call_rounds: list[tuple[float, float]] = []

    def batch_and_note() -> float:
        spent = add_batch()
        call_rounds.append((calls["add_task"], calls["add_batch"]))
        return spent

    adds, lows, batches, results, bares = paired(
        runs, add_task, submit, batch_and_note, lambda: controls.loop_results(count), lambda: controls.loop_bare(count)
    )
    few = count // 10
    small_adds, pools = paired(runs, lambda: _small(engine, few), lambda: controls.executor(few))
    rows = [
        _rate("add_task, run to completion", adds, results, count, "SimpleQueue loop with results", 0.8),
        _rate("add_task, run to completion", small_adds, pools, few, "ThreadPoolExecutor(2)", 20),
        _rate("Engine.submit, run to completion", lows, results, count, "SimpleQueue loop with results", 1.2),
        _rate("Engine.submit, run to completion", lows, bares, count, "SimpleQueue loop without results", 0.9),
        _batch_row(call_rounds[1:], count),
        _rate("add_batch, run to completion", batches, adds, count, "add_task in a loop", None),
    ]
    for name, control in controls.CONTROLS.items():
        spent = [control(few // 10) for _ in range(2)]
        if spent[-1] is not None:
            rate = few / 10 / spent[-1]
            own = count / statistics.median(adds)
            rows.append(
                Row(
                    "add_task, run to completion",
                    f"{own / MILLION:.2f} M/s",
                    f"{name} {rate:,.0f}/s",
                    own / rate,
                    "",
                    None,
                )
            )
    engine.shutdown()
    return rows


def _small(engine: BackgroundTasks, count: int) -> float:
    add = engine.add_task
    begin = time.perf_counter()
    handles = [add(noop, number) for number in range(count)]
    spent = finish(engine, begin)
    assert len(handles) == count
    return spent


def _rate(measure: str, ours: list[float], control: list[float], count: int, name: str, least: float | None) -> Row:
    ratio = median_ratio(control, ours)
    return Row(
        measure,
        f"{count / statistics.median(ours) / MILLION:.2f} M/s",
        f"{name} {count / statistics.median(control) / MILLION:.3g} M/s",
        ratio,
        "" if least is None else f">= {least}",
        None if least is None else ratio >= least,
    )


def _batch_row(rounds: list[tuple[float, float]], count: int) -> Row:
    ratio = statistics.median(single / batch for single, batch in rounds)
    single = count / statistics.median(single for single, _ in rounds) / MILLION
    batch = count / statistics.median(batch for _, batch in rounds) / MILLION
    return Row(
        "add_batch, accepted", f"{batch:.2f} M/s", f"add_task in a loop {single:.2f} M/s", ratio, ">= 1.5", ratio >= 1.5
    )


def _trips(call: Callable[[int], object], count: int) -> list[float]:
    spent = []
    for number in range(count):
        begin = time.perf_counter()
        call(number)
        spent.append((time.perf_counter() - begin) * MILLION)
    return spent


def round_trip(count: int, runs: int) -> list[Row]:
    """One task at a time: submit, wait."""
    engine = fresh()
    with ThreadPoolExecutor(WORKERS) as pool:
        ours: list[list[float]] = []
        theirs: list[list[float]] = []
        for _ in range(runs + 1):
            ours.append(_trips(lambda number: engine.add_task(noop, number).wait(), count))
            theirs.append(_trips(lambda number: pool.submit(noop, number).result(), count))
    engine.shutdown()
    rows = []
    for name, q, most in (("p50", 0.5, 0.6), ("p99", 0.99, 1.0)):
        mine = [quantile(values, q) for values in ours[1:]]
        other = [quantile(values, q) for values in theirs[1:]]
        ratio = median_ratio(mine, other)
        rows.append(
            Row(
                f"idle round trip, {name}",
                f"{statistics.median(mine):.0f} µs",
                f"ThreadPoolExecutor {statistics.median(other):.0f} µs",
                ratio,
                f"<= {most}",
                ratio <= most,
            )
        )
    return rows


def _spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def queue_wait(backlog: int, probes: int) -> list[Row]:
    """How long urgent tasks wait behind a backlog of NORMAL ones, which is filled up so that it lasts."""
    rows = []
    items = [{"func": _spin, "args": (50e-6,)} for _ in range(backlog)]
    cases: tuple[tuple[TaskPriority, str, float], ...] = (
        (TaskPriority.CRITICAL, "sleeps", 1.0),
        (TaskPriority.HIGH, "sleeps", 10.0),
        (TaskPriority.CRITICAL, "computes", 2 * sys.getswitchinterval() * 1e3),
    )
    for priority, submitter, most in cases:
        engine = fresh()
        handles = []
        for number in range(probes):
            if engine.get_stats().normal_queue_size < backlog // 2:
                for handle in handles[-1:]:
                    handle.wait()  # a batch of this size keeps the interpreter for itself
                engine.add_batch(items)
            time.sleep(0.005) if submitter == "sleeps" else _spin(0.005)
            handles.append(engine.add_task(noop, number, priority=priority))
        left = engine.get_stats().normal_queue_size
        for handle in handles:
            handle.wait()
        waits = [(handle.started_at - handle.created_at) * 1e3 for handle in handles if handle.started_at]
        p99 = quantile(waits, 0.99)
        rows.append(
            Row(
                f"queue wait of {priority.name}, p99, {left:,} NORMAL tasks of 50 µs left, submitter {submitter}",
                f"{p99:.2f} ms",
                f"p50 {quantile(waits, 0.5):.3f} ms",
                None,
                f"< {most:g} ms",
                p99 < most,
            )
        )
        engine.shutdown(cancel_pending=True)
    return rows


_MEMORY = """
import gc
from brokerless import BackgroundTasks
def rss():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
def noop(value): return value
engine = BackgroundTasks(workers=1, queue_size=None, enable_auto_scaling=False, enable_c_compilation=False)
engine.pause()
count = {count}
values = list(range(count))
handles = [None] * count
add = engine.add_task
gc.collect()
before = rss()
for number in values:
    handles[number] = add(noop, number)
print((rss() - before) / count)
engine.shutdown(cancel_pending=True)
"""


def memory(count: int) -> list[Row]:
    """Resident bytes per queued task, beyond its arguments."""
    if not Path("/proc/self/status").exists():
        return []
    code = _MEMORY.format(count=count)
    elsewhere = tempfile.gettempdir()  # from the repository's root `import brokerless` would find the bare sources
    spent = [
        float(
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=elsewhere
            ).stdout
        )
        for _ in range(3)
    ]
    each = statistics.median(spent)
    return [
        Row(f"memory per queued task, {count:,} queued", f"{each:.0f} bytes", "", None, "<= 250 bytes", each <= 250)
    ]


def sleepers(count: int, runs: int) -> list[Row]:
    """Tasks that wait outside of Python, on 8 workers, against the same calls on bare threads."""
    engine = fresh(8)

    def ours() -> float:
        begin = time.perf_counter()
        engine.add_batch([{"func": time.sleep, "args": (0.001,)} for _ in range(count)])
        return finish(engine, begin)

    def bare() -> float:
        def main() -> None:
            for _ in range(count // 8):
                time.sleep(0.001)

        threads = [threading.Thread(target=main) for _ in range(8)]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begin

    mine, threads = paired(runs, ours, bare)
    engine.shutdown()
    ratio = median_ratio(mine, threads)
    return [
        Row(
            f"{count:,} x time.sleep(0.001) on 8 workers",
            f"{statistics.median(mine) * 1e3:.0f} ms",
            f"bare threads {statistics.median(threads) * 1e3:.0f} ms",
            ratio,
            "<= 1.10",
            ratio <= 1.10,
        )
    ]


_IDLE = """
import threading, time
from pathlib import Path
from brokerless import BackgroundTasks
def switches():
    total = 0
    for status in Path("/proc/self/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches") and status.parent.name != str(threading.get_native_id()):
                total += int(line.split()[1])
    return total
engine = BackgroundTasks(workers=2)
engine.add_task(abs, -1).wait()
engine.drain()
time.sleep(0.5)
before = switches()
time.sleep({seconds})
print(switches() - before)
engine.shutdown()
"""


def idle(seconds: float) -> list[Row]:
    """Wake-ups of all the engine's threads while nothing is due, in a process of its own: other controls leave theirs."""
    if not Path("/proc/self/task").exists():
        return []
    command = [sys.executable, "-c", _IDLE.format(seconds=seconds)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tempfile.gettempdir()).stdout
    wakes = int(printed)
    return [Row(f"idle engine, wake-ups in {seconds:g} s", str(wakes), "", None, "0", wakes == 0)]


def main() -> None:
    """Runs all rows and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the tasks: does it run, not how fast")
    parser.add_argument("--json", help="where to keep the table as JSON")
    options = parser.parse_args()
    scale = 10 if options.quick else 1
    runs = 3 if options.quick else 7
    rows = [
        *throughput(300_000 // scale, runs),
        *round_trip(5_000 // scale, runs),
        *queue_wait(100_000 // scale, 200 // scale),
        *memory(1_000_000 // scale),
        *sleepers(2_000 // scale, runs),
        *idle(3.0 / scale),
    ]
    write(rows, options.json, {"brokerless": brokerless.__version__, "core": CORE})


if __name__ == "__main__":
    main()
