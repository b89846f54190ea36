"""NumPy arrays as arguments: what is taken, what is left to Python, and that both give the same."""

from __future__ import annotations

from typing import Any

import pytest

from brokerless.compiler import TaskCompiler, types
from brokerless.compiler.build import Builder
from brokerless.compiler.types import ELEMENTS, Seq
from brokerless.compiler.variant import Variant

from . import samples
from .same import assert_same, outcome

numpy = pytest.importorskip("numpy")

FLOATS = [0.0, -0.0, 0.5, -2.5, 1e30, float("inf"), float("-inf"), float("nan")]


def as_int(values, k):
    return int(values[k]) + 1


def as_float(values, k):
    return float(values[k]) / 2


def as_bool(values, k):
    return bool(values[k])


def whole(values):
    total = 0
    for k in range(len(values)):
        total += int(values[k])
    return total


def as_either(values, k, flag):
    if flag:
        k = k > 0
    return int(values[k])


def array_of(code: str) -> Any:
    """The edges of an element type."""
    if code == "?":
        return numpy.array([True, False])
    if ELEMENTS[code][1] == types.FLOAT:
        return numpy.array(FLOATS, dtype=code)
    edges = numpy.iinfo(code)
    return numpy.array([0, 1, 2, edges.min, edges.max], dtype=code)


ELEMENT_FUNCS = (as_int, as_float, as_bool)
LOOPS = (whole, samples.norm)
Variants = dict[tuple[Any, Any], Variant]


@pytest.fixture(scope="module")
def variants(builder: Builder) -> Variants:
    """By function and type of the first parameter; one C file for all, because a compiler start costs more."""
    kinds = [Seq("numpy", code) for code in ELEMENTS]
    jobs: list[tuple[Any, Any]] = [(func, (kind, types.INT)) for func in ELEMENT_FUNCS for kind in kinds]
    jobs += [(func, (kind,)) for func in LOOPS for kind in kinds]
    jobs += [(samples.fast_computation, (Seq("memoryview", code),)) for code in ELEMENTS]
    return {(func, signature[0]): made for (func, signature), made in zip(jobs, builder.variants(jobs), strict=True)}


@pytest.mark.parametrize("code", ELEMENTS)
@pytest.mark.parametrize("func", ELEMENT_FUNCS, ids=lambda func: func.__name__)
def test_elements_inside_conversions(variants: Variants, code: str, func: Any) -> None:
    values = array_of(code)
    kind = types.of_value(values)
    assert kind == Seq("numpy", code)
    rows = [(values, k) for k in range(-len(values) - 1, len(values) + 1)]
    assert_same(variants[func, kind], rows, native=4)


@pytest.mark.parametrize("code", ELEMENTS)
@pytest.mark.parametrize("func", LOOPS, ids=lambda func: func.__name__)
def test_loops(variants: Variants, code: str, func: Any) -> None:
    values = array_of(code)[:3]
    assert_same(variants[func, Seq("numpy", code)], [(values,), (values[:0],), (values[1:],)], native=2)


@pytest.mark.parametrize("code", ELEMENTS)
def test_a_view_of_an_array_has_pythons_numbers(variants: Variants, code: str) -> None:
    view = memoryview(array_of(code))
    kind = types.of_value(view)
    assert_same(variants[samples.fast_computation, kind], [(view,), (view[:2],)], native=1)


def test_no_copy_is_made(compiler: TaskCompiler) -> None:
    values = numpy.arange(1000)
    ours = compiler.compile(whole, True)
    assert ours(values) == 499500
    values[0] = 7
    values.flags.writeable = False
    assert ours(values) == 499507
    assert compiler.get_compilation_info(whole).native_calls == 2


def test_arrays_that_are_not_plain_are_not_taken() -> None:
    odd = numpy.frombuffer(bytes(17), dtype="u1")[1:].view("f8")
    for value in (
        numpy.zeros((2, 2)),
        numpy.zeros(()),
        numpy.arange(10)[::2],
        numpy.arange(10)[::-1],
        numpy.array(["a"]),
        numpy.array([None]),
        numpy.zeros(2, ">f8"),
        numpy.zeros(2, "c16"),
        numpy.zeros(2, "f2"),
        numpy.zeros(2, "g"),
        numpy.zeros(2, "M8[s]"),
        numpy.zeros(2, [("a", "i4")]),
        numpy.ma.masked_array([1, 2]),
        numpy.float64(1.0),
        odd,
    ):
        assert types.of_value(value) is None, repr(value)


def test_a_bool_is_no_position(builder: Builder) -> None:
    values = numpy.arange(3)
    assert_same(builder.variant(as_int, (Seq("numpy", "l"), types.BOOL)), [(values, True), (values, False)])
    variant = builder.variant(as_either, (Seq("numpy", "l"), types.INT, types.BOOL))
    assert_same(variant, [(values, 1, True), (values, 1, False)])


def test_scalars_and_arrays_that_are_not_taken_run_in_python(compiler: TaskCompiler) -> None:
    ours = compiler.compile(as_int, True)
    for row in (
        (numpy.arange(10)[::2], 1),
        (numpy.arange(3, dtype=">i4"), 1),
        (numpy.arange(3), numpy.int64(1)),
        (numpy.zeros((2, 2)), 1),
    ):
        assert outcome(ours, row) == outcome(as_int, row)
    assert compiler.map_batch(samples.add, numpy.arange(3), [1, 2, 3]) == [1, 3, 5]
    assert type(compiler.map_batch(samples.add, numpy.arange(3), [1, 2, 3])[0]) is type(
        samples.add(numpy.arange(3)[0], 1)
    )
