"""Recurring tasks: which schedules an engine has, and that each of them runs when it is due, on one process per host.

When is the business of `timetables`; how a run becomes a task is the caller's `fire`. The times come from the keeper's
timers, so nothing wakes up while nothing is due. A schedule is a definition and not a task: it counts nowhere as work
that is left, and does not keep a process alive.

| moment | what happens |
|---|---|
| `add()` before the engine has started | the schedule is noted, and begins with the engine |
| begin, scope "host" | who gets the `HostLock` of (application, name) runs it; the others stand by |
| a run is due | it is submitted; times that were missed meanwhile are counted, not made up one by one |
| the holder ends or is killed | a standby takes over, and runs at once what fell due in between (see `catch_up`) |
| the process forks | the child has the definitions; they begin there with its engine, as standby beside the parent |
| a clock set by hand | no lock: every engine runs its own schedules |
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .core import RUNNING, Task
from .hostlock import RETRY, HostLock
from .timetables import Timetable

if TYPE_CHECKING:
    from .engine import Engine
    from .keeper import Timer

__all__ = ["Schedule", "Schedules"]

log = logging.getLogger("brokerless")

LONGEST_SLEEP = 60.0
"""Seconds after which a wait for a time of day looks at the date again: somebody may have set it."""

EARLY = 0.001
"""Seconds by which a timer may come early through rounding."""


class Schedule:
    """One recurring call: what `add_task(…, schedule=…)` returns. Its members may be read from any thread."""

    def __init__(
        self, schedules: Schedules, name: str, application: str, timetable: Timetable, fire: Callable[[], Task]
    ) -> None:
        self.name = name
        self.application = application
        self.timetable = timetable
        self.runs = 0
        """Tasks submitted by this process."""
        self.missed = 0
        """Times that passed without a run while this process was responsible, because something held it up."""
        self.skipped = 0
        """Runs left out because the one before had not ended."""
        self.last_run: float | None = None
        """When this process last submitted a run, in epoch seconds."""
        self.next_run: float | None = None
        """When the next run is due, in epoch seconds; None while another process is responsible, or nothing began."""
        self.last_task: Any = None
        """The handle of the last run."""
        self.state = "waiting"
        """"waiting" for the engine's start, "active" here, "standby" while another process is, or "ended"."""
        self._schedules = schedules
        self._fire = fire
        self._lock: HostLock | None = None
        self._timer: Timer | None = None
        self._times = timetable
        self._offset: float | None = None

    def cancel(self) -> bool:
        """No further run; one that was submitted goes on. False: it was cancelled before."""
        return self._schedules.remove(self)

    def to_dict(self) -> dict[str, Any]:
        """The members by name, ready for JSON."""
        names = ("name", "application", "state", "runs", "missed", "skipped", "last_run", "next_run")
        task = self.last_task
        return {
            **{name: getattr(self, name) for name in names},
            "timetable": repr(self.timetable),
            "last_task": None if task is None else task.task_id,
        }

    def __repr__(self) -> str:
        return f"<Schedule {self.name!r} {self.timetable!r} {self.state}>"


class Schedules:
    """The schedules of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._all: dict[str, Schedule] = {}
        self._reset()

    def _reset(self) -> None:
        self._mutex = threading.RLock()
        self._started = False
        self._look: Timer | None = None
        self._unlockable = False

    def add(
        self, name: str, timetable: Timetable, fire: Callable[[], Task], *, application: str = "", fixed: bool = False
    ) -> Schedule:
        """A new schedule; `fire()` submits one run and returns its task.

        A second one of the same name is called "name#2", unless the name is `fixed`: then it raises ValueError.
        `application` and name are the key of the host's lock.
        """
        with self._mutex:
            if fixed and name in self._all:
                raise ValueError(f"a schedule named {name!r} exists: unschedule({name!r}) first, or give another name")
            free, number = name, 1
            while free in self._all:
                number += 1
                free = f"{name}#{number}"
            schedule = self._all[free] = Schedule(self, free, application, timetable, fire)
            if self._started:
                self._begin(schedule)
            return schedule

    def remove(self, which: Schedule | str) -> bool:
        """Ends a schedule, by itself or by name. False: there is no such one."""
        with self._mutex:
            schedule = self._all.get(which) if isinstance(which, str) else which
            if schedule is None or self._all.get(schedule.name) is not schedule:
                return False
            del self._all[schedule.name]
            self._end(schedule)
            return True

    def all(self) -> list[Schedule]:
        """Every schedule, oldest first."""
        with self._mutex:
            return list(self._all.values())

    def start(self) -> None:
        """Begins what was added; called by the engine's start."""
        with self._mutex:
            if self._started:
                return
            self._started = True
            for schedule in self._all.values():
                self._begin(schedule)

    def waiting(self) -> bool:
        """Whether some were added and none has begun."""
        return bool(self._all) and not self._started

    def suspend(self) -> None:
        """Nothing runs here until the next `start()`; another process may take over."""
        with self._mutex:
            self._started = False
            if self._look is not None:
                self._look.cancel()
            for schedule in self._all.values():
                self._end(schedule)
                schedule.state = "waiting"

    def stop(self) -> None:
        """Ends all of them and lets another process take over."""
        with self._mutex:
            self.suspend()
            for schedule in self._all.values():
                schedule.state = "ended"
            self._all.clear()

    def clock_is_set(self) -> None:
        """Another clock from now on: every time is computed anew."""
        with self._mutex:
            if self._started:
                for schedule in self._all.values():
                    self._end(schedule)
                    schedule._offset = None
                    self._begin(schedule)

    def reset_after_fork(self) -> None:
        """In a forked child: the definitions stay, nothing has begun."""
        self._reset()
        for schedule in self._all.values():
            schedule.state, schedule.next_run = "waiting", None
            schedule._timer = schedule._lock = schedule._offset = None

    # Under the mutex from here on, except for _due().

    def _date(self) -> float:
        clock = self._engine.clock
        return time.time() if clock is None else clock.date()

    def _now(self, schedule: Schedule) -> float:
        """Epoch seconds by the clock that the timetable goes by."""
        if not schedule.timetable.monotonic:
            return self._date()
        if schedule._offset is None:
            schedule._offset = self._date() - self._engine.now()
        return self._engine.now() + schedule._offset

    def _begin(self, schedule: Schedule) -> None:
        if schedule.timetable.scope == "host" and self._engine.clock is None and not self._locked(schedule):
            schedule.state = "standby"
            if self._look is None or not self._look.active:
                self._look = self._engine.keeper.look_later(RETRY, self._take_over)
            return
        now = self._now(schedule)
        schedule.state = "active"
        schedule._times = schedule.timetable.started(now)
        since = self._last_noted(schedule, now)
        if since < now - schedule.timetable.catch_up:
            since, older = now - schedule.timetable.catch_up, since
            first = schedule._times.next(older)
            if first <= since:
                schedule.missed += schedule._times.last(first, since)[1] + 1
        self._go_on(schedule, schedule._times.next(since))

    def _locked(self, schedule: Schedule) -> bool:
        if self._unlockable:
            return True
        if schedule._lock is None:
            schedule._lock = HostLock(schedule.application, schedule.name, "schedule")
        try:
            return schedule._lock.acquire(0)
        except OSError as error:
            self._unlockable = True
            log.error("no lock between processes, every one runs its schedules: %s", error)
            return True

    def _last_noted(self, schedule: Schedule, now: float) -> float:
        """The time of the last run in any process, `now` if none is known."""
        lock = schedule._lock
        if lock is None or not lock.held:
            return now
        try:
            return min(now, float(lock.read_note() or now))
        except (OSError, ValueError):
            return now

    def _take_over(self) -> None:
        with self._mutex:
            if not self._started:
                return
            self._look = None
            for schedule in list(self._all.values()):
                if schedule.state == "standby":
                    self._begin(schedule)
                    if schedule.state == "active":
                        log.info("schedule %s: this process is responsible from now on", schedule.name)

    def _go_on(self, schedule: Schedule, due: float) -> None:
        if due == math.inf:  # a cron line that names its years
            self.remove(schedule)
            return
        schedule.next_run = due
        self._wait(schedule)

    def _wait(self, schedule: Schedule) -> None:
        assert schedule.next_run is not None
        left = max(0.0, schedule.next_run - self._now(schedule))
        if not schedule.timetable.monotonic and self._engine.clock is None:
            left = min(left, LONGEST_SLEEP)
        schedule._timer = self._engine.call_later(left, lambda: self._due(schedule))

    def _end(self, schedule: Schedule) -> None:
        schedule.state, schedule.next_run = "ended", None
        if schedule._timer is not None:
            schedule._timer.cancel()
        if schedule._lock is not None:
            schedule._lock.release()

    def _due(self, schedule: Schedule) -> None:
        """On the keeper's thread, or on that of whoever moves the clock."""
        with self._mutex:
            due = schedule.next_run
            if schedule.state != "active" or due is None:
                return
            now = self._now(schedule)
            if now < due - EARLY:
                self._wait(schedule)
                return
            last, missed = schedule._times.last(due, max(now, due))
            schedule.missed += missed
            if not self._still_ours(schedule, last):
                return
            before = schedule.last_task
            busy = not schedule.timetable.overlap and before is not None and before.state <= RUNNING
            if busy:
                schedule.skipped += 1
            self._go_on(schedule, schedule._times.next(max(now, due)))
        if busy:
            return
        # Outside of the mutex: submitting may wait, and what it calls may ask for schedules.
        try:
            task = schedule._fire()
        except Exception as error:
            if not self._engine.closed:
                log.exception("schedule %s: the run could not be submitted: %s", schedule.name, error)
            return
        schedule.last_task = task
        schedule.last_run = now
        schedule.runs += 1

    def _still_ours(self, schedule: Schedule, last: float) -> bool:
        lock = schedule._lock
        if lock is None or not lock.held:
            return True
        if lock.refresh():
            lock.write_note(repr(last))
            return True
        log.warning("schedule %s: %s was removed by somebody; locking again", schedule.name, lock.path)
        lock.release()
        if lock.acquire(0):
            lock.write_note(repr(last))
            return True
        self._begin(schedule)
        return False
