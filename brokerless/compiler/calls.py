"""Calls inside expressions: builtins, functions of math, and other compiled functions.

A call that Python would answer with TypeError for these types becomes a value that bails, so that Python raises it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .cruntime import MATH_ONE
from .errors import Refused
from .types import BOOL, FLOAT, INT, NONE, NUMBER, Type, is_single
from .values import NEVER, SeqVal, TupleVal, Val, as_float, as_int, as_number, constant, ctype, held_as, truth

if TYPE_CHECKING:
    from .emit import FunctionEmitter
    from .expressions import Expressions

_POSITIVE_ONLY = ("log", "log2", "log10")
_MATH_PAIR = ("fmod", "pow", "atan2", "copysign")


class Calls:
    """Compiles call nodes for one ``FunctionEmitter``."""

    def __init__(self, owner: FunctionEmitter, expressions: Expressions) -> None:
        self._owner = owner
        self._expressions = expressions

    def call(self, node: ast.Call) -> Val | TupleVal:
        meaning = self._owner.scope.resolve(node.func)
        if meaning.kind == "math":
            return self._math(meaning.value, node)
        if meaning.kind == "builtin":
            return self._builtin(meaning.value, node)
        if meaning.kind == "function":
            return self._function(meaning.value, node)
        raise Refused(f"{ast.unparse(node.func)} is called and is not a function", node.lineno)

    def _function(self, func: object, node: ast.Call) -> Val | TupleVal:
        kinds: list[Type] = []
        texts: list[str] = []
        for arg in node.args:
            sequence = self._owner.sequence(arg)
            if sequence is not None:
                kinds.append(sequence.kind)
                texts.append(sequence.c)
                continue
            value = self._expressions.scalar(arg)
            if not value.mask:
                return value
            kinds.append(value.mask)
            texts.append(value.c)
        callee = self._owner.program.instance(func, tuple(kinds), node.lineno)
        text = f"{callee.cname}({', '.join(['c', 'd - 1', *texts])})"
        if callee.tuple_masks is not None:
            size = len(callee.tuple_masks)
            temp = self._owner.temp(f"brl_tuple{size}")
            first = f"({temp} = {text}, {temp}.v[0])"
            items = [first, *(f"{temp}.v[{index}]" for index in range(1, size))]
            return TupleVal(tuple(_narrow(item, mask) for item, mask in zip(items, callee.tuple_masks, strict=True)))
        if callee.mask == NONE:
            # Only as a statement; as an operand Python raises TypeError.
            return Val(text, NONE)
        if callee.mask & NONE:
            temp = self._owner.temp("brl_n")
            checked = f"({temp} = {text}, {temp}.t == BRL_NONE ? (brl_bail(c), {temp}) : {temp})"
            return _narrow(checked, callee.mask & NUMBER)
        return Val(text, callee.mask)

    def _scalars(self, node: ast.Call) -> list[Val] | None:
        """The arguments, or None when one of them never comes to be."""
        values = [self._expressions.scalar(arg) for arg in node.args]
        return None if any(not value.mask & NUMBER for value in values) else values

    def _builtin(self, name: str, node: ast.Call) -> Val | TupleVal:
        if name == "len":
            return self._len(node)
        if name in ("min", "max", "sum") and node.args:
            sequence = self._owner.sequence(node.args[0])
            if sequence is not None:
                self._expressions.plain_elements(sequence, node)
                return self._sum(sequence, node) if name == "sum" else self._extreme(name, sequence, node)
        if name in ("int", "float", "bool") and len(node.args) == 1:
            element = self._numpy_element(node.args[0])
            if element is not None:
                return self._convert(name, element)
            sequence = self._owner.sequence(node.args[0])
            if sequence is not None and name == "bool" and sequence.kind.kind != "numpy":
                return Val(f"({sequence.c}.n != 0)", BOOL)
        values = self._scalars(node)
        if values is None:
            return NEVER
        if name in ("int", "float", "bool"):
            if not values:
                return constant({"int": 0, "float": 0.0, "bool": False}[name])
            return self._convert(name, values[0]) if len(values) == 1 else NEVER
        if name in ("min", "max"):
            return self._least(name, values) if len(values) > 1 else NEVER
        return self._numeric(name, values, node)

    def _numeric(self, name: str, values: list[Val], node: ast.Call) -> Val | TupleVal:
        count = len(values)
        if name == "abs" and count == 1:
            return _abs(values[0])
        if name == "round" and count == 1:
            return _rounded("brl_round", "brl_n_round", values[0])
        if name == "round" and count == 2:
            return _round_digits(values[0], values[1])
        if name == "divmod" and count == 2:
            first = ast.FloorDiv(), ast.Mod()
            held = [self._hold(value) for value in values]
            setup = "".join(f"{temp} = {value.c}, " for (temp, value) in zip(held, values, strict=True))
            left, right = (Val(temp, value.mask, value.literal) for temp, value in zip(held, values, strict=True))
            quotient = self._expressions.binary(first[0], left, right)
            rest = self._expressions.binary(first[1], left, right)
            return TupleVal((Val(f"({setup}{quotient.c})", quotient.mask), rest))
        if name == "pow" and count == 2:
            return self._expressions.power(values[0], values[1])
        if name == "pow" and count == 3:
            if any(value.mask == FLOAT for value in values):
                return NEVER
            return Val(f"brl_powmod(c, {', '.join(as_int(value) for value in values)})", INT)
        if name == "sum":
            raise Refused("sum() of something other than a sequence parameter", node.lineno)
        return NEVER

    def _hold(self, value: Val) -> str:
        return self._owner.temp(ctype(value.mask))

    def _len(self, node: ast.Call) -> Val:
        sequence = self._owner.sequence(node.args[0]) if len(node.args) == 1 else None
        if sequence is None:
            raise Refused("len() of something other than a sequence parameter", node.lineno)
        return Val(f"{sequence.c}.n", INT)

    def _numpy_element(self, node: ast.expr) -> Val | None:
        """``array[i]`` directly inside int(), float() or bool(): there a NumPy scalar acts as the Python number."""
        if not isinstance(node, ast.Subscript):
            return None
        sequence = self._owner.sequence(node.value)
        if sequence is None or sequence.kind.kind != "numpy":
            return None
        index = self._expressions.scalar(node.slice)
        if not index.mask or index.mask & BOOL:
            return NEVER  # for NumPy a bool is no position: array[True] has a dimension more
        return self._expressions.element(sequence, f"brl_at(c, {as_int(index)}, {sequence.c}.n)")

    def _convert(self, name: str, value: Val) -> Val:
        if name == "bool":
            return Val(f"({truth(value)})", BOOL)
        if not value.mask:
            return value
        if name == "float":
            return Val(as_float(value), FLOAT)
        return _rounded("brl_to_int", "brl_n_to_int", value)

    def _least(self, name: str, values: list[Val]) -> Val:
        """min() and max() of scalars: the object itself comes back, so its type does too."""
        symbol: ast.cmpop = ast.Lt() if name == "min" else ast.Gt()
        result = values[0]
        for value in values[1:]:
            kept, new = self._hold(result), self._hold(value)
            test = self._expressions.compare(symbol, Val(new, value.mask), Val(kept, result.mask))
            mask = result.mask | value.mask
            yes, no = held_as(Val(new, value.mask), mask), held_as(Val(kept, result.mask), mask)
            result = Val(f"({kept} = {result.c}, {new} = {value.c}, {test} ? {yes} : {no})", mask)
        return result

    def _extreme(self, name: str, sequence: SeqVal, node: ast.Call) -> Val:
        if len(node.args) != 1:
            return NEVER
        mask = sequence.kind.item
        symbol = "<" if name == "min" else ">"
        return Val(self._fold(sequence, f"if (x {symbol} r) r = x;", None), mask)

    def _fold(self, sequence: SeqVal, step: str, start: str | None) -> str:
        """A loop over a sequence as an expression: a call of a small function written before this one."""
        mask = sequence.kind.item
        kind = ctype(mask)
        item = self._expressions.element(SeqVal("s", sequence.kind), "k").c
        first = f"    BRL_CHECK(s.n == 0);\n    k = 0;\n    r = {item};\n" if start is None else f"    r = {start};\n"
        body = (
            f"    BRL_WORD(c);\n    i64 k = 0, stop;\n    {kind} r;\n{first}"
            "    while (k < s.n) {\n"
            "        BRL_POLL(c);\n"
            "        stop = s.n - k > 1024 ? k + 1024 : s.n;\n"
            f"        for (; k < stop; k++) {{ {kind} x = {item}; {step} }}\n"
            "    }\n    return r;\n"
        )
        name = self._owner.program.helper(f"BRL_HELPER {kind} {{name}}(brl_ctx *c, brl_seq s) {{\n{body}}}\n")
        return f"{name}(c, {sequence.c})"

    def _sum(self, sequence: SeqVal, node: ast.Call) -> Val:
        start = [self._expressions.scalar(arg) for arg in node.args[1:]]
        # A bool start would come back as it is from an empty sum, and takes another path in the interpreter.
        if len(start) > 1 or any(not value.mask or value.mask & BOOL for value in start):
            return NEVER
        if sequence.kind.item != FLOAT:
            total = self._fold(sequence, "r = brl_add(c, r, x);", "0")
            if not start:
                return Val(total, INT)
            # A float start adds in another way; as_int leaves that to Python.
            return Val(f"brl_add(c, {total}, {as_int(start[0])})", INT)
        return self._sum_float(sequence, start[0] if start else constant(0), node)

    def _sum_float(self, sequence: SeqVal, start: Val, node: ast.Call) -> Val:
        """The result of an empty sum is the start itself, so its type is known only at run time."""
        if not is_single(start.mask):
            raise Refused("sum() with a start whose type is not known", node.lineno)
        item = self._expressions.element(SeqVal("s", sequence.kind), "k").c
        # An int start is added to the first element, and only then does float addition begin.
        first = "0" if start.mask == FLOAT else "1"
        begin = "start" if start.mask == FLOAT else f"start + ({item.replace('[k]', '[0]')})"
        body = (
            "    BRL_WORD(c);\n    brl_total t = {0};\n    i64 k, stop;\n"
            f"    t.hi = {begin};\n    k = {first};\n"
            "    while (k < s.n) {\n        BRL_POLL(c);\n"
            "        stop = s.n - k > 1024 ? k + 1024 : s.n;\n"
            f"        for (; k < stop; k++) brl_total_add(&t, {item});\n"
            "    }\n    return brl_total_end(&t);\n"
        )
        name = self._owner.program.helper(
            f"BRL_HELPER double {{name}}(brl_ctx *c, brl_seq s, double start) {{\n{body}}}\n"
        )
        if start.mask == FLOAT:
            return Val(f"{name}(c, {sequence.c}, {start.c})", FLOAT)
        empty = f"brl_ni({as_int(start)})"
        # int + float converts the int exactly as (double) does; the start is used twice, and is pure.
        full = f"brl_nf({name}(c, {sequence.c}, {as_float(start)}))"
        return Val(f"({sequence.c}.n == 0 ? {empty} : {full})", INT | FLOAT)

    def _math(self, name: str, node: ast.Call) -> Val:
        values = self._scalars(node)
        if values is None:
            return NEVER
        if name in ("gcd", "lcm"):
            return self._gcd(name, values)
        if name in ("isqrt", "factorial") and len(values) == 1:
            return NEVER if values[0].mask == FLOAT else Val(f"brl_{name}(c, {as_int(values[0])})", INT)
        if name == "log" and len(values) == 2:
            top, bottom = (self._math_one("log", value) for value in values)
            return Val(f"brl_fdiv(c, {top}, {bottom})", FLOAT)
        if name in _MATH_PAIR:
            if len(values) != 2:
                return NEVER
            return Val(f"brl_math_{name}(c, {as_float(values[0])}, {as_float(values[1])})", FLOAT)
        if len(values) != 1:
            return NEVER
        value = values[0]
        if name in MATH_ONE:
            return Val(self._math_one(name, value), FLOAT)
        if name in ("isfinite", "isinf", "isnan"):
            return Val(f"brl_{name}({as_float(value)})", BOOL)
        return _simple(name, value)

    def _gcd(self, name: str, values: list[Val]) -> Val:
        if any(value.mask == FLOAT for value in values):
            return NEVER
        text = "0" if name == "gcd" else "1"
        for value in values:
            text = f"brl_{name}(c, {text}, {as_int(value)})"
        return Val(text, INT)

    def _math_one(self, name: str, value: Val) -> str:
        temp = self._owner.temp("double")
        arg = as_float(value)
        if name in _POSITIVE_ONLY:
            arg = f"brl_positive(c, {arg})"
        return f"({temp} = {arg}, brl_checked(c, brl_m_{name}({temp}), {temp}))"


def _narrow(text: str, mask: int) -> Val:
    """A field of a returned brl_n whose type is known after all."""
    if mask == FLOAT:
        return Val(f"{text}.f" if not text.startswith("(") else f"({text}).f", FLOAT)
    if mask in (0, BOOL, INT):
        return Val(f"({text}).i", mask)
    return Val(text, mask)


def _rounded(one: str, many: str, value: Val) -> Val:
    if value.mask == FLOAT:
        return Val(f"{one}(c, {value.c})", INT)
    if not value.mask & FLOAT:
        return Val(as_int(value), INT)
    return Val(f"{many}(c, {as_number(value)})", INT)


def _round_digits(value: Val, digits: Val) -> Val:
    if digits.mask == FLOAT:
        return NEVER
    if value.mask == FLOAT:
        return Val(f"brl_round_digits(c, {value.c}, {as_int(digits)})", FLOAT)
    return Val(f"brl_n_round_digits(c, {as_number(value)}, {as_int(digits)})", INT | FLOAT)


def _abs(value: Val) -> Val:
    if value.mask == FLOAT:
        return Val(f"brl_abs_f({value.c})", FLOAT)
    if not value.mask & FLOAT:
        return Val(f"brl_abs(c, {as_int(value)})", INT)
    return Val(f"brl_n_abs(c, {as_number(value)})", INT | FLOAT)


def _simple(name: str, value: Val) -> Val:
    if name == "fabs":
        return Val(f"brl_abs_f({as_float(value)})", FLOAT)
    if name in ("degrees", "radians"):
        factor = "0x1.ca5dc1a63c1f8p+5" if name == "degrees" else "0x1.1df46a2529d39p-6"
        return Val(f"({as_float(value)} * {factor})", FLOAT)
    if name == "trunc":
        return _rounded("brl_to_int", "brl_n_to_int", value)
    if value.mask == FLOAT:
        return Val(f"brl_to_int(c, brl_m_{name}({value.c}))", INT)
    if not value.mask & FLOAT:
        return Val(as_int(value), INT)
    return Val(f"brl_n_{name}(c, {as_number(value)})", INT)
