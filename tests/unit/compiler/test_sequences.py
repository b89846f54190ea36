"""Parameters that are sequences: every element type, indexing, iteration, sums, and what must not be copied."""

from __future__ import annotations

import array
import math
import sys
from typing import Any

import pytest

from brokerless.compiler import TaskCompiler, types
from brokerless.compiler.bridge import Bridge, bridge
from brokerless.compiler.build import Builder
from brokerless.compiler.types import FLOAT, INT, LIST_FLOAT, LIST_INT, Seq

from . import samples
from .same import assert_same

ARRAYS = [
    *(array.array(code, [0, 1, 5, 100]) for code in "bBhHiIlLqQ"),
    array.array("b", [-128, 127]),
    array.array("H", [65535]),
    array.array("I", [2**32 - 1, 7]),
    array.array("q", [-(2**63), 2**63 - 1]),
    array.array("Q", [2**64 - 1, 2**63]),
    array.array("f", [0.1, -2.5, 1e30]),
    array.array("d", [0.1, 1e308, -0.0]),
]
BUFFERS: list[Any] = [*ARRAYS, *(memoryview(one) for one in ARRAYS), b"\x00\x80\xff", memoryview(b"\x01\x00").cast("?")]


@pytest.mark.parametrize("buffer", BUFFERS, ids=lambda one: f"{type(one).__name__}-{getattr(one, 'typecode', '')}")
def test_buffers(builder: Builder, buffer: Any) -> None:
    kind = types.of_value(buffer)
    assert isinstance(kind, Seq)
    functions = [
        (samples.index_of, (kind, INT)),
        (samples.total_of, (kind,)),
        (samples.fast_computation, (kind,)),
        (samples.enumerated, (kind,)),
    ]
    index, total, doubled, enumerated = builder.variants(functions)
    assert_same(index, [(buffer, k) for k in range(-5, 5)])
    for variant in (total, doubled, enumerated):
        assert_same(variant, [(buffer,)])


def test_lists_and_tuples(builder: Builder) -> None:
    bridge.load(lambda text: builder.object_for(text)[0])
    rows = [
        [],
        [1],
        [3, -4],
        list(range(-20, 200)),
        [2**63 - 1, 1],
        [2**63],
        [True, 2],
        [1, 2.0],
        [1, "x"],
        [2**62] * 40,
    ]
    assert_same(builder.variant(samples.fast_computation, (LIST_INT,)), [(row,) for row in rows], native=4)
    assert_same(builder.variant(samples.total_of, (Seq("tuple", "q"),)), [(tuple(row),) for row in rows], native=4)
    floats = [
        [],
        [0.1],
        [0.1] * 100,
        [1e16, 1.0, -1e16] * 20,
        [float("inf"), 1.0],
        [float("inf"), float("-inf")],
        [1.0, 2],
    ]
    for func in (samples.fast_computation, samples.total_of, samples.mean):
        assert_same(builder.variant(func, (LIST_FLOAT,)), [(row,) for row in floats], native=2)


def test_float_sum_is_the_interpreters_own(builder: Builder) -> None:
    """Compensated from 3.12 on: the two ways differ for these numbers, and ours follows the running version."""
    values = [1e16, 1.0, 1.0, -1e16] * 10 + [0.1] * 10
    variant = builder.variant(samples.total_of, (LIST_FLOAT,))
    assert variant.call(values) == sum(values)
    assert variant.native_calls == 1
    plain = 0.0
    for value in values:
        plain += value
    assert (sum(values) != plain) == (sys.version_info >= (3, 12))


def test_the_bridge_copies_what_the_python_way_copies(builder: Builder) -> None:
    compiled, plain = Bridge(), Bridge()
    compiled.load(lambda text: builder.object_for(text)[0])
    if sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)():
        assert compiled.compiled
    cases: list[Any] = [
        [1] * 50,
        [1] * 49 + [True],
        [1] * 49 + [2**63],
        [-(2**63)] * 50,
        [1.5] * 50,
        [1.5] * 49 + [1],
        [],
        [1],
        [None] * 50,
        tuple(range(60)),
        tuple([0.5] * 60),
        [-0.0, float("nan")] * 30,
    ]
    for case in cases:
        for code in "qd":
            one, two = compiled.copy(case, code), plain.copy(case, code)
            assert repr(one) == repr(two), (case, code)


def test_arrays_that_are_not_plain_are_not_taken() -> None:
    assert types.of_value(memoryview(b"abcd").cast("H", (2, 1))) is None
    assert types.of_value(array.array("u", "ab")) is None
    assert types.of_value(bytearray(b"x")) is None
    assert types.of_value(["x"]) is None


def test_views_that_begin_anywhere(builder: Builder) -> None:
    """C may not read numbers from an odd address: those calls are Python's."""
    held = bytearray(8 * 101)
    held[16] = held[401] = 1
    for code in ("h", "q", "d", "b"):
        variant = builder.variant(samples.fast_computation, (Seq("memoryview", code),))
        size = memoryview(b"").cast(code).itemsize
        rows = [(memoryview(held)[start : start + 800].cast(code),) for start in range(8)]
        assert_same(variant, rows)
        assert (variant.native_calls, variant.redone_calls) == (8 // size, 8 - 8 // size)


def test_a_released_view_is_pythons_business(compiler: TaskCompiler) -> None:
    ours = compiler.compile(samples.index_of, True)
    view = memoryview(b"abc")
    assert ours(view, 1) == 98
    view.release()
    with pytest.raises(ValueError, match="released memoryview") as caught:
        ours(view, 1)
    assert caught.traceback[-1].name == "index_of"


def test_a_failed_call_lets_go_of_the_array(builder: Builder) -> None:
    values = array.array("q", [1, 2])
    variant = builder.variant(samples.index_of, (Seq("array", "q"), INT))
    with pytest.raises(IndexError) as caught:
        variant.call(values, 5)
    values.append(3)  # BufferError while a view is held
    assert variant.call(values, 2) == 3
    assert caught.value.args == ("array index out of range",)


def test_nothing_is_shared_with_the_callers_list(builder: Builder) -> None:
    values = [1.0, math.nan, 2.0]
    variant = builder.variant(samples.index_of, (LIST_FLOAT, INT))
    assert math.isnan(variant.call(values, 1))
    assert variant.call(values, -1) == 2.0
    assert_same(builder.variant(samples.add, (FLOAT, INT)), [(1.5, 2), (math.inf, -(2**63))], native=2)
