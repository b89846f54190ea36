"""Recurring tasks of several engines and processes: one of them runs each, another takes over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brokerless import BackgroundTasks, Schedule, core, every
from brokerless import schedules as schedules_module
from tests.unit.rig import ELSEWHERE, SOON, eventually

pytestmark = pytest.mark.usefixtures("own_locks")

Make = Callable[..., BackgroundTasks]


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
