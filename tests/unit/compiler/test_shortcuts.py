"""What the compiler does to be fast where it could go wrong: short choices and quiet recursion."""

from __future__ import annotations

import ast
import itertools
import sys
import time

import pytest

from brokerless.compiler import control
from brokerless.compiler.build import Builder
from brokerless.compiler.linear import linear
from brokerless.compiler.types import BOOL, FLOAT, INT

from .same import assert_same, outcome

LEAST, MOST = -(2**63), 2**63 - 1
BORDERS = [2**22 - 1, 2**22, 2**22 + 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1, 2**32, 2**32 + 1]


def around(*values: int) -> list[int]:
    return sorted({value + off for value in values for off in (-2, -1, 0, 1, 2)})


# -- conditionals between two short expressions


def step_up(n):
    if n % 2 == 0:
        n = n // 2
    else:
        n = 3 * n + 1
    return n


def step_down(n):
    if n > 0:
        n = 5 - 7 * n
    else:
        n = (n - 3) * 2 - 1
    return n


def negated(n, m):
    return 0 - n if m else n * 4 - 2 * n


def test_a_short_choice_is_exact_up_to_the_last_number_that_fits(builder: Builder) -> None:
    third, seventh = MOST // 3, MOST // 7
    values = around(0, third, -third, seventh, -seventh, LEAST // 2, MOST // 2, *BORDERS, -(2**31), -(2**32))
    values += [LEAST, LEAST + 1, MOST - 1, MOST]
    for func in (step_up, step_down):
        assert "brl_w_linear" in builder.text_for(func, (INT,))
        fits = sum(LEAST <= func(value) <= MOST for value in values)
        assert 0 < fits < len(values)
        assert_same(builder.variant(func, (INT,)), [(value,) for value in values], native=fits)
    rows = list(itertools.product(values, (0, 1, -5)))
    assert_same(builder.variant(negated, (INT, INT)), rows)
    assert_same(builder.variant(negated, (INT, BOOL)), list(itertools.product(values, (True, False))))
    for func in (step_up, step_down):
        assert_same(builder.variant(func, (BOOL,)), [(True,), (False,)])
        assert_same(builder.variant(func, (FLOAT,)), [(0.5,), (-3.0,), (2.0**63,)])


@pytest.mark.parametrize(
    "text", ["3 * x + 1", "x * -5", "2 - 7 * x", "(x - 9) * 4", "x + x", "0 - x", "3 * x - 2 * x - x * 6"]
)
def test_bounds_are_the_outermost_numbers_whose_result_fits(text: str) -> None:
    node = ast.parse(text.replace("-5", "5"), mode="eval").body
    text = text.replace("-5", "5")
    line = linear(node)
    assert line is not None
    low, high = line.bounds()

    def fits(x: int) -> bool:
        return LEAST <= eval(text, {"x": x}) <= MOST

    assert fits(low)
    assert fits(high)
    assert low == LEAST or not fits(low - 1)
    assert high == MOST or not fits(high + 1)


@pytest.mark.parametrize(
    "text", ["x", "x + 1", "x * y", "x * x", "x - x", "x * 0", "x * 2147483648", "3 + 4", "x // 2 * 3"]
)
def test_other_expressions_are_not_taken_for_linear(text: str) -> None:
    assert linear(ast.parse(text, mode="eval").body) is None


# -- recursion


def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def down(n):
    if n <= 0:
        return 0
    return 1 + down(n - 1)


def powers(n, base):
    if n == 0:
        return 1
    return powers(n - 1, base) * base


def halves(x, n):
    if n == 0:
        return x
    return halves(x / 2, n - 1) + halves(x / 4, n - 1)


def mixed(n):
    if n > 3:
        return mixed(n - 1)
    return n / 2 if n % 2 else n


def ackermann(m, n):
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))


def looped(n):
    total = 1
    for k in range(n):
        total += looped(k)
    return total


def even(n):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


def endless(n):
    if n == 0:
        return 0
    return endless(n - 1) + endless(n - 1)


def test_recursion_gives_what_python_gives(builder: Builder) -> None:
    assert_same(builder.variant(fib, (INT,)), [(n,) for n in range(-3, 18)], native=21)
    assert_same(builder.variant(fib, (BOOL,)), [(True,), (False,)])
    assert_same(builder.variant(fib, (FLOAT,)), [(n / 2,) for n in range(20)], native=20)
    assert_same(builder.variant(halves, (FLOAT, INT)), [(x, n) for x in (1.0, -0.0, 1e308) for n in range(8)])
    assert_same(builder.variant(mixed, (INT,)), [(n,) for n in range(-4, 12)])
    assert_same(builder.variant(ackermann, (INT, INT)), [(m, n) for m in range(3) for n in range(8)])
    assert_same(builder.variant(looped, (INT,)), [(n,) for n in range(10)])
    assert_same(builder.variant(even, (INT,)), [(n,) for n in range(30)])
    # Overflow at any of the levels: whichever looks, the whole call is Python's.
    rows = [(n, base) for base in (2, 3, -2, 7, 2**32, LEAST, -1) for n in range(66)]
    assert_same(builder.variant(powers, (INT, INT)), rows, native=100)


def test_only_short_functions_without_loops_have_quiet_levels(builder: Builder) -> None:
    assert "fib_quiet4(" in builder.text_for(fib, (INT,))
    assert "BRL_CHECK(d <= 4)" in builder.text_for(fib, (INT,))
    for func in (looped, even):
        assert "_quiet" not in builder.text_for(func, (INT,))
    assert "_quiet" not in builder.text_for(mixed, (INT,))


def test_quiet_levels_count_in_the_depth(builder: Builder) -> None:
    variant = builder.variant(down, (INT,))
    limit = sys.getrecursionlimit()
    assert_same(variant, [(n,) for n in range(limit // 4)], native=limit // 4)
    # The redone call runs two frames further down, so the calls that it is compared with do as well.
    for depth in range(limit - 200, limit + 20):
        assert outcome(variant.call, (depth,)) == outcome(_two_frames_further, (depth,))


def _two_frames_further(n: int) -> int:
    return _one_frame_further(n)


def _one_frame_further(n: int) -> int:
    return down(n)


def test_a_deadline_ends_recursion_with_quiet_levels(builder: Builder) -> None:
    call = builder.variant(endless, (INT,)).call
    assert "_quiet" in builder.text_for(endless, (INT,))
    started = time.monotonic()
    with pytest.raises(TimeoutError), control.watcher.deadline(0.1, TimeoutError()):
        call(200)
    assert time.monotonic() - started < 30
