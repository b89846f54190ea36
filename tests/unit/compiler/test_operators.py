"""Every operator, builtin and math function over the edges of its arguments, against the interpreter."""

from __future__ import annotations

import importlib.util
import itertools
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from brokerless.compiler.build import Builder
from brokerless.compiler.names import MATH_CONSTANTS, MATH_FUNCTIONS
from brokerless.compiler.types import BOOL, FLOAT, INT
from brokerless.compiler.variant import Variant

from .same import assert_same

INTS = [
    *(0, 1, -1, 2, -2, 3, -3, 5, 7, 10, -10, 62, 63, 64, 65, 100, 2**31, -(2**31), 2**32 + 1, 2**53 - 1, 2**53),
    *(2**53 + 1, -(2**53) - 1, 2**62, -(2**62), 2**62 + 1, 2**63 - 1, -(2**63), -(2**63) + 1, 2**63, -(2**63) - 1),
    *(2**64, -(2**64)),
]
FLOATS = [
    *(0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 2.5, 3.5, 0.1, -0.1, 2.675, 1e-3, 7.0, -7.0, 1e15 + 0.5, 1e16),
    *(2.0**52 + 0.5, 2.0**53, 2.0**62, 2.0**63, -(2.0**63), 9.3e18, 1e100, 1.7e308, -1.7e308, 5e-324, 1e-310),
    *(float("inf"), float("-inf"), float("nan")),
]
VALUES: dict[int, list[Any]] = {BOOL: [False, True], INT: INTS, FLOAT: FLOATS}
TYPES = [BOOL, INT, FLOAT]
SMALL: dict[int, list[Any]] = {
    BOOL: [False, True],
    INT: [0, 1, -1, 2, 3, -2, 10, 31, 62, 63, 64, 70, -3],
    FLOAT: [0.0, -0.0, 1.0, 0.5, -1.0, 2.0, 3.0, -2.5, float("inf"), float("nan")],
}

BINARY = ["+", "-", "*", "/", "//", "%", "&", "|", "^", "<", "<=", ">", ">=", "==", "!="]
LIMITED = ["**", "<<", ">>"]
CALLS_TWO = ["min", "max", "divmod", "math.atan2", "math.copysign", "math.fmod", "math.gcd", "math.lcm", "math.pow"]
CALLS_TWO += ["math.log"]
UNARY = ["-{}", "+{}", "~{}", "not {}", "abs({})", "int({})", "float({})", "bool({})", "round({})"]
ONE = sorted(MATH_FUNCTIONS - {"gcd", "lcm", "atan2", "copysign", "fmod", "pow", "factorial"})
CONSTANT_RIGHT = [
    "// 2",
    "% 2",
    "// 8",
    "% 8",
    "// 1",
    "% 1",
    "// -2",
    "% -3",
    "// 10",
    "% 10",
    "** 2",
    "** 0",
    "** 3",
    "** -1",
    "/ 3",
    "<< 3",
    ">> 70",
    "* 0",
    "// 0",
    "% 0",
]
# What a C compiler simplifies when one side is known: with signed zeros hardly anything may be.
KNOWN = ["0", "0.0", "-0.0", "1", "1.0", "-1.0"]
UNKNOWN = ["a", "-a", "float(a)", "-float(a)", "abs(a)"]
SIMPLIFIED = [
    form.format(unknown, known)
    for form in ("{} + {}", "{1} + {0}", "{} - {}", "{1} - {0}", "{} * {}", "{} / {}", "{1} / {0}", "-({} - {})")
    for unknown in UNKNOWN
    for known in KNOWN
]


def _text() -> str:
    lines = ["import math", "from math import sqrt", ""]

    def put(name: str, params: str, value: str) -> None:
        lines.append(f"def {name}({params}):\n    return {value}\n")

    for index, op in enumerate([*BINARY, *LIMITED]):
        put(f"binary_{index}", "a, b", f"a {op} b")
    for index, name in enumerate(CALLS_TWO):
        put(f"two_{index}", "a, b", f"{name}(a, b)")
    for index, form in enumerate(UNARY):
        put(f"unary_{index}", "a", form.format("a"))
    for index, name in enumerate(ONE):
        put(f"one_{index}", "a", f"math.{name}(a)")
    for index, right in enumerate(CONSTANT_RIGHT):
        put(f"constant_{index}", "a", f"a {right}")
    for index, value in enumerate(SIMPLIFIED):
        put(f"simplified_{index}", "a", value)
    put("digits", "a, b", "round(a, b)")
    put("power", "a, b", "pow(a, b)")
    put("power_mod", "a, b, m", "pow(a, b, m)")
    put("factorial", "a", "math.factorial(a)")
    put("logic_and", "a, b", "a and b")
    put("logic_or", "a, b", "a or b")
    put("choice", "a, b", "a if b else -b")
    put("chain", "a, b, m", "a < b <= m != a")
    put("least", "a, b, m", "min(a, b, m), max(a, b, m)")
    put("mixed", "a, b", "(a if a > 0 else b) + (b if b > 0 else a) * (a or b)")
    put("mixed_compare", "a, b", "(a if a > 0 else b) < (b or a), (a and b) == b, -(a or b), abs(a and b)")
    put("mixed_divide", "a, b", "(a or b) / (b or a), (a or b) // (b or a), (a or b) % (b or a)")
    put("mixed_bits", "a, b", "(a or b) & (b or a), (a or b) | b, (a and b) ^ (b and a), not (a or b)")
    put("mixed_round", "a, b", "round(a or b), int(a or b), round(a and b, 1), math.floor(a or b), math.ceil(a or b)")
    for index, name in enumerate(sorted(MATH_CONSTANTS)):
        put(f"pi_{index}", "a", f"a * math.{name}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    path: Path = tmp_path_factory.mktemp("operators") / "operator_functions.py"
    path.write_text(_text())
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def variants(builder: Builder, module: ModuleType, names: list[str], count: int) -> list[Variant]:
    """Each function for every combination of argument types, all in one C file."""
    jobs = [(getattr(module, name), kinds) for name in names for kinds in itertools.product(TYPES, repeat=count)]
    return builder.variants(jobs)


def rows(variant: Variant, values: dict[int, list[Any]] = VALUES) -> list[tuple[Any, ...]]:
    return list(itertools.product(*(values[kind] for kind in variant.signature)))  # type: ignore[index]


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}_{index}" for index in range(count)]


def test_binary_operators(builder: Builder, written: ModuleType) -> None:
    for variant in variants(builder, written, names("binary", len(BINARY)), 2):
        assert_same(variant, rows(variant))


def test_powers_and_shifts(builder: Builder, written: ModuleType) -> None:
    for variant in variants(builder, written, [f"binary_{len(BINARY) + n}" for n in range(3)] + ["power"], 2):
        left, right = variant.signature
        pairs = itertools.product(VALUES[left], SMALL[right])  # type: ignore[index]
        assert_same(variant, pairs)


def test_calls_of_two(builder: Builder, written: ModuleType) -> None:
    for variant in variants(builder, written, names("two", len(CALLS_TWO)), 2):
        assert_same(variant, rows(variant))


def test_unary(builder: Builder, written: ModuleType) -> None:
    for variant in variants(builder, written, names("unary", len(UNARY)), 1):
        if "~" in UNARY[int(variant.func.__name__.split("_")[1])] and sys.version_info >= (3, 12):
            continue  # ~True warns there; see the next test
        assert_same(variant, rows(variant))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_invert_of_a_bool_is_left_to_python_where_it_warns(builder: Builder, written: ModuleType) -> None:
    for variant in variants(builder, written, [f"unary_{UNARY.index('~{}')}"], 1):
        assert_same(variant, rows(variant))
        if variant.signature == (BOOL,) and sys.version_info >= (3, 12):
            assert variant.native_calls == 0


def test_math_functions(builder: Builder, written: ModuleType) -> None:
    extra = {**VALUES, FLOAT: [*FLOATS, *(x / 7 for x in range(-40, 40)), 709.0, 710.0, -745.0, -746.0, 1e22, 170.6]}
    for variant in variants(builder, written, names("one", len(ONE)), 1):
        assert_same(variant, rows(variant, extra), native=1 if variant.entry.mask & (BOOL | FLOAT) else None)


def test_constant_on_the_right(builder: Builder, written: ModuleType) -> None:
    for variant in variants(builder, written, names("constant", len(CONSTANT_RIGHT)), 1):
        assert_same(variant, rows(variant))


def test_nothing_is_simplified_that_has_another_zero(builder: Builder, written: ModuleType) -> None:
    for variant in variants(builder, written, names("simplified", len(SIMPLIFIED)), 1):
        assert_same(variant, rows(variant, SMALL))


def test_factorial(builder: Builder, written: ModuleType) -> None:
    variant = builder.variant(written.factorial, (INT,))
    assert_same(variant, [(n,) for n in range(-2, 30)], native=21)


@pytest.mark.parametrize("name", ["logic_and", "logic_or", "choice", "mixed", "mixed_compare", "mixed_divide"])
def test_values_of_two_types(builder: Builder, written: ModuleType, name: str) -> None:
    for variant in variants(builder, written, [name], 2):
        assert_same(variant, rows(variant), native=1)


@pytest.mark.parametrize("name", ["mixed_bits", "mixed_round"])
def test_values_of_two_types_that_often_fail(builder: Builder, written: ModuleType, name: str) -> None:
    for variant in variants(builder, written, [name], 2):
        assert_same(variant, rows(variant))


@pytest.mark.parametrize("name", ["chain", "least"])
def test_three_operands(builder: Builder, written: ModuleType, name: str) -> None:
    few = {BOOL: [False, True], INT: [0, -1, 2**53 + 1, 2**63 - 1], FLOAT: [0.0, -0.0, 2.0**53, float("nan"), 1e300]}
    for variant in variants(builder, written, [name], 3):
        assert_same(variant, rows(variant, few), native=1)


def test_modular_power(builder: Builder, written: ModuleType) -> None:
    bases = [0, 1, -1, 7, -12, 2**62, -(2**63), 2**63 - 1]
    variant = builder.variant(written.power_mod, (INT, INT, INT))
    assert_same(
        variant, itertools.product(bases, [0, 1, 2, 65, 2**62, -1], [1, -1, 2, 7, -13, 2**62 + 1, 0]), native=100
    )


def test_round_to_digits(builder: Builder, written: ModuleType) -> None:
    numbers = [*FLOATS, *(k / 8 + 0.0625 for k in range(-30, 30)), *(k * 0.01 + 0.005 for k in range(-50, 50))]
    numbers += [k * 1.1**k for k in range(60)] + [0.3, 123456.789, 9.995, 1.005, 2.5e-15, 4.35, 1e14 + 0.25]
    variant = builder.variant(written.digits, (FLOAT, INT))
    assert_same(variant, itertools.product(numbers, range(-1, 24)), native=4000)
    variant = builder.variant(written.digits, (INT, INT))
    assert_same(variant, itertools.product(INTS, [-1, 0, 1, 5]), native=60)


def test_constants(builder: Builder, written: ModuleType) -> None:
    for variant in variants(builder, written, names("pi", len(MATH_CONSTANTS)), 1):
        assert_same(variant, rows(variant))


def test_the_list_of_math_functions_is_what_the_documentation_says() -> None:
    page = (Path(__file__).parents[3] / "docs" / "compilation.md").read_text()
    for name in sorted(MATH_FUNCTIONS | MATH_CONSTANTS):
        assert f"`{name}`" in page, name
    assert all(hasattr(math, name) for name in MATH_FUNCTIONS)
