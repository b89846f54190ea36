"""Eager mode: `task_always_eager`, `apply()`, EagerResult, and the warts of both.

What `self.request` holds there is in test_request_context.py.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest


@pytest.fixture
def eager(make_app: Any) -> Any:
    """An application that runs each task in the call."""
    return make_app(task_always_eager=True)


def test_delay_runs_at_once(api: Any, eager: Any) -> None:
    ran: list[int] = []

    @eager.task
    def one(x: int) -> int:
        ran.append(x)
        return x + 1

    result = one.delay(1)
    assert ran == [1]
    assert isinstance(result, api.result.EagerResult)
    assert (result.get(), result.result, result.state, result.ready(), result.successful()) == (
        2,
        2,
        "SUCCESS",
        True,
        True,
    )


def test_failure(eager: Any) -> None:
    @eager.task
    def bad() -> None:
        raise ValueError("x")

    result = bad.delay()
    assert (result.state, result.failed(), repr(result.result)) == ("FAILURE", True, "ValueError('x')")
    assert "ValueError: x" in result.traceback
    with pytest.raises(ValueError, match="x"):
        result.get()
    assert repr(result.get(propagate=False)) == "ValueError('x')"


def test_propagates(make_app: Any) -> None:
    @make_app(task_always_eager=True, task_eager_propagates=True).task
    def bad() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        bad.delay()
    with pytest.raises(ValueError, match="x"):
        bad.apply_async()


def test_throw_of_apply(app: Any) -> None:
    @app.task
    def bad() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        bad.apply(throw=True)
    assert bad.apply(throw=False).state == "FAILURE"


@pytest.mark.parametrize(
    ("given", "seen"),
    [((1, 2), [1, 2]), ({1: 2}, {"1": 2}), ([(1,)], [[1]]), ("x", "x"), (None, None)],
)
def test_arguments_pass_the_serializer(eager: Any, given: Any, seen: Any) -> None:
    @eager.task
    def echo(x: Any) -> Any:
        return x

    assert echo.delay(given).get() == seen
    assert type(echo.delay(given).get()) is type(seen)


def test_apply_does_not_serialize(app: Any) -> None:
    @app.task
    def echo(x: Any) -> Any:
        return x

    given = object()
    assert echo.apply((given,)).get() is given
    assert echo.apply(((1, 2),)).get() == (1, 2)


def test_unserializable_arguments(eager: Any) -> None:
    from kombu.exceptions import EncodeError

    @eager.task
    def echo(x: Any) -> Any:
        return x

    with pytest.raises(EncodeError):
        echo.delay({1, 2})


def test_results_are_live_objects(eager: Any) -> None:
    made = object()

    @eager.task
    def make() -> Any:
        return made

    assert make.delay().get() is made


def test_result_is_not_stored(eager: Any) -> None:
    @eager.task
    def one() -> int:
        return 1

    result = one.delay()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert eager.AsyncResult(result.id).state == "PENDING"


def test_looking_up_an_eager_result_warns(eager: Any) -> None:
    @eager.task
    def one() -> int:
        return 1

    with pytest.warns(RuntimeWarning):
        _ = eager.AsyncResult(one.delay().id).state


def test_stored_eager_results(make_app: Any) -> None:
    app = make_app(task_always_eager=True, task_store_eager_result=True)

    @app.task
    def one(fail: bool) -> int:
        if fail:
            raise ValueError("x")
        return 1

    result = one.delay(False)
    assert (app.AsyncResult(result.id).state, app.AsyncResult(result.id).result) == ("SUCCESS", 1)
    result = one.delay(True)
    assert app.AsyncResult(result.id).state == "FAILURE"


def test_storing_is_decided_when_the_task_is_bound(eager: Any) -> None:
    @eager.task
    def one() -> int:
        return 1

    assert one.name
    eager.conf.task_store_eager_result = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert eager.AsyncResult(one.delay().id).state == "PENDING"


def test_retry_with_propagation_escapes(api: Any, make_app: Any) -> None:
    @make_app(task_always_eager=True, task_eager_propagates=True).task(bind=True)
    def again(self: Any) -> None:
        raise self.retry(countdown=0)

    with pytest.raises(api.exceptions.Retry):
        again.delay()


def test_retries(eager: Any) -> None:
    runs: list[int] = []

    @eager.task(bind=True, max_retries=2)
    def again(self: Any) -> None:
        runs.append(self.request.retries)
        raise self.retry(exc=ValueError("x"), countdown=600)

    assert again.delay().state == "FAILURE"
    assert runs == [0, 1, 2]


def test_retry_result_type(api: Any, app: Any) -> None:
    @app.task(bind=True)
    def again(self: Any) -> str:
        if self.request.retries < 2:
            self.retry()
        return "end"

    result = again.apply()
    assert isinstance(result, api.result.EagerResult)
    assert (result.state, result.get()) == ("SUCCESS", "end")


@pytest.mark.parametrize(("name", "state"), [("Ignore", "IGNORED"), ("Reject", "REJECTED")])
def test_ignore_and_reject(api: Any, eager: Any, name: str, state: str) -> None:
    @eager.task
    def stop() -> None:
        raise getattr(api.exceptions, name)("why")

    assert stop.delay().state == state


def test_get_inside_a_task_started_by_delay(eager: Any) -> None:
    @eager.task
    def inner() -> int:
        return 1

    @eager.task
    def outer() -> Any:
        return inner.delay().get()

    result = outer.delay()
    assert isinstance(result.result, RuntimeError)
    assert "Never call result.get() within a task!" in str(result.result)


def test_get_inside_a_task_started_by_apply(app: Any) -> None:
    @app.task
    def inner() -> int:
        return 1

    @app.task
    def outer() -> Any:
        return inner.apply().get()

    assert outer.apply().get() == 1


def test_get_inside_with_the_guard_off(api: Any, eager: Any) -> None:
    @eager.task
    def inner() -> int:
        return 1

    @eager.task
    def outer() -> Any:
        with api.result.allow_join_result():
            first = inner.delay().get()
        return first + inner.delay().get(disable_sync_subtasks=False)

    assert outer.delay().get() == 2


def test_links(eager: Any) -> None:
    seen: list[Any] = []

    @eager.task
    def after(value: int, extra: int = 0) -> None:
        seen.append(value + extra)

    @eager.task
    def one() -> int:
        return 1

    one.apply_async(link=after.s(10))
    assert seen == [11]
    one.apply_async(link=[after.s(), after.si(5)])
    assert seen == [11, 1, 5]


def test_link_error(eager: Any) -> None:
    seen: list[Any] = []

    @eager.task
    def after(request: Any, exc: Any, traceback: Any) -> None:
        seen.append(repr(exc))

    @eager.task
    def bad() -> None:
        raise ValueError("x")

    bad.apply_async(link_error=after.s())
    assert seen == ["ValueError('x')"]


def test_send_task_ignores_eager_mode(api: Any, eager: Any) -> None:
    @eager.task(name="one")
    def one() -> int:
        return 1

    with pytest.warns(api.exceptions.AlwaysEagerIgnored):
        result = eager.send_task("one")
    assert not isinstance(result, api.result.EagerResult)


def test_typing_is_checked(eager: Any) -> None:
    @eager.task
    def one(x: int) -> int:
        return x

    with pytest.raises(TypeError):
        one.delay()


def test_signals(eager: Any, signal_log: Any) -> None:
    @eager.task
    def one() -> int:
        return 1

    signal_log.listen(
        "before_task_publish", "after_task_publish", "task_received", "task_prerun", "task_success", "task_postrun"
    )
    one.delay()
    assert signal_log.names() == ["task_prerun", "task_success", "task_postrun"]


@pytest.mark.parametrize(
    ("ret", "state", "successful", "failed"),
    [(1, "SUCCESS", True, False), (ValueError("x"), "FAILURE", False, True), (None, "SUCCESS", True, False)],
)
def test_eager_result(api: Any, ret: Any, state: str, successful: bool, failed: bool) -> None:
    result = api.result.EagerResult("id", ret, state)
    assert (result.id, result.task_id, result.state, result.status) == ("id", "id", state, state)
    assert (result.ready(), result.successful(), result.failed()) == (True, successful, failed)
    assert result.result is ret
    assert result.supports_native_join is False


def test_eager_result_details(api: Any, observed: Any) -> None:
    result = api.result.EagerResult("id", 5, "SUCCESS", traceback="tb", name="n")
    observed("repr", repr(result))
    observed("attributes", [result.traceback, result.name, result.forget(), result.children, result.parent])
    assert result.wait() == 5
    assert result.then(lambda r: None) is not None or True
    reducer = result.__reduce__()
    assert reducer[0] is api.result.EagerResult


def test_eager_result_revoke(api: Any) -> None:
    result = api.result.EagerResult("id", 5, "SUCCESS")
    result.revoke()
    assert result.state == "REVOKED"
    with pytest.raises(api.exceptions.TaskRevokedError):
        result.get()


def test_eager_result_with_a_plain_value_as_failure(api: Any) -> None:
    result = api.result.EagerResult("id", "not an exception", "FAILURE")
    with pytest.raises(Exception, match="not an exception"):
        result.get()
    assert result.get(propagate=False) == "not an exception"


def test_eager_result_timeout_is_accepted(api: Any) -> None:
    assert api.result.EagerResult("id", 5, "SUCCESS").get(timeout=0, interval=3, no_ack=False) == 5


def test_apply_options(app: Any) -> None:
    @app.task(bind=True)
    def read(self: Any) -> list[Any]:
        return [self.request.retries, self.request.id, self.request.headers, self.request.loglevel]

    assert read.apply(task_id="own", retries=2, headers={"a": 1}).get()[:3] == [2, "own", {"a": 1}]


def test_bound_task_in_eager_mode(eager: Any) -> None:
    @eager.task(bind=True)
    def me(self: Any, x: int, y: int = 0) -> list[int]:
        return [x, y]

    assert me.delay(1, y=2).get() == [1, 2]


def test_ignored_results_in_eager_mode(eager: Any, observed: Any) -> None:
    @eager.task(ignore_result=True)
    def one() -> int:
        return 1

    result = one.delay()
    observed("outcome", [result.get(), result.state, result.result])


def test_other_serializer(make_app: Any) -> None:
    app = make_app(task_always_eager=True, task_serializer="pickle", accept_content=["pickle", "json"])

    @app.task
    def echo(x: Any) -> Any:
        return x

    assert echo.delay({1, 2}).get() == {1, 2}
