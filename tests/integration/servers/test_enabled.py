"""Applications with `enable_background_tasks` under real servers: who runs a schedule, and what a lifespan waits for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.integration.servers.served import PATIENCE, SHOP, Served, eventually, free_port

FOLDER = Path(__file__).parent / "enabled"


def served(folder: Path, *command: str) -> Served:
    return Served(
        folder,
        command,
        SHOP_FOLDER=str(FOLDER),
        PYTHONPATH=os.pathsep.join(filter(None, [str(SHOP), os.environ.get("PYTHONPATH")])),
        BROKERLESS_LOCK_DIR=str(folder / "locks"),
        TICKS=str(folder / "ticks"),
    )


@pytest.mark.servers
def test_one_of_three_workers_runs_the_schedule(tmp_path: Path) -> None:
    pytest.importorskip("gunicorn", reason="the extra `servers` is not installed")
    ticks = tmp_path / "ticks"

    def ran() -> list[int]:
        return [int(line) for line in ticks.read_text().split()] if ticks.exists() else []

    command = ["gunicorn", "flask_page:app", "--bind", "127.0.0.1:{port}", "--no-control-socket"]
    with served(tmp_path, *command, "--workers", "3") as server:
        server.open_gate()
        pids = server.ask_all(processes=3)
        eventually(lambda: len(ran()) >= 10, "ten runs")
        [holder] = set(ran())
        assert holder in pids
        os.kill(holder, signal.SIGKILL)
        successor = eventually(lambda: set(ran()) - {holder}, "a run in another worker")
        count = len(ran())
        eventually(lambda: len(ran()) >= count + 10, "ten more")
        assert set(ran()) - {holder} == successor
        assert len(successor) == 1


def test_a_lifespan_drains_without_signal_handlers(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="the extra `servers` is not installed")
    pytest.importorskip("fastapi")
    command = ["uvicorn", "fastapi_page:app", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log"]
    with served(tmp_path, *command) as server:
        server.ask_all(processes=1)
        assert server.stop(until="Waiting for application shutdown") in (0, -signal.SIGTERM)
        server.account()


@pytest.mark.servers
def test_the_example_streams_while_the_task_runs(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="the extra `servers` is not installed")
    pytest.importorskip("fastapi")
    port = free_port()
    base = f"http://127.0.0.1:{port}"

    def asked(path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def up() -> bool:
        assert server.poll() is None
        try:
            return bool(asked("/tasks/health")["healthy"])
        except OSError:
            return False

    command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        command,
        cwd=Path(__file__).resolve().parents[3] / "examples",
        env={**os.environ, "BROKERLESS_LOCK_DIR": str(tmp_path / "locks")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(up, "an answer of the example")
        task_id = asked("/reports", {"pages": 200})["task_id"]
        with urllib.request.urlopen(f"{base}/tasks/{task_id}/events", timeout=PATIENCE) as stream:
            assert stream.readline() in (b"event: started\n", b"event: progress\n")
            assert asked(f"/tasks/{task_id}")["status"] == "RUNNING"
            rest = stream.read().decode()
        assert rest.count("event: progress") > 10
        assert rest.rstrip().rsplit("event: ", 1)[1].startswith("finished")
        assert asked(f"/tasks/{task_id}/wait") == {"result": "report of 200 pages"}
    finally:
        server.terminate()
        server.wait(PATIENCE)
