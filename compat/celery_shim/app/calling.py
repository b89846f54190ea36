"""Calling a task: ``delay``, ``apply_async``, ``apply`` and its signatures. Mixed into ``Task``.

How a call becomes a message is in ``sending``; the short way of plain calls is in ``runtime.fast``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import states
from .._state import _task_stack
from ..canvas import signature
from ..exceptions import Retry
from ..result import EagerResult, denied_join_result
from ..runtime import fast, fast_canvas
from ..typevars import P, R
from ..utils.functional import maybe_list
from ..utils.lean import uuid
from ..utils.nodenames import gethostname
from .parts import TaskParts

if TYPE_CHECKING:
    from ..canvas import Signature
    from ..result import AsyncResult as Result

__all__ = ("Calling", "extract_exec_options")

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


def extract_exec_options(task: Any) -> dict[str, Any]:
    return {name: getattr(task, name, None) for name in _EXEC_OPTIONS}


class Calling(TaskParts[P, R]):
    """The caller's side of a task."""

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        """Send with these arguments."""
        plan = self._fast_plan
        # apply_async is what subclasses override and monitoring tools replace: then it has to be called
        if plan is not None and type(self).apply_async is _apply_async and "apply_async" not in self.__dict__:
            result: Result[R] | None = plan(args, kwargs)
            if result is not None:
                return result
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
    ) -> Result[R]:
        """Send with options; gives the result's handle."""
        if shadow is None:
            plan = self._fast_plan
            if plan is None:
                plan = fast.make_plan(self)
            if plan:
                if not options and task_id is link is link_error is None:
                    result = plan(args, kwargs)
                else:
                    given = {**options, "task_id": task_id, "link": link, "link_error": link_error}
                    result = fast_canvas.send(plan, args, kwargs, given)
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
        return self._exec_options

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
    ) -> EagerResult[R]:
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
            return value.sig.apply(retries=retries + 1)
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

    def signature(self, args: Any = None, *starargs: Any, **starkwargs: Any) -> Signature[R]:
        """This task with arguments and options, to be called later."""
        starkwargs.setdefault("app", self.app)
        return signature(self, args, *starargs, **starkwargs)

    subtask = signature

    def s(self, *args: Any, **kwargs: Any) -> Signature[R]:
        """The same with these arguments; missing ones may come from the task before it in a chain."""
        return self.signature(args, kwargs)

    def si(self, *args: Any, **kwargs: Any) -> Signature[R]:
        """The same, taking nothing from the task before it."""
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


_apply_async = Calling.apply_async
