"""The whole C core, used as the extension uses it, against a model of lists and dicts under a hand-set clock.

The machine is the user: it reserves, pushes, takes, ends, fires timers and lets results go. One group of workers, two
queues of three lanes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.unit.native.library import (
    CANCELLED,
    COMPLETED,
    DELAYED,
    FAILED,
    FULL,
    NEVER,
    OK,
    QUEUED,
    RUNNING,
    Slots,
)
from tests.unit.native.machines import Machine

LANES = 3
NONE, RUN, TOMBSTONE, EXPIRED = range(4)


@dataclass(eq=False)
class Known:
    """What the model knows of a task."""

    number: int
    slot: Any
    queue: int
    lane: int
    state: int = DELAYED
    attempt: int = 0
    due: int = NEVER
    expires: int = NEVER
    timer: int = NEVER  # NEVER: not in the timers
    order: int = 0
    finished: int = 0
    places: set[str] = field(default_factory=set)  # lane, registry, worker: the slot goes back when all are left


class CoreMachine(Machine):
    @initialize(
        ring=st.integers(2, 5),
        aging=st.sampled_from([0, 1, 2, 3]),
        ttl=st.sampled_from([NEVER, 0, 20]),
        cap=st.sampled_from([2**64 - 1, 0, 3]),
    )
    def make(self, ring: int, aging: int, ttl: int, cap: int) -> None:
        config = self.ffi.new("bl_config *", {"ring_size": ring, "aging": aging, "result_ttl": ttl, "result_max": cap})
        self.core = self.lib.bl_core_new(config)
        self.ttl, self.cap, self.aging, self.countdown = ttl, cap, aging, aging
        self.pool = Slots(self.ffi, self.lib, self.lib.bl_core_pool(self.core))
        self.now = 100
        self.lib.bl_core_set_now(self.core, self.now)
        assert [self.lib.bl_core_add_queue(self.core, LANES) for _ in range(2)] == [0, 1]
        assert self.lib.bl_core_add_group(self.core, False) == 0
        self.subscribe([0, 1])
        self.worker = self.lib.bl_core_add_worker(self.core, 0)
        self.paused = False
        self.tasks: dict[int, Known] = {}
        self.front: list[list[Known]] = [[], []]
        self.lanes: list[list[deque[Known]]] = [[deque() for _ in range(LANES)] for _ in range(2)]
        self.kept: deque[Known] = deque()
        self.running: list[Known] = []
        self.counts = dict.fromkeys(["submitted", "completed", "failed", "cancelled", "retried", "expired", "done"], 0)
        self.order = 0
        self.seen = self.ffi.new("uint32_t *")
        self.woken = self.ffi.new("bool *")
        self.take_result = self.ffi.new("bl_take *")

    # ---- what the extension does around the core ----

    def leave(self, task: Known, place: str) -> None:
        task.places.discard(place)
        if not task.places and task.timer == NEVER:
            self.lib.bl_pool_give(self.pool.pool, task.slot)
            self.tasks.pop(task.number, None)

    def live(self, queue: int, lane: int) -> int:
        waiting = [*self.front[queue], *self.lanes[queue][lane]]
        return sum(task.state == QUEUED and task.lane == lane for task in waiting)

    def schedule(self, task: Known, when: int) -> None:
        assert self.lib.bl_core_schedule(self.core, task.slot, when) == OK
        self.order += 1
        task.timer, task.order = when, self.order

    def unschedule(self, task: Known) -> None:
        assert self.lib.bl_core_unschedule(self.core, task.slot) == (task.timer != NEVER)
        task.timer = NEVER

    def push(self, task: Known, front: bool) -> None:
        assert self.lib.bl_slot_ready(task.slot, self.seen) == OK
        task.state = QUEUED
        assert self.lib.bl_core_push(self.core, task.slot, front, self.woken) == OK
        assert not self.woken[0]
        task.places.add("lane")
        if front:
            self.front[task.queue].append(task)
        else:
            self.lanes[task.queue][task.lane].append(task)

    def ended(self, task: Known, state: int, worker: Any) -> None:
        task.state, task.finished = state, self.now
        task.slot.finished = self.now
        self.unschedule(task)
        self.lib.bl_worker_count(self.core, worker, state, self.now)
        self.counts[{COMPLETED: "completed", FAILED: "failed", CANCELLED: "cancelled"}[state]] += 1
        evicted = self.lib.bl_core_retain(self.core, task.slot)
        self.kept.append(task)
        leaver = self.kept.popleft() if len(self.kept) > self.cap else None
        if evicted != self.ffi.NULL and leaver is not None:
            assert evicted == leaver.slot
            self.forget(leaver)
        else:
            assert evicted == self.ffi.NULL
            assert leaver is None
        self.lib.bl_core_done(self.core, worker)
        self.counts["done"] += 1

    def forget(self, task: Known) -> None:
        assert self.lib.bl_registry_remove(self.lib.bl_core_registry(self.core), task.slot)
        self.leave(task, "registry")

    # ---- rules ----

    @rule(
        queue=st.integers(0, 1),
        lane=st.integers(0, LANES - 1),
        front=st.booleans(),
        delay=st.sampled_from([0, 0, 0, 5, 30]),
        expires=st.sampled_from([NEVER, NEVER, 5, 5, 40]),
        limit=st.sampled_from([0, 0, 4]),
        count=st.integers(1, 3),
    )
    def submit(self, queue: int, lane: int, front: bool, delay: int, expires: int, limit: int, count: int) -> None:
        for i in range(count):
            self.submit_one(queue, (lane + i) % LANES, front, delay, expires, limit)

    def submit_one(self, queue: int, lane: int, front: bool, delay: int, expires: int, limit: int) -> None:
        if delay == 0:
            room = limit == 0 or self.live(queue, lane) < limit
            assert self.lib.bl_core_reserve(self.core, queue, lane, 1, limit) == (OK if room else FULL)
            if not room:
                return
        self.counts["submitted"] += 1
        number = self.counts["submitted"]
        assert self.lib.bl_core_next_ids(self.core, 1, self.now) == number
        slot = self.pool.take(id=number, queue=queue, lane=lane, created=self.now)
        task = Known(number, slot, queue, lane, places={"registry"})
        self.tasks[number] = task
        if expires != NEVER:
            task.expires = slot.expires = self.now + expires
        assert self.lib.bl_registry_put(self.lib.bl_core_registry(self.core), slot) == OK
        if delay:
            task.due = slot.due = self.now + delay
            self.schedule(task, task.due)
            return
        if task.expires != NEVER:
            self.schedule(task, task.expires)
        self.push(task, front)

    def next_waiting(self) -> tuple[Known | None, bool]:
        lowest = self.aging != 0 and self.countdown == 1
        for queue in self.subscribed:
            if self.front[queue]:
                return self.front[queue].pop(), lowest
            for lane in reversed(self.lanes[queue]) if lowest else self.lanes[queue]:
                if lane:
                    return lane.popleft(), lowest
        return None, lowest

    @rule(count=st.integers(1, 4))
    def take(self, count: int) -> None:
        for _ in range(count):
            self.lib.bl_core_take(self.core, self.worker, self.take_result)
            took = self.take_result
            task, lowest = (None, False) if self.paused else self.next_waiting()
            if task is None:
                assert took.kind == NONE
                return
            self.countdown = self.aging if lowest else self.countdown - 1
            self.taken(task, took)

    def taken(self, task: Known, took: Any) -> None:
        assert took.slot == task.slot
        if task.state != QUEUED:
            assert took.kind == TOMBSTONE
            self.leave(task, "lane")
        elif task.expires <= self.now:
            assert took.kind == EXPIRED
            self.lib.bl_core_count_expired(self.core, self.worker)
            self.counts["expired"] += 1
            self.ended(task, CANCELLED, self.worker)
            self.leave(task, "lane")
        else:
            assert took.kind == RUN
            task.attempt += 1
            assert took.attempt == task.attempt
            task.state = RUNNING
            task.places.add("worker")
            self.leave(task, "lane")
            self.running.append(task)

    @precondition(lambda self: bool(getattr(self, "running", None)))
    @rule(data=st.data(), end=st.sampled_from([COMPLETED, COMPLETED, FAILED]))
    def finish(self, data: st.DataObject, end: int) -> None:
        task = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.lib.bl_worker_begin(self.core, self.worker, task.slot, task.attempt, self.now)
        assert not self.lib.bl_worker_end(self.core, self.worker, self.now + 1)
        assert self.lib.bl_slot_finish(task.slot, task.attempt, end, self.seen) == OK
        self.ended(task, end, self.worker)
        self.leave(task, "worker")

    @precondition(lambda self: bool(getattr(self, "running", None)))
    @rule(delay=st.sampled_from([0, 4, 50]))
    def retry(self, delay: int) -> None:
        task = self.running.pop()
        self.unschedule(task)
        task.expires = task.slot.expires = NEVER  # it has started in time
        assert self.lib.bl_slot_retry(task.slot, task.attempt, DELAYED, self.seen) == OK
        task.state = DELAYED
        task.due = task.slot.due = self.now + delay
        self.schedule(task, task.due)
        self.lib.bl_core_count_retry(self.core, self.worker)
        self.counts["retried"] += 1
        self.leave(task, "worker")

    @precondition(lambda self: bool(getattr(self, "tasks", None)))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task = self.tasks[data.draw(st.sampled_from(sorted(self.tasks)))]
        waits = task.state in (DELAYED, QUEUED)
        assert (self.lib.bl_core_cancel(self.core, task.slot, self.seen) == OK) == waits
        if waits:
            self.unschedule(task)
            self.ended(task, CANCELLED, self.ffi.NULL)

    @rule(by=st.sampled_from([1, 5, 5, 40]))
    def advance(self, by: int) -> None:
        self.now += by
        self.lib.bl_core_set_now(self.core, self.now)

    @rule()
    def fire(self) -> None:
        due = [task for task in self.tasks.values() if task.timer <= self.now]
        while due:
            task = min(due, key=lambda task: (task.timer, task.order))
            due.remove(task)
            assert self.lib.bl_core_pop_due(self.core, self.now) == task.slot
            task.timer = NEVER
            if task.state == DELAYED:
                assert self.lib.bl_core_reserve(self.core, task.queue, task.lane, 1, 0) == OK
                self.push(task, False)
                if task.expires != NEVER:
                    self.schedule(task, task.expires)
                    if task.timer <= self.now:
                        due.append(task)
            elif task.state == QUEUED:
                assert self.lib.bl_core_cancel(self.core, task.slot, self.seen) == OK
                self.lib.bl_core_count_expired(self.core, self.ffi.NULL)
                self.counts["expired"] += 1
                self.ended(task, CANCELLED, self.ffi.NULL)
            else:
                assert task.state == RUNNING
        assert self.lib.bl_core_pop_due(self.core, self.now) == self.ffi.NULL

    @rule()
    def age(self) -> None:
        while self.ttl != NEVER and self.kept and self.kept[0].finished + self.ttl <= self.now:
            task = self.kept.popleft()
            assert self.lib.bl_core_pop_aged(self.core, self.now) == task.slot
            self.forget(task)
        assert self.lib.bl_core_pop_aged(self.core, self.now) == self.ffi.NULL

    @rule(queues=st.sampled_from([[], [0], [1], [0, 1], [1, 0]]))
    def subscribe(self, queues: list[int]) -> None:
        assert self.lib.bl_core_subscribe(self.core, 0, queues, len(queues)) == OK
        self.subscribed = queues

    @rule(paused=st.sampled_from([True, False, False]))
    def pause(self, paused: bool) -> None:
        self.lib.bl_core_pause(self.core, 0, paused)
        self.paused = paused

    @rule()
    def another_worker_takes_over(self) -> None:
        self.lib.bl_core_remove_worker(self.core, self.worker)
        self.worker = self.lib.bl_core_add_worker(self.core, 0)
        self.countdown = self.aging

    @invariant()
    def figures(self) -> None:
        if not hasattr(self, "core"):
            return
        totals = self.ffi.new("bl_totals *")
        self.lib.bl_core_totals(self.core, totals)
        assert {name: getattr(totals, name) for name in self.counts} == self.counts
        assert self.lib.bl_core_outstanding(self.core) == self.counts["submitted"] - self.counts["done"]
        assert totals.retained == len(self.kept)
        assert totals.scheduled == sum(task.timer != NEVER for task in self.tasks.values())
        for queue in range(2):
            handle = self.lib.bl_core_queue(self.core, queue)
            for lane in range(LANES):
                assert self.lib.bl_queue_live(handle, lane) == self.live(queue, lane)
        assert totals.pool_in_use == len(self.tasks) * self.ffi.sizeof("bl_slot")

    def close(self) -> None:
        if hasattr(self, "core"):
            self.lib.bl_core_free(self.core)
