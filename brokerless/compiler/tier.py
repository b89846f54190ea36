"""The policy: what is compiled, when, and on which thread; and the counts behind the statistics.

``TaskCompiler`` is the public class. One background thread builds what ``compile_to_c=None`` asks for; it starts with
the first request and ends when there is nothing to do. Nothing is imported, started or written before that.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from . import types
from .analyse import analyse, has_work
from .bridge import bridge
from .build import Builder, refusal
from .cache import Cache
from .errors import BuildError, CompilationError, Refused, Verdict
from .function import STRAIGHT_LINE, CompiledFunction, frame_hooks
from .info import CompilationInfo, info_of, speedup_of
from .source import unwrap
from .table import FormTable
from .toolchain import Toolchain
from .types import Signature, signature_name
from .verdicts import known

if TYPE_CHECKING:
    from .variant import Variant

log = logging.getLogger("brokerless.compiler")

_IDLE_SECONDS = 0.25
_MOST_LOOKED = 10_000
_MEASURE_BELOW = 0.0005

P = ParamSpec("P")
R = TypeVar("R")

_Job = Callable[[], None]


class TaskCompiler:
    """Compiles functions to C and answers questions about them.

    ``max_variants`` is the number of argument signatures that one function may have compiled.
    """

    def __init__(
        self,
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_bytes: int | None = None,
        toolchain: Toolchain | None = None,
        max_variants: int = 8,
    ) -> None:
        self.builder = Builder(Cache(Path(cache_dir) if cache_dir else None, cache_bytes), toolchain)
        self._max_variants = max_variants
        self._functions = FormTable()
        self._verdicts: weakref.WeakKeyDictionary[FunctionType, Verdict] = weakref.WeakKeyDictionary()
        self._looked: dict[int, tuple[CodeType, bool]] = {}
        self._forget_thread()
        _compilers.add(self)

    def _forget_thread(self) -> None:
        self._lock = threading.RLock()
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._looked.clear()
        self.builder.new_locks()
        for function in self._functions.all():
            function.new_lock()
            function.pending.clear()

    # -- compiling

    def analyse(self, func: object) -> Verdict:
        """Whether a function is inside the subset; no compiler is needed for the answer."""
        return analyse(func)

    def compile(self, func: Callable[P, R], mode: bool | str | None = True) -> Callable[P, R]:
        """A callable that gives what ``func`` gives. The same function gives the same callable.

        ``mode``: None compiles in the background, True before the first run (a WARNING when refused), "require" raises
        ``CompilationError`` when refused, False gives ``func`` back.
        """
        if mode is False:
            return func
        if mode not in (None, True, "require"):
            raise ValueError(f"compile_to_c is None, True, False or 'require', not {mode!r}")
        if isinstance(func, CompiledFunction):
            return func
        plain = unwrap(func)
        if not isinstance(plain, FunctionType):
            self._refuse(func, analyse(plain), mode)
            return func
        judged = known(plain)
        if mode == "require" and not judged.verdict.can_compile:
            judged = known(plain, anew=True)  # this refusal is an error, so it has to be of now
        if not judged.verdict.can_compile:
            self._refuse(func, judged.verdict, mode)
            return func
        form = self._functions.get(plain) or self._new_form(plain, mode, judged.verdict)
        if mode is not None and form.prepared != (judged, mode):
            form.wish(mode, judged.verdict)
            self._ahead(form, plain)
            form.prepared = (judged, mode)
        return form

    def _new_form(self, plain: FunctionType, mode: bool | str | None, verdict: Verdict) -> CompiledFunction:
        with self._lock:
            form = self._functions.get(plain)
            if form is None:
                form = CompiledFunction(plain, self, mode, verdict)
                self._functions.add(plain, form)
            return form

    def _refuse(self, func: Any, verdict: Verdict, mode: bool | str | None) -> None:
        name = getattr(func, "__qualname__", repr(func))
        where = f"line {verdict.line}: " if verdict.line else ""
        if mode == "require":
            raise CompilationError(f"{name} cannot be compiled: {where}{verdict.reason}")
        if not isinstance(func, FunctionType) or func in self._verdicts:
            return
        self._verdicts[func] = verdict
        if mode is True:
            log.warning(
                "%s stays in Python: %s%s",
                name,
                where,
                verdict.reason,
                extra={"action": "compile_refused", "function": name, "line": verdict.line, "reason": verdict.reason},
            )

    def _ahead(self, function: CompiledFunction, plain: FunctionType) -> None:
        """Before the first run: the compiler has to be there, and annotations that name every type are enough."""
        missing = self.builder.missing()
        if missing is not None:
            self._refuse(plain, Verdict(False, missing), function.mode)
            return
        signature = types.of_annotations(plain)
        if signature is None:
            return
        if signature not in function.variants:
            self.request(function, signature)
        if function.mode == "require" and signature in function.refused:
            raise CompilationError(f"{plain.__qualname__} cannot be compiled: {function.refused[signature]}")

    def look(self, func: FunctionType) -> CompiledFunction | bool:
        """What a task without a wish gets: the compiled form once it is known that it pays, False when it does not,
        True while that is being found out in the background. Only for functions at the top of their module."""
        found = self._functions.get(func)
        if found is not None:
            return found
        code = func.__code__
        state = self._looked.get(id(code))
        if state is not None and state[0] is code:
            return state[1]
        if code.co_freevars or "<" in func.__qualname__ or self.builder.missing() is not None:
            self._note(code, False)
            return False
        self._note(code, True)
        self._later(lambda: self._look(func))
        return True

    def _note(self, code: CodeType, looking: bool) -> None:
        with self._lock:
            if len(self._looked) >= _MOST_LOOKED:
                self._looked.clear()
            self._looked[id(code)] = (code, looking)

    def _look(self, func: FunctionType) -> None:
        verdict = analyse(func)
        if verdict.can_compile and has_work(func):
            self.compile(func, None)
        elif not verdict.can_compile:
            self._verdicts[func] = verdict
        self._note(func.__code__, False)

    def mark_frames(self, hook: Callable[[CodeType], None]) -> None:
        """`hook` gets the code of each Python function that calls native code, those made so far too."""
        if hook not in frame_hooks:
            frame_hooks.append(hook)
            for function in self._functions.all():
                for variant in function.all_variants():
                    hook(variant.call.__code__)

    def request(self, function: CompiledFunction, signature: Signature) -> None:
        """A signature without a variant was called: build now, or in the background, or note why not."""
        with self._lock:
            if signature in function.pending or signature in function.variants or signature in function.refused:
                return
            if len(function.variants) + len(function.pending) >= self._max_variants:
                function.refused[signature] = f"it has {self._max_variants} compiled signatures already"
                return
            function.pending.add(signature)
        missing = self.builder.missing()
        if missing is not None:
            function.adopt(signature, missing)
        elif function.mode is None:
            self._later(lambda: self._build(function, signature))
        else:
            self._build(function, signature)

    def _build(self, function: CompiledFunction, signature: Signature) -> None:
        func = cast(Callable[..., Any], function.__brokerless_function__)
        try:
            if any(isinstance(kind, types.Seq) and kind.boxed for kind in signature):
                bridge.load(lambda text: self.builder.object_for(text)[0])
            if function.mode is None and not self._worthwhile(func, signature):
                function.adopt(signature, STRAIGHT_LINE)
                return
            function.adopt(signature, self.builder.variant(func, signature))
        except (Refused, BuildError) as error:
            reason, line = refusal(error)
            function.adopt(signature, f"line {line}: {reason}" if line else reason)
            level = logging.DEBUG if function.mode is None else logging.WARNING
            log.log(
                level,
                "%s%s stays in Python: %s",
                func.__qualname__,
                signature_name(signature),
                function.refused[signature],
                extra={"action": "compile_refused", "function": func.__qualname__, "line": line, "reason": reason},
            )
        except Exception as error:
            # Our mistake, or a source that is too much for it: the function runs in Python all the same.
            function.adopt(signature, f"the compiler failed: {type(error).__name__}: {error}")
            log.debug("compiling %s failed", func.__qualname__, exc_info=True)
        finally:
            function.pending.discard(signature)  # after Ctrl-C the next call asks again

    def _worthwhile(self, func: Callable[..., Any], signature: Signature) -> bool:
        from .program import Program

        entry, _ = Program(func, signature, "f0").entry()
        return entry.loops or entry.recursive

    # -- the background thread

    def _later(self, job: _Job) -> None:
        with self._lock:
            self._jobs.put(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="brokerless-compiler", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None
                        return
                continue
            try:
                job()
            except Exception:
                log.exception("compiling in the background failed")

    def wait(self, timeout: float = 30.0) -> bool:
        """Until everything asked for so far is built; for tests and for programs that want a warm start."""
        done = threading.Event()
        with self._lock:
            if self._thread is None:
                return True
            self._later(done.set)
        return done.wait(timeout)

    def measure(self, function: CompiledFunction, variant: Variant, args: tuple[Any, ...]) -> None:
        """Where every call so far was native, time the Python function too: in the background, and only if short."""
        scalar = all(isinstance(kind, int) for kind in variant.signature)
        if function.python_seconds or not scalar or min(function.native_seconds) > _MEASURE_BELOW:
            return

        def run() -> None:
            if not variant.still_valid():
                return
            started = time.perf_counter()
            try:
                variant.python(*args)
            except Exception:
                return
            function.python_seconds.append(time.perf_counter() - started)

        self._later(run)

    # -- batches

    def map_batch(self, func: Callable[..., Any], *columns: Iterable[Any]) -> list[Any]:
        """``[func(a, b, …) for a, b, … in zip(*columns)]`` with one native loop where that is possible."""
        compiled = self.compile(func, None)
        if not isinstance(compiled, CompiledFunction) or self.builder.missing() is not None:
            return list(map(func, *columns))
        from .batch import run_batch

        return run_batch(self, compiled, columns)

    def batch_variant(self, function: CompiledFunction, signature: Signature) -> Variant | None:
        """The variant for a batch, built now if need be: the many calls pay for it."""
        variant = function.variants.get(signature)
        if variant is not None and variant.still_valid():
            return variant
        if variant is None and function.refused.get(signature) not in (None, STRAIGHT_LINE):
            return None
        try:
            made = self.builder.variant(cast(Callable[..., Any], function.__brokerless_function__), signature)
        except (Refused, BuildError) as error:
            function.adopt(signature, refusal(error)[0])
            return None
        function.refused.pop(signature, None)
        function.adopt(signature, made)
        return made

    # -- questions

    def get_compilation_info(self, func: object) -> CompilationInfo:
        """What is known of a function, given itself or its compiled form."""
        plain = unwrap(func)
        name = getattr(plain, "__qualname__", repr(plain))
        function = self._functions.get(plain) if isinstance(plain, FunctionType) else None
        if function is None:
            verdict = analyse(plain)
            missing = self.builder.missing()
            if verdict.can_compile and missing is not None:
                verdict = Verdict(False, missing)
            return CompilationInfo(name, verdict.can_compile, verdict.reason, verdict.line)
        return info_of(name, function, self.builder.missing())

    def stats(self) -> dict[str, float | int | None]:
        """Counts over the functions that this compiler was given and that still exist."""
        functions = self._functions.all()
        compiled = [function for function in functions if function.all_variants()]
        tried = len(self._verdicts) + sum(1 for function in functions if function.variants or function.refused)
        ratios = [ratio for ratio in map(speedup_of, compiled) if ratio is not None]
        variants = [variant for function in functions for variant in function.all_variants()]
        return {
            "functions_compiled": len(compiled),
            "functions_refused": tried - len(compiled),
            "success_rate": len(compiled) / tried if tried else None,
            "speedup_factor": sum(ratios) / len(ratios) if ratios else None,
            "native_calls": sum(variant.native_calls for variant in variants),
            "redone_calls": sum(variant.redone_calls for variant in variants),
            "cache_hits": self.builder.cache.hits,
            "cache_misses": self.builder.cache.misses,
        }


_compilers: weakref.WeakSet[TaskCompiler] = weakref.WeakSet()
_default: TaskCompiler | None = None
_default_lock = threading.Lock()


def default_compiler() -> TaskCompiler:
    """The process's one compiler, made when first asked for."""
    global _default
    with _default_lock:
        if _default is None:
            _default = TaskCompiler()
        return _default


def _after_fork() -> None:
    global _default_lock
    _default_lock = threading.Lock()
    bridge.new_lock()
    for compiler in list(_compilers):
        compiler._forget_thread()


os.register_at_fork(after_in_child=_after_fork)
