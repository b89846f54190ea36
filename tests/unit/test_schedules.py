"""Recurring tasks: when they run, what is counted, who runs them among several processes, and their end."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerless import BackgroundTasks, ManualClock, Schedule, TaskStatus, core, cron, every
from brokerless import schedules as schedules_module
from tests.unit.rig import ELSEWHERE, SOON, Gate, eventually, python_ok

Make = Callable[..., BackgroundTasks]

NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone.utc).timestamp()


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKERLESS_LOCK_DIR", str(tmp_path / "locks"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(date=NOON)


@pytest.fixture
def timed(tasks: BackgroundTasks, clock: ManualClock) -> BackgroundTasks:
    """Tasks whose clock the test moves."""
    tasks.clock = clock
    return tasks


def settled(tasks: BackgroundTasks) -> None:
    assert tasks.drain(SOON)


# By hand-set clocks.


def test_every_runs_at_each_multiple(timed: BackgroundTasks, clock: ManualClock) -> None:
    ran: list[str] = []
    schedule = timed.add_task(ran.append, "run", schedule=every(30))
    assert isinstance(schedule, Schedule)
    assert (schedule.state, schedule.next_run, schedule.last_run) == ("active", NOON + 30, None)
    for _ in range(4):
        clock.advance(15)
        settled(timed)
    assert ran == ["run"] * 2
    assert (schedule.runs, schedule.missed, schedule.skipped) == (2, 0, 0)
    assert (schedule.last_run, schedule.next_run) == (NOON + 60, NOON + 90)
    assert schedule.last_task.status is TaskStatus.COMPLETED


def test_cron_runs_by_the_date_of_the_clock(timed: BackgroundTasks, clock: ManualClock) -> None:
    ran: list[None] = []
    schedule = timed.add_task(ran.append, None, schedule=cron("30 12 * * *", tz="UTC"))
    clock.advance(1799)
    settled(timed)
    assert not ran
    clock.advance(1)
    settled(timed)
    assert len(ran) == 1
    assert schedule.next_run == NOON + 86400 + 1800


def test_missed_times_become_one_run_and_are_counted(timed: BackgroundTasks, clock: ManualClock) -> None:
    ran: list[None] = []
    schedule = timed.add_task(ran.append, None, schedule=every(10))
    clock.advance(45)
    settled(timed)
    assert (len(ran), schedule.runs, schedule.missed) == (1, 1, 3)
    assert schedule.next_run == NOON + 50, "late runs do not move the later ones"
    clock.advance(5)
    settled(timed)
    assert (len(ran), schedule.missed) == (2, 3)


def test_a_run_that_goes_on_keeps_the_next_one_out(timed: BackgroundTasks, clock: ManualClock) -> None:
    gate = Gate()
    schedule = timed.add_task(gate, schedule=every(10), timeout_ms=None)
    clock.advance(10)
    gate.wait()
    clock.advance(10)
    clock.advance(10)
    assert (schedule.runs, schedule.skipped, schedule.missed) == (1, 2, 0)
    gate.open()
    settled(timed)
    clock.advance(10)
    settled(timed)
    assert (schedule.runs, schedule.skipped) == (2, 2)


@given(steps=st.lists(st.floats(0, 40), max_size=12), seconds=st.floats(1, 20))
@settings(max_examples=25, deadline=None)
def test_every_time_is_run_missed_or_skipped(steps: list[float], seconds: float) -> None:
    tasks = BackgroundTasks(1)
    tasks.clock = clock = ManualClock(date=NOON)
    try:
        tasks.pause()
        schedule = tasks.add_task(abs, 1, schedule=every(seconds, aligned=False))
        for number, step in enumerate(steps):
            clock.advance(step)
            if number % 3 == 2:
                tasks.resume()
                settled(tasks)
                tasks.pause()
        passed = (clock.now() - 1000.0) / seconds
        counted = schedule.runs + schedule.missed + schedule.skipped
        assert passed - 1.001 <= counted <= passed + 0.001
        assert schedule.next_run == pytest.approx(NOON + seconds * (counted + 1), abs=1e-3)
    finally:
        tasks.shutdown(timeout=SOON, cancel_pending=True)


def test_a_cron_line_may_come_to_an_end(timed: BackgroundTasks, clock: ManualClock) -> None:
    schedule = timed.add_task(abs, 1, schedule=cron("0 13,14 1 1 * 0 2024-2099", tz="UTC"))
    for hours in (1, 1, 24):
        clock.advance(3600 * hours)
        settled(timed)
    assert (schedule.runs, schedule.state) == (2, "active")
    clock.advance(76 * 366 * 86400)
    settled(timed)
    assert (schedule.runs, schedule.state, schedule.next_run) == (3, "ended", None)
    assert timed.get_schedules() == []


def test_overlapping_runs_when_asked_for(timed: BackgroundTasks, clock: ManualClock) -> None:
    barrier = threading.Barrier(2)
    schedule = timed.add_task(barrier.wait, SOON, schedule=every(10, overlap=True))
    clock.advance(10)
    clock.advance(10)
    settled(timed)
    assert (schedule.runs, schedule.skipped) == (2, 0)
    assert timed.count_tasks("COMPLETED") == 2


def test_options_arguments_and_names(timed: BackgroundTasks, clock: ManualClock) -> None:
    seen: list[Any] = []

    def note(*args: Any, **kwargs: Any) -> None:
        seen.append((args, kwargs))

    first = timed.add_task(
        note, 1, priority="high", tags="tick", metadata={"a": 1}, max_retries=0, schedule=every(10), key="v"
    )
    second = timed.add_task(note, 2, schedule=every(10))
    third = timed.add_task(partial(note, 3), schedule=every(10, name="third"))
    clock.advance(10)
    settled(timed)
    assert sorted(args for args, _ in seen) == [(1,), (2,), (3,)]
    task = first.last_task
    assert (task.priority.name, task.tags, task.metadata) == ("HIGH", ("tick",), {"a": 1})
    own = f"{__name__}.test_options_arguments_and_names.<locals>.note"
    assert [schedule.name for schedule in timed.get_schedules()] == [own, f"{own}#2", "third"]
    with pytest.raises(ValueError, match="'third' exists"):
        timed.add_task(note, schedule=every(1, name="third"))
    shown = second.to_dict()
    assert shown["timetable"] == "every(10)"
    assert shown["last_task"] == second.last_task.task_id
    assert repr(third) == "<Schedule 'third' every(10) active>"


def test_unschedule(timed: BackgroundTasks, clock: ManualClock) -> None:
    ran: list[str] = []
    a = timed.add_task(ran.append, "a", schedule=every(10, name="a"))
    b = timed.add_task(ran.append, "b", schedule=every(10, name="b"))
    c = timed.add_task(ran.append, "c", schedule=every(10, name="c"))
    assert timed.unschedule("a") is True
    assert timed.unschedule("a") is False
    assert timed.unschedule(b) is True
    assert b.cancel() is False
    assert timed.get_schedules() == [c]
    assert (a.state, a.next_run) == ("ended", None)
    clock.advance(10)
    settled(timed)
    assert ran == ["c"]
    with pytest.raises(TypeError, match="unschedule.7."):
        timed.unschedule(7)  # type: ignore[arg-type]
    assert timed.add_task(ran.append, "a", schedule=every(10, name="a")).name == "a", "the name is free again"


def test_a_run_that_ends_its_own_schedule(timed: BackgroundTasks, clock: ManualClock) -> None:
    schedule = timed.add_task(lambda: timed.unschedule("self"), schedule=every(10, name="self"))
    clock.advance(10)
    settled(timed)
    clock.advance(10)
    settled(timed)
    assert (schedule.runs, schedule.last_task.value) == (1, True)


def test_coroutines_recur(timed: BackgroundTasks, clock: ManualClock) -> None:
    async def tick() -> str:
        await asyncio.sleep(0)
        return "tock"

    schedule = timed.add_task(tick, schedule=every(10))
    clock.advance(10)
    assert schedule.last_task.wait(SOON) == "tock"


def test_a_failing_run_does_not_end_the_schedule(timed: BackgroundTasks, clock: ManualClock) -> None:
    def fail() -> None:
        raise ValueError("no")

    schedule = timed.add_task(fail, max_retries=0, schedule=every(10))
    for _ in range(2):
        clock.advance(10)
        settled(timed)
    assert schedule.runs == 2
    assert schedule.last_task.status is TaskStatus.FAILED


def test_runs_are_not_bound_by_the_queue_size(make_tasks: Make, clock: ManualClock) -> None:
    tasks = make_tasks(1, queue_size=1)
    tasks.clock = clock
    gate = Gate()
    tasks.add_task(gate)
    gate.wait()
    tasks.add_task(abs, 1)
    schedule = tasks.add_task(abs, -5, schedule=every(10))
    clock.advance(10)
    gate.open()
    settled(tasks)
    assert schedule.last_task.value == 5


def test_a_run_that_cannot_be_submitted_is_logged(
    timed: BackgroundTasks, clock: ManualClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = timed.add_task(abs, 1, schedule=every(10, name="broken"))

    def refuse() -> Any:
        raise OSError("refused")

    monkeypatch.setattr(schedule, "_fire", refuse)
    clock.advance(10)
    assert "schedule broken: the run could not be submitted: refused" in caplog.text
    assert (schedule.runs, schedule.next_run) == (0, NOON + 20)


def test_a_clock_that_is_set_later_moves_the_times(tasks: BackgroundTasks, clock: ManualClock) -> None:
    schedule = tasks.add_task(abs, 1, schedule=every(3600))
    tasks.clock = clock
    assert schedule.next_run == NOON + 3600
    clock.advance(3600)
    settled(tasks)
    assert schedule.runs == 1


def test_a_function_is_compiled_before_its_first_run(
    timed: BackgroundTasks, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(timed.compilation, "form", lambda func, mode: (asked.append((func, mode)), func)[1])
    timed.add_task(abs, -1, compile_to_c=True, schedule=every(10))
    assert asked == [(abs, True)]


def test_retries_of_a_run_belong_to_it(timed: BackgroundTasks, clock: ManualClock) -> None:
    tries: list[int] = []

    def flaky() -> int:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ValueError("once")
        return len(tries)

    schedule = timed.add_task(flaky, schedule=every(100))
    clock.advance(100)
    eventually(lambda: tries)
    clock.advance(1)
    assert schedule.last_task.wait(SOON) == 2
    assert schedule.runs == 1


# The decorator, and when things begin.


def test_a_decorated_function_recurs_from_the_start_on(make_tasks: Make, clock: ManualClock) -> None:
    tasks = make_tasks()
    ran: list[int] = []

    @tasks.task(schedule=every(10), tags="own")
    def tick(value: int = 0) -> None:
        ran.append(value)

    before = threading.active_count()
    assert tick.schedule is not None
    assert (tick.schedule.state, tick.schedule.next_run) == ("waiting", None)
    assert threading.active_count() == before, "a decoration starts nothing"
    tasks.clock = clock
    tick.delay(7).wait(SOON)
    assert tick.schedule.state == "active"
    clock.advance(10)
    settled(tasks)
    assert ran == [7, 0]
    assert tick.schedule.last_task.tags == ("own",)
    assert tasks.add_task(tick, 8).wait(SOON) is None, "a submit of a decorated function is one run"
    assert len(tasks.get_schedules()) == 1


def test_start_begins_decorated_schedules(make_tasks: Make, clock: ManualClock) -> None:
    tasks = make_tasks()
    tick = tasks.task(schedule=every(10))(abs)
    tasks.clock = clock
    tasks.start()
    assert tick.schedule is not None
    assert tick.schedule.next_run == NOON + 10


def test_real_time(tasks: BackgroundTasks) -> None:
    times: list[float] = []
    schedule = tasks.add_task(lambda: times.append(time.time()), schedule=every(0.05))
    eventually(lambda: len(times) >= 5)
    schedule.cancel()
    assert all(moment % 0.05 < 0.05 for moment in times)
    assert schedule.last_run is not None
    assert times == sorted(times)


def test_idle_schedules_wake_nobody(tasks: BackgroundTasks) -> None:
    tasks.add_task(abs, 1, schedule=every(86400, aligned=False))
    waits: list[Any] = []
    real = tasks.keeper_wait

    def counting(timeout: float | None) -> Any:
        waits.append(timeout)
        return real(timeout)

    tasks.keeper_wait = counting  # type: ignore[method-assign]
    tasks.kick()
    eventually(lambda: waits)
    assert max(timeout for timeout in waits if timeout is not None) > 80000


@pytest.mark.parametrize("way", ["delay", "batch", "batch default", "chain", "parallel", "text"])
def test_where_a_schedule_has_no_meaning(tasks: BackgroundTasks, way: str) -> None:
    item = {"func": abs, "args": (1,), "schedule": every(1)}
    calls: dict[str, Callable[[], Any]] = {
        "delay": lambda: tasks.add_task(abs, 1, delay_ms=5, schedule=every(1)),  # type: ignore[call-overload]
        "batch": lambda: tasks.add_batch([item]),
        "batch default": lambda: tasks.add_batch([{"func": abs, "args": (1,)}], schedule=every(1)),
        "chain": lambda: tasks.chain_tasks([item]),
        "parallel": lambda: tasks.parallel_tasks([item]),
        "text": lambda: tasks.add_task(abs, 1, schedule="*/5 * * * *"),  # type: ignore[call-overload]
    }
    with pytest.raises((TypeError, ValueError), match="schedule="):
        calls[way]()
    assert not tasks.get_schedules()


# The end.


def test_shutdown_ends_schedules_first(make_tasks: Make, clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    tasks = make_tasks()
    tasks.clock = clock
    schedule = tasks.add_task(abs, 1, schedule=every(10))
    assert tasks.shutdown(timeout=SOON) is True
    clock.advance(100)
    assert (schedule.runs, schedule.state) == (0, "ended")
    assert not tasks.get_schedules()
    assert not caplog.records


def test_a_program_with_a_schedule_ends_without_a_word() -> None:
    printed = python_ok("""
        import logging, threading
        logging.basicConfig(level=logging.WARNING)
        from brokerless import BackgroundTasks, every
        tasks = BackgroundTasks(2)
        ran = threading.Event()
        tasks.add_task(ran.set, schedule=every(0.01))
        assert ran.wait(10)
        tasks.add_task(print, "later", schedule=every(3600))
        print("end")
    """)
    assert printed.split("\n")[0] == "end"


# Several engines, several processes.


def test_two_engines_run_it_once(make_tasks: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules_module, "RETRY", 0.01)
    one, two = make_tasks(), make_tasks()

    def tick() -> None:
        return

    first = one.add_task(tick, schedule=every(0.02))
    second = two.add_task(tick, schedule=every(0.02))
    everywhere = two.add_task(tick, schedule=every(0.02, scope="process"))
    assert (first.state, second.state, second.next_run) == ("active", "standby", None)
    eventually(lambda: first.runs > 2 and everywhere.runs > 2)
    assert second.runs == 0
    one.shutdown(timeout=SOON)
    eventually(lambda: second.runs > 2, "the standby takes over")
    assert second.state == "active"


def test_application_names_tell_programs_apart(make_tasks: Make) -> None:
    def tick() -> None:
        return

    shops = [make_tasks(application=name) for name in ("shop", "shop", "office")]
    states = [shop.add_task(tick, schedule=every(60)).state for shop in shops]
    assert states == ["active", "standby", "active"]
    with pytest.raises(TypeError, match="application=5"):
        BackgroundTasks(application=5)  # type: ignore[arg-type]


def test_a_takeover_makes_up_for_what_fell_in_between(make_tasks: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def tick() -> None:
        return

    def run(table: Any, note: float | None) -> Schedule:
        tasks = make_tasks(application=f"app {note} {table.catch_up}")
        if note is not None:
            lock = schedules_module.HostLock(str(tasks.application), f"{__name__}.{tick.__qualname__}", "schedule")
            lock.acquire(0)
            lock.write_note(repr(note))
            lock.release()
        return tasks.add_task(tick, schedule=table)

    now = time.time()
    fresh = run(every(3600), None)
    assert fresh.next_run == pytest.approx((now // 3600 + 1) * 3600), "nobody ran it before: nothing was missed"
    missed = run(every(3600, catch_up=7200), now - 7000)
    eventually(lambda: missed.runs == 1, "due since the last run of the process before")
    too_late = run(every(3600, catch_up=0), now - 7201)
    assert too_late.runs == 0
    assert too_late.missed in (2, 3)
    odd = run(every(3600), now + 1e6)
    assert odd.next_run == pytest.approx((now // 3600 + 1) * 3600), "a note from the future is not believed"


def test_without_locks_every_process_runs_its_own(make_tasks: Make, caplog: pytest.LogCaptureFixture) -> None:
    Path(os.environ["BROKERLESS_LOCK_DIR"]).write_text("no folder")
    tasks = make_tasks()
    schedule = tasks.add_task(abs, 1, schedule=every(0.01))
    eventually(lambda: schedule.runs)
    assert "no lock between processes" in caplog.text


def test_a_removed_lock_file_is_made_again(tasks: BackgroundTasks, caplog: pytest.LogCaptureFixture) -> None:
    schedule = tasks.add_task(abs, 1, schedule=every(0.01))
    eventually(lambda: schedule.runs)
    lock = schedule._lock
    assert lock is not None
    caplog.set_level("WARNING", "brokerless")  # another test may have left a level on the root logger
    lock.path.unlink()
    eventually(lambda: "was removed by somebody" in caplog.text)
    runs = schedule.runs
    eventually(lambda: schedule.runs > runs)
    assert lock.refresh()


WORKER = """
import os, sys, time
from brokerless import BackgroundTasks, every
tasks = BackgroundTasks(1)
def say(word):
    os.write(1, (word + "\\n").encode())
def tick():
    say(f"{os.getpid()}")
schedule = tasks.add_task(tick, schedule=every(0.05, name="tick"))
say(schedule.state)
"""


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []

    def run(code: str, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER + textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=options.pop("stdout", subprocess.PIPE),
            text=True,
            cwd=ELSEWHERE,
            env={**os.environ, "BROKERLESS_CORE": core.CORE},
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_standby_process_takes_over_from_a_killed_one(start: Callable[..., subprocess.Popen[str]]) -> None:
    holder = start("sys.stdin.read()")
    assert line(holder) == "active"
    standby = start("sys.stdin.read()")
    assert line(standby) == "standby"
    assert line(holder) == str(holder.pid)
    holder.send_signal(signal.SIGKILL)
    assert line(standby) == str(standby.pid)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_is_standby_and_takes_over(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    # The child outlives its parent; it must neither run beside it nor keep the lock from itself.
    output = tmp_path / "output"
    with output.open("w") as file:
        parent = start(
            """
            if os.fork() == 0:
                say(f"child {os.getpid()} {schedule.state} {[s.name for s in tasks.get_schedules()]}")
                tasks.add_task(abs, 1).wait(10)
                say(f"child {os.getpid()} {schedule.state}")
            sys.stdin.read()
            """,
            stdout=file,
        )

        def lines() -> list[str]:
            return output.read_text().split("\n")

        def said(word: str) -> list[str]:
            return [one for one in lines() if word in one]

        eventually(lambda: said("standby"), "the child stands by")
        child = int(said("standby")[0].split()[1])
        assert said("['tick']")
        eventually(lambda: str(parent.pid) in lines())
        assert str(child) not in lines()
        os.kill(parent.pid, signal.SIGKILL)
        try:
            eventually(lambda: str(child) in lines(), "the child takes over")
        finally:
            os.kill(child, signal.SIGKILL)
