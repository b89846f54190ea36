"""Where the engine meets the compiler: which callable a task gets, and how a native call is brought back to Python.

The compiler itself is in `compiler/` and knows nothing of tasks. It is imported when a function is looked at for the
first time, never at import.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from .calls import unwrap

if TYPE_CHECKING:
    from .compiler import CompilationInfo, TaskCompiler
    from .handle import TaskResult
    from .options import Settings
    from .tasks import BackgroundTasks

__all__ = ["Compilation", "Compiling", "compiled", "wake"]

_PACKAGE = __name__.rpartition(".")[0]


def wake(thread_id: int) -> None:
    """After an exception was set for a thread: compiled code there polls a word and would not see it otherwise."""
    control = sys.modules.get(f"{_PACKAGE}.compiler.control")
    if control is not None:
        control.interrupt(thread_id)


def compiled(func: Callable[..., Any], mode: bool | str | None) -> Callable[..., Any]:
    """The compiled form of a function by the process's own compiler, for front doors with other submit functions.

    `mode` as in `add_task(compile_to_c=...)`; None and False give the function back.
    """
    if not mode:
        return func
    from .compiler import default_compiler

    compiler = default_compiler()
    compiler.mark_frames(_interruptible)
    return compiler.compile(func, mode)


def _interruptible(code: CodeType) -> None:
    # While native code runs, the frame on top is the one that called it; it counts as the task's own code.
    from . import limits

    limits._boundaries.add(code)


class Compilation:
    """The compiler as one engine uses it. Functions are shared by all engines of the process."""

    def __init__(self, tasks: BackgroundTasks, enabled: bool) -> None:
        self._tasks = tasks
        self._enabled = enabled
        self._compiler: TaskCompiler | None = None
        tasks.show_functions(enabled)

    @property
    def compiler(self) -> TaskCompiler:
        if self._compiler is None:
            from .compiler import default_compiler

            self.use(default_compiler())
        assert self._compiler is not None
        return self._compiler

    def use(self, compiler: TaskCompiler) -> None:
        """Another compiler than the process's own, with a cache of its own for instance."""
        compiler.mark_frames(_interruptible)
        self._compiler = compiler

    def form(self, func: Callable[..., Any], mode: bool | str | None) -> Callable[..., Any]:
        """The callable that a task runs: `func`, or its compiled form.

        Without a wish (None) a function is looked at in the background, and later calls find the answer.
        """
        if mode is False or (mode is None and not self._enabled):
            return func
        if mode is not None:
            return self.compiler.compile(func, mode)
        if type(func) is not FunctionType:
            return func
        found = self.compiler.look(func)
        if found is False:
            self._tasks.know(func)  # from now on the core takes it without coming here
        return func if isinstance(found, bool) else found

    def batch(self, func: Callable[..., Any], columns: tuple[Iterable[Any], ...], mode: bool | str | None) -> list[Any]:
        """What a `map_batch` task runs."""
        if mode is False or (mode is None and not self._enabled):
            return list(map(func, *columns))
        if mode is not None:
            self.compiler.compile(func, mode)
        return self.compiler.map_batch(func, *columns)

    def info(self, func: Callable[..., Any]) -> CompilationInfo:
        return self.compiler.get_compilation_info(func)

    def figures(self) -> dict[str, float]:
        if self._compiler is None:
            return {}
        stats = self._compiler.stats()
        return {
            "compiled": stats["functions_compiled"] or 0,
            "success_rate": stats["success_rate"] or 0.0,
            "speedup": stats["speedup_factor"] or 0.0,
        }


class Compiling:
    """What `BackgroundTasks` offers of the compiler."""

    compilation: Compilation
    queue_size: int | None

    if TYPE_CHECKING:

        def _submit_checked(
            self,
            settings: Settings,
            func: Callable[..., Any],
            args: tuple[Any, ...],
            kwargs: Mapping[str, Any],
            limit: int,
        ) -> TaskResult: ...

    def map_batch(self, func: Callable[..., Any], *columns: Iterable[Any], **options: Any) -> TaskResult:
        """One task that calls `func` for each item of `columns` (as `map()` does); its value is the list of results.

        A function that qualifies is called in one native loop. `options` as in `add_task`; `timeout_ms` is for the
        whole. Raises like `add_task`.
        """
        settings, plain = unwrap(func)
        settings = settings.updated(options).once()
        return self._submit_checked(
            settings, self.compilation.batch, (plain, columns, settings.compile_to_c), {}, self.queue_size or 0
        )

    def get_compilation_info(self, func: Callable[..., Any]) -> CompilationInfo:
        """What is known of the compiled form of a function: whether it qualifies, why not, its C, how fast it is."""
        return self.compilation.info(unwrap(func)[1])

    def compilation_figures(self) -> dict[str, float]:
        return self.compilation.figures()
