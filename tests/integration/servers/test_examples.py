"""The web examples over real servers: every route of both once, and the events of a task while it runs."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import web
from tests.integration.servers.served import free_port

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


@pytest.fixture
def fastapi(tmp_path: Path) -> Iterator[web.Server]:
    pytest.importorskip("uvicorn", reason="the extra `servers` is not installed")
    pytest.importorskip("fastapi")
    port = free_port()
    command = ["-m", "uvicorn", "fastapi_app:app", "--host", "127.0.0.1", "--port", str(port)]
    with web.serving(command, port, EXAMPLES, BROKERLESS_LOCK_DIR=str(tmp_path / "locks")) as made:
        yield made


@pytest.fixture
def flask() -> Iterator[web.Server]:
    pytest.importorskip("flask")
    port = free_port()
    with web.serving(["-m", "flask", "--app", "flask_app", "run", "--port", str(port)], port, EXAMPLES) as made:
        yield made


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["flask", "fastapi"])
def test_every_flow(kind: str, request: pytest.FixtureRequest) -> None:
    server: web.Server = request.getfixturevalue(kind)
    web.report(server)
    web.progress_and_cancel(server)
    web.chain_batch_and_callbacks(server)
    web.figures(server, workers=4)


@pytest.mark.servers
def test_the_example_streams_while_the_task_runs(fastapi: web.Server) -> None:
    task_id = fastapi.call("post", "/reports", {"pages": 200})[1]["task_id"]
    with urllib.request.urlopen(f"{fastapi.base}/tasks/{task_id}/events", timeout=web.PATIENCE) as stream:
        assert stream.readline() in (b"event: started\n", b"event: progress\n")
        assert fastapi.call("get", f"/tasks/{task_id}")[1]["status"] == "RUNNING"
        rest = stream.read().decode()
    assert rest.count("event: progress") > 10
    assert rest.rstrip().rsplit("event: ", 1)[1].startswith("finished")
    assert fastapi.call("get", f"/tasks/{task_id}/wait") == (200, {"result": "report of 200 pages"})
    [schedule] = fastapi.call("get", "/tasks/schedules")[1]
    assert schedule["state"] == "active"
