"""The text that explains a verdict."""

from __future__ import annotations

from types import FunctionType

import pytest

from brokerless.compiler import explain

from . import samples


def test_a_function_that_qualifies() -> None:
    text = explain(samples.fib)
    assert text.startswith("tests.unit.compiler.samples.fib: can be compiled\nargument types: from the annotations\n")
    assert "for (int) -> int:" in text
    assert "return n if n < 2 else fib(n - 1) + fib(n - 2) */" in text
    assert "brl_add(c, f0_0_fib(c, d - 1, brl_sub(c, v_n, 1))" in text
    assert "typedef" not in text
    assert "compiler: " in text


def test_guessed_types_and_the_runtime() -> None:
    assert "for (list[int]) -> int:" in explain(samples.fast_computation)
    assert "typedef __INT64_TYPE__ i64;" in explain(samples.fast_computation, runtime=True)
    assert "no loop and no recursion" in explain(samples.add)


@pytest.mark.parametrize(
    ("func", "reason", "text"),
    [
        (samples.build_report, "it builds a dict", "report = {}"),
        (samples.send_notification, "print() is not compiled: it does I/O", 'print(f"to {user_id}: {message}")'),
        (samples.slow_task, "time.sleep: of the modules only math is compiled", "time.sleep(seconds)"),
    ],
)
def test_the_line_of_a_refusal_is_marked(func: FunctionType, reason: str, text: str) -> None:
    shown = explain(func)
    line = func.__code__.co_firstlineno + 1
    assert f"{func.__name__}: stays in Python\nreason: line {line}: {reason}\n" in shown
    marked = [row for row in shown.splitlines() if row.startswith("->")]
    assert marked == [f"-> {line:5d}      {text}"]
    assert "BRL_HELPER" not in shown


def test_a_refusal_for_the_types() -> None:
    from brokerless.compiler.types import INT

    text = explain(samples.total_of, [(INT,)])
    assert "for (int): stays in Python" in text
    assert "->" in text


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKERLESS_CC", "none")
    assert "compiler: no C compiler" in explain(samples.fib)


def test_what_is_no_function() -> None:
    assert "not a plain Python function but a builtin_function_or_method" in explain(len)
