"""`enable_background_tasks(app)`: an application object of any kind gets an engine and the methods to use it.

What a framework offers at its start and end is used where it is known: the lifespan of Starlette and FastAPI, the first
request of Flask, the database connections of Django. No framework is imported here; each is recognised by its shape.
Where a framework says nothing about its end (Flask, Django), the interpreter's exit waits for the tasks.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from .memory import MB
from .options import patience
from .tasks import BackgroundTasks

if TYPE_CHECKING:
    from .core import Task

__all__ = ["enable_background_tasks"]

METHODS = ("task", "add_task", "add_batch", "get_task_result")
"""Members of the engine that the application gets under the same name."""


def enable_background_tasks(
    app: Any,
    *,
    memory_profiling: bool = False,
    auto_memory_tuning: bool = False,
    shutdown_timeout: float | None = 10.0,
    **options: Any,
) -> BackgroundTasks:
    """Gives `app` an engine as `app.tasks`, and `task`, `add_task`, `add_batch`, `get_task_result`, `get_task_stats`,
    `get_memory_stats`, `has_jemalloc`, `memory_profiling` and `auto_memory_tuning`. Returns the engine.

    `options`: those of `BackgroundTasks`. `shutdown_timeout`: seconds that the end of a Starlette or FastAPI server
    waits for tasks, None for no limit. `memory_profiling` and `auto_memory_tuning` can be read back and change nothing:
    memory is always measured and never tuned. What the object has already of the last three, and its own
    `get_memory_stats`, stays.

    Starts no thread: that is left to the first submit, or to the framework's start, with which schedules begin.
    Raises RuntimeError when the object has an engine already, TypeError when it takes no new attributes, and TypeError
    or ValueError for a wrong option.
    """
    present = getattr(app, "tasks", None)
    if isinstance(present, BackgroundTasks) and not present.closed:
        raise RuntimeError(f"{app!r} has background tasks already: use app.tasks, or shut that one down first")
    patience("shutdown_timeout", shutdown_timeout)
    tasks = BackgroundTasks(**options)
    try:
        app.tasks = tasks
    except AttributeError:
        raise TypeError(
            f"{app!r} takes no new attributes: make a BackgroundTasks of your own and keep it beside the application"
        ) from None
    for name in METHODS:
        setattr(app, name, getattr(tasks, name))
    app.get_task_stats = tasks.get_stats

    def memory_figures() -> dict[str, Any]:
        stats = tasks.get_memory_stats()
        return {
            **stats.to_dict(),
            "jemalloc_enabled": stats.has_jemalloc,
            "allocated_mb": stats.in_use_bytes / MB,
            "resident_mb": stats.memory_usage_mb,
            "memory_profiling": memory_profiling,
            "auto_tuning_active": False,
        }

    ours = {
        "get_memory_stats": memory_figures,
        "has_jemalloc": tasks.has_jemalloc,
        "memory_profiling": memory_profiling,
        "auto_memory_tuning": auto_memory_tuning,
    }
    for name, value in ours.items():
        if not hasattr(app, name):
            setattr(app, name, value)
    _attach(app, tasks, shutdown_timeout)
    return tasks


def _attach(app: Any, tasks: BackgroundTasks, timeout: float | None) -> None:
    if callable(getattr(getattr(app, "router", None), "lifespan_context", None)):
        app.router.lifespan_context = _lifespan(app.router.lifespan_context, tasks, timeout)
    elif callable(getattr(app, "wsgi_app", None)) and callable(getattr(app, "before_request", None)):
        app.extensions["brokerless"] = tasks
        app.before_request(_starter(tasks))
    elif "django" in sys.modules and _is_django(app):
        tasks._main_queue.set_hooks(on_start=_close_old_connections, on_finish=_close_old_connections)


def _lifespan(inner: Callable[[Any], Any], tasks: BackgroundTasks, timeout: float | None) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with inner(app) as state:
            tasks.start()
            try:
                yield state
            finally:
                # The application may start again in this process, as it does in tests: the engine stays usable.
                await asyncio.to_thread(tasks.stand_down, timeout)

    return lifespan


def _starter(tasks: BackgroundTasks) -> Callable[[], None]:
    def start() -> None:
        if tasks.has_waiting_schedules() and not tasks.closed:
            tasks.start()

    return start


def _is_django(app: Any) -> bool:
    apps = sys.modules.get("django.apps")
    return apps is not None and isinstance(app, apps.AppConfig)


def _close_old_connections(_task: Task) -> None:
    """Around each task, as Django does around each request: a connection that the server has dropped is not used."""
    db = sys.modules.get("django.db")
    if db is not None:
        db.close_old_connections()
