"""What `compiled.py` measures: functions that are compiled, and the same by hand in C."""

from __future__ import annotations


def collatz(limit):
    best = 0
    for start in range(1, limit):
        n = start
        steps = 0
        while n != 1:
            if n % 2 == 0:
                n = n // 2
            else:
                n = 3 * n + 1
            steps += 1
        if steps > best:
            best = steps
    return best


def primes(limit):
    count = 0
    for n in range(2, limit):
        k = 2
        prime = True
        while k * k <= n:
            if n % k == 0:
                prime = False
                break
            k += 1
        if prime:
            count += 1
    return count


def roots(modulus, found):
    """The least square root of each number, modulo; `found` is how many are asked for."""
    total = 0
    for number in range(found):
        k = 0
        while k < modulus:
            if k * k % modulus == number:
                total += k
                break
            k += 1
    return total


def roots_by(modulus, found, step):
    """The same; a step that is no literal keeps it turn by turn."""
    total = 0
    for number in range(found):
        k = 0
        while k < modulus:
            if k * k % modulus == number:
                total += k
                break
            k += step
    return total


def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def doubled(values):
    total = 0
    for x in values:
        if x > 0:
            total += x * 2
    return total


def add(a, b):
    return a + b


def spin(rounds):
    state = 1
    for k in range(rounds):
        state = (state * 1103515245 + k) % 2147483647
    return state


BY_HAND = r"""
typedef long long i64;
i64 collatz(i64 limit) {
    i64 best = 0;
    for (i64 start = 1; start < limit; start++) {
        i64 n = start, steps = 0;
        while (n != 1) { if (n % 2 == 0) n = n / 2; else n = 3 * n + 1; steps++; }
        if (steps > best) best = steps;
    }
    return best;
}
i64 primes(i64 limit) {
    i64 count = 0;
    for (i64 n = 2; n < limit; n++) {
        int prime = 1;
        for (i64 k = 2; k * k <= n; k++) if (n % k == 0) { prime = 0; break; }
        count += prime;
    }
    return count;
}
i64 fib(i64 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
i64 fib_checked(i64 n, i64 depth, volatile int *stop, int *bad) {
    i64 one, two, both;
    if (*stop || depth <= 0) { *bad = 1; return 0; }
    if (n < 2) return n;
    one = fib_checked(n - 1, depth - 1, stop, bad);
    if (*bad) return 0;
    two = fib_checked(n - 2, depth - 1, stop, bad);
    if (*bad || __builtin_add_overflow(one, two, &both)) { *bad = 1; return 0; }
    return both;
}
i64 fib_safe(i64 n) { volatile int stop = 0; int bad = 0; return fib_checked(n, 1000, &stop, &bad); }
i64 spin(i64 rounds) {
    i64 state = 1;
    for (i64 k = 0; k < rounds; k++) state = (state * 1103515245 + k) % 2147483647;
    return state;
}
"""
