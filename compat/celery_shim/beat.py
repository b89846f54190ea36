"""Periodic tasks: entries, the scheduler that sends them when they are due, and the same with a file of last runs.

Which process runs a scheduler, and when it starts, is the business of ``runtime.embedded_beat`` and ``apps.beat``;
when an entry is due is that of ``schedules``.
"""

from __future__ import annotations

import copy
import heapq
import sys
import time
import traceback
from calendar import timegm
from collections.abc import Callable
from typing import Any

from .exceptions import reraise
from .runtime.beat_entries import BeatLazyFunc as BeatLazyFunc
from .runtime.beat_entries import ScheduleEntry, SchedulingError, event_t, value_now
from .runtime.beat_persistence import Persistence
from .runtime.beat_service import (
    DEFAULT_MAX_INTERVAL,
    BeatPidbox,
    EmbeddedService,
    Service,
)
from .runtime.beat_service import NODENAME_DEFAULT as NODENAME_DEFAULT
from .runtime.beat_service import _Process as _Process
from .runtime.beat_service import _Threaded as _Threaded
from .runtime.beat_service import beat_nodename as beat_nodename
from .schedules import crontab
from .utils.functional import is_numeric_value
from .utils.lean import cached_property, maybe_evaluate
from .utils.log import get_logger
from .utils.time import humanize_seconds, maybe_make_aware

__all__ = (
    "BeatPidbox",
    "EmbeddedService",
    "PersistentScheduler",
    "ScheduleEntry",
    "Scheduler",
    "SchedulingError",
    "Service",
)

logger = get_logger("celery.beat")
debug, info, error, warning = logger.debug, logger.info, logger.error, logger.warning

_PRIORITY = 5
_DAY = 24 * 3600


class Scheduler:
    """Sends entries when they are due; nothing is remembered between two processes."""

    Entry: Any = ScheduleEntry
    #: Longest sleep in seconds between two looks at the schedule.
    max_interval: Any = DEFAULT_MAX_INTERVAL
    #: Seconds between two writes of the state.
    sync_every = 3 * 60
    #: Tasks between two writes of the state.
    sync_every_tasks: Any = None

    _last_sync: Any = None
    _tasks_since_sync = 0
    logger = logger

    def __init__(
        self,
        app: Any,
        schedule: Any = None,
        max_interval: Any = None,
        Producer: Any = None,
        lazy: bool = False,
        sync_every_tasks: Any = None,
        **kwargs: Any,
    ) -> None:
        self.app = app
        self.data = maybe_evaluate({} if schedule is None else schedule)
        self.max_interval = max_interval or app.conf.beat_max_loop_interval or self.max_interval
        self.Producer = Producer or app.amqp.Producer
        self._heap: Any = None
        self.old_schedulers: Any = None
        self.sync_every_tasks = app.conf.beat_sync_every if sync_every_tasks is None else sync_every_tasks
        if not lazy:
            self.setup_schedule()

    # -- entries ----------------------------------------------------------------------------------------------------

    def setup_schedule(self) -> None:
        """Fill the schedule from the settings."""
        self.install_default_entries(self.data)
        self.merge_inplace(self.app.conf.beat_schedule)

    def install_default_entries(self, data: Any) -> None:
        """The daily clean-up of results, for stores that do not drop them by themselves."""
        entries = {}
        if (
            self.app.conf.result_expires
            and not self.app.backend.supports_autoexpire
            and "celery.backend_cleanup" not in data
        ):
            entries["celery.backend_cleanup"] = {
                "task": "celery.backend_cleanup",
                "schedule": crontab("0", "4", "*"),
                "options": {"expires": _DAY // 2},
            }
        self.update_from_dict(entries)

    def add(self, **kwargs: Any) -> Any:
        """Add an entry; gives it."""
        entry = self.Entry(app=self.app, **kwargs)
        self.schedule[entry.name] = entry
        return entry

    def _maybe_entry(self, name: str, entry: Any) -> Any:
        if isinstance(entry, self.Entry):
            entry.app = self.app
            return entry
        return self.Entry(**{**entry, "name": name, "app": self.app})

    def update_from_dict(self, dict_: Any) -> None:
        """Add entries, or replace those of the same name."""
        self.schedule.update({name: self._maybe_entry(name, entry) for name, entry in dict_.items()})

    def merge_inplace(self, b: Any) -> None:
        """Make the schedule that of ``b``; last runs of entries that were there before stay."""
        schedule = self.schedule
        for name in set(schedule) - set(b):
            schedule.pop(name, None)
        for name, fields in b.items():
            entry = self.Entry(**{**dict(fields), "name": name, "app": self.app})
            if schedule.get(name):
                schedule[name].update(entry)
            else:
                schedule[name] = entry

    def get_schedule(self) -> Any:
        return self.data

    def set_schedule(self, schedule: Any) -> None:
        self.data = schedule

    schedule = property(get_schedule, set_schedule)

    def schedules_equal(self, old_schedules: Any, new_schedules: Any) -> bool:
        """Whether both have the same entries under the same names."""
        if old_schedules is None or new_schedules is None:
            return old_schedules is new_schedules
        if set(old_schedules) != set(new_schedules):
            return False
        pairs = ((entry, new_schedules[name]) for name, entry in old_schedules.items())
        return all(new is not None and new == old for old, new in pairs)

    # -- when -------------------------------------------------------------------------------------------------------

    def adjust(self, n: Any, drift: float = -0.010) -> Any:
        """A delay, a little shorter: the last look before an entry is due comes early, not late."""
        return n + drift if n and n > 0 else n

    def is_due(self, entry: Any) -> Any:
        return entry.is_due()

    def _due(self, ask: Callable[[], Any], entry: Any) -> tuple[bool, Any]:
        """An entry that cannot say when it runs must not stop the others."""
        try:
            due, delay = ask()
        except Exception:
            error(
                "beat: Cannot calculate the next run of %r, trying again in %s.",
                entry.name,
                humanize_seconds(self.max_interval),
                exc_info=True,
            )
            return False, self.max_interval
        return due, delay

    def _when(self, entry: Any, next_time_to_run: Any, mktime: Any = timegm) -> float:
        """Now plus a delay, in seconds since the epoch."""
        now = maybe_make_aware(entry.default_now())
        seconds: float = mktime(now.utctimetuple()) + now.microsecond / 1e6
        return seconds + (self.adjust(next_time_to_run) or 0)

    def populate_heap(self, event_t: Any = event_t, heapify: Any = heapq.heapify) -> None:
        """Order the entries by their next run."""
        self._heap = []
        for entry in self.schedule.values():
            due, delay = self._due(entry.is_due, entry)
            self._heap.append(event_t(self._when(entry, 0 if due else delay) or 0, _PRIORITY, entry))
        heapify(self._heap)

    def tick(
        self, event_t: Any = event_t, min: Any = min, heappop: Any = heapq.heappop, heappush: Any = heapq.heappush
    ) -> float:
        """Send at most one due task; gives the seconds until the next call (0: at once)."""
        if self._heap is None or not self.schedules_equal(self.old_schedulers, self.schedule):
            self.old_schedulers = copy.copy(self.schedule)
            self.populate_heap()
        heap = self._heap
        if not heap:
            return self.max_interval
        event = heap[0]
        entry = event[2]
        now = self._when(entry, 0)
        if event[0] > now:
            return min(event[0] - now, self.max_interval)
        due, delay = self._due(lambda: self.is_due(entry), entry)
        first = heappop(heap)
        if first is not event:
            # the question whether it is due changed the heap: what is on top now is looked at first
            heappush(heap, first)
            return min(first[0] - self._when(first[2], 0), self.max_interval)
        if due:
            following = self.reserve(entry)
            self.apply_entry(entry, producer=self.producer)
            heappush(heap, event_t(self._when(following, delay), event[1], following))
            return 0
        later = delay if is_numeric_value(delay) else self.max_interval
        heappush(heap, event_t(self._when(entry, later), event[1], entry))
        if heap[0][2] is not entry:
            return 0
        return min(self.adjust(later), self.max_interval)

    # -- sending ----------------------------------------------------------------------------------------------------

    def reserve(self, entry: Any) -> Any:
        """Count a run before it is sent, so that a task that cannot be sent is not tried for ever."""
        following = self.schedule[entry.name] = next(entry)
        return following

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a due entry; errors are logged."""
        info("Scheduler: Sending due task %s (%s)", entry.name, entry.task)
        try:
            result = self.apply_async(entry, producer=producer, advance=False)
        except Exception as exc:
            error("Message Error: %s\n%s", exc, traceback.format_stack(), exc_info=True)
            return
        if result and hasattr(result, "id"):
            debug("%s sent. id->%s", entry.task, result.id)
        else:
            debug("%s sent.", entry.task)

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Send an entry; gives its result. Raises SchedulingError."""
        entry = self.reserve(entry) if advance else entry
        task = self.app.tasks.get(entry.task)
        try:
            args = [value_now(value) for value in entry.args or ()]
            named = {key: value_now(value) for key, value in (entry.kwargs or {}).items()}
            options = {**entry.options, "headers": {**(entry.options.get("headers") or {}), "celery_beat_task": True}}
            if task:
                return task.apply_async(args, named, producer=producer, **options)
            return self.send_task(entry.task, args, named, producer=producer, **options)
        except Exception as exc:
            text = f"Couldn't apply scheduled task {entry.name}: {exc}"
            reraise(SchedulingError, SchedulingError(text), sys.exc_info()[2])
        finally:
            self._tasks_since_sync += 1
            if self.should_sync():
                self._do_sync()

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        return self.app.send_task(*args, **kwargs)

    @cached_property
    def connection(self) -> Any:
        """A kombu connection for subclasses that want one; nothing here opens it."""
        return self.app.connection_for_write()

    @cached_property
    def producer(self) -> Any:
        try:
            return self.Producer(self.connection, auto_declare=False)
        except (ImportError, AttributeError):
            # The client library of the broker's URL is not installed (kombu's Redis transport then fails with an
            # AttributeError). Messages stay in this process, so that none is needed.
            return None

    def _ensure_connected(self) -> Any:
        """The connection, opened."""

        def failed(exc: BaseException, interval: float) -> None:
            error("beat: Connection error: %s. Trying again in %s seconds...", exc, interval)

        return self.connection.ensure_connection(failed, self.app.conf.broker_connection_max_retries)

    # -- state ------------------------------------------------------------------------------------------------------

    def should_sync(self) -> Any:
        """Whether it is time to write the state."""
        late = not self._last_sync or time.monotonic() - self._last_sync > self.sync_every
        return late or (self.sync_every_tasks and self._tasks_since_sync >= self.sync_every_tasks)

    def _do_sync(self) -> None:
        try:
            debug("beat: Synchronizing schedule...")
            self.sync()
        finally:
            self._last_sync = time.monotonic()
            self._tasks_since_sync = 0

    def sync(self) -> None:
        """Write the state; nothing is written here."""

    def close(self) -> None:
        """Write the state and let go of the connection."""
        failed = True
        try:
            self.sync()
            failed = False
        finally:
            self.__dict__.pop("producer", None)
            connection = self.__dict__.pop("connection", None)
            if connection is not None:
                _release(connection, failed)

    @property
    def info(self) -> str:
        """A line for the banner."""
        return ""


def _release(connection: Any, failed: bool) -> None:
    """A failure to let go must not hide the error that came first."""
    from kombu.common import ignore_errors

    try:
        ignore_errors(connection, connection.release)
    except Exception:
        if not failed:
            raise
        error("beat: Connection cleanup failed after sync error", exc_info=True)


class PersistentScheduler(Persistence, Scheduler):
    """Keeps entries and their last runs in a shelve file."""


Service.scheduler_cls = PersistentScheduler
