"""Example programs as processes: starts them, and what their engine needs, and asks them over HTTP."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.recording import SIDE
from tests.processes import end
from tests.redis_server import executable, redis_server

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


class Browser:
    """Asks the running program."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str) -> str:
        """Return a page."""
        with urllib.request.urlopen(self.address + path, timeout=20) as answer:
            return str(answer.read().decode())

    def json(self, path: str) -> dict[str, Any]:
        """Return a page that is JSON."""
        return dict(json.loads(self.get(path)))

    def send(self, path: str, **form: Any) -> str:
        """Send a form and return the page that follows."""
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(self.address + path, data=data, timeout=20) as answer:
            return str(answer.read().decode())

    def post(self, path: str, **form: Any) -> dict[str, Any]:
        """Send a form and return the JSON that follows."""
        return dict(json.loads(self.send(path, **form)))

    def until(self, path: str, condition: Callable[[Any], Any], limit: float = 40.0) -> dict[str, Any]:
        """Return a page that is JSON once it is as wished."""
        deadline = time.monotonic() + limit
        pause = threading.Event()
        while True:
            page = self.json(path)
            if condition(page):
                return page
            assert time.monotonic() < deadline, f"never so: {page}"
            pause.wait(0.05)

    def ended(self, task: str) -> dict[str, Any]:
        """Return what the program says of a task once it has ended."""
        return self.until(f"tasks/{task}", lambda page: page["state"] in ("SUCCESS", "FAILURE", "REVOKED"))


@contextmanager
def celery_program(
    folder: str,
    switch: str,
    serve: str,
    worker: list[str],
    needs: list[str],
    environment: dict[str, str],
    prepare: list[str] | None = None,
) -> Iterator[Browser]:
    """Run an example written for Celery: on the real one with Redis and a worker (oracle), or on the shim alone.

    Skips where something is missing; in CI neither side may miss anything.
    """
    oracle = SIDE == "oracle"
    missing = [
        name for name in [*needs, *(["celery", "redis"] if oracle else [])] if not importlib.util.find_spec(name)
    ]
    if oracle and executable() is None:
        missing.append("redis-server")
    if missing:
        reason = f"the example needs {', '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    variables = {**os.environ, **environment, switch: "celery" if oracle else "brokerless", "C_FORCE_ROOT": "1"}
    variables.pop("BROKERLESS_AUTOSTART", None)
    place = EXAMPLES / folder
    with ExitStack() as stack:
        if oracle:
            variables["REDIS_URL"] = f"redis://127.0.0.1:{stack.enter_context(redis_server())}/0"
        if prepare:
            subprocess.run([sys.executable, *prepare], cwd=place, env=variables, check=True, capture_output=True)
        if oracle:
            command = [sys.executable, "-m", "celery", *worker]
            stack.callback(end, subprocess.Popen(command, cwd=place, env=variables, text=True))
        command = [sys.executable, "-m", serve, "0"]
        process = subprocess.Popen(command, cwd=place, env=variables, stdout=subprocess.PIPE, text=True)
        stack.callback(end, process)
        assert process.stdout is not None
        stack.callback(process.stdout.close)
        yield Browser(process.stdout.readline().strip())
