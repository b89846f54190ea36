"""Where settings come from: objects, modules, namespaces, environment, Django settings, the command line.

What the settings mean once they are there is test_app_conf.py.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[..., types.ModuleType]:
    """Return a maker of importable modules with given attributes."""

    def make(name: str, **attributes: Any) -> types.ModuleType:
        made = types.ModuleType(name)
        vars(made).update(attributes)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    return make


def test_object_with_attributes(api: Any) -> None:
    class Settings:
        task_default_queue = "obj"
        other = 3

    app = api.Celery("conf")
    app.config_from_object(Settings)
    assert app.conf.task_default_queue == "obj"
    assert app.conf.other == 3


def test_instance(api: Any) -> None:
    class Settings:
        def __init__(self) -> None:
            self.task_default_queue = "instance"

    app = api.Celery("conf")
    app.config_from_object(Settings())
    assert app.conf.task_default_queue == "instance"


def test_module_by_name(api: Any, module: Any) -> None:
    module("conf_source_one", task_default_queue="mod", something_else=3)
    app = api.Celery("conf")
    app.config_from_object("conf_source_one")
    assert app.conf.task_default_queue == "mod"
    assert app.conf.something_else == 3


@pytest.mark.parametrize("path", ["conf_source_two:Settings", "conf_source_two.Settings"])
def test_attribute_by_path(api: Any, module: Any, path: str) -> None:
    class Settings:
        task_default_queue = "attr"

    module("conf_source_two", Settings=Settings)
    app = api.Celery("conf")
    app.config_from_object(path)
    assert app.conf.task_default_queue == "attr"


def test_a_missing_module_raises_at_the_first_read(api: Any) -> None:
    app = api.Celery("conf")
    app.config_from_object("no_such_module_anywhere")
    with pytest.raises(ImportError):
        app.conf.task_default_queue  # noqa: B018


def test_silent_tolerates_a_missing_module(api: Any) -> None:
    app = api.Celery("conf")
    assert not app.config_from_object("no_such_module_anywhere", silent=True, force=True)
    assert app.conf.task_default_queue == "celery"


def test_force_loads_at_once(api: Any) -> None:
    app = api.Celery("conf")
    with pytest.raises(ImportError):
        app.config_from_object("no_such_module_anywhere", force=True)


def test_a_second_source_replaces_the_first(api: Any) -> None:
    app = api.Celery("conf")
    app.config_from_object({"task_default_queue": "one", "task_default_priority": 4})
    assert app.conf.task_default_queue == "one"
    app.config_from_object({"task_default_queue": "two"})
    assert app.conf.task_default_queue == "two"
    assert app.conf.task_default_priority is None


@pytest.mark.parametrize(
    ("old", "key", "value"),
    [
        ("CELERY_TASK_ALWAYS_EAGER", "task_always_eager", True),
        ("CELERY_TASK_DEFAULT_QUEUE", "task_default_queue", "q"),
        ("CELERY_BEAT_SCHEDULE", "beat_schedule", {}),
        ("CELERY_RESULT_EXPIRES", "result_expires", 12),
        ("CELERY_WORKER_CONCURRENCY", "worker_concurrency", 3),
        ("CELERY_TIMEZONE", "timezone", "Europe/Oslo"),
        ("CELERY_BROKER_URL", "broker_url", "memory://ns"),
        ("CELERY_RESULT_BACKEND", "result_backend", "cache+memory://"),
    ],
)
def test_namespace(api: Any, old: str, key: str, value: Any) -> None:
    app = api.Celery("conf")
    app.config_from_object({old: value, "UNRELATED": 5}, namespace="CELERY")
    assert app.conf[key] == value
    assert getattr(app.conf, key) == value


def test_other_attributes_of_a_namespaced_source(api: Any, module: Any) -> None:
    module("conf_source_three", CELERY_TASK_DEFAULT_QUEUE="q", DEBUG=True, lower="x")
    app = api.Celery("conf")
    app.config_from_object("conf_source_three", namespace="CELERY")
    assert app.conf.task_default_queue == "q"
    assert app.conf.DEBUG is True
    assert app.conf["lower"] == "x"


def test_a_namespace_of_ones_own(api: Any) -> None:
    app = api.Celery("conf")
    app.config_from_object({"MY_TASK_DEFAULT_QUEUE": "mine", "CELERY_TASK_DEFAULT_PRIORITY": 4}, namespace="MY")
    assert app.conf.task_default_queue == "mine"
    assert app.conf.task_default_priority is None


@pytest.mark.parametrize("namespace", ["celery_", "CELERY_", "celery"])
def test_namespace_spelling(api: Any, observed: Any, namespace: str) -> None:
    app = api.Celery("conf")
    app.config_from_object({"CELERY_TASK_DEFAULT_QUEUE": "mine"}, namespace=namespace)
    observed("queue", app.conf.task_default_queue)


def test_envvar(api: Any, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module("conf_source_four", task_default_queue="env")
    monkeypatch.setenv("MY_CELERY_CONFIG", "conf_source_four")
    app = api.Celery("conf")
    app.config_from_envvar("MY_CELERY_CONFIG")
    assert app.conf.task_default_queue == "env"


def test_missing_envvar(api: Any, observed: Any) -> None:
    app = api.Celery("conf")
    with pytest.raises(api.exceptions.ImproperlyConfigured) as caught:
        app.config_from_envvar("MY_MISSING_CELERY_CONFIG")
    observed("text", " ".join(str(caught.value).split()))
    assert not app.config_from_envvar("MY_MISSING_CELERY_CONFIG", silent=True)


def test_command_line(api: Any, observed: Any) -> None:
    app = api.Celery("conf")
    app.config_from_cmdline(
        ["worker.concurrency=3", "task.always_eager=1", "task_default_queue=cli"], namespace="celery"
    )
    observed("concurrency", app.conf.worker_concurrency)
    assert app.conf.task_always_eager is True


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("CELERY_BROKER_URL", "broker_url"),
        ("CELERY_BROKER_READ_URL", "broker_read_url"),
        ("CELERY_BROKER_WRITE_URL", "broker_write_url"),
        ("CELERY_RESULT_BACKEND", "result_backend"),
    ],
)
def test_environment_beats_everything(api: Any, monkeypatch: pytest.MonkeyPatch, variable: str, key: str) -> None:
    monkeypatch.setenv(variable, "cache+memory://env")
    app = api.Celery("conf", broker="memory://constructor", backend="cache+memory://constructor")
    app.conf.update({key: "memory://update"})
    assert getattr(app.conf, key) == "cache+memory://env"


def test_item_reading_and_the_environment(api: Any, monkeypatch: pytest.MonkeyPatch, observed: Any) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "memory://env")
    app = api.Celery("conf", broker="memory://constructor")
    observed("item", app.conf["broker_url"])
    observed("attribute", app.conf.broker_url)
    observed("read", app.conf.broker_read_url)


def test_time_zone_of_django_settings_is_the_fallback(api: Any, module: Any) -> None:
    module("conf_source_five", TIME_ZONE="Asia/Tokyo", CELERY_TASK_DEFAULT_QUEUE="q")
    app = api.Celery("conf")
    app.config_from_object("conf_source_five", namespace="CELERY")
    assert app.conf.timezone == "Asia/Tokyo"
    assert str(app.timezone) == "Asia/Tokyo"


def test_a_network_broker_is_kept_and_readable(api: Any) -> None:
    app = api.Celery("conf", broker="amqp://guest:guest@127.0.0.1:1//", backend="cache+memory://")
    assert app.conf.broker_url == "amqp://guest:guest@127.0.0.1:1//"
    assert app.connection().as_uri() == "amqp://guest:**@127.0.0.1:1//"


def test_connection_to_the_memory_broker(api: Any, app: Any) -> None:
    with app.connection() as connection:
        assert connection.transport.driver_type == "memory"
    with app.connection_for_write() as connection:
        assert connection.transport_cls == "memory"


def test_unknown_result_backend(api: Any) -> None:
    app = api.Celery("conf", backend="nosuchbackend://")
    with pytest.raises(ModuleNotFoundError):
        app.backend  # noqa: B018
    with pytest.raises(ModuleNotFoundError):
        api.Celery("conf", backend="no.such.module:Backend").backend  # noqa: B018


def test_backend_class_by_path(api: Any, module: Any) -> None:
    class Mine(api.mod("backends.base").BaseBackend):  # type: ignore[misc]
        pass

    module("conf_source_backend", Mine=Mine)
    app = api.Celery("conf", backend="conf_source_backend:Mine+mine://")
    assert isinstance(app.backend, Mine)


def test_include_and_imports_name_the_task_modules(api: Any) -> None:
    app = api.Celery("conf", include=["json"])
    app.conf.imports = ("colorsys",)
    app.loader.import_default_modules()
    assert {"json", "colorsys"} <= app.loader.task_modules | set(sys.modules)


def test_autodiscover_imports_related_modules(api: Any, module: Any) -> None:
    package = module("conf_pkg_one")
    package.__path__ = []
    module("conf_pkg_one.tasks", found=True)
    app = api.Celery("conf")
    seen: list[str] = []
    app.loader.find_module = lambda name: None
    app.autodiscover_tasks(lambda: seen.append("asked") or ["conf_pkg_one"])
    assert seen == []
    app.loader.import_default_modules()
    assert seen == ["asked"]


def test_autodiscover_force_and_related_name(api: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "conf_pkg_two"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "jobs.py").write_text("LOADED = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    app = api.Celery("conf")
    app.autodiscover_tasks(["conf_pkg_two"], related_name="jobs", force=True)
    assert sys.modules["conf_pkg_two.jobs"].LOADED is True


def test_autodiscover_tolerates_a_package_without_tasks(
    api: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "conf_pkg_three"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    app = api.Celery("conf")
    app.autodiscover_tasks(["conf_pkg_three"], force=True)


def test_autodiscover_a_missing_package(api: Any) -> None:
    app = api.Celery("conf")
    with pytest.raises(ModuleNotFoundError):
        app.autodiscover_tasks(["conf_pkg_that_is_missing"], force=True)


def test_autodiscover_reports_errors_of_the_module(api: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "conf_pkg_four"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "tasks.py").write_text("import a_module_that_is_missing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    app = api.Celery("conf")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_missing"):
        app.autodiscover_tasks(["conf_pkg_four"], force=True)


def test_import_modules_signal(api: Any) -> None:
    app = api.Celery("conf")
    seen: list[Any] = []

    def importing(sender: Any, **kwargs: Any) -> None:
        seen.append(sender)

    api.signals.import_modules.connect(importing, sender=app)
    try:
        app.loader.import_default_modules()
    finally:
        api.signals.import_modules.disconnect(importing, sender=app)
    assert seen == [app]
