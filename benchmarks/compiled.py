"""Functions compiled to C: against CPython, hand-written C with the same flags, and Numba, all in one run.

    python benchmarks/compiled.py [--quick] [--rounds 5]

Each figure is the median of the rounds. What is compared alternates within a round. Rows of one thread are processor
time of that thread, so that other programs on the machine disturb them less; the rows of several threads and the
compile times are wall clock, and mean something only on an idle machine (the load is printed).
Not comparable: the hand-written C neither checks for overflow nor can be stopped; Numba's integers wrap around.
"""

from __future__ import annotations

import argparse
import array
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compiled_work import BY_HAND, add, collatz, doubled, fib, primes, roots, roots_by, spin

from brokerless import BackgroundTasks
from brokerless.compiler import TaskCompiler
from brokerless.compiler.build import Builder
from brokerless.compiler.cache import Cache
from brokerless.compiler.control import ffi
from brokerless.compiler.types import INT, LIST_INT, Seq
from brokerless.compiler.variant import Variant


def timed(call: Callable[..., Any], *args: Any) -> float:
    started = time.perf_counter()
    call(*args)
    return time.perf_counter() - started


def spent(call: Callable[..., Any]) -> float:
    """Processor time of this thread: on a shared machine, what the call itself took."""
    started = time.thread_time()
    call()
    return time.thread_time() - started


def medians(rounds: int, **calls: Callable[[], Any]) -> dict[str, float]:
    """Processor seconds of each call; one after the other within a round."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(spent(call))
    return {name: statistics.median(values) for name, values in seconds.items()}


def repeated(func: Callable[..., Any], count: int) -> None:
    for _ in range(count):
        func(3, 4)


def row(work: str, measured: str, target: str, met: bool | None = None) -> None:
    verdict = "" if met is None else ("met" if met else "MISSED")
    print(f"| {work} | {measured} | {target} | {verdict} |", flush=True)


class Bench:
    def __init__(self, rounds: int, quick: bool, folder: Path) -> None:
        self.rounds = rounds
        self.size = 10 if quick else 1
        self.builder = Builder(Cache(folder / "cache"))
        self.compiler = TaskCompiler(cache_dir=folder / "cache")
        library = folder / "by_hand.so"
        self.builder.toolchain().compile(BY_HAND, library)
        ffi.cdef(" ".join(f"int64_t {name}(int64_t);" for name in ("collatz", "primes", "fib", "fib_safe", "spin")))
        self.by_hand: Any = ffi.dlopen(str(library))

    def variant(self, func: Callable[..., Any], *signature: Any) -> Variant:
        return self.builder.variant(func, signature)

    def integer_loops(self) -> None:
        for func, argument in ((collatz, 100_000 // self.size), (primes, 60_000 // self.size), (fib, 27)):
            name = func.__name__
            ours, hand = self.variant(func, INT).call, getattr(self.by_hand, name)
            expected = func(argument)
            assert ours(argument) == hand(argument) == expected
            calls: dict[str, Callable[[], Any]] = {
                "ours": lambda ours=ours, a=argument: ours(a),
                "hand": lambda hand=hand, a=argument: hand(a),
            }
            if func is fib:
                calls["safe"] = lambda a=argument: self.by_hand.fib_safe(a)
            numba = numba_of(func)
            if numba is not None:
                assert numba(argument) == expected
                calls["numba"] = lambda numba=numba, a=argument: numba(a)
            seconds = medians(self.rounds, **calls)
            python = medians(min(self.rounds, 3), python=lambda func=func, a=argument: func(a))["python"]
            gain, slower = python / seconds["ours"], seconds["ours"] / seconds["hand"]
            row(f"{name}({argument}): CPython / ours", f"{gain:.0f} x", ">= 50 x", gain >= 50)
            row(f"{name}({argument}): ours / hand-written C", f"{slower:.2f} x", "<= 1.3 x", slower <= 1.3)
            if "safe" in calls:
                safe = f"{seconds['ours'] / seconds['safe']:.2f} x"
                row(
                    f"{name}({argument}): ours / the same with overflow, depth and stop checked by hand",
                    safe,
                    "beside it",
                )
            beside = f"{seconds['ours'] / seconds['numba']:.2f} x" if numba is not None else "Numba is not installed"
            row(f"{name}({argument}): ours / Numba njit", beside, "beside it")

    def searches(self) -> None:
        """What skipping four turns brings another search than that for divisors, and costs one that ends at once."""
        ours, plain = self.variant(roots, INT, INT).call, self.variant(roots_by, INT, INT, INT).call
        calls = {
            "long": (4_093, 4_000 // self.size),
            "short": (1, 2_000_000 // self.size),
        }
        seconds: dict[str, dict[str, float]] = {}
        for name, (modulus, found) in calls.items():
            assert ours(modulus, found // 10) == plain(modulus, found // 10, 1) == roots(modulus, found // 10)
            seconds[name] = medians(
                self.rounds,
                ours=lambda m=modulus, f=found: ours(m, f),
                plain=lambda m=modulus, f=found: plain(m, f, 1),
            )
        python = medians(1, python=lambda: roots(*calls["long"]))["python"]
        row("least k with k * k % 4093 == n: CPython / ours", f"{python / seconds['long']['ours']:.0f} x", "beside it")
        for name, what in (("long", "the same"), ("short", "a search of a single turn")):
            share = seconds[name]["ours"] / seconds[name]["plain"]
            row(f"{what}: ours / turn by turn", f"{share:.2f} x", "beside it")

    def single_calls(self) -> None:
        """What it costs to get into compiled code and back, for a function that does next to nothing there."""
        count = 1_000_000 // self.size
        ours = self.compiler.compile(add, True)
        repeated(ours, 100)  # past the calls that are timed
        seconds = medians(self.rounds, ours=lambda: repeated(ours, count), python=lambda: repeated(add, count))
        each = {name: f"{spent / count * 1e9:.0f} ns" for name, spent in seconds.items()}
        row("one call of a + b", f"{each['ours']} (CPython {each['python']})", "beside it")

    def sequences(self) -> None:
        count = 1_000_000 // self.size
        values = list(range(count))
        packed = array.array("q", values)
        boxed, plain = self.variant(doubled, LIST_INT), self.variant(doubled, Seq("array", "q"))
        self.compiler.compile(doubled)(values)  # loads the helper that copies lists
        assert boxed.call(values) == plain.call(packed) == doubled(values)
        seconds = medians(
            self.rounds,
            python=lambda: doubled(values),
            python_array=lambda: doubled(packed),
            boxed=lambda: boxed.call(values),
            packed=lambda: plain.call(packed),
        )
        gain = seconds["python"] / seconds["boxed"]
        row(f"sum of positive doubled, list of {count}", f"{gain:.1f} x CPython", ">= 5 x", gain >= 5)
        # The list and its objects have just gone through the caches, so the array comes from memory; then it is there.
        far = seconds["python_array"] / seconds["packed"]
        near = seconds["python_array"] / medians(self.rounds, again=lambda: plain.call(packed))["again"]
        row(f"the same from array('q'), {count}, called repeatedly", f"{near:.0f} x CPython", ">= 80 x", near >= 80)
        row(f"the same from array('q'), {count}, not in the caches", f"{far:.0f} x CPython", "beside it")

    def two_workers(self) -> None:
        """Tasks of the engine, on as many of its workers."""
        rounds = 60_000_000 // self.size
        hand = self.by_hand.spin
        gains, ceilings = [], []
        for _ in range(self.rounds):
            one = timed(workers, rounds, 1)
            two = timed(workers, rounds, 2)
            alone = timed(forked, hand, rounds, 1)
            both = timed(forked, hand, rounds, 2)
            gains.append(2 * one / two)
            ceilings.append(2 * alone / both)
        gain, ceiling = statistics.median(gains), statistics.median(ceilings)
        measured = f"{gain:.2f} of {ceiling:.2f}: {gain / ceiling:.2f}"
        row("2 native workers / 1, of the gain of 2 processes", measured, ">= 0.92", gain / ceiling >= 0.92)

    def beside_python(self) -> None:
        ours = self.variant(spin, INT).call
        rounds = 400_000_000 // self.size
        kept = []
        for _ in range(self.rounds):
            alone = python_speed()
            thread = threading.Thread(target=ours, args=(rounds,))
            thread.start()
            beside = python_speed()
            assert thread.is_alive() or self.size > 1, "the native call was over too soon"
            thread.join()
            kept.append(beside / alone)
        # What the machine itself takes from a Python thread when its other core is busy: beside a process.
        ceiling = []
        for _ in range(self.rounds):
            alone = python_speed()
            child = fork_one(self.by_hand.spin, rounds)
            ceiling.append(python_speed() / alone)
            os.waitpid(child, 0)
        share = statistics.median(kept)
        measured = f"{share:.0%} (beside a process: {statistics.median(ceiling):.0%})"
        row("Python thread beside 1 native worker keeps", measured, ">= 90 %", share >= 0.9)

    def batches(self) -> None:
        count = 10_000_000 // self.size
        left, right = array.array("q", range(count)), array.array("q", range(count))
        assert self.compiler.map_batch(add, left[:3], right[:3]) == [0, 2, 4]
        seconds = medians(
            self.rounds,
            arrays=lambda: self.compiler.map_batch(add, left, right),
            python=lambda: list(map(add, left, right)),
        )
        rate = count / seconds["arrays"] / 1e6
        note = f"{rate:.1f} M/s (map() in CPython {count / seconds['python'] / 1e6:.1f} M/s)"
        row(f"map_batch of a + b, {count} calls", note, ">= 10 M/s", rate >= 10)

    def compile_time(self, folder: Path) -> None:
        cold: list[float] = []
        warm: list[float] = []
        compilers: list[float] = []
        for number in range(max(self.rounds, 9)):
            before = children()
            cold.append(timed(lambda n=number: Builder(Cache(folder / f"cold{n}")).variant(collatz, (INT,))) * 1e3)
            compilers.append((children() - before) * 1e3)
        Builder(Cache(folder / "warm")).variant(collatz, (INT,))
        for _ in range(max(self.rounds, 9)):
            warm.append(spent(lambda: Builder(Cache(folder / "warm")).variant(collatz, (INT,))) * 1e3)
        first, later = statistics.median(cold), statistics.median(warm)
        note = f"{first:.0f} ms (processor time of the C compiler {statistics.median(compilers):.0f} ms)"
        row("compile, cold, wall clock", note, "<= 150 ms", first <= 150)
        row("compile, warm cache, processor time", f"{later:.2f} ms", "<= 2 ms", later <= 2)


def children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def numba_of(func: Callable[..., Any]) -> Any:
    try:
        import numba  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return None
    if func is not fib:
        return numba.njit(func)
    # Numba looks a recursive function up by its global name, which has to be the compiled one there.
    signature = numba.int64(numba.int64)
    space: dict[str, Any] = {}
    exec("def fib(n):\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\n", space)
    return numba.njit(signature)(space["fib"])


def workers(rounds: int, count: int) -> None:
    with BackgroundTasks(workers=count) as tasks:
        for handle in [tasks.add_task(spin, rounds, compile_to_c=True, timeout_ms=None) for _ in range(count)]:
            handle.result()


def fork_one(call: Callable[..., Any], argument: int) -> int:
    child = os.fork()
    if child == 0:
        call(argument)
        os._exit(0)
    return child


def forked(call: Callable[..., Any], argument: int, count: int) -> None:
    for child in [fork_one(call, argument) for _ in range(count)]:
        os.waitpid(child, 0)


def python_speed(seconds: float = 0.25) -> float:
    done, stop = 0, time.perf_counter() + seconds
    while time.perf_counter() < stop:
        for _ in range(1000):
            done += 1
    return done / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(options.rounds, options.quick, Path(name))
        toolchain = bench.builder.toolchain()
        print(
            f"Python {platform.python_version()}, {os.cpu_count()} cores, {' '.join(toolchain.command)}, "
            f"median of {options.rounds}, load {os.getloadavg()[0]:.1f}"
        )
        print("\n| work | measured | target | |\n|---|---|---|---|")
        bench.integer_loops()
        bench.searches()
        bench.single_calls()
        bench.sequences()
        bench.two_workers()
        bench.beside_python()
        bench.batches()
        bench.compile_time(Path(name))


if __name__ == "__main__":
    sys.exit(main())
