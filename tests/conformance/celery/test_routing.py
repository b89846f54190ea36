"""Where a task goes: `task_routes`, queues, what a worker consumes, the router itself.

Priorities of routes are in test_priorities.py.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from .waiting import until, value_of


@pytest.fixture
def destination(signal_log: Any) -> Any:
    """Return a function that sends a task by name and answers (exchange, routing key)."""
    signal_log.listen("before_task_publish")

    def send(app: Any, name: str = "pkg.job", **options: Any) -> list[Any]:
        app.send_task(name, **options)
        kwargs = signal_log.of("before_task_publish")[-1][1]
        return [kwargs["exchange"], kwargs["routing_key"]]

    return send


def by_function(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **kw: Any) -> Any:
    """Route one name, leave the others."""
    return {"queue": "by-function"} if name == "pkg.job" else None


class ByClass:
    """A router object."""

    def route_for_task(self, task: str, *args: Any, **kwargs: Any) -> Any:
        return "by-class" if task == "pkg.job" else None


ROUTES: list[tuple[str, Any]] = [
    ("exact", {"pkg.job": "exact"}),
    ("exact dict", {"pkg.job": {"queue": "exact-dict"}}),
    ("glob", {"pkg.*": {"queue": "glob"}}),
    ("regex", {re.compile(r"pkg\.(job|work)"): {"queue": "regex"}}),
    ("pairs", ([("pkg.*", {"queue": "pairs"})],)),
    ("two pairs", ([("other.*", {"queue": "other"}), ("pkg.*", {"queue": "second"})],)),
    ("list of dicts", [{"other": "no"}, {"pkg.job": "from-list"}]),
    ("function", by_function),
    ("functions", [by_function]),
    ("path", f"{__name__}.by_function"),
    ("object", [ByClass()]),
    ("no match", {"other.*": "other"}),
    ("exchange", {"pkg.job": {"exchange": "ex", "routing_key": "rk"}}),
    ("key only", {"pkg.job": {"queue": "kq", "routing_key": "rk"}}),
]


@pytest.mark.parametrize(("kind", "routes"), ROUTES, ids=[kind for kind, _ in ROUTES])
def test_route(make_app: Any, destination: Any, observed: Any, kind: str, routes: Any) -> None:
    observed("destination", destination(make_app(task_routes=routes)))


@pytest.mark.parametrize(
    "options",
    [
        {"queue": "mine"},
        {"routing_key": "rk"},
        {"exchange": "ex"},
        {"exchange": "ex", "routing_key": "rk"},
        {"queue": "mine", "routing_key": "rk"},
    ],
)
def test_options_of_the_call_win(make_app: Any, destination: Any, observed: Any, options: Any) -> None:
    app = make_app(task_routes={"pkg.job": {"queue": "routed"}})
    observed("destination", destination(app, **options))


def test_default_queue(make_app: Any, destination: Any, observed: Any) -> None:
    observed("plain", destination(make_app()))
    observed("renamed", destination(make_app(task_default_queue="other")))
    observed(
        "all", destination(make_app(task_default_queue="q", task_default_exchange="e", task_default_routing_key="r"))
    )


def test_queue_attribute_of_the_task(app: Any, signal_log: Any, observed: Any) -> None:
    @app.task(queue="own")
    def one() -> None:
        """Nothing."""

    signal_log.listen("before_task_publish")
    one.delay()
    kwargs = signal_log.of("before_task_publish")[0][1]
    observed("destination", [kwargs["exchange"], kwargs["routing_key"]])


def test_queue_objects(api: Any, make_app: Any, destination: Any, observed: Any) -> None:
    from kombu import Exchange, Queue

    app = make_app(task_queues=[Queue("a", Exchange("ex"), routing_key="ka"), Queue("b")], task_default_queue="a")
    observed("default", destination(app))
    observed("named", destination(app, queue="b"))
    observed("object", destination(app, queue=Queue("c", Exchange("exc"), routing_key="kc")))


def test_queues_of_the_application(make_app: Any, observed: Any) -> None:
    from kombu import Queue

    app = make_app(task_queues=[Queue("a"), Queue("b")])
    observed("names", sorted(app.amqp.queues))
    observed("consumed", sorted(app.amqp.queues.consume_from))
    observed("default", make_app().amqp.queues["celery"].name)


def test_queues_as_dict(make_app: Any, observed: Any) -> None:
    app = make_app(task_queues={"a": {"routing_key": "ka", "exchange": "ex"}})
    queue = app.amqp.queues["a"]
    observed("queue", [queue.name, queue.routing_key, queue.exchange.name])


def test_missing_queues_are_made(make_app: Any) -> None:
    app = make_app(task_create_missing_queues=True)
    assert app.amqp.queues["new"].name == "new"


def test_missing_queues_are_refused(api: Any, make_app: Any) -> None:
    app = make_app(task_create_missing_queues=False)
    with pytest.raises(api.exceptions.QueueNotFound):
        app.send_task("x", queue="new")
    assert issubclass(api.exceptions.QueueNotFound, KeyError)


def test_select_queues(api: Any, make_app: Any) -> None:
    from kombu import Queue

    app = make_app(task_queues=[Queue("a"), Queue("b"), Queue("c")])
    app.select_queues(["a"])
    assert list(app.amqp.queues.consume_from) == ["a"]
    app.amqp.queues.select_add("z")
    assert sorted(app.amqp.queues.consume_from) == ["a", "z"]
    app.amqp.queues.deselect("z")
    assert list(app.amqp.queues.consume_from) == ["a"]


def test_deselect(make_app: Any) -> None:
    from kombu import Queue

    app = make_app(task_queues=[Queue("a"), Queue("b")])
    app.amqp.queues.deselect(["a"])
    assert list(app.amqp.queues.consume_from) == ["b"]


def test_a_worker_consumes_what_it_was_told(make_app: Any, worker: Any) -> None:
    app = make_app()
    ran: list[str] = []

    @app.task
    def note(x: str) -> None:
        ran.append(x)

    with worker(app, concurrency=1, queues="one,two"):
        waiting = note.apply_async(("celery",))
        note.apply_async(("one",), queue="one")
        value_of(note.apply_async(("two",), queue="two"))
        assert sorted(ran) == ["one", "two"]
        assert waiting.state == "PENDING"


@pytest.mark.manual
def test_a_queue_that_nobody_consumes_keeps_its_tasks(make_app: Any, worker: Any) -> None:
    app = make_app()
    ran: list[int] = []

    @app.task
    def note(x: int) -> int:
        ran.append(x)
        return x

    result = note.apply_async((1,), queue="later")
    with worker(app, concurrency=1):
        assert value_of(note.delay(2)) == 2
        assert ran == [2]
    with worker(app, concurrency=1, queues=["later"]):
        assert value_of(result) == 1


def test_add_and_cancel_consumer(make_app: Any, worker: Any, observed: Any) -> None:
    app = make_app()

    @app.task
    def echo(x: int) -> int:
        return x

    with worker(app, concurrency=1):
        result = echo.apply_async((1,), queue="extra")
        replies = app.control.add_consumer("extra", reply=True, timeout=1)
        observed("added", [list(reply.values()) for reply in replies])
        assert value_of(result) == 1
        replies = app.control.cancel_consumer("extra", reply=True, timeout=1)
        observed("cancelled", [list(reply.values()) for reply in replies])


def test_delivery_info_of_a_route(make_app: Any, worker: Any, observed: Any) -> None:
    app = make_app(task_routes={"job": {"queue": "routed"}})

    @app.task(name="job", bind=True)
    def job(self: Any) -> Any:
        return {key: self.request.delivery_info[key] for key in ("exchange", "routing_key")}

    with worker(app, queues="routed"):
        observed("delivery_info", value_of(job.delay()))


def test_router(api: Any, make_app: Any, observed: Any) -> None:
    app = make_app(task_routes={"pkg.job": {"queue": "routed", "priority": 3}})
    route = app.amqp.router.route({"countdown": 3}, "pkg.job")
    observed("route", {**route, "queue": route["queue"].name})
    plain = app.amqp.router.route({}, "other")
    observed("plain", {**plain, "queue": plain["queue"].name})


@pytest.mark.parametrize("routes", [{"a.b": "q"}, [("a.*", "q")], {re.compile("a.b"): "q"}])
def test_map_route(api: Any, routes: Any) -> None:
    route = api.mod("app.routes").MapRoute(routes)
    assert route("a.b") in ({"queue": "q"}, "q")
    assert route("other") is None


def test_prepare(api: Any) -> None:
    routes = api.mod("app.routes")
    assert routes.prepare(None) == ()
    assert len(routes.prepare([{"a": "b"}, by_function])) == 2


def test_purge(app: Any, worker: Any, observed: Any) -> None:
    @app.task
    def one() -> None:
        """Nothing."""

    with worker(app, queues="elsewhere"):
        for _ in range(3):
            one.delay()
        observed("removed", app.control.purge())
    until(lambda: True)
