"""`shared_task`, the current application, lazy task proxies, pickled applications, late bound application state.

Applications that share tasks at finalization are in test_task_decorator.py.
"""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from .waiting import value_of


def test_shared_task_follows_the_current_application(api: Any) -> None:
    @api.shared_task(name="shared-one")
    def one() -> int:
        return 1

    first, second = api.Celery("first"), api.Celery("second")
    first.set_current()
    assert one.app is first
    second.set_current()
    assert one.app is second
    assert one() == 1


@pytest.mark.parametrize("options", [{}, {"max_retries": 9}, {"bind": True}])
def test_options(api: Any, app: Any, options: Any) -> None:
    @api.shared_task(name="shared-two", **options)
    def two(*args: Any) -> int:
        return len(args)

    assert two.name == "shared-two"
    assert two("x") == (2 if "bind" in options else 1)
    assert two.max_retries == options.get("max_retries", 3)


def test_without_parentheses(api: Any, app: Any) -> None:
    @api.shared_task
    def three() -> int:
        return 3

    assert three.name == f"{__name__}.three"
    assert three() == 3


def test_it_is_a_plain_proxy(api: Any, app: Any) -> None:
    @api.shared_task
    def four() -> int:
        return 4

    assert type(four) is api.mod("local").Proxy


def test_twice_is_refused(api: Any, app: Any) -> None:
    @api.shared_task
    def five() -> int:
        return 5

    with pytest.raises(TypeError):
        api.shared_task(five)


def test_runs(api: Any, app: Any, worker: Any) -> None:
    @api.shared_task(name="shared-six")
    def six(x: int) -> int:
        return x * 6

    with worker(app):
        assert value_of(six.delay(2)) == 12
        assert value_of(app.send_task("shared-six", (3,))) == 18


def test_made_before_and_after_the_application(api: Any) -> None:
    @api.shared_task(name="shared-before")
    def before() -> None:
        """Nothing."""

    app = api.Celery("conf")
    assert "shared-before" in app.tasks

    @api.shared_task(name="shared-after")
    def after() -> None:
        """Nothing."""

    assert "shared-after" in app.tasks


def test_last_application_is_current(api: Any) -> None:
    first = api.Celery("first")
    assert api.current_app._get_current_object() is first
    second = api.Celery("second")
    assert api.current_app.main == "second"
    third = api.Celery("third", set_as_current=False)
    assert api.current_app.main == "second"
    third.set_current()
    assert api.mod("_state").get_current_app() is third
    assert second is not third


def test_current_application_is_per_thread(api: Any) -> None:
    api.mod("_state").set_default_app(api.Celery("default", set_as_current=False))
    api.Celery("main-thread")
    seen: list[str] = []

    def other() -> None:
        seen.append(api.current_app.main)
        api.Celery("in-thread")
        seen.append(api.current_app.main)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(10)
    assert seen == ["default", "in-thread"]
    assert api.current_app.main == "main-thread"


def test_set_default(api: Any) -> None:
    app = api.Celery("conf", set_as_current=False)
    app.set_default()
    assert api.mod("_state").default_app is app


def test_app_or_default(api: Any) -> None:
    app = api.Celery("conf")
    assert api.mod("app").app_or_default() is app
    other = api.Celery("other", set_as_current=False)
    assert api.mod("app").app_or_default(other) is other


def test_push_and_pop_of_the_current_task(api: Any, app: Any) -> None:
    @app.task
    def one() -> None:
        """Nothing."""

    module = api.mod("app")
    module.push_current_task(one)
    try:
        assert api.mod("_state").get_current_task() is one
    finally:
        module.pop_current_task()
    assert api.mod("_state").get_current_task() is None


def test_pickled_application(api: Any) -> None:
    app = api.Celery("conf", broker="memory://x")
    app.conf.task_default_queue = "mine"
    again = pickle.loads(pickle.dumps(app))
    assert again is not app
    assert again.main == "conf"
    assert again.conf.task_default_queue == "mine"
    assert again.conf.broker_url == "memory://x"


def test_pickled_subclass(api: Any) -> None:
    again = pickle.loads(pickle.dumps(PickledApplication("conf", set_as_current=False)))
    assert type(again) is PickledApplication


def test_pickled_signature(app: Any) -> None:
    app.set_current()

    @app.task(name="pickled")
    def one(x: int) -> int:
        return x

    again = pickle.loads(pickle.dumps(one.s(3)))
    assert (again.task, tuple(again.args)) == ("pickled", (3,))
    assert again() == 3


def test_promise_proxy_attributes(api: Any, app: Any) -> None:
    @app.task(name="lazy")
    def lazy() -> int:
        """The doc."""
        return 1

    assert lazy.__doc__ == "The doc."
    assert repr(lazy).startswith("<@task: lazy of conf")
    assert lazy == app.tasks["lazy"]
    assert isinstance(lazy, api.Task)
    assert callable(lazy)


def test_two_applications_of_one_broker(make_app: Any, worker: Any) -> None:
    """The broker belongs to its URL, not to an application object."""
    serving, asking = make_app("serving"), make_app("asking")

    @serving.task(name="served", shared=False)
    def served(x: int) -> int:
        return x + 1

    with worker(serving, hostname="node@host"):
        assert value_of(asking.send_task("served", (1,))) == 2
        assert asking.control.inspect(["node@host"], timeout=8).ping() == {"node@host": {"ok": "pong"}}


def test_context_manager_and_close(api: Any) -> None:
    with api.Celery("conf", set_as_current=False) as app:
        assert app.main == "conf"


def test_subclass_with_self(api: Any, app: Any) -> None:
    class Thing:
        app: Any = None

    made = app.subclass_with_self(Thing, name="Made", attribute="app")
    assert made.app is app
    assert made.__name__ == "Made"


def test_either(app: Any) -> None:
    app.conf.my_setting = 4
    assert app.either("my_setting", 1, 2) == 1
    assert app.either("my_setting", None, 2) == 2
    assert app.either("my_setting", None, None) == 4


@pytest.mark.parametrize("name", ["oid", "thread_oid"])
def test_identities(app: Any, name: str) -> None:
    assert isinstance(getattr(app, name), str)
    assert getattr(app, name) == getattr(app, name)


def test_bugreport(api: Any, app: Any) -> None:
    text = app.bugreport()
    assert text.startswith("\nsoftware -> celery:")
    assert "loader   -> " in text
    assert api.bugreport()


@pytest.mark.parametrize(
    "name",
    [
        "amqp",
        "backend",
        "control",
        "events",
        "log",
        "loader",
        "tasks",
        "Task",
        "Worker",
        "WorkController",
        "AsyncResult",
        "GroupResult",
        "ResultSet",
        "pool",
        "producer_pool",
        "timezone",
        "user_options",
        "steps",
        "fixups",
    ],
)
def test_attribute_exists(app: Any, name: str) -> None:
    assert getattr(app, name) is not None


def test_user_options_and_steps(app: Any, observed: Any) -> None:
    observed("user options", sorted(app.user_options))
    observed("steps", sorted(app.steps))


def test_version(api: Any, observed: Any) -> None:
    observed("version", api.__version__)
    observed("tuple", list(api.VERSION)[:3])
    assert api.VERSION >= (5, 0)
    observed("info", [api.version_info.major, api.version_info.minor])


@pytest.mark.parametrize("name", ["task", "decorators", "five", "utils.encoding"])
def test_modules_that_are_gone(api: Any, name: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        api.mod(name)


def test_uuid(api: Any) -> None:
    assert api.uuid() != api.uuid()
    assert len(api.uuid()) == 36


def _make_application_class() -> Any:
    from .namespace import API

    class PickledApplication(API.Celery):  # type: ignore[misc]
        """An application class that pickle finds by its name."""

    PickledApplication.__qualname__ = "PickledApplication"
    return PickledApplication


PickledApplication = _make_application_class()
