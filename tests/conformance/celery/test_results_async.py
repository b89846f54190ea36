"""AsyncResult: states, waiting, the guard against waiting in a task, metadata, forgetting, comparison.

Groups of results have test_results_groups.py, how exceptions come back test_results_exceptions.py.
"""

from __future__ import annotations

import copy
import pickle
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from .waiting import until, value_of


@pytest.fixture
def add(app: Any) -> Any:
    """A task of two arguments."""

    @app.task(name="add")
    def add(x: int, y: int = 0) -> int:
        return x + y

    return add


def test_get(app: Any, worker: Any, add: Any) -> None:
    with worker(app):
        result = add.delay(1, 2)
        assert value_of(result) == 3
        assert result.get() == 3
        assert (result.state, result.status, result.result, result.info) == ("SUCCESS", "SUCCESS", 3, 3)
        assert (result.ready(), result.successful(), result.failed()) == (True, True, False)
        assert result.traceback is None


def test_failed(app: Any, worker: Any) -> None:
    @app.task
    def bad() -> None:
        raise KeyError("k")

    with worker(app):
        result = bad.delay()
        with pytest.raises(KeyError):
            value_of(result)
        assert (result.state, result.ready(), result.successful(), result.failed()) == ("FAILURE", True, False, True)
        assert isinstance(result.result, KeyError)
        assert repr(result.get(propagate=False)) == "KeyError('k')"
        assert "KeyError: 'k'" in result.traceback


def test_unknown_id(api: Any, app: Any) -> None:
    result = app.AsyncResult("never-sent")
    assert (result.state, result.result, result.ready(), result.successful(), result.failed()) == (
        "PENDING",
        None,
        False,
        False,
        False,
    )
    assert result.exists() is False
    with pytest.raises(api.exceptions.TimeoutError) as caught:
        result.get(timeout=0.02, interval=0.01)
    assert str(caught.value) == "The operation timed out."


def test_timeout_zero_looks_once(api: Any, app: Any, add: Any) -> None:
    with pytest.raises(api.exceptions.TimeoutError):
        app.AsyncResult("never-sent-2").get(timeout=0)
    app.backend.mark_as_done("done-already", 4)
    assert app.AsyncResult("done-already").get(timeout=0) == 4


def test_timeout_error_is_not_the_builtin(api: Any) -> None:
    assert api.exceptions.TimeoutError is not TimeoutError
    assert issubclass(api.exceptions.TimeoutError, api.exceptions.CeleryError)


def test_exists(app: Any, worker: Any, add: Any) -> None:
    with worker(app):
        result = add.delay(1)
        value_of(result)
        assert result.exists() is True


@pytest.mark.parametrize("value", [None, ""])
def test_id_is_needed(app: Any, observed: Any, value: Any) -> None:
    try:
        app.AsyncResult(value)
        observed("accepted", True)
    except ValueError as error:
        observed("raised", str(error))


def test_identity(api: Any, app: Any) -> None:
    one, same, other = app.AsyncResult("a"), app.AsyncResult("a"), app.AsyncResult("b")
    assert one == same
    assert one == "a"
    assert one != other
    assert (hash(one), str(one), one.task_id, one.id) == (hash("a"), "a", "a", "a")
    assert repr(one) == "<AsyncResult: a>"
    assert len({one, same, other}) == 2


def test_copy_and_pickle(app: Any) -> None:
    app.set_current()
    result = app.AsyncResult("a")
    assert copy.copy(result) == result
    assert pickle.loads(pickle.dumps(result)).id == "a"


def test_constructor(api: Any, app: Any) -> None:
    parent = app.AsyncResult("parent")
    result = api.result.AsyncResult("a", parent=parent, app=app)
    assert result.parent is parent
    assert result.app is app
    assert result.backend is app.backend
    assert api.result.AsyncResult("b", backend=app.backend, app=app).backend is app.backend


def test_subclass_of_the_application(api: Any, app: Any) -> None:
    assert issubclass(app.AsyncResult, api.result.AsyncResult)
    assert app.AsyncResult("x").app is app


def test_as_tuple(api: Any, app: Any, observed: Any) -> None:
    result = api.result.AsyncResult("a", parent=api.result.AsyncResult("p", app=app), app=app)
    observed("tuple", result.as_tuple())
    observed("list", result.as_list())
    again = api.result.result_from_tuple(result.as_tuple(), app=app)
    assert (again.id, again.parent.id) == ("a", "p")
    assert api.result.result_from_tuple(again) is again


def test_get_waits(app: Any, worker: Any) -> None:
    go = threading.Event()

    @app.task
    def wait() -> str:
        go.wait(10)
        return "end"

    with worker(app):
        result = wait.delay()
        threading.Timer(0.1, go.set).start()
        assert value_of(result) == "end"


@pytest.mark.parametrize("backend", ["app", "redis_app"])
def test_get_wakes_by_event(request: Any, worker: Any, observed: Any, backend: str) -> None:
    app = request.getfixturevalue(backend)
    go = threading.Event()

    @app.task
    def wait() -> float:
        go.wait(10)
        return time.time()

    with worker(app):
        result = wait.delay()
        threading.Timer(0.2, go.set).start()
        ended = result.get(timeout=10)
        late = time.time() - ended
        if observed.differs("celery-get-wakes-by-event") or backend == "redis_app":
            assert late < 0.25
        else:
            assert late < 2


def test_callback_of_get(app: Any, worker: Any, add: Any) -> None:
    seen: list[Any] = []
    with worker(app):
        result = add.delay(1)
        value_of(result, callback=lambda task_id, value: seen.append((task_id, value)))
    assert seen == [(result.id, 1)]


def test_wait_is_get(app: Any, worker: Any, add: Any) -> None:
    with worker(app):
        assert add.delay(1).wait(timeout=10, interval=0.005) == 1


@pytest.mark.parametrize("guard", ["default", "off", "allowed", "denied"])
def test_get_inside_a_task(api: Any, app: Any, worker: Any, add: Any, guard: str, observed: Any) -> None:
    @app.task
    def outer() -> Any:
        result = add.delay(1)
        options = {"timeout": 10, "interval": 0.005}
        if guard == "off":
            return result.get(disable_sync_subtasks=False, **options)
        if guard == "allowed":
            with api.result.allow_join_result():
                return result.get(**options)
        if guard == "denied":
            with api.result.allow_join_result(), api.result.denied_join_result():
                return result.get(**options)
        return result.get(**options)

    with worker(app, concurrency=2):
        api.mod("_state")._set_task_join_will_block(True)
        result = outer.delay()
        until(result.ready)
        api.mod("_state")._set_task_join_will_block(False)
        answer = result.get(propagate=False)
        observed("answer", repr(answer).split("!")[0])


def test_guard_and_the_client(app: Any, worker: Any, add: Any) -> None:
    """A waiting client is not in a task, even while tasks run in its process."""
    with worker(app):
        assert value_of(add.delay(1)) == 1


def test_deadlock_with_the_guard_off(app: Any, worker: Any, add: Any, observed: Any) -> None:
    @app.task
    def outer() -> Any:
        try:
            return add.delay(1).get(disable_sync_subtasks=False, timeout=1.5, interval=0.005)
        except Exception as error:
            return type(error).__name__

    with worker(app, concurrency=1):
        observed("answer", value_of(outer.delay()), shim=1, row="celery-pool-grows-while-waiting")


def test_parent_of_a_link(app: Any, worker: Any, add: Any) -> None:
    with worker(app):
        result = add.apply_async((1,), link=add.s(2))
        value_of(result)
        assert result.children[0].parent is None or result.children[0].parent.id == result.id


def test_children_of_a_pending_result(app: Any) -> None:
    assert app.AsyncResult("never-3").children is None


def test_collect(api: Any, app: Any, worker: Any, add: Any) -> None:
    with worker(app):
        result = add.apply_async((1,), link=add.s(2))
        value_of(result)
        until(lambda: result.children[0].ready())
        assert [(r.id == result.id, v) for r, v in result.collect()] == [(True, 1), (False, 3)]
        assert result.get_leaf() == 3


def test_collect_of_an_unready_result(api: Any, app: Any) -> None:
    with pytest.raises(api.exceptions.IncompleteStream):
        list(app.AsyncResult("never-4").iterdeps())
    assert list(app.AsyncResult("never-4").iterdeps(intermediate=True)) == [(None, app.AsyncResult("never-4"))]


def test_forget(app: Any, worker: Any, add: Any) -> None:
    with worker(app):
        result = add.delay(1)
        value_of(result)
        result.forget()
        assert app.AsyncResult(result.id).state == "PENDING"


def test_then_on_a_push_backend(redis_app: Any, worker: Any) -> None:
    app = redis_app
    seen: list[Any] = []

    @app.task
    def one() -> int:
        return 1

    with worker(app):
        result = one.delay()
        result.then(lambda done: seen.append((done.id, done.result)))
        value_of(result)
        until(lambda: seen)
        assert seen == [(result.id, 1)]


def test_then_on_a_polled_backend(app: Any, worker: Any, add: Any, observed: Any) -> None:
    seen: list[Any] = []
    with worker(app):
        result = add.delay(1)
        result.then(lambda done: seen.append(done.id))
        value_of(app.AsyncResult(result.id))
        if observed.differs("celery-get-wakes-by-event"):
            until(lambda: seen)
        else:
            assert seen == []


def test_date_done(app: Any, worker: Any, add: Any) -> None:
    with worker(app):
        result = add.delay(1)
        value_of(result)
        done = result.date_done
        assert isinstance(done, datetime)
        done = done if done.tzinfo else done.replace(tzinfo=timezone.utc)
        assert abs(datetime.now(timezone.utc) - done) < timedelta(seconds=30)


EXTENDED = ["name", "args", "kwargs", "worker", "retries", "queue"]


@pytest.mark.parametrize("name", EXTENDED)
def test_extended_results_are_off(app: Any, worker: Any, add: Any, observed: Any, name: str) -> None:
    with worker(app):
        result = add.delay(1, y=2)
        value_of(result)
        observed("value", getattr(app.AsyncResult(result.id), name))


@pytest.mark.parametrize("name", EXTENDED)
def test_extended_results(make_app: Any, worker: Any, observed: Any, name: str) -> None:
    app = make_app(result_extended=True)

    @app.task(name="add")
    def add(x: int, y: int = 0) -> int:
        return x + y

    with worker(app):
        result = add.delay(1, y=2)
        value_of(result)
        value = getattr(app.AsyncResult(result.id), name)
        if name == "worker":
            assert isinstance(value, str)
            assert value
        else:
            observed("value", value)


def test_meta_of_a_success(app: Any, worker: Any, add: Any, observed: Any) -> None:
    with worker(app):
        result = add.delay(1)
        value_of(result)
        meta = app.backend.get_task_meta(result.id)
        observed("keys", sorted(meta))
        observed("fixed", {key: meta[key] for key in ("status", "result", "traceback", "children")})


def test_revoked(api: Any, app: Any, worker: Any, add: Any) -> None:
    with worker(app):
        result = add.apply_async((1,), countdown=600)
        result.revoke()
        with pytest.raises(api.exceptions.TaskRevokedError):
            value_of(result)
        assert (result.state, result.ready(), result.failed(), result.successful()) == ("REVOKED", True, False, False)
        assert isinstance(result.get(propagate=False), api.exceptions.TaskRevokedError)


def test_a_task_that_returns_a_result(app: Any, worker: Any, add: Any) -> None:
    @app.task
    def outer() -> Any:
        return add.delay(1)

    with worker(app):
        value = value_of(outer.delay())
        assert value[1] is None
        assert value_of(app.AsyncResult(value[0][0])) == 1


def test_maybe_throw(api: Any, app: Any) -> None:
    app.backend.mark_as_failure("mt", ValueError("x"))
    result = app.AsyncResult("mt")
    with pytest.raises(ValueError, match="x"):
        result.maybe_throw()
    with pytest.raises(ValueError, match="x"):
        result.maybe_reraise()
    assert repr(result.maybe_throw(propagate=False)) == "ValueError('x')"
    app.backend.mark_as_done("mt2", 1)
    assert app.AsyncResult("mt2").maybe_throw() == 1


def test_failures_of_parents_come_first(api: Any, app: Any) -> None:
    app.backend.mark_as_failure("pp", KeyError("parent"))
    app.backend.mark_as_done("cc", 1)
    result = api.result.AsyncResult("cc", app=app, parent=app.AsyncResult("pp"))
    with pytest.raises(KeyError, match="parent"):
        result.get(timeout=1)
    assert result.get(timeout=1, follow_parents=False) == 1
    assert result.get(timeout=1, propagate=False) == 1


def test_disabled_backend(api: Any, worker: Any) -> None:
    app = api.Celery("conf", broker="memory://", backend="disabled://")

    @app.task
    def one() -> int:
        return 1

    result = one.delay()
    assert result.id
    with pytest.raises(NotImplementedError, match="No result backend is configured"):
        result.get(timeout=1)
    with pytest.raises(AttributeError, match="DisabledBackend"):
        _ = result.state
    with pytest.raises(NotImplementedError):
        result.forget()


def test_no_backend_configured(api: Any, worker: Any, observed: Any) -> None:
    app = api.Celery("conf", broker="memory://")
    app.conf.broker_transport_options = {"polling_interval": 0.005}

    @app.task
    def one() -> int:
        return 1

    with worker(app):
        result = one.delay()
        if observed.differs("celery-built-in-results"):
            assert value_of(result) == 1
        else:
            with pytest.raises(NotImplementedError):
                result.get(timeout=1)


def test_many_waiters(app: Any, worker: Any, add: Any) -> None:
    answers: list[int] = []
    with worker(app):
        result = add.apply_async((5,), countdown=0.2)
        threads = [threading.Thread(target=lambda: answers.append(value_of(result))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert answers == [5] * 8


@pytest.mark.parametrize("state", ["STARTED", "RETRY", "RECEIVED", "MINE"])
def test_states_that_are_not_ready(app: Any, state: str) -> None:
    app.backend.store_result(f"nr-{state}", ValueError("x") if state == "RETRY" else {"a": 1}, state)
    result = app.AsyncResult(f"nr-{state}")
    assert (result.state, result.ready()) == (state, False)
