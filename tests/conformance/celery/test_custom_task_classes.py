"""Task classes of applications and add-ons: overridden methods, mixins, inheritance, attributes between runs.

Hooks have test_tracing_order.py; real add-ons are run in test_addons_hooks.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from .waiting import until, value_of


def test_apply_async_override_is_used_by_delay(api: Any, app: Any, worker: Any) -> None:
    seen: list[Any] = []

    class Noting(api.Task):  # type: ignore[misc]
        abstract = True

        def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
            seen.append((args, kwargs, sorted(options)))
            return super().apply_async(args, {**(kwargs or {}), "tenant": "t"}, **options)

    @app.task(base=Noting)
    def read(x: int, tenant: str = "none") -> list[Any]:
        return [x, tenant]

    with worker(app):
        assert value_of(read.delay(1)) == [1, "t"]
        assert value_of(read.s(2).delay()) == [2, "t"]
        assert value_of(read.apply_async((3,), countdown=0)) == [3, "t"]
    assert seen[0] == ((1,), {}, [])
    assert len(seen) == 3


def test_apply_async_may_refuse(api: Any, app: Any) -> None:
    class Once(api.Task):  # type: ignore[misc]
        abstract = True

        def apply_async(self, *args: Any, **kwargs: Any) -> Any:
            return api.result.EagerResult(None, None, "REJECTED")

    @app.task(base=Once)
    def one() -> None:
        """Nothing."""

    assert one.delay().state == "REJECTED"


def test_retry_goes_through_apply_async(api: Any, app: Any, worker: Any) -> None:
    seen: list[Any] = []

    class Noting(api.Task):  # type: ignore[misc]
        abstract = True

        def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
            seen.append(options.get("retries", 0))
            return super().apply_async(args, kwargs, **options)

    @app.task(base=Noting, bind=True)
    def again(self: Any) -> str:
        if self.request.retries < 2:
            raise self.retry(countdown=0)
        return "end"

    with worker(app, concurrency=1):
        assert value_of(again.delay()) == "end"
    assert seen == [0, 1, 2]


def test_run_override(api: Any, app: Any, worker: Any) -> None:
    class Job(api.Task):  # type: ignore[misc]
        name = "class-job"

        def __init__(self) -> None:
            self.made = "in constructor"

        def run(self, x: int) -> list[Any]:
            return [x, self.made]

    job = app.register_task(Job())
    with worker(app):
        assert value_of(job.delay(4)) == [4, "in constructor"]


def test_constructor_runs_once(api: Any, app: Any, worker: Any) -> None:
    made: list[int] = []

    class Counted(api.Task):  # type: ignore[misc]
        abstract = True

        def __init__(self) -> None:
            made.append(1)

    @app.task(base=Counted)
    def one() -> None:
        """Nothing."""

    with worker(app):
        for _ in range(3):
            value_of(one.delay())
    assert made == [1]


def test_cached_resource(api: Any, app: Any, worker: Any) -> None:
    class WithConnection(api.Task):  # type: ignore[misc]
        abstract = True
        _connection: Any = None
        opened = 0

        @property
        def connection(self) -> Any:
            if self._connection is None:
                type(self).opened += 1
                self._connection = object()
            return self._connection

    @app.task(base=WithConnection, bind=True)
    def use(self: Any) -> int:
        assert self.connection is not None
        return int(type(self).opened)

    with worker(app, concurrency=1):
        assert [value_of(use.delay()) for _ in range(3)] == [1, 1, 1]


def test_mixin(api: Any, app: Any, worker: Any) -> None:
    class Mixin:
        def tag(self) -> str:
            return "mixin"

    class Base(Mixin, api.Task):  # type: ignore[misc]
        abstract = True

    @app.task(base=Base, bind=True)
    def me(self: Any) -> str:
        return str(self.tag())

    with worker(app):
        assert value_of(me.delay()) == "mixin"


def test_super_call_arguments(api: Any, app: Any, worker: Any) -> None:
    class Injecting(api.Task):  # type: ignore[misc]
        abstract = True

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return super().__call__(*args, injected=True, **kwargs)

    @app.task(base=Injecting, typing=False)
    def read(x: int, injected: bool = False) -> list[Any]:
        return [x, injected]

    with worker(app):
        assert value_of(read.delay(1)) == [1, True]


def test_hooks_of_a_class(api: Any, app: Any, worker: Any) -> None:
    seen: list[str] = []

    class Base(api.Task):  # type: ignore[misc]
        abstract = True

        @classmethod
        def on_bound(cls, app: Any) -> None:
            seen.append(f"bound {app.main}")

        def on_success(self, retval: Any, *args: Any) -> None:
            seen.append(f"success {retval}")

    @app.task(base=Base)
    def one() -> int:
        return 1

    with worker(app):
        value_of(one.delay())
        until(lambda: "success 1" in seen)
    assert "bound conf" in seen


def test_class_option_defaults(api: Any, app: Any, worker: Any) -> None:
    class Base(api.Task):  # type: ignore[misc]
        abstract = True
        max_retries = 9
        default_retry_delay = 5
        acks_late = True

    @app.task(base=Base, max_retries=1)
    def one() -> None:
        """Nothing."""

    assert (one.max_retries, one.default_retry_delay, one.acks_late) == (1, 5, True)


@pytest.mark.parametrize("attribute", ["Strategy", "Request"])
def test_replaced_machinery(api: Any, app: Any, worker: Any, observed: Any, attribute: str) -> None:
    default = {"Strategy": "celery.worker.strategy:default", "Request": "celery.worker.request:Request"}[attribute]
    assert getattr(api.Task, attribute) == default


def test_add_trail_and_children(app: Any, worker: Any) -> None:
    @app.task
    def inner() -> int:
        return 1

    @app.task(bind=True)
    def outer(self: Any) -> list[bool]:
        result = inner.delay()
        return [self.request.children == [result], self.add_trail(result) is result]

    with worker(app):
        assert value_of(outer.delay()) == [True, True]


def test_send_event_is_accepted(app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def one(self: Any) -> int:
        self.send_event("task-custom", a=1)
        return 1

    with worker(app):
        assert value_of(one.delay()) == 1


def test_replace_with_a_task(app: Any, worker: Any) -> None:
    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    @app.task(bind=True)
    def first(self: Any, x: int) -> None:
        raise self.replace(add.s(x, 10))

    with worker(app, concurrency=1):
        result = first.delay(5)
        assert value_of(result) == 15


def test_replace_keeps_id_and_links(app: Any, worker: Any) -> None:
    seen: list[Any] = []

    @app.task(bind=True)
    def second(self: Any) -> str:
        seen.append([self.request.id, self.request.replaced_task_nesting])
        return "second"

    @app.task
    def after(x: Any) -> None:
        seen.append(x)

    @app.task(bind=True)
    def first(self: Any) -> None:
        self.replace(second.s())

    with worker(app, concurrency=1):
        result = first.apply_async(link=after.s())
        assert value_of(result) == "second"
        until(lambda: len(seen) == 2)
        assert seen == [[result.id, 1], "second"]


def test_replace_in_eager_mode(make_app: Any, observed: Any) -> None:
    app = make_app(task_always_eager=True)

    @app.task
    def second(x: int) -> int:
        return x * 2

    @app.task(bind=True)
    def first(self: Any) -> Any:
        return self.replace(second.s(4))

    observed("delay", repr(first.delay().result).split("!")[0])
    app.conf.task_always_eager = False
    assert first.apply().get() == 8
