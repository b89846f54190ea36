"""Beat inside the application: one per host and schedule, the others stand by and take over when it ends.

| moment | what happens |
|---|---|
| the default worker starts, and the app has a schedule | beat starts on a thread |
| a server under ``brokerless run``, ``embedded(application)`` or the Django app has come to rest | the same |
| ``app.start_embedded()`` | the same, at once and in any process |
| another process of this user has the schedule | the thread waits for its lock |
| ``fork`` | the child has no beat |
| exit | the last runs are written |

Nothing starts by itself where workers do not (``BROKERLESS_AUTOSTART=0``, the pytest plugin), in management commands,
with ``BROKERLESS_BEAT=0`` and with the setting ``beat_embedded=False``. How entries become messages is not decided here.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

from ....hostlock import RETRY, HostLock
from ....lifecycle import watch as watch_engine
from .. import _state
from ..utils.log import get_logger
from . import broker as brokers
from . import processes
from .beat_entries import ScheduleEntry
from .beat_service import Service, served
from .beat_wanted import DEFAULT_SCHEDULER, has_schedule, scheduler_of

__all__ = ("EmbeddedBeat", "entry_added", "has_schedule", "only_one", "start", "watch", "worker_started")

logger = get_logger("celery.beat")

_REFRESH = 3600.0
_PAUSES = (1.0, 5.0, 30.0, 300.0)

_lock = threading.RLock()
_beats: Any = weakref.WeakKeyDictionary()
_watched: Any = weakref.WeakSet()
_all_watched = False
_watcher: threading.Thread | None = None
_ended = threading.Event()


def host_lock(app: Any, schedule_filename: Any) -> HostLock:
    """The lock of an app's schedule on this host."""
    path = os.path.abspath(str(schedule_filename or app.conf.beat_schedule_filename))
    return HostLock("celery-beat", str(app.main), path)


@contextlib.contextmanager
def only_one(app: Any, schedule_filename: Any) -> Iterator[HostLock]:
    """Hold the lock within a block; waits for it, and says for whom. No other beat of the app starts by itself here."""
    served.add(app)
    lock = host_lock(app, schedule_filename)
    try:
        if not lock.acquire(0):
            logger.warning("beat: Process %s has this schedule. Waiting until it ends.", lock.holder())
            lock.acquire()
        yield lock
    finally:
        lock.release()
        served.discard(app)


def _said(value: Any) -> bool | None:
    """Yes or no, from a setting or a variable; None if nothing was said."""
    return None if value is None else str(value).lower() not in ("0", "false", "no", "off")


def _wanted(app: Any) -> bool:
    if app in served:
        return False
    said = _said(app.conf.get("beat_embedded"))
    if said is None:
        said = _said(os.environ.get("BROKERLESS_BEAT"))
    if said is not None:
        return said and has_schedule(app)
    return brokers.autostart_wanted(app) and not processes.passes_by() and has_schedule(app)


class _Service(Service):
    """A service that keeps its lock fresh and survives a schedule file that it cannot use."""

    def __init__(self, app: Any, lock: HostLock, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self._host_lock = lock
        self._refreshed = time.monotonic()

    def get_scheduler(self, lazy: bool = False, extension_namespace: str = "celery.beat_schedulers") -> Any:
        from .. import beat

        try:
            scheduler = super().get_scheduler(lazy, extension_namespace)
        except OSError as exc:
            if self.scheduler_cls != DEFAULT_SCHEDULER:
                raise
            logger.warning(
                "beat: %r cannot be used (%s): last runs are kept in memory only. Set beat_schedule_filename.",
                os.path.abspath(self.schedule_filename),
                exc,
            )
            scheduler = beat.Scheduler(app=self.app, max_interval=self.max_interval, lazy=lazy)
        # who takes over after a kill must know what has been sent
        scheduler.sync_every_tasks = scheduler.sync_every_tasks or 1
        return scheduler

    def _sleep(self, seconds: float) -> None:
        if time.monotonic() - self._refreshed > _REFRESH:
            self._refreshed = time.monotonic()
            if not self._host_lock.refresh():
                logger.warning("beat: The lock's file is gone, starting anew")
                self._is_shutdown.set()
        super()._sleep(seconds)


class EmbeddedBeat:
    """The beat of one app in this process; made by `start`."""

    def __init__(self, app: Any, max_interval: Any, schedule_filename: Any, scheduler_cls: Any) -> None:
        self._app = weakref.ref(app)
        self._options = {
            "max_interval": max_interval,
            "schedule_filename": schedule_filename or app.conf.beat_schedule_filename,
        }
        self._scheduler_cls = scheduler_cls
        self.lock = host_lock(app, schedule_filename)
        self.service: Service | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True, name="brokerless-beat")

    @property
    def active(self) -> bool:
        """True if this process sends the tasks; False while another one does."""
        return self.lock.held and self.service is not None

    @property
    def alive(self) -> bool:
        """Whether its thread runs, as the holder or as a standby."""
        return self._thread.is_alive()

    def stop(self, wait: bool = True) -> None:
        """End it; with ``wait`` the last runs are written and the lock is free when this returns."""
        self._ended.set()
        service = self.service
        if service is not None:
            service.stop()
        if wait and self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(10.0)

    def _main(self) -> None:
        failures = 0
        while not self._ended.is_set():
            try:
                if not self.lock.acquire(0):
                    self._ended.wait(RETRY)
                    continue
                try:
                    self._serve()
                finally:
                    self.service = None
                    self.lock.release()
                failures = 0
                self._ended.wait(RETRY)
            except Exception:
                pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
                failures += 1
                logger.exception("beat: Stopped by an error, starting again in %s s", pause)
                self._ended.wait(pause)

    def _serve(self) -> None:
        app = self._app()
        if app is None or app.closed:
            self._ended.set()
            return
        app.set_current()
        self._import_tasks(app)
        chosen = self._scheduler_cls or scheduler_of(app)
        service = _Service(app, self.lock, scheduler_cls=chosen, remote_control=None, **self._options)
        self.service = service
        if not self._ended.is_set():
            service.start(embedded_process=True)

    def _import_tasks(self, app: Any) -> None:
        broker = brokers.broker_of(app)
        broker.ensure_worker(app)
        for worker in list(broker.workers):
            if worker.autostarted and worker.app is app:
                worker.prepare()
                return
        app.loader.init_worker()
        app.finalize()


def start(app: Any, max_interval: Any = None, schedule_filename: Any = None, scheduler_cls: Any = None) -> EmbeddedBeat:
    """The beat of an app in this process, started if it does not run."""
    with _lock:
        running = _beats.get(app)
        if running is not None and running.alive:
            return running
        made = _beats[app] = EmbeddedBeat(app, max_interval, schedule_filename, scheduler_cls)
        _stop_at_exit()
        made._thread.start()
        return made


def stop(app: Any) -> None:
    """End the beat of an app in this process; nothing happens without one."""
    with _lock:
        _watched.discard(app)
        beat = _beats.pop(app, None)
    if beat is not None:
        beat.stop()


def running(app: Any) -> EmbeddedBeat | None:
    """The beat of an app in this process, if there is one."""
    return _beats.get(app)


def worker_started(app: Any) -> None:
    """The default worker of an app runs, or has imported its tasks: the moment to look for a schedule."""
    if app not in _beats and _wanted(app):
        start(app)


def entry_added(app: Any, name: str, entry: Any) -> None:
    """``add_periodic_task`` was called on an app that has been configured."""
    beat = _beats.get(app)
    if beat is None:
        if brokers.default_worker_runs(app):
            worker_started(app)
    elif beat.service is not None:
        beat.service.change(lambda scheduler: _merge(scheduler, name, entry))


def _merge(scheduler: Any, name: str, entry: Any) -> None:
    """Add an entry, or edit the one of that name, which keeps its last run."""
    known = scheduler.schedule.get(name)
    if type(known) is ScheduleEntry:
        known.update(scheduler.Entry(**{**entry, "name": name, "app": scheduler.app}))
    else:
        scheduler.update_from_dict({name: entry})


def watch(app: Any = None) -> None:
    """Start the beat of an app once this process has come to rest, if it serves and the app has a schedule by then.

    Without an app: those of all apps that there are then.
    """
    global _watcher, _all_watched
    said = _said(os.environ.get("BROKERLESS_BEAT"))
    if said is False or (said is None and processes.passes_by()):
        return  # without a thread: such a process may fork, and wants no warning then
    with _lock:
        if app is None:
            _all_watched = True
        else:
            _watched.add(app)
        if _watcher is None or not _watcher.is_alive():
            _watcher = threading.Thread(target=_watch, daemon=True, name="brokerless-beat-watch")
            _watcher.start()


def _watch() -> None:
    if not processes.wait_until_settled(_ended) or processes.is_reloader():
        return
    with _lock:
        apps = list(_state._apps if _all_watched else _watched)
        _watched.clear()
    for app in apps:
        try:
            # the app that stands in where a program made none has no configuration, and warns when it is asked for it
            unused = not app.configured and app.loader_cls == "default"
            if not unused and not app.closed and app not in _beats and _wanted(app):
                start(app)
        except Exception:
            logger.exception("beat: %r cannot be asked for its schedule", app)


_registered = False


def _stop_at_exit() -> None:
    global _registered
    if not _registered:
        _registered = True
        # what is registered last runs first: nothing new shall come while the engine waits for its tasks
        watch_engine(brokers.engine())
        with contextlib.suppress(RuntimeError):
            threading._register_atexit(_stop_all)  # type: ignore[attr-defined]


def _stop_all() -> None:
    _ended.set()
    beats = list(_beats.values())
    for beat in beats:
        beat.stop(wait=False)
    for beat in beats:
        beat.stop()


def _after_fork() -> None:
    global _lock, _beats, _watched, _all_watched, _watcher, _ended
    _lock, _all_watched = threading.RLock(), False
    _beats, _watched, _watcher = weakref.WeakKeyDictionary(), weakref.WeakSet(), None
    _ended = threading.Event()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
