"""``Task``: the base class of all tasks.

A task is one object per app; the call that runs on a thread is ``self.request``. How a call is sent is in
``app.base``, how it is run in ``app.trace``.
"""

from __future__ import annotations

import inspect
import sys
from types import GenericAlias
from typing import Any

from kombu.exceptions import OperationalError
from kombu.utils.uuid import uuid

from .. import states
from .._state import _task_stack, current_app
from ..canvas import signature
from ..exceptions import Ignore, ImproperlyConfigured, MaxRetriesExceededError, Reject, Retry
from ..local import class_property
from ..result import EagerResult, denied_join_result
from ..runtime import fast
from ..utils import abstract, deprecated
from ..utils.functional import maybe_list
from ..utils.imports import instantiate
from ..utils.nodenames import gethostname
from ..utils.serialization import raise_with_context
from ..utils.threads import LocalStack
from .annotations import resolve_all as resolve_all_annotations
from .context import Context, get_actual_ignore_result
from .registry import _unpickle_task_v2
from .utils import appstr

__all__ = ("Context", "Task", "get_actual_ignore_result")

_EXEC_OPTIONS = (
    "queue",
    "routing_key",
    "exchange",
    "priority",
    "expires",
    "serializer",
    "delivery_mode",
    "compression",
    "time_limit",
    "soft_time_limit",
    "immediate",
    "mandatory",
)
#: Attributes that say where a task goes: the settings do that now.
_ROUTING_ATTRIBUTES = ("queue", "exchange", "exchange_type", "routing_key", "delivery_mode", "priority")

TaskType = type


def extract_exec_options(task: Any) -> dict[str, Any]:
    return {name: getattr(task, name, None) for name in _EXEC_OPTIONS}


def _reprtask(task: Any, fmt: str | None = None, flags: Any = None) -> str:
    shown = [*(flags or ()), *(["v2 compatible"] if task.__v2_compat__ else [])]
    if not fmt:
        fmt = "<class {0.__name__} of {app}{flags}>" if task._app else "<unbound {0.__name__}{flags}>"
    return fmt.format(
        task, flags=f" ({', '.join(shown)})" if shown else "", app=appstr(task._app) if task._app else None
    )


def _combine_arguments(run: Any, request: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """New positional or keyword arguments of a retry with what remains of the old ones.

    Only one kind was given: old arguments of the other kind stay, unless the new ones set the same parameters.
    """
    try:
        signature_ = inspect.signature(run)
    except (TypeError, ValueError):
        return args, kwargs
    parameters = signature_.parameters
    if args is not None:
        by_place = [p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        taken = {p.name for p in by_place[: len(args)] if p.kind is p.POSITIONAL_OR_KEYWORD}
        return args, {name: value for name, value in request.kwargs.items() if name not in taken}
    try:
        bound = signature_.bind_partial(*request.args)
    except TypeError:
        return args, kwargs
    rest = {}
    for name, value in kwargs.items():
        if name in bound.arguments and parameters[name].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            bound.arguments[name] = value
        else:
            rest[name] = value
    return bound.args, {**bound.kwargs, **rest}


@abstract.CallableTask.register
class Task:
    """Base of tasks. ``run`` is the body; the decorator makes a subclass with the function as ``run``."""

    #: What runs the task, made by ``app.trace.build_tracer`` when it is first needed.
    __trace__: Any = None
    __v2_compat__ = False
    __bound__ = False

    MaxRetriesExceededError = MaxRetriesExceededError
    OperationalError = OperationalError
    Strategy = "celery.worker.strategy:default"
    Request = "celery.worker.request:Request"

    name: Any = None
    typing: Any = None
    max_retries: Any = 3
    default_retry_delay: Any = 3 * 60
    rate_limit: Any = None
    ignore_result: Any = None
    trail = True
    send_events = True
    store_errors_even_if_ignored: Any = None
    serializer: Any = None
    time_limit: Any = None
    soft_time_limit: Any = None
    track_started: Any = None
    acks_late: Any = None
    acks_on_failure_or_timeout: Any = None
    acks_on_failure: Any = None
    acks_on_timeout: Any = None
    reject_on_worker_lost: Any = None
    retry_on_worker_lost: Any = None
    throws: Any = ()
    expires: Any = None
    priority: Any = None
    resultrepr_maxsize = 1024
    request_stack: Any = None
    abstract = True

    _app: Any = None
    _backend: Any = None
    _default_request: Any = None
    _exec_options: Any = None
    _dump_pydantic_arguments: Any = None
    #: The short way of sending, see ``runtime.publisher``; None until it has been worked out.
    _fast_plan: Any = None

    from_config: Any = (
        ("serializer", "task_serializer"),
        ("rate_limit", "task_default_rate_limit"),
        ("priority", "task_default_priority"),
        ("time_limit", "task_time_limit"),
        ("soft_time_limit", "task_soft_time_limit"),
        ("track_started", "task_track_started"),
        ("acks_late", "task_acks_late"),
        ("acks_on_failure_or_timeout", "task_acks_on_failure_or_timeout"),
        ("acks_on_failure", "task_acks_on_failure"),
        ("acks_on_timeout", "task_acks_on_timeout"),
        ("reject_on_worker_lost", "task_reject_on_worker_lost"),
        ("retry_on_worker_lost", "task_retry_on_worker_lost"),
        ("ignore_result", "task_ignore_result"),
        ("store_eager_result", "task_store_eager_result"),
        ("store_errors_even_if_ignored", "task_store_errors_even_if_ignored"),
    )

    # -- binding to an app ------------------------------------------------------------------------------------------

    @classmethod
    def bind(cls, app: Any) -> Any:
        """Make this the task of an app: what is not set is taken from its settings, now and only now."""
        was_bound, cls.__bound__ = cls.__bound__, True
        cls._app = app
        conf = app.conf
        cls._exec_options = None
        if not was_bound:
            for name in _ROUTING_ATTRIBUTES:
                if name in cls.__dict__:
                    deprecated.warn(
                        description=f"The {name!r} task attribute",
                        removal="6.0",
                        alternative="Use the task_routes setting instead.",
                    )
        if cls.typing is None:
            cls.typing = app.strict_typing
        for name, setting in cls.from_config:
            if getattr(cls, name, None) is None:
                setattr(cls, name, conf[setting])
        both = True if cls.acks_on_failure_or_timeout is None else cls.acks_on_failure_or_timeout
        if cls.acks_on_failure is None:
            cls.acks_on_failure = both
        if cls.acks_on_timeout is None:
            cls.acks_on_timeout = both
        if not was_bound:
            cls.annotate()
            cls.request_stack = LocalStack()
        cls.on_bound(app)
        return app

    @classmethod
    def on_bound(cls, app: Any) -> None:
        """Called when the task is bound to an app."""

    @classmethod
    def _get_app(cls) -> Any:
        if cls._app is None:
            cls._app = current_app
        if not cls.__bound__:
            cls.bind(cls._app)
        return cls._app

    app = class_property(_get_app, bind)

    @classmethod
    def annotate(cls) -> None:
        """Set the attributes that ``task_annotations`` asks for; ``@name`` wraps a method."""
        for attributes in resolve_all_annotations(cls.app.annotations, cls):
            for key, value in attributes.items():
                if key.startswith("@"):
                    cls.add_around(key[1:], value)
                else:
                    setattr(cls, key, value)

    @classmethod
    def add_around(cls, attr: str, around: Any) -> None:
        method = getattr(cls, attr)
        method = getattr(method, "__wrapped__", None) or method
        wrapped = around(method)
        wrapped.__wrapped__ = method
        setattr(cls, attr, wrapped)

    __class_getitem__ = classmethod(GenericAlias)

    def __reduce__(self) -> Any:
        module = type(self).__module__
        return _unpickle_task_v2, (self.name, module if module and module in sys.modules else None), None

    def __repr__(self) -> str:
        return _reprtask(self, "<@task: {0.name} of {app}{flags}>")

    @property
    def __name__(self) -> str:
        return type(self).__name__

    @property
    def backend(self) -> Any:
        """Where results are kept."""
        return self.app.backend if self._backend is None else self._backend

    @backend.setter
    def backend(self, value: Any) -> None:
        self._backend = value

    # -- running ----------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # A worker runs a task with its own __call__ through it; super() must not open a second request then.
        request = self.request_stack.top
        started_by_worker = request is not None and not (
            request._protected or request.called_directly or request.is_eager
        )
        if started_by_worker and len(self.request_stack) == 1:
            request._protected = 1
            return self.run(*args, **kwargs)
        _task_stack.push(self)
        self.push_request(args=args, kwargs=kwargs)
        try:
            return self.run(*args, **kwargs)
        finally:
            self.pop_request()
            _task_stack.pop()

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """The body of the task."""
        raise NotImplementedError("Tasks must define the run method.")

    def start_strategy(self, app: Any, consumer: Any, **kwargs: Any) -> Any:
        return instantiate(self.Strategy, self, app, consumer, **kwargs)

    def push_request(self, *args: Any, **kwargs: Any) -> None:
        self.request_stack.push(Context(*args, **{**self.request.__dict__, **kwargs}))

    def pop_request(self) -> None:
        self.request_stack.pop()

    def _get_request(self) -> Context:
        request = self.request_stack.top
        if request is not None:
            return request  # type: ignore[no-any-return]
        if self._default_request is None:
            self._default_request = Context()
        return self._default_request  # type: ignore[no-any-return]

    request = property(_get_request)

    # -- calling ----------------------------------------------------------------------------------------------------

    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """Send with these arguments."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Any = None,
        kwargs: Any = None,
        task_id: str | None = None,
        producer: Any = None,
        link: Any = None,
        link_error: Any = None,
        shadow: str | None = None,
        **options: Any,
    ) -> Any:
        """Send with options; gives the result's handle."""
        if not options and task_id is link is link_error is shadow is None:
            plan = self._fast_plan
            if plan is None:
                plan = fast.make_plan(self)
            if plan:
                result = plan(args, kwargs)
                if result is not None:
                    return result
        if self.soft_time_limit and self.time_limit and self.soft_time_limit > self.time_limit:
            raise ValueError("soft_time_limit must be less than or equal to time_limit")
        if self.typing:
            check = getattr(self, "__header__", None)
            if check is not None:
                check(*(args or ()), **(kwargs or {}))
        shadow = shadow or self.shadow_name(args, kwargs, options)
        options = {**self._get_exec_options(), **options}
        if self._dump_pydantic_arguments is not None and options.get("serializer") != "pickle":
            args, kwargs = self._dump_pydantic_arguments(args, kwargs)
        options.setdefault("ignore_result", self.ignore_result)
        app = self._get_app()
        if app.conf.task_always_eager:
            from ..runtime.isolation import round_trip

            serializer = options.get("serializer") or app.conf.task_serializer
            args, kwargs = round_trip((args, kwargs), serializer)
            with denied_join_result():
                return self.apply(args, kwargs, task_id=task_id or uuid(), link=link, link_error=link_error, **options)
        return app.send_task(
            self.name,
            args,
            kwargs,
            task_id=task_id,
            producer=producer,
            link=link,
            link_error=link_error,
            result_cls=self.AsyncResult,
            shadow=shadow,
            task_type=self,
            **options,
        )

    def shadow_name(self, args: Any, kwargs: Any, options: Any) -> Any:
        """Another name for logs, if wanted."""

    def _get_exec_options(self) -> dict[str, Any]:
        if self._exec_options is None:
            self._exec_options = extract_exec_options(self)
        return self._exec_options  # type: ignore[no-any-return]

    def apply(
        self,
        args: Any = None,
        kwargs: Any = None,
        link: Any = None,
        link_error: Any = None,
        task_id: str | None = None,
        retries: int | None = None,
        throw: Any = None,
        logfile: Any = None,
        loglevel: Any = None,
        headers: Any = None,
        **options: Any,
    ) -> EagerResult:
        """Run here and now, retries included."""
        from billiard.einfo import ExceptionInfo, ExceptionWithTraceback

        from . import trace

        app = self._get_app()
        task_id = task_id or uuid()
        retries = retries or 0
        task = app._tasks[self.name]
        request = self._eager_request(task_id, retries, link, link_error, logfile, loglevel, headers, options)
        tracer = trace.build_tracer(
            task.name,
            task,
            eager=True,
            propagate=app.conf.task_eager_propagates if throw is None else throw,
            app=app,
        )
        outcome = tracer(task_id, args or (), kwargs or {}, request)
        value, tb = outcome.retval, None
        if isinstance(value, ExceptionInfo):
            value, tb = value.exception, value.traceback
            if isinstance(value, ExceptionWithTraceback):
                value = value.exc
        if isinstance(value, Retry) and value.sig is not None:
            return value.sig.apply(retries=retries + 1)  # type: ignore[no-any-return]
        state = states.SUCCESS if outcome.info is None else outcome.info.state
        return EagerResult(task_id, value, state, traceback=tb, name=self.name)

    def _eager_request(
        self,
        task_id: str,
        retries: int,
        link: Any,
        link_error: Any,
        logfile: Any,
        loglevel: Any,
        headers: Any,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        parent = _task_stack.top
        caller = parent.request if parent and parent.request else None
        limited = self.time_limit is not None or self.soft_time_limit is not None
        request = {
            "id": task_id,
            "task": self.name,
            "parent_id": caller.id if caller else None,
            "root_id": (caller.root_id if caller else None) or task_id,
            "retries": retries,
            "is_eager": True,
            "logfile": logfile,
            "loglevel": loglevel or 0,
            "hostname": gethostname(),
            "callbacks": maybe_list(link),
            "errbacks": maybe_list(link_error),
            "headers": headers,
            "timelimit": [self.time_limit, self.soft_time_limit] if limited else None,
            "ignore_result": options.get("ignore_result", self.ignore_result),
            "delivery_info": {
                "is_eager": True,
                "exchange": options.get("exchange"),
                "routing_key": options.get("routing_key"),
                "priority": options.get("priority"),
            },
        }
        if "stamped_headers" in options:
            names = request["stamped_headers"] = maybe_list(options["stamped_headers"])
            request["stamps"] = {name: maybe_list(options.get(name, [])) for name in names}
        return request

    def AsyncResult(self, task_id: str, **kwargs: Any) -> Any:
        """The handle of a call of this task."""
        return self._get_app().AsyncResult(task_id, backend=self.backend, task_name=self.name, **kwargs)

    # -- signatures -------------------------------------------------------------------------------------------------

    def signature(self, args: Any = None, *starargs: Any, **starkwargs: Any) -> Any:
        """This task with arguments and options, to be called later."""
        starkwargs.setdefault("app", self.app)
        return signature(self, args, *starargs, **starkwargs)

    subtask = signature

    def s(self, *args: Any, **kwargs: Any) -> Any:
        return self.signature(args, kwargs)

    def si(self, *args: Any, **kwargs: Any) -> Any:
        return self.signature(args, kwargs, immutable=True)

    def chunks(self, it: Any, n: int) -> Any:
        from ..canvas import chunks

        return chunks(self.s(), it, n, app=self.app)

    def map(self, it: Any) -> Any:
        from ..canvas import xmap

        return xmap(self.s(), it, app=self.app)

    def starmap(self, it: Any) -> Any:
        from ..canvas import xstarmap

        return xstarmap(self.s(), it, app=self.app)

    def signature_from_request(
        self, request: Any = None, args: Any = None, kwargs: Any = None, queue: Any = None, **extra_options: Any
    ) -> Any:
        """A signature that sends a call again, to where it came from."""
        request = self.request if request is None else request
        options = {
            **request.as_execution_options(),
            "ignore_result": get_actual_ignore_result(self, request),
            **extra_options,
        }
        origin = request.delivery_info or {}
        if origin.get("priority") is not None:
            options["priority"] = origin["priority"]
        if queue:
            options["queue"] = queue
        elif origin.get("exchange") == "" and origin.get("routing_key"):
            options["queue"] = origin["routing_key"]
        else:
            options.update(origin)
        return self.signature(
            request.args if args is None else args,
            request.kwargs if kwargs is None else kwargs,
            options,
            type=self,
            **extra_options,
        )

    subtask_from_request = signature_from_request

    # -- from within ------------------------------------------------------------------------------------------------

    def retry(
        self,
        args: Any = None,
        kwargs: Any = None,
        exc: Any = None,
        throw: bool = True,
        eta: Any = None,
        countdown: Any = None,
        max_retries: int | None = None,
        **options: Any,
    ) -> Retry:
        """Send this call again, later; raises ``Retry`` unless told not to."""
        request = self.request
        retries = request.retries + 1
        if max_retries is not None:
            self.override_max_retries = max_retries
        limit = self.max_retries if max_retries is None else max_retries
        if request.called_directly:
            raise_with_context(exc or Retry("Task can be retried", None))
        if not eta and countdown is None:
            countdown = self.default_retry_delay
        if (args is not None and kwargs is None and request.kwargs) or (
            kwargs is not None and args is None and request.args
        ):
            args, kwargs = _combine_arguments(self.run, request, args, kwargs)
        again = self.signature_from_request(
            request, args, kwargs, countdown=countdown, eta=eta, retries=retries, **options
        )
        if limit is not None and retries > limit:
            if exc:
                raise_with_context(exc)
            raise self.MaxRetriesExceededError(
                f"Can't retry {self.name}[{request.id}] args:{again.args} kwargs:{again.kwargs}",
                task_args=again.args,
                task_kwargs=again.kwargs,
            )
        result = Retry(exc=exc, when=eta or countdown, is_eager=request.is_eager, sig=again)
        if not request.is_eager:
            try:
                again.apply_async()
            except Exception as failure:
                raise Reject(failure, requeue=False) from failure
        if throw:
            raise result
        return result

    def replace(self, sig: Any) -> Any:
        """Let another signature give this call's result."""
        request = self.request
        if "chord" in sig.options:
            raise ImproperlyConfigured("A signature replacing a task must not be part of a chord")
        is_chain = sig.subtask_type == "chain"
        if is_chain and not getattr(sig, "tasks", True):
            raise ImproperlyConfigured("Cannot replace with an empty chain")
        if sig.subtask_type == "group":
            sig |= self.app.tasks["celery.accumulate"].s(index=0)
        is_chain = sig.subtask_type == "chain"
        if is_chain and sig.tasks[-1].subtask_type == "group":
            sig.tasks = list(sig.tasks)
            sig.tasks[-1] |= self.app.tasks["celery.accumulate"].s(index=0)
        for callback in maybe_list(request.callbacks) or []:
            sig.link(callback)
        for errback in maybe_list(request.errbacks) or []:
            sig.link_error(errback)
        if is_chain and "link" in sig.options:
            # the links of a chain belong to its last step
            sig.tasks[-1].options.setdefault("link", []).extend(maybe_list(sig.options.pop("link")))
        sig.freeze(request.id)
        nesting = request.get("replaced_task_nesting", 0) + 1
        sig.set(
            chord=request.chord,
            group_id=request.group,
            group_index=request.group_index,
            root_id=request.root_id,
            replaced_task_nesting=nesting,
        )
        if is_chain:
            for step in maybe_list(sig.tasks) or []:
                step.set(replaced_task_nesting=nesting)
        for following in reversed(request.chain or []):
            step = signature(following, app=self.app)
            step.set(replaced_task_nesting=nesting)
            sig |= step
        return self.on_replace(sig)

    def add_to_chord(self, sig: Any, lazy: bool = False) -> Any:
        """Make a signature one more member of the chord that this call belongs to."""
        request = self.request
        if not request.chord:
            raise ValueError("Current task is not member of any chord")
        sig.set(group_id=request.group, group_index=request.group_index, chord=request.chord, root_id=request.root_id)
        self.backend.add_to_chord(request.group, sig.freeze())
        return sig if lazy else sig.delay()

    def update_state(self, task_id: str | None = None, state: Any = None, meta: Any = None, **kwargs: Any) -> None:
        """Store a state of one's own."""
        request = self.request
        self.backend.store_result(request.id if task_id is None else task_id, meta, state, request=request, **kwargs)

    def send_event(self, type_: str, retry: bool = True, retry_policy: Any = None, **fields: Any) -> Any:
        """Send a custom monitoring event."""
        request = self.request
        policy = self.app.conf.task_publish_retry_policy if retry_policy is None else retry_policy
        with self.app.events.default_dispatcher(hostname=request.hostname) as dispatcher:
            return dispatcher.send(type_, uuid=request.id, retry=retry, retry_policy=policy, **fields)

    def add_trail(self, result: Any) -> Any:
        if self.trail:
            self.request.children.append(result)
        return result

    # -- hooks ------------------------------------------------------------------------------------------------------

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Called before the body."""

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """Called when the result has been stored."""

    def on_retry(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Called when the call will be repeated."""

    def on_failure(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Called when the failure has been stored."""

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Called after success and failure."""

    def on_replace(self, sig: Any) -> Any:
        """Called by ``replace`` with the finished signature."""
        if self.request.is_eager:
            return sig.apply().get()
        sig.delay()
        raise Ignore("Replaced by new task")


BaseTask = Task
