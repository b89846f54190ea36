"""Settings of an application: defaults, old and new names, reading, precedence, laziness.

Where the values come from (modules, files, environment) is test_app_config_sources.py.
"""

from __future__ import annotations

from typing import Any

import pytest

DEFAULTS = """
accept_content result_accept_content enable_utc timezone imports include beat_schedule beat_scheduler
beat_max_loop_interval beat_schedule_filename beat_sync_every beat_cron_starting_deadline broker_url
broker_connection_timeout broker_pool_limit broker_heartbeat broker_transport_options event_serializer
result_backend result_expires result_extended result_serializer result_persistent result_cache_max
result_chord_join_timeout result_chord_retry_interval result_compression task_acks_late
task_acks_on_failure_or_timeout task_allow_error_cb_on_chord_header task_always_eager task_annotations
task_compression task_create_missing_queues task_default_delivery_mode task_default_exchange
task_default_exchange_type task_default_queue task_default_routing_key task_default_priority
task_default_rate_limit task_eager_propagates task_ignore_result task_inherit_parent_priority task_protocol
task_publish_retry task_queues task_queue_max_priority task_reject_on_worker_lost task_remote_tracebacks
task_routes task_send_sent_event task_serializer task_soft_time_limit task_time_limit
task_store_eager_result task_store_errors_even_if_ignored task_track_started worker_concurrency worker_pool
worker_prefetch_multiplier worker_max_tasks_per_child worker_max_memory_per_child worker_disable_rate_limits
worker_deduplicate_successful_tasks worker_enable_remote_control worker_hijack_root_logger worker_log_color
worker_log_format worker_task_log_format worker_redirect_stdouts worker_redirect_stdouts_level
worker_send_task_events worker_state_db worker_soft_shutdown_timeout worker_lost_wait
""".split()


@pytest.mark.parametrize("key", DEFAULTS)
def test_default(api: Any, observed: Any, key: str) -> None:
    app = api.Celery("conf")
    observed("item", app.conf[key])
    observed("attribute", getattr(app.conf, key))


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("CELERY_ALWAYS_EAGER", "task_always_eager", True),
        ("CELERY_EAGER_PROPAGATES_EXCEPTIONS", "task_eager_propagates", True),
        ("CELERY_TASK_SERIALIZER", "task_serializer", "yaml"),
        ("CELERY_RESULT_SERIALIZER", "result_serializer", "yaml"),
        ("CELERY_TASK_RESULT_EXPIRES", "result_expires", 60),
        ("CELERY_DEFAULT_QUEUE", "task_default_queue", "q1"),
        ("CELERY_ROUTES", "task_routes", {"a": "b"}),
        ("CELERY_IGNORE_RESULT", "task_ignore_result", True),
        ("CELERY_ACKS_LATE", "task_acks_late", True),
        ("CELERYD_CONCURRENCY", "worker_concurrency", 7),
        ("CELERYD_PREFETCH_MULTIPLIER", "worker_prefetch_multiplier", 9),
        ("CELERYD_TASK_TIME_LIMIT", "task_time_limit", 30),
        ("CELERYD_TASK_SOFT_TIME_LIMIT", "task_soft_time_limit", 20),
        ("CELERYBEAT_SCHEDULE", "beat_schedule", {}),
        ("CELERY_IMPORTS", "imports", ("os",)),
        ("CELERY_TIMEZONE", "timezone", "Europe/Oslo"),
        ("CELERY_ACCEPT_CONTENT", "accept_content", ["json", "yaml"]),
        ("CELERY_SEND_EVENTS", "worker_send_task_events", True),
        ("CELERY_TRACK_STARTED", "task_track_started", True),
    ],
)
def test_an_old_name_is_the_setting(api: Any, old: str, new: str, value: Any) -> None:
    app = api.Celery("conf")
    app.config_from_object({old: value})
    assert app.conf[new] == value
    assert getattr(app.conf, new) == value
    assert app.conf[old] == value


def test_an_old_name_reads_a_new_setting(api: Any) -> None:
    app = api.Celery("conf", task_always_eager=True)
    assert app.conf.CELERY_ALWAYS_EAGER is True
    assert app.conf["CELERY_ALWAYS_EAGER"] is True


def test_names_are_not_mixed_in_one_source(api: Any, observed: Any) -> None:
    app = api.Celery("conf")
    app.config_from_object({"CELERY_TASK_SERIALIZER": "json", "worker_concurrency": 2, "CELERYD_POOL": "solo"})
    with pytest.raises(api.exceptions.ImproperlyConfigured) as caught:
        app.conf.task_serializer  # noqa: B018
    text = str(caught.value)
    assert "Cannot mix new setting names with old setting names" in text
    observed("table", [line.split() for line in text.splitlines() if "->" in line])


def test_unknown_attribute(api: Any) -> None:
    app = api.Celery("conf")
    with pytest.raises(AttributeError):
        app.conf.no_such_setting  # noqa: B018
    with pytest.raises(KeyError):
        app.conf["no_such_setting"]
    assert app.conf.get("no_such_setting", 5) == 5


def test_unknown_keys_are_kept(api: Any) -> None:
    app = api.Celery("conf")
    app.conf.ONCE = {"backend": "x"}
    app.conf["my_key"] = 3
    assert app.conf.ONCE == {"backend": "x"}
    assert app.conf["ONCE"] == {"backend": "x"}
    assert app.conf.my_key == 3


def test_assignment_before_loading_survives_it(api: Any) -> None:
    app = api.Celery("conf")
    app.conf.task_default_queue = "mine"
    app.config_from_object({"task_default_queue": "theirs", "task_serializer": "yaml"})
    assert app.conf.task_default_queue == "mine"
    assert app.conf.task_serializer == "yaml"


def test_update_wins_over_constructor_and_source(api: Any) -> None:
    app = api.Celery("conf", task_default_queue="constructor")
    app.config_from_object({"task_default_queue": "source", "task_default_priority": 3})
    assert app.conf.task_default_queue == "constructor"
    assert app.conf.task_default_priority == 3
    app.conf.update(task_default_queue="update")
    assert app.conf.task_default_queue == "update"


def test_old_and_new_names_are_mixed_the_other_way(api: Any, observed: Any) -> None:
    app = api.Celery("conf")
    app.config_from_object({"task_serializer": "json", "worker_concurrency": 2, "CELERYD_POOL": "solo"})
    with pytest.raises(api.exceptions.ImproperlyConfigured) as caught:
        app.conf.task_serializer  # noqa: B018
    observed("table", [line.split() for line in str(caught.value).splitlines() if "->" in line])


def test_enable_utc_has_no_old_name_of_its_own(api: Any, observed: Any) -> None:
    app = api.Celery("conf")
    app.config_from_object({"CELERY_ENABLE_UTC": False, "CELERY_TIMEZONE": "Europe/Oslo"})
    observed("new", app.conf.enable_utc)
    observed("old", app.conf["CELERY_ENABLE_UTC"])


def test_add_defaults_win_over_a_source(api: Any) -> None:
    app = api.Celery("conf")
    app.add_defaults({"task_default_queue": "default", "my_default": 4})
    app.config_from_object({"task_default_queue": "source", "task_default_priority": 2})
    assert app.conf.task_default_queue == "default"
    assert app.conf.my_default == 4
    assert app.conf.task_default_priority == 2


def test_add_defaults_takes_a_function(api: Any) -> None:
    app = api.Celery("conf")
    calls: list[int] = []

    def defaults() -> dict[str, Any]:
        calls.append(1)
        return {"task_default_queue": "lazy"}

    app.add_defaults(defaults)
    assert calls == []
    assert app.conf.task_default_queue == "lazy"
    assert calls == [1]


def test_later_add_defaults_come_first(api: Any) -> None:
    app = api.Celery("conf")
    app.add_defaults({"a_key": 1, "b_key": 1})
    app.add_defaults({"a_key": 2})
    assert app.conf.a_key == 2
    assert app.conf.b_key == 1


def test_constructor_broker_and_backend(api: Any) -> None:
    app = api.Celery("conf", broker="memory://one", backend="cache+memory://")
    assert app.conf.broker_url == "memory://one"
    assert app.conf.result_backend == "cache+memory://"
    assert app.conf.CELERY_RESULT_BACKEND == "cache+memory://"


def test_read_and_write_urls_fall_back_to_the_broker_url(api: Any) -> None:
    app = api.Celery("conf", broker="memory://one")
    assert app.conf.broker_read_url == "memory://one"
    assert app.conf.broker_write_url == "memory://one"
    app.conf.broker_write_url = "memory://two"
    assert app.conf.broker_write_url == "memory://two"
    assert app.conf.broker_read_url == "memory://one"


@pytest.mark.parametrize("argument", ["include", "task_cls", "loader", "namespace", "autofinalize", "set_as_current"])
def test_constructor_arguments_exist(api: Any, argument: str) -> None:
    values = {"include": ["os"], "task_cls": None, "loader": None, "namespace": "CELERY", "autofinalize": True}
    app = api.Celery("conf", **{argument: values.get(argument, False)})
    if argument == "include":
        assert app.conf.include == ["os"]
    if argument == "namespace":
        assert app.namespace == "CELERY"
    assert app.main == "conf"


def test_changes_argument(api: Any) -> None:
    app = api.Celery("conf", changes={"task_default_queue": "changed"})
    assert app.conf.task_default_queue == "changed"
    assert app.conf.changes["task_default_queue"] == "changed"


def test_setdefault_and_without_defaults(api: Any) -> None:
    app = api.Celery("conf")
    app.conf.setdefault("my_key", 1)
    app.conf.setdefault("my_key", 2)
    assert app.conf.my_key == 1
    app.conf.task_default_queue = "mine"
    assert app.conf.without_defaults()["task_default_queue"] == "mine"
    assert "worker_concurrency" not in app.conf.without_defaults()


def test_first_and_get_by_parts(api: Any) -> None:
    app = api.Celery("conf", task_default_queue="mine", beat_max_loop_interval=7)
    assert app.conf.first("no_such", "task_default_queue") == "mine"
    assert app.conf.get_by_parts("task", "default", "queue") == "mine"
    assert app.conf.find_value_for_key("max_loop_interval", "beat") == 7


def test_find_option_searches_namespaces(api: Any, observed: Any) -> None:
    app = api.Celery("conf", worker_concurrency=7)
    observed("option", app.conf.find_option("concurrency", "worker")[:2])
    observed("anywhere", app.conf.find_option("always_eager")[:2])


def test_table_hides_secrets(api: Any) -> None:
    app = api.Celery("conf", broker="redis://user:very-secret@127.0.0.1:1/0")
    app.conf.my_password = "hunter2"
    shown = app.conf.table(with_defaults=False)
    assert "very-secret" not in str(shown)
    assert shown["my_password"] == "********"
    assert app.conf.table(with_defaults=False, censored=False)["my_password"] == "hunter2"


def test_humanize_is_one_line_per_setting(api: Any) -> None:
    app = api.Celery("conf", task_default_queue="mine")
    lines = app.conf.humanize(with_defaults=False).splitlines()
    assert "task_default_queue: 'mine'" in lines


def test_value_set_for(api: Any) -> None:
    app = api.Celery("conf", task_default_queue="mine")
    assert app.conf.value_set_for("task_default_queue")
    assert not app.conf.value_set_for("worker_concurrency")


def test_copy_is_independent(api: Any) -> None:
    app = api.Celery("conf", task_default_queue="mine")
    copied = app.conf.copy()
    copied["task_default_queue"] = "other"
    assert app.conf.task_default_queue == "mine"


def test_containers(api: Any) -> None:
    app = api.Celery("conf", task_default_queue="mine")
    assert "task_default_queue" in app.conf
    assert "no_such_setting" not in app.conf
    assert "task_serializer" in list(app.conf.keys())
    assert ("task_default_queue", "mine") in list(app.conf.items())


def test_finalize_loads_the_settings(api: Any) -> None:
    app = api.Celery("conf", timezone="UTC")
    assert app.configured is False
    assert app.conf.finalize().timezone == "UTC"
    assert app.configured is True


@pytest.mark.parametrize(("enable_utc", "name", "expected"), [(True, None, "UTC"), (True, "Asia/Tokyo", "Asia/Tokyo")])
def test_application_timezone(api: Any, enable_utc: bool, name: str | None, expected: str) -> None:
    app = api.Celery("conf", enable_utc=enable_utc, timezone=name)
    assert str(app.timezone) == expected


def test_now_is_aware(api: Any) -> None:
    app = api.Celery("conf", timezone="Asia/Tokyo")
    now = app.now()
    assert now.tzinfo is not None
    assert now.utcoffset().total_seconds() == 9 * 3600


def test_reading_configures_once(api: Any, signal_log: Any) -> None:
    app = api.Celery("conf")
    seen: list[str] = []

    def configured(sender: Any, source: Any, **kwargs: Any) -> None:
        seen.append("after")

    def configuring(**kwargs: Any) -> None:
        seen.append("before")

    app.on_configure.connect(configuring)
    app.on_after_configure.connect(configured)
    assert app.configured is False
    assert seen == []
    app.conf.task_serializer  # noqa: B018
    app.conf.worker_concurrency  # noqa: B018
    assert seen == ["before", "after"]
    assert app.configured is True


def test_on_after_configure_may_add_a_setting(api: Any) -> None:
    app = api.Celery("conf")

    @app.on_after_configure.connect
    def more(sender: Any, **kwargs: Any) -> None:
        sender.conf.my_key = "added"

    assert app.conf.my_key == "added"


def test_repr_names_the_application(api: Any) -> None:
    assert repr(api.Celery("conf")).startswith("<Celery conf at 0x")


@pytest.mark.parametrize("value", [True, False])
def test_always_eager_is_read_at_call_time(api: Any, app: Any, value: bool) -> None:
    @app.task
    def one() -> int:
        return 1

    app.conf.task_always_eager = value
    assert isinstance(one.delay(), api.result.EagerResult) is value


def test_serializer_is_read_at_bind_time(api: Any, make_app: Any) -> None:
    app = make_app(task_serializer="yaml")

    @app.task
    def one() -> int:
        return 1

    assert one.serializer == "yaml"
    app.conf.task_serializer = "json"
    assert one.serializer == "yaml"


def test_prepare_config_sees_the_source(api: Any) -> None:
    class Own(api.Celery):  # type: ignore[misc]
        def prepare_config(self, c: Any) -> Any:
            return super().prepare_config({**(c or {}), "my_key": "prepared"})

    app = Own("conf")
    app.config_from_object({"task_default_queue": "source"})
    assert app.conf.my_key == "prepared"
    assert app.conf.task_default_queue == "source"
