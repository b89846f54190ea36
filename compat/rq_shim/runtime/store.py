"""`Store`: everything that one connection's name stands for: jobs, results, dependencies, queues, keys.

Jobs and results are records, queues are queues of the engine; keys (registries, groups, workers, the users' own) live
in a `Keyspace`. One re-entrant lock makes compound changes atomic; single look-ups and insertions do without it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

from ..defaults import RQ_KEY_PREFIX
from . import clock
from .expiry import Expiry
from .identity import identity_of
from .keyspace import Keyspace
from .lines import Line
from .records import JobRecord, ResultRecord

__all__ = ["Store", "all_stores", "store_of"]

COMMANDS = RQ_KEY_PREFIX + ":pubsub:"
"""Prefix of the channels on which workers hear commands."""

MOST_RESULTS = 10
"""Results that a job keeps, newest last."""


class Store:
    """Made by `store_of(connection)`, one for each identity, for the life of the process."""

    def __init__(self, identity: tuple[Any, ...]) -> None:
        self.identity = identity
        self.name = ":".join(str(part) for part in identity)
        self.lock = threading.RLock()
        self.jobs: dict[str, JobRecord] = {}
        self.ending = Expiry()
        self.orphans: dict[str, tuple[tuple[Any, ...], ...]] = {}
        self.dependents: dict[str, dict[str, None]] = {}
        self.dependencies: dict[str, dict[str, None]] = {}
        self.lines: dict[str, Line] = {}
        self.registered: dict[str, None] = {}
        self.listeners: dict[str, list[Callable[[str, str], Any]]] = {}
        self.waiters: dict[str, list[Callable[[], Any]]] = {}
        self.workers: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        self.autorun: Any = None
        self.chosen: dict[str, bool] = {}
        """Queue keys whose `autostart` was given."""
        self.client: Any = None
        self.space = Keyspace(self._view)
        self._last_ms = 0
        self._last_seq = 0
        self._timer_at: int | None = None

    def __repr__(self) -> str:
        return f"<Store {self.name}, {len(self.jobs)} jobs>"

    def _view(self, key: str) -> Any:
        from .views import view

        return view(self, key)

    # -- jobs -------------------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> JobRecord | None:
        """The record of a job that has not ended."""
        record = self.jobs.get(job_id)
        if record is not None and record.expires_at is not None and record.expires_at <= clock.time():
            self.end_job(record)
            return None
        return record

    def touch_job(self, job_id: str) -> JobRecord:
        """The record, made without a payload if there is none."""
        record = self.job(job_id)
        if record is None:
            record = JobRecord(job_id)
            record.results = self.orphans.pop(job_id, None)
            self.jobs[job_id] = record
        return record

    def end_job(self, record: JobRecord) -> None:
        """A job's time is over: it goes, with what depended on it. Results that last longer stay."""
        with self.lock:
            if self.jobs.get(record.id) is not record:
                return
            del self.jobs[record.id]
            if record.results and (record.results_until is None or record.results_until > clock.time()):
                self.orphans[record.id] = record.results
            self.dependents.pop(record.id, None)
            self.dependencies.pop(record.id, None)

    def delete_job(self, job_id: str) -> bool:
        """Takes a job away with its results and dependencies."""
        with self.lock:
            record = self.jobs.pop(job_id, None)
            if record is not None and record.expires_at is not None:
                self.ending.discard(job_id, record.expires_at)
            self.orphans.pop(job_id, None)
            self.dependents.pop(job_id, None)
            self.dependencies.pop(job_id, None)
            return record is not None

    def expire_job(self, record: JobRecord, seconds: float) -> None:
        """The job ends so many seconds from now."""
        with self.lock:
            if record.expires_at is not None:
                self.ending.discard(record.id, record.expires_at)
            at = record.expires_at = clock.time() + seconds
            if self.ending.add(record.id, at):
                self.wake_at(int(at))

    def persist_job(self, record: JobRecord) -> bool:
        """The job does not end by itself."""
        at = record.expires_at
        if at is None:
            return False
        with self.lock:
            self.ending.discard(record.id, at)
            record.expires_at = None
        return True

    # -- results ----------------------------------------------------------------------------------------------------

    def add_result(self, job_id: str, entry: ResultRecord, ttl: float | None) -> str:
        """Appends a result; `ttl` seconds from now all of the job's results end (-1: never, None: as before)."""
        with self.lock:
            now = clock.time()
            ms = max(int(now * 1000), self._last_ms)
            self._last_seq = self._last_seq + 1 if ms == self._last_ms else 0
            self._last_ms = ms
            entry = entry._replace(ms=ms, seq=self._last_seq)
            record = self.job(job_id)
            if record is None:
                before = self.orphans.get(job_id, ())
            else:
                before = () if record.results is None or self._results_over(record, now) else record.results
                if ttl is not None:
                    record.results_until = None if ttl == -1 else now + ttl
            results = (*before, tuple(entry))[-MOST_RESULTS:]
            if record is None:
                self.orphans[job_id] = results
            else:
                record.results = results
        self.notify(job_id)
        return entry.id

    @staticmethod
    def _results_over(record: JobRecord, now: float) -> bool:
        return record.results_until is not None and record.results_until <= now

    def results(self, job_id: str) -> tuple[tuple[Any, ...], ...]:
        """A job's results, oldest first, each as the fields of a `ResultRecord`. Under the lock: who has seen that a job is
        over, while the lock was held to end it, gets the result that is stored after that."""
        with self.lock:
            record = self.job(job_id)
            if record is None:
                return self.orphans.get(job_id, ())
            results = record.results
            return () if results is None or self._results_over(record, clock.time()) else results

    def delete_results(self, job_id: str) -> bool:
        existed = bool(self.results(job_id))
        record = self.job(job_id)
        if record is not None:
            record.results = None
            record.results_until = None
        self.orphans.pop(job_id, None)
        return existed

    # -- waiting ----------------------------------------------------------------------------------------------------

    def notify(self, job_id: str) -> None:
        """Something about a job is over: wakes who waits for it."""
        if self.waiters:
            for waiter in self.waiters.pop(job_id, ()):
                waiter()

    def wait(self, job_id: str, ready: Callable[[], bool], timeout: float | None) -> bool:
        """Waits until `ready()`, which is looked at whenever something of the job is over."""
        deadline = None if timeout is None else clock.time() + timeout
        while True:
            gate = threading.Lock()
            gate.acquire()
            with self.lock:
                if ready():
                    return True
                self.waiters.setdefault(job_id, []).append(gate.release)
            left = -1.0 if deadline is None else deadline - clock.time()
            if (deadline is not None and left <= 0) or not gate.acquire(timeout=left):
                with self.lock:
                    waiting = self.waiters.get(job_id)
                    if waiting and gate.release in waiting:
                        waiting.remove(gate.release)
                        if not waiting:
                            del self.waiters[job_id]
                return ready()

    # -- queues -----------------------------------------------------------------------------------------------------

    def line(self, key: str) -> Line:
        """The engine's queue behind a queue key, made at first use."""
        line = self.lines.get(key)
        if line is None or line.engine.closed:
            with self.lock:
                line = self.lines.get(key)
                if line is None:
                    line = self.lines[key] = Line(self, key)
                elif line.engine.closed:
                    self._change_engine()
        return line

    def _change_engine(self) -> None:
        """Theirs was shut down: all lines go to the engine in use now, and those that were worked on are so there. All
        at once, because a worker takes from several, and can do that in one engine only."""
        for line in self.lines.values():
            if line.engine.closed:
                line.bind()
        self._timer_at = None
        self._wake_for_the_first()
        if self.autorun is not None:
            self.autorun.change_engine()

    # -- keys -------------------------------------------------------------------------------------------------------

    def publish(self, channel: str, message: str) -> int:
        """Hands a message to the channel's listeners, here and now; returns how many there are."""
        if self.autorun is not None and channel.startswith(COMMANDS):
            self.autorun.show_workers()  # threads on the short way have not been listening so far
        listeners = list(self.listeners.get(channel, ()))
        for listener in listeners:
            listener(channel, message)
        return len(listeners)

    def expire_key(self, key: str, at: float) -> None:
        if self.space.expire(key, at):
            self.wake_at(int(at))

    # -- the end of things ------------------------------------------------------------------------------------------

    def wake_at(self, second: int) -> None:
        """Sees to it that memory is given back at that second. Without an engine there is nobody to do it, and little
        to give back."""
        if self._timer_at is not None and self._timer_at <= second:
            return
        from .engines import started_engine

        engine = started_engine()
        if engine is None or engine.closed:
            return
        self._timer_at = second
        engine.call_later(max(1.0, second + 1 - clock.time()), self.reap)

    def reap(self) -> None:
        """Gives back the memory of what has ended."""
        now = clock.time()
        with self.lock:
            self._timer_at = None
            later = []
            for job_id in self.ending.pop_due(now):
                record = self.jobs.get(job_id)
                if record is None or record.expires_at is None:
                    continue
                if record.expires_at <= now:
                    self.end_job(record)
                else:
                    later.append(record)
            for record in later:
                self.ending.add(record.id, record.expires_at or 0.0)
            self.space.reap(now)
            self._wake_for_the_first()

    def _wake_for_the_first(self) -> None:
        seconds = [first for first in (self.ending.first(), self.space.ending.first()) if first is not None]
        if seconds:
            self.wake_at(min(seconds))

    def clear(self) -> None:
        """Forgets everything, as `flushdb` does. Running jobs go on."""
        with self.lock:
            for line in self.lines.values():
                line.empty()
            if self.autorun is not None:
                self.autorun.stop()
                self.autorun = None
            self.jobs.clear()
            self.ending.clear()
            self.orphans.clear()
            self.dependents.clear()
            self.dependencies.clear()
            self.registered.clear()
            self.space.clear()

    def size(self) -> int:
        """How many keys there are, views included."""
        from .views import view_names

        with self.lock:
            return sum(1 for _ in self.space.names()) + sum(1 for _ in view_names(self))


_stores: dict[tuple[Any, ...], Store] = {}
_lock = threading.Lock()
_ATTRIBUTE = "_brokerless_store"


def store_of(connection: Any) -> Store:
    """The store that a connection names; remembered on the connection."""
    try:
        return connection._brokerless_store  # type: ignore[no-any-return]
    except AttributeError:
        pass
    pool = getattr(connection, "connection_pool", None)
    options = getattr(pool, "connection_kwargs", None)
    identity = identity_of(options) if isinstance(options, dict) else ("object", type(connection).__name__, 0)
    store = store_named(identity)
    try:
        setattr(connection, _ATTRIBUTE, store)
    except AttributeError:
        pass  # a connection with slots is looked up each time
    return store


def store_named(identity: tuple[Any, ...]) -> Store:
    """The store of that identity, made at first use."""
    store = _stores.get(identity)
    if store is None:
        with _lock:
            store = _stores.setdefault(identity, Store(identity))
    return store


def all_stores() -> list[Store]:
    return list(_stores.values())


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for store in _stores.values():
        store.lock = threading.RLock()
        store.waiters.clear()
        store.workers.clear()
        store._timer_at = None
        if store.autorun is not None:
            store.autorun.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
