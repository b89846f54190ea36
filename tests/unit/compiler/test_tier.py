"""The policy: modes, warnings, background building, dispatch, invalidation, what is reported."""

from __future__ import annotations

import array
import copy
import gc
import importlib.util
import logging
import pickle
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brokerless.compiler import CompilationError, TaskCompiler
from brokerless.compiler.build import NO_CFFI, NO_COMPILER
from brokerless.compiler.function import CompiledFunction
from tests.unit.rig import beside

from . import samples
from .same import outcome


def compiled(compiler: TaskCompiler, func: Callable[..., Any], mode: Any = True) -> CompiledFunction:
    made = compiler.compile(func, mode)
    assert isinstance(made, CompiledFunction)
    return made


def native(compiler: TaskCompiler, func: Callable[..., Any]) -> int:
    return compiler.get_compilation_info(func).native_calls


def test_true_compiles_before_the_first_run(compiler: TaskCompiler) -> None:
    collatz = compiled(compiler, samples.collatz)
    assert compiler.get_compilation_info(samples.collatz).signatures == ["(int) -> int"]  # from the annotations
    assert collatz(100) == samples.collatz(100)
    assert native(compiler, samples.collatz) == 1


def test_none_compiles_in_the_background(compiler: TaskCompiler) -> None:
    func = compiled(compiler, samples.fast_computation, None)
    assert func([1, 2]) == 6
    assert compiler.wait(60)
    assert native(compiler, samples.fast_computation) == 0
    assert func([1, 2]) == 6
    assert native(compiler, samples.fast_computation) == 1
    info = compiler.get_compilation_info(func)
    assert info.signatures == ["(list[int]) -> int"]
    assert info.estimated_speedup is not None
    assert info.estimated_speedup > 0


def test_none_leaves_straight_lines_in_python(compiler: TaskCompiler) -> None:
    add = compiled(compiler, samples.add, None)
    assert add(1, 2) == 3
    assert compiler.wait(60)
    assert "no loop and no recursion" in compiler.get_compilation_info(add).refused_signatures["(int, int)"]
    assert add(1, 2) == 3
    assert native(compiler, samples.add) == 0


def test_true_warns_once_with_line_and_reason(compiler: TaskCompiler, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "brokerless.compiler"):
        assert compiler.compile(samples.send_notification, True) is samples.send_notification
        compiler.compile(samples.send_notification, True)
        compiler.compile(samples.slow_task, None)
    (record,) = caplog.records
    line = samples.send_notification.__code__.co_firstlineno + 1
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"send_notification stays in Python: line {line}: ")
    assert (record.line, record.action) == (line, "compile_refused")  # type: ignore[attr-defined]


def test_require_raises(compiler: TaskCompiler) -> None:
    with pytest.raises(CompilationError, match=r"build_report cannot be compiled: line .*: it builds a dict"):
        compiler.compile(samples.build_report, "require")
    total = compiled(compiler, samples.total_of, "require")
    assert total([1, 2]) == 3
    with pytest.raises(CompilationError, match=r"total_of for \(int\): line .*: sum\(\) of something other"):
        total(1)


def test_false_and_nonsense(compiler: TaskCompiler) -> None:
    assert compiler.compile(samples.add, False) is samples.add
    with pytest.raises(ValueError, match="compile_to_c is None, True, False or 'require', not 'yes'"):
        compiler.compile(samples.add, "yes")


def test_the_same_function_gives_the_same_callable(compiler: TaskCompiler) -> None:
    one = compiled(compiler, samples.add)
    assert compiler.compile(samples.add, None) is one
    assert compiler.compile(one) is one
    assert (one.__name__, one.__doc__, one.__wrapped__) == ("add", None, samples.add)  # type: ignore[attr-defined]


def test_types_choose_the_variant(compiler: TaskCompiler) -> None:
    add = compiled(compiler, samples.add)
    rows: list[tuple[Any, ...]] = [(1, 2), (1.5, 2), (True, True), ("a", "b"), ([1], [2]), (2**70, 1), (1, 2.5)]
    for _ in range(12):  # past the timed calls, into the fast way
        for row in rows:
            assert outcome(add, row) == outcome(samples.add, row)
    assert set(compiler.get_compilation_info(add).signatures) == {
        "(int, int) -> int",
        "(float, int) -> float",
        "(bool, bool) -> int",
        "(int, float) -> float",
    }


def test_a_small_number_of_variants(tmp_path: Path) -> None:
    compiler = TaskCompiler(cache_dir=tmp_path / "cache", max_variants=2)
    add = compiled(compiler, samples.add)
    for row in ((1, 2), (1.5, 2), (True, 2), (1, 2)):
        assert outcome(add, row) == outcome(samples.add, row)
    info = compiler.get_compilation_info(add)
    assert len(info.signatures) == 2
    assert info.refused_signatures == {"(bool, int)": "it has 2 compiled signatures already"}


def test_defaults_and_keywords(compiler: TaskCompiler) -> None:
    func = compiled(compiler, samples.defaults)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((4,), {}),
        ((4, 5), {}),
        ((4,), {"b": 7}),
        ((4,), {"c": 1}),
        ((), {"a": 3, "b": 2, "c": 1}),
        ((4, 5), {"c": 9}),
    ]
    for args, kwargs in calls:
        assert func(*args, **kwargs) == samples.defaults(*args, **kwargs)
    assert native(compiler, func) == len(calls)
    wrong: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}),
        ((1, 2, 3), {}),
        ((1,), {"a": 1}),
        ((1,), {"z": 1}),
        ((1, 2), {"b": 1}),
    ]
    for args, kwargs in wrong:
        with pytest.raises(TypeError) as ours:
            func(*args, **kwargs)
        with pytest.raises(TypeError) as theirs:
            samples.defaults(*args, **kwargs)
        assert str(ours.value) == str(theirs.value)


def test_results_that_only_python_can_give(compiler: TaskCompiler) -> None:
    grow = compiled(compiler, samples.grow)
    for n in (0, 5, 20, 21, 40):
        assert grow(n) == samples.grow(n)
    info = compiler.get_compilation_info(grow)
    assert (info.native_calls, info.redone_calls) == (3, 2)
    with pytest.raises(ZeroDivisionError) as caught:
        compiled(compiler, samples.divide)(1, 0)
    assert caught.traceback[-1].name == "divide"
    assert caught.value.__context__ is None
    with pytest.raises(ValueError, match="n is -3"):
        compiled(compiler, samples.checked)(-3)


@pytest.mark.parametrize(
    ("func", "rows"),
    [
        (samples.mixed, [(1,), (0,), (-1,)]),
        (samples.maybe_unbound, [(1,), (0,)]),
        (samples.no_result, [(0,), (5,)]),
        (samples.pair, [(1, 2), (9, -4), (2**63 - 1, 0)]),
        (samples.is_big, [(1,), (1000,)]),
        (samples.searched, [(5, 3), (5, 9), (0, 0)]),
        (samples.odd_names, [(1.5, 2, 3), (1, 2, 3), (1, 2.5, True)]),
    ],
)
def test_kinds_of_results(compiler: TaskCompiler, func: Any, rows: Any) -> None:
    made = compiled(compiler, func)
    for row in rows:
        assert outcome(made, row) == outcome(func, row)
    assert native(compiler, func) >= 1


def test_recursion_to_pythons_limit_and_beyond(compiler: TaskCompiler) -> None:
    down = compiled(compiler, samples.down)
    assert down(300) == 300
    assert native(compiler, down) == 1
    with pytest.raises(RecursionError):
        down(10**6)
    with pytest.raises(RecursionError):
        samples.down(sys.getrecursionlimit() + 10)
    with pytest.raises(RecursionError):
        down(sys.getrecursionlimit() + 10)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        assert down(3000) == 3000  # deeper than the native stack is allowed to be: Python does it
    finally:
        sys.setrecursionlimit(limit)


def test_rebinding_a_constant_invalidates(compiler: TaskCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    scaled = compiled(compiler, samples.scaled)
    for _ in range(12):
        assert scaled(2) == 63
    monkeypatch.setattr(samples, "LIMIT", 1000)
    for _ in range(12):
        assert scaled(2) == 6003
    assert compiler.get_compilation_info(scaled).invalidations == 1
    assert native(compiler, scaled) >= 10
    monkeypatch.setattr(samples, "LIMIT", "ab")
    for _ in range(3):
        with pytest.raises(TypeError):
            scaled(2)
    info = compiler.get_compilation_info(scaled)
    assert not info.can_compile
    assert info.reason == "LIMIT is a str: only int, float and bool constants are compiled"


def test_rebinding_a_callee_invalidates(compiler: TaskCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    func = compiled(compiler, samples.with_helper)
    assert func(1) == 12
    monkeypatch.setattr(samples, "helper", lambda x: x + 100)
    assert func(1) == 606
    monkeypatch.undo()

    def other(x: int) -> int:
        return x * 10

    func = compiled(TaskCompiler(cache_dir=compiler.builder.cache.folder), samples.with_helper)
    assert func(1) == 12
    monkeypatch.setattr(samples.helper, "__code__", other.__code__)
    assert func(1) == 60


def test_shadowing_a_builtin_invalidates(compiler: TaskCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    func = compiled(compiler, samples.pair)
    assert func(1, 9) == (1, 3, 0)
    monkeypatch.setattr(samples, "min", lambda *args: 77, raising=False)
    assert func(1, 9) == (77, 3, 0)


def test_no_compiler(compiler: TaskCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKERLESS_CC", "none")
    func = compiled(compiler, samples.collatz)
    assert func(30) == samples.collatz(30)
    info = compiler.get_compilation_info(func)
    assert (info.can_compile, info.reason) == (False, NO_COMPILER)
    assert compiler.get_compilation_info(samples.fib).reason == NO_COMPILER
    with pytest.raises(CompilationError, match="no C compiler"):
        compiler.compile(samples.fib, "require")


def test_no_cffi(compiler: TaskCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "cffi" else found(name, *rest))
    func = compiled(compiler, samples.collatz)
    assert func(30) == samples.collatz(30)
    assert compiler.get_compilation_info(func).reason == NO_CFFI
    assert compiler.map_batch(samples.add, [1], [2]) == [3]


def test_a_compiler_that_fails(compiler: TaskCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKERLESS_CC", "false")
    func = compiled(compiler, samples.collatz)
    assert func(30) == samples.collatz(30)
    (reason,) = compiler.get_compilation_info(func).refused_signatures.values()
    assert "failed with 1" in reason


def test_a_source_that_is_too_much_for_the_compiler(compiler: TaskCompiler, tmp_path: Path) -> None:
    path = tmp_path / "much.py"
    path.write_text("def much(a):\n    return " + " + ".join(["a"] * 900) + "\n")
    spec = importlib.util.spec_from_file_location("much", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert compiler.compile(module.much, True)(2) == 1800


def test_info_and_stats(compiler: TaskCompiler) -> None:
    func = compiled(compiler, samples.collatz)
    for _ in range(20):
        func(50)
    assert compiler.wait(60)
    compiler.compile(samples.build_report, None)
    info = compiler.get_compilation_info(samples.collatz)
    assert (info.name, info.can_compile, info.reason, info.cache) == ("collatz", True, None, "miss")
    assert info.compilation_time_ms is not None
    assert info.compilation_time_ms > 0
    assert info.memory_usage > 1000
    assert "for (;;)" in (info.c_source or "")
    assert info.estimated_speedup is not None  # the Python function was timed in the background
    stats = compiler.stats()
    assert (stats["functions_compiled"], stats["functions_refused"], stats["success_rate"]) == (1, 1, 0.5)
    assert stats["native_calls"] == 20
    assert stats["speedup_factor"] == info.estimated_speedup
    again = TaskCompiler(cache_dir=compiler.builder.cache.folder)
    compiled(again, samples.collatz)
    assert again.get_compilation_info(samples.collatz).cache == "hit"


def test_a_refused_function_has_its_info(compiler: TaskCompiler) -> None:
    info = compiler.get_compilation_info(samples.build_report)
    assert (info.can_compile, info.reason, info.estimated_speedup, info.c_source) == (
        False,
        "it builds a dict",
        None,
        None,
    )
    assert info.line == samples.build_report.__code__.co_firstlineno + 1


def test_arrays_take_the_buffer_way(compiler: TaskCompiler) -> None:
    func = compiled(compiler, samples.fast_computation)
    for values in ([1, 2, -3], array.array("q", [1, 2, -3]), (1, 2, -3), array.array("d", [0.5]), b"abc", []):
        assert outcome(func, (values,)) == outcome(samples.fast_computation, (values,))
    assert func.python_seconds == []


def fresh() -> Callable[..., Any]:
    """A new function each time."""

    def total(n: int) -> int:
        found = 0
        for number in range(n):
            found += number
        return found

    return total


def test_statistics_while_functions_come_and_go(compiler: TaskCompiler) -> None:
    kept = [compiled(compiler, fresh(), None) for _ in range(200)]
    with beside(lambda: compiler.compile(fresh(), None)):
        assert all(compiler.stats()["functions_compiled"] == 0 for _ in range(60))
    assert len(kept) == 200


def test_a_function_takes_its_compiled_form_along_when_it_goes(compiler: TaskCompiler) -> None:
    gone = []
    for _ in range(5):
        func = fresh()
        form = compiled(compiler, func)
        assert compiler.compile(func, None) is form
        assert [form(10) for _ in range(20)] == [45] * 20
        gone += [weakref.ref(func), weakref.ref(form)]
    assert compiler.wait(60)
    del func, form
    gc.collect()
    assert [one() for one in gone] == [None] * 10
    assert compiler.stats()["functions_compiled"] == 0


def test_another_function_does_not_inherit_a_form(compiler: TaskCompiler) -> None:
    func = fresh()
    form = compiled(compiler, func)

    def double(n: int) -> int:
        return 2 * func(n)

    double.__dict__.update(func.__dict__)  # as functools.wraps does
    assert compiler.compile(double, None) is not form
    assert compiler.compile(double, None)(10) == 90
    assert compiler.compile(func, None) is form


def test_each_compiler_has_a_form_of_its_own(compiler: TaskCompiler, tmp_path: Path) -> None:
    func, other = fresh(), TaskCompiler(cache_dir=tmp_path / "other")
    forms = compiled(compiler, func, None), compiled(other, func, None)
    assert forms[0] is not forms[1]
    assert (compiler.compile(func, None), other.compile(func, None)) == forms


def test_what_a_function_carries_is_not_copied() -> None:
    func = fresh()
    func.__dict__["own"] = 1
    TaskCompiler().compile(func, None)
    assert [value for value in copy.deepcopy(func.__dict__).values() if value != ()] == [1]
    assert pickle.loads(pickle.dumps(func.__dict__)) == copy.deepcopy(func.__dict__)
