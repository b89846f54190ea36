"""Expressions: from a syntax node to C text and its type.

Every expression of the subset is free of side effects, so the order in which C evaluates operands cannot be seen: the
only thing that can happen besides a value is that the call bails, and then Python does all of it again in its order.
Calls are in ``calls``; statements in ``emit``.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

from .calls import Calls
from .errors import Refused
from .linear import linear
from .types import BOOL, FLOAT, INT, NUMBER, UNBOUND, Seq, is_single
from .values import (
    NEVER,
    SeqVal,
    TupleVal,
    Val,
    as_float,
    as_int,
    as_number,
    constant,
    ctype,
    held_as,
    truth,
)

if TYPE_CHECKING:
    from .emit import FunctionEmitter

_ARITHMETIC = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.FloorDiv: "floordiv", ast.Mod: "mod"}
_WRAPPING = ("add", "sub", "mul")
_FLOAT_TEXT = {"add": "({} + {})", "sub": "({} - {})", "mul": "({} * {})"}
_FLOAT_CALL = {"floordiv": "brl_ffloordiv(c, {}, {})", "mod": "brl_fmod(c, {}, {})"}
_BITS = {ast.BitAnd: ("and", "&"), ast.BitOr: ("or", "|"), ast.BitXor: ("xor", "^")}
_COMPARE = {
    ast.Lt: ("lt", "<"),
    ast.LtE: ("le", "<="),
    ast.Gt: ("gt", ">"),
    ast.GtE: ("ge", ">="),
    ast.Eq: ("eq", "=="),
    ast.NotEq: ("ne", "!="),
}
# From 3.12 on ~ of a bool gives a DeprecationWarning, which is Python's to give.
_INVERT_BOOL_WARNS = sys.version_info >= (3, 12)


class Expressions:
    """Compiles expressions for one ``FunctionEmitter``."""

    def __init__(self, owner: FunctionEmitter) -> None:
        self._owner = owner
        self._calls = Calls(owner, self)

    def scalar(self, node: ast.expr) -> Val:
        value = self.value(node)
        if isinstance(value, TupleVal):
            raise Refused("a tuple is used as a value", node.lineno)
        # None as an operand is Python's TypeError.
        return value if value.mask & NUMBER else NEVER

    def value(self, node: ast.expr) -> Val | TupleVal:
        """An expression; a tuple only from a tuple display, divmod() or a call that returns one."""
        if isinstance(node, ast.Constant):
            return self._constant(node.value, node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Attribute):
            return constant(self._owner.scope.resolve(node).value)
        if isinstance(node, ast.BinOp):
            return self.binary(node.op, self.scalar(node.left), self.scalar(node.right))
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BoolOp):
            return self._bool_op(node)
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.IfExp):
            return self._choice(node)
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.Call):
            return self._calls.call(node)
        if isinstance(node, ast.Tuple):
            return TupleVal(tuple(self.scalar(item) for item in node.elts))
        raise Refused(f"{type(node).__name__} is not compiled", node.lineno)

    def condition(self, node: ast.expr) -> str:
        """The truth of an expression; a sequence is true when it is not empty."""
        sequence = self._owner.sequence(node)
        if sequence is not None:
            if sequence.kind.kind == "numpy":
                raise Refused("the truth of a NumPy array", node.lineno)
            return f"{sequence.c}.n != 0"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"(!({self.condition(node.operand)}))"
        if isinstance(node, ast.BoolOp):
            joint = " && " if isinstance(node.op, ast.And) else " || "
            return "(" + joint.join(f"({self.condition(item)})" for item in node.values) + ")"
        return truth(self.scalar(node))

    def _constant(self, value: object, node: ast.expr) -> Val:
        if isinstance(value, (bool, int, float)):
            if isinstance(value, int) and value >= 2**63:
                return NEVER
            return constant(value)
        raise Refused(f"a {type(value).__name__} is used as a value", node.lineno)

    def _name(self, node: ast.Name) -> Val:
        owner = self._owner
        if node.id not in owner.source.locals:
            return constant(owner.scope.resolve(node).value)
        kind = owner.env_type(node.id)
        if isinstance(kind, Seq):
            raise Refused(f"{node.id} is a sequence and is used as a value", node.lineno)
        if not kind & NUMBER:
            return NEVER
        if kind & UNBOUND:
            owner.need_flag(node.id)
            return owner.read(node.id, kind & NUMBER, check=True)
        return owner.read(node.id, kind)

    def binary(self, op: ast.operator, left: Val, right: Val) -> Val:
        if not left.mask:
            return left
        if not right.mask:
            return right
        name = _ARITHMETIC.get(type(op))
        if name is not None:
            return self._arithmetic(name, left, right)
        if isinstance(op, ast.Div):
            return self._true_division(left, right)
        if isinstance(op, ast.Pow):
            return self.power(left, right)
        if left.mask == FLOAT or right.mask == FLOAT:
            return NEVER
        if isinstance(op, (ast.LShift, ast.RShift)):
            name = "lshift" if isinstance(op, ast.LShift) else "rshift"
            return Val(f"brl_{name}(c, {as_int(left)}, {as_int(right)})", INT)
        return self._bits(*_BITS[type(op)], left, right)

    def _arithmetic(self, name: str, left: Val, right: Val) -> Val:
        if not (left.mask | right.mask) & FLOAT:
            shortcut = _power_of_two(name, left, right)
            if shortcut is not None:
                return shortcut
            return Val(f"brl_{name}(c, {as_int(left)}, {as_int(right)})", INT)
        if left.mask == FLOAT or right.mask == FLOAT:
            text = _FLOAT_TEXT.get(name) or _FLOAT_CALL[name]
            return Val(text.format(as_float(left), as_float(right)), FLOAT)
        return Val(f"brl_n_{name}(c, {as_number(left)}, {as_number(right)})", INT | FLOAT)

    def _true_division(self, left: Val, right: Val) -> Val:
        if not (left.mask | right.mask) & FLOAT:
            return Val(f"brl_truediv(c, {as_int(left)}, {as_int(right)})", FLOAT)
        if left.mask == FLOAT or right.mask == FLOAT:
            return Val(f"brl_fdiv(c, {as_float(left)}, {as_float(right)})", FLOAT)
        return Val(f"brl_n_truediv(c, {as_number(left)}, {as_number(right)})", FLOAT)

    def power(self, left: Val, right: Val) -> Val:
        if not left.mask or not right.mask:
            return NEVER
        if left.mask == FLOAT or right.mask == FLOAT:
            return Val(f"brl_fpow(c, {as_float(left)}, {as_float(right)})", FLOAT)
        whole = not (left.mask | right.mask) & FLOAT
        if whole and (right.mask == BOOL or (right.literal is not None and right.literal >= 0)):
            return Val(f"brl_ipow(c, {as_int(left)}, {as_int(right)})", INT)
        return Val(f"brl_n_pow(c, {as_number(left)}, {as_number(right)})", INT | FLOAT)

    def _bits(self, name: str, symbol: str, left: Val, right: Val) -> Val:
        if left.mask == BOOL and right.mask == BOOL:
            return Val(f"({left.c} {symbol} {right.c})", BOOL)
        if INT in (left.mask, right.mask):
            return Val(f"({as_int(left)} {symbol} {as_int(right)})", INT)
        return Val(f"brl_n_{name}(c, {as_number(left)}, {as_number(right)})", BOOL | INT)

    def _unary(self, node: ast.UnaryOp) -> Val:
        if isinstance(node.op, ast.Not):
            return Val(f"(!({self.condition(node.operand)}))", BOOL)
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            value = node.operand.value
            if isinstance(value, (int, float)) and not (type(value) is int and value > 2**63):
                return constant(-value)
        value_ = self.scalar(node.operand)
        if not value_.mask:
            return value_
        if isinstance(node.op, ast.Invert):
            return self._invert(value_)
        negate = isinstance(node.op, ast.USub)
        if value_.mask == FLOAT:
            return Val(f"(-{value_.c})", FLOAT) if negate else value_
        if not value_.mask & FLOAT:
            return Val(f"brl_neg(c, {as_int(value_)})" if negate else as_int(value_), INT)
        number = as_number(value_)
        return Val(f"brl_n_neg(c, {number})" if negate else f"brl_n_pos({number})", INT | FLOAT)

    def _invert(self, value: Val) -> Val:
        if value.mask == FLOAT or (value.mask == BOOL and _INVERT_BOOL_WARNS):
            return NEVER
        if value.mask & BOOL and _INVERT_BOOL_WARNS:
            temp = self._owner.temp("brl_n")
            bad = f"({temp} = {as_number(value)}, {temp}.t != BRL_I)"
            return Val(f"({bad} ? brl_bail_i(c) : ~{temp}.i)", INT)
        return Val(f"(~{as_int(value)})", INT)

    def _bool_op(self, node: ast.BoolOp) -> Val:
        values = [self.scalar(item) for item in node.values]
        if not values[0].mask:
            return values[0]
        live = [value for value in values if value.mask]
        mask = 0
        for value in live:
            mask |= value.mask
        both = isinstance(node.op, ast.And)
        if mask == BOOL and len(live) == len(values):
            joint = " && " if both else " || "
            return Val("(" + joint.join(f"({value.c})" for value in values) + ")", BOOL)
        text = held_as(values[-1], mask)
        for value in reversed(values[:-1]):
            temp = self._owner.temp(ctype(mask))
            kept = Val(temp, mask)
            test = f"({temp} = {held_as(value, mask)}, {truth(kept)})"
            text = f"({test} ? {text} : {temp})" if both else f"({test} ? {temp} : {text})"
        return Val(text, mask)

    def _compare(self, node: ast.Compare) -> Val:
        left = self.scalar(node.left)
        terms: list[str] = []
        for index, (op, right_node) in enumerate(zip(node.ops, node.comparators, strict=True)):
            right = self.scalar(right_node)
            if index < len(node.ops) - 1 and right.mask and right.literal is None:
                # The middle of a chain is used twice and must be worked out once.
                temp = self._owner.temp(ctype(right.mask))
                terms.append(self.compare(op, left, Val(f"({temp} = {right.c})", right.mask)))
                right = Val(temp, right.mask)
            else:
                terms.append(self.compare(op, left, right))
            left = right
        if len(terms) == 1:
            return Val(terms[0], BOOL)
        return Val("(" + " && ".join(terms) + ")", BOOL)

    def compare(self, op: ast.cmpop, left: Val, right: Val) -> str:
        name, symbol = _COMPARE[type(op)]
        if not left.mask or not right.mask:
            return "(brl_bail_i(c) != 0)"
        if not (left.mask | right.mask) & FLOAT:
            return f"({as_int(left)} {symbol} {as_int(right)})"
        if left.mask == FLOAT and right.mask == FLOAT:
            return f"({left.c} {symbol} {right.c})"
        if is_single(left.mask) and is_single(right.mask):
            return f"({_exact(left)} {symbol} {_exact(right)})"
        return f"brl_n_{name}(c, {as_number(left)}, {as_number(right)})"

    def _choice(self, node: ast.IfExp) -> Val:
        short = self.short_choice(node.test, node.body, node.orelse)
        if short is not None:
            return short
        test = self.condition(node.test)
        yes, no = self.scalar(node.body), self.scalar(node.orelse)
        mask = yes.mask | no.mask
        literal = yes.literal if yes.literal == no.literal and yes.mask == no.mask else None
        return Val(f"({test} ? {held_as(yes, mask)} : {held_as(no, mask)})", mask, literal)

    def short_choice(self, test: ast.expr, body: ast.expr, orelse: ast.expr) -> Val | None:
        """A conditional between two short int expressions without a jump, which a branch predictor could miss."""
        counts = _operations(body), _operations(orelse)
        if None in counts or counts == (0, 0):
            return None
        over_yes, over_no = self._owner.temp("i64"), self._owner.temp("i64")
        yes, no = self._noting(body, over_yes), self._noting(orelse, over_no)
        if yes is None or no is None:
            return None
        choice, first, second = (self._owner.temp("i64") for _ in range(3))
        steps = [
            f"{choice} = ({self.condition(test)}) != 0",
            f"{over_yes} = 0",
            f"{over_no} = 0",
            f"{first} = {yes}",
            f"{second} = {no}",
            f"brl_choose(c, {choice}, {first}, {second}, {over_yes}, {over_no})",
        ]
        return Val("(" + ", ".join(steps) + ")", INT)

    def _noting(self, node: ast.expr, over: str) -> str | None:
        """The text of a short int expression that notes an overflow instead of bailing; None if it is not all int."""
        if isinstance(node, ast.BinOp):
            line = linear(node)
            if line is not None:
                base = self._noting(line.base, over)
                return None if base is None else f"brl_w_linear({base}, {line.arguments()}, &{over})"
            left, right = self._noting(node.left, over), self._noting(node.right, over)
            if left is None or right is None:
                return None
            name = _ARITHMETIC[type(node.op)]
            if name in _WRAPPING:
                return f"brl_w_{name}({left}, {right}, &{over})"
            divisor = node.right.value if isinstance(node.right, ast.Constant) else None
            literal = divisor if type(divisor) is int else None
            shortcut = _power_of_two(name, Val(left, INT), Val(right, INT, literal))
            return shortcut.c if shortcut is not None else None
        value = self.scalar(node)
        # A bail in the arm that is not taken would send good calls to Python.
        return value.c if value.mask == INT and "brl_bail" not in value.c else None

    def _subscript(self, node: ast.Subscript) -> Val:
        sequence = self._owner.sequence(node.value)
        if sequence is None:
            raise Refused("indexing something other than a sequence parameter", node.lineno)
        self.plain_elements(sequence, node)
        index = self.scalar(node.slice)
        if not index.mask:
            return index
        return self.element(sequence, f"brl_at(c, {as_int(index)}, {sequence.c}.n)")

    def plain_elements(self, sequence: SeqVal, node: ast.expr | ast.stmt) -> None:
        if sequence.kind.kind == "numpy":
            raise Refused(
                "an element of a NumPy array is a NumPy scalar, not an int or float: wrap it in int() or float(), "
                "or pass memoryview(array)",
                node.lineno,
            )

    def element(self, sequence: SeqVal, index: str) -> Val:
        """An element at a checked index."""
        kind = sequence.kind
        text = f"((const {kind.ctype} *){sequence.c}.p)[{index}]"
        if kind.item == FLOAT:
            return Val(f"(double){text}" if kind.code == "f" else text, FLOAT)
        if kind.item == BOOL:
            return Val(f"({text} != 0)", BOOL)
        if kind.code in ("L", "Q"):
            return Val(f"brl_from_u64(c, {text})", INT)
        return Val(text if kind.code == "q" else f"(i64){text}", INT)


def _operations(node: ast.expr) -> int | None:
    """How many operations a short int expression has; None for any other expression."""
    if isinstance(node, ast.BinOp):
        if type(node.op) not in _ARITHMETIC:
            return None
        left, right = _operations(node.left), _operations(node.right)
        count = None if left is None or right is None else left + right + 1
        return count if count is not None and count <= 3 else None
    short = isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and type(node.value) is int)
    return 0 if short else None


def _exact(value: Val) -> str:
    if value.mask == FLOAT or (value.literal is not None and abs(value.literal) <= 2**53):
        return as_float(value)
    return f"brl_exact(c, {value.c})"


def _power_of_two(name: str, left: Val, right: Val) -> Val | None:
    """Floor division and modulo by 2, 4, 8 …: Python's rounding is exactly a shift and a mask."""
    base = right.literal
    if name not in ("floordiv", "mod") or base is None or base < 1 or base & (base - 1):
        return None
    if name == "mod":
        return Val(f"({as_int(left)} & {base - 1})", INT)
    # A literal or a comparison alone would be a C int, too narrow for the shift.
    return Val(f"((i64)({as_int(left)}) >> {base.bit_length() - 1})", INT)
