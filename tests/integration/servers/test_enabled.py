"""Applications with `enable_background_tasks` under real servers: who runs a schedule, and what a lifespan waits for."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.servers.served import SHOP, Served, eventually

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
