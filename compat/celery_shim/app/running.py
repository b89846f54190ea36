"""What a running task does with its own call: retry it, replace it, store a state. Mixed into ``Task``."""

from __future__ import annotations

from typing import Any

from .. import _state
from ..canvas import signature
from ..exceptions import Ignore, ImproperlyConfigured, Reject, Retry
from ..typevars import P, R
from ..utils.lean import exception_info, maybe_list
from ..utils.serialization import raise_with_context
from .context import get_actual_ignore_result
from .parts import TaskParts

__all__ = ("Running",)


def _combine_arguments(run: Any, request: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """New positional or keyword arguments of a retry with what remains of the old ones.

    Only one kind was given: old arguments of the other kind stay, unless the new ones set the same parameters.
    """
    import inspect

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


class Running(TaskParts[P, R]):
    """The side of a task that its own body uses."""

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
            _state.decide()
            try:
                if throw and request.id:
                    self._note_retry(request, result)
                again.apply_async()
            except Exception as failure:
                raise Reject(failure, requeue=False) from failure
        if throw:
            raise result
        return result

    def _note_retry(self, request: Any, result: Retry) -> None:
        """Store RETRY before the call is sent again: the next attempt may be over before this one is."""
        if not self.store_errors_even_if_ignored and get_actual_ignore_result(self, request):
            return
        try:
            raise result
        except Retry:
            self.backend.mark_as_retry(request.id, result.exc, exception_info().traceback, request=request)
        request.retry_noted = result

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
        if not request.is_eager:
            _state.decide()
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
        try:
            return self.on_replace(sig)
        except Ignore as ended:
            ended.replaced = True  # type: ignore[attr-defined]
            raise

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
