"""A verdict is kept: every submit asks for it, and a look at the source takes longer than many a task."""

from __future__ import annotations

import functools
import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks
from brokerless.compiler import CompilationError, TaskCompiler, verdicts
from brokerless.compiler.function import CompiledFunction

FACTOR: Any = 3


def scaled(n: int) -> int:
    return n * FACTOR


def deeper(n: int) -> int:
    return scaled(n) + 1


def uses_later(n: int) -> int:
    return n + LATER  # type: ignore[name-defined]  # noqa: F821


def names(n: int) -> dict[int, str]:
    return {n: "name"}


def closure() -> tuple[Callable[[int], int], Callable[[int], None]]:
    def looks(n: int) -> int:
        return n + value

    def gives(number: int) -> None:
        nonlocal value
        value = number

    if False:
        value = 0
    return looks, gives


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that were looked at."""
    seen: list[str] = []
    real = verdicts.analyse

    def analyse(func: Any, *rest: Any) -> Any:
        seen.append(func.__name__)
        return real(func, *rest)

    for func in (scaled, deeper, uses_later, names):
        func.__dict__.clear()  # what other tests have left
    monkeypatch.setattr(verdicts, "analyse", analyse)
    return seen


def is_compiled(compiler: TaskCompiler, func: Any, mode: Any = True) -> bool:
    return isinstance(compiler.compile(func, mode), CompiledFunction)


def test_one_look_for_many_submits(compiler: TaskCompiler, looks: list[str]) -> None:
    for mode in (True, True, None, "require", True):
        assert is_compiled(compiler, scaled, mode)
    assert looks == ["scaled"]
    for _ in range(3):
        assert not is_compiled(compiler, names)
    assert looks == ["scaled", "names"]
    with pytest.raises(CompilationError, match="it builds a dict"):
        compiler.compile(names, "require")
    assert looks == ["scaled", "names", "names"]  # what is raised is of now


def test_one_look_for_a_whole_batch(looks: list[str]) -> None:
    with BackgroundTasks() as tasks:
        for func in (scaled, names):
            handles = tasks.add_batch([{"func": func, "args": (n,)} for n in range(50)], compile_to_c=True)
            assert [handle.result() for handle in handles] == [func(n) for n in range(50)]
    assert looks == ["scaled", "names"]


@pytest.mark.parametrize("func", [scaled, deeper])
def test_another_look_when_something_has_changed(
    compiler: TaskCompiler, looks: list[str], monkeypatch: pytest.MonkeyPatch, func: Any
) -> None:
    assert is_compiled(compiler, func)
    monkeypatch.setitem(globals(), "FACTOR", "ab")
    assert not is_compiled(compiler, func)
    assert not is_compiled(compiler, func)
    assert looks == [func.__name__] * 2
    with pytest.raises(CompilationError, match="FACTOR is a str"):
        compiler.compile(func, "require")
    monkeypatch.undo()
    assert is_compiled(compiler, func)
    form: Any = compiler.compile(func, True)
    assert form(5) == func(5)
    assert compiler.get_compilation_info(func).can_compile


def test_another_look_at_other_code(compiler: TaskCompiler, looks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_compiled(compiler, deeper)
    monkeypatch.setattr(scaled, "__code__", names.__code__)
    assert not is_compiled(compiler, deeper)
    assert looks == ["deeper"] * 2


def test_a_name_that_is_defined_later(
    compiler: TaskCompiler, looks: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "brokerless.compiler"):
        assert not is_compiled(compiler, uses_later)
        assert not is_compiled(compiler, uses_later)
    (record,) = caplog.records
    assert "the name 'LATER' is not defined" in record.getMessage()
    assert looks == ["uses_later"]
    monkeypatch.setitem(globals(), "LATER", 5)
    assert compiler.compile(uses_later, "require")(1) == 6


def test_an_enclosing_variable_that_gets_its_value_later(compiler: TaskCompiler) -> None:
    looks, gives = closure()
    assert not is_compiled(compiler, looks)
    gives(4)
    assert is_compiled(compiler, looks)
    assert compiler.compile(looks, True)(1) == 5


def test_a_wrapper_has_a_verdict_of_its_own(compiler: TaskCompiler, looks: list[str]) -> None:
    assert is_compiled(compiler, scaled)

    @functools.wraps(scaled)
    def wrapper(n: int) -> Any:
        return [scaled(n)]

    assert not is_compiled(compiler, wrapper)
    assert compiler.compile(wrapper, True)(1) == [3]
    assert is_compiled(compiler, scaled)


def test_require_refuses_each_time(compiler: TaskCompiler) -> None:
    def indexed(n: int) -> int:
        return n[0]  # type: ignore[index,no-any-return]

    for _ in range(3):
        with pytest.raises(CompilationError, match="indexing something other than a sequence parameter"):
            compiler.compile(indexed, "require")


def test_a_wish_outweighs_that_it_does_not_pay(compiler: TaskCompiler) -> None:
    form: Any = compiler.compile(deeper, None)
    assert form(2) == 7
    assert compiler.wait(60)
    assert "no loop" in compiler.get_compilation_info(deeper).refused_signatures["(int)"]
    for mode in (True, "require"):
        assert compiler.compile(deeper, mode)(2) == 7
    assert compiler.get_compilation_info(deeper).native_calls == 2


def test_what_a_refused_function_refers_to_can_go(compiler: TaskCompiler) -> None:
    class Model:
        pass

    globals()["LATER"] = Model()
    try:
        gone = weakref.ref(globals()["LATER"])
        assert not is_compiled(compiler, uses_later)
        assert not is_compiled(compiler, uses_later)
        globals()["LATER"] = 7
        gc.collect()
        assert gone() is None
        assert compiler.compile(uses_later, True)(1) == 8
    finally:
        del globals()["LATER"]


def test_functions_with_a_verdict_can_go() -> None:
    def made() -> Callable[[int], Any]:
        def refused(n: int) -> Any:
            return {n}

        return refused

    compiler = TaskCompiler()
    gone = []
    for _ in range(5):
        func = made()
        assert not is_compiled(compiler, func)
        gone.append(weakref.ref(func))
    del func
    gc.collect()
    assert [one() for one in gone] == [None] * 5
