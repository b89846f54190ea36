"""gunicorn: its workers end normally at SIGTERM, so their tasks are drained without anything to install."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.servers.served import Served, eventually

pytest.importorskip("gunicorn", reason="the extra `servers` is not installed")

EXITING = "Worker exiting"

COMMAND = ["gunicorn", "web:wsgi", "--bind", "127.0.0.1:{port}", "--no-control-socket"]


def gunicorn(folder: Path, *options: str, **environment: str) -> Served:
    return Served(folder, [*COMMAND, *options], **environment)


@pytest.mark.parametrize("preload", [False, True], ids=["fresh", "preload"])
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.servers), 3])
def test_workers(tmp_path: Path, workers: int, preload: bool) -> None:
    options = ["--workers", str(workers), *(["--preload"] if preload else [])]
    environment = {"SHOP_AT_IMPORT": "1"} if preload else {}
    with gunicorn(tmp_path, *options, **environment) as server:
        pids = server.ask_all(processes=workers)
        assert server.process.pid not in pids
        later = server.ask_later()
        assert server.stop(until=EXITING, times=workers) == 0
        server.account(dropped=later)
        if preload:
            assert server.done()[0] == [server.process.pid], "what the master queued is the master's alone"


@pytest.mark.servers
@pytest.mark.parametrize(("door", "workers"), [("celery", 3), ("rq", 1), ("rq", 3)])
def test_shims(tmp_path: Path, door: str, workers: int) -> None:
    with gunicorn(tmp_path, "--workers", str(workers), "--preload", SHOP_DOOR=door) as server:
        server.ask_all(processes=workers)
        later = server.ask_later()
        assert server.stop(until=EXITING, times=workers) == 0
        server.account(dropped=later)


@pytest.mark.servers
def test_max_requests(tmp_path: Path) -> None:
    """Each worker that is replaced finishes its tasks first."""
    with gunicorn(tmp_path, "--workers", "1", "--max-requests", "4") as server:
        server.open_gate()
        for _ in range(20):
            server.ask()
        assert len(server.pids()) >= 4
        assert server.stop() == 0
        server.account()


@pytest.mark.servers
def test_reload_by_hangup(tmp_path: Path) -> None:
    """SIGHUP replaces the workers: the old ones finish their tasks, the new ones start with none."""
    with gunicorn(tmp_path, "--workers", "1") as server:
        [old] = server.ask_all(processes=1)
        os.kill(server.process.pid, signal.SIGHUP)
        eventually(lambda: server.ask() != old, "a new worker")
        server.open_gate()
        eventually(lambda: len(server.done()) == len(server.submitted), "the end of the tasks of both workers")
        assert server.stop() == 0
        server.account()


@pytest.mark.servers
def test_a_killed_worker_takes_its_tasks_along(tmp_path: Path) -> None:
    """SIGKILL: nothing is done, nothing is said, and the next worker starts with none."""
    with gunicorn(tmp_path, "--workers", "1") as server:
        [pid] = server.ask_all(processes=1)
        lost = set(server.submitted)
        os.kill(pid, signal.SIGKILL)
        assert server.ask() != pid
        assert server.stop() == 0
        assert set(server.done()) == set(server.submitted) - lost
        assert "dropped: task" not in server.output()
