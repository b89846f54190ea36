"""What `celery_shim.py` starts and stops: environments for the others, a redis-server, worker and side processes.

Everything listens on loopback only, on free ports, and is stopped by its own process id.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

UNWANTED = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
HERE = Path(__file__).resolve().parent
PACKAGES = {
    "celery": ["celery==5.7.0", "redis", "packaging"],
    "huey": ["huey"],
    "potatoq": ["potatoq==26.1a8"],
}


def environment(name: str) -> str | None:
    """The Python of a virtual environment with that package, made in the user's cache folder at the first use."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brokerless-benchmarks"
    folder = cache / f"{name}-{sys.version_info[0]}.{sys.version_info[1]}"
    python, done = folder / "bin" / "python", folder / "complete"
    if done.exists():
        return str(python)
    print(f"making {folder} with {', '.join(PACKAGES[name])}", file=sys.stderr, flush=True)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES[name]],
    ):
        made = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
        if made.returncode:
            print(f"{name}: {made.stderr.strip().splitlines()[-1] if made.stderr else 'no venv'}", file=sys.stderr)
            return None
    done.touch()
    return str(python)


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without what would lead another Python to our packages."""
    kept = {key: value for key, value in os.environ.items() if key not in UNWANTED}
    return {**kept, **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop(process: subprocess.Popen[Any], how: int = signal.SIGTERM) -> None:
    """End a process that we started, kindly at first."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Redis:
    """A private redis-server without persistence."""

    def __init__(self) -> None:
        found = shutil.which("redis-server")
        if found is None:
            raise FileNotFoundError("redis-server is not installed")
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="bench-redis-")
        self.process = subprocess.Popen(
            [
                found,
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                self.folder,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while self.command("PING") != "+PONG":
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.stop()
                raise RuntimeError("redis-server did not start")
            time.sleep(0.05)

    def command(self, *words: str) -> str:
        """The first line of the answer; empty when nobody listens."""
        return self._ask(*words).partition("\r\n")[0]

    def _ask(self, *words: str) -> str:
        request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as wire:
                wire.sendall(request.encode())
                return wire.recv(65536).decode()
        except OSError:
            return ""

    def used(self) -> int:
        """Bytes that its data takes."""
        for line in self._ask("INFO", "memory").splitlines():
            if line.startswith("used_memory:"):
                return int(line.partition(":")[2])
        raise RuntimeError("no answer from redis")

    def url(self, database: int) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


class Side:
    """A process that runs `celery_side.py`, and perhaps a worker process beside it."""

    def __init__(
        self, name: str, python: str, mode: str, variables: dict[str, str], worker: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.variables = variables
        self.python = python
        self.mode = mode
        if variables.get("BENCH_SIDE") == "shim":
            self.environ = {**os.environ, **variables}
            # an installed package has its bytecode
            self.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        else:
            self.environ = clean_environment(**variables)
        self.worker: subprocess.Popen[Any] | None = None
        if worker:
            self.worker = subprocess.Popen(
                [python, "-m", *worker],
                cwd=HERE,
                env=self.environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self.process = subprocess.Popen(
            [python, str(HERE / "celery_side.py"), mode],
            cwd=HERE,
            env=self.environ,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            self._answer()
        except RuntimeError:
            self.stop()
            raise

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the side {self.name!r} ended with code {self.process.wait()}")
        return json.loads(line)

    def measure(self, what: str, count: int) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"measure": what, "count": count}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def again(self) -> Side:
        """A second, fresh process of a side that has no worker process."""
        return Side(self.name, self.python, self.mode, self.variables)

    def first_task(self) -> float:
        """Seconds from process start until the first task of a new client process has been seen done."""
        code = "from celery_tasks import noop; assert noop.delay(1).get(timeout=60) == 1; import os; os._exit(0)"
        return self._timed(code)

    def imported(self) -> float:
        """Seconds of processor time of a process that only imports the package's Celery class."""
        package = {"shim": "brokerless.compat.celery_shim", "potatoq": "potatoq"}.get(
            self.variables["BENCH_SIDE"], "celery"
        )
        return self._processor(f"from {package} import Celery; Celery; import os; os._exit(0)")

    def bare(self) -> float:
        """Seconds of processor time of a process that does nothing."""
        return self._processor("import os; os._exit(0)")

    def _timed(self, code: str) -> float:
        begin = time.perf_counter()
        self._run(code)
        return time.perf_counter() - begin

    def _processor(self, code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._run(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def _run(self, code: str) -> None:
        subprocess.run([self.python, "-c", code], cwd=HERE, env=self.environ, check=True, timeout=120)

    def stop(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            stop(self.process)
        if self.worker is not None:
            stop(self.worker)
