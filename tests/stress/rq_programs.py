"""Random programs for the RQ shim, and what must hold whatever they did. Knows nothing of pytest.

Time is set by hand. Steps enqueue (with dependencies, retries, repeats, life times), cancel, requeue, delete, stop, let
time pass, and work with one or two workers at once. `settle()` lets everything that is still to come happen, and
`check()` compares each job's runs and its place with what was done to it.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from brokerless.compat.rq_shim import Queue, Repeat, Retry, Worker
from brokerless.compat.rq_shim.command import send_stop_job_command
from brokerless.compat.rq_shim.connections import Redis
from brokerless.compat.rq_shim.exceptions import InvalidJobOperation, NoSuchJobError
from brokerless.compat.rq_shim.job import Dependency, Job, get_current_job
from brokerless.compat.rq_shim.runtime import clock

__all__ = ["Program"]

NAMES = ("high", "low")
OVER = {"finished": "finished", "failed": "failed", "stopped": "failed", "canceled": "canceled"}


class Runs:
    """What the jobs have done: how often each ran, and whether one ran while it was running."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count: Counter[str] = Counter()
        self.active: set[str] = set()
        self.overlaps: list[str] = []

    def enter(self, name: str) -> int:
        with self.lock:
            if name in self.active:
                self.overlaps.append(name)
            self.active.add(name)
            self.count[name] += 1
            return self.count[name]

    def leave(self, name: str) -> None:
        with self.lock:
            self.active.discard(name)


runs = Runs()


def perform(name: str, failures: int, again: int) -> Any:
    """Fails so many times, then asks to be run again so many times, then returns."""
    number = runs.enter(name)
    try:
        if number <= failures:
            raise ValueError(name)
        if again:
            return Retry(max=again)
        return name
    finally:
        runs.leave(name)


def perform_until_stopped(name: str) -> None:
    """Has itself stopped; ends only by that."""
    runs.enter(name)
    try:
        job = get_current_job()
        assert job is not None
        send_stop_job_command(job.connection, job.id)
        # an event of its own: an interrupt between taking a lock and noting that it is held leaves it taken for all
        never = threading.Event()
        for _ in range(500):
            never.wait(0.01)
    finally:
        runs.leave(name)


@dataclass
class Known:
    """What a program knows of one of its jobs."""

    parents: list[str] = field(default_factory=list)
    allow_failure: bool = False
    failures: int = 0
    retries: int = 0
    repeats: int = 0
    again: int = 0
    stops: bool = False
    mortal: bool = False
    """Has a life time, waiting or finished, so that its record may be gone."""
    touched: bool = False
    """Canceled, requeued or deleted: how often it runs is bounded, no longer known."""
    deleted: bool = False
    requeues: int = 0

    def most(self) -> int:
        """Runs that anything has given leave for. As in RQ, each parent releases once: one that ends again, later than
        the others, after a requeue, has a dependent run that has run already."""
        return max(1, len(self.parents)) + self.retries + self.repeats * (1 + self.again) + self.again + self.requeues


class Program:
    """One random program on a database of its own."""

    def __init__(self, seed: int, db: int) -> None:
        self.random = random.Random(seed)
        self.seconds = 1_700_000_000.0
        self.connection = Redis(db=db)
        self.queues = [Queue(name, connection=self.connection, autostart=False) for name in NAMES]
        self.jobs: dict[str, Known] = {}
        self.story: list[str] = []
        runs.__init__()  # type: ignore[misc]

    def run(self, steps: int) -> None:
        """Carry the program out and check it."""
        clock.set_clock(lambda: self.seconds)
        try:
            for _ in range(steps):
                choices = [self.enqueue] * 6 + [self.work] * 3 + [self.later] * 2
                choices += [self.cancel, self.requeue, self.delete]
                self.random.choice(choices)()
            self.settle()
            self.check()
        except AssertionError as wrong:
            raise AssertionError(f"{wrong}\n" + "\n".join(self.story)) from wrong
        finally:
            self.connection.flushdb()
            clock.set_clock(None)

    # -- steps ------------------------------------------------------------------------------------------------------

    def enqueue(self) -> None:
        """A job with some of everything."""
        choose, name = self.random.choice, f"j{len(self.jobs)}"
        known = Known(stops=choose([True] + [False] * 9))
        options: dict[str, Any] = {"job_id": name, "result_ttl": choose([-1, -1, -1, 30])}
        if not known.stops:
            known.failures, known.again = choose([0, 0, 1, 2]), choose([0, 0, 0, 1])
            if choose([True, False]):
                known.retries = choose([1, 2])
                interval = choose([0, 5, [2, 9]])
                options["retry"] = Retry(known.retries, interval=interval, enqueue_at_front=choose([True, False]))
            if not known.again and choose([True, False, False]):
                known.repeats = choose([1, 2])
                options["repeat"] = Repeat(known.repeats, interval=choose([0, 7]))
        if choose([True, False, False, False]):
            options["ttl"] = choose([3, 20])
        known.mortal = "ttl" in options or options["result_ttl"] != -1
        there = [parent for parent in self.jobs if Job.exists(parent, self.connection)]
        kind = choose(["now", "now", "in", "after", "after"])
        if kind == "after" and there:
            known.parents = self.random.sample(there, min(len(there), choose([1, 1, 2, 3])))
            known.allow_failure = choose([True, False])
            options["depends_on"] = Dependency(known.parents, allow_failure=known.allow_failure)
        options["at_front"] = choose([True, False, False])
        queue = choose(self.queues)
        call = (perform_until_stopped, name) if known.stops else (perform, name, known.failures, known.again)
        self.jobs[name] = known
        self.story.append(f"enqueue {name} on {queue.name}: {known} {kind}")
        if kind == "in":
            del options["at_front"]
            queue.enqueue_in(timedelta(seconds=choose([1, 8])), *call, **options)
        else:
            queue.enqueue(*call, **options)

    def work(self) -> None:
        """One or two workers until nothing waits."""
        count = self.random.choice([1, 1, 2])
        self.story.append(f"work with {count}")
        self.burst(count)

    def burst(self, count: int) -> None:
        """Let workers run at the same time until each finds nothing more."""
        failed: list[BaseException] = []

        def one() -> None:
            try:
                Worker(self.queues, connection=self.connection).work(
                    burst=True, with_scheduler=True, logging_level="CRITICAL"
                )
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=one) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads), "a burst does not end"
        assert not failed, f"a worker raised {failed[0]!r}"

    def later(self) -> None:
        """Time passes."""
        seconds = self.random.choice([1, 4, 25, 40])
        self.story.append(f"{seconds} s later")
        self.seconds += seconds

    def some(self, act: Callable[[Job], object], word: str) -> str | None:
        """Do something to a job if that is possible; its name when it was done."""
        if not self.jobs:
            return None
        name = self.random.choice(list(self.jobs))
        self.story.append(f"{word} {name}")
        try:
            act(Job.fetch(name, connection=self.connection))
        except (NoSuchJobError, InvalidJobOperation):
            self.story.append("  refused")
            return None
        self.jobs[name].touched = True
        return name

    def cancel(self) -> None:
        release = self.random.choice([True, False])
        self.some(lambda job: job.cancel(enqueue_dependents=release), f"cancel (release {release})")

    def requeue(self) -> None:
        name = self.some(lambda job: job.requeue(at_front=self.random.choice([True, False])), "requeue")
        if name is not None:
            self.jobs[name].requeues += 1

    def delete(self) -> None:
        name = self.some(lambda job: job.delete(), "delete")
        if name is not None:
            self.jobs[name].deleted = True

    def settle(self) -> None:
        """Let all that is scheduled come due and be worked on."""
        for _ in range(60):
            self.burst(1)
            moments = [
                registry.get_scheduled_time(job_id).timestamp()
                for registry in (queue.scheduled_job_registry for queue in self.queues)
                for job_id in registry.get_job_ids()
                if Job.exists(job_id, self.connection)
            ]
            if not moments:
                return
            self.seconds = max(self.seconds, min(moments)) + 1
        raise AssertionError("something is scheduled for ever")

    # -- what must hold ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Nothing lost, nothing run too often, nobody left waiting without a reason."""
        assert runs.overlaps == [], f"ran while it was running: {runs.overlaps}"
        assert not runs.active
        for queue in self.queues:
            left = [job.id for job in queue.jobs]
            assert left == [], f"left in {queue.name}: {left}"
        states: dict[str, str | None] = {}
        for name in self.jobs:
            there = Job.exists(name, self.connection)
            states[name] = Job.fetch(name, connection=self.connection).get_status().value if there else None
        for name, known in self.jobs.items():
            self.check_runs(name, known, states)
            self.check_place(name, known, states)

    def check_runs(self, name: str, known: Known, states: dict[str, str | None]) -> None:
        count = runs.count[name]
        assert count <= known.most(), f"{name} ran {count} times, {known.most()} at most"
        if states[name] == "finished" and not known.touched and len(known.parents) < 2:
            expected = 1 + known.failures + known.again + known.repeats
            assert count == expected, f"{name} ran {count} times, not {expected}"
        if not known.parents and not known.touched and not known.mortal:
            assert count >= 1, f"{name} never ran"
            if known.stops:
                assert states[name] == "stopped", f"{name} is {states[name]}, not stopped"
            elif not known.again:
                good = known.failures <= known.retries
                assert states[name] == ("finished" if good else "failed"), f"{name} is {states[name]}"

    def check_place(self, name: str, known: Known, states: dict[str, str | None]) -> None:
        state = states[name]
        if state is None:
            assert known.deleted or known.mortal, f"{name} is lost"
            return
        places = {
            kind
            for queue in self.queues
            for kind in ("started", "finished", "failed", "deferred", "scheduled", "canceled")
            if name in getattr(queue, f"{kind}_job_registry").get_job_ids()
        }
        if state == "deferred":
            assert places == {"deferred"}, f"{name} is deferred, and in {sorted(places)}"
            assert self.has_reason_to_wait(known, states), f"{name} waits for nothing"
            return
        assert state in OVER, f"{name} is {state} when all is over"
        assert OVER[state] in places, f"{name} is {state}, and in {sorted(places)}"
        if len(known.parents) > 1:
            return  # released a second time it leaves the registry of its first end to itself, as in RQ
        # a job that is to be repeated stays among the finished ones, also when it is canceled before, as in RQ
        assert places <= {OVER[state]} | ({"finished"} if known.repeats else set()), (
            f"{name} is {state}, and in {sorted(places)}"
        )

    def has_reason_to_wait(self, known: Known, states: dict[str, str | None]) -> bool:
        """Whether a parent is gone, or has not ended in a way that lets this one go."""
        enough = {"finished", "failed"} if known.allow_failure else {"finished"}
        return any(states[parent] not in enough or self.jobs[parent].mortal for parent in known.parents)
