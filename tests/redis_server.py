"""Starts a redis-server of the tests' own, on a free loopback port, and ends it by its pid.

Nothing is written to disk. Does not know Celery or RQ, and installs nothing.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator

from tests.processes import end

ATTEMPTS = 5
READY_WITHIN = 20.0


def executable() -> str | None:
    """Return the path of redis-server, or None where it is not installed."""
    return shutil.which("redis-server")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(binary: str, port: int) -> subprocess.Popen[str] | None:
    """Return the server once it accepts connections; None when it ended (its port was taken)."""
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    ready = threading.Event()
    ended = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ready to accept connections" in line:
                ready.set()
        ended.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    if not ready.wait(READY_WITHIN):
        process.kill()
        process.wait()
        raise RuntimeError(f"redis-server on port {port} was not ready within {READY_WITHIN} s")
    if ended.is_set():
        process.wait()
        return None
    return process


@contextlib.contextmanager
def redis_server() -> Iterator[int]:
    """Run a redis-server for the length of the block and yield its port."""
    binary = executable()
    if binary is None:
        raise RuntimeError("redis-server is not installed")
    for _ in range(ATTEMPTS):
        port = _free_port()
        process = _start(binary, port)
        if process is not None:
            break
    else:
        raise RuntimeError(f"no free port for redis-server in {ATTEMPTS} attempts")
    try:
        yield port
    finally:
        end(process, seconds=10)
