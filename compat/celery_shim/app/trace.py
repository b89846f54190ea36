"""Running one call of a task: the order of hooks, signals and stored states.

``build_tracer`` makes the function that runs a task; workers and ``apply`` look it up here at run time, because
monitoring tools replace it. What is logged, and at which level, is in ``tracelog``.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from warnings import warn

from .. import _state, signals, states
from .._state import _task_stack
from ..exceptions import Ignore, InvalidTaskError, Reject, Retry
from ..loaders.base import BaseLoader
from ..utils.lean import borrow, exception_info, is_coroutine_function, kombu_errors, safe_repr
from ..utils.nodenames import gethostname
from ..utils.objects import mro_lookup
from ..utils.saferepr import saferepr
from ..utils.serialization import get_pickleable_etype, get_pickleable_exception
from .context import Context, PlainContext, PlainRequest, get_actual_ignore_result
from .successors import already_done, send_successors
from .task import Task as BaseTask
from .tracelog import (  # noqa: F401 - names that other packages import from here
    LOG_FAILURE,
    LOG_IGNORED,
    LOG_INTERNAL_ERROR,
    LOG_RECEIVED,
    LOG_REJECTED,
    LOG_RETRY,
    LOG_SUCCESS,
    get_log_policy,
    get_task_name,
    info,
    log_error,
    log_policy_expected,
    log_policy_ignore,
    log_policy_internal,
    log_policy_reject,
    log_policy_unexpected,
    logger,
    traceback_clear,
)

__all__ = ("TraceInfo", "build_tracer", "reset_worker_optimizations", "setup_worker_optimizations", "trace_task")

__getattr__ = borrow(
    globals(),
    {"ExceptionInfo": "billiard.einfo", "EncodeError": "kombu.exceptions", "OperationalError": "kombu.exceptions"},
)

STARTED, SUCCESS, IGNORED, REJECTED = states.STARTED, states.SUCCESS, states.IGNORED, states.REJECTED
RETRY, FAILURE = states.RETRY, states.FAILURE
EXCEPTION_STATES = states.EXCEPTION_STATES
#: After these, ``after_return`` is not called.
IGNORE_STATES = frozenset({IGNORED, RETRY, REJECTED})


def _no_boundary(function: Any) -> Any:
    return function


#: Replaced by ``runtime``: tells the engine that a function calls a task's own code.
mark_boundary: Callable[[Any], Any] = _no_boundary


#: Types whose repr needs no care.
_SHORT = frozenset({int, bool, type(None)})


class trace_ok_t(NamedTuple):
    """What a tracer gives back."""

    retval: Any
    info: Any
    runtime: Any
    retstr: Any


def task_has_custom(task: Any, attr: str) -> Any:
    """The class that overrides a method of ``Task``, if any."""
    return mro_lookup(type(task), attr, stop={BaseTask, object}, monkey_patched=[BaseTask.__module__])


class TraceInfo:
    """An outcome other than success."""

    __slots__ = ("retval", "state")

    def __init__(self, state: str, retval: Any = None) -> None:
        self.state = state
        self.retval = retval

    def handle_error_state(self, task: Any, req: Any, eager: bool = False, call_errbacks: bool = True) -> Any:
        if get_actual_ignore_result(task, req):
            store_errors = task.store_errors_even_if_ignored
        else:
            store_errors = not eager or bool(task.store_eager_result)
        handle = self.handle_retry if self.state == RETRY else self.handle_failure
        return handle(task, req, store_errors=store_errors, call_errbacks=call_errbacks)

    def handle_reject(self, task: Any, req: Any, **kwargs: Any) -> None:
        self._log_error(task, req, exception_info())

    def handle_ignore(self, task: Any, req: Any, **kwargs: Any) -> None:
        self._log_error(task, req, exception_info())

    def handle_retry(self, task: Any, req: Any, store_errors: bool = True, **kwargs: Any) -> Any:
        kind, _, tb = sys.exc_info()
        reason = self.retval
        try:
            einfo = exception_info((kind, reason, tb))
            if store_errors and getattr(req, "retry_noted", None) is not reason:
                task.backend.mark_as_retry(req.id, reason.exc, einfo.traceback, request=req)
            task.on_retry(reason.exc, req.id, req.args, req.kwargs, einfo)
            signals.task_retry.send(sender=task, request=req, reason=reason, einfo=einfo)
            info(LOG_RETRY, {"id": req.id, "name": get_task_name(req, task.name), "exc": str(reason)})
            traceback_clear(einfo.exception)
            return einfo
        finally:
            del tb

    def handle_failure(self, task: Any, req: Any, store_errors: bool = True, call_errbacks: bool = True) -> Any:
        original = self.retval
        exc = get_pickleable_exception(original)
        if exc.__traceback__ is None:
            exc.__traceback__ = sys.exc_info()[2]
        einfo = exception_info(exc_info=(get_pickleable_etype(type(original)), exc, exc.__traceback__))
        task.backend.mark_as_failure(
            req.id, exc, einfo.traceback, request=req, store_result=store_errors, call_errbacks=call_errbacks
        )
        task.on_failure(exc, req.id, req.args, req.kwargs, einfo)
        signals.task_failure.send(
            sender=task,
            task_id=req.id,
            exception=exc,
            args=req.args,
            kwargs=req.kwargs,
            traceback=exc.__traceback__,
            einfo=einfo,
        )
        self._log_error(task, req, einfo)
        traceback_clear(exc)
        return einfo

    def _log_error(self, task: Any, req: Any, einfo: Any) -> None:
        log_error(task, req, einfo)


def build_tracer(
    name: str,
    task: Any,
    loader: Any = None,
    hostname: str | None = None,
    store_errors: bool = True,
    Info: Any = TraceInfo,
    eager: bool = False,
    propagate: bool = False,
    app: Any = None,
    monotonic: Any = time.monotonic,
    trace_ok_t: Any = trace_ok_t,
    IGNORE_STATES: Any = IGNORE_STATES,
) -> Any:
    """The function that runs ``task``: ``tracer(task_id, args, kwargs, request)``.

    Decisions that do not depend on the call (which hooks are overridden, where results go) are made here, once.
    """
    fun = task if task_has_custom(task, "__call__") else task.run
    if is_coroutine_function(task.run):
        fun = _awaited(fun)
    loader = loader or app.loader
    conf = app.conf
    deduplicate = (
        (conf.task_acks_late or task.acks_late) and conf.worker_deduplicate_successful_tasks and app.backend.persistent
    )
    hostname = hostname or gethostname()
    inherit_priority = conf.task_inherit_parent_priority
    task_init, loader_cleanup = loader.on_task_init, loader.on_process_cleanup
    # hooks that nobody filled are not called
    if getattr(task_init, "__func__", None) is BaseLoader.on_task_init:
        task_init = None
    if getattr(loader_cleanup, "__func__", None) is BaseLoader.on_process_cleanup:
        loader_cleanup = None
    before_start = task.before_start if task_has_custom(task, "before_start") else None
    on_success = task.on_success if task_has_custom(task, "on_success") else None
    after_return = task.after_return if task_has_custom(task, "after_return") else None
    pid = os.getpid()
    thread = _state._join
    request_stack = task.request_stack
    does_info = logger.isEnabledFor(logging.INFO)
    repr_size = task.resultrepr_maxsize

    def on_error(request: Any, exc: Any, state: str = FAILURE, call_errbacks: bool = True) -> Any:
        if propagate:
            raise
        outcome = Info(state, exc)
        einfo = outcome.handle_error_state(task, request, eager=eager, call_errbacks=call_errbacks)
        return outcome, einfo, outcome.state, outcome.retval

    def call_hook(hook: Any, what: str, request: Any, task_id: str, *args: Any) -> None:
        """Hooks after the result has been stored cannot change it any more: what they raise is logged."""
        try:
            hook(*args)
        except (Reject, MemoryError):
            raise
        except Exception as exc:
            if eager:
                raise
            logger.exception("Task %s[%s] %s handler raised: %r", get_task_name(request, name), task_id, what, exc)
            traceback_clear(exc)

    def trace_task(uuid: str, args: Any, kwargs: Any, request: Any = None) -> Any:
        # given: the value or an ExceptionInfo; failed: a TraceInfo unless it succeeded; text: the value's repr
        given = failed = seconds = text = retval = state = None
        task_request: Any = None
        backend = None
        started = monotonic()
        try:
            if type(kwargs) is not dict and not hasattr(kwargs, "items"):
                raise InvalidTaskError("Task keyword arguments is not a mapping")
            if type(request) is PlainContext:
                task_request = request
                ignore_result = request.ignore_result
                if ignore_result is None:
                    ignore_result = task.ignore_result
            else:
                if type(request) is PlainRequest:
                    task_request = PlainContext.of(request)
                else:
                    task_request = Context(request or {}, args=args, called_directly=False, kwargs=kwargs)
                ignore_result = get_actual_ignore_result(task, task_request)
            publish_result = not ignore_result and (not eager or task.store_eager_result)
            if deduplicate:
                origin = task_request.delivery_info
                redelivered = origin and origin.get("redelivered")
                if redelivered and already_done(app, task, name, task_request, uuid, inherit_priority):
                    return trace_ok_t(given, failed, seconds, text)
            _task_stack.push(task)
            request_stack.push(task_request)
            try:
                if signals.task_prerun.receivers:
                    signals.task_prerun.send(sender=task, task_id=uuid, task=task, args=args, kwargs=kwargs)
                if task_init:
                    task_init(uuid, task)
                if task.track_started and not eager and not ignore_result:
                    task.backend.store_result(uuid, {"pid": pid, "hostname": hostname}, STARTED, request=task_request)
                try:
                    try:
                        if before_start:
                            before_start(uuid, args, kwargs)
                        given = retval = fun(*args, **kwargs)
                        state = SUCCESS
                    finally:
                        if thread.decision is not None and not eager:
                            _state.decide()
                except Reject as exc:
                    failed, given = Info(REJECTED, exc), exception_info(internal=True)
                    state, retval = failed.state, failed.retval
                    failed.handle_reject(task, task_request)
                    traceback_clear(exc)
                except Ignore as exc:
                    failed, given = Info(IGNORED, exc), exception_info(internal=True)
                    state, retval = failed.state, failed.retval
                    failed.handle_ignore(task, task_request)
                    traceback_clear(exc)
                except Retry as exc:
                    failed, given, state, retval = on_error(task_request, exc, RETRY, call_errbacks=False)
                    traceback_clear(exc)
                except Exception as exc:
                    failed, given, state, retval = on_error(task_request, exc)
                    traceback_clear(exc)
                else:
                    sent = False
                    try:
                        if task_request.callbacks or task_request.chain:
                            origin = inherit_priority and task_request.delivery_info
                            priority = (origin or {}).get("priority")
                            send_successors(app, retval, task_request, uuid, task_request.root_id or uuid, priority)
                        sent = True
                        backend = task.backend
                        backend.mark_as_done(uuid, retval, task_request, publish_result)
                    except (kombu_errors().EncodeError, kombu_errors().OperationalError) as exc:
                        if sent and isinstance(exc, kombu_errors().OperationalError):
                            raise
                        failed, given, state, retval = on_error(task_request, exc)
                        traceback_clear(exc)
                    else:
                        text = repr(given) if type(given) in _SHORT else saferepr(given, repr_size)
                        seconds = monotonic() - started
                        if on_success:
                            call_hook(on_success, "on_success", task_request, uuid, retval, uuid, args, kwargs)
                        if signals.task_success.receivers:
                            signals.task_success.send(sender=task, result=retval, runtime=seconds)
                        if does_info:
                            _log_success(task_request, name, uuid, args, kwargs, text, seconds)
                if after_return and state not in IGNORE_STATES:
                    call_hook(after_return, "after_return", task_request, uuid, state, retval, uuid, args, kwargs, None)
            finally:
                try:
                    if signals.task_postrun.receivers:
                        signals.task_postrun.send(
                            sender=task,
                            task_id=uuid,
                            task=task,
                            args=args,
                            kwargs=kwargs,
                            retval=retval,
                            state=state,
                        )
                finally:
                    _task_stack.pop()
                    request_stack.pop()
                    if not eager:
                        try:
                            (backend or task.backend).process_cleanup()
                            if loader_cleanup:
                                loader_cleanup()
                        except (KeyboardInterrupt, SystemExit, MemoryError):
                            raise
                        except Exception as exc:
                            logger.error("Process cleanup failed: %r", exc, exc_info=True)
        except (MemoryError, Reject):
            raise
        except Exception as exc:
            # not the body but something around it: a hook, the store, a callback
            _signal_internal_error(task, uuid, args, kwargs, request, exc)
            if eager:
                raise
            given = report_internal_error(task, exc)
            if task_request is not None:
                failed, _, _, _ = on_error(task_request, exc)
        return trace_ok_t(given, failed, seconds, text)

    return mark_boundary(trace_task)


#: Ours, whatever the module's name is replaced with.
OWN_BUILD = build_tracer


_loops = threading.local()


def _awaited(fun: Any) -> Any:
    """An ``async def`` task as a function: it runs on a loop of this thread, so that ``self.request`` is right."""

    def run(*args: Any, **kwargs: Any) -> Any:
        import asyncio

        loop = getattr(_loops, "loop", None)
        if loop is None or loop.is_closed():
            loop = _loops.loop = asyncio.new_event_loop()
        if loop.is_running():
            raise RuntimeError("an async task cannot be applied from within a running event loop; use delay()")
        return loop.run_until_complete(fun(*args, **kwargs))

    return mark_boundary(run)


def _log_success(request: Any, name: str, uuid: str, args: Any, kwargs: Any, value: str | None, runtime: Any) -> None:
    info(
        LOG_SUCCESS,
        {
            "id": uuid,
            "name": get_task_name(request, name),
            "return_value": value,
            "runtime": runtime,
            "args": request.get("argsrepr") or safe_repr(args),
            "kwargs": request.get("kwargsrepr") or safe_repr(kwargs),
        },
    )


def trace_task(task: Any, uuid: str, args: Any, kwargs: Any, request: Any = None, **opts: Any) -> Any:
    """Run a call with the task's tracer, made at the first call; gives ``trace_ok_t``."""
    request = request or {}
    try:
        if task.__trace__ is None:
            task.__trace__ = build_tracer(task.name, task, **opts)
        return task.__trace__(uuid, args, kwargs, request)
    except Reject:
        raise
    except Exception as exc:
        _signal_internal_error(task, uuid, args, kwargs, request, exc)
        return trace_ok_t(report_internal_error(task, exc), TraceInfo(FAILURE, exc), 0.0, None)


def _signal_internal_error(task: Any, uuid: str, args: Any, kwargs: Any, request: Any, exc: Any) -> None:
    einfo = exception_info()
    try:
        einfo.exception = get_pickleable_exception(einfo.exception)
        einfo.type = get_pickleable_etype(einfo.type)
        signals.task_internal_error.send(
            sender=task,
            task_id=uuid,
            args=args,
            kwargs=kwargs,
            request=request,
            exception=exc,
            traceback=sys.exc_info()[2],
            einfo=einfo,
        )
    finally:
        traceback_clear(einfo.exception)


def report_internal_error(task: Any, exc: Any) -> Any:
    kind, _, tb = sys.exc_info()
    try:
        einfo = exception_info((kind, task.backend.prepare_exception(exc, "pickle"), tb), internal=True)
        text = f"Exception raised outside body: {exc!r}:\n{einfo.traceback}"
        warn(RuntimeWarning(text), stacklevel=2)
        return einfo
    finally:
        del tb


def setup_worker_optimizations(app: Any, hostname: str | None = None) -> None:
    """Called when a worker starts. Tasks with their own ``__call__`` are taken care of in ``Task.__call__``."""
    app.set_current()
    app.set_default()
    app.finalize()
    app.use_fast_trace_task = True


def reset_worker_optimizations(app: Any = None) -> None:
    from .._state import current_app

    (current_app if app is None else app).use_fast_trace_task = False
