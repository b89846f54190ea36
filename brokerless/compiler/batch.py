"""Many calls of one function as a single native loop over C arrays.

Columns are arrays, buffers or any iterables of scalars. A row that bails is run in Python at its place, so the list
that comes back is what a plain loop would have made; the first exception of such a row is raised.
"""

from __future__ import annotations

import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .bridge import bridge
from .control import ffi, local, stopped
from .types import BOOL, FLOAT, INT, Signature
from .variant import depth_left

if TYPE_CHECKING:
    from .function import CompiledFunction
    from .tier import TaskCompiler
    from .variant import Variant

# A stop is seen at each row; results are boxed chunk by chunk so that the memory of both forms is never needed at once.
_CHUNK = 1 << 20
_SIZED = (list, tuple, range, bytes, bytearray, memoryview, array.array)


def run_batch(compiler: TaskCompiler, function: CompiledFunction, columns: Sequence[Iterable[Any]]) -> list[Any]:
    """The results in order. Anything that cannot be packed is called one by one."""
    held = _held(columns)
    if not held or not all(map(len, held)):
        return []
    packed = [_pack(column) for column in held]
    variant = None
    # By position alone: what a keyword-only parameter makes of that is an error of Python's.
    if all(one is not None for one in packed) and not function.__code__.co_kwonlyargcount:
        signature: Signature = tuple(FLOAT if one.typecode == "d" else INT for one in packed if one is not None)
        variant = compiler.batch_variant(function, signature)
    if variant is None or not variant.entry.batch:
        return [function(*row) for row in zip(*held, strict=False)]
    return run_packed(variant, [one for one in packed if one is not None])


def _held(columns: Sequence[Iterable[Any]]) -> list[Any]:
    """The columns as sequences. They are read before the first call, and no further than the shortest goes."""
    if len(columns) == 1 or all(isinstance(column, _SIZED) for column in columns):
        return [column if isinstance(column, (list, tuple, array.array)) else list(column) for column in columns]
    return list(zip(*zip(*columns, strict=False), strict=True))  # one of them may have no end


def run_packed(variant: Variant, columns: list[array.array[Any]]) -> list[Any]:
    """The loop over packed columns. Rows that bail are redone with the scalars of their row."""
    entry = variant.entry
    native = variant.library.batch(variant.index)
    views = [ffi.from_buffer(column) for column in columns]
    count = min(map(len, columns))  # not before: while its view is held nobody can make an array shorter
    pointers = ffi.new("void *[]", [ffi.cast("void *", view) for view in views])
    depth = depth_left(entry.max_depth) if entry.recursive or entry.calls_others else 1 << 30
    results: list[Any] = []
    size = min(count, _CHUNK)
    out = array.array("d" if entry.mask == FLOAT else "q", [0]) * size
    bad = bytearray(size)
    target = ffi.cast("char *", ffi.from_buffer(out))
    marks = ffi.from_buffer(bad)
    for start in range(0, count, size):
        stop = min(start + size, count)
        if start:
            bad[:] = bytes(size)
        at = start
        while at < stop:
            # Both are indexed by row, so they are shifted back to where row 0 would be.
            at = native(local.record, depth, at, stop, pointers, target - 8 * start, marks - start)
            if at < stop:
                stopped()
        values = (out if stop - start == size else out[: stop - start]).tolist()
        if entry.mask == BOOL:
            values = [value == 1 for value in values]
        for index in _marked(bad, stop - start):
            values[index] = variant.func(*(column[start + index] for column in columns))
        results += values
    return results


def _marked(bad: bytearray, count: int) -> list[int]:
    found, at = [], bad.find(1, 0, count)
    while at >= 0:
        found.append(at)
        at = bad.find(1, at + 1, count)
    return found


def _pack(column: Any) -> array.array[Any] | None:
    if isinstance(column, array.array):
        if column.typecode in ("q", "d"):
            return column
        return (
            array.array("d" if column.typecode in ("f", "d") else "q", column)
            if column.typecode not in "uwQL"
            else None
        )
    return bridge.copy(column, "d" if type(column[0]) is float else "q")
