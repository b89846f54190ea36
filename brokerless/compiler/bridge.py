"""Copying lists and tuples of int or float into C arrays while the GIL is held.

A small shared object, built once per machine, reads the objects through the interpreter's own exported functions; it
needs no headers because the three offsets that it uses are checked first. Where they do not fit (free-threaded or debug
builds) or nothing can be compiled, plain Python does the same more slowly. Either way each element must be exactly of
the type: a bool or a subclass among ints is not copied, and the call stays in Python.
"""

from __future__ import annotations

import array
import ctypes
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import BuildError

TEXT = r"""
typedef __INT64_TYPE__ i64;
static i64 (*as_int)(void *, int *);
static double (*as_float)(void *);
static void *int_type, *float_type;
extern void brl_bridge_init(void *a, void *b, void *c, void *d);
void brl_bridge_init(void *a, void *b, void *c, void *d) {
    as_int = (i64 (*)(void *, int *))a;
    as_float = (double (*)(void *))b;
    int_type = c;
    float_type = d;
}
static void **items_of(void *object, int is_list) {
    char *place = (char *)object + 24;
    return is_list ? *(void ***)(void *)place : (void **)(void *)place;
}
static void *type_of(void *object) { return *(void **)(void *)((char *)object + 8); }
extern i64 brl_ints(void *object, int is_list, i64 n, i64 *out);
i64 brl_ints(void *object, int is_list, i64 n, i64 *out) {
    void **items = items_of(object, is_list);
    int overflow = 0;
    for (i64 k = 0; k < n; k++) {
        if (type_of(items[k]) != int_type) return 0;
        out[k] = as_int(items[k], &overflow);
        if (overflow) return 0;
    }
    return 1;
}
extern i64 brl_floats(void *object, int is_list, i64 n, double *out);
i64 brl_floats(void *object, int is_list, i64 n, double *out) {
    void **items = items_of(object, is_list);
    for (i64 k = 0; k < n; k++) {
        if (type_of(items[k]) != float_type) return 0;
        out[k] = as_float(items[k]);
    }
    return 1;
}
"""

_SHORT = 24


class Bridge:
    """Copies boxed sequences. Starts in Python; ``load`` switches to the compiled helper."""

    def __init__(self) -> None:
        self._ints: Callable[..., int] | None = None
        self._floats: Callable[..., int] | None = None
        self._lock = threading.Lock()
        self._tried = False

    def new_lock(self) -> None:
        """In a forked child."""
        self._lock = threading.Lock()

    @property
    def compiled(self) -> bool:
        return self._ints is not None

    def load(self, build: Callable[[str], Path]) -> None:
        """Tries once to get the helper; any trouble leaves the Python way in place."""
        with self._lock:
            if self._tried or not _layout_fits():
                return
            self._tried = True
            try:
                library = ctypes.PyDLL(str(build(TEXT)))
            except (BuildError, OSError):
                return
            api = ctypes.pythonapi
            pointers = [
                ctypes.cast(function, ctypes.c_void_p)
                for function in (api.PyLong_AsLongLongAndOverflow, api.PyFloat_AsDouble)
            ]
            library.brl_bridge_init.argtypes = [ctypes.c_void_p] * 4
            library.brl_bridge_init.restype = None
            library.brl_bridge_init(*pointers, id(int), id(float))
            for function in (library.brl_ints, library.brl_floats):
                function.argtypes = [ctypes.py_object, ctypes.c_int, ctypes.c_int64, ctypes.c_void_p]
                function.restype = ctypes.c_int64
            self._floats, self._ints = library.brl_floats, library.brl_ints

    def copy(self, values: list[Any] | tuple[Any, ...], code: str) -> array.array[Any] | None:
        """The elements as an array of ``q`` or ``d``; None when one of them is of another type or too large."""
        wanted = int if code == "q" else float
        native = self._ints if code == "q" else self._floats
        count = len(values)
        if native is None or count < _SHORT:
            values = tuple(values)
            if any(type(value) is not wanted for value in values):
                return None
            try:
                return array.array(code, values)
            except OverflowError:
                return None
        result = array.array(code, [0]) * count
        fits = native(values, type(values) is list, count, result.buffer_info()[0])
        return result if fits else None


def _layout_fits() -> bool:
    """Whether type, items of a list and items of a tuple are where the helper looks for them."""
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    sizes = (object.__basicsize__, list.__basicsize__, tuple.__basicsize__, tuple.__itemsize__)
    if not gil or sizes != (16, 40, 24, 8):
        return False
    probe, pair = [1.5, probe_item := object()], (1.5, 2.5)
    word = ctypes.c_void_p.from_address
    first = word(id(probe) + 24).value or 0
    return (
        word(id(probe_item) + 8).value == id(object)
        and word(first + 8).value == id(probe_item)
        and word(id(pair) + 32).value == id(pair[1])
    )


bridge = Bridge()
