"""Functions that the compiler's tests compile. They are in a file of their own because pytest rewrites test files."""

from __future__ import annotations

import math
import time

LIMIT = 10
TABLE = [1, 2, 3]


def fast_computation(numbers):
    total = 0
    for number in numbers:
        if number > 0:
            total += number * 2
    return total


def send_notification(user_id, message):
    print(f"to {user_id}: {message}")
    return True


def slow_task(seconds):
    time.sleep(seconds)
    return seconds


def build_report(items):
    report = {}
    for item in items:
        report[item] = item * 2
    return report


def full_of_refusals(rows, seen, deep):
    import json

    for name in sorted(rows):
        deep += 1
        while name not in seen:
            seen.add(name)
        with open(name) as file:
            deep += len(file.read())
        print(name)
    return json.dumps([deep])


def calls_a_refused_one_twice(n):
    total = slow_task(n)
    while n > 0:
        n -= slow_task(1)
    return total


def nine_loops(n):
    for a in range(n):
        for b in range(a):
            for c in range(b):
                for d in range(c):
                    for e in range(d):
                        for f in range(e):
                            for g in range(f):
                                for h in range(g):
                                    for i in range(h):
                                        n += i
    for _ in range(n):
        n = []
    return n


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def collatz(limit: int) -> int:
    best = 0
    for start in range(1, limit):
        n, steps = start, 0
        while n != 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        best = max(best, steps)
    return best


def grow(n):
    result = 1
    for k in range(n):
        result = result * (k + 1)
    return result


def forever(n):
    while True:
        n = (n + 1) % 1000


def down(n):
    if n == 0:
        return 0
    return down(n - 1) + 1


def scaled(x):
    total = 0
    for k in range(3):
        total += x * LIMIT + k
    return total


def helper(x):
    return x + 1


def with_helper(x):
    total = 0
    for k in range(4):
        total += helper(x) * k
    return total


def defaults(a, b=2, *, c=3):
    total = 0
    for k in range(a):
        total += k * b + c
    return total


def mixed(flag):
    value = 1
    if flag > 0:
        value = 2.5
    return value


def maybe_unbound(n):
    if n > 0:
        value = n
    return value


def no_result(n):
    for k in range(n):
        k += 1


def pair(a, b):
    low, high = min(a, b), max(a, b)
    quotient, rest = divmod(high, 3)
    return low, quotient, rest


def add(a, b):
    return a + b


def divide(a, b):
    return a / b


def is_big(a):
    return a > 100


def index_of(values, position):
    return values[position]


def total_of(values):
    return sum(values)


def mean(values):
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def norm(values):
    total = 0.0
    for k in range(len(values)):
        total += float(values[k]) * float(values[k])
    return math.sqrt(total)


def numpy_plain(values):
    return values[0] + 1


def enumerated(values):
    total = 0
    for position, value in enumerate(values, 1):
        total += position * value
    return total


def checked(n):
    if n < 0:
        raise ValueError(f"n is {n}")
    return n * 2


def searched(limit, wanted):
    for k in range(limit):
        if k == wanted:
            break
    else:
        return -1
    return k


def odd_names(x, x__f, u0):
    größe = x
    x__t = 0
    for k in range(3):
        größe = größe * 0.5 if k else größe + 1
        x = x + u0
        x__t = x__t + x__f
        x__f = x__f + 1
    return größe, x, x__t, x__f, u0
