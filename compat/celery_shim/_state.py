"""What the process knows about apps and running tasks: current app (per thread), default app, task stack.

Apps register here when they are made; nothing here makes one except the default app, on first use.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from ...errors import TimeLimitInterrupt
from ...livesets import LiveSet
from .local import Proxy
from .utils.threads import LocalStack

__all__ = (
    "connect_on_app_finalize",
    "current_app",
    "current_task",
    "get_current_app",
    "get_current_task",
    "get_current_worker_task",
    "set_default_app",
)

default_app: Any = None
app_or_default: Callable[..., Any]

_apps: LiveSet[Any] = LiveSet()
_on_app_finalizers: set[Callable[[Any], Any]] = set()
_task_join_will_block: Any = False


class _TLS(threading.local):
    current_app: Any = None


class _JoinTLS(threading.local):
    #: True while this thread runs a task for a worker; ``None`` when nothing was said.
    blocks: bool | None = None
    #: Free until somebody has decided how the running call ends; None for calls without a time limit.
    decision: Any = None


def decide() -> None:
    """The outcome of the running call is this thread's from now on; before anything about it is stored or sent.

    Raises ``TimeLimitInterrupt`` where the hard limit was first: then the call has failed, whatever its body says.
    """
    decision, _join.decision = _join.decision, None
    if decision is not None and not decision.acquire(blocking=False):
        raise TimeLimitInterrupt


_tls = _TLS()
_join = _JoinTLS()  # apart from ``_tls``, which test helpers replace
_task_stack: Any = LocalStack()
# looked up at each call: the stack of one thread is not that of another
push_current_task = lambda task: _task_stack.push(task)  # noqa: E731
pop_current_task = lambda: _task_stack.pop()  # noqa: E731


def connect_on_app_finalize(callback: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Call ``callback(app)`` whenever an app is finalized."""
    _on_app_finalizers.add(callback)
    return callback


def _announce_app_finalized(app: Any) -> None:
    for callback in set(_on_app_finalizers):
        callback(app)


def _set_task_join_will_block(blocks: bool) -> None:
    """Celery's switch for the whole process; workers here use the one of their thread."""
    global _task_join_will_block
    _task_join_will_block = blocks


def _set_thread_join_will_block(blocks: bool | None) -> bool | None:
    """The same for this thread alone: one process holds client and workers. Gives the value before."""
    before = _join.blocks
    _join.blocks = blocks
    return before


def task_join_will_block() -> bool:
    own = _join.blocks
    return _task_join_will_block if own is None else own


def set_default_app(app: Any) -> None:
    global default_app
    default_app = app


def _get_current_app() -> Any:
    if default_app is None:
        from .app.base import Celery

        set_default_app(
            Celery("default", fixups=[], set_as_current=False, loader=os.environ.get("CELERY_LOADER") or "default")
        )
    return _tls.current_app or default_app


def _set_current_app(app: Any) -> None:
    _tls.current_app = app


def get_current_app() -> Any:
    if os.environ.get("C_STRICT_APP"):
        raise RuntimeError("USES CURRENT APP")
    if os.environ.get("C_WARN_APP"):
        import traceback

        print("-- USES CURRENT_APP", file=sys.stderr)
        traceback.print_stack(file=sys.stderr)
    return _get_current_app()


if not (os.environ.get("C_STRICT_APP") or os.environ.get("C_WARN_APP")):
    get_current_app = _get_current_app


def get_current_task() -> Any:
    """The task that this thread runs, if any."""
    return _task_stack.top


def get_current_worker_task() -> Any:
    """The innermost task that a worker (not a plain call) started on this thread."""
    for task in reversed(_task_stack.stack):
        if not task.request.called_directly:
            return task
    return None


current_app: Any = Proxy(lambda: get_current_app())
current_task: Any = Proxy(get_current_task)


def _register_app(app: Any) -> None:
    _apps.add(app)


def _deregister_app(app: Any) -> None:
    _apps.discard(app)


def _get_active_apps() -> Any:
    return _apps


def _app_or_default(app: Any = None) -> Any:
    return get_current_app() if app is None else app


def _app_or_default_trace(app: Any = None) -> Any:
    """The strict kind: falling back to the default app is an error in the main process."""
    if app is not None:
        return app
    from traceback import print_stack

    from billiard.process import current_process

    if _tls.current_app:
        print("-- RETURNING TO CURRENT APP --")
        print_stack()
        return _tls.current_app
    if current_process()._name == "MainProcess":
        raise Exception("DEFAULT APP")
    print("-- RETURNING TO DEFAULT APP --")
    print_stack()
    return default_app


def enable_trace() -> None:
    """Make the use of the default app visible."""
    global app_or_default
    app_or_default = _app_or_default_trace


def disable_trace() -> None:
    global app_or_default
    app_or_default = _app_or_default


if os.environ.get("CELERY_TRACE_APP"):
    enable_trace()
else:
    disable_trace()
