"""Random arguments for compiled functions, by the kind of the parameter.

A third of the numbers is drawn at the edges: ±2^31, ±2^53, ±2^62 … 2^64, 0, -1, subnormals, nan, inf, -0.0; one
sequence in eight is empty. The functions that get these arguments come from `compiler_programs`.
"""

from __future__ import annotations

import array
import random
from typing import Any

# fmt: off
INT_EDGES = [
    0, 1, -1, 2, -2, 3, 7, 10, -10, 63, 64, 65, 100, 255, 256, 2**31, -(2**31), 2**32, 2**53 - 1, 2**53, 2**53 + 1,
    -(2**53), -(2**53) - 1, 2**62, -(2**62), 2**62 + 1, 2**63 - 1, -(2**63), -(2**63) + 1,
]
# These need more than 64 bits: the call has to be left to Python.
WIDE_EDGES = [2**63, 2**64, -(2**64), 2**64 - 1, -(2**63) - 1]
FLOAT_EDGES = [
    0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 0.1, 1e-3, 2.675, 1e15 + 0.5, 1e16, 2.0**53, -(2.0**53),
    2.0**63, -(2.0**63), 9.3e18, 1e300, 1.7e308, -1.7e308, 5e-324, 2.2e-308, 1e-310, float("inf"), float("-inf"),
    float("nan"),
]
# What a lane can hold, and what is just beyond: for loops that look for something.
LANE_EDGES = [
    0, 1, 2, 3, -1, -3, 25, 77, 899, 4095, 4096, 4097, 4093 * 4093, 2**24 - 3, 2**24 - 1, 2**24, 2**24 + 1, 2**24 + 2,
    -(2**24), -(2**24) - 1, 2**31,
]
SEQUENCES = [
    "list_q", "list_d", "tuple_q", "tuple_d", "bytes", "array_b", "array_H", "array_i", "array_q", "array_Q",
    "array_f", "array_d", "view_d", "view_q", "view_?",
]
# fmt: on


def argument(rnd: random.Random, kind: str) -> Any:
    """One argument of a kind."""
    if kind == "depth":
        return rnd.randint(-1, 5)
    if kind == "int":
        edges = WIDE_EDGES if rnd.random() < 0.03 else INT_EDGES if rnd.random() < 0.3 else range(-20, 21)
        return rnd.choice(edges)
    if kind == "lane":
        product = rnd.randint(1, 40) * rnd.randint(1, 40)
        return rnd.choice(LANE_EDGES) if rnd.random() < 0.2 else rnd.choice([product, rnd.randint(-9, 60)])
    if kind == "float":
        return rnd.choice(FLOAT_EDGES) if rnd.random() < 0.3 else rnd.uniform(-50, 50)
    if kind == "bool":
        return rnd.random() < 0.5
    size = rnd.choice([0, 1, 2, 3, 3, 5, 5, 30])
    family, code = kind.split("_") if "_" in kind else (kind, "B")
    values = [_element(rnd, code) for _ in range(size)]
    if code == "q" and values and family in ("list", "tuple") and rnd.random() < 0.05:
        values[-1] = rnd.choice(WIDE_EDGES)
    if family == "list":
        return values
    if family == "tuple":
        return tuple(values)
    if family == "bytes":
        return bytes(values)
    if family == "view" and code == "?":
        return memoryview(bytes(values)).cast("?")
    made = array.array(code, values)
    return memoryview(made) if family == "view" else made


_RANGES = {"b": (-128, 127), "B": (0, 255), "H": (0, 65535), "i": (-(2**31), 2**31 - 1), "Q": (0, 2**64 - 1)}


def _element(rnd: random.Random, code: str) -> Any:
    if code in ("d", "f"):
        value = rnd.choice(FLOAT_EDGES) if rnd.random() < 0.2 else rnd.uniform(-1e3, 1e3)
        return value if code == "d" or abs(value) < 1e38 else 1e30
    if code == "?":
        return rnd.randint(0, 1)
    low, high = _RANGES.get(code, (-(2**63), 2**63 - 1))
    if rnd.random() < 0.3:
        return min(max(rnd.choice(INT_EDGES), low), high)
    return min(max(rnd.randint(-50, 100), low), high)
