"""uvicorn: it ends by sending itself the signal that stopped it, so a program has to install the signal handlers."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.integration.servers.served import SHOP, Served, eventually

pytest.importorskip("uvicorn", reason="the extra `servers` is not installed")

FINISHED = "Finished server process"

COMMAND = ["uvicorn", "web:asgi", "--host", "127.0.0.1", "--port", "{port}", "--lifespan", "off", "--no-access-log"]


def uvicorn(folder: Path, *options: str, **environment: str) -> Served:
    return Served(folder, [*COMMAND, *options], **{"SHOP_SIGNALS": "1", **environment})


@pytest.mark.parametrize(
    "door", ["native", *(pytest.param(door, marks=pytest.mark.servers) for door in ("celery", "rq"))]
)
def test_one_process(tmp_path: Path, door: str) -> None:
    with uvicorn(tmp_path, SHOP_DOOR=door) as server:
        server.ask_all(processes=1)
        later = server.ask_later()
        assert server.stop(until=FINISHED) == 143
        server.account(dropped=later)


@pytest.mark.servers
def test_ctrl_c(tmp_path: Path) -> None:
    with uvicorn(tmp_path, SHOP_SIGNALS="") as server:
        server.ask_all(processes=1)
        assert server.stop(number=signal.SIGINT, until=FINISHED) == 0
        server.account()


@pytest.mark.servers
def test_without_the_handlers_the_tasks_are_lost(tmp_path: Path) -> None:
    with uvicorn(tmp_path, SHOP_SIGNALS="") as server:
        server.ask_all(processes=1)
        assert server.stop(gate=False) == -signal.SIGTERM
        assert server.done() == {}
        assert "dropped: task" not in server.output()


@pytest.mark.servers
@pytest.mark.parametrize("door", ["native", "celery", "rq"])
def test_workers(tmp_path: Path, door: str) -> None:
    with uvicorn(tmp_path, "--workers", "2", SHOP_DOOR=door) as server:
        server.ask_all(processes=2)
        assert server.stop(until=FINISHED, times=2) == 0
        server.account()


@pytest.mark.servers
def test_reload(tmp_path: Path) -> None:
    """A changed file replaces the process: the old one finishes its tasks before the new one starts."""
    source = tmp_path / "source"
    shutil.copytree(SHOP, source)
    with uvicorn(tmp_path, "--reload", "--reload-dir", str(source), SHOP_FOLDER=str(source)) as server:
        [old] = server.ask_all(processes=1)
        assert old != server.process.pid

        def noticed() -> bool:
            """A reloader that has not looked at the file yet takes it as it is, so it is changed until one has."""
            stamp = (source / "work.py").stat().st_mtime_ns + 5_000_000_000
            os.utime(source / "work.py", ns=(stamp, stamp))
            return "Reloading" in server.output()

        eventually(noticed, "the reloader's notice")
        server.open_gate()
        eventually(lambda: len(server.done()) == len(server.submitted), "the end of the old process's tasks")
        eventually(lambda: server.ask() != old, "the new process")
        assert server.stop() == 0
        server.account()
