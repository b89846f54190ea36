"""What a name that is not a local stands for: a constant, a function of math, a builtin, or another function.

Every answer leaves a guard behind. The guards of a compiled variant are checked before each call, so a module constant
or a callee that is bound to something else afterwards invalidates the variant instead of changing a result.
"""

from __future__ import annotations

import ast
import builtins
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CellType, FunctionType, ModuleType
from typing import Any

from .cruntime import MATH_ONE
from .errors import Refused
from .source import unwrap

_INT_FUNCTIONS = ("ceil", "floor", "trunc", "gcd", "lcm", "isqrt", "factorial", "isfinite", "isinf", "isnan")
_FLOAT_FUNCTIONS = ("fabs", "fmod", "pow", "atan2", "copysign", "degrees", "radians")
MATH_FUNCTIONS = frozenset((*MATH_ONE, *_INT_FUNCTIONS, *_FLOAT_FUNCTIONS))
MATH_CONSTANTS = frozenset(("pi", "e", "tau", "inf", "nan"))
BUILTINS = frozenset(
    ["abs", "bool", "divmod", "enumerate", "float", "int", "len", "max", "min", "pow", "range", "round", "sum"]
)

_MATH_BY_ID: dict[int, str] = {id(getattr(math, name)): name for name in MATH_FUNCTIONS}
_BUILTIN_BY_ID: dict[int, str] = {id(getattr(builtins, name)): name for name in BUILTINS}


@dataclass(frozen=True)
class Meaning:
    """``kind`` is constant, math, builtin, function or module; ``value`` the constant, the name or the object."""

    kind: str
    value: Any


@dataclass
class Guards:
    """What has to stay as it was. Each entry is (holder, key, expected object) or a function's code and defaults."""

    items: dict[tuple[int, str], tuple[dict[str, Any], str, Any]] = field(default_factory=dict)
    absent: dict[tuple[int, str], tuple[dict[str, Any], str]] = field(default_factory=dict)
    cells: dict[int, tuple[CellType, Any]] = field(default_factory=dict)
    functions: dict[int, tuple[FunctionType, Any, Any, Any]] = field(default_factory=dict)
    _check: Callable[[], bool] | None = None

    def watch(self, holder: dict[str, Any], key: str, value: Any) -> None:
        self.items[(id(holder), key)] = (holder, key, value)

    def miss(self, holder: dict[str, Any], key: str) -> None:
        self.absent[(id(holder), key)] = (holder, key)

    def watch_function(self, func: FunctionType) -> None:
        self.functions[id(func)] = (func, func.__code__, func.__defaults__, func.__kwdefaults__)

    def hold(self) -> bool:
        """Whether everything still holds. What asks for it is made at the first call: many are never asked."""
        if self._check is None:
            self._check = self.checker()
        return self._check()

    def condition(self, space: dict[str, Any], *, by_address: bool = False) -> str:
        """A Python expression that is true while everything holds, over names that it adds to ``space``; it may raise
        ``KeyError`` or ``ValueError`` where something is gone. Always true when nothing is watched.

        ``by_address``: values are told by their address and not kept, so an object that took the place of another may be
        taken for it.
        """
        terms: list[str] = []

        def bind(value: Any) -> str:
            name = f"v{len(space)}"
            space[name] = value
            return name

        def same(place: str, value: Any) -> str:
            return f"{bind(id)}({place}) == {id(value)}" if by_address else f"{place} is {bind(value)}"

        for holder, key, value in self.items.values():
            terms.append(same(f"{bind(holder)}[{key!r}]", value))
        for holder, key in self.absent.values():
            terms.append(f"{key!r} not in {bind(holder)}")
        for cell, value in self.cells.values():
            terms.append(same(f"{bind(cell)}.cell_contents", value))
        for func, code, defaults, kwdefaults in self.functions.values():
            name = bind(func)
            terms.append(f"{name}.__code__ is {bind(code)}")
            terms.append(f"{name}.__defaults__ is {bind(defaults)}")
            terms.append(f"{name}.__kwdefaults__ is {bind(kwdefaults)}")
        return " and ".join(terms) or "True"

    def checker(self, *, by_address: bool = False) -> Callable[[], bool]:
        """A function that says whether everything still holds, written out for speed; see ``condition``."""
        space: dict[str, Any] = {"__builtins__": {"KeyError": KeyError, "ValueError": ValueError}}
        condition = self.condition(space, by_address=by_address)
        exec(
            f"def check():\n try:\n  return {condition}\n except (KeyError, ValueError):\n  return False\n",
            space,
        )
        return space["check"]  # type: ignore[no-any-return]


class Scope:
    """Looks names up for one function as the interpreter would: enclosing cells, globals, builtins."""

    def __init__(self, func: FunctionType, guards: Guards) -> None:
        self._globals = func.__globals__
        self._builtins: dict[str, Any] = vars(builtins)
        own = func.__globals__.get("__builtins__", builtins)
        if isinstance(own, ModuleType):
            own = vars(own)
        if isinstance(own, dict):
            self._builtins = own
        self._cells = dict(zip(func.__code__.co_freevars, func.__closure__ or (), strict=True))
        self._guards = guards

    def resolve(self, node: ast.expr) -> Meaning:
        """The meaning of a name, or of ``module.name`` for the math module."""
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        assert isinstance(node, ast.Name)
        return self._classify(self._lookup(node), node.id, node.lineno)

    def _lookup(self, node: ast.Name) -> Any:
        name = node.id
        if name in self._cells:
            cell = self._cells[name]
            try:
                value = cell.cell_contents
            except ValueError:
                self._guards.cells[id(cell)] = (cell, None)  # whatever value it gets ends this
                raise Refused(f"the enclosing variable {name!r} has no value yet", node.lineno) from None
            self._guards.cells[id(cell)] = (cell, value)
            return value
        if name in self._globals:
            value = self._globals[name]
            self._guards.watch(self._globals, name, value)
            return value
        if name in self._builtins:
            value = self._builtins[name]
            self._guards.watch(self._builtins, name, value)
            self._guards.miss(self._globals, name)
            return value
        self._guards.miss(self._globals, name)
        self._guards.miss(self._builtins, name)
        raise Refused(f"the name {name!r} is not defined", node.lineno)

    def _attribute(self, node: ast.Attribute) -> Meaning:
        if not isinstance(node.value, ast.Name):
            raise Refused("an attribute of something that is not a module", node.lineno)
        owner = self._lookup(node.value)
        if owner is not math:
            what = f"{node.value.id}.{node.attr}"
            if isinstance(owner, ModuleType):
                raise Refused(f"{what}: of the modules only math is compiled", node.lineno)
            raise Refused(f"{what}: attributes are not compiled", node.lineno)
        if node.attr not in vars(math):
            self._guards.miss(vars(math), node.attr)
            raise Refused(f"math has no {node.attr!r}", node.lineno)
        value = vars(math)[node.attr]
        self._guards.watch(vars(math), node.attr, value)
        return self._classify(value, f"math.{node.attr}", node.lineno)

    def _classify(self, value: Any, name: str, line: int) -> Meaning:
        if type(value) in (bool, int, float):
            if type(value) is int and not -(2**63) <= value < 2**63:
                raise Refused(f"the constant {name} needs more than 64 bits", line)
            return Meaning("constant", value)
        if id(value) in _MATH_BY_ID:
            return Meaning("math", _MATH_BY_ID[id(value)])
        if id(value) in _BUILTIN_BY_ID:
            return Meaning("builtin", _BUILTIN_BY_ID[id(value)])
        if value is math:
            return Meaning("module", value)
        plain = unwrap(value)
        if isinstance(plain, FunctionType):
            self._guards.watch_function(plain)
            return Meaning("function", plain)
        raise Refused(describe(value, name), line)


def describe(value: Any, name: str) -> str:
    """Why a global that is none of the known kinds keeps its function in Python."""
    module = getattr(value, "__module__", None)
    if name.startswith("math.") or module == "math":
        return f"{name} is not among the compiled functions of math (see docs/compilation.md)"
    if getattr(builtins, getattr(value, "__name__", ""), None) is value:
        return f"{name}() is not compiled" + (": it does I/O" if name in ("print", "open", "input") else "")
    if isinstance(value, (list, dict, set, bytearray)):
        return f"{name} is a {type(value).__name__} outside the function: it can change between calls"
    if isinstance(value, ModuleType):
        return f"{name} is a module: of the modules only math is compiled"
    if isinstance(value, type):
        return f"{name} is a class"
    if callable(value):
        where = f" of {module}" if isinstance(module, str) and module in sys.modules else ""
        return f"{name}{where} is not a plain Python function"
    return f"{name} is a {type(value).__name__}: only int, float and bool constants are compiled"
