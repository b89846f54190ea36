"""Beat in processes of their own: where it starts by itself, who sends, who takes over, what children inherit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .programs import surroundings

pytest.importorskip("kombu")
pytest.importorskip("fcntl", reason="host locks need flock")

PROGRAM = """
import os, subprocess, sys, threading, time
from {celery} import Celery
app = Celery("proj")
app.conf.beat_schedule_filename = os.path.join(os.environ["PLACE"], "celerybeat-schedule")

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

@app.task(name="proj.note")
def note(what):
    say("ran", what)
"""
OFTEN = """
app.conf.beat_schedule = {"often": {"task": "proj.note", "schedule": 0.1, "args": ("often",)}}
"""
SHIM = "brokerless.compat.celery_shim"
SERVE = "\nsay('ready')\nsys.stdin.read()\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of the schedule, of the locks and of the programs."""
    return tmp_path


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(place: Path) -> Iterator[Start]:
    """Runs a program until the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, *command: str, celery: str = SHIM, name: str = "main.py", **more: str) -> subprocess.Popen[str]:
        path = place / f"{len(started)}" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(PROGRAM.replace("{celery}", celery) + textwrap.dedent(code))
        process = subprocess.Popen(
            [*(command or (sys.executable,)), str(path), *more.pop("arguments", "").split()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=place,
            env=surroundings(PLACE=str(place), BROKERLESS_LOCK_DIR=str(place / "locks"), **more),
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a program prints; fails with its error when there is none."""
    assert process.stdout is not None
    assert process.stderr is not None
    said = process.stdout.readline().strip()
    assert said, process.stderr.read()
    return said


def ended(process: subprocess.Popen[str]) -> list[str]:
    """What a program prints until it ends by itself."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.splitlines()


def test_start_embedded(start: Start, place: Path) -> None:
    process = start(OFTEN + "app.start_embedded()\n" + SERVE)
    assert line(process) == "ready"
    assert [line(process) for _ in range(2)] == ["ran often"] * 2
    assert list(place.glob("celerybeat-schedule*"))


def test_it_starts_with_the_engine(start: Start) -> None:
    process = start(OFTEN + "note.delay('by hand')" + SERVE)
    seen = [line(process) for _ in range(4)]
    assert set(seen) == {"ran by hand", "ready", "ran often"}


def test_entries_that_task_modules_add_count(start: Start) -> None:
    code = """
        @app.on_after_finalize.connect
        def more(sender, **kwargs):
            sender.add_periodic_task(0.1, note.s("from a signal"))
        note.delay("by hand")
    """
    process = start(textwrap.dedent(code) + SERVE)
    seen = [line(process) for _ in range(4)]
    assert set(seen) == {"ran by hand", "ready", "ran from a signal"}


THREADS = """
note.delay("by hand").get(timeout=30)
say(sorted(t.name for t in threading.enumerate() if "beat" in t.name.lower()))
"""


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("", {}),
        (OFTEN, {"BROKERLESS_BEAT": "0"}),
        (OFTEN, {"arguments": "migrate", "name": "manage.py"}),
    ],
    ids=["no schedule", "variable", "management command"],
)
def test_no_beat(start: Start, place: Path, code: str, more: dict[str, str]) -> None:
    process = start(code + THREADS, **more)
    assert ended(process) == ["ran by hand", "[]"]
    assert not list(place.glob("celerybeat-schedule*"))


def test_not_without_autostart(start: Start, place: Path) -> None:
    code = OFTEN + "note.delay('never')\nsay(threading.active_count())\n"
    assert ended(start(code, BROKERLESS_AUTOSTART="0")) == ["1"]
    assert not list(place.glob("celerybeat-schedule*"))


def test_a_setting_starts_it_in_a_command(start: Start) -> None:
    code = OFTEN + "app.conf.beat_embedded = True\nnote.delay('by hand')" + SERVE
    process = start(code, name="manage.py", arguments="my_bot")
    assert {line(process) for _ in range(4)} == {"ran by hand", "ready", "ran often"}


def test_a_program_that_only_schedules_under_run(start: Start) -> None:
    """Nothing is ever sent by hand, and no line of the program knows about beat."""
    run = (sys.executable, "-m", "brokerless", "run", "--", sys.executable)
    process = start(OFTEN + SERVE, *run, celery="celery")
    assert line(process) == "ready"
    assert line(process) == "ran often"


def test_a_hook_in_the_application(start: Start) -> None:
    code = """
        from brokerless.compat.celery_shim.contrib.embedded import embedded
        def application(environ, start_response): pass
        assert embedded(application) is application
    """
    process = start(OFTEN + textwrap.dedent(code) + SERVE)
    assert line(process) == "ready"
    assert line(process) == "ran often"


def test_the_django_app(start: Start) -> None:
    pytest.importorskip("django")
    code = """
        import django
        from django.conf import settings
        settings.configure(INSTALLED_APPS=["brokerless.compat.celery_shim.contrib.django"], SECRET_KEY="x")
        django.setup()
    """
    process = start(OFTEN + textwrap.dedent(code) + SERVE)
    assert line(process) == "ready"
    assert line(process) == "ran often"


def test_one_per_host_and_takeover(start: Start) -> None:
    code = OFTEN + "beat = app.start_embedded()\n" + SERVE
    first = start(code)
    assert [line(first) for _ in range(3)] == ["ready", "ran often", "ran often"]
    second = start(code.replace("say('ready')", "time.sleep(0.5); say('ready', beat.active, beat.alive)"))
    assert line(second) == "ready False True"
    first.send_signal(signal.SIGKILL)
    assert line(second) == "ran often"


@pytest.mark.parametrize("way", ["started", "forked"])
def test_a_child_that_outlives_the_holder(start: Start, way: str) -> None:
    child = {
        "started": "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], close_fds=False)",
        "forked": "pid = os.fork()\nif pid == 0:\n    time.sleep(60)\n    os._exit(0)",
    }[way]
    code = OFTEN + "beat = app.start_embedded()\n"
    remember = "child = subprocess.Popen" if way == "started" else "pid = os.fork"
    child = child.replace("subprocess.Popen", remember) if way == "started" else child
    number = "child.pid" if way == "started" else "pid"
    first = start(f"{code}while not beat.active: time.sleep(0.01)\n{child}\nsay('child', {number})\n{SERVE}")
    said = line(first)
    while not said.startswith("child"):
        said = line(first)
    outliving = int(said.split()[1])
    try:
        second = start(code + SERVE)
        assert line(second) == "ready"
        first.send_signal(signal.SIGKILL)
        assert line(second) == "ran often"
        os.kill(outliving, 0)
    finally:
        os.kill(outliving, signal.SIGKILL)


def test_last_runs_are_known_to_who_takes_over(start: Start) -> None:
    """The entry ran a moment before the kill; the next one must not send it again."""
    entries = """
        app.conf.beat_schedule = {
            "rare": {"task": "proj.note", "schedule": 3600.0, "args": ("rare",)},
            "often": {"task": "proj.note", "schedule": 0.1, "args": ("often",)},
        }
    """
    seed = """
        from datetime import timedelta
        from brokerless.compat.celery_shim.beat import PersistentScheduler
        scheduler = PersistentScheduler(app=app, schedule_filename=app.conf.beat_schedule_filename)
        scheduler.schedule["rare"].last_run_at -= timedelta(seconds=7200)
        scheduler.close()
    """
    code = textwrap.dedent(entries)
    ended(start(code + textwrap.dedent(seed)))
    first = start(code + "app.start_embedded()\n" + SERVE)
    seen = [line(first) for _ in range(4)]
    while "ran rare" not in seen:
        seen.append(line(first))
    line(first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = start(code + "app.start_embedded()\n" + SERVE)
    assert "ran rare" not in [line(second) for _ in range(6)]


def test_a_forked_child_has_no_beat(start: Start) -> None:
    code = """
        beat = app.start_embedded()
        while not beat.active: time.sleep(0.01)
        app.conf.beat_schedule = {}
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            from brokerless.compat.celery_shim.runtime import embedded_beat
            say("child", embedded_beat.running(app), beat.alive, beat.lock.held)
            os._exit(0)
        os.waitpid(pid, 0)
        say("parent", beat.active)
    """
    assert ended(start(textwrap.dedent(code))) == ["child None False False", "parent True"]


def test_the_end_of_the_program_writes_the_last_runs(start: Start) -> None:
    code = """
        from brokerless.compat.celery_shim.runtime import embedded_beat
        beat = app.start_embedded()
        while not beat.service or not beat.service._last_tick: time.sleep(0.01)
        beat.service.scheduler.sync_every_tasks = 10 ** 9
        beat.service.scheduler._last_sync = time.monotonic() + 10 ** 9
        time.sleep(0.3)
    """
    lines = ended(start(OFTEN + textwrap.dedent(code)))
    count = """
        from brokerless.compat.celery_shim.runtime import beat_store
        say(beat_store.open(app.conf.beat_schedule_filename)["entries"]["often"].total_run_count)
    """
    counted = int(ended(start(OFTEN + textwrap.dedent(count)))[0])
    assert counted >= 1
    assert lines.count("ran often") <= counted


def test_nothing_is_sent_while_the_program_ends(start: Start) -> None:
    code = """
        app.conf.beat_schedule = {"often": {"task": "proj.note", "schedule": 0.01, "args": ("often",)}}
        beat = app.start_embedded()
        while not beat.service or not beat.service._last_tick: time.sleep(0.01)
        time.sleep(0.3)
    """
    process = start(textwrap.dedent(code))
    out, err = process.communicate(timeout=60)
    assert "ran often" in out
    assert (process.returncode, err) == (0, "")


def test_beat_as_a_program_waits_for_its_turn(start: Start) -> None:
    first = start(OFTEN + "app.start_embedded()\n" + SERVE)
    assert [line(first), line(first)] == ["ready", "ran often"]
    program = "app.Beat(loglevel='WARNING', schedule=app.conf.beat_schedule_filename, quiet=True).run()\n"
    second = start(OFTEN + program)
    assert second.stderr is not None
    waiting = second.stderr.readline()
    while "has this schedule" not in waiting:
        assert waiting, "it ended"
        waiting = second.stderr.readline()
    assert f"Process {first.pid} has this schedule" in waiting
    first.send_signal(signal.SIGKILL)
    assert line(second) == "ran often"
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) == 0, second.stderr.read()
