"""Loops whose first turns are worked out four at a time: exact up to where lanes are, and the ordinary loop after that."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from brokerless.compiler.build import Builder
from brokerless.compiler.cache import Cache
from brokerless.compiler.toolchain import find
from brokerless.compiler.types import BOOL, FLOAT, INT, LIST_INT

from .same import assert_same

WIDEST = 2**24
LANES = "brl_f4 lane"
SEVEN = 7


def is_prime(n):
    k = 2
    while k * k <= n:
        if n % k == 0:
            return False
        k += 1
    return n > 1


def is_prime_by_sixes(n):
    if n < 5 or n % 2 == 0 or n % 3 == 0:
        return n == 2 or n == 3
    k = 5
    while k * k <= n:
        if n % k == 0 or n % (k + 2) == 0:
            return False
        k += 6
    return True


def is_prime_by_range(n):
    for k in range(2, n):
        if not n % k:
            return k
    return n


def largest_divisor(n, k):
    while k > 0:
        if n % k == 0:
            break
        k -= 1
    else:
        return -1
    return k


def down_through_zero(n, k):
    while True:
        if n % k == 3:
            return k
        k -= 1


def root(n):
    k = 0
    while (k + 1) * (k + 1) <= n:
        k += 1
    return k


def first_quotient(n, k, q):
    while True:
        if n // k == q:
            return k
        k += 1


def chained(a, b):
    for k in range(a, b, 3):
        if a < k * 2 - b < SEVEN:
            raise ValueError(k)
        if k > b - 20 and not (k % 5 and k % 7):
            return k
    return -1


def last_turn(start, stop, never):
    k = never
    for k in range(start, stop):
        if k == never:
            return -1
    return k


def last_turn_in_steps(start, stop, never):
    for k in range(start, stop, -3):
        if k == never:
            return -1
    else:
        return k * 2 + 1


def product_differs(k):
    while True:
        if k * 4097 != k * 4097 + 1:
            return k
        k += 1


def negative_product_differs(k):
    while True:
        if -k * 4097 != -k * 4097 - 1:
            return k
        k += 1


def products_of_two(k, m):
    while True:
        if k * 4097 != m * 5461 or m % k == -1 or k % m == -1:
            return k
        k += 1


def negative_products_of_two(k, m):
    while True:
        if -k * 4097 != -m * 5461:
            return k
        k += 1


def no_divisor_yet(n, k, end):
    while k < end and n % k != 0:
        k = k + 1
    return k


def by_a_difference(n, k):
    while k < 40:
        if n % k == 1 or n % (k - 5) == 1:
            return k
        k += 1
    return 0


def sum_differs(k, n):
    while True:
        if n + k != n + k + 1:
            return k
        k += 1


def beyond(k, n):
    while True:
        if k - n == 1:
            return k
        k += 1


def below(k, n):
    while True:
        if k - n == -1:
            return k
        k -= 1


def times_at_most_widest(k):
    while 97 * k <= 16777216:
        k += 1
    return k


def times_at_most(k, n):
    while 97 * k <= n:
        k += 1
    return k


def times_at_least(k, n):
    while n >= 97 * k:
        k += 1
    return k


def times_at_most_a_sum(k, n):
    while 97 * k <= n + 1:
        k += 1
    return k


def between(k, n):
    while -n < 97 * k < n + n:
        k += 1
    return k


def remainder_above(n, k):
    while True:
        if n % k > 0:
            return k
        k += 1


def remainder_not_above(n, k):
    while k < 500:
        if 0 >= n % k or n % (k + 3) <= 0:  # noqa: SIM300
            return k
        k += 1
    return -1


def remainder_not_below(n, k):
    while k < 500:
        if not n % k >= 0 or 0 > n % k or 0 == n % k != n % 7:  # noqa: SIM300
            return k
        k += 1
    return -1


SEARCHES = [
    times_at_most,
    times_at_least,
    times_at_most_a_sum,
    between,
    remainder_above,
    remainder_not_above,
    remainder_not_below,
    is_prime,
    is_prime_by_sixes,
    is_prime_by_range,
    largest_divisor,
    down_through_zero,
    root,
    first_quotient,
    chained,
    last_turn,
    last_turn_in_steps,
    product_differs,
    negative_product_differs,
    products_of_two,
    negative_products_of_two,
    no_divisor_yet,
    by_a_difference,
    sum_differs,
    beyond,
    below,
]


@pytest.mark.parametrize("func", SEARCHES, ids=lambda func: func.__name__)
def test_such_loops_have_lanes(builder: Builder, func: Any) -> None:
    assert LANES in builder.text_for(func, (INT,) * func.__code__.co_argcount)


@pytest.mark.parametrize("func", [is_prime, is_prime_by_sixes], ids=lambda func: func.__name__)
def test_primes(builder: Builder, func: Any) -> None:
    rows = [(n,) for n in (*range(-3, 2000), *range(WIDEST - 40, WIDEST + 40), 4093 * 4093, 4099 * 4099, 65537 * 65539)]
    assert_same(builder.variant(func, (INT,)), rows, native=len(rows))


def test_a_machine_without_such_vectors(tmp_path: Path) -> None:
    toolchain = find()
    assert toolchain is not None
    builder = Builder(Cache(tmp_path / "cache"), toolchain.with_flags("-U__SSE2__"))
    rows = [(n,) for n in range(-3, 500)]
    for func in (is_prime, is_prime_by_range):
        assert_same(builder.variant(func, (INT,)), rows, native=len(rows))


def test_divisors(builder: Builder) -> None:
    rows = [(n,) for n in (*range(-3, 300), 4093 * 4093)]
    assert_same(builder.variant(is_prime_by_range, (INT,)), rows, native=len(rows))
    pairs = [(n, k) for n in (-7, 0, 1, 97, 1001, 2**40) for k in (*range(-3, 40), 1000)]
    assert_same(builder.variant(largest_divisor, (INT, INT)), pairs, native=len(pairs))
    assert_same(builder.variant(down_through_zero, (INT, INT)), [(n, k) for n in range(-8, 30) for k in range(30)])


def test_divisors_with_two_conditions(builder: Builder) -> None:
    rows = [(n, k, end) for n in (0, 77, 97, 899) for k in (1, 2, 5) for end in (0, 1, 20, 50)]
    assert_same(builder.variant(no_divisor_yet, (INT, INT, INT)), rows, native=len(rows))
    # a division by zero on the way
    assert_same(builder.variant(by_a_difference, (INT, INT)), [(n, k) for n in range(-9, 99) for k in range(1, 12)])


def test_roots(builder: Builder) -> None:
    squares = [k * k + off for k in (1, 7, 4094, 4095, 4096, 4097, 5000) for off in (-1, 0, 1)]
    assert_same(builder.variant(root, (INT,)), [(n,) for n in (-5, 0, *squares)], native=len(squares))


def test_quotients_just_below_a_whole_number(builder: Builder) -> None:
    """Where a division of floats would round to the next one first."""
    rnd = random.Random(5)
    rows = []
    for _ in range(3000):
        k = rnd.choice([rnd.randint(1, 5000), rnd.randint(1, WIDEST - 1)])
        q = rnd.randint(1, (WIDEST - 1) // k)
        rows += [(q * k - 1, k, (q * k - 1) // k), (q * k, k, q)]
    rows += [(-n, k, -n // k) for n, k, _ in rows[:100]]
    assert_same(builder.variant(first_quotient, (INT, INT, INT)), rows, native=len(rows))


def test_the_last_number_that_lanes_hold(builder: Builder) -> None:
    for end in (WIDEST - 1, WIDEST, WIDEST + 1, WIDEST + 2):
        rows = [(start, end) for start in range(end - 70, end + 2)]
        assert_same(builder.variant(beyond, (INT, INT)), rows, native=len(rows))
        rows = [(-start, -end) for start, end in rows]
        assert_same(builder.variant(below, (INT, INT)), rows, native=len(rows))


def test_results_beyond_what_lanes_hold(builder: Builder) -> None:
    for func in (product_differs, negative_product_differs):
        rows = [(k,) for k in (1, 4090, 4096, 4097, 4098, 100_001, WIDEST - 3)]
        assert_same(builder.variant(func, (INT,)), rows, native=len(rows))
    # 4,097 * 12,015 and 5,461 * 9,014 differ by one, which a float would not show
    for func in (products_of_two, negative_products_of_two):
        assert_same(builder.variant(func, (INT, INT)), [(12015, 9014), (12014, 9014), (1, 1)], native=3)
    rows = [(k, n) for k in (0, 1, 9, WIDEST - 5) for n in (WIDEST - 9, WIDEST, WIDEST + 1, 2**40)]
    assert_same(builder.variant(sum_differs, (INT, INT)), rows, native=len(rows))


def test_comparisons_at_the_edge(builder: Builder) -> None:
    """97 * 172,961 is 2^24 + 1, which a float rounds to 2^24."""
    starts = range(172_940, 172_964)
    assert_same(builder.variant(times_at_most_widest, (INT,)), [(k,) for k in starts], native=len(starts))
    rows = [(k, n) for k in starts for n in range(WIDEST - 3, WIDEST + 4)]
    for func in (times_at_most, times_at_least, times_at_most_a_sum):
        assert_same(builder.variant(func, (INT, INT)), rows, native=len(rows))
    rows = [(k, n) for k in (-172_970, -9, 172_940) for n in (WIDEST // 2, WIDEST - 1, WIDEST + 2, 4000)]
    assert_same(builder.variant(between, (INT, INT)), rows, native=len(rows))


def test_comparisons_of_a_remainder_with_zero(builder: Builder) -> None:
    rows = [(n, k) for n in (0, 1, 12, 60, 97, 5040, WIDEST - 1, WIDEST + 1, -60) for k in range(1, 30)]
    for func in (remainder_not_above, remainder_not_below):
        assert_same(builder.variant(func, (INT, INT)), rows, native=len(rows))
    rows = [(n, k) for n, k in rows if n]
    assert_same(builder.variant(remainder_above, (INT, INT)), rows, native=len(rows))


def test_numbers_of_64_bits_and_more(builder: Builder) -> None:
    edges = [2**31, 2**53 + 1, 2**62, 2**63 - 1, -(2**63), 2**63, 2**64 + 1]
    assert_same(builder.variant(largest_divisor, (INT, INT)), [(n, k) for n in edges for k in (-1, 1, 9)])
    assert_same(builder.variant(largest_divisor, (INT, INT)), [(9, k) for k in edges if k < 0])
    assert_same(builder.variant(chained, (INT, INT)), [(n - 40, n) for n in edges])


def test_a_loop_ends_with_the_last_value_of_its_variable(builder: Builder) -> None:
    for never in (-1000, 20):
        rows = [(start, start + count, never) for start in (-3, 0, 15, WIDEST - 9) for count in range(-2, 40)]
        assert_same(builder.variant(last_turn, (INT, INT, INT)), rows)
        rows = [(start, start - count, never) for start in (-3, 0, 15, -WIDEST + 9) for count in range(-2, 40)]
        # without a turn the variable is not there: Python says so
        assert_same(builder.variant(last_turn_in_steps, (INT, INT, INT)), rows)


def test_chained_comparisons_and_what_is_raised(builder: Builder) -> None:
    rows = [(a, b) for a in range(-20, 60, 7) for b in range(-20, 90)]
    assert_same(builder.variant(chained, (INT, INT)), rows)


# -- loops that have none


def counts(n):
    k = hits = 0
    while k < n:
        if n % (k + 1) == 0:
            hits += 1
        k += 1
    return hits


def looks_up(values, n):
    k = 0
    while k < len(values):
        if values[k] == n:
            return k
        k += 1
    return -1


def counts_otherwise(n):
    k = misses = 0
    while k < n:
        if k * k == n:
            return misses
        else:
            misses += 2
        k += 1
    return misses


def long_steps(n):
    k = 0
    while k < n:
        if n == k:
            return k
        k += 1025
    return n


def other_steps(n, k, m):
    while k < 40:
        if n % 7 == k:
            return k
        k = m + 1
    return n


def own_steps(n):
    k = 0
    while k < n:
        if n % 7 == k:
            return k
        k += n
    return n


def standing(n, start):
    for k in range(start, 30):
        if n % 7 == 3:
            return k
    return n


def bits(n):
    for k in range(1, n):
        if n & k == 0:
            return k
    return n


@pytest.mark.parametrize(
    ("func", "signature", "rows"),
    [
        (counts, (INT,), [(n,) for n in range(-1, 40)]),
        (counts_otherwise, (INT,), [(n,) for n in range(-1, 40)]),
        (looks_up, (LIST_INT, INT), [([3, 1, 4], n) for n in range(5)]),
        (long_steps, (INT,), [(n,) for n in (0, 1, 1025, 9000)]),
        (other_steps, (INT, INT, INT), [(n, k, m) for n in range(9) for k in range(3) for m in (39, 40)]),
        (own_steps, (INT,), [(n,) for n in range(1, 20)]),
        (standing, (INT, INT), [(n, k) for n in range(9) for k in range(9)]),
        (bits, (INT,), [(n,) for n in range(-1, 20)]),
        (is_prime, (FLOAT,), [(n / 2,) for n in range(-1, 60)]),
        (is_prime, (BOOL,), [(False,), (True,)]),
    ],
)
def test_other_loops_have_none(builder: Builder, func: Any, signature: Any, rows: Any) -> None:
    variant = builder.variant(func, signature)
    assert LANES not in variant.text
    assert_same(variant, rows, native=len(rows))
