"""The text of ``python -m brokerless explain module:function``: verdict, reasons with the source line, the C."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from types import FunctionType
from typing import Any

from .analyse import refusals
from .build import Builder, refusal
from .cache import Cache
from .errors import BuildError, Refused
from .program import Program, describe_entry
from .source import Source, read, unwrap
from .types import INT, LIST_INT, Signature, Type, of_annotations, signature_name


def explain(func: object, signatures: Iterable[Signature] | None = None, *, runtime: bool = False) -> str:
    """What the compiler makes of a function. ``runtime`` also shows the C that opens every file."""
    plain = unwrap(func)
    name = f"{getattr(plain, '__module__', '?')}.{getattr(plain, '__qualname__', plain)}"
    found = refusals(plain)
    parts = [f"{name}: {'stays in Python' if found else 'can be compiled'}"]
    if found or not isinstance(plain, FunctionType):
        parts += _refused(plain, found)
        return "\n".join(parts) + "\n"
    if signatures is None:
        promised = of_annotations(plain)
        signatures = [promised or guess(plain)]
        parts.append("argument types: " + ("from the annotations" if promised else "guessed from how they are used"))
    for signature in signatures:
        parts += _one(plain, signature, runtime)
    parts.append("compiler: " + _compiler())
    return "\n".join(parts) + "\n"


def _one(func: FunctionType, signature: Signature, runtime: bool) -> list[str]:
    try:
        program = Program(func, signature, "f0")
        entry, _ = program.entry()
    except Refused as refused:
        return [f"for {signature_name(signature)}: stays in Python", *_refused(func, [refused])]
    text = program.body() if not runtime else Builder(Cache()).text_for(func, signature)
    lines = [f"for {describe_entry(entry)}:", "", text.rstrip(), ""]
    if not entry.loops and not entry.recursive:
        lines.append("note: no loop and no recursion; compile_to_c=None leaves it in Python, map_batch compiles it")
    return lines


def _refused(func: object, found: list[Refused]) -> list[str]:
    reasons = [f"reason: line {one.line}: {one.reason}" if one.line else f"reason: {one.reason}" for one in found]
    return [*reasons, *_marked(func, {one.line for one in found})]


def _marked(func: object, refused: set[int | None]) -> list[str]:
    """The source, with an arrow at each line that decided."""
    try:
        lines, first = inspect.getsourcelines(func)  # type: ignore[arg-type]
    except (OSError, TypeError):
        return []
    first = max(first, 1)
    return [""] + [
        f"{'->' if first + index in refused else '  '} {first + index:5d}  {text.rstrip()}"
        for index, text in enumerate(lines)
    ]


def guess(func: FunctionType) -> Signature:
    """Plausible types for parameters without annotations: a list of int where one is iterated or indexed, else int."""
    source = read(func)
    used = _sequences(source)
    kinds: list[Type] = [LIST_INT if name in used else INT for name in source.params]
    return tuple(kinds)


def _sequences(source: Source) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(source.node):
        place: Any = None
        if isinstance(node, ast.For):
            place = node.iter
        elif isinstance(node, ast.Subscript):
            place = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            alone = node.func.id in ("len", "sum", "enumerate") or (
                node.func.id in ("min", "max") and len(node.args) == 1
            )
            place = node.args[0] if alone else None
        if isinstance(place, ast.Name):
            found.add(place.id)
    return found


def _compiler() -> str:
    try:
        found = Builder(Cache()).toolchain()
    except BuildError as error:
        return refusal(error)[0]
    return " ".join((*found.command, *found.flags))
