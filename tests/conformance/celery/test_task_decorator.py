"""Making tasks: the decorator, names, laziness, finalization, base classes, class tasks, the registry.

Attributes of the result are test_task_attributes.py, `shared_task` is test_shared_tasks.py.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest


def add(x: int, y: int = 2) -> int:
    """Add two numbers."""
    return x + y


def test_without_parentheses(app: Any) -> None:
    task = app.task(add)
    assert task(2, 3) == 5
    assert task.name == f"{__name__}.add"


def test_with_options(app: Any) -> None:
    task = app.task(name="other.name", max_retries=9, own_option="x")(add)
    assert task.name == "other.name"
    assert task.max_retries == 9
    assert task.own_option == "x"


def test_a_positional_argument_must_be_callable(app: Any) -> None:
    with pytest.raises(TypeError):
        app.task("name")
    with pytest.raises(TypeError):
        app.task(add, add)


def test_proxy_until_finalized(api: Any, app: Any) -> None:
    task = app.task(add)
    assert type(task) is api.mod("local").PromiseProxy
    assert app.finalized is False
    assert app._tasks == {}
    assert task.name in app._tasks
    assert app.finalized is False
    assert task.name in app.tasks
    assert app.finalized is True


def test_eager_creation(api: Any, app: Any) -> None:
    task = app.task(lazy=False)(add)
    assert isinstance(task, api.Task)
    assert app.finalized is True or task.name in app._tasks


def test_after_finalize_tasks_are_created_at_once(api: Any, app: Any) -> None:
    app.finalize()
    task = app.task(add)
    assert isinstance(task, api.Task)
    assert app.tasks[f"{__name__}.add"].name == task.name


def test_finalize_twice(app: Any) -> None:
    app.finalize()
    first = app.tasks
    app.finalize()
    assert app.tasks is first


def test_autofinalize_off(api: Any) -> None:
    app = api.Celery("conf", autofinalize=False, set_as_current=False)
    app.task(add)
    with pytest.raises(RuntimeError) as caught:
        app.tasks  # noqa: B018
    assert str(caught.value) == "Contract breach: app not finalized"
    app.finalize()
    assert f"{__name__}.add" in app.tasks


def test_builtin_tasks(app: Any, observed: Any) -> None:
    observed("names", sorted(name for name in app.tasks if name.startswith("celery.") and name != "celery.ping"))


def test_finalize_signal(app: Any) -> None:
    seen: list[Any] = []

    @app.on_after_finalize.connect
    def after(sender: Any, **kwargs: Any) -> None:
        seen.append(sender)

    assert seen == []
    app.finalize()
    assert seen == [app]


def test_the_class_is_made_from_the_function(api: Any, app: Any) -> None:
    task = app.task(add)
    task_class = type(app.tasks[task.name])
    assert task_class.__name__ == "add"
    assert task_class.__qualname__ == "add"
    assert issubclass(task_class, api.Task)
    assert task.__doc__ == "Add two numbers."
    assert task.run(1, 1) == 2


def test_one_instance(app: Any) -> None:
    task = app.task(add)
    assert app.tasks[task.name] is app.tasks[task.name]
    assert app.tasks[task.name] == task


def test_bind(app: Any) -> None:
    @app.task(bind=True)
    def me(self: Any, x: int) -> tuple[str, int]:
        return self.name, x

    assert me(3) == (f"{__name__}.me", 3)


def test_base_class(api: Any, app: Any) -> None:
    class Base(api.Task):  # type: ignore[misc]
        abstract = True
        attribute = 7

        def helper(self) -> str:
            return "help"

    @app.task(base=Base, bind=True)
    def uses(self: Any) -> tuple[int, str]:
        return self.attribute, self.helper()

    assert uses() == (7, "help")
    assert isinstance(app.tasks[uses.name], Base)


def test_task_cls_of_the_application(api: Any) -> None:
    class Base(api.Task):  # type: ignore[misc]
        attribute = 3

    app = api.Celery("conf", task_cls=Base)
    assert app.task(add).attribute == 3
    assert issubclass(app.Task, Base)


def test_task_cls_as_attribute(api: Any) -> None:
    class Base(api.Task):  # type: ignore[misc]
        attribute = 4

    class Own(api.Celery):  # type: ignore[misc]
        task_cls = Base

    assert Own("conf").task(add).attribute == 4


def test_same_function_twice(app: Any) -> None:
    first, second = app.task(add), app.task(add)
    assert first.name == second.name
    assert app.tasks[first.name] == second


def test_a_second_callable_under_a_name(api: Any, app: Any) -> None:
    @app.task(name="same", shared=False)
    def first() -> int:
        return 1

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        @app.task(name="same", shared=False)
        def second() -> int:
            return 2

        assert app.tasks["same"]() == 1
        assert second() == 1
    assert any(issubclass(entry.category, api.exceptions.DuplicateTaskNameWarning) for entry in caught)


def test_register_task_last_wins(api: Any, app: Any) -> None:
    class First(api.Task):  # type: ignore[misc]
        name = "same"

        def run(self) -> int:
            return 1

    class Second(First):
        def run(self) -> int:
            return 2

    app.register_task(First())
    app.register_task(Second())
    assert app.tasks["same"].run() == 2


def test_register_task_class_or_instance(api: Any, app: Any) -> None:
    class Hello(api.Task):  # type: ignore[misc]
        def run(self, name: str) -> str:
            return f"hello {name}"

    task = app.register_task(Hello())
    assert task.name == f"{__name__}.Hello"
    assert app.tasks[task.name]("x") == "hello x"
    assert task.app is app


def test_main_module_gives_the_application_name(api: Any, app: Any) -> None:
    def job() -> None:
        """Nothing."""

    job.__module__ = "__main__"
    assert app.task(job).name == "conf.job"


def test_gen_task_name(app: Any) -> None:
    assert app.gen_task_name("job", "package.module") == "package.module.job"


def test_gen_task_name_override(api: Any) -> None:
    class Own(api.Celery):  # type: ignore[misc]
        def gen_task_name(self, name: str, module: str) -> str:
            return f"own.{name}"

    assert Own("conf").task(add).name == "own.add"


def test_registry(api: Any, app: Any) -> None:
    task = app.task(add)
    registry = app.tasks
    assert task.name in registry
    assert task.name in registry.regular()
    assert registry.periodic() == {}
    with pytest.raises(api.exceptions.NotRegistered):
        registry["nothing.here"]
    registry.unregister(task.name)
    assert task.name not in registry
    with pytest.raises(registry.NotRegistered):
        registry.unregister("nothing.here")


def test_not_registered_is_a_key_error(api: Any) -> None:
    error = api.exceptions.NotRegistered("x")
    assert isinstance(error, KeyError)
    assert repr(error) == "Task of kind 'x' never registered, please make sure it's imported."


def test_registry_of_its_own(api: Any) -> None:
    registry = api.mod("app.registry").TaskRegistry()
    app = api.Celery("conf", tasks=registry)
    task = app.task(add)
    app.finalize()
    assert registry[task.name] is app.tasks[task.name]


def test_task_must_have_a_name_in_the_registry(api: Any) -> None:
    class Nameless:
        name = None

    with pytest.raises(api.exceptions.InvalidTaskError):
        api.mod("app.registry").TaskRegistry().register(Nameless())


def test_two_applications_share_a_task(api: Any) -> None:
    one = api.Celery("one", set_as_current=False)
    two = api.Celery("two", set_as_current=False)
    task = one.task(add)
    private = one.task(shared=False, name="private")(add)
    assert task.name in two.tasks
    assert private.name in one.tasks
    assert private.name not in two.tasks
    assert two.tasks[task.name].app is two


def test_filter_option(app: Any) -> None:
    def checked(task: Any) -> Any:
        return ("filtered", task.name)

    assert app.task(filter=checked, lazy=False, name="f")(add) == ("filtered", "f")


def test_callable_object(app: Any) -> None:
    class Callable:
        __name__ = "thing"
        __module__ = "some.module"
        __annotations__: dict[str, Any] = {}

        def __call__(self, x: int) -> int:
            return x + 1

    task = app.task(name="obj", typing=False)(Callable())
    assert task(4) == 5


def test_static_and_class_methods_of_run(api: Any, app: Any) -> None:
    class Static(api.Task):  # type: ignore[misc]
        name = "static"

        @staticmethod
        def run(x: int) -> int:
            return x * 3

    assert app.register_task(Static())(2) == 6


def test_abstract_run(api: Any, app: Any) -> None:
    class Empty(api.Task):  # type: ignore[misc]
        name = "empty"

    with pytest.raises(NotImplementedError):
        app.register_task(Empty()).run()


@pytest.mark.parametrize(
    ("alias", "member"), [("s", "signature"), ("si", "signature"), ("signature", "signature"), ("subtask", "signature")]
)
def test_signature_makers(app: Any, alias: str, member: str) -> None:
    task = app.task(add)
    made = getattr(task, alias)((1, 2)) if alias in ("signature", "subtask") else getattr(task, alias)(1, 2)
    assert made["task"] == task.name
    assert tuple(made["args"]) == (1, 2)
    assert made["immutable"] is (alias == "si")


def test_application_signature(api: Any, app: Any) -> None:
    made = app.signature("some.name", args=(1,), kwargs={"a": 2}, queue="q")
    assert made.task == "some.name"
    assert made.options == {"queue": "q"}
    assert made.app is app
    assert api.signature("some.name", app=app).app is app


def test_signature_options_and_call(app: Any) -> None:
    task = app.task(add)
    made = task.s(4).set(queue="q", countdown=3)
    assert made.options["queue"] == "q"
    assert made.options["countdown"] == 3
    assert made(3) == 7
    assert made.clone(args=(1,)).args == (1, 4)


def test_signature_runs(app: Any, worker: Any) -> None:
    from .waiting import value_of

    task = app.task(add)
    with worker(app):
        assert value_of(task.s(4).delay(3)) == 7
        assert value_of(task.s(4).apply_async(kwargs={"y": 8})) == 12
        assert value_of(task.si(1, 1).apply_async((5, 5))) == 2


def test_send_task_by_name(app: Any, worker: Any) -> None:
    from .waiting import value_of

    task = app.task(add)
    with worker(app):
        assert value_of(app.send_task(task.name, args=[2], kwargs={"y": 5})) == 7


def test_send_task_unknown(api: Any, app: Any, worker: Any) -> None:
    from .waiting import value_of

    with worker(app):
        result = app.send_task("no.such.task")
        with pytest.raises(api.exceptions.NotRegistered) as caught:
            value_of(result)
        assert caught.value.args == ("no.such.task",)
        assert result.state == "FAILURE"


def test_registration_after_the_worker_started(api: Any, app: Any, worker: Any, observed: Any) -> None:
    from .waiting import value_of

    with worker(app):

        @app.task(name="late")
        def late() -> int:
            return 3

        result = late.delay()
        if observed.differs("celery-late-registration"):
            assert value_of(result) == 3
        else:
            with pytest.raises(api.exceptions.NotRegistered):
                value_of(result)
