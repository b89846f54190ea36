"""Comparing a compiled call with the interpreter's: value, type, exception class and message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from brokerless.compiler.variant import Variant


def outcome(call: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] = MappingProxyType({})) -> str:
    try:
        result = call(*args, **kwargs)
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"
    return f"gives {typed(result)}"


def typed(value: Any) -> str:
    """repr tells -0.0 from 0.0 and prints enough digits to tell any two floats apart."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(typed, value)) + ")"
    return f"{type(value).__name__} {value!r}"


def assert_same(variant: Variant, rows: Iterable[tuple[Any, ...]], native: int | None = None) -> None:
    """Every row gives what Python gives; at least ``native`` of them without Python's help."""
    before = variant.native_calls
    for row in rows:
        expected, got = outcome(variant.func, row), outcome(variant.call, row)
        assert got == expected, f"{variant.func.__name__}{row!r}"
    if native is not None:
        assert variant.native_calls - before >= native
