"""What random programs are written with: literals, functions of math, and forms of expressions with holes.

The forms keep Python itself quick: exponents, shifts and loop lengths are small, and nothing is squared in a loop.
What fills the holes is in `compiler_expressions`: an int {i}, any number {n}, a condition {c}, a sequence {s}, or one
of HOLES.
"""

from __future__ import annotations

import re
import sys

# fmt: off
INT_LITERALS = [
    "0", "1", "2", "3", "-1", "-2", "5", "7", "8", "16", "10", "-7", "64", "1000003", "4294967296",
    "9007199254740993", "4611686018427387904", "9223372036854775807", "-9223372036854775808", "True", "False",
]
FLOAT_LITERALS = [
    "0.0", "-0.0", "0.5", "1.5", "-2.5", "0.1", "1e16", "1e308", "5e-324", "3.0", "math.inf", "math.nan", "math.pi",
    "CONST_F", "9007199254740992.0",
]
ONE = [
    "sqrt", "exp", "log", "log2", "log10", "log1p", "expm1", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "fabs", "degrees", "radians",
]
if sys.version_info >= (3, 11):
    ONE += ["cbrt", "exp2"]
TO_INT = ["floor", "ceil", "trunc"]
TESTS = ["isnan", "isinf", "isfinite"]
COMPARE_FORMS = ["({n} {op} {n})", "({i} {op} {i})", "({n} {op} {n} {op} {i})", "(not {n})", "bool({n})"]
INT_FORMS = [
    "({i} + {i})", "({i} - {i})", "({i} // {i})", "({i} % {i})", "({i} & {i})", "({i} | {i})", "({i} ^ {i})",
    "({i} << ({i} & 15))", "({i} >> ({i} & 127))", "(-{i})", "(~({i} + 0))", "abs({i})", "int({i})", "(+{i})",
    "min({i}, {i})", "max({i}, {i}, 3)", "({i} if {c} else {i})", "({i} and {i})", "({i} or {i})", "round({i})",
    "math.gcd({i}, {i})", "common({i}, {i})", "pow({i}, {i} & 63, {modulus})", "({i} * 3)", "math.{toint}({n})",
    "round({n})", "int({n})", "math.isqrt(abs({i}))", "math.isqrt({i})", "math.factorial({i} % 23)",
    "math.lcm({i}, 6)", "({i} // {divisor})", "({i} % {divisor})", "({i} << ({i} % 70))", "({i} >> {i} % 9)",
]
INT_GROWING = ["({i} * {i})", "({i} * {i})", "({i} ** ({i} & 3))", "pow({i}, 2)"]
SEQ_INT_FORMS = ["len({s})", "len({s})"]
NUMBER_FORMS = [
    "({n} + {n})", "({n} + {n})", "({n} - {n})", "({n} / {n})", "({n} // {n})", "({n} % {n})", "(-{n})", "abs({n})",
    "float({n})", "(0.5 * {n})", "(+{n})", "min({n}, {n})", "max({n}, {n})", "max({n}, {n}, {i})",
    "math.{one}({n})", "math.{safe}({n})", "math.{safe}({n})", "math.fmod({n}, {n})", "math.pow({n}, {n})",
    "sqrt(abs({n}))", "math.atan2({n}, {n})", "math.copysign({n}, {n})", "math.log({n}, {n})",
    "math.log(1 + abs({n}), 10)", "round({n}, {digits})", "round({n}, {digits})", "({n} if {c} else {n})",
    "({n} and {n})", "({n} or {n})", "(float({n}) ** {n})", "(0.5 ** ({i} & 31))", "bool({n})",
    "pow(float({n}), {n})", "({n} / {divisor})", "(0.0 - {n})", "(0 - {n})", "({n} + 0)", "({n} + 0.0)", "(-float({n}) + 0)",
    "(float({n}) - 0)", "(float({n}) * 0)", "(-0.0 + {n})",
]
NUMBER_GROWING = ["({n} * {n})", "({n} * {n})", "({n} ** {exponent})", "({n} ** ({i} % 4 - 2))"]
SEQ_FORMS = [
    "{s}[0]", "{s}[-1]", "{s}[{i}]", "{s}[{i} & 1]", "{s}[-2]", "sum({s})", "sum({s}, {i})", "sum({s}, {start})",
    "min({s})", "max({s})",
]
# fmt: on
HOLE = re.compile(r"\{[a-z]+\}")
HOLES = {
    "{op}": ["<", "<=", ">", ">=", "==", "!="],
    "{small}": ["0", "1", "2", "3"],
    "{modulus}": ["7", "-13", "1000003", "1", "-1", "4611686018427387904"],
    "{divisor}": ["2", "3", "-2", "-7", "8", "1", "-1", "64", "0", "10"],
    "{exponent}": ["2", "0.5", "-1", "3", "0", "True", "-0.0", "1.5"],
    "{digits}": ["0", "1", "2", "3", "5", "10", "22", "-1", "True"],
    "{start}": ["0.5", "1e16", "0", "-0.0", "True"],
    "{one}": ONE,
    "{safe}": ["sin", "cos", "atan", "tanh", "asinh", "erf", "erfc", "fabs", "degrees", "radians"],
    "{toint}": TO_INT,
    "{test}": TESTS,
}
