"""What background tasks do to the web server around them: the latency of a trivial FastAPI endpoint under uvicorn while
the engine does nothing, waits, or computes.

    python benchmarks/web_latency.py [--seconds 20] [--rounds 5] [--rate 10] [--quick] [--json FILE]

One process serves; this one asks, over one loopback connection, at fixed times. A latency counts from the time at which
the request was due and not from its start, so that a late answer also counts against those which it delayed. The
controls do the same work in the same server without brokerless: bare threads, or none at all. Two more loads show what a
program can do about tasks that compute: a shorter switch interval, and tasks that sleep for a moment. Needs fastapi and
uvicorn.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from report import Row, paired, quantile, write

WAITERS = 8
"""Tasks that wait at the same time."""
CRUNCHERS = 2
"""Tasks that compute at the same time."""
WAIT = 0.005  # seconds of one waiting task
CRUNCH = 20_000  # additions of one computing task, about a millisecond
MOMENT = 0.00005  # seconds for which a task that computes sleeps, so that others get the GIL
SHORT_INTERVAL = 0.0005  # seconds; the interpreter's own is ten times that

REQUEST = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
STARTED = "Uvicorn running"


def wait() -> None:
    time.sleep(WAIT)


def crunch() -> int:
    total = 0
    for number in range(CRUNCH):
        total += number
    return total


def sleep_and_crunch() -> int:
    time.sleep(MOMENT)
    return crunch()


def keep_busy_with_tasks(work: Callable[[], object] | None, width: int) -> None:
    """`width` tasks at a time, each followed by the next one."""
    from brokerless import BackgroundTasks

    tasks = BackgroundTasks(workers=max(width, 2), enable_c_compilation=False, result_max=100)
    tasks.start()
    if work is None:
        return

    def again(_: object = None) -> None:
        tasks.add_task(work).on_success(again)

    for _ in range(width):
        again()


def keep_busy_with_threads(work: Callable[[], object] | None, width: int) -> None:
    """The same without an engine."""

    def main() -> None:
        assert work is not None
        while True:
            work()

    for _ in range(width if work is not None else 0):
        threading.Thread(target=main, daemon=True).start()


LOADS: dict[str, tuple[Callable[[], object] | None, int]] = {
    "nothing": (None, 0),
    "waiting": (wait, WAITERS),
    "computing": (crunch, CRUNCHERS),
    "switching": (crunch, CRUNCHERS),
    "sleeping": (sleep_and_crunch, CRUNCHERS),
}


def serve(port: int, side: str, load: str) -> None:
    """The server's process."""
    import uvicorn
    from fastapi import FastAPI

    if load == "switching":
        sys.setswitchinterval(SHORT_INTERVAL)
    app = FastAPI()

    @app.get("/ping")
    async def ping() -> dict[str, bool]:
        return {"ok": True}

    (keep_busy_with_tasks if side == "brokerless" else keep_busy_with_threads)(*LOADS[load])
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False)


class Server:
    """A server process, from its start to its end."""

    def __init__(self, side: str, load: str) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(self.port), side, load], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if STARTED in line:
                break
        else:
            raise RuntimeError(f"the server did not start:\n{''.join(said)}")
        threading.Thread(target=self._process.stderr.read, daemon=True).start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def ask(connection: socket.socket) -> None:
    """One request and its whole answer."""
    connection.sendall(REQUEST)
    answer = b""
    while not answer.endswith(b'{"ok":true}'):
        part = connection.recv(4096)
        if not part:
            raise ConnectionError(f"the server closed the connection after {answer!r}")
        answer += part


def latencies(port: int, seconds: float, rate: float) -> list[float]:
    """Seconds from the time at which each request was due to the end of its answer."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(10):
            ask(connection)
        found = []
        begin = time.perf_counter()
        for number in range(max(1, int(seconds * rate))):
            due = begin + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            ask(connection)
            found.append(time.perf_counter() - due)
        return found


def measured(side: str, load: str, seconds: float, rate: float, kept: list[list[float]]) -> Callable[[], float]:
    def measure() -> float:
        with Server(side, load) as server:
            found = latencies(server.port, seconds, rate)
        kept.append(found)
        return quantile(found, 0.99)

    return measure


def row(load: str, seconds: float, rate: float, runs: int) -> Row:
    """One load, with the engine and without it. No runs: once each, without the round that is not counted."""
    ours: list[list[float]] = []
    control: list[list[float]] = []
    measures = (
        measured("brokerless", load, seconds, rate, ours),
        measured("control", load, seconds, rate, control),
    )
    mine, theirs = paired(runs, *measures) if runs else ([measure()] for measure in measures)

    def shown(every: list[list[float]], p99: list[float]) -> str:
        middle = statistics.median(quantile(one, 0.5) for one in every[-len(p99) :])
        return f"p99 {statistics.median(p99) * 1e3:.2f} ms, p50 {middle * 1e3:.2f} ms"

    what = {
        "nothing": "an idle engine",
        "waiting": f"{WAITERS} tasks in time.sleep({WAIT})",
        "computing": f"{CRUNCHERS} tasks that add numbers in Python",
        "switching": f"the same after sys.setswitchinterval({SHORT_INTERVAL})",
        "sleeping": f"the same, each task after time.sleep({MOMENT:g})",
    }[load]
    beside = "no engine: " if load == "nothing" else "bare threads: "
    ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
    return Row(
        f"GET /ping at {rate:g}/s beside {what}", shown(ours, mine), beside + shown(control, theirs), ratio, "", None
    )


def main() -> None:
    """Runs all rows and prints the table."""
    if len(sys.argv) == 5 and sys.argv[1] == "--serve":
        serve(int(sys.argv[2]), sys.argv[3], sys.argv[4])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of asking, per server")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--rate", type=float, default=10.0, help="requests per second: few enough that the server keeps up"
    )
    parser.add_argument("--quick", action="store_true", help="one short round: does it run, not how fast")
    parser.add_argument("--json", help="where to keep the table as JSON")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds = 0.5, 0
    import fastapi
    import uvicorn

    from brokerless import CORE, __version__

    rows = [row(load, options.seconds, options.rate, options.rounds) for load in LOADS]
    versions = {"brokerless": __version__, "core": CORE, "fastapi": fastapi.__version__, "uvicorn": uvicorn.__version__}
    write(rows, options.json, {**versions, "switch interval": f"{sys.getswitchinterval() * 1e3:g} ms"})


if __name__ == "__main__":
    main()
