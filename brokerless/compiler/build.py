"""From programs to variants: one C file, the cache, the loader. No threads and no policy."""

from __future__ import annotations

import importlib.util
import platform
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import toolchain as toolchains
from .cache import Cache, key_of
from .errors import BuildError, Refused
from .program import Program, unit
from .toolchain import Toolchain
from .types import Signature

if TYPE_CHECKING:
    from .loader import Library
    from .variant import Variant

# Part of every cache key: raise it when the same C text would have to be built differently.
FORMAT = "1"
NO_COMPILER = "no C compiler: set BROKERLESS_CC, or install one or the extra brokerless[compiler]"
NO_CFFI = "cffi is not installed: install the extra brokerless[compiler]"


class Builder:
    """Builds with one cache and one compiler, and keeps what is loaded from being loaded twice."""

    def __init__(self, cache: Cache, toolchain: Toolchain | None = None) -> None:
        self.cache = cache
        self._toolchain = toolchain
        self._loaded: weakref.WeakValueDictionary[str, Library] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def new_locks(self) -> None:
        """In a forked child: a thread that is not there any more may have held them."""
        self._lock = threading.Lock()
        self.cache.new_lock()
        loader = sys.modules.get(f"{__package__}.loader")
        if loader is not None:
            loader.new_lock()

    def toolchain(self) -> Toolchain:
        found = self._toolchain or toolchains.find()
        if found is None:
            raise BuildError(NO_COMPILER)
        return found

    def missing(self) -> str | None:
        """What keeps anything from being compiled on this machine, or None."""
        if importlib.util.find_spec("cffi") is None:
            return NO_CFFI
        return None if (self._toolchain or toolchains.find()) is not None else NO_COMPILER

    def key(self, text: str, toolchain: Toolchain) -> str:
        return key_of(text, toolchain.identity, " ".join(toolchain.flags), FORMAT, sys.platform, platform.machine())

    def object_for(self, text: str, toolchain: Toolchain | None = None) -> tuple[Path, bool]:
        """The file for a C text, and whether it was in the cache."""
        toolchain = toolchain or self.toolchain()
        return self.cache.get_or_build(self.key(text, toolchain), lambda path: toolchain.compile(text, path))

    def library(self, text: str) -> tuple[Library, bool]:
        from .loader import Library  # not before: it needs cffi

        toolchain = self.toolchain()
        key = self.key(text, toolchain)
        with self._lock:
            found = self._loaded.get(key)
        if found is not None:
            return found, True
        path, cached = self.object_for(text, toolchain)
        try:
            library = Library(path)
        except BuildError:
            if not cached:
                raise
            # Sound by its digest and still not loadable: made elsewhere. Once more from the text.
            path.unlink(missing_ok=True)
            path, cached = self.object_for(text, toolchain)
            library = Library(path)
        with self._lock:
            return self._loaded.setdefault(key, library), cached

    def variant(self, func: Callable[..., Any], signature: Signature) -> Variant:
        """One function for one signature. Raises ``Refused`` or ``BuildError``."""
        return self.variants([(func, signature)])[0]

    def variants(self, jobs: Sequence[tuple[Callable[..., Any], Signature]]) -> list[Variant]:
        """Many functions in one C file: a compiler start costs more than a function. All or nothing."""
        started = time.perf_counter()
        programs = [Program(func, signature, f"f{index}") for index, (func, signature) in enumerate(jobs)]
        return self.load(programs, started)

    def load(self, programs: Sequence[Program], started: float | None = None) -> list[Variant]:
        """Programs with different prefixes as one file, each as a variant."""
        from .variant import Variant

        started = time.perf_counter() if started is None else started
        made = unit(programs)
        library, cached = self.library(made.text)
        milliseconds = (time.perf_counter() - started) * 1000.0
        variants = []
        for index, (program, entry) in enumerate(zip(programs, made.entries, strict=True)):
            variant = Variant(program.func, entry, library, index)
            variant.milliseconds = milliseconds
            variant.cached = cached
            variant.text = made.text
            variants.append(variant)
        return variants

    def text_for(self, func: Callable[..., Any], signature: Signature) -> str:
        """The C text alone; needs no compiler."""
        return unit([Program(func, signature, "f0")]).text


def refusal(error: Refused | BuildError) -> tuple[str, int | None]:
    return (error.reason, error.line) if isinstance(error, Refused) else (str(error), None)
