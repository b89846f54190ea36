"""Boot steps of a worker, and a worker run as a program by `app.Worker`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import pytest

from .namespace import ROOT
from .waiting import value_of


@pytest.fixture
def note(app: Any) -> Any:
    """A task that does nothing."""

    @app.task(name="note")
    def note() -> int:
        return 1

    return note


def test_start_and_stop(api: Any, app: Any, worker: Any, note: Any, observed: Any) -> None:
    seen: list[Any] = []

    class Step(api.bootsteps.StartStopStep):  # type: ignore[misc]
        def __init__(self, parent: Any, **kwargs: Any) -> None:
            seen.append(["init", parent.app.main])
            super().__init__(parent, **kwargs)

        def start(self, parent: Any) -> None:
            seen.append("start")

        def stop(self, parent: Any) -> None:
            seen.append("stop")

    app.steps["worker"].add(Step)
    with worker(app, hostname="x@y"):
        value_of(note.delay())
        assert seen == [["init", "conf"], "start"]
    observed("steps", seen, shim=[["init", "conf"], "start", "stop"], row="celery-steps-stop")


def test_options_reach_the_step(api: Any, app: Any, worker: Any, note: Any) -> None:
    seen: list[Any] = []

    class Step(api.bootsteps.Step):  # type: ignore[misc]
        def __init__(self, parent: Any, own_option: Any = None, **kwargs: Any) -> None:
            seen.append(own_option)
            super().__init__(parent, **kwargs)

    app.steps["worker"].add(Step)
    with worker(app, hostname="x@y", own_option="given"):
        value_of(note.delay())
    assert seen == ["given"]


def test_a_step_may_leave_itself_out(api: Any, app: Any, worker: Any, note: Any) -> None:
    seen: list[str] = []

    class Step(api.bootsteps.StartStopStep):  # type: ignore[misc]
        def include_if(self, parent: Any) -> bool:
            return False

        def start(self, parent: Any) -> None:
            seen.append("start")

    app.steps["worker"].add(Step)
    with worker(app, hostname="x@y"):
        value_of(note.delay())
    assert seen == []


def test_blueprint(api: Any) -> None:
    steps = api.bootsteps
    seen: list[str] = []

    class First(steps.StartStopStep):  # type: ignore[misc]
        def start(self, parent: Any) -> None:
            seen.append("first")

        def stop(self, parent: Any) -> None:
            seen.append("stop first")

    class Second(steps.StartStopStep):  # type: ignore[misc]
        requires = (First,)

        def start(self, parent: Any) -> None:
            seen.append("second")

        def stop(self, parent: Any) -> None:
            seen.append("stop second")

    class Parent:
        blueprint: Any = None
        steps: list[Any]

    parent = Parent()
    parent.steps = []
    blueprint = steps.Blueprint([Second, First], name="own")
    parent.blueprint = blueprint
    blueprint.apply(parent)
    blueprint.start(parent)
    assert seen == ["first", "second"]
    assert blueprint.human_state() == "running"
    blueprint.stop(parent)
    assert seen == ["first", "second", "stop second", "stop first"]


def test_step_names(api: Any) -> None:
    class Named(api.bootsteps.Step):  # type: ignore[misc]
        name = "my-step"

    assert Named.name == "my-step"
    assert api.bootsteps.RUN == 0x1


PROGRAM = """
import importlib, json, threading
from {root} import Celery, signals
app = Celery("prog", broker="memory://", backend="cache+memory://")
app.conf.broker_transport_options = {{"polling_interval": 0.01}}
app.conf.worker_hijack_root_logger = False
app.conf.worker_redirect_stdouts = False
seen = []
for name in ("celeryd_init", "celeryd_after_setup", "worker_init", "worker_ready", "worker_shutdown"):
    def note(signal=None, _name=name, **kwargs):
        seen.append(_name)
    getattr(signals, name).connect(note, weak=False)

@app.task
def add(x, y):
    return x + y

def client(**kwargs):
    def ask():
        try:
            result = add.delay(1, 2)
            try:
                answers.append(result.get(timeout=20, interval=0.01))
            except RuntimeError as error:
                answers.append(str(error).split("!")[0])
            answers.append(result.get(timeout=20, interval=0.01, disable_sync_subtasks=False))
        finally:
            app.control.shutdown()
    threading.Thread(target=ask).start()

answers = []
signals.worker_ready.connect(client, weak=False)
alone = {{"without_gossip": True, "without_mingle": True, "quiet": True}}
worker = app.Worker(pool="threads", concurrency=1, hostname="prog@host", loglevel="ERROR", **alone)
try:
    worker.start()
except SystemExit:
    pass
print(json.dumps([answers, seen, worker.hostname]))
"""


def test_a_worker_as_a_program(observed: Any) -> None:
    code = PROGRAM.format(root=ROOT)
    environment = {**os.environ, "C_FORCE_ROOT": "1", "BROKERLESS_AUTOSTART": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tempfile.gettempdir(),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers, seen, hostname = json.loads(done.stdout.splitlines()[-1])
    observed("answers", answers, shim=[3, 3], row="celery-guard-per-task")
    assert hostname == "prog@host"
    observed("signals", seen)
