"""`Task.retry`: delays, counts, exhaustion, what a retry keeps, retries by hand in eager and direct calls.

Retries by declaration are test_autoretry.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from .waiting import until, value_of


@pytest.fixture
def worker(worker: Callable[..., Any]) -> Callable[..., Any]:
    """A worker of one thread: with two, Celery may store RETRY after the outcome of the next run."""

    def running(app: Any) -> contextlib.AbstractContextManager[Any]:
        return worker(app, concurrency=1)

    return running


def test_default_delay(app: Any, worker: Any, signal_log: Any) -> None:
    @app.task(bind=True)
    def again(self: Any) -> None:
        raise self.retry()

    signal_log.listen("before_task_publish")
    with worker(app):
        result = again.delay()
        until(lambda: result.state == "RETRY" and len(signal_log.of("before_task_publish")) == 2)
        headers = signal_log.of("before_task_publish")[1][1]["headers"]
        delay = datetime.fromisoformat(headers["eta"]) - datetime.now(timezone.utc)
        assert timedelta(seconds=170) < delay <= timedelta(seconds=180)
        assert headers["retries"] == 1
        assert headers["id"] == result.id


@pytest.mark.parametrize("max_retries", [0, 1, 3])
def test_runs(api: Any, app: Any, worker: Any, max_retries: int) -> None:
    runs: list[int] = []

    @app.task(bind=True, max_retries=max_retries)
    def again(self: Any) -> None:
        runs.append(self.request.retries)
        raise self.retry(countdown=0)

    with worker(app):
        result = again.delay()
        with pytest.raises(api.exceptions.MaxRetriesExceededError) as caught:
            value_of(result)
        assert runs == list(range(max_retries + 1))
        assert f"Can't retry {again.name}[{result.id}] args:() kwargs:{{}}" in str(caught.value)


def test_default_is_three_retries(app: Any, worker: Any) -> None:
    runs: list[int] = []

    @app.task(bind=True, default_retry_delay=0)
    def again(self: Any) -> None:
        runs.append(1)
        raise self.retry(exc=KeyError("k"))

    with worker(app):
        with pytest.raises(KeyError):
            value_of(again.delay())
        assert len(runs) == 4


def test_max_retries_of_the_call(app: Any, worker: Any) -> None:
    runs: list[int] = []

    @app.task(bind=True, default_retry_delay=0)
    def again(self: Any) -> None:
        runs.append(1)
        raise self.retry(exc=KeyError("k"), max_retries=1)

    with worker(app):
        with pytest.raises(KeyError):
            value_of(again.delay())
        assert len(runs) == 2


def test_none_in_the_call_means_the_attribute(app: Any, worker: Any) -> None:
    runs: list[int] = []

    @app.task(bind=True, default_retry_delay=0, max_retries=2)
    def again(self: Any) -> None:
        runs.append(1)
        raise self.retry(exc=KeyError("k"), max_retries=None)

    with worker(app):
        with pytest.raises(KeyError):
            value_of(again.delay())
        assert len(runs) == 3


def test_none_on_the_class_is_without_end(app: Any, worker: Any) -> None:
    @app.task(bind=True, default_retry_delay=0, max_retries=None)
    def again(self: Any) -> int:
        if self.request.retries < 12:
            raise self.retry()
        return int(self.request.retries)

    with worker(app):
        assert value_of(again.delay()) == 12


def test_exhausted_with_an_exception(app: Any, worker: Any) -> None:
    @app.task(bind=True, max_retries=0)
    def again(self: Any) -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise self.retry(exc=error) from error

    with worker(app), pytest.raises(KeyError, match="inner"):
        value_of(again.delay())


def test_exhausted_in_an_except_block_without_exc(api: Any, app: Any, worker: Any) -> None:
    @app.task(bind=True, max_retries=0)
    def again(self: Any) -> None:
        try:
            raise KeyError("inner")
        except KeyError:
            self.retry()

    with worker(app), pytest.raises(api.exceptions.MaxRetriesExceededError):
        value_of(again.delay())


def test_arguments_of_the_exhaustion(api: Any, app: Any) -> None:
    @app.task(bind=True, max_retries=0)
    def again(self: Any, x: int, y: int = 0) -> None:
        self.retry()

    result = again.apply((1,), {"y": 2})
    assert isinstance(result.result, api.exceptions.MaxRetriesExceededError)
    assert list(result.result.task_args) == [1]
    assert result.result.task_kwargs == {"y": 2}


def test_exception_class_as_exc(app: Any, worker: Any) -> None:
    @app.task(bind=True, max_retries=0)
    def again(self: Any) -> None:
        raise self.retry(exc=KeyError)

    with worker(app), pytest.raises(KeyError):
        value_of(again.delay())


def test_state_and_result_between_runs(app: Any, worker: Any, observed: Any) -> None:
    @app.task(bind=True)
    def again(self: Any) -> None:
        raise self.retry(exc=ValueError("because"), countdown=600)

    with worker(app):
        result = again.delay()
        until(lambda: result.state == "RETRY")
        assert result.ready() is False
        observed("info", repr(result.info))
        assert "ValueError('because')" in result.traceback


def test_same_id_and_other_arguments(app: Any, worker: Any) -> None:
    ids: list[str] = []

    @app.task(bind=True)
    def again(self: Any, x: int, y: int = 0) -> list[Any]:
        ids.append(self.request.id)
        if not self.request.retries:
            raise self.retry(args=(x + 1,), kwargs={"y": 9}, countdown=0)
        return [x, y]

    with worker(app):
        result = again.delay(1)
        assert value_of(result) == [2, 9]
        assert ids == [result.id] * 2


def test_retry_keeps_what_the_call_had(app: Any, worker: Any, observed: Any) -> None:
    @app.task(bind=True, name="again")
    def again(self: Any) -> dict[str, Any]:
        if not self.request.retries:
            raise self.retry(countdown=0)
        request = self.request
        return {
            "timelimit": request.timelimit,
            "headers": request.headers,
            "tenant": request.tenant,
            "priority": request.delivery_info["priority"],
            "root": request.root_id == request.id,
            "group": request.group,
            "callbacks": [s["task"] for s in request.callbacks],
            "ignore_result": request.ignore_result,
            "routing_key": request.delivery_info["routing_key"],
            "expires": bool(request.expires),
            "retries": request.retries,
        }

    @app.task(name="after")
    def after(*args: Any) -> None:
        """Nothing."""

    with worker(app):
        options = {
            "time_limit": 50,
            "soft_time_limit": 40,
            "headers": {"tenant": "t"},
            "priority": 3,
            "group_id": "g",
            "link": after.s(),
        }
        observed("kept", value_of(again.apply_async(expires=600, **options)))


def test_options_of_the_retry(app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def again(self: Any) -> list[Any]:
        if not self.request.retries:
            raise self.retry(countdown=0, priority=7, time_limit=33)
        return [self.request.delivery_info["priority"], self.request.timelimit]

    with worker(app):
        assert value_of(again.delay())[0] == 7


def test_links_run_once_after_the_last_run(app: Any, worker: Any) -> None:
    seen: list[Any] = []

    @app.task
    def after(value: Any) -> None:
        seen.append(value)

    @app.task(bind=True)
    def again(self: Any) -> str:
        if self.request.retries < 2:
            raise self.retry(countdown=0)
        return "end"

    with worker(app):
        again.apply_async(link=after.s())
        until(lambda: seen)
        assert seen == ["end"]


def test_throw_false(api: Any, app: Any, worker: Any, signal_log: Any) -> None:
    kinds: list[Any] = []

    @app.task(bind=True)
    def again(self: Any) -> str:
        if not self.request.retries:
            kinds.append(self.retry(throw=False, countdown=0))
            return "first"
        kinds.append("second run")
        return "second"

    signal_log.listen("task_postrun")
    with worker(app):
        result = again.delay()
        until(lambda: len(signal_log.names()) == 2)
        assert isinstance(kinds[0], api.exceptions.Retry)
        assert kinds[1] == "second run"
        assert (result.state, result.result) == ("SUCCESS", "first")


def test_eta_of_a_retry(app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def again(self: Any) -> bool:
        if not self.request.retries:
            raise self.retry(eta=datetime.now(timezone.utc) + timedelta(milliseconds=50))
        return bool(datetime.now(timezone.utc) >= datetime.fromisoformat(self.request.eta))

    with worker(app):
        assert value_of(again.delay()) is True


def test_direct_call(api: Any, app: Any) -> None:
    @app.task(bind=True)
    def again(self: Any, exc: Any = None) -> None:
        if exc == "inside":
            try:
                raise KeyError("k")
            except KeyError:
                self.retry()
        self.retry(exc=exc)

    with pytest.raises(api.exceptions.Retry) as caught:
        again()
    assert str(caught.value.message) == "Task can be retried"
    with pytest.raises(ValueError, match="given"):
        again(ValueError("given"))
    with pytest.raises(api.exceptions.Retry) as caught:
        again("inside")
    assert isinstance(caught.value.__cause__, KeyError)


def test_apply_retries_at_once(app: Any) -> None:
    runs: list[int] = []

    @app.task(bind=True)
    def again(self: Any) -> str:
        runs.append(self.request.retries)
        if self.request.retries < 3:
            raise self.retry(countdown=600)
        return "end"

    result = again.apply()
    assert runs == [0, 1, 2, 3]
    assert (result.state, result.get()) == ("SUCCESS", "end")


def test_apply_exhausts(app: Any) -> None:
    runs: list[int] = []

    @app.task(bind=True, max_retries=2)
    def again(self: Any) -> None:
        runs.append(1)
        raise self.retry(exc=ValueError("x"))

    result = again.apply()
    assert len(runs) == 3
    assert result.state == "FAILURE"
    assert repr(result.result) == "ValueError('x')"


def test_retry_signal_and_hook(app: Any, worker: Any, signal_log: Any) -> None:
    signal_log.listen("task_retry")

    @app.task(bind=True)
    def again(self: Any) -> str:
        if not self.request.retries:
            raise self.retry(exc=KeyError("k"), countdown=0)
        return "end"

    with worker(app):
        result = again.delay()
        value_of(result)
        sender, kwargs = signal_log.of("task_retry")[0]
        assert sender.name == again.name
        assert kwargs["request"].id == result.id
        assert "KeyError" in str(kwargs["reason"])
        assert kwargs["einfo"] is not None


@pytest.mark.parametrize(
    ("arguments", "when"),
    [
        ({"message": "m"}, None),
        ({"exc": KeyError("k"), "when": 30}, 30),
        ({"exc": KeyError("k")}, None),
        ({"message": "m", "when": 5, "is_eager": True}, 5),
    ],
)
def test_retry_exception(api: Any, observed: Any, arguments: Any, when: Any) -> None:
    error = api.exceptions.Retry(**arguments)
    assert error.when == when
    observed("str", str(error))
    observed("humanize", error.humanize() if when or when is None else None)
    observed("message", [error.message, repr(error.exc), error.excs, error.is_eager])


def test_retry_exception_is_a_task_predicate(api: Any) -> None:
    assert issubclass(api.exceptions.Retry, api.exceptions.TaskPredicate)
    assert api.exceptions.RetryTaskError is api.exceptions.Retry


def test_signature_from_request(app: Any) -> None:
    @app.task(bind=True)
    def me(self: Any, x: int) -> list[Any]:
        signature = self.signature_from_request(self.request, args=(5,), countdown=9, priority=2)
        return [
            list(signature.args),
            signature.options["countdown"],
            signature.options["retries"],
            signature.options["task_id"] == self.request.id,
        ]

    assert me.apply((1,)).get() == [[5], 9, 0, True]


def test_retry_of_an_ignored_result(app: Any, worker: Any) -> None:
    seen: list[Any] = []

    @app.task(bind=True, ignore_result=True)
    def again(self: Any) -> None:
        if not self.request.retries:
            raise self.retry(countdown=0)
        seen.append(self.request.ignore_result)

    with worker(app):
        result = again.delay()
        until(lambda: seen)
        assert seen == [True]
        assert result.state == "PENDING"


def test_revoked_while_waiting_for_a_retry(api: Any, app: Any, worker: Any) -> None:
    runs: list[int] = []

    @app.task(bind=True)
    def again(self: Any) -> None:
        runs.append(1)
        raise self.retry(countdown=600)

    with worker(app):
        result = again.delay()
        until(lambda: result.state == "RETRY")
        result.revoke()
        with pytest.raises(api.exceptions.TaskRevokedError):
            value_of(result)
        assert runs == [1]
