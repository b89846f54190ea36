"""What a worker tells about itself and its tasks: heartbeats, and one event per step in the life of a task.

The consumer calls this only while somebody listens (``bus.mailboxes``); heartbeats too begin with the first listener.
"""

from __future__ import annotations

from typing import Any

from billiard.einfo import ExceptionWithTraceback

from .. import states
from ..signals import heartbeat_sent
from ..utils.lean import safe_repr, safe_str
from ..utils.saferepr import saferepr
from ..utils.serialization import get_pickled_exception
from ..utils.sysinfo import load_average
from ..worker import state as worker_state

__all__ = ("Eventer",)

#: Seconds between two heartbeats, unless the worker was told otherwise.
HEARTBEAT = 2.0


class Eventer:
    """The events of one worker. ``dispatcher`` is what users see as ``consumer.event_dispatcher``."""

    def __init__(self, consumer: Any) -> None:
        worker = consumer.controller
        options, conf = worker.options, consumer.app.conf
        task_events = options.get("task_events")
        task_events = conf.worker_send_task_events if task_events is None else task_events
        self.beats = not options.get("without_heartbeat")
        self.interval = float(options.get("heartbeat_interval") or HEARTBEAT)
        self.consumer, self.worker = consumer, worker
        self.bus = consumer.bus
        #: False for a worker that was told to send nothing, such as those of tests.
        self.enabled = bool(task_events or self.beats or not options.get("without_gossip"))
        self.dispatcher = consumer.app.events.Dispatcher(
            hostname=worker.hostname, enabled=self.enabled, groups=None if task_events else ["worker"]
        )
        self._timer: Any = None
        self.stopped = False

    # -- the worker -------------------------------------------------------------------------------------------------

    def online(self) -> None:
        """The worker has started, and somebody listens; or somebody begins to listen."""
        if self.beats and not self.stopped and self._timer is None:
            self._beat("worker-online")

    def _again(self) -> None:
        self._timer = None
        if self.bus.listening and not self.stopped:
            self._beat("worker-heartbeat")

    def _beat(self, type: str) -> None:
        from ..runtime import broker as brokers

        self._send_beat(type)
        self._timer = brokers.engine().call_later(self.interval, self._again)

    def _send_beat(self, type: str) -> None:
        if heartbeat_sent.receivers:
            heartbeat_sent.send(sender=self)
        self.dispatcher.send(
            type,
            freq=self.interval,
            active=len(self.worker.active),
            processed=sum(self.worker.total.values()),
            loadavg=load_average(),
            **worker_state.SOFTWARE_INFO,
        )

    def offline(self) -> None:
        """The worker stops."""
        self.stopped = True
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if self.beats and self.bus.listening:
            self._send_beat("worker-offline")

    # -- its tasks --------------------------------------------------------------------------------------------------

    def _tells(self, task: Any) -> bool:
        return bool(task.send_events and self.dispatcher.wants("task"))

    def received(self, task: Any, request: Any) -> None:
        """A worker has accepted a message."""
        if self._tells(task):
            self.dispatcher.send(
                "task-received",
                uuid=request.id,
                name=request.name,
                args=request.argsrepr,
                kwargs=request.kwargsrepr,
                root_id=request.root_id,
                parent_id=request.parent_id,
                retries=request.get("retries", 0),
                eta=request.eta and request.eta.isoformat(),
                expires=request.expires and request.expires.isoformat(),
            )

    def tell(self, task: Any, type: str, id: str, **fields: Any) -> None:
        """A step without a rule of its own: ``task-started``, ``task-revoked``, ``task-rejected``."""
        if self._tells(task):
            self.dispatcher.send(type, uuid=id, **fields)

    def ended(self, task: Any, id: str, outcome: Any) -> None:
        """A task has run; ``outcome`` is what its tracer gave."""
        if not self._tells(task):
            return
        if outcome.info is None:
            text = outcome.retstr
            text = saferepr(outcome.retval, task.resultrepr_maxsize) if text is None else text
            self.dispatcher.send("task-succeeded", uuid=id, result=text, runtime=outcome.runtime)
        elif outcome.info.state in (states.FAILURE, states.RETRY):
            self.failed(task, id, outcome.retval, again=outcome.info.state == states.RETRY)

    def failed(self, task: Any, id: str, einfo: Any, again: bool = False) -> None:
        """A task failed, or will be tried again."""
        if not self._tells(task):
            return
        exc = get_pickled_exception(einfo.exception)
        if isinstance(exc, ExceptionWithTraceback):
            exc = exc.exc
        self.dispatcher.send(
            "task-retried" if again else "task-failed",
            uuid=id,
            exception=safe_repr(exc.exc or exc if again else exc),
            traceback=safe_str(einfo.traceback) if einfo.traceback is not None else None,
        )
