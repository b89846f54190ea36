"""Tasks that end without a result: Ignore, Reject, ignored results, states set by hand, acknowledgement options.

Retries have test_retry.py, eager mode has test_eager.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from .waiting import until, value_of


@pytest.fixture
def ping(app: Any) -> Any:
    """A task that does nothing; on one thread it ends after everything sent before it."""

    @app.task(name="ping")
    def ping() -> int:
        return 1

    return ping


@pytest.mark.parametrize("arguments", [(), ("why",)])
def test_ignore(api: Any, app: Any, worker: Any, ping: Any, arguments: Any) -> None:
    @app.task
    def stop() -> None:
        raise api.exceptions.Ignore(*arguments)

    with worker(app, concurrency=1):
        result = stop.delay()
        value_of(ping.delay())
        assert result.state == "PENDING"
        with pytest.raises(api.exceptions.TimeoutError):
            result.get(timeout=0.05, interval=0.01)


def test_ignore_after_a_state_of_ones_own(api: Any, app: Any, worker: Any, ping: Any) -> None:
    @app.task(bind=True)
    def stop(self: Any) -> None:
        self.update_state(state="MINE", meta={"a": 1})
        raise api.exceptions.Ignore

    with worker(app, concurrency=1):
        result = stop.delay()
        value_of(ping.delay())
        assert (result.state, result.info) == ("MINE", {"a": 1})


def test_ignore_with_started_tracking(api: Any, make_app: Any, worker: Any) -> None:
    app = make_app(task_track_started=True)

    @app.task
    def stop() -> None:
        raise api.exceptions.Ignore

    @app.task
    def ping() -> None:
        """Nothing."""

    with worker(app, concurrency=1):
        result = stop.delay()
        value_of(ping.delay())
        assert result.state == "STARTED"


def test_reject(api: Any, app: Any, worker: Any, ping: Any, observed: Any) -> None:
    @app.task
    def stop() -> None:
        raise api.exceptions.Reject("why", requeue=False)

    with worker(app, concurrency=1):
        result = stop.delay()
        until(result.ready)
        observed("state", result.state)
        error = result.get(propagate=False)
        observed("result", [type(error).__name__, repr(error)])


def test_reject_with_acks_late(api: Any, app: Any, worker: Any, observed: Any) -> None:
    @app.task(acks_late=True)
    def stop() -> None:
        raise api.exceptions.Reject("why", requeue=False)

    with worker(app, concurrency=1):
        result = stop.delay()
        until(result.ready)
        observed("state", result.state)


def test_reject_and_requeue(api: Any, app: Any, worker: Any) -> None:
    runs: list[str] = []

    @app.task(acks_late=True, bind=True)
    def stop(self: Any) -> str:
        runs.append(self.request.id)
        if len(runs) < 3:
            raise api.exceptions.Reject("again", requeue=True)
        return "end"

    with worker(app, concurrency=1):
        result = stop.delay()
        assert value_of(result) == "end"
        assert runs == [result.id] * 3


def test_rejected_attributes(api: Any) -> None:
    error = api.exceptions.Reject("why", requeue=True)
    assert (error.reason, error.requeue) == ("why", True)
    assert api.exceptions.Reject().requeue is False
    assert repr(error) == "reject requeue=True: why"


def test_ignored_result(app: Any, worker: Any, ping: Any) -> None:
    @app.task(ignore_result=True)
    def quiet() -> int:
        return 5

    with worker(app, concurrency=1):
        result = quiet.delay()
        assert result.ignored is True
        assert result.get(timeout=0.1) is None
        value_of(ping.delay())
        assert result.state == "PENDING"
        assert app.AsyncResult(result.id).result is None


@pytest.mark.parametrize(
    ("of_task", "of_call", "stored"),
    [(True, False, True), (False, True, False), (None, True, False), (None, None, True)],
)
def test_ignore_result_of_the_call(app: Any, worker: Any, ping: Any, of_task: Any, of_call: Any, stored: bool) -> None:
    @app.task(ignore_result=of_task)
    def quiet() -> int:
        return 5

    options = {} if of_call is None else {"ignore_result": of_call}
    with worker(app, concurrency=1):
        result = quiet.apply_async(**options)
        value_of(ping.delay())
        assert (app.AsyncResult(result.id).state == "SUCCESS") is stored


def test_ignore_result_setting(make_app: Any, worker: Any) -> None:
    app = make_app(task_ignore_result=True)

    @app.task
    def quiet() -> int:
        return 5

    @app.task(ignore_result=False)
    def loud() -> int:
        return 6

    with worker(app, concurrency=1):
        result = quiet.delay()
        assert value_of(loud.delay()) == 6
        assert result.state == "PENDING"


@pytest.mark.parametrize("stored", [True, False])
def test_errors_of_ignored_results(app: Any, worker: Any, ping: Any, stored: bool) -> None:
    @app.task(ignore_result=True, store_errors_even_if_ignored=stored)
    def bad() -> None:
        raise ValueError("x")

    with worker(app, concurrency=1):
        result = bad.delay()
        value_of(ping.delay())
        assert (app.AsyncResult(result.id).state == "FAILURE") is stored


@pytest.mark.parametrize("throws", [(), (ValueError,)])
def test_throws_does_not_change_the_outcome(app: Any, worker: Any, throws: Any) -> None:
    @app.task(throws=throws)
    def bad() -> None:
        raise ValueError("x")

    with worker(app):
        result = bad.delay()
        with pytest.raises(ValueError, match="x"):
            value_of(result)
        assert result.state == "FAILURE"


def test_update_state(app: Any, worker: Any) -> None:
    seen: list[Any] = []

    @app.task(bind=True)
    def progress(self: Any) -> str:
        self.update_state(state="PROGRESS", meta={"done": 3})
        result = self.AsyncResult(self.request.id)
        seen.append([result.state, result.info, result.ready()])
        self.update_state(state="PROGRESS", meta=(1, 2))
        seen.append(self.AsyncResult(self.request.id).info)
        return "end"

    with worker(app):
        assert value_of(progress.delay()) == "end"
    assert seen == [["PROGRESS", {"done": 3}, False], [1, 2]]


def test_update_state_of_another_task(app: Any) -> None:
    @app.task
    def one() -> None:
        """Nothing."""

    one.update_state(task_id="other", state="MINE", meta={"x": 1})
    assert (app.AsyncResult("other").state, app.AsyncResult("other").result) == ("MINE", {"x": 1})


def test_update_state_without_a_state(app: Any, worker: Any, observed: Any) -> None:
    seen: list[Any] = []

    @app.task(bind=True)
    def odd(self: Any) -> None:
        self.update_state(meta={"a": 1})
        seen.append(self.AsyncResult(self.request.id).state)

    with worker(app):
        value_of(odd.delay())
    observed("state", seen)


def test_success_set_early_stays(app: Any, worker: Any, ping: Any) -> None:
    @app.task(bind=True)
    def early(self: Any) -> str:
        self.update_state(state="SUCCESS", meta="early")
        return "late"

    with worker(app, concurrency=1):
        result = early.delay()
        value_of(ping.delay())
        assert value_of(result) == "early"


def test_success_is_not_overwritten(app: Any) -> None:
    app.backend.store_result("x", 1, "SUCCESS")
    app.backend.store_result("x", 2, "SUCCESS")
    app.backend.mark_as_failure("x", ValueError("y"))
    assert (app.AsyncResult("x").state, app.AsyncResult("x").result) == ("SUCCESS", 1)


def test_failure_is_overwritten(app: Any) -> None:
    app.backend.mark_as_failure("z", ValueError("y"))
    app.backend.mark_as_done("z", 2)
    assert (app.AsyncResult("z").state, app.AsyncResult("z").result) == ("SUCCESS", 2)


@pytest.mark.parametrize(
    "options",
    [
        {"acks_late": True},
        {"acks_late": True, "acks_on_failure_or_timeout": False},
        {"acks_late": True, "reject_on_worker_lost": True},
        {"acks_late": False},
    ],
)
def test_acknowledgement_options_do_not_change_results(app: Any, worker: Any, options: Any) -> None:
    @app.task(**options)
    def one(fail: bool) -> int:
        if fail:
            raise ValueError("x")
        return 1

    with worker(app):
        assert value_of(one.delay(False)) == 1
        result = one.delay(True)
        with pytest.raises(ValueError, match="x"):
            value_of(result)
        assert result.state == "FAILURE"


def test_revoked_before_it_runs(api: Any, app: Any, worker: Any, ping: Any) -> None:
    ran: list[int] = []

    @app.task
    def one() -> None:
        ran.append(1)

    with worker(app, concurrency=1):
        result = one.apply_async(countdown=0.8)
        value_of(ping.delay())
        result.revoke()
        with pytest.raises(api.exceptions.TaskRevokedError) as caught:
            value_of(result)
        assert str(caught.value) == "revoked"
        assert result.state == "REVOKED"
        value_of(ping.apply_async(countdown=1.2))
        assert ran == []


@pytest.mark.manual
def test_revoked_while_no_worker_runs(api: Any, app: Any, worker: Any, ping: Any, observed: Any) -> None:
    result = ping.delay()
    result.revoke()
    observed("state", result.state, shim="REVOKED", row="celery-revoke-without-worker")


def test_revoking_a_running_task(app: Any, worker: Any) -> None:
    import threading

    started, go = threading.Event(), threading.Event()

    @app.task
    def one() -> str:
        started.set()
        go.wait(10)
        return "end"

    with worker(app):
        result = one.delay()
        assert started.wait(10)
        result.revoke()
        go.set()
        assert value_of(result) in ("end",)


def test_revoking_a_finished_task(app: Any, worker: Any, ping: Any) -> None:
    with worker(app):
        result = ping.delay()
        assert value_of(result) == 1
        result.revoke()
        assert (result.state, result.get()) == ("SUCCESS", 1)


def test_deduplication_of_redelivered_successes(make_app: Any, worker: Any) -> None:
    app = make_app(worker_deduplicate_successful_tasks=True)
    runs: list[int] = []

    @app.task(acks_late=True)
    def one(x: int) -> int:
        runs.append(x)
        return x

    with worker(app, concurrency=1):
        assert value_of(one.apply_async((1,), task_id="same")) == 1
        one.apply_async((2,), task_id="same")
        assert value_of(one.delay(3)) == 3
    assert runs[0] == 1
    assert 3 in runs
