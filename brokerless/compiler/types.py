"""The types that compiled code knows, and how a Python value or an annotation maps to one.

A scalar type is a bit mask, so that a variable that holds an int on one path and a float on another has a type too
(``INT | FLOAT``). Parameters are always a single bit or a ``Seq``. Nothing here emits C or looks at source text.
"""

from __future__ import annotations

import array
import sys
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeAlias

BOOL, INT, FLOAT, NONE, UNBOUND = 1, 2, 4, 8, 16
NUMBER = BOOL | INT | FLOAT

_MASK_NAMES = {BOOL: "bool", INT: "int", FLOAT: "float", NONE: "None", UNBOUND: "unbound"}

# Element codes (those of array.array and struct) → C type and the Python type that indexing gives.
ELEMENTS: dict[str, tuple[str, int]] = {
    "?": ("unsigned char", BOOL),
    "b": ("signed char", INT),
    "B": ("unsigned char", INT),
    "h": ("short", INT),
    "H": ("unsigned short", INT),
    "i": ("int", INT),
    "I": ("unsigned int", INT),
    "l": ("long", INT),
    "L": ("unsigned long", INT),
    "q": ("long long", INT),
    "Q": ("unsigned long long", INT),
    "f": ("float", FLOAT),
    "d": ("double", FLOAT),
}


@dataclass(frozen=True)
class Seq:
    """A one-dimensional parameter: ``kind`` is list, tuple, bytes, array, memoryview or numpy; ``code`` the element."""

    kind: str
    code: str

    @property
    def ctype(self) -> str:
        return ELEMENTS[self.code][0]

    @property
    def item(self) -> int:
        return ELEMENTS[self.code][1]

    @property
    def boxed(self) -> bool:
        """Whether the elements are Python objects that have to be copied out."""
        return self.kind in ("list", "tuple")


Type: TypeAlias = "int | Seq"
Signature = tuple[Type, ...]

LIST_INT, LIST_FLOAT = Seq("list", "q"), Seq("list", "d")
TUPLE_INT, TUPLE_FLOAT = Seq("tuple", "q"), Seq("tuple", "d")
BYTES = Seq("bytes", "B")

_SCALARS: dict[type, int] = {bool: BOOL, int: INT, float: FLOAT}
_BOXED = {(list, int): LIST_INT, (list, float): LIST_FLOAT, (tuple, int): TUPLE_INT, (tuple, float): TUPLE_FLOAT}


def mask_name(mask: int) -> str:
    """``INT | FLOAT`` → "int | float"."""
    return " | ".join(name for bit, name in _MASK_NAMES.items() if mask & bit) or "never"


def type_name(kind: Type) -> str:
    """How a parameter type is shown to the user."""
    if isinstance(kind, int):
        return mask_name(kind)
    if kind.kind in ("list", "tuple"):
        inner = mask_name(kind.item)
        return f"list[{inner}]" if kind.kind == "list" else f"tuple[{inner}, ...]"
    return "bytes" if kind.kind == "bytes" else f"{kind.kind}({kind.code!r})"


def signature_name(signature: Sequence[Type]) -> str:
    return "(" + ", ".join(type_name(kind) for kind in signature) + ")"


def is_single(mask: int) -> bool:
    """Whether the mask is exactly one of bool, int, float: such a value lives in a plain C variable."""
    return mask in (BOOL, INT, FLOAT)


def of_value(value: object) -> Type | None:
    """The type of one argument, or None when compiled code cannot take it. Only exact classes count.

    For a list or tuple only the first element is looked at; the copy checks the others.
    """
    cls = type(value)
    scalar = _SCALARS.get(cls)
    if scalar is not None:
        return scalar
    if cls is list or cls is tuple:
        items = typing.cast("Sequence[object]", value)
        return _BOXED.get((cls, type(items[0]) if items else int))
    if cls is bytes:
        return BYTES
    if cls is array.array:
        value = typing.cast("array.array[Any]", value)
        return Seq("array", value.typecode) if value.typecode in ELEMENTS else None
    return _of_memoryview(value) if cls is memoryview else _of_numpy(value)


def _of_memoryview(value: Any) -> Seq | None:
    try:
        code = value.format.removeprefix("@")
        plain = value.ndim == 1 and value.c_contiguous and code in ELEMENTS
    except ValueError:
        return None  # it was released: the function may never look at it
    return Seq("memoryview", code) if plain else None


def _of_numpy(value: Any) -> Seq | None:
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray:
        return None
    dtype = value.dtype
    if value.ndim != 1 or not value.flags.c_contiguous or not value.flags.aligned or not dtype.isnative:
        return None
    return Seq("numpy", dtype.char) if dtype.char in ELEMENTS else None


def of_annotation(annotation: object) -> Type | None:
    """The type that an annotation promises, or None when it says nothing that helps."""
    if isinstance(annotation, type) and annotation in _SCALARS:
        return _SCALARS[annotation]
    if annotation is bytes:
        return BYTES
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list and len(args) == 1:
        return _BOXED.get((list, args[0]))
    if origin is tuple and args and all(arg in (args[0], Ellipsis) for arg in args):
        return _BOXED.get((tuple, args[0]))
    return None


def of_annotations(func: FunctionType) -> Signature | None:
    """The signature that the annotations promise, when they name a known type for every parameter."""
    try:
        hints = typing.get_type_hints(func)
    except Exception:
        # Annotations are arbitrary code or names that are not there yet: then the first call decides.
        return None
    code = func.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    kinds = [of_annotation(hints.get(name)) for name in names]
    return None if None in kinds else tuple(kind for kind in kinds if kind is not None)
