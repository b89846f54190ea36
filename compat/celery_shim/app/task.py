"""``Task``: the base class of all tasks.

A task is one object per app; the call that runs on a thread is ``self.request``. Calling is in ``calling``, what a
body does with its own call in ``running``, how a worker runs it in ``trace``.
"""

from __future__ import annotations

import sys
from typing import Any

from .._state import _task_stack, current_app
from ..exceptions import Ignore, ImproperlyConfigured, MaxRetriesExceededError
from ..local import class_property
from ..typevars import P, R
from ..utils import abstract, deprecated
from ..utils.imports import instantiate
from ..utils.lean import kombu_errors
from ..utils.threads import LocalStack
from .annotations import resolve_all as resolve_all_annotations
from .calling import Calling, extract_exec_options
from .context import Context, get_actual_ignore_result
from .registry import _unpickle_task_v2
from .running import Running
from .utils import appstr

__all__ = ("BaseTask", "Context", "Task", "TaskType", "extract_exec_options", "get_actual_ignore_result")

#: Attributes that say where a task goes: the settings do that now.
_ROUTING_ATTRIBUTES = ("queue", "exchange", "exchange_type", "routing_key", "delivery_mode", "priority")

TaskType = type


def _reprtask(task: Any, fmt: str | None = None, flags: Any = None) -> str:
    shown = [*(flags or ()), *(["v2 compatible"] if task.__v2_compat__ else [])]
    if not fmt:
        fmt = "<class {0.__name__} of {app}{flags}>" if task._app else "<unbound {0.__name__}{flags}>"
    return fmt.format(
        task, flags=f" ({', '.join(shown)})" if shown else "", app=appstr(task._app) if task._app else None
    )


@abstract.CallableTask.register
class Task(Calling[P, R], Running[P, R]):
    """Base of tasks. ``run`` is the body; the decorator makes a subclass with the function as ``run``."""

    #: What runs the task, made by ``app.trace.build_tracer`` when it is first needed.
    __trace__: Any = None
    __v2_compat__ = False
    __bound__ = False

    MaxRetriesExceededError = MaxRetriesExceededError
    OperationalError: Any = class_property(lambda cls: kombu_errors().OperationalError)
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
        if cls.Strategy != Task.Strategy:
            raise ImproperlyConfigured(
                f"{cls.__name__} has the strategy {cls.Strategy!r}, which reads messages of a broker: remove Strategy, or "
                "use Celery with a broker for this task"
            )
        was_bound = cls.__bound__
        if not was_bound:
            cls.request_stack = LocalStack()  # before anybody takes the task for bound
        cls.__bound__ = True
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

    def __reduce__(self) -> Any:
        module = type(self).__module__
        return _unpickle_task_v2, (self.name, module if module and module in sys.modules else None), None

    def __repr__(self) -> str:
        return _reprtask(self, "<@task: {0.name} of {app}{flags}>")

    @property
    def __name__(self) -> str:
        cls: type[Any] = type(self)
        return cls.__name__

    @property
    def backend(self) -> Any:
        """Where results are kept."""
        own = self._backend
        return self.app.backend if own is None else own

    @backend.setter
    def backend(self, value: Any) -> None:
        self._backend = value

    # -- running ----------------------------------------------------------------------------------------------------

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
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

    def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The body of the task."""
        raise NotImplementedError("Tasks must define the run method.")

    def start_strategy(self, app: Any, consumer: Any, **kwargs: Any) -> Any:
        return instantiate(self.Strategy, self, app, consumer, **kwargs)

    def push_request(self, *args: Any, **kwargs: Any) -> None:
        self.request_stack.push(Context(*args, **{**self.request.__dict__, **kwargs}))

    def pop_request(self) -> None:
        self.request_stack.pop()

    @property
    def request(self) -> Context:
        """The call that this thread runs."""
        request = self.request_stack.top
        if request is not None:
            return request
        if self._default_request is None:
            self._default_request = Context()
        return self._default_request

    def _get_request(self) -> Context:
        return self.request

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
