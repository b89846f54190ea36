"""C text with its type, and the conversions between the ways a number can be held in C.

A bool or int alone is an ``i64``, a float alone a ``double``; a number whose type is known only at run time is a
``brl_n``. A value of mask 0 is one that never comes to be (the call in it never returns): its text bails.
"""

from __future__ import annotations

from dataclasses import dataclass

from .types import BOOL, FLOAT, INT, NONE, Seq, is_single


@dataclass(frozen=True)
class Val:
    """One scalar expression."""

    c: str
    mask: int
    literal: int | None = None


@dataclass(frozen=True)
class TupleVal:
    """Several scalars side by side: only for unpacking and for return."""

    items: tuple[Val, ...]


@dataclass(frozen=True)
class SeqVal:
    """A sequence parameter, by the name of its C variable."""

    c: str
    kind: Seq


NEVER = Val("brl_bail_i(c)", 0)


def int_text(value: int) -> str:
    if value == -(2**63):
        return "BRL_MIN"
    text = str(abs(value)) + ("LL" if abs(value) > 2**31 - 1 else "")
    return f"(-{text})" if value < 0 else text


def float_text(value: float) -> str:
    if value != value:
        return '__builtin_nan("")'
    if value in (float("inf"), float("-inf")):
        return "__builtin_inf()" if value > 0 else "(-__builtin_inf())"
    text = repr(value) if abs(value) < 1e16 and value == round(value, 6) else value.hex()
    return f"({text})" if text.startswith("-") else text


def constant(value: bool | int | float) -> Val:
    if isinstance(value, bool):
        return Val(str(int(value)), BOOL, int(value))
    if isinstance(value, int):
        return Val(int_text(value), INT, value)
    return Val(float_text(value), FLOAT)


def as_int(value: Val) -> str:
    """As i64, for places where Python wants an int (bool counts); a float bails: Python raises TypeError there."""
    if value.mask in (0, BOOL, INT):
        return value.c
    if not value.mask & FLOAT:
        return f"({value.c}).i"
    if value.mask == FLOAT:
        return "brl_bail_i(c)"
    return f"brl_n_i(c, {value.c})"


def as_float(value: Val) -> str:
    """As double, rounded as float() rounds."""
    if value.mask == FLOAT:
        return value.c
    if value.literal is not None and abs(value.literal) <= 2**53:
        return float_text(float(value.literal))
    if is_single(value.mask) or value.mask == 0:
        return f"(double){_tight(value.c)}"
    return f"brl_n_f({value.c})"


def as_number(value: Val) -> str:
    """As brl_n, with its type beside it."""
    if value.mask == BOOL:
        return f"brl_nb({value.c})"
    if value.mask in (0, INT):
        return f"brl_ni({value.c})"
    if value.mask == FLOAT:
        return f"brl_nf({value.c})"
    return value.c


def truth(value: Val) -> str:
    """As a C condition."""
    if value.mask == BOOL:
        return value.c
    if value.mask in (0, INT):
        return f"{_tight(value.c)} != 0"
    if value.mask == FLOAT:
        return f"{_tight(value.c)} != 0.0"
    return f"brl_n_truth({value.c})"


def held_as(value: Val, mask: int) -> str:
    """The text of ``value`` in the representation of ``mask``, which has every bit that the value may have."""
    if mask == FLOAT:
        return value.c if value.mask == FLOAT else as_float(value)
    if mask in (0, BOOL, INT):
        return as_int(value)
    if value.mask == NONE:
        return "brl_none()"
    return as_number(value)


def ctype(mask: int) -> str:
    if mask == FLOAT:
        return "double"
    return "i64" if mask in (0, BOOL, INT) else "brl_n"


def _tight(text: str) -> str:
    return text if text.replace("_", "a").isalnum() or _enclosed(text) else f"({text})"


def _enclosed(text: str) -> bool:
    """Whether one pair of brackets, or one call, holds the whole text."""
    if not text.endswith(")"):
        return False
    start = text.find("(")
    if start and not text[:start].replace("_", "a").isalnum():
        return False
    depth = 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == ")" and depth == 0:
            return index == len(text) - 1
    return False
