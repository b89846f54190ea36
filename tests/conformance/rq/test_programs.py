"""Random programs: enqueue with options, depend, cancel, delete, requeue, work; the shim must end where rq ends.

A seed makes a program; the program is the same on both sides. Compared is what each call answered
and what is left at the end, job by job. The order of runs is compared where no job depends on
another: rq releases several dependents of one parent in no particular order.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from . import jobs
from .watch import outcome

PROGRAMS = 100
STEPS = 14
QUEUES = ("high", "low")
RQ212 = dict.fromkeys((4, 20, 34, 43, 44, 58, 59, 61, 68), "rq212-allow-failure-met")
RQ212 |= dict.fromkeys((9, 18, 27, 39, 57, 81), "rq212-retry-front")
SEEDS = [
    pytest.param(seed, marks=[pytest.mark.rq212(RQ212[seed])] if seed in RQ212 else []) for seed in range(PROGRAMS)
]


class Program:
    """Carries out random steps and keeps what they answered."""

    def __init__(self, rq: Any, connection: Any, seed: int) -> None:
        self.rq = rq
        self.connection = connection
        self.random = random.Random(seed)
        self.with_dependencies = seed % 3 > 0
        self.queues = [rq.Queue(name, connection=connection) for name in QUEUES]
        self.names: list[str] = []
        self.answers: list[Any] = []

    def step(self) -> None:
        """Carry out one step."""
        steps = [self.enqueue] * 5 + [self.work] * 2 + [self.cancel, self.delete, self.requeue, self.remove]
        self.random.choice(steps)()

    def enqueue(self) -> None:
        """Enqueue a job of some kind with some options."""
        choose = self.random.choice
        name = f"j{len(self.names)}"
        call = choose(
            [(jobs.say, name), (jobs.say, name), (jobs.flaky, name, choose([1, 2, 3])), (jobs.say_boom, name)]
            + [(jobs.say_retry, name, choose([1, 2]))]
        )
        options: dict[str, Any] = {"job_id": name, "at_front": choose([True, False, False])}
        if choose([True, False]):
            options["retry"] = self.rq.Retry(choose([1, 2]), enqueue_at_front=choose([True, False]))
        if choose([True, False, False, False]):
            options["repeat"] = self.rq.Repeat(choose([1, 2]))
        options["result_ttl"] = choose([None, None, None, -1, 0])
        if self.with_dependencies and self.names and choose([True, False]):
            parents = self.random.sample(self.names, min(len(self.names), choose([1, 1, 2])))
            options["depends_on"] = choose([parents, self.rq.Dependency(parents, allow_failure=True)])
        self.names.append(name)
        self.note(lambda: choose(self.queues).enqueue(*call, **options).get_status(refresh=False).value)

    def work(self) -> None:
        """Empty one queue, or both."""
        listened = self.random.choice([QUEUES, QUEUES[:1], QUEUES[1:], QUEUES[::-1]])
        self.note(lambda: self.rq.SimpleWorker(list(listened), connection=self.connection).work(burst=True))

    def some(self) -> str:
        """Return the name of a job of the program, or of none."""
        return self.random.choice([*self.names, "unknown"])

    def cancel(self) -> None:
        """Cancel a job, with or without releasing its dependents."""
        name, release = self.some(), self.random.choice([True, False])
        self.note(lambda: self.rq.cancel_job(name, connection=self.connection, enqueue_dependents=release))

    def delete(self) -> None:
        """Delete a job, with or without its dependents."""
        name, along = self.some(), self.random.choice([True, False])
        self.note(lambda: self.rq.Job.fetch(name, connection=self.connection).delete(delete_dependents=along))

    def requeue(self) -> None:
        """Requeue a job from the registry of the failed or of the canceled ones."""
        name, queue = self.some(), self.random.choice(self.queues)
        registry = self.random.choice([queue.failed_job_registry, queue.canceled_job_registry])
        self.note(lambda: registry.requeue(name).get_status().value)

    def remove(self) -> None:
        """Take a job from a queue."""
        name, queue = self.some(), self.random.choice(self.queues)
        self.note(lambda: queue.remove(name))

    def note(self, call: Any) -> None:
        """Keep what a call answered."""
        self.answers.append(outcome(call))

    def rest(self) -> dict[str, Any]:
        """Return what is left, by job and by registry."""
        kinds = ("started", "finished", "failed", "deferred", "scheduled", "canceled")
        return {
            "jobs": {name: self.state(name) for name in self.names},
            "queues": {queue.name: sorted(queue.job_ids) for queue in self.queues},
            "registries": {
                f"{queue.name} {kind}": sorted(getattr(queue, f"{kind}_job_registry").get_job_ids())
                for queue in self.queues
                for kind in kinds
            },
            "runs": {name: jobs.notes().count(name) for name in self.names},
        }

    def state(self, name: str) -> Any:
        """Return what is stored of a job."""
        if not self.rq.Job.exists(name, connection=self.connection):
            return None
        job = self.rq.Job.fetch(name, connection=self.connection)
        results = [result.type.name for result in job.results()]
        return [job.get_status().value, job.retries_left, job.repeats_left, job.number_of_retries, results]


@pytest.mark.parametrize("seed", SEEDS)
def test_program(rq, connection, observed, seed):
    program = Program(rq, connection, seed)
    for _ in range(STEPS):
        program.step()
    rq.SimpleWorker(list(QUEUES), connection=connection).work(burst=True)
    observed("answers", program.answers)
    observed("rest", program.rest())
    if not program.with_dependencies:
        observed("order", jobs.notes())
