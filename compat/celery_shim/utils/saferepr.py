"""``saferepr``: a repr that is cut in length and depth and survives cycles and broken objects.

It walks containers itself and closes every bracket that it opened, also when it stops early.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Iterator
from itertools import chain
from numbers import Number
from typing import Any, NamedTuple

from .lean import is_instance
from .text import truncate

__all__ = ("reprstream", "saferepr")


class _literal(NamedTuple):
    """Punctuation; ``direction`` counts brackets."""

    value: str
    truncate: bool
    direction: int


class _key(NamedTuple):
    value: Any


class _quoted(NamedTuple):
    value: Any


class _left(NamedTuple):
    """Mark in the stream: the container with this id is done."""

    objid: int


_SEPARATOR = _literal(", ", True, 0)
_COLON = _literal(": ", True, 0)
_BRACKETS: dict[type, tuple[str, str]] = {dict: ("{", "}"), list: ("[", "]"), set: ("{", "}"), tuple: ("(", ")")}


def saferepr(o: Any, maxlen: int | None = None, maxlevels: int = 3, seen: set[int] | None = None) -> str:
    """``repr(o)``, at most about ``maxlen`` characters and ``maxlevels`` containers deep."""
    return "".join(_pieces(o, maxlen, maxlevels, seen))


def _items(values: Any) -> Iterator[Any]:
    for number, value in enumerate(values):
        if number:
            yield _SEPARATOR
        yield value


def _pairs(mapping: Any) -> Iterator[Any]:
    for number, (key, value) in enumerate(mapping.items()):
        if number:
            yield _SEPARATOR
        yield _key(key)
        yield _COLON
        yield value


def _format_bytes(value: bytes, maxlen: int | None) -> str:
    dots = "..." if maxlen and len(value) > maxlen else ""
    part = value[:maxlen] if dots else value
    try:
        text = part.decode("utf-8")
    except UnicodeDecodeError:
        text = part.hex()
    return f"b'{text}{dots}'"


def _format_chars(value: Any, maxlen: int | None) -> str:
    if isinstance(value, bytes):
        return _format_bytes(value, maxlen)
    text = truncate(value, maxlen)  # type: ignore[arg-type]
    return "'" + text.replace("'", "\\'") + "'"


def _repr(obj: Any) -> str:
    try:
        return repr(obj)
    except Exception as exc:
        stack = "\n".join(traceback.format_stack())
        return f"<Unrepresentable {type(obj)!r}{id(obj):#x}: {exc!r} {stack!r}>"


def _pieces(o: Any, maxlen: int | None, maxlevels: int, seen: set[int] | None) -> Iterator[str]:
    stack: deque[Iterator[Any]] = deque([iter([o])])
    for token, rest in reprstream(stack, seen=seen, maxlevels=maxlevels):
        literal = isinstance(token, _literal)
        if maxlen is not None and maxlen <= 0:
            if literal and token.direction < 0:
                yield token.value
                continue
            yield ", ..."
            stack.append(chain([token], rest))
            break
        if literal:
            text = token.value
        elif isinstance(token, _key):
            text = saferepr(token.value, maxlen, maxlevels)
        elif isinstance(token, _quoted):
            text = _format_chars(token.value, maxlen)
        else:
            text = truncate(token, maxlen)  # type: ignore[arg-type]
        yield text
        if maxlen is not None:
            maxlen -= len(text)
    yield from _closing(stack)


def _closing(stack: deque[Iterator[Any]]) -> Iterator[str]:
    """The brackets that are still open when the walk stopped early."""
    depth = 0
    for rest in stack:
        for token in rest:
            if isinstance(token, _literal) and not token.truncate:
                depth += token.direction
                if depth < 0:
                    depth = 0
                    yield token.value


def _open(value: Any) -> tuple[_literal, _literal, Iterator[Any]] | None:
    """Brackets and content of a container; None for anything else."""
    for kind in (set, frozenset, tuple, dict, list):
        if isinstance(value, kind):
            break
    else:
        return None
    start, end = _BRACKETS[set if kind is frozenset else kind]
    if kind in (set, frozenset) and type(value) is not set:
        start, end = f"{type(value).__name__}({start}", f"{end})"
    if kind is tuple and len(value) == 1:
        end = ",)"
    content = _pairs(value) if kind is dict else _items(value)
    return _literal(start, False, +1), _literal(end, False, -1), content


def reprstream(
    stack: deque[Iterator[Any]],
    seen: set[int] | None = None,
    maxlevels: int = 3,
    level: int = 0,
    isinstance: Any = isinstance,
) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Tokens of what is on the stack, each with the rest of the iterator that it came from."""
    inside = set(seen or ())
    while stack:
        rest = stack.popleft()
        for value in rest:
            if isinstance(value, _left):
                inside.discard(value.objid)
            elif isinstance(value, _literal):
                level += value.direction
                yield value, rest
            elif isinstance(value, _key):
                yield value, rest
            elif isinstance(value, Number) and not is_instance(value, "decimal", "Decimal"):
                yield str(value), rest
            elif isinstance(value, (bytes, str)):
                yield _quoted(value), rest
            elif isinstance(value, (set, frozenset)) and not value:
                yield f"{type(value).__name__}()", rest
            else:
                opened = _open(value)
                if opened is None:
                    yield _repr(value), rest
                    continue
                start, end, content = opened
                if maxlevels and level >= maxlevels:
                    yield _literal(f"{start.value}...{end.value}", False, 0), rest
                elif id(value) in inside:
                    yield f"<Recursion on {type(value).__name__} with id={id(value)}>", rest
                else:
                    inside.add(id(value))
                    stack.append(chain([start], content, [_left(id(value)), end], rest))
                    break
