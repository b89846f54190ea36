"""A compiled function as its callers see it: picks the variant for the arguments, or runs the Python function.

It decides nothing about when to compile: it asks its ``TaskCompiler`` for the signature it has not seen, once.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from . import types
from .errors import CompilationError, Verdict
from .types import Signature, signature_name

if TYPE_CHECKING:
    from .tier import TaskCompiler
    from .variant import Variant
    from .verdicts import Known

STRAIGHT_LINE = "it has no loop and no recursion: as a single call it is not faster than Python"

OUTDATED: Any = object()
"""What a variant gives when a guard of it does not hold any more: nothing has run."""

_SAMPLES = 8
# Called with the code of each native caller: its frame is what a thread shows while compiled code runs.
frame_hooks: list[Callable[[CodeType], None]] = []
_MAX_INVALIDATIONS = 8


class CompiledFunction:
    """Callable like the function it stands for. ``mode`` is None (in the background), True or "require"."""

    def __init__(self, func: FunctionType, owner: TaskCompiler, mode: bool | str | None, verdict: Verdict) -> None:
        functools.update_wrapper(self, func)
        self.__brokerless_function__ = func
        self.mode = mode
        self.verdict = verdict
        self.variants: dict[Signature, Variant] = {}
        self.refused: dict[Signature, str] = {}
        self.pending: set[Signature] = set()
        # The verdict and the wish for which everything has been done that is done before a first run.
        self.prepared: tuple[Known, bool | str] | None = None
        self.invalidations = 0
        self.python_seconds: list[float] = []
        self.native_seconds: list[float] = []
        self._func: Callable[..., Any] = func
        self._owner = owner
        self._fast: dict[type | tuple[type, ...], Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            # `_key`, written out: it is a tenth of a short call
            count = len(args)
            if count == 1:
                call = self._fast.get(type(args[0]))
            elif count == 2:
                call = self._fast.get((type(args[0]), type(args[1])))
            else:
                call = self._fast.get(tuple(map(type, args)))
            if call is not None:
                result = call(*args)
                if result is not OUTDATED:
                    return result
        return self._slow(args, kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __reduce__(self) -> str:
        # By name, like the function itself.
        return self._func.__qualname__

    def _slow(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        while True:
            full = self._bound(args, kwargs)
            if full is None or not self.verdict.can_compile:
                return self._func(*args, **kwargs)
            kinds = tuple(map(types.of_value, full))
            if None in kinds:
                return self._func(*args, **kwargs)
            signature: Signature = kinds  # type: ignore[assignment]
            variant = self._variant(signature)
            if variant is None:
                break
            result = self._native(variant, full)
            if result is not OUTDATED:
                return result
        if self.mode == "require" and signature in self.refused:
            raise CompilationError(f"{self._name()} for {signature_name(signature)}: {self.refused[signature]}")
        return self._python(args, kwargs)

    def _variant(self, signature: Signature) -> Variant | None:
        """The variant to call now; the first time, and when the last one does not hold any more, it is asked for."""
        variant = self.variants.get(signature)
        if variant is not None and not variant.still_valid():
            self._invalidate(variant)
            variant = None
        if variant is None and signature not in self.refused and signature not in self.pending:
            self._owner.request(self, signature)
            variant = self.variants.get(signature)
        return variant

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
        """All arguments in order, or None when Python should sort it out."""
        func: Any = self._func
        code = func.__code__
        count, total = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
        if len(args) == total == count and not kwargs:
            return args
        if len(args) > count:
            return None
        defaults = func.__defaults__ or ()
        full = list(args)
        used = 0
        # Not what `inspect` says: a function may carry another signature than that of its code.
        for index, name in enumerate(code.co_varnames[len(args) : total], len(args)):
            if name in kwargs and index >= code.co_posonlyargcount:
                full.append(kwargs[name])
                used += 1
            elif index < count and index >= count - len(defaults):
                full.append(defaults[index - count])
            elif index >= count and name in (func.__kwdefaults__ or {}):
                full.append(func.__kwdefaults__[name])
            else:
                return None
        return tuple(full) if used == len(kwargs) else None

    def _python(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(self.python_seconds) >= _SAMPLES:
            return self._func(*args, **kwargs)
        started = time.perf_counter()
        result = self._func(*args, **kwargs)
        self.python_seconds.append(time.perf_counter() - started)
        return result

    def _native(self, variant: Variant, args: tuple[Any, ...]) -> Any:
        """A call through a known variant; the first ones are timed."""
        if len(self.native_seconds) >= _SAMPLES:
            self._settle(variant, args)
            return variant.call(*args)
        redone = variant.redone_calls
        started = time.perf_counter()
        result = variant.call(*args)
        if variant.redone_calls == redone and result is not OUTDATED:
            self.native_seconds.append(time.perf_counter() - started)
            if len(self.native_seconds) == _SAMPLES:
                self._owner.measure(self, variant, args)
        return result

    def _settle(self, variant: Variant, args: tuple[Any, ...]) -> None:
        """From now on these argument types go to the variant without a detour, where types alone decide."""
        if any(not isinstance(kind, int) for kind in variant.signature) or self._func.__code__.co_kwonlyargcount:
            return
        self._fast[_key(args)] = variant.call

    def _invalidate(self, variant: Variant) -> None:
        with self._lock:
            if self.variants.get(variant.signature) is not variant:
                return
            del self.variants[variant.signature]
            self._fast.clear()
            self.invalidations += 1
        self.verdict = self._owner.analyse(self._func)
        if self.invalidations > _MAX_INVALIDATIONS:
            self.verdict = Verdict(False, "a constant or a callee of it is bound to something else again and again")

    @property
    def __code__(self) -> CodeType:
        """The function's own: what looks for the task's frames on a stack compares with it."""
        code: CodeType = self._func.__code__
        return code

    def wish(self, mode: bool | str, verdict: Verdict) -> None:
        """Somebody wants it compiled before it runs, also where that is not faster. `verdict` is a new look at it."""
        with self._lock:
            self.mode = mode
            if self.invalidations <= _MAX_INVALIDATIONS:
                self.verdict = verdict
            self.refused = {key: reason for key, reason in self.refused.items() if reason != STRAIGHT_LINE}

    def new_lock(self) -> None:
        """In a forked child."""
        self._lock = threading.Lock()

    def adopt(self, signature: Signature, variant: Variant | str) -> None:
        """The outcome of a request: a variant, or the reason why there is none."""
        with self._lock:
            self.pending.discard(signature)
            if isinstance(variant, str):
                self.refused[signature] = variant
            else:
                self.variants[signature] = variant
                for hook in frame_hooks:
                    hook(variant.call.__code__)

    def all_variants(self) -> list[Variant]:
        with self._lock:
            return list(self.variants.values())

    def _name(self) -> str:
        return f"{self._func.__module__}.{self._func.__qualname__}"

    def __repr__(self) -> str:
        return f"<CompiledFunction {self._name()}>"


def _key(args: tuple[Any, ...]) -> type | tuple[type, ...]:
    """What the types of positional arguments are looked up by."""
    return type(args[0]) if len(args) == 1 else tuple(map(type, args))
