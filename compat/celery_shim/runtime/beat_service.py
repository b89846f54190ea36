"""``Service``: the loop around a scheduler, its thread, and its answer to ``inspect ping``.

It sleeps until the next entry is due: there is no tick. Who runs one, and where, is the business of
``runtime.embedded_beat`` and ``apps.beat``.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from .. import signals
from ..utils.collections import AttributeDict
from ..utils.imports import load_extension_class_names, symbol_by_name
from ..utils.lean import cached_property
from ..utils.log import get_logger
from ..utils.nodenames import default_nodename, host_format
from ..utils.time import humanize_seconds
from . import broker as brokers

__all__ = ("DEFAULT_MAX_INTERVAL", "BeatPidbox", "EmbeddedService", "Service", "beat_nodename")

DEFAULT_MAX_INTERVAL = 300
NODENAME_DEFAULT = "celerybeat"

logger = get_logger("celery.beat")

#: Apps for which this process runs a service, or waits to run one: none starts by itself beside it.
served: Any = weakref.WeakSet()


def beat_nodename(hostname: str | None = None) -> str:
    """The name under which beat answers commands; ``hostname`` as for ``celery worker -n``."""
    return host_format(default_nodename(hostname, NODENAME_DEFAULT))


class Service:
    """Runs a scheduler until it is stopped."""

    #: Set by ``beat``, which needs this module.
    scheduler_cls: Any = "celery.beat:PersistentScheduler"

    def __init__(
        self,
        app: Any,
        max_interval: Any = None,
        schedule_filename: str | None = None,
        scheduler_cls: Any = None,
        remote_control: bool | None = None,
        hostname: str | None = None,
    ) -> None:
        conf = app.conf
        self.app = app
        self.max_interval = max_interval or conf.beat_max_loop_interval
        self.scheduler_cls = scheduler_cls or self.scheduler_cls
        self.schedule_filename = schedule_filename or conf.beat_schedule_filename
        self.remote_control = conf.beat_enable_remote_control if remote_control is None else remote_control
        self.hostname = hostname
        #: The interval that the scheduler chose, once it runs.
        self.effective_max_interval: Any = None
        self._pidbox: Any = None
        self._last_tick: float | None = None
        self._is_shutdown = threading.Event()
        self._is_stopped = threading.Event()
        self._woken = threading.Event()
        self._calls: deque[Callable[[Any], Any]] = deque()

    def __reduce__(self) -> Any:
        return type(self), (
            self.app,
            self.max_interval,
            self.schedule_filename,
            self.scheduler_cls,
            self.remote_control,
            self.hostname,
        )

    def start(self, embedded_process: bool = False) -> None:
        """Run until stopped; blocks."""
        served.add(self.app)
        try:
            self._run(embedded_process)
        finally:
            served.discard(self.app)

    def _run(self, embedded_process: bool) -> None:
        scheduler = self.scheduler
        logger.info("beat: Starting...")
        logger.debug("beat: Ticking with max interval->%s", humanize_seconds(scheduler.max_interval))
        signals.beat_init.send(sender=self)
        if embedded_process:
            signals.beat_embedded_init.send(sender=self)
        self.effective_max_interval = scheduler.max_interval
        if self.remote_control:
            from .. import beat

            self._pidbox = beat.BeatPidbox(self)
            self._pidbox.start()
        self._warm_up(scheduler)
        self._last_tick = time.monotonic()
        try:
            self._loop(scheduler)
        except (KeyboardInterrupt, SystemExit):
            self._is_shutdown.set()
        finally:
            self.sync()
            if self._pidbox is not None:
                self._pidbox.stop()

    def _warm_up(self, scheduler: Any) -> None:
        """Load and start what the first run would be late by."""
        app = self.app
        amqp = app.amqp
        # reading these makes them
        _ = app.tasks, amqp.router, amqp.send_task_message, amqp.create_task_message
        _ = getattr(scheduler, "producer", None)
        brokers.broker_of(app).ensure_worker(app)

    def _loop(self, scheduler: Any) -> None:
        while not self._is_shutdown.is_set():
            self._woken.clear()
            while self._calls:
                self._calls.popleft()(scheduler)
            interval = scheduler.tick()
            self._last_tick = time.monotonic()
            if not interval:
                continue
            if interval > 0.0:
                logger.debug("beat: Waking up %s.", humanize_seconds(interval, prefix="in "))
                self._sleep(interval)
                if scheduler.should_sync():
                    scheduler._do_sync()
            else:
                # due within the head start that the scheduler takes: Celery looks again and again until then
                self._sleep(interval + 1.0 - scheduler.adjust(1.0))

    def _sleep(self, seconds: float) -> None:
        """Until then, or until stopped or woken; by the engine's clock where that is set by hand."""
        if seconds <= 0.0 or self._is_shutdown.is_set():
            return
        engine = brokers._engine
        if engine is None or engine.closed or engine.clock is None:
            self._woken.wait(seconds)
            return
        timer = engine.call_later(seconds, self._woken.set)
        self._woken.wait()
        timer.cancel()

    def change(self, change: Callable[[Any], Any]) -> None:
        """Have ``change(scheduler)`` called by the thread that runs it, before its next look, which comes at once."""
        self._calls.append(change)
        self._woken.set()

    def sync(self) -> None:
        self.scheduler.close()
        self._is_stopped.set()

    def stop(self, wait: bool = False) -> None:
        """Ask it to stop; with ``wait`` until the state is written."""
        logger.info("beat: Shutting down...")
        self._is_shutdown.set()
        self._woken.set()
        if wait:
            self._is_stopped.wait()

    def get_scheduler(self, lazy: bool = False, extension_namespace: str = "celery.beat_schedulers") -> Any:
        """A scheduler as configured; a lazy one only answers questions about itself."""
        aliases = dict(load_extension_class_names(extension_namespace))
        scheduler_cls = symbol_by_name(self.scheduler_cls, aliases=aliases)
        return scheduler_cls(
            app=self.app, schedule_filename=self.schedule_filename, max_interval=self.max_interval, lazy=lazy
        )

    @cached_property
    def scheduler(self) -> Any:
        return self.get_scheduler()


class BeatPidbox:
    """Beat's answer to ``inspect ping``; none while the scheduler hangs, so that a probe notices."""

    #: A scheduler that looks often must not seem to hang after one slow look.
    min_tick_age = 60.0

    def __init__(self, service: Any) -> None:
        self.service = service
        self.app = service.app
        self.hostname = beat_nodename(service.hostname)
        self.state = AttributeDict(app=self.app, service=service)
        self.node = SimpleNamespace(hostname=self.hostname, state=self.state, handlers={"ping": self._ping})
        #: Celery listens on a thread; commands are calls here.
        self.thread = None

    @property
    def max_tick_age(self) -> float:
        """Seconds after the last look at which beat counts as hanging; 0: never."""
        configured = self.app.conf.beat_remote_control_max_tick_age
        if configured is not None:
            return configured
        service = self.service
        interval = service.effective_max_interval or service.max_interval or DEFAULT_MAX_INTERVAL
        return max(interval * 2, self.min_tick_age)

    def tick_age(self) -> float | None:
        last = self.service._last_tick
        return None if last is None else time.monotonic() - last

    def is_stale(self) -> bool:
        limit, age = self.max_tick_age, self.tick_age()
        return bool(limit) and age is not None and age > limit

    def _ping(self, state: Any, **kwargs: Any) -> dict[str, str]:
        return {"ok": "pong"}

    def answer(self, command: str, arguments: dict[str, Any]) -> Any:
        """What it answers to a command; None: nothing."""
        handler = self.node.handlers.get(command)
        if handler is None:
            return None
        if self.is_stale():
            logger.warning(
                "beat pidbox: not answering %s, the scheduler has not ticked for %.1fs (over the %ss limit).",
                command,
                self.tick_age(),
                self.max_tick_age,
            )
            return None
        return handler(self.state, **arguments)

    def start(self) -> None:
        """From now on commands reach it."""
        beats = brokers.broker_of(self.app).beats
        if self not in beats:
            beats.append(self)

    def stop(self) -> None:
        beats = brokers.broker_of(self.app).beats
        if self in beats:
            beats.remove(self)


class _Threaded(threading.Thread):
    """A service on a thread of its own."""

    def __init__(self, app: Any, as_process: bool = False, **kwargs: Any) -> None:
        super().__init__(name="Beat", daemon=True)
        self.app = app
        self.service: Any = Service(app, **kwargs)
        self._as_process = as_process

    def run(self) -> None:
        self.app.set_current()
        self.service.start(embedded_process=self._as_process)

    def stop(self) -> None:
        """Stop; its state is written when this returns."""
        self.service.stop(wait=True)


#: Celery's class for a beat in a child process. There is none: its tasks would wait in the child.
_Process: Any = None


def EmbeddedService(app: Any, max_interval: Any = None, **kwargs: Any) -> Any:
    """A beat inside this process, not started yet; always a thread, and what ``thread`` says only chooses the signals."""
    kwargs.setdefault("remote_control", False)
    threaded = kwargs.pop("thread", False)
    return _Threaded(app, max_interval=max_interval, as_process=not threaded, **kwargs)
