"""`celery worker` as a program: starting, stopping by signals, exit codes, what it prints. Each case is a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.recording import SIDE

from .programs import Program


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


def test_it_starts_and_stops_warmly(program: Any, observed: Any) -> None:
    worker = program(*WORKER, "-l", "INFO", NAP="0.4")
    worker.says("NAP")
    worker.signal("SIGTERM")
    observed("code", worker.end())
    observed("told", worker.told())
    text = "\n".join(worker.lines)
    for part in (
        "me@here v5.7.0 (collider)",
        "[config]",
        ".> app:         proj:0x",
        ".> concurrency: 2 (thread",
        ".> task events: OFF (enable -E to monitor tasks in this worker)",
        "[queues]",
        ".> celery           exchange=celery(direct) key=celery",
        "[tasks]\n  . nap\n",
        "me@here ready.",
        "worker: Warm shutdown (MainProcess)",
    ):
        assert part in text, text
    if SIDE == "shim":
        assert "receives nothing from other processes" in text
        assert "Procfile" in text
        assert "celery -A proj worker -P threads" in text


def test_ctrl_c(program: Any, observed: Any) -> None:
    worker = program(*WORKER, NAP="0.4")
    worker.says("NAP")
    worker.signal("SIGINT")
    observed("code", worker.end())
    observed("told", worker.told())


def test_quiet_with_a_pid_file(program: Any, tmp_path: Path, observed: Any) -> None:
    pidfile = tmp_path / "worker.pid"
    worker = program("-q", *WORKER, "--pidfile", str(pidfile), "-f", str(tmp_path / "%n.log"), "-E", "-B")
    worker.says("READY")
    if SIDE == "shim":
        assert int(pidfile.read_text()) == worker.process.pid
    worker.signal("SIGTERM")
    observed("code", worker.end())
    observed("pid file is left", pidfile.exists())
    observed("log", (tmp_path / "me.log").exists())
    assert not any("[config]" in line for line in worker.lines)


def test_a_wrong_use(program: Any, observed: Any) -> None:
    observed("code", program("worker", "--no-such").end())
