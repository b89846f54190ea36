"""Builds the C core as a shared library and loads it with cffi, for tests that compare it with plain models.

Two variants: "normal" has the sizes of a release, "tiny" wraps, overflows and grows at every turn. Both can make the
n-th allocation fail. The library is kept in build/ under the hash of its sources. Without cffi or a C compiler the
tests are skipped with that reason. It has nothing to do with the extension module that the package uses.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import pytest

cffi = pytest.importorskip("cffi")

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "native" / "src"
BINDING = ROOT / "native" / "cffi"
CDEF = BINDING / "core.cdef.txt"

OK, EMPTY, FULL, NOMEM, LOST, INVALID = 0, -1, -2, -4, -6, -7
DELAYED, QUEUED, RUNNING, COMPLETED, FAILED, CANCELLED = range(6)
NEVER = 2**63 - 1

_FLAGS = {"normal": ["-DBL_FAULTS"], "tiny": ["-DBL_FAULTS", "-DBL_TINY"]}


def compiler() -> list[str]:
    """The C compiler's command, [] when there is none."""
    for command in (os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc"):
        words = shlex.split(command or "")
        if words and shutil.which(words[0]):
            return words
    return []


def _build(variant: str, target: Path) -> None:
    sources = [str(path) for path in sorted(SOURCE.glob("*.c"))] + [str(BINDING / "access.c")]
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(suffix=".so", dir=target.parent)
    os.close(handle)
    command = [*compiler(), "-shared", "-fPIC", "-O1", "-g", "-std=gnu11", *_FLAGS[variant], f"-I{SOURCE}"]
    subprocess.run([*command, *sources, "-o", made, "-lpthread"], check=True, timeout=300)
    os.replace(made, target)  # several test processes may build at once: each replaces the whole file


@functools.cache
def load(variant: str) -> tuple[Any, Any]:
    """(ffi, lib) of a variant."""
    if not compiler():
        pytest.skip("no C compiler")
    digest = hashlib.sha256()
    for path in sorted([*SOURCE.iterdir(), *BINDING.iterdir()]):
        digest.update(path.read_bytes())
    target = ROOT / "build" / "native-cffi" / f"{variant}-{digest.hexdigest()[:16]}.so"
    if not target.exists():
        _build(variant, target)
    ffi = cffi.FFI()
    ffi.cdef(CDEF.read_text())
    return ffi, ffi.dlopen(str(target))


class Slots:
    """Slots of one pool by their index, with a Python number each, so that models can speak of numbers."""

    def __init__(self, ffi: Any, lib: Any, pool: Any = None) -> None:
        self.ffi = ffi
        self.lib = lib
        self.own = pool is None
        self.pool = lib.bl_pool_new() if pool is None else pool
        assert self.pool != ffi.NULL

    def take(self, **fields: int) -> Any:
        slot = self.lib.bl_pool_take(self.pool)
        assert slot != self.ffi.NULL
        for name, value in fields.items():
            setattr(slot, name, value)
        return slot

    def close(self) -> None:
        if self.own:
            self.lib.bl_pool_free(self.pool)


def word(state: int, attempt: int = 0, flags: int = 0) -> int:
    return attempt << 8 | flags | state
