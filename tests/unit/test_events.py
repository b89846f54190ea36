"""Live events: which come, in which order, to whom, and what happens to a subscriber that is too slow."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks, ManualClock, Subscription, TaskEvent, TaskStatus, current_task
from brokerless.events import KINDS
from tests.unit.rig import SOON, Gate, eventually, python_ok

Make = Callable[..., BackgroundTasks]


def fetched(subscription: Subscription, count: int) -> list[TaskEvent]:
    events = []
    for _ in range(count):
        event = subscription.get(SOON)
        assert event is not None, f"only {events}"
        events.append(event)
    return events


def kinds(events: list[TaskEvent]) -> list[str]:
    return [event.kind for event in events]


def fail() -> None:
    raise ValueError("no luck")


def test_the_life_of_a_task(tasks: BackgroundTasks) -> None:
    def work() -> int:
        task = current_task()
        assert task is not None
        task.set_progress(1, 4, "one")
        return 7

    with tasks.subscribe() as events:
        handle = tasks.add_task(work, tags="a")
        got = fetched(events, 4)
    assert kinds(got) == ["queued", "started", "progress", "finished"]
    assert [event.status for event in got] == ["PENDING", "RUNNING", "RUNNING", "COMPLETED"]
    assert [event.attempts for event in got] == [0, 1, 1, 1]
    assert all(event.task is handle and event.task_id == handle.task_id for event in got)
    assert [event.at for event in got] == sorted(event.at for event in got)
    assert handle.value == 7
    shown = json.loads(json.dumps(got[2].to_dict()))
    assert shown.pop("name").endswith("work")
    assert shown == {
        "kind": "progress",
        "task_id": handle.task_id,
        "status": "RUNNING",
        "at": got[2].at,
        "attempts": 1,
        "tags": ["a"],
        "progress": {"current": 1, "total": 4, "message": "one"},
        "error": None,
    }


def test_retries_and_failures(tasks: BackgroundTasks) -> None:
    with tasks.subscribe() as events:
        tasks.add_task(fail, max_retries=1)
        got = fetched(events, 5)
    assert kinds(got) == ["queued", "started", "retrying", "started", "finished"]
    assert [repr(event.error) for event in got if event.error] == ["ValueError('no luck')"] * 2
    assert (got[-1].status, got[-1].to_dict()["error"]) == (TaskStatus.FAILED, "ValueError: no luck")


def test_delayed_and_cancelled_tasks(tasks: BackgroundTasks) -> None:
    tasks.clock = ManualClock()
    with tasks.subscribe() as events:
        later = tasks.add_task(abs, 1, delay_ms=1000)
        later.cancel()
        expiring = tasks.add_task(abs, 1, delay_ms=1000, expires_ms=500)
        tasks.clock.advance(2)
        got = fetched(events, 4)
    assert [(event.kind, event.task, event.status) for event in got] == [
        ("queued", later, "PENDING"),
        ("finished", later, "CANCELLED"),
        ("queued", expiring, "PENDING"),
        ("finished", expiring, "CANCELLED"),
    ]


def test_coroutines(tasks: BackgroundTasks) -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        task = current_task()
        assert task is not None
        task.set_progress(1)

    tasks.add_task(work)
    assert tasks.drain(SOON)  # wait() may return before the end is announced
    with tasks.subscribe() as events:
        tasks.add_task(work)
        assert kinds(fetched(events, 4)) == ["queued", "started", "progress", "finished"]


def test_every_way_to_submit_is_seen(tasks: BackgroundTasks) -> None:
    add = tasks.add_task
    decorated = tasks.task(abs)
    with tasks.subscribe("queued") as events:
        handles = [
            add(abs, 1),
            tasks.add_task(abs, 1, priority="high"),
            tasks.submit(abs, 1),
            decorated.delay(1),
            *tasks.add_batch([{"func": abs, "args": (1,)}, {"func": abs, "args": (2,), "delay_ms": 1}]),
            tasks.map_batch(abs, [1, 2]),
        ]
        got = fetched(events, len(handles))
    assert [event.task for event in got] == handles


def test_kinds_and_tags(tasks: BackgroundTasks) -> None:
    with tasks.subscribe(["finished"], tags=["a", "b"]) as events, tasks.subscribe("started", tags="c") as others:
        tasks.add_task(abs, 1)
        tasks.add_task(abs, 2, tags="a")
        both = tasks.add_task(abs, 3, tags=["b", "a", "c"])
        assert tasks.drain(SOON)
        assert [(event.kind, event.task) for event in fetched(events, 1)] == [("finished", both)]
        assert [(event.kind, event.task) for event in fetched(others, 1)] == [("started", both)]
        assert events.get(0) is None
        assert others.get(0) is None


def test_one_task_until_its_end(tasks: BackgroundTasks) -> None:
    gate = Gate()
    handle = tasks.add_task(gate, timeout_ms=None)
    gate.wait()
    events = tasks.subscribe(task=handle)
    tasks.add_task(abs, 1).wait(SOON)
    gate.open()
    assert [(event.kind, event.task) for event in events] == [("finished", handle)]
    assert events.closed
    again = tasks.subscribe(task=handle.task_id)
    assert [event.kind for event in again] == ["finished"], "it had ended before"
    assert tasks.events._subscriptions == ()


def test_retries_do_not_end_the_events_of_a_task(tasks: BackgroundTasks) -> None:
    gate = Gate()
    tries: list[int] = []

    def once() -> None:
        tries.append(1)
        if len(tries) == 1:
            gate()
            raise ValueError

    handle = tasks.add_task(once)
    gate.wait()
    events = tasks.subscribe(task=handle)
    gate.open()
    assert [event.kind for event in events] == ["retrying", "started", "finished"]


@pytest.mark.parametrize("kind", ["chain", "parallel"])
def test_a_group_and_its_members(tasks: BackgroundTasks, kind: str) -> None:
    gate = Gate()
    calls = [{"func": gate, "args": (1,), "timeout_ms": None}, {"func": abs, "args": () if kind == "chain" else (2,)}]
    handle = tasks.chain_tasks(calls) if kind == "chain" else tasks.parallel_tasks(calls, max_parallelism=1)
    gate.wait()
    events = tasks.subscribe(group=handle)
    tasks.add_task(abs, 1).wait(SOON)
    gate.open()
    got = list(events)
    first, second = handle.children
    assert [event.kind for event in got if event.task is first] == ["finished"]
    assert [event.kind for event in got if event.task is second] == ["queued", "started", "finished"]
    own = [event for event in got if event.task is handle]
    assert [event.kind for event in own] == ["progress", "progress", "finished"]
    assert [event.progress.current for event in own if event.progress] == [1, 2, 2]
    assert len(got) == 7


def test_a_cancelled_group_ends_with_its_last_member(tasks: BackgroundTasks) -> None:
    gate = Gate()
    handle = tasks.parallel_tasks([{"func": gate, "timeout_ms": None}, {"func": abs, "args": (1,), "delay_ms": 60_000}])
    gate.wait()
    events = tasks.subscribe(["finished"], group=handle)
    handle.cancel()
    assert not events.closed, "a member still runs"
    gate.open()
    assert {event.task for event in events} == {handle, *handle.children}


def test_a_slow_subscriber_loses_the_oldest_events(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)  # two workers may tell two subscribers of two tasks in different orders
    with tasks.subscribe("finished", buffer=3) as events, tasks.subscribe("finished") as quick:
        handles = [tasks.add_task(abs, n) for n in range(10)]
        got = fetched(quick, 10)
        assert (events.dropped, quick.dropped) == (7, 0)
        assert [event.task for event in fetched(events, 3)] == [event.task for event in got[-3:]]
        assert {event.task for event in got} == set(handles)


def test_nobody_listens_nothing_is_installed(tasks: BackgroundTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("nobody listens")

    with tasks.subscribe():
        tasks.add_task(abs, 1).wait(SOON)
    monkeypatch.setattr(tasks.events, "_tell", never)
    assert tasks.on_progress is None
    tasks.add_task(lambda: current_task().set_progress(1)).wait(SOON)  # type: ignore[union-attr]
    assert tasks.drain(SOON)


def test_observers_stand_beside_hooks(tasks: BackgroundTasks) -> None:
    seen: list[str] = []
    tasks._main_queue.set_hooks(
        on_start=lambda task: seen.append("start"), on_finish=lambda task: seen.append("finish")
    )
    with tasks.subscribe() as events:
        tasks.add_task(abs, 1)
        fetched(events, 3)
    assert tasks.drain(SOON)
    assert seen == ["start", "finish"]
    tasks.add_task(abs, 1)
    assert tasks.drain(SOON)
    assert seen == ["start", "finish"] * 2


def test_close_ends_a_wait(tasks: BackgroundTasks) -> None:
    events = tasks.subscribe()
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(events))
    thread.start()
    tasks.add_task(abs, 1).wait(SOON)
    eventually(lambda: len(got) == 3)
    events.close()
    events.close()
    thread.join(SOON)
    assert not thread.is_alive()
    assert events.get() is None
    assert "ended" in repr(events)


def test_shutdown_ends_every_subscription(make_tasks: Make) -> None:
    tasks = make_tasks()
    events = tasks.subscribe("finished")
    tasks.add_task(abs, 1)
    assert tasks.shutdown(timeout=SOON)
    assert [event.kind for event in events] == ["finished"], "what came before is still there"
    assert tasks.subscribe().closed


def test_a_coroutine_listens(tasks: BackgroundTasks) -> None:
    async def listen() -> list[str]:
        got = []
        async with tasks.subscribe() as events:
            tasks.add_task(abs, -5)
            async for event in events:
                got.append(event.kind)
                if event.kind == "finished":
                    break
        return got

    async def main() -> list[list[str]]:
        return list(await asyncio.wait_for(asyncio.gather(listen()), SOON))

    assert asyncio.run(main()) == [["queued", "started", "finished"]]


def test_coroutines_wait_share_and_give_up(tasks: BackgroundTasks) -> None:
    async def main() -> tuple[list[str], bool]:
        events = tasks.subscribe("finished")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(events), 0.01)
        assert not events._sleepers
        both = [asyncio.create_task(anext(events)) for _ in range(2)]
        await asyncio.sleep(0)
        handles = [tasks.add_task(abs, n) for n in (1, 2)]
        got = await asyncio.wait_for(asyncio.gather(*both), SOON)
        assert {event.task for event in got} == set(handles)
        last = asyncio.create_task(anext(events, None))
        await asyncio.sleep(0)
        events.close()
        ended = await asyncio.wait_for(last, SOON) is None
        return [event.kind for event in got], ended

    assert asyncio.run(main()) == (["finished", "finished"], True)


def test_a_wake_up_of_a_coroutine_that_gives_up_goes_to_another(tasks: BackgroundTasks) -> None:
    async def main() -> str:
        events = tasks.subscribe("finished")
        first, second = (asyncio.create_task(anext(events)) for _ in range(2))
        await asyncio.sleep(0)
        tasks.add_task(abs, 1)
        eventually(lambda: events._events)  # the loop stands still: the first one is woken, and does not know it yet
        first.cancel()
        return (await asyncio.wait_for(second, SOON)).kind

    assert asyncio.run(main()) == "finished"


def test_tags_do_not_hide_the_end(tasks: BackgroundTasks) -> None:
    group = tasks.parallel_tasks(
        [{"func": abs, "args": (n,), "tags": ["odd"] if n % 2 else ["even"]} for n in range(4)]
    )
    assert tasks.drain(SOON)
    tasks.clock = ManualClock()
    later = tasks.parallel_tasks(
        [{"func": abs, "args": (n,), "delay_ms": 1000, "tags": ["odd"] if n % 2 else ["even"]} for n in range(4)]
    )
    events = tasks.subscribe("finished", tags="odd", group=later)
    tasks.clock.advance(1)
    assert {event.task for event in events} == {later.children[1], later.children[3]}
    assert list(tasks.subscribe(tags="odd", group=group)) == []


def test_a_loop_that_was_closed_holds_nothing_up(tasks: BackgroundTasks) -> None:
    events = tasks.subscribe()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(anext(events))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    tasks.add_task(abs, 1)
    assert kinds(fetched(events, 3)) == ["queued", "started", "finished"]
    events.close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]


def test_many_listeners_and_many_tasks(make_tasks: Make) -> None:
    tasks = make_tasks(4)
    streams = [tasks.subscribe(buffer=100_000) for _ in range(3)]
    handles = tasks.add_batch([{"func": abs, "args": (n,)} for n in range(500)])
    handles += [tasks.add_task(abs, n) for n in range(500)]
    assert tasks.drain(SOON)
    for stream in streams:
        of: dict[str, list[str]] = {}
        for event in fetched(stream, 3000):
            of.setdefault(event.task_id, []).append(event.kind)
        assert len(of) == 1000
        assert all(each == ["queued", "started", "finished"] for each in of.values())
        stream.close()


def test_a_forked_child_has_no_listeners() -> None:
    printed = python_ok("""
        import os
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        events = tasks.subscribe("finished")
        tasks.add_task(abs, 1).wait(10)
        assert events.get(10).kind == "finished"
        child = os.fork()
        if child == 0:
            tasks.add_task(abs, 2).wait(10)
            assert events.get() is None and events.closed
            with tasks.subscribe("finished") as own:
                tasks.add_task(abs, 3)
                print(own.get(10).task.wait(10), flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        tasks.add_task(abs, 4)
        print(events.get(10).task.wait(10))
    """)
    assert printed.split() == ["3", "4"]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"kinds": "done"}, ValueError, "'done'.*'queued'"),
        ({"kinds": []}, ValueError, "allowed are"),
        ({"kinds": 5}, ValueError, "kinds=5"),
        ({"tags": 5}, TypeError, "tags=5"),
        ({"task": 5}, TypeError, "task=5"),
        ({"task": "0" * 32}, KeyError, "no such task"),
        ({"buffer": 0}, ValueError, "buffer=0"),
    ],
)
def test_wrong_arguments(tasks: BackgroundTasks, given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        tasks.subscribe(**given)


def test_groups_and_tasks_are_told_apart(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(abs, 1)
    with pytest.raises(TypeError, match=r"group=.*chain"):
        tasks.subscribe(group=handle)
    with pytest.raises(TypeError, match="exclude each other"):
        tasks.subscribe(task=handle, group=handle)
    assert set(KINDS) == {"queued", "started", "progress", "retrying", "finished"}
