"""The text that explains a verdict."""

from __future__ import annotations

import inspect
from types import FunctionType

import pytest

from brokerless.compiler import explain
from brokerless.compiler.analyse import analyse, refusals

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
    ("func", "reasons"),
    [
        (
            samples.build_report,
            {"    report = {}": "it builds a dict", "        report[item] = item * 2": "it assigns to an element"},
        ),
        (
            samples.send_notification,
            {'    print(f"to {user_id}: {message}")': "print() is not compiled: it does I/O"},
        ),
        (samples.slow_task, {"    time.sleep(seconds)": "time.sleep: of the modules only math is compiled"}),
        (
            samples.full_of_refusals,
            {
                "    import json": "an import",
                "    for name in sorted(rows):": "sorted() is not compiled",
                "        while name not in seen:": "a comparison with is, is not, in or not in",
                "            seen.add(name)": "the method seen.add()",
                "        with open(name) as file:": "a with statement",
                "        print(name)": "print() is not compiled: it does I/O",
                "    return json.dumps([deep])": "the method json.dumps()",
            },
        ),
        (
            samples.calls_a_refused_one_twice,
            dict.fromkeys(
                ["    total = slow_task(n)", "        n -= slow_task(1)"],
                f"it calls slow_task(), which stays in Python: time.sleep: of the modules only math is compiled "
                f"(its line {samples.slow_task.__code__.co_firstlineno + 1})",
            ),
        ),
    ],
)
def test_each_line_that_is_refused_is_marked_and_has_a_reason(func: FunctionType, reasons: dict[str, str]) -> None:
    shown = explain(func)
    lines, first = inspect.getsourcelines(func)
    numbers = {text: first + lines.index(text + "\n") for text in reasons}
    expected = [f"reason: line {numbers[text]}: {reason}" for text, reason in reasons.items()]
    rows = shown.splitlines()
    assert rows[0].endswith(f"{func.__name__}: stays in Python")
    assert [row for row in rows if row.startswith("reason")] == expected
    assert [row for row in rows if row.startswith("->")] == [f"-> {numbers[text]:5d}  {text}" for text in reasons]
    assert "BRL_HELPER" not in shown


def test_loops_that_are_too_deep_are_named_once_each() -> None:
    assert analyse(samples.nine_loops).reason == "more than 8 loops inside each other"
    reasons = [one.reason for one in refusals(samples.nine_loops)]
    assert reasons == ["more than 8 loops inside each other", "it builds a list"]


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
