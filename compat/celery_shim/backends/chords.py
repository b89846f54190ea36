"""What a failure means for others: errbacks, the rest of a chain, the body of a chord.

How a store counts the members of a chord is its own business; this is what happens when one failed.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from .. import states
from ..app.context import Context
from ..exceptions import ChordError, NotRegistered
from ..utils.functional import arity_greater
from ..utils.lean import maybe_list
from ..utils.log import get_logger
from .unsent import Unsent, errbacks_of

__all__ = ("ChordErrors",)

logger = get_logger("celery.backends.base")


def _create_chord_error_with_cause(message: str, original_exc: Any = None) -> ChordError:
    error = ChordError(message)
    if isinstance(original_exc, Exception):
        error.__cause__ = original_exc
    return error


def _create_fake_task_request(task_id: Any, errbacks: Any = None, task_name: str = "unknown", **extra: Any) -> Context:
    """A request for a task that never ran."""
    return Context({"id": task_id, "errbacks": errbacks or [], "delivery_info": {}, "task": task_name, **extra})


class ChordErrors(Unsent):
    """Mixed into ``Backend``."""

    app: Any
    store_result: Any
    get_state: Any
    fail_from_current_stack: Any
    mark_as_failure: Any
    on_chord_part_return: Any

    def _errback_arity_greater(self, errback: Any, n: int) -> Any:
        header = errback.type.__header__
        if not errback.immutable and (errback.args or errback.kwargs):
            try:
                return arity_greater(partial(header, *errback.args, **errback.kwargs), n)
            except (TypeError, ValueError):
                pass  # inspect cannot see through this partial
        return arity_greater(header, n)

    def _takes_the_error(self, errback: Any) -> bool:
        """True for errbacks of the new kind, ``f(request, exc, traceback)``, which are called here and now."""
        try:
            header = getattr(errback.type, "__header__", None)
        except NotRegistered:
            return False
        if header is None or isinstance(header, partial):
            return False
        return bool(self._errback_arity_greater(errback, 1))

    def _call_task_errbacks(self, request: Any, exc: Any, traceback: Any) -> None:
        to_send = []
        for errback in request.errbacks:
            errback = self.app.signature(errback)
            if not errback._app:
                errback._app = self.app
            if not self._takes_the_error(errback):
                to_send.append(errback)
                continue
            try:
                errback(request, exc, traceback)
            except Exception:
                logger.exception("Errback %r raised an exception", errback.name)
        if not to_send or getattr(self.app, "closed", False):
            return
        root_id = request.root_id or request.id
        eager = self.app.conf.task_always_eager or (request.delivery_info or {}).get("is_eager", False)
        for errback in to_send:
            call = errback.apply if eager else errback.apply_async
            call((request.id,), parent_id=request.id, root_id=root_id)

    def chord_error_from_stack(self, callback: Any, exc: Any = None) -> Any:
        """Fail the body of a chord, and what was to follow it; its errbacks are called."""
        from ..utils.lean import uuid

        exc = sys.exc_info()[1] if exc is None else exc
        task = self.app._tasks.get(callback.task)
        backend: Any = self if task is None else task.backend
        options = callback.options
        # an errback that has heard of the failed chord inside this one need not hear of the failure again
        told = getattr(exc, "told", [])
        if callback.subtask_type == "group":
            info = self._handle_group_chord_error(group_callback=callback, backend=backend, exc=exc)
        else:
            task_id = options.get("task_id")
            if not task_id:
                task_id = options["task_id"] = uuid()
            errbacks = [errback for errback in errbacks_of(callback) if errback not in told]
            request = _create_fake_task_request(task_id=task_id, errbacks=errbacks, **callback)
            if isinstance(exc, ChordError):
                exc.told = [*told, *errbacks]  # type: ignore[attr-defined]
            try:
                self._call_task_errbacks(request, exc, None)
            except Exception as failure:
                exc = failure
            composed = callback.subtask_type in ("chain", "chord")
            if composed:
                backend._fail_unsent(callback, exc)
            info = backend.fail_from_current_stack(task_id, exc=exc)
            if not composed and "chord" in options:
                member = Context({**callback, **options, "id": task_id, "group": options.get("group_id")})
                backend.on_chord_part_return(member, states.FAILURE, exc)
        backend._fail_chain(options.get("chain"), exc)
        return info

    def _handle_group_chord_error(self, group_callback: Any, backend: Any, exc: Any = None) -> Any:
        """Fail every member of a group that was the body of a chord, with the error that started it."""
        original = (exc.__cause__ or exc) if isinstance(exc, ChordError) else exc
        own = maybe_list(group_callback.options.get("link_error")) or []
        try:
            frozen = group_callback.freeze()
            members = list(zip(group_callback.tasks, frozen.results, strict=False))
            for member, result in members:
                errbacks = [*errbacks_of(member), *own]
                request = _create_fake_task_request(
                    result.id,
                    [errback for place, errback in enumerate(errbacks) if errback not in errbacks[:place]],
                    getattr(result, "task", "unknown"),
                )
                try:
                    backend._call_task_errbacks(request, original, None)
                except Exception:
                    logger.exception("Errbacks of %s failed", result.id)
                backend._fail_unsent(member, original)
                backend.fail_from_current_stack(result.id, exc=original)
            if frozen.id:
                backend.mark_as_failure(frozen.id, original)
            frozen.revoke()
        except Exception as failure:
            logger.exception("Failed to handle group chord error, falling back to single task handling: %r", failure)
            return backend.fail_from_current_stack(group_callback.id, exc=exc)
        return None

    def fallback_chord_unlock(self, header_result: Any, body: Any, countdown: float = 1, **kwargs: Any) -> None:
        """Have ``celery.chord_unlock`` look after the members: for stores that cannot count."""
        kwargs["result"] = [result.as_tuple() for result in header_result]
        try:
            body_type = getattr(body, "type", None)
        except NotRegistered:
            body_type = None
        queue = body.options.get("queue", getattr(body_type, "queue", None))
        if queue is None:
            queue = self.app.amqp.router.route(kwargs, body.name)["queue"].name
        stamps = body.options.get("stamped_headers") or ()
        routing = {
            name: body.options[name]
            for name in ("exchange", "exchange_type", "routing_key", "headers")
            if name not in stamps and body.options.get(name) is not None
        }
        if "exchange_type" not in routing:
            known = self.app.amqp.queues[queue] if isinstance(queue, str) else queue
            kind = getattr(getattr(known, "exchange", None), "type", None)
            if kind is not None:
                routing["exchange_type"] = kind
        if "exchange_type" in routing:
            kwargs["_chord_unlock_exchange_type"] = routing["exchange_type"]
        self.app.tasks["celery.chord_unlock"].apply_async(
            (header_result.id, body),
            kwargs,
            countdown=countdown,
            queue=queue,
            priority=body.options.get("priority", getattr(body_type, "priority", 0)),
            **routing,
        )
