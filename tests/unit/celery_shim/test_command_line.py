"""The `celery` command where it differs from Celery's: cold shutdown of threads, what it cannot reach, the alias."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.celery.programs import PROGRAM, Program

pytest.importorskip("click")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Return a function that starts the command in a folder with a project."""
    made: list[Program] = []

    def start(*args: str, **environment: str) -> Program:
        made.append(Program(tmp_path, *args, **environment))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait(10)
        one.thread.join(10)
        assert one.process.stdout is not None
        one.process.stdout.close()


WORKER = ("worker", "-P", "threads", "-c", "2", "-n", "me@here")


@pytest.mark.parametrize("names", ["SIGQUIT Cold", "SIGINT Warm SIGINT Cold", "SIGTERM Warm SIGQUIT Cold"])
def test_a_cold_shutdown_interrupts(program: Any, names: str) -> None:
    worker = program(*WORKER, NAP="60")
    worker.says("NAP")
    words = names.split()
    for name, how in zip(words[::2], words[1::2]):
        worker.signal(name)
        worker.says(f"STOPPING {name} {how}")
    assert worker.end() == 1
    assert worker.told()[-1] == "STOPPED"
    assert "AWAKE" not in worker.told()


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ("worker --detach", 2, "service manager"),
        ("worker -P gevent", 2, "-P threads"),
        ("beat --detach", 2, "service manager"),
        ("status", 69, "Tasks run inside the process that sends them"),
        ("inspect active", 69, "Tasks run inside the process that sends them"),
        ("control shutdown", 69, "Tasks run inside the process that sends them"),
        ("events --dump", 69, "Tasks run inside the process that sends them"),
        ("result some-id", 69, "results are kept in memory"),
        ("purge -f", 0, "No messages purged from 1 queue."),
        ("amqp", 2, "needs a broker"),
        ("migrate redis://a redis://b", 2, "needs a broker"),
        ("multi start 3", 2, "worker processes"),
        ("graph workers", 2, "process"),
    ],
)
def test_commands_for_another_process(monkeypatch: pytest.MonkeyPatch, args: str, code: int, said: str) -> None:
    from brokerless.compat.celery_shim import Celery
    from brokerless.compat.celery_shim.bin.celery import celery
    from click.testing import CliRunner

    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")
    with Celery("alone", broker="memory://alone") as app:
        done = CliRunner().invoke(celery, args.split(), default_map={"app": app})
    assert done.exit_code == code
    assert said in done.output


def test_a_called_task_runs_before_the_end(program: Any) -> None:
    command = program("call", "nap", "-a", "[0.05]")
    assert command.end() == 0
    assert command.told()[-2:] == ["NAP", "AWAKE"]
    assert any(line.startswith("brokerless: the task runs in this process") for line in command.lines)


@pytest.mark.parametrize("words", ["celery", "python -m celery"])
def test_under_the_alias(tmp_path: Path, words: str) -> None:
    (tmp_path / "proj.py").write_text(textwrap.dedent(PROGRAM))
    command = [sys.executable if word == "python" else word for word in words.split()]
    variables = {**os.environ, "PATH": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-m", "brokerless", "run", "--", *command, "-A", "proj", "list", "bindings"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["celery", "celery", "celery"]


def test_limits_of_the_worker_are_for_tasks_without_one() -> None:
    from brokerless.compat.celery_shim import Celery
    from brokerless.compat.celery_shim.bin.worker import _limit

    with Celery("limits", broker="memory://limits", set_as_current=False) as app:
        app.task(name="own", time_limit=3, shared=False)(lambda: None)
        app.task(name="none", shared=False)(lambda: None)
        _limit(app, 10.0, 5.0)
        limits = {name: (app.tasks[name].time_limit, app.tasks[name].soft_time_limit) for name in ("own", "none")}
        assert limits == {"own": (3, 5.0), "none": (10.0, 5.0)}
        app.task(name="later", shared=False)(lambda: None)
        assert app.tasks["later"].time_limit == 10.0


def test_the_program_s_own_arguments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from brokerless.compat.celery_shim import Celery

    monkeypatch.setattr(sys, "argv", ["program.py", "-C", "list", "bindings"])
    with Celery("own", broker="memory://own", set_as_current=False) as app:
        assert app.start() is None
        with pytest.raises(ValueError, match="worker"):
            app.worker_main()
    assert capsys.readouterr().out.splitlines()[-1].split() == ["celery", "celery", "celery"]


def test_without_click(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from brokerless.compat.celery_shim.__main__ import main

    monkeypatch.setitem(sys.modules, "click", None)
    assert main() == 2
    assert "pip install click" in capsys.readouterr().err
