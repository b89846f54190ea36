"""Tasks of an app: the decorator, the registry, finalizing, autodiscovery. Mixed into ``Celery``.

Nothing here sends or runs a task.
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal, overload

from .. import signals
from .._state import _announce_app_finalized, connect_on_app_finalize
from ..exceptions import DuplicateTaskNameWarning
from ..local import PromiseProxy, maybe_evaluate
from ..typevars import P, R, T
from ..utils.functional import head_from_fun
from ..utils.imports import gen_task_name, qualname
from ..utils.lean import cached_property
from .autoretry import add_autoretry_behaviour
from .parts import AppParts

if TYPE_CHECKING:
    from .decorators import BoundDecorator, Decorator
    from .task import Task as Type

__all__ = ("Registering", "task_callable_qualname")

#: Set in children of a multiprocessing pool that were started afresh instead of forked.
USING_EXECV = os.environ.get("FORKED_BY_MULTIPROCESSING")
W_DUPTASK = """Task name {0!r} is already registered to a different callable.

Existing: {1}
New:      {2}

{3}

Every task must have a unique name. Pass an explicit name= to the task decorator, or rename one of the callables."""

_PACKAGE = __name__.rpartition(".app.")[0]


def _caller_stacklevel() -> int:
    """Depth of the nearest frame outside this package: where a warning points to."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith((_PACKAGE, "celery.")):
        frame, level = frame.f_back, level + 1
    return level


def _annotations_of(fun: Any) -> Any:
    if sys.version_info >= (3, 14):
        import inspect

        import annotationlib

        try:
            return inspect.get_annotations(fun)
        except NameError:
            return inspect.get_annotations(fun, format=annotationlib.Format.STRING)
    return fun.__annotations__


def _compiled(fun: Any, mode: Any, bind: bool) -> Any:
    from ....compilation import compiled
    from ..runtime.compiling import refuse_bound

    if not bind:
        return compiled(fun, mode)
    refuse_bound(fun, mode)
    return fun


def task_callable_qualname(task: Any) -> str:
    return qualname(getattr(task, "_decorated_fun", None) or type(task))


class Registering(AppParts):
    """The tasks of an app."""

    @overload
    def task(self, fun: Callable[P, Coroutine[Any, Any, R]], /) -> Type[P, R]: ...
    @overload
    def task(self, fun: Callable[P, R], /) -> Type[P, R]: ...
    @overload
    def task(self, *, base: type[T], **opts: Any) -> Callable[[Callable[..., Any]], T]: ...
    @overload
    def task(self, *, bind: Literal[True], **opts: Any) -> BoundDecorator: ...
    @overload
    def task(self, *, bind: Literal[False] = False, **opts: Any) -> Decorator: ...
    def task(self, *args: Any, **opts: Any) -> Any:
        """Decorator: make a task of a function."""
        if USING_EXECV and opts.get("lazy", True):
            from . import shared_task

            return shared_task(*args, **{**opts, "lazy": False})
        if not args:
            return self._task_decorator(**opts)
        if len(args) > 1:
            raise TypeError(f"@task() takes exactly 1 argument ({len(args) + len(opts)} given)")
        if not callable(args[0]):
            raise TypeError("argument 1 to @task() must be a callable")
        return self._task_decorator(**opts)(args[0])

    def _task_decorator(self, shared: bool = True, filter: Any = None, lazy: bool = True, **opts: Any) -> Any:
        def decorate(fun: Any) -> Any:
            if shared:

                def make(app: Any) -> Any:
                    return app._task_from_fun(fun, **opts)

                make.__name__ = fun.__name__
                connect_on_app_finalize(make)
            if lazy and not self.finalized:
                made = PromiseProxy(self._task_from_fun, (fun,), opts, __doc__=fun.__doc__)
                self._pending.append(made)
            else:
                made = self._task_from_fun(fun, **opts)
            return filter(made) if filter else made

        return decorate

    def type_checker(self, fun: Any, bound: bool = False) -> Any:
        return staticmethod(head_from_fun(fun, bound=bound))

    def _task_from_fun(self, fun: Any, **options: Any) -> Any:
        with self._finalize_mutex:  # a thread that finds the name taken gets a task that is complete
            return self._make_task(fun, **options)

    def _make_task(
        self,
        fun: Any,
        name: str | None = None,
        base: Any = None,
        bind: bool = False,
        pydantic: bool = False,
        pydantic_strict: bool = False,
        pydantic_context: Any = None,
        pydantic_dump_kwargs: Any = None,
        **options: Any,
    ) -> Any:
        if not self.finalized and not self.autofinalize:
            raise RuntimeError("Contract breach: app not finalized")
        decorated = fun
        name = name or self.gen_task_name(fun.__name__, fun.__module__)
        base = base or self.Task
        if name in self._tasks:
            existing = self._tasks[name]
            self._warn_if_duplicate_task_name(existing, decorated, name)
            return existing
        dump = None
        if pydantic is True:
            from .pydantic_tasks import pydantic_wrapper

            fun = pydantic_wrapper(self, fun, name, pydantic_strict, pydantic_context, pydantic_dump_kwargs)
            dump = staticmethod(functools.partial(fun.dump_arguments, bound=bind))
        compile_to_c = options.get("compile_to_c")
        body = _compiled(fun, compile_to_c, bind) if compile_to_c else fun
        run = body if bind else staticmethod(body)
        attributes = {
            "app": self,
            "name": name,
            "run": run,
            "_decorated": True,
            "_dump_pydantic_arguments": dump,
            "__doc__": fun.__doc__,
            "__module__": fun.__module__,
            "__annotations__": _annotations_of(fun),
            "__header__": self.type_checker(fun, bound=bind),
            "__wrapped__": run,
            "_decorated_fun": staticmethod(decorated),
            **options,
        }
        task = type(fun.__name__, (base,), attributes)()
        qualified = getattr(fun, "__qualname__", None)
        if qualified is not None:
            task.__qualname__ = qualified
        self._tasks[task.name] = task
        task.bind(self)
        add_autoretry_behaviour(task, **options)
        return task

    def register_task(self, task: Any, **options: Any) -> Any:
        """Register an instance of a task class, or a task class; replaces one of the same name."""
        task = task() if isinstance(task, type) else task
        if not task.name:
            task.name = self.gen_task_name(type(task).__name__, type(task).__module__)
        existing = self.tasks.get(task.name)
        if existing is not None and existing is not task:
            self._warn_duplicate_task_name(
                task.name,
                task_callable_qualname(existing),
                task_callable_qualname(task),
                "The new callable replaced the existing one; calls under this name now reach the new callable.",
            )
        add_autoretry_behaviour(task, **options)
        self.tasks[task.name] = task
        task._app = self
        task.bind(self)
        return task

    def _warn_if_duplicate_task_name(self, task: Any, fun: Any, name: str) -> None:
        existing = getattr(task, "_decorated_fun", None)
        if existing is not None and existing is not fun:
            self._warn_duplicate_task_name(
                name,
                qualname(existing),
                qualname(fun),
                "The new callable was not registered; calls under this name reach the callable registered first.",
            )

    def _warn_duplicate_task_name(self, name: str, existing: str, new: str, consequence: str) -> None:
        if name not in self._duplicate_task_names_warned:
            self._duplicate_task_names_warned.add(name)
            text = W_DUPTASK.format(name, existing, new, consequence)
            warnings.warn(DuplicateTaskNameWarning(text), stacklevel=_caller_stacklevel())

    def gen_task_name(self, name: str, module: str | None) -> str:
        return gen_task_name(self, name, module)

    def finalize(self, auto: bool = False) -> None:
        """Make all tasks that were decorated so far, and the shared and built-in ones; once."""
        with self._finalize_mutex:
            if self.finalized:
                return
            if auto and not self.autofinalize:
                raise RuntimeError("Contract breach: app not finalized")
            self.finalized = True
            _announce_app_finalized(self)
            while self._pending:
                maybe_evaluate(self._pending.popleft())
            for task in self._tasks.values():
                task.bind(self)
            self.on_after_finalize.send(sender=self)

    @cached_property
    def tasks(self) -> Any:
        """The registry; using it finalizes the app."""
        self.finalize(auto=True)
        return self._tasks

    def autodiscover_tasks(self, packages: Any = None, related_name: str | None = "tasks", force: bool = False) -> Any:
        """Import ``package.tasks`` of every package (of every Django app without packages), when modules are."""
        if force:
            return self._autodiscover_tasks(packages, related_name)

        def discover(*_: Any, **__: Any) -> Any:
            return self._autodiscover_tasks(packages, related_name)

        signals.import_modules.connect(discover, weak=False, sender=self)
        return None

    def _autodiscover_tasks(self, packages: Any, related_name: str | None, **kwargs: Any) -> Any:
        if packages:
            return self._autodiscover_tasks_from_names(packages, related_name)
        return self._autodiscover_tasks_from_fixups(related_name)

    def _autodiscover_tasks_from_names(self, packages: Any, related_name: str | None) -> Any:
        return self.loader.autodiscover_tasks(packages() if callable(packages) else packages, related_name)

    def _autodiscover_tasks_from_fixups(self, related_name: str | None) -> Any:
        found = [
            package
            for fixup in self._fixups
            if hasattr(fixup, "autodiscover_tasks")
            for package in fixup.autodiscover_tasks()
        ]
        return self._autodiscover_tasks_from_names(found, related_name=related_name)

    def signature(self, *args: Any, **kwargs: Any) -> Any:
        """A signature of this app."""
        kwargs["app"] = self
        return self._canvas.signature(*args, **kwargs)
