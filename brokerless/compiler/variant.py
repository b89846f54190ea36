"""One compiled signature of a function as a Python callable.

The callable is written out as Python text for its signature, because a generic one would cost more than many compiled
calls take. Every way out that is not a native result goes to ``redo``: the function itself, from the start.
"""

from __future__ import annotations

import functools
import itertools
import sys
import threading
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from .bridge import bridge
from .control import ffi, local, stopped
from .cruntime import SENTINEL
from .function import OUTDATED
from .loader import Library
from .program import Entry
from .types import BOOL, FLOAT, INT, NONE, Seq, Signature

_FOREVER = 1 << 30
# Frames that the interpreter may need beyond those counted: our own, and the C calls that some versions count.
_MARGIN = 16
_FRAME_WEIGHT = 1 if sys.version_info >= (3, 12) else 3


def depth_left(most: int) -> int:
    """How deep a native recursion may go so that Python, in its place, would not have met its own limit."""
    frames, frame = 0, sys._getframe()
    here: Any = frame
    while here is not None:
        frames += 1
        here = here.f_back
    stack = threading.stack_size()
    if stack:
        most = min(most, most * stack // (1 << 21))
    return max(min(sys.getrecursionlimit() - frames * _FRAME_WEIGHT - _MARGIN, most), 0)


def _decode(item: Any) -> Any:
    tag = item.t
    if tag == FLOAT:
        return item.f
    if tag == INT:
        return item.i
    return bool(item.i) if tag == BOOL else None


class Variant:
    """A signature with its loaded code and what is known of it."""

    def __init__(self, func: FunctionType, entry: Entry, library: Library, index: int) -> None:
        self.func = func
        self.entry = entry
        self.library = library
        self.index = index
        self.milliseconds = 0.0
        self.cached = False
        self.text = ""
        self._native = itertools.count()
        self._redone = itertools.count()
        #: With all arguments by position: natively where that gives the same, and in Python.
        self.call, self.python = self._make()

    @property
    def signature(self) -> Signature:
        return self.entry.signature

    @property
    def native_calls(self) -> int:
        return _value(self._native)

    @property
    def redone_calls(self) -> int:
        return _value(self._redone)

    def still_valid(self) -> bool:
        return self.entry.guards.hold()

    def _redo(self, *args: Any, **kwargs: Any) -> Any:
        next(self._redone)
        return self.func(*args, **kwargs)

    def _make(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        entry = self.entry
        names = [f"a{index}" for index in range(len(entry.signature))]
        args = ", ".join(names)
        again = ", ".join(_as_python_takes_them(self.func, names))
        space: dict[str, Any] = {
            "native": self.library.call(entry, self.index),
            "library": self.library,
            "local": local,
            "stopped": stopped,
            "redo": self._redo,
            "OUTDATED": OUTDATED,
            "KeyError": KeyError,
            "ValueError": ValueError,
            "func": self.func,
            "count": self._native,
            "copy": bridge.copy,
            "view": ffi.from_buffer,
            "release": ffi.release,
            "new": ffi.new,
            "decode": _decode,
            "depth_left": depth_left,
        }
        text = [f"def python({args}):", f"  return func({again})"]
        text += [
            f"def call({args}):",
            "  try:",
            f"    if not ({entry.guards.condition(space)}):",
            "      return OUTDATED",
            "  except (KeyError, ValueError):",
            "    return OUTDATED",
        ]
        passed = ["local.record", _depth(entry)]
        for name, kind in zip(names, entry.signature, strict=True):
            if not isinstance(kind, Seq):
                passed.append(name)
                continue
            held = name
            if kind.boxed:
                held = f"{name}_copy"
                text += [
                    f"  {held} = copy({name}, {kind.code!r})",
                    f"  if {held} is None:",
                    f"    return redo({again})",
                ]
            text.append(f"  {name}_view = view({held})")
            passed += [f"{name}_view", f"len({held})"]
        if not entry.plain:
            size = len(entry.tuple_masks) if entry.tuple_masks is not None else 1
            text.append(f"  out = new('brl_n[{size}]')")
            passed.append("out")
        # A view left in a frame that an exception keeps alive would forbid resizing the caller's array.
        views = [f"{name}_view" for name, kind in zip(names, entry.signature, strict=True) if isinstance(kind, Seq)]
        inner = [
            "while True:",
            "  try:",
            f"    result = native({', '.join(passed)})",
            "  except OverflowError:",
            "    break",
            *_give_back(entry),
            "  if not stopped():",
            "    break",
        ]
        if views:
            inner = ["try:", *("  " + line for line in inner), "finally:", *(f"  release({view})" for view in views)]
        text += ["  " + line for line in inner] + [f"  return redo({again})"]
        exec(_code("\n".join(text)), space)
        return space["call"], space["python"]


def _as_python_takes_them(func: FunctionType, names: list[str]) -> list[str]:
    """The arguments of a call of the function itself: those of its keyword-only parameters by name."""
    code = func.__code__
    return [
        name if index < code.co_argcount else f"{code.co_varnames[index]}={name}" for index, name in enumerate(names)
    ]


@functools.lru_cache(maxsize=64)
def _code(text: str) -> CodeType:
    """Many functions have the same signature, and so the same text."""
    return compile(text, "<string>", "exec")


def _depth(entry: Entry) -> str:
    return f"depth_left({entry.max_depth})" if entry.recursive or entry.calls_others else str(_FOREVER)


def _give_back(entry: Entry) -> list[str]:
    if not entry.plain:
        values = "decode(out[0])"
        if entry.tuple_masks is not None:
            values = "(" + "".join(f"decode(out[{index}]), " for index in range(len(entry.tuple_masks))) + ")"
        if entry.mask == NONE and entry.tuple_masks is None:
            values = "None"
        return ["  if result == 0:", "    next(count)", f"    return {values}"]
    test = "result == result" if entry.mask == FLOAT else f"result != {SENTINEL}"
    value = "result == 1" if entry.mask == BOOL else "result"
    return [f"  if {test}:", "    next(count)", f"    return {value}"]


def _value(counter: Any) -> int:
    """What a count() will give next, without taking it."""
    return int(repr(counter)[6:-1])
