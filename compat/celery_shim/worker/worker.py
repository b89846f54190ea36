"""The worker: starts and stops a pool of the engine's threads around user-defined steps, and sends its signals.

The default worker of an app (``autostarted``) has no thread of its own and never blocks; ``start`` blocks, as the
worker of Celery does.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from typing import Any

from ....pools import Pool, pool_of_this_thread
from .. import _state, signals
from ..app.trace import setup_worker_optimizations
from ..exceptions import ImproperlyConfigured
from ..runtime.beat_wanted import has_schedule
from ..utils.log import get_logger
from ..utils.nodenames import default_nodename
from ..utils.text import str_to_list
from . import state
from .figures import Figures

__all__ = ("WorkController",)

logger = get_logger("celery.worker")

SELECT_UNKNOWN_QUEUE = (
    "Trying to select queue subset of {0!r}, but queue {1} isn't\ndefined in the `task_queues` setting."
)

_serials = iter(range(1, 1 << 62))


class WorkController(Figures):
    """A worker of an app."""

    app: Any = None
    consumer: Any = None
    pool: Any = None
    blueprint: Any = None
    #: The beat that runs with it, if it was started with ``beat=True``.
    beat: Any = None
    exitcode: Any = None
    #: True if a task did not end in time when the worker stopped.
    lingering = False
    #: Whether its tasks are refused to wait for results; None leaves it to the switch of the process.
    guards: bool | None = True

    def __init__(self, app: Any = None, hostname: str | None = None, **kwargs: Any) -> None:
        self.app = app or self.app or _state.get_current_app()
        self.hostname = default_nodename(hostname)
        self.autostarted = kwargs.pop("autostarted", False)
        self.startup_time = time.time()
        self.active: dict[str, Any] = {}
        #: How many tasks were begun, by name; of the process, as in Celery.
        self.total = state.total_count
        self.pid = os.getpid()
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._prepare_lock = threading.Lock()
        self._began = False
        self._prepared_apps: Any = weakref.WeakSet()
        #: The default worker imports task modules on its own thread: its start interrupts somebody's request.
        self.prepared = not self.autostarted
        if not self.autostarted:
            self.app.loader.init_worker()
        self.on_before_init(**kwargs)
        self.setup_defaults(**kwargs)
        self.on_after_init(**kwargs)
        if not self.autostarted:
            self.setup_instance(**kwargs)

    # -- settings ---------------------------------------------------------------------------------------------------

    def setup_defaults(
        self,
        concurrency: Any = None,
        pool: Any = None,
        loglevel: Any = "WARN",
        logfile: Any = None,
        queues: Any = None,
        exclude_queues: Any = None,
        ready_callback: Any = None,
        **kwargs: Any,
    ) -> None:
        conf = self.app.conf
        self.loglevel, self.logfile, self.options = loglevel, logfile, kwargs
        self.ready_callback = ready_callback
        wanted = conf.worker_concurrency if concurrency is None else concurrency
        self.concurrency = int(wanted) if wanted and str(wanted) != "auto" else _processors()
        self.pool_cls = self._pool_name(pool or conf.worker_pool)
        self.queues, self.exclude_queues = queues, exclude_queues
        self.time_limit = kwargs.get("time_limit")
        self.soft_time_limit = kwargs.get("soft_time_limit")

    def _pool_name(self, pool: Any) -> Any:
        if pool in ("eventlet", "gevent"):
            raise ImproperlyConfigured(f"The pool {pool!r} is not supported, use threads")
        if pool == "solo":
            self.concurrency = 1
        return f"celery.concurrency.{pool}:TaskPool" if isinstance(pool, str) and ":" not in pool else pool

    def setup_instance(self, **kwargs: Any) -> None:
        self.setup_queues(self.queues, self.exclude_queues)
        self.setup_includes(str_to_list(kwargs.get("include")))
        signals.worker_init.send(sender=self)

    def setup_queues(self, include: Any, exclude: Any = None) -> None:
        if not include and not exclude and self.app.amqp.plain_queue() is not None:
            return
        known = self.app.amqp.queues
        try:
            known.select(str_to_list(include))
        except KeyError as exc:
            raise ImproperlyConfigured(SELECT_UNKNOWN_QUEUE.format(include, exc)) from exc
        known.deselect(str_to_list(exclude))

    def setup_includes(self, includes: Any) -> None:
        """Import more modules; the setting ``include`` then lists all modules that have tasks."""
        app = self.app
        for module in includes or ():
            app.loader.import_task_module(module)
        modules = {task.__class__.__module__ for task in list(app.tasks.values())}
        app.conf.include = tuple({*app.conf.include, *modules, *(includes or ())})

    # -- hooks of subclasses ----------------------------------------------------------------------------------------

    def on_before_init(self, **kwargs: Any) -> None:
        """Before the settings are read."""

    def on_after_init(self, **kwargs: Any) -> None:
        """After the settings were read."""

    def on_start(self) -> None:
        """When the worker starts."""

    def on_stopped(self) -> None:
        """When the worker has stopped."""

    def on_consumer_ready(self, consumer: Any) -> None:
        """When the worker takes tasks."""
        if self.autostarted:
            signals.worker_ready.send(sender=consumer)

    # -- life -------------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """What the default worker does before its first task, on the thread that runs it."""
        with self._prepare_lock:
            if self.prepared:
                return
            try:
                self.app.loader.init_worker()
                signals.worker_init.send(sender=self)
            except Exception:
                logger.exception("The task modules of %r could not be imported", self.app)
            finally:
                self.prepared = True
        self._look_for_schedule()

    def prepare_app(self, app: Any) -> None:
        """Import the task modules of another app that this worker serves too; once."""
        with self._prepare_lock:
            if app not in self._prepared_apps:
                self._prepared_apps.add(app)
                try:
                    app.loader.init_worker()
                    app.finalize()
                except Exception:
                    logger.exception("The task modules of %r could not be imported", app)

    def begin(self) -> None:
        """Start without blocking."""
        from ..runtime import broker as brokers
        from ..runtime.consumer import Consumer

        if self._began:
            return
        self._began = True
        engine = brokers.engine()
        broker = brokers.broker_of(self.app)
        if not self.autostarted:
            setup_worker_optimizations(self.app)
        self.serial = next(_serials)
        self.pool = engine.pool(f"celery-{self.serial}", [], workers=self.concurrency, autostart=self.autostarted)
        self.pool.controller = self
        self.pool.rotate(True)
        self.consumer = Consumer(self)
        self._steps = self._make_steps()
        self.on_start()
        broker.attach(self)
        plain = self.app.amqp.plain_queue()
        queues = None if plain is not None else self.app.amqp.queues
        self.reads = {plain: None} if queues is None else dict.fromkeys(queues.consume_from)
        # the default worker is the only one there is, so it reads every queue unless some were selected
        self.reads_all = self.autostarted and (queues is None or queues._consume_from is None)
        self._subscribe()
        for step in self._steps:
            step.start(self)
        if not self.autostarted:
            self.pool.start()
        if self.options.get("beat"):
            self._start_beat()
        if self.ready_callback:
            self.ready_callback(self)
        self.on_consumer_ready(self.consumer)
        self._ready.set()
        bus = self.consumer.bus
        bus.on_listener.append(self.consumer.listened)
        if bus.listening:
            self.consumer.listened()
        if self.autostarted:
            self._look_for_schedule()

    def _look_for_schedule(self) -> None:
        if not has_schedule(self.app):
            return  # `add_periodic_task` says when there is one
        from ..runtime import embedded_beat

        embedded_beat.worker_started(self.app)

    def _start_beat(self) -> None:
        """What ``celery worker -B`` asks for."""
        from ..runtime import embedded_beat

        self.beat = embedded_beat.start(
            self.app,
            schedule_filename=self.options.get("schedule_filename"),
            scheduler_cls=self.options.get("scheduler"),
        )

    def _subscribe(self) -> None:
        from ..runtime.broker import broker_of

        broker = broker_of(self.app)
        names = list(self.reads)
        if self.reads_all:
            names += [name for name in broker.queues if name not in self.reads]
        for name in names:
            broker.queue(name)
        self.pool.subscribe([broker.named[name] for name in names])

    def queue_appeared(self, name: str) -> None:
        """A queue was used for the first time."""
        if self._ready.is_set() and (self.reads_all or name in self.reads):
            self.pool.subscribe([*self.pool.queues, _named(self.app, name)])

    def queue_names(self) -> list[str]:
        """The queues it reads, by Celery's names."""
        from ..runtime.broker import broker_of

        names = {queue.index: name for name, queue in list(broker_of(self.app).named.items())}
        return [names[queue.index] for queue in self.pool.queues if queue.index in names]

    def add_queue(self, name: str) -> None:
        """Read one more queue."""
        from ..runtime.broker import broker_of

        broker = broker_of(self.app)
        broker.queue(name)
        if name not in self.queue_names():
            self.reads[name] = None
            self.pool.subscribe([*self.pool.queues, broker.named[name]])

    def drop_queue(self, name: str) -> None:
        """Read a queue no more; what waits in it stays there."""
        from ..runtime.broker import broker_of

        self.reads.pop(name, None)
        dropped = broker_of(self.app).named.get(name)
        self.pool.subscribe([queue for queue in self.pool.queues if queue is not dropped])

    def interrupt(self, task_id: str, signum: int) -> bool:
        """Stop a running task by an exception in its thread: as near to a signal as a thread comes."""
        from ....errors import CancelInterrupt

        entry = self.active.get(task_id)
        if entry is None or self.pool is None:
            return False
        message, _, thread = entry
        for worker in self.pool.workers:
            info = self.pool.engine.worker_info(worker)
            if info is not None and info["thread_id"] == thread and info["task"] is not None:
                message.terminated = signum
                return bool(self.pool.engine.interrupt(info["task"], CancelInterrupt))
        return False

    def _make_steps(self) -> list[Any]:
        from ..bootsteps import StartStopStep

        steps = []
        for cls in [*self.app.steps["worker"], *self.app.steps["consumer"]]:
            step = cls(self, **self.options)
            if isinstance(step, StartStopStep) and step.include_if(self):
                steps.append(step)
        return steps

    def start(self) -> None:
        """Run until stopped."""
        try:
            self.begin()
            while not self._stopping.wait(0.5 if self._watches_state() else None):
                if state.should_stop is not None or state.should_terminate is not None:
                    break
        finally:
            self.stop()

    def _watches_state(self) -> bool:
        return True

    def stop(self, in_sighandler: bool = False, exitcode: Any = None) -> None:
        """Let running tasks finish, then stop; threads have ended when this returns."""
        from ..runtime.broker import broker_of

        if exitcode is not None:
            self.exitcode = exitcode
        self._stopping.set()
        with self._prepare_lock:
            if not self._began or self.pool is None:
                return
            pool: Pool = self.pool
            self.pool = None
        self.consumer.stopped()
        if self.beat is not None:
            self.beat.stop()
        self.stop_steps()
        pool.subscribe([])
        if pool_of_this_thread() is pool:
            pool.stop(wait=False)  # a task closes its own app: its thread leaves after it
            return
        self.lingering = not _stop(pool, self.options.get("shutdown_timeout", 10.0))
        pool.engine.remove_pool(pool.name)
        broker_of(self.app).detach(self)
        self.app.loader.shutdown_worker()
        self.on_stopped()

    def stop_steps(self) -> None:
        """Stop what users hung on the worker, the last one first."""
        for step in reversed(self._steps):
            step.stop(self)

    def reload(self, modules: Any = None, reload: bool = False, reloader: Any = None) -> None:
        """Import modules again, and forget the tracers that were made for tasks as they were."""
        from ..utils.imports import reload_from_cwd

        for name in self.app.loader.task_modules if modules is None else modules:
            if name not in sys.modules:
                self.app.loader.import_from_cwd(name)
            elif reload:
                reload_from_cwd(sys.modules[name], reloader)
        for task in list(self.app.tasks.values()):
            task.__trace__ = None

    def terminate(self, in_sighandler: bool = False) -> None:
        self.stop(in_sighandler)

    def request_stop(self) -> None:
        """Ask the thread in ``start`` to stop; does not wait."""
        self._stopping.set()

    def __str__(self) -> str:
        return self.hostname

    def __repr__(self) -> str:
        return f"<Worker: {self.hostname} ({'READY' if self._ready.is_set() else 'INIT'})>"


def _stop(pool: Any, timeout: float) -> bool:
    """Stop a pool. One of its threads may be about to start (a delay fell due just now), and cannot be joined yet."""
    until = time.monotonic() + timeout
    while True:
        try:
            return bool(pool.stop(wait=True, timeout=max(until - time.monotonic(), 0.0)))
        except RuntimeError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.001)


def _named(app: Any, name: str) -> Any:
    from ..runtime.broker import broker_of

    return broker_of(app).named[name]


def _processors() -> int:
    return os.cpu_count() or 2
