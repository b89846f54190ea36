"""Arguments by position and by name, defaults, keyword-only parameters, functions that carry what is not theirs: a
compiled function takes exactly the calls that Python takes, and gives the same for each of them.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks
from brokerless.compiler import TaskCompiler
from brokerless.compiler.function import CompiledFunction

from .same import outcome

BIG = 2**62


def plain(a: int, b: int) -> int:
    return a * 2 - b


def default(a: int, b: int = 3) -> int:
    return a * 2 - b


def keyword_only(a: int, *, b: int) -> int:
    return a * 2 - b


def keyword_default(a: int, *, b: int = 3) -> int:
    return a * 2 - b


def all_keywords(*, a: int, b: int) -> int:
    return a * 2 - b


def positional_only(a: int, /, b: int = 3) -> int:
    return a * 2 - b


def both(a: int, /, *, b: int) -> int:
    return a * 2 - b


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> TaskCompiler:
    """One for all: most of these functions are the same C, which is compiled once."""
    return TaskCompiler(cache_dir=tmp_path_factory.mktemp("forms") / "cache")


FORMS = [plain, default, keyword_only, keyword_default, all_keywords, positional_only, both]


NEIGHBOURS = [*itertools.pairwise(FORMS), *itertools.pairwise(reversed(FORMS))]


def copied(func: Any) -> Any:
    """The same function once more: others know nothing of this one."""
    again = type(func)(func.__code__, func.__globals__, func.__name__, func.__defaults__, func.__closure__)
    again.__kwdefaults__ = func.__kwdefaults__ and dict(func.__kwdefaults__)
    again.__annotations__ = dict(func.__annotations__)
    return again


def form(compiler: TaskCompiler, func: Callable[..., Any]) -> CompiledFunction:
    made = compiler.compile(func, True)
    assert isinstance(made, CompiledFunction)
    return made


def calls() -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Up to three arguments by position, any of four names beside them, and numbers that only Python can double."""
    values = (5, BIG, 1.5)
    found: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    for count in range(4):
        for args in itertools.product(values, repeat=count):
            found.append((args, {}))
            for names in (["a"], ["b"], ["c"], ["a", "b"], ["b", "a"]):
                found.append((args, dict(zip(names, (7, BIG), strict=False))))
    return found


@pytest.mark.parametrize("func", FORMS, ids=lambda func: func.__name__)
def test_every_way_to_call(compiler: TaskCompiler, func: Any) -> None:
    func = copied(func)
    ours = form(compiler, func)
    for args, kwargs in calls():
        for _ in range(3):
            assert outcome(ours, args, kwargs) == outcome(func, args, kwargs), (args, kwargs)
    info = compiler.get_compilation_info(func)
    assert info.native_calls > 0
    assert info.redone_calls > 0


@pytest.mark.parametrize("func", FORMS, ids=lambda func: func.__name__)
def test_every_way_to_call_after_the_timed_calls(compiler: TaskCompiler, func: Any) -> None:
    func = copied(func)
    ours = form(compiler, func)
    right = next(call for call in calls() if outcome(func, *call).startswith("gives"))
    for _ in range(20):
        ours(*right[0], **right[1])
    for args, kwargs in calls():
        assert outcome(ours, args, kwargs) == outcome(func, args, kwargs), (args, kwargs)


@pytest.mark.parametrize("func", FORMS, ids=lambda func: func.__name__)
@pytest.mark.parametrize("columns", [([1, 2],), ([1, 2], [3, BIG]), ([BIG, 2], [3, 4], [5, 6])], ids=len)
def test_columns_are_arguments_by_position(compiler: TaskCompiler, func: Any, columns: Any) -> None:
    expected = outcome(lambda: tuple(map(func, *columns)), (), {})
    assert outcome(lambda: tuple(compiler.map_batch(func, *columns)), (), {}) == expected


def test_defaults_that_are_changed(compiler: TaskCompiler) -> None:
    func = copied(keyword_default)
    ours = form(compiler, func)
    assert ours(1) == -1
    func.__kwdefaults__["b"] = 10
    assert ours(1) == func(1) == -8
    func.__kwdefaults__ = None
    assert outcome(ours, (1,), {}) == outcome(func, (1,), {})


@pytest.mark.parametrize(("before", "after"), NEIGHBOURS)
def test_code_that_is_replaced(compiler: TaskCompiler, before: Any, after: Any) -> None:
    func = copied(before)
    ours = form(compiler, func)
    for args, kwargs in (((5,), {"b": 2}), ((), {"a": 5, "b": 2}), ((5, 2), {})):
        assert outcome(ours, args, kwargs) == outcome(func, args, kwargs)
    for _ in range(20):  # so that calls take the fast way where there is one
        outcome(ours, (5, 2), {})
    func.__code__ = after.__code__
    for args, kwargs in (((5,), {"b": 2}), ((), {"a": 5, "b": 2}), ((5, 2), {}), ((5, BIG), {}), ((BIG,), {"b": 2})):
        for _ in range(2):
            assert outcome(ours, args, kwargs) == outcome(func, args, kwargs), (args, kwargs)


def test_parameters_that_change_places(compiler: TaskCompiler) -> None:
    def turned(b: int, a: int) -> int:
        return a * 2 - b

    func = copied(plain)
    ours = form(compiler, func)
    assert [ours(a=5, b=2) for _ in range(20)] == [8] * 20
    func.__code__ = turned.__code__
    assert [ours(a=5, b=2), ours(5, 2), ours(b=2, a=5)] == [8, -1, 8]


def test_a_signature_that_is_not_its_own(compiler: TaskCompiler) -> None:
    func = copied(plain)
    func.__signature__ = inspect.signature(lambda b, a: None)
    assert form(compiler, func)(a=5, b=2) == func(a=5, b=2) == 8


def test_a_wrapper_around_a_compiled_function_is_another_function(compiler: TaskCompiler) -> None:
    fast = form(compiler, copied(plain))

    @functools.wraps(fast)
    def wrapper(a: int, b: int) -> int:
        return fast(a, b) + 1000

    def user(a: int) -> int:
        return wrapper(a, 1)

    assert compiler.compile(wrapper, True)(5, 2) == 1008
    assert compiler.map_batch(wrapper, [5], [2]) == [1008]
    assert compiler.compile(user, True)(5) == 1009
    info = compiler.get_compilation_info(wrapper)
    assert info.name.endswith("plain")  # which it carries too
    assert info.line != plain.__code__.co_firstlineno
    with BackgroundTasks() as tasks:
        assert tasks.add_task(wrapper, 5, 2, compile_to_c=True).result() == 1008
        assert tasks.add_task(fast, 5, 2).result() == 8


def test_keyword_only_parameters_of_a_task() -> None:
    with BackgroundTasks() as tasks:
        func = copied(keyword_only)
        for value in (2, BIG, 2.5):
            assert tasks.add_task(func, BIG, b=value, compile_to_c=True).result() == func(BIG, b=value)
        assert tasks.get_compilation_info(func).redone_calls >= 1
