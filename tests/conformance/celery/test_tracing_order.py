"""The order in which hooks, signals, states and callbacks come when a task runs, and errors in hooks.

Retries have test_retry.py; the arguments of signals have test_signals.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .waiting import until, value_of

SIGNALS = (
    "task_received",
    "task_prerun",
    "task_success",
    "task_failure",
    "task_retry",
    "task_postrun",
    "task_internal_error",
)


class Course:
    """What happened, in order."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def __call__(self, step: str) -> None:
        self.steps.append(step)


@pytest.fixture
def course() -> Course:
    """An empty course."""
    return Course()


@pytest.fixture
def hooked(api: Any, course: Course) -> Iterator[Any]:
    """A base class whose hooks and whose signals are noted in `course`."""

    class Hooked(api.Task):  # type: ignore[misc]
        abstract = True

        def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
            course("before_start")

        def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
            course(f"on_success {retval!r} stored={self.AsyncResult(task_id).state}")

        def on_failure(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
            course(f"on_failure {exc!r} einfo={type(einfo).__name__} stored={self.AsyncResult(task_id).state}")

        def on_retry(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
            course(f"on_retry {exc!r} stored={self.AsyncResult(task_id).state}")

        def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
            course(f"after_return {status} {retval!r} {list(args)} {kwargs} einfo={einfo}")

    receivers = []
    for name in SIGNALS:

        def receive(sender: Any = None, _name: str = name, **kwargs: Any) -> None:
            course(_name + (f" {kwargs['state']}" if _name == "task_postrun" else ""))

        getattr(api.signals, name).connect(receive, weak=False)
        receivers.append((name, receive))
    yield Hooked
    for name, receive in receivers:
        getattr(api.signals, name).disconnect(receive)


def ended(course: Course, count: int = 1) -> list[str]:
    """Return the steps once `task_postrun` came `count` times."""
    until(lambda: sum(step.startswith("task_postrun") for step in course.steps) >= count)
    return course.steps


def test_success(app: Any, worker: Any, hooked: Any, course: Course, observed: Any) -> None:
    @app.task(base=hooked)
    def ok(x: int, y: int = 0) -> int:
        course("body")
        return x

    with worker(app):
        ok.delay(3, y=4)
        observed("order", ended(course))


def test_failure(app: Any, worker: Any, hooked: Any, course: Course, observed: Any) -> None:
    @app.task(base=hooked)
    def bad(x: int) -> int:
        raise ValueError(x)

    with worker(app):
        bad.delay(3)
        observed("order", ended(course))


def test_retry(app: Any, worker: Any, hooked: Any, course: Course, observed: Any) -> None:
    @app.task(base=hooked, bind=True)
    def again(self: Any) -> str:
        if not self.request.retries:
            raise self.retry(exc=ValueError("again"), countdown=0)
        return "done"

    with worker(app, concurrency=1):
        again.delay()
        observed("order", [step for step in ended(course, 2) if step != "task_received"])


def test_track_started(make_app: Any, worker: Any, hooked: Any, course: Course, observed: Any) -> None:
    app = make_app(task_track_started=True)

    @app.task(base=hooked, bind=True)
    def ok(self: Any) -> int:
        result = self.AsyncResult(self.request.id)
        course(f"body stored={result.state} keys={sorted(result.info)}")
        return 1

    with worker(app):
        ok.delay()
        observed("order", ended(course))


def test_state_during_the_body_without_tracking(app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def me(self: Any) -> str:
        return str(self.AsyncResult(self.request.id).state)

    with worker(app):
        assert value_of(me.delay()) == "PENDING"


@pytest.mark.parametrize("exception", ["Ignore", "Reject"])
def test_ignore_and_reject(
    api: Any, app: Any, worker: Any, hooked: Any, course: Course, observed: Any, exception: str
) -> None:
    @app.task(base=hooked)
    def stop() -> None:
        raise getattr(api.exceptions, exception)("why")

    with worker(app):
        stop.delay()
        ended(course)
        until(lambda: exception == "Ignore" or "task_failure" in course.steps)
        observed("order", course.steps)


def test_eager_success(app: Any, hooked: Any, course: Course, observed: Any) -> None:
    @app.task(base=hooked)
    def ok(x: int) -> int:
        course("body")
        return x

    ok.apply((1,))
    observed("order", course.steps)


def test_eager_failure(app: Any, hooked: Any, course: Course, observed: Any) -> None:
    @app.task(base=hooked)
    def bad() -> None:
        raise ValueError("x")

    assert bad.apply().state == "FAILURE"
    observed("order", course.steps)


def test_eager_failure_with_throw(app: Any, hooked: Any, course: Course, observed: Any) -> None:
    @app.task(base=hooked)
    def bad() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        bad.apply(throw=True)
    observed("order", course.steps)


def test_direct_call_has_no_hooks(app: Any, hooked: Any, course: Course) -> None:
    @app.task(base=hooked)
    def ok() -> int:
        return 1

    assert ok() == 1
    assert course.steps == []


def test_link_is_published_before_the_result_is_stored(api: Any, app: Any, worker: Any) -> None:
    seen: list[str] = []

    @app.task
    def after(value: Any) -> None:
        """Nothing."""

    @app.task
    def first() -> int:
        return 1

    def published(sender: Any = None, **kwargs: Any) -> None:
        if sender == after.name:
            seen.append(app.AsyncResult("the-id").state)

    api.signals.before_task_publish.connect(published)
    try:
        with worker(app):
            value_of(first.apply_async(task_id="the-id", link=after.s()))
            until(lambda: seen)
    finally:
        api.signals.before_task_publish.disconnect(published)
    assert seen == ["PENDING"]


def test_new_style_errback_comes_before_on_failure(app: Any, worker: Any, hooked: Any, course: Course) -> None:
    @app.task
    def errback(request: Any, exc: Any, traceback: Any) -> None:
        course("errback")

    @app.task(base=hooked)
    def bad() -> None:
        raise ValueError("x")

    with worker(app):
        bad.apply_async(link_error=errback.s())
        steps = ended(course)
    names = [step.split()[0] for step in steps]
    assert names.index("errback") < names.index("on_failure")


@pytest.mark.parametrize("hook", ["before_start", "on_success", "after_return", "on_failure"])
def test_error_in_a_hook(api: Any, app: Any, worker: Any, observed: Any, hook: str) -> None:
    def failing(self: Any, *args: Any) -> None:
        raise RuntimeError(f"in {hook}")

    base = type("Failing", (api.Task,), {"abstract": True, hook: failing})

    @app.task(base=base)
    def body(fail: bool) -> int:
        if fail:
            raise ValueError("body")
        return 5

    @app.task
    def ping() -> None:
        """Nothing; it ends after whatever the task before it still stores."""

    with worker(app, concurrency=1):
        for fail in (False, True):
            result = body.delay(fail)
            until(result.ready)
            value_of(ping.delay())
            stored = app.AsyncResult(result.id)
            observed(f"fail={fail}", [stored.state, repr(stored.get(propagate=False))])


@pytest.mark.parametrize("hook", ["before_start", "on_success", "after_return"])
def test_error_in_a_hook_eager(api: Any, app: Any, observed: Any, hook: str) -> None:
    def failing(self: Any, *args: Any) -> None:
        raise RuntimeError(f"in {hook}")

    @app.task(base=type("Failing", (api.Task,), {"abstract": True, hook: failing}))
    def body() -> int:
        return 5

    try:
        answer = body.apply()
        observed("outcome", [answer.state, repr(answer.result)])
    except Exception as error:
        observed("raised", repr(error))


def test_custom_call(api: Any, app: Any, worker: Any) -> None:
    class Wrapping(api.Task):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return ["wrapped", self.request.called_directly, super().__call__(*args, **kwargs)]

    @app.task(base=Wrapping)
    def inner(x: int) -> int:
        return x

    with worker(app):
        assert value_of(inner.delay(3)) == ["wrapped", False, 3]
    assert inner(4) == ["wrapped", True, 4]
    assert inner.apply((5,)).get() == ["wrapped", False, 5]


def test_handler_order_of_two_hooks_classes(api: Any, app: Any, worker: Any) -> None:
    seen: list[str] = []

    class One(api.Task):  # type: ignore[misc]
        def on_success(self, *args: Any) -> None:
            seen.append("one")

    class Two(One):
        def on_success(self, *args: Any) -> None:
            seen.append("two")
            super().on_success(*args)

    @app.task(base=Two)
    def ok() -> int:
        return 1

    with worker(app):
        value_of(ok.delay())
        until(lambda: len(seen) == 2)
    assert seen == ["two", "one"]
