"""Random programs run on the native core and on the pure one side by side: same order, same states, same counts.

The pure core is the model. Both run on the calling thread by a hand-set clock, so a program has one outcome.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from brokerless.core import pure

native = pytest.importorskip("brokerless.native._engine", reason="the compiled core is not there")

LANES = st.integers(0, 3)
QUEUES = st.integers(0, 1)
SECONDS = st.sampled_from([0.5, 1.0, 2.0, 5.0])
MAYBE_SECONDS = st.none() | SECONDS


class Boom(Exception):
    pass


def engine_type(module: Any) -> type[Any]:
    class Engine(module.Engine):  # type: ignore[misc,name-defined]
        def _failed(self, task: Any, error: BaseException) -> Any:
            retries, delay, then = task.options
            if task.attempt <= retries:
                return delay
            return then

        def _full(self, queue: int, lane: int, count: int, limit: int) -> bool:
            raise OverflowError

    return Engine


class Side:
    """One core and what its tasks did."""

    def __init__(self, module: Any, capped: bool = True) -> None:
        self.core = module
        self.engine = engine_type(module)(ring_size=2, **({"result_max": 12} if capped else {"result_ttl": 20.0}))
        self.queues = [self.engine.add_queue(4), self.engine.add_queue(4)]
        self.group = self.engine.add_group()
        self.engine.subscribe(self.group, self.queues)
        self.engine.set_now(1000.0)
        self.tasks: list[Any] = []
        self.log: list[Any] = []

    def call(self, name: int, outcome: str) -> Any:
        task = self.core.current()
        self.log.append(("run", name, task.id, task.attempt))
        if outcome == "fail":
            raise Boom(name)
        if outcome == "defer":
            return self.core.DEFERRED
        if outcome == "spawn":
            self.submit(name + 1000, "ok", queue=task.queue, lane=3 - task.lane)
        return name

    def submit(self, name: int, outcome: str, **where: Any) -> None:
        where["queue"] = self.queues[where["queue"]] if where["queue"] in (0, 1) else where["queue"]
        where.setdefault("options", (0, 0.0, None))
        try:
            task = self.engine.enqueue(self.call, (name, outcome), **where)
        except OverflowError:
            self.log.append(("full", name))
            return
        task.add_callback(lambda t: self.log.append(("over", t.id, t.state)))
        self.tasks.append(task)

    def state(self) -> Any:
        engine = self.engine
        totals = engine.totals()
        return {
            "log": self.log,
            "tasks": [(t.id, t.state, t.attempt, t.lane, t.cancel_requested, t.value) for t in self.tasks],
            "errors": [type(t.error).__name__ for t in self.tasks if t.state == self.core.FAILED],
            "known": [t.id for t in engine.tasks()],
            "pending": [[t.id for t in engine.pending(queue)] for queue in self.queues],
            "delayed": sorted(t.id for t in engine.delayed()),
            "queued": [[engine.queued(queue, lane) for lane in range(4)] for queue in self.queues],
            "positions": [engine.position(t) for t in self.tasks],
            "outstanding": engine.outstanding(),
            "counts": [
                totals[name]
                for name in ("submitted", "completed", "failed", "cancelled", "retried", "expired", "retained")
            ],
            "rates": [totals["submit_rate"], totals["finish_rate"]],
            "arguments": [t.args is None for t in self.tasks],
            "due": [t.due_at is None or round(t.due_at - t.created_at, 6) for t in self.tasks],
        }


class Cores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.sides: list[Side] = []
        self.names = 0

    @initialize(capped=st.booleans())
    def begin(self, capped: bool) -> None:
        self.sides = [Side(pure, capped), Side(native, capped)]

    def both(self, action: Any) -> None:
        results = [action(side) for side in self.sides]
        assert results[0] == results[1], f"pure {results[0]!r}, native {results[1]!r}"

    @rule(
        lane=LANES,
        queue=QUEUES,
        front=st.booleans(),
        delay=MAYBE_SECONDS,
        expires=MAYBE_SECONDS,
        outcome=st.sampled_from(["ok", "ok", "fail", "defer", "spawn"]),
        retries=st.integers(0, 2),
        retry_delay=st.sampled_from([0.0, 1.0, 3.0]),
        then=st.sampled_from([None, False]),
        limit=st.sampled_from([0, 0, 2]),
        keep=st.booleans(),
    )
    def submit(self, outcome: str, retries: int, retry_delay: float, then: Any, **where: Any) -> None:
        self.names += 1
        name = self.names
        for side in self.sides:
            side.submit(name, outcome, options=(retries, retry_delay, then), **where)

    @rule(
        data=st.lists(st.tuples(LANES, QUEUES, MAYBE_SECONDS, MAYBE_SECONDS), max_size=6), limit=st.sampled_from([0, 3])
    )
    def submit_many(self, data: list[Any], limit: int) -> None:
        self.names += 1
        name = self.names

        def many(side: Side) -> Any:
            items = [
                (side.call, (name, "ok"), None, lane, delay, expires, None, (0, 0.0, None), None, side.queues[queue])
                for lane, queue, delay, expires in data
            ]
            try:
                tasks = side.engine.enqueue_many(items, limit=limit)
            except OverflowError:
                return "full"
            side.tasks.extend(tasks)
            return [task.id for task in tasks]

        self.both(many)

    @precondition(lambda self: self.sides[0].tasks)
    @rule(which=st.integers(0, 10_000))
    def withdraw(self, which: int) -> None:
        self.both(lambda side: side.tasks[which % len(side.tasks)].withdraw())

    @precondition(lambda self: self.sides[0].tasks)
    @rule(which=st.integers(0, 10_000))
    def request_cancel(self, which: int) -> None:
        self.both(lambda side: side.tasks[which % len(side.tasks)].request_cancel())

    @precondition(lambda self: self.sides[0].tasks)
    @rule(
        which=st.integers(0, 10_000),
        attempt=st.integers(0, 3),
        how=st.sampled_from(["finish", "fail", "drop", "failed"]),
    )
    def end(self, which: int, attempt: int, how: str) -> None:
        def finish(side: Side) -> Any:
            task = side.tasks[which % len(side.tasks)]
            if how == "finish":
                return task.finish(attempt, "late")
            if how == "fail":
                return task.fail(attempt, Boom())
            return task.drop(attempt) if how == "drop" else task.failed_attempt(attempt, Boom())

        self.both(finish)

    @rule(count=st.integers(1, 4), queues=st.sampled_from([[0], [1], [0, 1], [1, 0]]))
    def run_some(self, count: int, queues: list[int]) -> None:
        self.both(lambda side: side.engine.run_until_empty([side.queues[n] for n in queues], count))

    @rule()
    def run_all(self) -> None:
        self.both(lambda side: side.engine.run_until_empty(side.queues))

    @rule(queue=QUEUES)
    def claim_and_perform(self, queue: int) -> None:
        def claim(side: Side) -> Any:
            task = side.engine.claim([side.queues[queue]])
            if task is None:
                return None
            side.engine.perform(task)
            return task.id

        self.both(claim)

    @rule(seconds=SECONDS, fire=st.booleans())
    def advance(self, seconds: float, fire: bool) -> None:
        for side in self.sides:
            side.engine.set_now(side.engine.now() + seconds)
        if fire:
            self.fire()
            self.both(lambda side: side.engine.age())

    @rule()
    def fire(self) -> None:
        for side in self.sides:
            side.engine.fire_due()

    @invariant()
    def same(self) -> None:
        if not self.sides:
            return
        model, other = (side.state() for side in self.sides)
        for name, value in model.items():
            assert value == other[name], f"{name}: pure {value!r}, native {other[name]!r}"

    def teardown(self) -> None:
        for side in self.sides:
            side.engine.discard()
        if self.sides:
            self.same()


TestCores = Cores.TestCase
TestCores.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
