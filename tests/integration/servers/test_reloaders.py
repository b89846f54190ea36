"""The development servers of Flask and Django, with and without their reloader, and a command of manage.py.

The reloaders run the program in a child and kill it hard when they are stopped themselves, so the signal goes to the
process that serves; the reloader follows it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.servers.served import SHOP, Served

FLASK = ["flask", "--app", "flask_app", "run", "--port", "{port}"]
DJANGO = ["manage", "runserver", "127.0.0.1:{port}"]


def reload(server: Served, file: Path, old: int) -> int:
    """Changes the file until another process serves (a reloader that has not looked at it yet takes it as it is)."""
    while True:
        stamp = file.stat().st_mtime_ns + 5_000_000_000
        os.utime(file, ns=(stamp, stamp))
        patience = time.monotonic() + 4.0
        while time.monotonic() < patience:
            pid = server.ask()
            if pid != old:
                return pid
            time.sleep(0.1)


@pytest.mark.servers
@pytest.mark.parametrize("command", [[*FLASK, "--no-reload"], [*DJANGO, "--noreload"]], ids=["flask", "django"])
@pytest.mark.parametrize("door", ["native", "celery", "rq"])
def test_one_process(tmp_path: Path, command: list[str], door: str) -> None:
    pytest.importorskip("flask" if "flask" in command else "django")
    with Served(tmp_path, command, SHOP_DOOR=door, SHOP_SIGNALS="1") as server:
        assert server.ask_all(processes=1) == {server.process.pid}
        assert server.stop() == 143
        server.account()


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["flask", "django"])
def test_reloader(tmp_path: Path, kind: str) -> None:
    """A changed file ends the process that serves; its tasks are finished, and the next one starts with none."""
    pytest.importorskip(kind)
    source = tmp_path / "source"
    shutil.copytree(SHOP, source)
    command = [*FLASK, "--reload"] if kind == "flask" else DJANGO
    with Served(tmp_path, command, SHOP_FOLDER=str(source), SHOP_SIGNALS="1") as server:
        [old] = server.ask_all(processes=1)
        assert old != server.process.pid
        server.open_gate()
        new = reload(server, source / "work.py", old)
        server.gate.unlink()
        server.ask_all(processes=2)
        later = server.ask_later()
        assert server.stop(new) in (0, 143)
        server.account(dropped=later)


@pytest.mark.parametrize("later", [False, True], ids=["now", "later"])
@pytest.mark.parametrize(
    "door", ["native", *(pytest.param(door, marks=pytest.mark.servers) for door in ("celery", "rq"))]
)
def test_command(tmp_path: Path, door: str, later: bool) -> None:
    """A command that queues a task and ends: what is due is done first, what is not is named."""
    pytest.importorskip("django")
    log, gate = tmp_path / "log", tmp_path / "gate"
    gate.touch()
    done = subprocess.run(
        [sys.executable, "-m", "manage", "remind", "7", *(["--later"] if later else [])],
        cwd=SHOP,
        env={**os.environ, "SHOP_LOG": str(log), "SHOP_GATE": str(gate), "SHOP_DOOR": door},
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
    )
    task_id = done.stdout.strip()
    if later:
        assert not log.exists()
        assert f"{task_id}" in done.stderr and "due in 3.6e+03 s" in done.stderr
    else:
        assert log.read_text().split()[0] == "7" and done.stderr == ""
