"""Time limits, lost workers, terminated tasks: what ends a task from outside.

Oracle: a prefork worker, except where the test is about threads, in which Celery ignores limits.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from .waiting import until, value_of


def spin(seconds: float) -> None:
    """Run Python code for so long; an asynchronous exception can come in between."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.005)


def test_soft_limit(api: Any, prefork_app: Any, worker: Any) -> None:
    app = prefork_app

    @app.task(soft_time_limit=1)
    def slow() -> str:
        try:
            spin(10)
        except api.exceptions.SoftTimeLimitExceeded as error:
            return repr(error)
        return "not limited"

    with worker(app):
        assert value_of(slow.delay()) == "SoftTimeLimitExceeded()"


def test_soft_limit_unhandled(api: Any, prefork_app: Any, worker: Any) -> None:
    app = prefork_app

    @app.task(soft_time_limit=1)
    def slow() -> None:
        spin(10)

    with worker(app):
        result = slow.delay()
        with pytest.raises(api.exceptions.SoftTimeLimitExceeded):
            value_of(result)
        assert result.state == "FAILURE"
        assert "spin" in result.traceback


def test_hard_limit(api: Any, prefork_app: Any, worker: Any, observed: Any) -> None:
    app = prefork_app

    @app.task(time_limit=1)
    def slow() -> None:
        spin(10)

    with worker(app):
        result = slow.delay()
        with pytest.raises(api.exceptions.TimeLimitExceeded) as caught:
            value_of(result)
        observed("args", caught.value.args)
        assert result.state == "FAILURE"
        observed("traceback", result.traceback)


def test_capacity_after_a_hard_limit(api: Any, prefork_app: Any, worker: Any) -> None:
    app = prefork_app

    @app.task(time_limit=1)
    def slow() -> None:
        spin(10)

    @app.task
    def quick() -> int:
        return 1

    with worker(app, concurrency=1):
        result = slow.delay()
        with pytest.raises(api.exceptions.TimeLimitExceeded):
            value_of(result)
        assert value_of(quick.delay()) == 1


def test_limits_of_the_call(api: Any, prefork_app: Any, worker: Any) -> None:
    app = prefork_app

    @app.task(soft_time_limit=100, time_limit=200)
    def slow() -> None:
        spin(10)

    with worker(app), pytest.raises(api.exceptions.SoftTimeLimitExceeded):
        value_of(slow.apply_async(soft_time_limit=1))


def test_limits_of_the_settings(api: Any, prefork_app: Any, worker: Any) -> None:
    app = prefork_app
    app.conf.task_soft_time_limit = 1

    @app.task
    def slow() -> None:
        spin(10)

    with worker(app), pytest.raises(api.exceptions.SoftTimeLimitExceeded):
        value_of(slow.delay())


def test_a_task_that_ends_in_time_is_left_alone(prefork_app: Any, worker: Any) -> None:
    app = prefork_app

    @app.task(soft_time_limit=5, time_limit=10)
    def quick() -> int:
        return 1

    with worker(app):
        assert [value_of(quick.delay()) for _ in range(5)] == [1] * 5


def test_limits_in_threads(api: Any, app: Any, worker: Any, observed: Any) -> None:
    @app.task(soft_time_limit=0.2)
    def slow() -> str:
        spin(0.6)
        return "not limited"

    with worker(app):
        result = slow.delay()
        if observed.differs("celery-limits-in-threads"):
            with pytest.raises(api.exceptions.SoftTimeLimitExceeded):
                value_of(result)
        else:
            assert value_of(result) == "not limited"


def test_hard_limit_in_threads(api: Any, app: Any, worker: Any, observed: Any) -> None:
    @app.task(time_limit=0.2)
    def slow() -> str:
        spin(0.6)
        return "not limited"

    with worker(app):
        result = slow.delay()
        if observed.differs("celery-limits-in-threads"):
            with pytest.raises(api.exceptions.TimeLimitExceeded):
                value_of(result)
        else:
            assert value_of(result) == "not limited"


def test_limits_are_ignored_in_eager_mode(make_app: Any) -> None:
    @make_app(task_always_eager=True).task(soft_time_limit=0.05, time_limit=0.1)
    def slow() -> str:
        spin(0.3)
        return "not limited"

    assert slow.delay().get() == "not limited"


def test_limits_are_ignored_in_a_direct_call(app: Any) -> None:
    @app.task(soft_time_limit=0.05, time_limit=0.1)
    def slow() -> str:
        spin(0.3)
        return "not limited"

    assert slow() == "not limited"


def test_time_limit_command(api: Any, prefork_app: Any, worker: Any) -> None:
    app = prefork_app

    @app.task(name="slow")
    def slow() -> None:
        spin(10)

    with worker(app) as controller:
        replies = app.control.time_limit("slow", soft=1, hard=5, reply=True, timeout=1)
        assert [list(reply.values()) for reply in replies] == [[{"ok": "time limits set successfully"}]]
        assert controller is None or list(replies[0]) == [controller.hostname]
        with pytest.raises(api.exceptions.SoftTimeLimitExceeded):
            value_of(slow.delay())


def test_classes_are_those_of_billiard(api: Any) -> None:
    import billiard.exceptions

    for name in ("SoftTimeLimitExceeded", "TimeLimitExceeded", "WorkerLostError", "Terminated"):
        assert getattr(api.exceptions, name) is getattr(billiard.exceptions, name)


def test_hard_limit_calls_the_failure_hook(api: Any, prefork_app: Any, worker: Any, signal_log: Any) -> None:
    app = prefork_app
    seen: list[Any] = []

    class Hooked(api.Task):  # type: ignore[misc]
        def on_failure(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
            seen.append(("on_failure", type(exc).__name__, task_id))

    @app.task(base=Hooked, time_limit=1)
    def slow() -> None:
        spin(10)

    signal_log.listen("task_failure")
    with worker(app):
        result = slow.delay()
        until(lambda: seen and signal_log.names())
        assert seen[0] == ("on_failure", "TimeLimitExceeded", result.id)
        assert isinstance(signal_log.of("task_failure")[0][1]["exception"], api.exceptions.TimeLimitExceeded)


@pytest.mark.parametrize("how", ["exit", "interrupt"])
def test_a_task_that_ends_its_process(api: Any, prefork_app: Any, worker: Any, observed: Any, how: str) -> None:
    app = prefork_app

    @app.task
    def leave() -> None:
        if how == "exit":
            raise SystemExit(3)
        raise KeyboardInterrupt

    with worker(app):
        result = leave.delay()
        until(result.ready)
        assert result.state == "FAILURE"
        error = result.get(propagate=False)
        if observed.differs("celery-lost-worker"):
            assert type(error).__name__ in ("WorkerLostError", "SystemExit", "KeyboardInterrupt")
        else:
            assert isinstance(error, api.exceptions.WorkerLostError)


def test_a_killed_worker_process(api: Any, prefork_app: Any, worker: Any, observed: Any) -> None:
    app = prefork_app

    @app.task
    def own_pid() -> int:
        return os.getpid()

    @app.task
    def killed() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with worker(app):
        pid = value_of(own_pid.delay())
        if observed.differs("celery-lost-worker"):
            assert pid == os.getpid()
        else:
            assert pid != os.getpid()
            with pytest.raises(api.exceptions.WorkerLostError, match="signal 9"):
                value_of(killed.delay())


def test_system_exit_in_a_thread(api: Any, app: Any, worker: Any, observed: Any) -> None:
    @app.task
    def leave() -> None:
        raise SystemExit(3)

    @app.task
    def ping() -> int:
        return 1

    with worker(app, concurrency=1):
        result = leave.delay()
        value_of(ping.delay())
        if observed.differs("celery-every-task-ends"):
            until(result.ready)
            assert result.state == "FAILURE"
        else:
            assert result.state == "PENDING"


def test_terminate(api: Any, prefork_app: Any, worker: Any, tmp_path: Any) -> None:
    app = prefork_app
    started = tmp_path / "started"

    @app.task
    def slow() -> str:
        started.touch()
        spin(20)
        return "end"

    with worker(app):
        result = slow.delay()
        until(started.exists)
        result.revoke(terminate=True)
        with pytest.raises(api.exceptions.TaskRevokedError) as caught:
            value_of(result)
        assert str(caught.value) == "terminated"
        assert result.state == "REVOKED"


def test_terminate_in_threads(api: Any, app: Any, worker: Any, observed: Any) -> None:
    import threading

    started = threading.Event()

    @app.task
    def slow() -> str:
        started.set()
        spin(0.6)
        return "end"

    with worker(app):
        result = slow.delay()
        assert started.wait(10)
        result.revoke(terminate=True)
        if observed.differs("celery-terminate-in-threads"):
            with pytest.raises(api.exceptions.TaskRevokedError):
                value_of(result)
        else:
            assert value_of(result) == "end"


def test_globals_of_a_worker(prefork_app: Any, worker: Any, observed: Any) -> None:
    app = prefork_app
    seen: list[int] = []

    @app.task
    def note() -> int:
        seen.append(1)
        return len(seen)

    with worker(app, concurrency=1):
        assert [value_of(note.delay()) for _ in range(2)] == [1, 2]
        if observed.differs("celery-one-process"):
            assert len(seen) == 2
        else:
            assert seen == []
