"""Where messages wait: named queues of ten lanes. Apps with the same ``broker_url`` share them, as over a broker.

With a worker they are the engine's; without one (manual mode) they wait in a backlog, and no thread exists.
Priority 9 goes first; the setting ``task_priority_zero_first`` turns that round.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from typing import Any

from ....engine import Engine
from ....livesets import LiveSet
from ....options import TaskOptions
from ....pools import pool_of_this_thread
from ..events.bus import Bus
from ..utils.lean import limit_errors
from .dropped import drop
from .message import Message

__all__ = ("Broker", "broker_of", "engine")

LANES = 10
_LOWEST = LANES - 1

_engine: Engine | None = None
_lock = threading.RLock()
_running = 0
_network_noted = False


def engine() -> Engine:
    """The engine of all Celery apps of this process."""
    global _engine
    with _lock:
        if _engine is None or _engine.closed:
            _engine = Engine(name="celery", aging=None)
            _engine.on_dropped = _dropped
        return _engine


def _dropped(handle: Any) -> None:
    """The process ends before a message has run."""
    message = handle.args[0] if handle.args else None
    if isinstance(message, Message):
        drop(message, "dropped at exit")


def _renew() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


_brokers: dict[str, Broker] = {}


def _key_of(app: Any) -> str:
    url = app.conf.broker_write_url
    return url if isinstance(url, str) and url else "memory://"


def default_worker_runs(app: Any) -> bool:
    """Whether a worker that started by itself serves this app."""
    broker = _brokers.get(_key_of(app))
    return broker is not None and any(worker.autostarted and worker.app is app for worker in broker.workers)


def broker_of(app: Any) -> Broker:
    """The broker of an app, made at the first use."""
    key = _key_of(app)
    found = _brokers.get(key)
    if found is None:
        with _lock:
            found = _brokers.get(key)
            if found is None:
                found = _brokers[key] = Broker(key)
                _note_network(key)
    return found


def run_message(message: Message, decision: Any = None) -> None:
    """What the engine calls on a worker thread: the worker that owns the thread takes the message.

    ``decision`` is a lock, free until the thread or, at the hard limit, the keeper decides how this attempt ends.
    """
    controller = getattr(pool_of_this_thread(), "controller", None)
    if controller is None:
        controller = _worker_for(message)
    try:
        controller.consumer.run(message, decision)
    except Exception as exc:
        # not the task: an app that cannot be finalized, a broken loader. Whoever waits has to hear of it.
        _not_run(message, controller, exc)


def _not_run(message: Message, controller: Any, exc: Exception) -> None:
    from ..utils.log import get_logger

    get_logger("celery.worker").critical(
        "Task %s[%s] could not be run: %r", message.task, message.id, exc, exc_info=True
    )
    app = (message.sender and message.sender()) or controller.app
    if not message.ignore_result:
        app.backend.mark_as_failure(message.id, exc)


def _worker_for(message: Message) -> Any:
    """A worker for a message that the engine runs on a thread of nobody (``run_until_empty``)."""
    app = None if message.sender is None else message.sender()
    workers = [] if app is None else broker_of(app).workers
    workers = workers or [worker for broker in list(_brokers.values()) for worker in broker.workers]
    for worker in workers:
        if worker.app is app:
            return worker
    return workers[0]


def _describe(message: Message, *_: Any) -> str:
    return f"{message.task}[{message.id}]"


setattr(run_message, "describe_task", _describe)  # noqa: B010  # for the list of what an exit drops


def autostart_wanted(app: Any) -> bool:
    said = app.conf.get("autostart")
    if said is None:
        said = os.environ.get("BROKERLESS_AUTOSTART", "1")
    return str(said).lower() not in ("0", "false", "no", "off")


class Broker:
    """The queues of one URL, and the workers that read them."""

    def __init__(self, key: str) -> None:
        self.key = key
        #: Apps that have sent something: a worker of another one may have to run their tasks.
        self.senders: LiveSet[Any] = LiveSet()
        self.workers: list[Any] = []
        #: Beats that answer ``ping``.
        self.beats: list[Any] = []
        self.backlog: dict[str, deque[tuple[Message, int, float | None]]] = {}
        #: Index of the engine's queue, and the queue, by Celery's name.
        self.queues: dict[str, Any] = {}
        self.named: dict[str, Any] = {}
        self.scheduled: dict[str, Any] = {}
        self.events = Bus()
        self._options: dict[Any, TaskOptions] = {}
        #: The engine while a worker runs.
        self.engine: Engine | None = None
        self.run = run_message

    def lane(self, priority: Any, app: Any) -> int:
        """The lane of a priority: 9 goes first, unless the app says that 0 does."""
        level = min(max(int(priority or 0), 0), _LOWEST)
        return level if app.conf.get("task_priority_zero_first") else _LOWEST - level

    # -- publishing -------------------------------------------------------------------------------------------------

    def put(self, message: Message, app: Any, delay: float | None = None) -> None:
        """Queue a message of an app; due in ``delay`` seconds if given."""
        lane = message.lane = self.lane(message.priority, app)
        self.senders.add(app)
        message.sender = weakref.ref(app)
        if self.engine is None:
            if autostart_wanted(app):
                self._autostart(app)
            else:
                with _lock:
                    if self.engine is None:
                        due = None if delay is None else time.monotonic() + delay
                        self.backlog.setdefault(message.queue, deque()).append((message, lane, due))
                        return
        self._submit(message, lane, delay)

    def _submit(self, message: Message, lane: int, delay: float | None) -> None:
        queue = self.queues.get(message.queue)
        if queue is None:
            queue = self.queue(message.queue)
        engine = self.engine
        limits = message.limits
        if limits is None:
            if delay is None:
                engine.enqueue(  # type: ignore[union-attr]
                    self.run, (message,), None, queue=queue, lane=lane, keep=False, context=False
                )
                return
            options = None
            arguments: tuple[Any, ...] = (message,)
        else:
            options, arguments = self._limits(*limits), (message, threading.Lock())
        if delay is not None:
            self.scheduled[message.id] = message
        handle = engine.enqueue(  # type: ignore[union-attr]
            self.run,
            arguments,
            None,
            queue=queue,
            lane=lane,
            delay=delay,
            keep=False,
            context=False,
            timeout=None if options is None else options.first_deadline,
            options=options,
        )
        message.handle = handle
        if options is not None and not handle.add_callback(self._ended):
            self._ended(handle)

    def _limits(self, hard: float | None, soft: float | None) -> TaskOptions | None:
        if not hard and not soft:
            return None
        key = (hard, soft)
        options = self._options.get(key)
        if options is None:
            options = self._options[key] = TaskOptions(
                max_retries=0,
                timeout=hard or None,
                soft_timeout=soft or None,
                soft_exception=limit_errors().SoftTimeLimitExceeded,
                hard_exception=limit_errors().TimeLimitExceeded,
            )
        return options

    def _ended(self, handle: Any) -> None:
        error = handle.error
        if error is not None and isinstance(error, limit_errors().TimeLimitExceeded):
            message, decision = handle.args
            consumer = self.workers[0].consumer if self.workers else None
            # its thread may have finished just now: then its outcome stands
            if consumer is not None and decision.acquire(blocking=False):
                consumer.on_hard_limit(message, error)

    def queue(self, name: str) -> Any:
        """The engine's queue of that name; workers that read everything read it from now on."""
        with _lock:
            known = self.queues.get(name)
            if known is None:
                assert self.engine is not None
                made = self.engine.queue(f"celery:{self.key}:{name}", lanes=LANES)
                known = self.queues[name] = made.index
                self.named[name] = made
                for worker in self.workers:
                    worker.queue_appeared(name)
            return known

    # -- workers ----------------------------------------------------------------------------------------------------

    def _autostart(self, app: Any) -> None:
        from ..worker import WorkController

        with _lock:
            if self.engine is None:
                WorkController(app=app, autostarted=True).begin()

    def ensure_worker(self, app: Any) -> None:
        """Start the default worker, where workers start by themselves: a command needs somebody who obeys."""
        if self.engine is None and autostart_wanted(app):
            self._autostart(app)

    def attach(self, worker: Any) -> None:
        """A worker starts: what waited goes into the engine's queues."""
        global _running
        with _lock:
            self.workers.append(worker)
            _running += 1
            if self.engine is None:
                self.engine = engine()
            for name in [*self.backlog]:
                waiting = self.backlog.pop(name)
                for message, lane, due in waiting:
                    if _is_gone(message):
                        continue
                    left = None if due is None else max(due - time.monotonic(), 0.0) or None
                    self._submit(message, lane, left)

    def detach(self, worker: Any) -> None:
        """A worker has stopped. With the last one the threads end too, and messages wait again."""
        global _running, _engine
        with _lock:
            if worker in self.workers:
                self.workers.remove(worker)
                _running -= 1
            for message in worker.consumer.give_back():
                if self.engine is not None:
                    self._submit(message, message.lane, None)
            if self.workers or self.engine is None:
                return
            for name, queue in self.named.items():
                self._take_back(name, queue)
            for message in list(self.scheduled.values()):
                handle = message.handle
                due = handle.due_at
                if handle.withdraw():
                    moment = None if due is None else time.monotonic() + due - time.time()
                    self.backlog.setdefault(message.queue, deque()).append((message, message.lane, moment))
            self.scheduled.clear()
            last, self.engine = self.engine, None
            self.queues, self.named = {}, {}
            if _running == 0:
                last.shut_down(wait=True, timeout=5.0, cancel_pending=True)
                keeper = last.keeper.thread
                if keeper is not None and keeper.ident is not None:
                    keeper.join(5.0)
                _engine = None

    def forget(self, app: Any) -> None:
        """An app was closed: its default worker stops, and what it sent and nobody took is dropped."""
        for worker in [worker for worker in self.workers if worker.autostarted and worker.app is app]:
            worker.stop()
        gone: list[Message] = []
        with _lock:
            self.senders.discard(app)
            for waiting in self.backlog.values():
                gone += [entry[0] for entry in waiting if _is_gone(entry[0])]
                kept = [entry for entry in waiting if not _is_gone(entry[0])]
                waiting.clear()
                waiting.extend(kept)
        for message in gone:
            drop(message, "dropped")

    def _take_back(self, name: str, queue: Any) -> None:
        for handle in queue.pending():
            message = handle.args[0] if handle.args else None
            if message is not None and handle.withdraw():
                self.backlog.setdefault(name, deque()).append((message, message.lane, None))

    # -- looking ----------------------------------------------------------------------------------------------------

    def waiting(self, name: str | None = None) -> list[Message]:
        """Messages that no worker has taken, in order."""
        if self.engine is None:
            names = [name] if name else list(self.backlog)
            return [entry[0] for each in names for entry in self.backlog.get(each, ())]
        chosen = self.named
        queues = [chosen[name]] if name in chosen else [] if name else list(chosen.values())
        return [handle.args[0] for queue in queues for handle in queue.pending() if handle.args]

    def purge(self, names: Any = None) -> int:
        """Throw waiting messages away; gives their number."""
        gone: list[Message] = []
        with _lock:
            for name in list(self.backlog):
                if names is None or name in names:
                    gone += [entry[0] for entry in self.backlog.pop(name)]
        for name, queue in list(self.named.items()):
            if names is None or name in names:
                for handle in queue.pending():
                    message = handle.args[0] if handle.args else None
                    if handle.withdraw() and message is not None:
                        gone.append(message)
        for message in gone:
            drop(message, "purged")
        return len(gone)


def _is_gone(message: Message) -> bool:
    """True if the app that sent a message is closed, or no more."""
    if message.sender is None:
        return False
    app = message.sender()
    return app is None or app.closed


def _note_network(url: str) -> None:
    global _network_noted
    scheme = url.partition("://")[0]
    if _network_noted or scheme in ("memory", "inmemory"):
        return
    _network_noted = True
    from ..app.urls import sanitize_url
    from ..utils.log import get_logger

    get_logger("celery.worker").warning(
        "broker_url %s is ignored: tasks run in this process, nothing connects to a broker", sanitize_url(url)
    )
