"""`Autorun`: the threads that work on a store's queues by themselves, and its always-on scheduler.

It starts with the first job of a queue that wants it. In manual mode (`autostart=False`, `BROKERLESS_AUTOSTART=0`) none
of it exists, and jobs run where somebody calls `Worker.work()`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from ....lifecycle import watch
from ..defaults import RQ_KEY_PREFIX
from . import clock
from .engines import engine
from .lines import Line
from .store import Store

__all__ = ["Autorun", "configure", "scheduled", "stuck_thread", "wanted", "work_on"]

log = logging.getLogger("brokerless")

_settings: dict[str, Any] = {}
_OFF = frozenset({"0", "false", "no", "off"})


def configure(
    *, autostart: bool | None = None, workers: int | None = None, queues: Sequence[str] | None = None
) -> None:
    """Settings for queues that are made from now on; what is None stays.

    `autostart`: whether threads work on queues by themselves. `workers`: how many for each connection. `queues`: names
    in the order in which they are worked on; others follow in the order of their first job.
    """
    for name, value in (("autostart", autostart), ("workers", workers), ("queues", queues)):
        if value is not None:
            _settings[name] = value


def wanted(store: Store, key: str, given: bool | None) -> bool:
    """Whether threads are to work on a queue: as given here or for an earlier object of the same queue (workers make
    objects of their own to queue retries and dependents), else as the environment says, else as configured."""
    if given is not None:
        store.chosen[key] = given
        return given
    if key in store.chosen:
        return store.chosen[key]
    environment = os.environ.get("BROKERLESS_AUTOSTART")
    if environment is not None:
        return environment.strip().lower() not in _OFF
    return bool(_settings.get("autostart", True))


def _workers() -> int:
    given = _settings.get("workers") or os.environ.get("BROKERLESS_RQ_WORKERS")
    if given:
        return max(1, int(given))
    return max(2, min(8, os.cpu_count() or 2))


def _order() -> list[str]:
    named = _settings.get("queues")
    if named is None:
        named = [name.strip() for name in os.environ.get("BROKERLESS_RQ_QUEUES", "").split(",")]
    return [name for name in named if name]


def work_on(store: Store, queue: Any) -> None:
    """Has the store's threads take jobs of this queue."""
    line = store.line(queue.key)
    if line.worked:
        return
    with store.lock:
        if store.autorun is None:
            store.autorun = Autorun(store)
        store.autorun.add(line, queue)


def scheduled(store: Store, job_id: str, name: str, moment: float) -> None:
    """A job was scheduled."""
    if store.autorun is not None:
        store.autorun.scheduled(job_id, moment)


class Autorun:
    """One for each store, made at need, ended by `flushdb`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lines: list[Line] = []
        self.kinds: dict[str, Any] = {}
        """Queue objects by key: their classes and serializer are what the jobs are run with."""
        self.runs: list[Any] = []
        self.moments: dict[str, float] = {}
        self._timer: Any = None
        self._timer_at = float("inf")
        self._resume: Any = None
        self.pool = engine().pool(f"rq:{store.name}", [], workers=_workers(), autostart=True)
        self.pool.autostart = True
        engine().holders.append(self.held)
        self.look_at_suspension()

    def add(self, line: Line, queue: Any) -> None:
        """Takes from one more queue."""
        self.kinds[line.key] = queue
        line.worked = True
        order = _order()
        self.lines.append(line)
        self.lines.sort(key=lambda one: order.index(one.name) if one.name in order else len(order))
        self.pool.subscribe([one.queue for one in self.lines])
        self.look_at_schedule()

    def reset_after_fork(self) -> None:
        """In a forked child: what the parent runs and has scheduled is the parent's."""
        self.runs = []
        self.moments = {}
        self._timer = None
        self._timer_at = float("inf")
        self._resume = None
        for line in self.lines:
            self.store.space.scored(f"{RQ_KEY_PREFIX}:scheduled:{line.name}").clear()

    def change_engine(self) -> None:
        """Its engine was shut down: makes another one in its place, for the same lines and schedule."""
        lines, self.lines = self.lines, []
        heir = self.store.autorun = Autorun(self.store)
        heir.moments = self.moments
        for line in lines:
            heir.add(line, self.kinds[line.key])

    def stop(self) -> None:
        """Takes no more; the threads stay for who comes next."""
        for line in self.lines:
            line.worked = False
        self.lines = []
        self.pool.subscribe([])
        if self._timer is not None:
            self._timer.cancel()
        if self._resume is not None:
            self._resume.cancel()
        self.pool.resume()

    # -- schedule ---------------------------------------------------------------------------------------------------

    def held(self) -> list[str]:
        """The scheduled jobs, for the list of what an exit drops."""
        if self.store.autorun is not self:
            return []
        now = clock.time()
        found = []
        for line in list(self.lines):
            for job_id, moment in list(
                self.store.space.scored(f"{RQ_KEY_PREFIX}:scheduled:{line.name}").scores.items()
            ):
                found.append(f"task {line.describe_task(job_id)}, due in {max(0.0, moment - now):.3g} s")
        return found

    def scheduled(self, job_id: str, moment: float) -> None:
        """A job is due at that moment, to the fraction of a second; the registry knows whole ones."""
        watch(engine())  # it may be all that this process ever asks for
        self.moments[job_id] = moment
        self._arm(moment)

    def _arm(self, moment: float) -> None:
        with self.store.lock:
            if moment >= self._timer_at:
                return
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = moment
            self._timer = engine().call_later(max(0.0, moment - clock.time()), self.look_at_schedule)

    def look_at_schedule(self) -> None:
        """Queues what is due, and sees to it that this is called again."""
        from ..scheduler import enqueue_due

        now = clock.time()
        following = float("inf")
        with self.store.lock:
            self._timer_at = float("inf")
            for line in list(self.lines):
                scored = self.store.space.scored(f"{RQ_KEY_PREFIX}:scheduled:{line.name}")
                if not len(scored):
                    continue
                due = []
                for job_id in scored.due(now):
                    moment = self.moments.get(job_id, 0.0)
                    if moment <= now:
                        self.moments.pop(job_id, None)
                        due.append(job_id)
                    else:
                        following = min(following, moment)
                if due:
                    enqueue_due(self.kinds[line.key], due)
                first = min((second for second in scored.due_index.seconds if second > now), default=None)
                if first is not None:
                    members = scored.due_index.buckets.get(first, ())
                    exact = [self.moments.get(job_id, float(first)) for job_id in members]
                    following = min([following, *exact])
        if following != float("inf"):
            self._arm(following)

    # -- suspension -------------------------------------------------------------------------------------------------

    def look_at_suspension(self) -> None:
        """Pauses or resumes the threads as `suspend` and `resume` say."""
        from ..suspension import WORKERS_SUSPENDED

        with self.store.lock:
            suspended = self.store.space.get(WORKERS_SUSPENDED) is not None
            until = self.store.space.expires.get(WORKERS_SUSPENDED)
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        if not suspended:
            if self.pool.paused:
                self.pool.resume()
            return
        self.pool.pause()
        if until is not None:
            self._resume = engine().call_later(max(0.0, until - clock.time()) + 0.001, self.look_at_suspension)

    # -- runs -------------------------------------------------------------------------------------------------------

    def show_runs(self) -> None:
        """Enters the runs of the short cut into the registries, where somebody wants to look."""
        with self.store.lock:
            for run in self.runs:
                run.show()

    show_workers = show_runs


def stuck_thread(thread_id: int) -> bool:
    """Gives the place of an engine's thread that does not come back to a new one."""
    here = engine()
    for worker in here.workers():
        info = here.worker_info(worker)
        if info is not None and info["thread_id"] == thread_id and here.abandon(worker):
            return any(pool.replace(worker) for pool in here.pools())
    return False
