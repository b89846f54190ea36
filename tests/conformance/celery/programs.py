"""The `celery` command as a process, in a folder with a small project. Used by tests of both sides and of the shim alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

from tests.conformance.recording import SIDE

PROGRAM = """
    import os, threading, time
    from celery import Celery, signals

    app = Celery("proj", broker="memory://", backend="cache+memory://")
    app.conf.broker_transport_options = {"polling_interval": 0.01}

    def say(*words):
        os.write(2, (" ".join(map(str, words)) + "\\n").encode())

    @app.task(name="nap")
    def nap(seconds):
        say("NAP")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.01)
        say("AWAKE")

    @signals.worker_ready.connect
    def ready(sender, **kwargs):
        say("READY", sender.hostname)
        if os.environ.get("NAP"):
            nap.delay(float(os.environ["NAP"]))

    @signals.worker_shutting_down.connect
    def stopping(sig, how, exitcode, **kwargs):
        say("STOPPING", sig, how, exitcode)

    @signals.worker_shutdown.connect
    def stopped(**kwargs):
        say("STOPPED")
"""
COMMAND = [sys.executable, "-m", "celery"] if SIDE == "oracle" else [sys.executable, "-m", "brokerless", "celery"]


class Program:
    """A running `celery` command; `lines` is what it has said."""

    def __init__(self, folder: Path, *args: str, **environment: str) -> None:
        (folder / "proj.py").write_text(textwrap.dedent(PROGRAM))
        variables = {**os.environ, "C_FORCE_ROOT": "1", "PYTHONWARNINGS": "ignore", **environment}
        variables.pop("BROKERLESS_AUTOSTART", None)
        self.process = subprocess.Popen(
            [*COMMAND, "-A", "proj", *args],
            cwd=folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self.grown = threading.Condition()
        self.ended = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.grown:
                self.lines.append(line.rstrip())
                self.grown.notify_all()
        with self.grown:
            self.ended = True
            self.grown.notify_all()

    def says(self, start: str) -> str:
        """Wait for a line with this beginning."""
        with self.grown:
            assert self.grown.wait_for(lambda: self.ended or self._find(start), 40), self.lines
            found = self._find(start)
        assert found is not None, self.lines
        return found

    def _find(self, start: str) -> str | None:
        return next((line for line in self.lines if line.startswith(start)), None)

    def signal(self, name: str) -> None:
        self.process.send_signal(getattr(signal, name))

    def end(self) -> int:
        """Wait for its end; return the exit code."""
        code = self.process.wait(40)
        self.thread.join(10)
        return code

    def told(self) -> list[str]:
        """Return what the project said, without the banner and the log."""
        return [line for line in self.lines if line.partition(" ")[0].isupper() and not line.startswith("[")]
