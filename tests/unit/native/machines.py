"""State machines that do the same to a part of the C core and to a plain Python model of it, and compare.

Each machine runs over one variant of the library, named by the class attribute `variant`; the test modules set it and
how long to run.
"""

from __future__ import annotations

import bisect
from collections import deque
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.native.library import (
    CANCELLED,
    COMPLETED,
    DELAYED,
    EMPTY,
    FAILED,
    FULL,
    LOST,
    NEVER,
    NOMEM,
    OK,
    QUEUED,
    RUNNING,
    Slots,
    load,
    word,
)

MIDDLE = 2**63
OFF = st.sampled_from([0, 0, 0, -1, 1])  # which attempt is meant: mostly the right one


class Machine(RuleBasedStateMachine):
    variant = "tiny"

    def __init__(self) -> None:
        super().__init__()
        self.ffi, self.lib = load(self.variant)
        self.before = self.lib.bl_mem_in_use()
        self.slots = Slots(self.ffi, self.lib)

    def close(self) -> None:
        """Frees what the machine made; everything it allocated has to be back."""

    def teardown(self) -> None:
        self.lib.bl_mem_fail_after(-1)
        self.close()
        self.slots.close()
        assert self.lib.bl_mem_in_use() == self.before


class LaneMachine(Machine):
    """Two lanes that hold the same slots: a queue's lane and the lane of kept results."""

    @initialize(size=st.integers(1, 9))
    def make(self, size: int) -> None:
        self.lanes = [self.lib.bl_lane_new(size, self.ffi.NULL), self.lib.bl_lane_new(size, self.slots.pool)]
        self.models: list[deque[Any]] = [deque(), deque()]
        self.outside: list[deque[Any]] = [deque(), deque()]  # known slots that are not in the lane

    @rule(which=st.integers(0, 1), count=st.integers(1, 12))
    def push(self, which: int, count: int) -> None:
        for _ in range(count):
            if not self.outside[which]:
                slot = self.slots.take()
                self.outside[0].append(slot)
                self.outside[1].append(slot)
            slot = self.outside[which].popleft()
            assert self.lib.bl_lane_push(self.lanes[which], slot) == OK
            self.models[which].append(slot)

    @rule(which=st.integers(0, 1), nth=st.integers(0, 1))
    def push_without_memory(self, which: int, nth: int) -> None:
        slot = self.slots.take()
        self.lib.bl_mem_fail_after(nth)
        code = self.lib.bl_lane_push(self.lanes[which], slot)
        self.lib.bl_mem_fail_after(-1)
        assert code in (OK, NOMEM)
        if code == OK:
            self.outside[1 - which].append(slot)
            self.models[which].append(slot)
        else:
            self.lib.bl_pool_give(self.slots.pool, slot)

    @rule(which=st.integers(0, 1), count=st.integers(1, 12))
    def pop(self, which: int, count: int) -> None:
        for _ in range(count):
            expected = self.models[which].popleft() if self.models[which] else self.ffi.NULL
            assert self.lib.bl_lane_pop(self.lanes[which]) == expected
            if expected != self.ffi.NULL:
                self.outside[which].append(expected)

    @invariant()
    def emptiness(self) -> None:
        for lane, model in zip(getattr(self, "lanes", []), getattr(self, "models", []), strict=True):
            assert self.lib.bl_lane_maybe_empty(lane) == (not model)

    def close(self) -> None:
        for lane in getattr(self, "lanes", []):
            self.lib.bl_lane_free(lane)


class QueueMachine(Machine):
    """Lanes, front stack, numbering and counting."""

    @initialize(lanes=st.integers(1, 5), size=st.integers(1, 8))
    def make(self, lanes: int, size: int) -> None:
        self.queue = self.lib.bl_queue_new(lanes, size)
        self.lanes: list[deque[Any]] = [deque() for _ in range(lanes)]
        self.front: list[Any] = []
        self.live = [0] * lanes

    def lane(self, number: int) -> int:
        return number % len(self.lanes)

    @rule(lane=st.integers(0, 4), front=st.booleans(), count=st.integers(1, 5))
    def push(self, lane: int, front: bool, count: int) -> None:
        for _ in range(count):
            slot = self.slots.take(lane=self.lane(lane))
            assert self.lib.bl_queue_push(self.queue, slot, front) == OK
            if front:
                self.front.append(slot)
            else:
                self.lanes[self.lane(lane)].append(slot)

    @rule(lane=st.integers(0, 4))
    def push_without_memory(self, lane: int) -> None:
        slot = self.slots.take(lane=self.lane(lane))
        self.lib.bl_mem_fail_after(0)
        code = self.lib.bl_queue_push(self.queue, slot, False)
        self.lib.bl_mem_fail_after(-1)
        assert code in (OK, NOMEM)
        if code == OK:
            self.lanes[self.lane(lane)].append(slot)
        else:
            self.lib.bl_pool_give(self.slots.pool, slot)

    def expected(self, order: list[deque[Any]], front: bool) -> Any:
        if front and self.front:
            return self.front.pop()
        for lane in order:
            if lane:
                return lane.popleft()
        return self.ffi.NULL

    def popped(self, slot: Any) -> None:
        if slot != self.ffi.NULL:
            self.lib.bl_pool_give(self.slots.pool, slot)

    @rule(lowest=st.booleans())
    def pop(self, lowest: bool) -> None:
        slot = self.lib.bl_queue_pop(self.queue, lowest)
        assert slot == self.expected(self.lanes[::-1] if lowest else self.lanes, front=True)
        self.popped(slot)

    @rule(lane=st.integers(0, 4))
    def pop_lane(self, lane: int) -> None:
        slot = self.lib.bl_queue_pop_lane(self.queue, self.lane(lane))
        assert slot == self.expected([self.lanes[self.lane(lane)]], front=self.lane(lane) == 0)
        self.popped(slot)

    @rule(lane=st.integers(0, 4), count=st.integers(0, 9), limit=st.integers(0, 20))
    def reserve(self, lane: int, count: int, limit: int) -> None:
        lane = self.lane(lane)
        room = limit == 0 or self.live[lane] + count <= limit
        assert self.lib.bl_queue_reserve(self.queue, lane, count, limit) == (OK if room else FULL)
        self.live[lane] += count if room else 0

    @rule(lane=st.integers(0, 4), count=st.integers(1, 9))
    def release(self, lane: int, count: int) -> None:
        lane = self.lane(lane)
        count = min(count, self.live[lane])
        self.lib.bl_queue_release(self.queue, lane, count)
        self.live[lane] -= count

    @invariant()
    def counts_and_numbers(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert [self.lib.bl_queue_live(self.queue, i) for i in range(len(self.live))] == self.live
        assert self.lib.bl_queue_live_all(self.queue) == sum(self.live)
        order = [*reversed(self.front), *(slot for lane in self.lanes for slot in lane)]
        assert self.lib.bl_queue_maybe_empty(self.queue) == (not order)
        keys = [(slot.seq >= MIDDLE, slot.lane if slot.seq >= MIDDLE else 0, slot.seq) for slot in order]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys)

    def close(self) -> None:
        if hasattr(self, "queue"):
            self.lib.bl_queue_free(self.queue)


class TimersMachine(Machine):
    """The heap against a sorted list."""

    @initialize()
    def make(self) -> None:
        self.timers = self.lib.bl_timers_new()
        self.model: list[tuple[int, int, Any]] = []
        self.order = 0

    @rule(when=st.integers(0, 40) | st.sampled_from([0, NEVER - 8]), count=st.integers(1, 6), fails=st.booleans())
    def add(self, when: int, count: int, fails: bool) -> None:
        for i in range(count):
            slot = self.slots.take()
            first = self.ffi.new("bool *")
            self.lib.bl_mem_fail_after(0 if fails else -1)
            code = self.lib.bl_timers_add(self.timers, slot, when + i, first)
            self.lib.bl_mem_fail_after(-1)
            if code == NOMEM:
                assert fails
                assert not first[0]
                self.lib.bl_pool_give(self.slots.pool, slot)
                continue
            assert code == OK
            self.order += 1
            bisect.insort(self.model, (when + i, self.order, slot), key=lambda entry: entry[:2])
            assert first[0] == (self.model[0][1] == self.order)

    def gone(self, slot: Any) -> None:
        assert self.lib.bl_timers_remove(self.timers, slot) == EMPTY
        self.lib.bl_pool_give(self.slots.pool, slot)

    @precondition(lambda self: bool(getattr(self, "model", None)))
    @rule(data=st.data(), fails=st.booleans())
    def remove(self, data: st.DataObject, fails: bool) -> None:
        _, _, slot = self.model.pop(data.draw(st.integers(0, len(self.model) - 1)))
        self.lib.bl_mem_fail_after(0 if fails else -1)  # shrinking without memory
        assert self.lib.bl_timers_remove(self.timers, slot) == OK
        self.lib.bl_mem_fail_after(-1)
        self.gone(slot)

    @rule(now=st.integers(0, 45) | st.just(NEVER), count=st.integers(1, 8))
    def pop_due(self, now: int, count: int) -> None:
        for _ in range(count):
            slot = self.lib.bl_timers_pop_due(self.timers, now)
            if not self.model or self.model[0][0] > now:
                assert slot == self.ffi.NULL
                return
            assert slot == self.model.pop(0)[2]
            self.gone(slot)

    @invariant()
    def earliest(self) -> None:
        if hasattr(self, "timers"):
            assert self.lib.bl_timers_next(self.timers) == (self.model[0][0] if self.model else NEVER)
            assert self.lib.bl_timers_count(self.timers) == len(self.model)

    def close(self) -> None:
        if hasattr(self, "timers"):
            self.lib.bl_timers_free(self.timers)


class RegistryMachine(Machine):
    """Ids one by one, some of them never put."""

    @initialize(lost=st.sampled_from([0, 1, 3, 14, 1000, 1022]))
    def make(self, lost: int) -> None:
        self.registry = self.lib.bl_registry_new()
        self.bare = self.lib.bl_registry_bytes(self.registry)
        self.next = 1
        self.model: dict[int, Any] = {}
        self.gone: list[int] = [0, 2**40]
        for _ in range(lost):
            self.skip()

    @rule(count=st.integers(1, 20))
    def put(self, count: int) -> None:
        for _ in range(count):
            slot = self.slots.take(id=self.next)
            assert self.lib.bl_registry_put(self.registry, slot) == OK
            self.model[self.next] = slot
            self.next += 1

    @rule(nth=st.integers(0, 3))
    def put_without_memory(self, nth: int) -> None:
        slot = self.slots.take(id=self.next)
        self.lib.bl_mem_fail_after(nth)
        code = self.lib.bl_registry_put(self.registry, slot)
        self.lib.bl_mem_fail_after(-1)
        if code == OK:
            self.model[self.next] = slot
        else:
            assert code == NOMEM
            assert not self.lib.bl_registry_remove(self.registry, slot)
            self.lib.bl_registry_skip(self.registry, self.next)
            self.gone.append(self.next)
        self.next += 1

    @rule()
    def skip(self) -> None:
        self.lib.bl_registry_skip(self.registry, self.next)
        self.gone.append(self.next)
        self.next += 1

    def take_out(self, number: int) -> None:
        slot = self.model.pop(number)
        assert self.lib.bl_registry_remove(self.registry, slot)
        assert not self.lib.bl_registry_remove(self.registry, slot)
        self.gone.append(number)
        self.lib.bl_pool_give(self.slots.pool, slot)

    @precondition(lambda self: bool(getattr(self, "model", None)))
    @rule(data=st.data(), count=st.integers(1, 10))
    def remove(self, data: st.DataObject, count: int) -> None:
        for _ in range(min(count, len(self.model))):
            self.take_out(data.draw(st.sampled_from(sorted(self.model))))

    @rule()
    def remove_all(self) -> None:
        for number in list(self.model):
            self.take_out(number)

    @rule(data=st.data())
    def find(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([*sorted(self.model), *self.gone[-5:], self.next]))
        slot = self.model.get(number)
        expected = 0 if slot is None else slot.index + 1
        assert self.lib.bl_access_find(self.registry, number) == expected

    @rule(room=st.integers(1, 50))
    def walk(self, room: int) -> None:
        ids = self.ffi.new("uint64_t[]", room)
        count = self.lib.bl_access_walk(self.registry, ids, room)
        assert list(ids[0:count]) == sorted(self.model)[:room]

    def close(self) -> None:
        if not hasattr(self, "registry"):
            return
        self.remove_all()
        # One chunk that still waits for ids, its node, nodes for reuse, the top tables; nothing per id.
        assert self.lib.bl_registry_bytes(self.registry) - self.bare <= 200_000
        self.lib.bl_registry_free(self.registry)


class SlotsMachine(Machine):
    """Some slots, each transition at any time with any attempt."""

    FLAGS = (0x10, 0x20, 0x40, 0x80)

    @initialize(count=st.integers(1, 2))
    def make(self, count: int) -> None:
        self.model = [[DELAYED, 0, 0] for _ in range(count)]
        self.real = [self.slots.take() for _ in range(count)]
        self.seen = self.ffi.new("uint32_t *")
        self.attempt = self.ffi.new("uint32_t *")

    def apply(self, which: int, code: int, allowed: bool, state: int, attempt: int, flags: int) -> None:
        model = self.model[which]
        assert self.seen[0] == word(*model)
        assert code == (OK if allowed else LOST)
        if allowed:
            self.model[which] = [state, attempt, flags]

    def pick(self, which: int) -> tuple[int, Any, int, int, int]:
        which %= len(self.model)
        return (which, self.real[which], *self.model[which])

    @rule(which=st.integers(0, 1))
    def ready(self, which: int) -> None:
        which, slot, state, attempt, flags = self.pick(which)
        code = self.lib.bl_slot_ready(slot, self.seen)
        self.apply(which, code, state == DELAYED, QUEUED, attempt, flags)

    @rule(which=st.integers(0, 1))
    def claim(self, which: int) -> None:
        which, slot, state, attempt, flags = self.pick(which)
        code = self.lib.bl_slot_claim(slot, self.attempt, self.seen)
        self.apply(which, code, state == QUEUED, RUNNING, attempt + 1, flags)
        assert code != OK or self.attempt[0] == attempt + 1

    @rule(which=st.integers(0, 1))
    def cancel(self, which: int) -> None:
        which, slot, state, attempt, flags = self.pick(which)
        code = self.lib.bl_slot_cancel(slot, self.seen)
        self.apply(which, code, state in (DELAYED, QUEUED), CANCELLED, attempt, flags)

    @rule(which=st.integers(0, 1), off=OFF, end=st.sampled_from([COMPLETED, FAILED, CANCELLED]))
    def finish(self, which: int, off: int, end: int) -> None:
        which, slot, state, attempt, flags = self.pick(which)
        code = self.lib.bl_slot_finish(slot, max(0, attempt + off), end, self.seen)
        self.apply(which, code, state == RUNNING and max(0, attempt + off) == attempt, end, attempt, flags)

    @rule(which=st.integers(0, 1), off=OFF, again=st.sampled_from([DELAYED, QUEUED]))
    def retry(self, which: int, off: int, again: int) -> None:
        which, slot, state, attempt, flags = self.pick(which)
        code = self.lib.bl_slot_retry(slot, max(0, attempt + off), again, self.seen)
        allowed = state == RUNNING and max(0, attempt + off) == attempt
        self.apply(which, code, allowed, again, attempt, flags & ~0x40)

    @rule(which=st.integers(0, 1), off=OFF)
    def hold(self, which: int, off: int) -> None:
        which, slot, state, attempt, flags = self.pick(which)
        self.seen[0] = word(state, attempt, flags)
        code = self.lib.bl_slot_hold(slot, max(0, attempt + off))
        allowed = state == RUNNING and max(0, attempt + off) == attempt
        self.apply(which, code, allowed, RUNNING, attempt + 1, flags)

    @rule(which=st.integers(0, 1), flag=st.sampled_from([0x40, *FLAGS]))
    def flag(self, which: int, flag: int) -> None:
        which, slot, state, attempt, flags = self.pick(which)
        code = self.lib.bl_slot_flag(slot, flag, self.seen)
        self.apply(which, code, state < COMPLETED, state, attempt, flags | flag)

    @rule(which=st.integers(0, 1))
    def give_back_and_take(self, which: int) -> None:
        which, slot, *_ = self.pick(which)
        self.lib.bl_pool_give(self.slots.pool, slot)
        self.real[which] = self.slots.take()
        self.model[which] = [DELAYED, 0, 0]

    @invariant()
    def words(self) -> None:
        if hasattr(self, "real"):
            assert [slot.word for slot in self.real] == [word(*model) for model in self.model]
            in_use = self.lib.bl_pool_in_use(self.slots.pool)
            assert in_use == len(self.real) * self.ffi.sizeof("bl_slot")


PARTS = (LaneMachine, QueueMachine, TimersMachine, RegistryMachine, SlotsMachine)
