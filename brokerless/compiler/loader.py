"""From a shared object to callables, with cffi's ABI mode: no Python headers; the GIL is let go during each call."""

from __future__ import annotations

import ctypes.util
import threading
from pathlib import Path
from typing import Any

from .control import ffi
from .cruntime import MATH_ONE, MATH_ROUND, MATH_TABLE
from .errors import BuildError
from .program import Entry
from .types import FLOAT, Seq

_lock = threading.Lock()
_table: Any = None
_keep: list[Any] = []


def _math_table() -> Any:
    """Addresses of this process's own libm: what the math module calls, compiled code calls."""
    global _table
    with _lock:
        if _table is None:
            declared = [f"double {name}(double);" for name in (*MATH_ONE, *MATH_ROUND)]
            own = ffi.__class__()
            own.cdef(
                "\n".join(declared) + "double atan2(double, double); double fmod(double, double); "
                "double pow(double, double);"
            )
            library: Any = own.dlopen(None)
            if not hasattr(library, "acosh"):
                library = own.dlopen(ctypes.util.find_library("m"))
            table = ffi.new("void *[]", len(MATH_TABLE))
            for index, name in enumerate(MATH_TABLE):
                table[index] = ffi.cast("void *", int(own.cast("intptr_t", own.addressof(library, name))))
            _keep.append((own, library))
            _table = table
        return _table


def new_lock() -> None:
    """In a forked child."""
    global _lock
    _lock = threading.Lock()


class Library:
    """One loaded object. Whoever keeps a callable made from it keeps it too: unloading would leave that dangling."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.size = path.stat().st_size
            self._lib: Any = ffi.dlopen(str(path))
            self._lib.brl_init(_math_table())
            self._table = self._lib.brl_table
        except (OSError, AttributeError) as error:
            raise BuildError(f"the compiled object cannot be loaded: {error}") from None

    def call(self, entry: Entry, index: int) -> Any:
        """The entry point as a callable: (record, depth, arguments …)."""
        params = ["void *", "int64_t"]
        for kind in entry.signature:
            if isinstance(kind, Seq):
                params += ["void *", "int64_t"]
            else:
                params.append("double" if kind == FLOAT else "int64_t")
        if not entry.plain:
            params.append("void *")
        result = "double" if entry.plain and entry.mask == FLOAT else "int64_t"
        return self._function(f"{result}(*)({', '.join(params)})", 2 * index)

    def batch(self, index: int) -> Any:
        kind = "int64_t(*)(void *, int64_t, int64_t, int64_t, void *, void *, void *)"
        return self._function(kind, 2 * index + 1)

    def _function(self, kind: str, slot: int) -> Any:
        return ffi.cast(ffi.typeof(kind), self._table[slot])
