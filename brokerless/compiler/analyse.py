"""The verdict: whether a function is inside the subset, and if not, the first reason and its line.

This looks at the shape of the code and at what its global names stand for; it knows nothing of argument types. What a
type can still forbid (a list that is assigned to, say) is found by ``emit`` for one signature and refused there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType
from typing import Any

from .errors import Refused, Verdict
from .names import Guards, Scope
from .source import Source, read, unwrap

_STATEMENTS = {
    ast.Try: "an exception is caught",
    ast.With: "a with statement",
    ast.AsyncWith: "an async statement",
    ast.AsyncFor: "an async statement",
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.Global: "it writes to a global variable",
    ast.Nonlocal: "it writes to a variable of an enclosing function",
    ast.Delete: "a del statement",
    ast.FunctionDef: "a function inside the function",
    ast.AsyncFunctionDef: "a function inside the function",
    ast.ClassDef: "a class inside the function",
    ast.Match: "a match statement",
}
_EXPRESSIONS = {
    ast.Dict: "it builds a dict",
    ast.DictComp: "it builds a dict",
    ast.Set: "it builds a set",
    ast.SetComp: "it builds a set",
    ast.List: "it builds a list",
    ast.ListComp: "it builds a list",
    ast.GeneratorExp: "a generator expression",
    ast.JoinedStr: "it builds a string",
    ast.Lambda: "a lambda",
    ast.Yield: "a generator",
    ast.YieldFrom: "a generator",
    ast.Await: "an async function",
    ast.NamedExpr: "an assignment inside an expression",
    ast.Starred: "a starred expression",
    ast.Slice: "a slice",
}
_PLAIN = (ast.If, ast.While, ast.Return, ast.Break, ast.Continue, ast.Pass, ast.Raise, ast.Assert)
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_BIT_OPERATORS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_MAX_LOOP_DEPTH = 8


def analyse(func: object, guards: Guards | None = None) -> Verdict:
    """Whether ``func`` can be compiled for some argument types. ``guards`` get what the answer rests on, but for the code
    of ``func`` itself."""
    refused = _refusal(func, guards or Guards())
    return Verdict(True) if refused is None else Verdict(False, refused.reason, refused.line)


def refusals(func: object) -> list[Refused]:
    """Why ``func`` stays in Python: what is refused in each of its statements, by line; empty for one that qualifies."""
    found: list[Refused] = []
    last = _refusal(func, Guards(), found)
    return found if last is None else [*found, last]


def _refusal(func: object, guards: Guards, found: list[Refused] | None = None) -> Refused | None:
    """What ends the look at ``func``; see ``check``."""
    try:
        check(unwrap(func), set(), guards, found)
    except Refused as refused:
        return refused
    except RecursionError:
        return Refused("its expressions are nested too deeply")
    return None


def has_work(func: object) -> bool:
    """Whether a single call can be long: it loops, or calls itself or others. Without that Python is as fast."""
    try:
        source = read(func)
        scope = Scope(source.func, Guards())
        for node in ast.walk(source.node):
            if isinstance(node, (ast.For, ast.While)):
                return True
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
                meaning = scope.resolve(node.func)
                if meaning.kind == "function" or meaning.value in ("sum", "min", "max"):
                    return True
    except Refused:
        pass
    return False


def check(func: object, seen: set[int], guards: Guards, found: list[Refused] | None = None) -> None:
    """Raises ``Refused`` for ``func`` or for a function that it calls; with ``found``, notes there what is refused in each
    of its own statements. ``seen``: functions that qualify, and those that are being looked at."""
    if id(func) in seen:
        return
    seen.add(id(func))
    try:
        _Walk(read(func), seen, guards, found).run()
    except Refused:
        seen.discard(id(func))  # whoever calls it once more is refused too
        raise


class _Walk:
    """Looks at every statement. It ends with the first refusal, or notes each in ``found`` and goes on."""

    def __init__(self, source: Source, seen: set[int], guards: Guards, found: list[Refused] | None = None) -> None:
        self._source = source
        self._found = found
        self._guards = guards
        self._scope = Scope(source.func, guards)
        self._seen = seen
        self._loops = 0

    def run(self) -> None:
        body = self._source.node.body
        for index, node in enumerate(body):
            if index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            self._part(self._statement, node)

    def _block(self, body: list[ast.stmt]) -> None:
        for node in body:
            self._part(self._statement, node)

    def _part(self, look: Callable[[Any], None], node: ast.AST) -> None:
        """What can be refused while the rest is still looked at."""
        try:
            look(node)
        except Refused as refused:
            if self._found is None:
                raise
            self._found.append(refused)

    def _statement(self, node: ast.stmt) -> None:
        reason = _STATEMENTS.get(type(node))
        if reason is not None:
            raise Refused(reason, node.lineno)
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._target(target)
            self._value(node.value)
        elif isinstance(node, ast.AugAssign):
            self._target(node.target)
            self._operator(node.op, node.lineno)
            self._expression(node.value)
        elif isinstance(node, ast.AnnAssign):
            self._target(node.target)
            if node.value is not None:
                self._expression(node.value)
        elif isinstance(node, ast.For):
            self._for(node)
        elif isinstance(node, ast.Expr):
            self._expression(node.value)
        elif isinstance(node, _PLAIN):
            self._plain(node)
        else:
            raise Refused(f"a {type(node).__name__.lower()} statement", node.lineno)

    def _plain(self, node: ast.stmt) -> None:
        if isinstance(node, (ast.If, ast.While)):
            self._part(self._expression, node.test)
            self._loops += isinstance(node, ast.While)
            self._part(self._loop_limit, node)
            self._block(node.body)
            self._loops -= isinstance(node, ast.While)
            self._block(node.orelse)
        elif isinstance(node, ast.Return) and node.value is not None:
            if not (isinstance(node.value, ast.Constant) and node.value.value is None):
                self._value(node.value)
        elif isinstance(node, ast.Assert):
            self._expression(node.test)
        # What raise does is left to Python: the compiled call stops there and is redone.

    def _loop_limit(self, node: ast.For | ast.While) -> None:
        if self._loops > _MAX_LOOP_DEPTH:
            raise Refused(f"more than {_MAX_LOOP_DEPTH} loops inside each other", node.lineno)

    def _for(self, node: ast.For) -> None:
        self._part(self._for_head, node)
        self._loops += 1
        self._part(self._loop_limit, node)
        self._block(node.body)
        self._loops -= 1
        self._block(node.orelse)

    def _for_head(self, node: ast.For) -> None:
        self._target(node.target)
        source = node.iter
        if isinstance(source, ast.Call):
            meaning = self._scope.resolve(source.func) if isinstance(source.func, (ast.Name, ast.Attribute)) else None
            if meaning is None or meaning.value not in ("range", "enumerate"):
                raise Refused("a for loop over something other than range(), enumerate() or a parameter", node.lineno)
            self._call_arguments(source)
            for arg in source.args:
                self._expression(arg)
        elif not (isinstance(source, ast.Name) and source.id in self._source.params):
            raise Refused("a for loop over something other than range(), enumerate() or a parameter", node.lineno)

    def _target(self, node: ast.expr) -> None:
        if isinstance(node, ast.Name):
            return
        if isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                if not isinstance(item, ast.Name):
                    raise Refused("unpacking into something other than plain names", item.lineno)
            return
        if isinstance(node, ast.Subscript):
            raise Refused("it assigns to an element", node.lineno)
        if isinstance(node, ast.Attribute):
            raise Refused("it assigns to an attribute", node.lineno)
        raise Refused("an assignment to something other than plain names", node.lineno)

    def _value(self, node: ast.expr) -> None:
        """An expression at a place where a tuple of scalars is allowed too."""
        if isinstance(node, ast.Tuple):
            for item in node.elts:
                self._expression(item)
        else:
            self._expression(node)

    def _operator(self, op: ast.operator, line: int) -> None:
        if not isinstance(op, (*_OPERATORS, *_BIT_OPERATORS)):
            raise Refused("the operator @", line)

    def _expression(self, node: ast.expr) -> None:
        reason = _EXPRESSIONS.get(type(node))
        if reason is not None:
            raise Refused(reason, node.lineno)
        if isinstance(node, ast.Constant):
            self._constant(node)
        elif isinstance(node, ast.Name):
            if node.id not in self._source.locals:
                self._global(node)
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id in self._source.locals:
                raise Refused(f"{ast.unparse(node)}: attributes are not compiled", node.lineno)
            if self._scope.resolve(node).kind != "constant":
                raise Refused(f"{ast.unparse(node)} is used as a value", node.lineno)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Subscript):
            if not isinstance(node.value, ast.Name) or node.value.id not in self._source.params:
                raise Refused("indexing something other than a parameter", node.lineno)
            self._expression(node.slice)
        else:
            self._compound(node)

    def _constant(self, node: ast.Constant) -> None:
        value = node.value
        if type(value) not in (bool, int, float):
            name = "None" if value is None else type(value).__name__
            raise Refused(f"a {name} is used as a value", node.lineno)
        if type(value) is int and value > 2**63:
            raise Refused("a number of more than 64 bits", node.lineno)

    def _global(self, node: ast.Name) -> None:
        meaning = self._scope.resolve(node)
        if meaning.kind != "constant":
            raise Refused(f"{node.id} is used as a value", node.lineno)

    def _compound(self, node: ast.expr) -> None:
        if isinstance(node, ast.BinOp):
            self._operator(node.op, node.lineno)
            children = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            children = [node.operand]
        elif isinstance(node, ast.BoolOp):
            children = node.values
        elif isinstance(node, ast.IfExp):
            children = [node.test, node.body, node.orelse]
        elif isinstance(node, ast.Compare):
            for op in node.ops:
                if not isinstance(op, _COMPARISONS):
                    raise Refused("a comparison with is, is not, in or not in", node.lineno)
            children = [node.left, *node.comparators]
        elif isinstance(node, ast.Tuple):
            raise Refused("a tuple is used as a value", node.lineno)
        else:
            raise Refused(f"{type(node).__name__} is not compiled", node.lineno)
        for child in children:
            self._expression(child)

    def _call_arguments(self, node: ast.Call) -> None:
        if node.keywords:
            raise Refused("a call with keyword arguments", node.lineno)
        for arg in node.args:
            if isinstance(arg, ast.Starred):
                raise Refused("a call with *arguments", node.lineno)

    def _call(self, node: ast.Call) -> None:
        func = node.func
        if isinstance(func, ast.Name) and func.id in self._source.locals:
            raise Refused(f"{func.id} is a local variable that is called", node.lineno)
        if not isinstance(func, (ast.Name, ast.Attribute)):
            raise Refused("a call of something other than a name", node.lineno)
        if (
            isinstance(func, ast.Attribute)
            and isinstance(func.value, ast.Name)
            and func.value.id in self._source.locals
        ):
            raise Refused(f"the method {func.value.id}.{func.attr}()", node.lineno)
        if isinstance(func, ast.Attribute) and not isinstance(func.value, ast.Name):
            raise Refused(f"the method .{func.attr}()", node.lineno)
        meaning = self._scope.resolve(func)
        self._call_arguments(node)
        if meaning.kind in ("constant", "module"):
            raise Refused(f"{ast.unparse(func)} is called and is not a function", node.lineno)
        if meaning.value in ("range", "enumerate") and meaning.kind == "builtin":
            raise Refused(f"{meaning.value}() outside a for statement", node.lineno)
        if meaning.kind == "function":
            self._callee(meaning.value, node)
        for arg in node.args:
            self._expression(arg)

    def _callee(self, func: FunctionType, node: ast.Call) -> None:
        try:
            check(func, self._seen, self._guards)
        except Refused as refused:
            where = f" (its line {refused.line})" if refused.line else ""
            raise Refused(
                f"it calls {func.__name__}(), which stays in Python: {refused.reason}{where}", node.lineno
            ) from None
