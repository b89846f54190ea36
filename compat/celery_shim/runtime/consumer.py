"""``Consumer``: takes messages of one app and has its tasks run them, on the engine's worker threads.

Order of a message's checks: known, revoked, expired, rate limit, run. What happens inside the run is in
``app.trace``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any

from ....errors import CancelInterrupt, TimeLimitInterrupt
from ....limits import boundary
from .. import _state, signals, states
from ..app import trace
from ..app.context import Context, PlainContext, get_actual_ignore_result
from ..app.task import Task
from ..app.tracelog import LOG_RECEIVED
from ..exceptions import NotRegistered, Reject, TaskRevokedError
from ..utils.lean import cached_property, exception_info, limit_errors, safe_repr
from ..utils.log import get_logger
from ..utils.time import rate
from ..worker import state as worker_state
from ..worker.request import Request
from . import broker as brokers
from .dropped import concerns_others
from .message import Message
from .publisher import requeue

__all__ = ("Consumer",)

trace.mark_boundary = boundary
boundary(Task.__call__)

strategy_logger = get_logger("celery.worker.strategy")
logger = get_logger("celery.worker.request")

E_UNKNOWN = "Received unregistered task of type %s.\nThe message has been ignored and discarded."


class _Limited:
    """Messages of a task that wait for its rate limit."""

    def __init__(self, per_second: float) -> None:
        from kombu.utils.limits import TokenBucket

        self.bucket = TokenBucket(per_second, capacity=1)
        self.waiting: deque[Message] = deque()
        self.lock = threading.Lock()


class Consumer:
    """``worker.consumer``; also the sender of ``task_received`` and ``worker_ready``."""

    def __init__(self, controller: Any) -> None:
        self.controller = controller
        self.app = controller.app
        self.hostname = controller.hostname
        self.pool = controller.pool
        self.broker = brokers.broker_of(controller.app)
        self.bus = self.broker.events
        self.limited: dict[str, _Limited] = {}
        self.disable_rate_limits = self.app.conf.worker_disable_rate_limits
        self.started_at = time.time()

    @cached_property
    def eventer(self) -> Any:
        """What tells about this worker; made when somebody listens, or asks for its dispatcher."""
        from ..events.eventer import Eventer

        return Eventer(self)

    @property
    def event_dispatcher(self) -> Any:
        """Sends this worker's events; None where it sends none."""
        return self.eventer.dispatcher if self.eventer.enabled else None

    def listened(self) -> None:
        """Somebody listens to events: begin to send heartbeats."""
        self.eventer.online()

    def stopped(self) -> None:
        """The worker stops."""
        if self.listened in self.bus.on_listener:
            self.bus.on_listener.remove(self.listened)
        if "eventer" in self.__dict__:
            self.eventer.offline()

    def give_back(self) -> list[Message]:
        """Messages that waited here for their rate limit, when the worker has stopped."""
        waiting: list[Message] = []
        for limited in list(self.limited.values()):
            with limited.lock:
                waiting += limited.waiting
                limited.waiting.clear()
        for message in waiting:
            message.received = message.passed = False
        return waiting

    # -- one message ------------------------------------------------------------------------------------------------

    def run(self, message: Message, decision: Any = None) -> None:
        """Called by the engine on a worker thread."""
        worker = self.controller
        if message.eta is not None:
            self.broker.scheduled.pop(message.id, None)
        if not worker.prepared:
            worker.prepare()
        app = self.app
        task = (app.finalized and app._tasks.get(message.task)) or self._task(message.task)
        if task is None:
            self._unknown(message)
            return
        if not message.received:
            self._received(message, task, worker)
        may_be_refused = message.expires is not None or worker_state.revoked or worker_state.revoked_stamps
        if may_be_refused and self._refused(message, task, worker):
            return
        if task.rate_limit and not self.disable_rate_limits and not message.passed:
            if not self._within_rate(message, task):
                return
        self._execute(message, task, worker, decision)

    def _task(self, name: str) -> Any:
        task = self.app._tasks.get(name) if self.app.finalized else self.app.tasks.get(name)
        if task is not None or not self.controller.autostarted:
            return task
        # the only worker of this process also serves other apps: a client and its tasks may be two
        others = [app for app in self.broker.senders if app is not self.app]
        for app in others:
            self.controller.prepare_app(app)
        for app in others + [app for app in _state._apps if app is not self.app and app.finalized]:
            if name in app.tasks:
                return app.tasks[name]
        return None

    def _request(self, message: Message, task: Any, worker: Any) -> Request:
        return Request(message, app=self.app, hostname=worker.hostname, task=task)

    def _received(self, message: Message, task: Any, worker: Any) -> None:
        message.received = True
        if strategy_logger.isEnabledFor(logging.INFO):
            request = self._request(message, task, worker)
            context = {
                "id": message.id,
                "name": request.name,
                "args": request.argsrepr,
                "kwargs": request.kwargsrepr,
                "eta": message.headers.get("eta"),
            }
            strategy_logger.info(LOG_RECEIVED, context, extra={"data": context})
        if signals.task_received.receivers:
            signals.task_received.send(sender=self, request=self._request(message, task, worker))
        if self.bus.mailboxes:
            self.eventer.received(task, self._request(message, task, worker))

    def received_early(self, message: Message) -> None:
        """A delayed message was accepted: Celery's workers take it at once and hold it."""
        task = self._task(message.task)
        if task is not None and not message.received:
            self._received(message, task, self.controller)

    def _refused(self, message: Message, task: Any, worker: Any) -> bool:
        """True for messages that must not run: they end here."""
        if message.expires is not None and time.time() >= message.expires:
            self._revoke(message, task, worker, "expired", expired=True)
            return True
        if worker_state.revoked and message.id in worker_state.revoked:
            self._revoke(message, task, worker, "revoked")
            return True
        if worker_state.revoked_stamps and self._revoked_by_stamp(message):
            self._revoke(message, task, worker, "revoked")
            return True
        return False

    def _revoked_by_stamp(self, message: Message) -> bool:
        stamps = message.headers.get("stamps") or {}
        for name, values in list(worker_state.revoked_stamps.items()):
            own = stamps.get(name)
            own = own if isinstance(own, (list, tuple, set)) else [own] if own is not None else ()
            wanted = values if isinstance(values, (list, tuple, set)) else [values]
            if any(value in wanted for value in own):
                return True
        return False

    def _revoke(
        self,
        message: Message,
        task: Any,
        worker: Any,
        reason: str,
        expired: bool = False,
        terminated: bool = False,
        signum: Any = None,
    ) -> None:
        request = self._request(message, task, worker)
        logger.info("Discarding revoked task: %s[%s]", request.name, message.id)
        store = not get_actual_ignore_result(task, request._context)
        task.backend.mark_as_revoked(message.id, reason, request=request._context, store_result=store)
        signals.task_revoked.send(
            sender=task, request=request._context, expired=expired, terminated=terminated, signum=signum
        )
        if self.bus.mailboxes:
            self.eventer.tell(task, "task-revoked", message.id, terminated=terminated, signum=signum, expired=expired)

    def _unknown(self, message: Message) -> None:
        exc, refusal = KeyError(message.task), NotRegistered(message.task)
        logger.error(E_UNKNOWN, exc, exc_info=True)
        context = Context(message.request_dict(self.hostname), name=message.task)
        self.app.backend.mark_as_failure(message.id, refusal, request=context, store_result=not message.ignore_result)
        signals.task_unknown.send(sender=self, message=message, exc=exc, name=message.task, id=message.id)

    # -- rate limits ------------------------------------------------------------------------------------------------

    def _within_rate(self, message: Message, task: Any) -> bool:
        """True if the message may run now; else it waits for its turn here, without a thread."""
        limited = self.limited.get(task.name)
        if limited is None:
            per_second = rate(task.rate_limit)
            if not per_second:
                return True
            limited = self.limited.setdefault(task.name, _Limited(per_second))
        with limited.lock:
            if not limited.waiting and limited.bucket.can_consume(1):
                return True
            limited.waiting.append(message)
            if len(limited.waiting) == 1:
                self._wake_later(limited)
        return False

    def _wake_later(self, limited: _Limited) -> None:
        wait = max(limited.bucket.expected_time(1), 0.001)
        brokers.engine().call_later(wait, lambda: self._release(limited))

    def _release(self, limited: _Limited) -> None:
        with limited.lock:
            if limited.waiting and limited.bucket.can_consume(1):
                message = limited.waiting.popleft()
                message.passed = True
                self.broker.put(message, self.app)
            if limited.waiting:
                self._wake_later(limited)

    def reset_rate_limit(self, name: str, limit: Any) -> None:
        """A new limit for a task; what waits is sent on under the new one."""
        limited = self.limited.pop(name, None)
        if limited is not None:
            with limited.lock:
                waiting = list(limited.waiting)
                limited.waiting.clear()
            for message in waiting:
                self.broker.put(message, self.app)

    # -- running ----------------------------------------------------------------------------------------------------

    def _execute(self, message: Message, task: Any, worker: Any, decision: Any = None) -> None:
        build = trace.build_tracer
        own = task.__dict__
        tracer = own.get("__trace__")
        if tracer is None or own.get("_traced_by") is not build:
            tracer = task.__trace__ = build(task.name, task, app=task._app or self.app, hostname=worker.hostname)
            task._traced_by = build
        id = message.id
        _state._tls.current_app = task._app or self.app
        join = _state._join
        before = join.blocks, join.decision
        join.blocks, join.decision = worker.guards, decision
        worker.total[task.name] += 1
        active = worker.active
        entry = active[id] = (message, time.time(), threading.get_ident())
        outcome = None
        try:
            if self.bus.mailboxes:
                self.eventer.tell(task, "task-started", id)
            if message._headers is None and message.properties is None and build is trace.OWN_BUILD:
                outcome = tracer(id, message.args, message.kwargs, PlainContext(message, worker.hostname))
            else:
                outcome = tracer(id, message.args, message.kwargs, message.request_dict(worker.hostname))
        except Reject as exc:
            self._rejected(message, task, worker, exc, exception_info())
        except Exception as exc:
            # raised by a hook while a failure was being handled: it takes the place of the result
            self._fail(message, task, worker, exc, hooks=False)
        except CancelInterrupt:
            self._revoke(message, task, worker, "terminated", terminated=True, signum=message.terminated)
            raise
        except TimeLimitInterrupt:
            raise  # the limit has been accounted for
        except BaseException as exc:
            if isinstance(exc, limit_errors().TimeLimitExceeded):
                raise
            self._lost(message, task, worker, exc)
        finally:
            if active.get(id) is entry:  # a retry without delay may have begun already, under the same id
                del active[id]
            join.blocks, join.decision = before
        if outcome is None:
            return
        if self.bus.mailboxes:
            self.eventer.ended(task, id, outcome)
        if outcome.info is not None:
            self._not_successful(message, task, worker, outcome)

    def _not_successful(self, message: Message, task: Any, worker: Any, outcome: Any) -> None:
        exc = outcome.info.retval
        if outcome.info.state == states.REJECTED:
            self._rejected(message, task, worker, exc, outcome.retval)
        elif outcome.info.state == states.RETRY and message.id in worker_state.revoked:
            # Revoked while it ran: the next attempt will be refused, and nobody need wait for its time.
            if task.backend.get_state(message.id) == states.RETRY:
                task.backend.mark_as_revoked(message.id, "revoked")
        elif outcome.info.state == states.IGNORED and concerns_others(message.embed):
            if not getattr(exc, "replaced", False):
                request = self._request(message, task, worker)._context
                task.backend.mark_as_dropped(request, exc)

    def _rejected(self, message: Message, task: Any, worker: Any, exc: Any, einfo: Any) -> None:
        """Back to the queue, or a failure."""
        if self.bus.mailboxes:
            self.eventer.tell(task, "task-rejected", message.id, requeue=exc.requeue)
        if exc.requeue:
            requeue(self.app, message)
            return
        request = self._request(message, task, worker)._context
        store = not get_actual_ignore_result(task, request)
        task.backend.mark_as_failure(
            message.id, exc, getattr(einfo, "traceback", None), request=request, store_result=store
        )
        signals.task_failure.send(
            sender=task,
            task_id=message.id,
            exception=exc,
            args=message.args,
            kwargs=message.kwargs,
            traceback=getattr(exc, "__traceback__", None),
            einfo=einfo,
        )

    def _lost(self, message: Message, task: Any, worker: Any, exc: BaseException) -> None:
        """The task asked for the end of its process: Celery's pool reports it as lost."""
        code = exc.code if isinstance(exc, SystemExit) else 1
        lost = limit_errors().WorkerLostError(f"Worker exited prematurely: exitcode {0 if code is None else code}.")
        if task.acks_late and task.reject_on_worker_lost and not message.redelivered:
            requeue(self.app, message)
            return
        self._fail(message, task, worker, lost)

    def _fail(self, message: Message, task: Any, worker: Any, exc: BaseException, hooks: bool = True) -> None:
        """A failure that is decided outside the task."""
        request = self._request(message, task, worker)._context
        try:
            raise exc
        except BaseException:
            einfo = exception_info()
        einfo.traceback = None  # the frames are ours, not the task's
        logger.error("Task %s[%s] %s", task.name, message.id, safe_repr(exc))
        store = not get_actual_ignore_result(task, request) or bool(task.store_errors_even_if_ignored)
        task.backend.mark_as_failure(message.id, exc, None, request=request, store_result=store)
        if not hooks:
            return
        task.on_failure(exc, message.id, message.args, message.kwargs, einfo)
        signals.task_failure.send(
            sender=task,
            task_id=message.id,
            exception=exc,
            args=message.args,
            kwargs=message.kwargs,
            traceback=None,
            einfo=einfo,
        )
        task.after_return(states.FAILURE, exc, message.id, message.args, message.kwargs, einfo)
        if self.bus.mailboxes:
            self.eventer.failed(task, message.id, einfo)

    def on_hard_limit(self, message: Message, exc: BaseException) -> None:
        """The engine has given up on a task at its hard limit."""
        task = self._task(message.task)
        if task is None:
            return
        message.timed_out = True
        logger.error("Hard time limit (%ss) exceeded for %s[%s]", exc.args[0], task.name, message.id)
        if task.acks_late and not task.acks_on_timeout:
            requeue(self.app, message)
            return
        self._fail(message, task, self.controller, exc)

    # -- from outside -----------------------------------------------------------------------------------------------

    def revoke_waiting(self, task_id: str) -> None:
        """Mark a task that has not started REVOKED at once, so that nobody waits for its turn."""
        backend = self.app.backend
        state = backend.get_state(task_id)
        if state in (states.PENDING, states.RETRY, states.RECEIVED, states.REJECTED):
            backend.store_result(task_id, TaskRevokedError("revoked"), states.REVOKED)
