"""map_batch: one native loop over packed columns, rows that bail redone at their place."""

from __future__ import annotations

import array
import itertools
import threading
import time
from typing import Any

import pytest

from brokerless.compiler import TaskCompiler
from brokerless.compiler.batch import run_packed
from brokerless.compiler.control import watcher
from brokerless.compiler.types import FLOAT, INT

from . import samples
from .same import typed


def same(compiler: TaskCompiler, func: Any, *columns: Any) -> int:
    """The batch equals the loop, types included; the number of native rows is not known, the redone ones are few."""
    expected = [func(*row) for row in zip(*columns)]
    got = compiler.map_batch(func, *columns)
    assert [typed(value) for value in got] == [typed(value) for value in expected]
    return len(got)


def test_scalars_of_all_kinds(compiler: TaskCompiler) -> None:
    assert same(compiler, samples.add, range(1000), list(range(1000, 2000))) == 1000
    assert same(compiler, samples.add, [0.5] * 100, tuple(range(100))) == 100
    assert same(compiler, samples.is_big, array.array("q", range(300))) == 300
    assert same(compiler, samples.divide, array.array("i", range(1, 50)), array.array("f", [0.5] * 49)) == 49
    assert same(compiler, samples.add, [1, 2, 3], [1]) == 1
    assert same(compiler, samples.add, [], []) == 0
    assert {"(int, int) -> int", "(float, int) -> float"} <= set(compiler.get_compilation_info(samples.add).signatures)


def test_rows_that_bail_are_redone(compiler: TaskCompiler) -> None:
    left = [2**62, 1, 2**63 - 1, 5] * 500
    assert same(compiler, samples.add, left, left) == 2000
    assert same(compiler, samples.grow, list(range(40))) == 40


def test_columns_that_cannot_be_packed(compiler: TaskCompiler) -> None:
    assert same(compiler, samples.add, ["a", "b"], ["c", "d"]) == 2
    assert same(compiler, samples.add, [1, 2.5, True], [1, 2, 3]) == 3
    assert same(compiler, samples.add, [2**70], [1]) == 1
    assert same(compiler, samples.pair, [1, 2], [3, 4]) == 2
    assert same(compiler, samples.build_report, [[1], [2]]) == 2


def test_columns_that_are_read_once(compiler: TaskCompiler) -> None:
    numbers = iter(range(100))
    assert compiler.map_batch(samples.add, [1, 2, 3], itertools.count()) == [1, 3, 5]
    assert compiler.map_batch(samples.add, numbers, [10, 20]) == list(map(samples.add, iter(range(100)), [10, 20]))
    assert next(numbers) == 3  # as after map(), which finds out that the other column is at its end
    assert compiler.map_batch(samples.add, iter(()), itertools.count()) == []
    assert compiler.map_batch(samples.is_big, (n * 400 for n in range(3))) == [False, True, True]


def test_an_array_that_becomes_shorter_before_the_loop(compiler: TaskCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = array.array("q", range(5000)), array.array("q", range(5000))
    building = compiler.batch_variant

    def meanwhile(*args: Any) -> Any:
        del right[10:]
        return building(*args)

    monkeypatch.setattr(compiler, "batch_variant", meanwhile)
    assert compiler.map_batch(samples.add, left, right) == [2 * n for n in range(10)]


def test_the_first_exception_is_raised(compiler: TaskCompiler) -> None:
    with pytest.raises(ZeroDivisionError):
        compiler.map_batch(samples.divide, [1, 2, 3], [1, 0, 2])
    with pytest.raises(ValueError, match="n is -1"):
        compiler.map_batch(samples.checked, range(2, -5, -1))


def test_a_batch_longer_than_a_chunk(compiler: TaskCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brokerless.compiler.batch._CHUNK", 64)
    left = [2**62 if k % 63 == 0 else k for k in range(1000)]
    assert same(compiler, samples.add, left, left) == 1000


def test_a_batch_can_be_stopped_and_goes_on_after_an_interrupt(compiler: TaskCompiler) -> None:
    variant = compiler.builder.variant(samples.collatz, (INT,))
    column = array.array("q", [200] * 2000)
    with pytest.raises(TimeoutError), watcher.deadline(0.02, TimeoutError()):
        run_packed(variant, [column])
        time.sleep(0)  # where a very fast machine was done, the deadline has its say here
        compiler.builder.variant(samples.forever, (INT,)).call(1)
    finished = threading.Event()
    results: list[Any] = []

    def work() -> None:
        results.extend(run_packed(variant, [column]))
        finished.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not finished.wait(0.001):
        from brokerless.compiler import interrupt

        interrupt(thread.ident or 0)
    thread.join(10)
    assert results == [samples.collatz(200)] * 2000


def test_float_batches_keep_nan(compiler: TaskCompiler) -> None:
    variant = compiler.builder.variant(samples.add, (FLOAT, FLOAT))
    nan = float("nan")
    values = run_packed(variant, [array.array("d", [1.0, nan]), array.array("d", [2.0, 1.0])])
    assert values[0] == 3.0
    assert values[1] != values[1]
