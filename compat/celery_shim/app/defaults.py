"""Every setting of Celery 5.7: name, default, type and the name it had before version 4.

Whether a setting has an effect here is decided where it is used; all of them can be set and read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

from ..utils.serialization import strtobool

__all__ = ("NAMESPACES", "Option", "find", "flatten")

DEFAULT_POOL = "prefork"
DEFAULT_ACCEPT_CONTENT = ("json",)
DEFAULT_PROCESS_LOG_FMT = "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s"
DEFAULT_TASK_LOG_FMT = "[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s"
DEFAULT_SECURITY_DIGEST = "sha256"


class searchresult(NamedTuple):
    """Where a setting was found."""

    namespace: str | None
    key: str
    type: Any


class Option:
    """One setting."""

    alt: str | None = None
    deprecate_by: str | None = None
    remove_by: str | None = None
    old: set[str] = set()
    typemap: dict[Any, Callable[[Any], Any]] = {
        "string": str,
        "int": int,
        "float": float,
        "any": lambda v: v,
        "bool": strtobool,
        "dict": dict,
        "tuple": tuple,
    }

    def __init__(self, default: Any = None, *args: Any, **kwargs: Any) -> None:
        self.default = default
        self.type = kwargs.pop("type", None) or "string"
        self.__dict__.update(kwargs)

    def to_python(self, value: Any) -> Any:
        return self.typemap[self.type](value)

    def __repr__(self) -> str:
        return f"<Option: type->{self.type} default->{self.default!r}>"


def _group(old: str | None = None, **options: Option) -> dict[str, Option]:
    """Settings that share a prefix; ``old`` is the prefix of the former names where no other is given."""
    if old:
        for key, option in options.items():
            option.old = option.old or {old + key}
    return options


def _string(default: Any = None, **kwargs: Any) -> Option:
    return Option(default, type="string", **kwargs)


def _bool(default: Any = None, **kwargs: Any) -> Option:
    return Option(default, type="bool", **kwargs)


def _int(default: Any = None, **kwargs: Any) -> Option:
    return Option(default, type="int", **kwargs)


def _float(default: Any = None, **kwargs: Any) -> Option:
    return Option(default, type="float", **kwargs)


def _dict(default: Any = None, **kwargs: Any) -> Option:
    return Option(default, type="dict", **kwargs)


_PUBLISH_RETRY = {"max_retries": 3, "interval_start": 0, "interval_max": 1, "interval_step": 0.2}

NAMESPACES: dict[str, Any] = {
    **_group(
        "celery_",
        accept_content=Option(DEFAULT_ACCEPT_CONTENT, type="list"),
        imports=Option((), type="tuple"),
        include=Option((), type="tuple"),
        timezone=_string(),
    ),
    "result_accept_content": Option(None, type="list"),
    "enable_utc": _bool(True),
    "beat": _group(
        "celerybeat_",
        enable_remote_control=_bool(False),
        remote_control_max_tick_age=_float(),
        max_loop_interval=_float(0),
        schedule=_dict({}),
        scheduler=_string("celery.beat:PersistentScheduler"),
        schedule_filename=_string("celerybeat-schedule"),
        sync_every=_int(0),
        cron_starting_deadline=Option(None, type=int),
    ),
    "broker": _group(
        url=_string(),
        read_url=_string(),
        write_url=_string(),
        transport=_string(),
        transport_options=_dict({}),
        connection_timeout=_float(4),
        connection_retry=_bool(True),
        connection_retry_on_startup=_bool(),
        connection_max_retries=_int(100),
        channel_error_retry=_bool(False),
        failover_strategy=_string(),
        heartbeat=_int(120),
        heartbeat_checkrate=_int(3.0),
        login_method=_string(),
        native_delayed_delivery_queue_type=_string("quorum"),
        pool_limit=_int(10),
        pool_acquire_timeout=_float(),
        use_ssl=_bool(False),
        host=_string(),
        port=_int(),
        user=_string(),
        password=_string(),
        vhost=_string(),
    ),
    "cache": _group("celery_cache_", backend=Option(), backend_options=_dict({})),
    "cassandra": _group(
        entry_ttl=_float(),
        keyspace=_string(),
        port=_string(),
        read_consistency=_string(),
        servers=Option(type="list"),
        bundle_path=_string(),
        table=_string(),
        write_consistency=_string(),
        auth_provider=_string(),
        auth_kwargs=_string(),
        options=_dict({}),
    ),
    "s3": _group(
        access_key_id=_string(),
        secret_access_key=_string(),
        bucket=_string(),
        base_path=_string(),
        endpoint_url=_string(),
        region=_string(),
    ),
    "azureblockblob": _group(
        container_name=_string("celery"),
        retry_initial_backoff_sec=_int(2),
        retry_increment_base=_int(2),
        retry_max_attempts=_int(3),
        base_path=_string(""),
        connection_timeout=_int(20),
        read_timeout=_int(120),
    ),
    "gcs": _group(bucket=_string(), project=_string(), base_path=_string(""), ttl=_float(0)),
    "control": _group(
        queue_ttl=_float(300.0),
        queue_expires=_float(10.0),
        queue_exclusive=_bool(True),
        queue_durable=_bool(False),
        exchange=_string("celery"),
    ),
    "couchbase": _group("celery_couchbase_", backend_settings=_dict()),
    "arangodb": _group("celery_arangodb_", backend_settings=_dict()),
    "mongodb": _group("celery_mongodb_", backend_settings=_dict()),
    "cosmosdbsql": _group(
        database_name=_string("celerydb"),
        collection_name=_string("celerycol"),
        consistency_level=_string("Session"),
        max_retry_attempts=_int(9),
        max_retry_wait_time=_int(30),
    ),
    "event": _group(
        "celery_event_",
        queue_expires=_float(60.0),
        queue_ttl=_float(5.0),
        queue_prefix=Option("celeryev"),
        queue_exclusive=_bool(True),
        queue_durable=_bool(False),
        serializer=Option("json"),
        exchange=_string("celeryev"),
    ),
    "redis": _group(
        "celery_redis_",
        backend_use_ssl=_dict(),
        db=_int(),
        host=_string(),
        max_connections=_int(),
        username=_string(),
        password=_string(),
        port=_int(),
        socket_timeout=_float(120.0),
        socket_connect_timeout=_float(),
        retry_on_timeout=_bool(False),
        socket_keepalive=_bool(False),
    ),
    "result": _group(
        "celery_result_",
        backend=_string(),
        cache_max=_int(-1, old={"celery_max_cached_results"}),
        compression=Option(type="str"),
        exchange=Option("celeryresults"),
        exchange_type=Option("direct"),
        expires=_float(timedelta(days=1), old={"celery_task_result_expires"}),
        chord_expires=_float(),
        failure_expires=_float(),
        persistent=_bool(),
        extended=_bool(False),
        serializer=Option("json"),
        backend_transport_options=_dict({}),
        chord_retry_interval=_float(1.0),
        chord_join_timeout=_float(3.0),
        backend_max_sleep_between_retries_ms=_int(10000),
        backend_max_retries=_float(float("inf")),
        backend_base_sleep_between_retries_ms=_int(10),
        backend_always_retry=_bool(False),
    ),
    "elasticsearch": _group(
        "celery_elasticsearch_",
        retry_on_timeout=_bool(),
        max_retries=_int(),
        timeout=_float(),
        save_meta_as_text=_bool(True),
    ),
    "security": _group(
        "celery_security_",
        certificate=_string(),
        cert_store=_string(),
        key=_string(),
        key_password=Option(type="bytes"),
        digest=_string(DEFAULT_SECURITY_DIGEST),
    ),
    "database": _group(
        url=Option(old={"celery_result_dburi"}),
        engine_options=_dict({"pool_pre_ping": True, "pool_recycle": 3600}, old={"celery_result_engine_options"}),
        engine_callback=Option(type="any"),
        short_lived_sessions=_bool(False, old={"celery_result_db_short_lived_sessions"}),
        table_schemas=_dict(),
        table_names=_dict(old={"celery_result_db_tablenames"}),
        create_tables_at_setup=_bool(True),
    ),
    "task": _group(
        "celery_",
        acks_late=_bool(False),
        acks_on_failure_or_timeout=_bool(
            True, deprecate_by="6.0", remove_by="7.0", alt="task_acks_on_failure and task_acks_on_timeout"
        ),
        acks_on_failure=_bool(),
        acks_on_timeout=_bool(),
        always_eager=_bool(False),
        annotations=Option(type="any"),
        compression=_string(old={"celery_message_compression"}),
        create_missing_queues=_bool(True),
        create_missing_queue_type=_string("classic"),
        create_missing_queue_exchange_type=_string(),
        inherit_parent_priority=_bool(False),
        default_delivery_mode=_string(2),
        default_queue=Option("celery"),
        default_queue_type=_string("classic"),
        default_exchange=_string(),
        default_exchange_type=Option("direct"),
        default_routing_key=_string(),
        default_rate_limit=_string(),
        default_priority=_string(),
        eager_propagates=_bool(False, old={"celery_eager_propagates_exceptions"}),
        ignore_result=_bool(False),
        store_eager_result=_bool(False),
        protocol=_int(2, old={"celery_task_protocol"}),
        publish_retry=_bool(True, old={"celery_task_publish_retry"}),
        publish_retry_policy=_dict(_PUBLISH_RETRY, old={"celery_task_publish_retry_policy"}),
        queues=_dict(),
        queue_max_priority=_int(),
        reject_on_worker_lost=_bool(),
        retry_on_worker_lost=_bool(False),
        remote_tracebacks=_bool(False),
        repr_maxlevels=_int(3),
        routes=Option(type="any"),
        send_sent_event=_bool(False, old={"celery_send_task_sent_event"}),
        serializer=Option("json", old={"celery_task_serializer"}),
        soft_time_limit=_float(old={"celeryd_task_soft_time_limit"}),
        time_limit=_float(old={"celeryd_task_time_limit"}),
        store_errors_even_if_ignored=_bool(False),
        track_started=_bool(False),
        allow_error_cb_on_chord_header=_bool(False),
    ),
    "worker": _group(
        "celeryd_",
        agent=_string(),
        autoscaler=_string("celery.worker.autoscale:Autoscaler"),
        cancel_long_running_tasks_on_connection_loss=_bool(False),
        soft_shutdown_timeout=_float(0.0),
        enable_soft_shutdown_on_idle=_bool(False),
        concurrency=Option(None, type="any"),
        consumer=_string("celery.worker.consumer:Consumer"),
        direct=_bool(False, old={"celery_worker_direct"}),
        disable_rate_limits=_bool(False, old={"celery_disable_rate_limits"}),
        deduplicate_successful_tasks=_bool(False),
        enable_remote_control=_bool(True, old={"celery_enable_remote_control"}),
        hijack_root_logger=_bool(True),
        log_color=_bool(),
        log_datefmt=_string(),
        log_format=Option(DEFAULT_PROCESS_LOG_FMT),
        lost_wait=_float(10.0, old={"celeryd_worker_lost_wait"}),
        max_memory_per_child=_int(),
        max_tasks_per_child=_int(),
        pool=Option(DEFAULT_POOL),
        pool_putlocks=_bool(True),
        pool_restarts=_bool(False),
        pool_start_method=_string("fork"),
        proc_alive_timeout=_float(4.0),
        prefetch_multiplier=_int(4),
        eta_task_limit=_int(),
        enable_prefetch_count_reduction=_bool(True),
        disable_prefetch=_bool(False),
        redirect_stdouts=_bool(True, old={"celery_redirect_stdouts"}),
        redirect_stdouts_level=Option("WARNING", old={"celery_redirect_stdouts_level"}),
        send_task_events=_bool(False, old={"celery_send_events"}),
        state_db=Option(),
        task_log_datefmt=_string(),
        task_log_format=Option(DEFAULT_TASK_LOG_FMT),
        timer=_string(),
        timer_precision=_float(1.0),
        detect_quorum_queues=_bool(True),
    ),
}


def _flatten_keys(ns: str, key: str, opt: Option) -> list[tuple[Any, ...]]:
    return [(ns + key, opt)]


def _to_compat(ns: str, key: str, opt: Option) -> list[tuple[Any, ...]]:
    former = {old.upper() for old in opt.old} if opt.old else {(ns + key).upper()}
    return [(old, ns + key, opt) for old in former]


def flatten(
    d: dict[str, Any], root: str = "", keyfilter: Callable[[str, str, Option], Any] = _flatten_keys
) -> Iterator[Any]:
    """All settings of a nested table, with their full names."""
    waiting = deque([(root, d)])
    while waiting:
        prefix, options = waiting.popleft()
        for key, option in options.items():
            if isinstance(option, dict):
                waiting.append((f"{prefix}{key}_", option))
            else:
                yield from keyfilter(prefix, key, option)


_OPTIONS: dict[str, Option] = dict(flatten(NAMESPACES))
DEFAULTS: dict[str, Any] = {key: option.default for key, option in _OPTIONS.items()}

_COMPAT = list(flatten(NAMESPACES, keyfilter=_to_compat))
_OLD_DEFAULTS: dict[str, Any] = {old: option.default for old, _, option in _COMPAT}
_TO_OLD_KEY: dict[str, str] = {new: old for old, new, _ in _COMPAT}
_TO_NEW_KEY: dict[str, str] = {old: new for old, new, _ in _COMPAT}

SETTING_KEYS = set(DEFAULTS)
_OLD_SETTING_KEYS = set(_TO_NEW_KEY)


def find_deprecated_settings(source: Any) -> Any:
    """Warn about settings that will go; gives the source back."""
    for name, option in _OPTIONS.items():
        if (option.deprecate_by or option.remove_by) and getattr(source, name, None) is not None:
            from ..utils import deprecated

            deprecated.warn(
                description=f"The {name!r} setting",
                deprecation=option.deprecate_by,
                removal=option.remove_by,
                alternative=f"Use the {option.alt} instead",
            )
    return source


@cache
def find(name: str, namespace: str = "celery") -> searchresult:
    """Find a setting by a part of its name."""
    wanted, space = name.lower(), namespace.lower()
    group = NAMESPACES.get(space)
    if isinstance(group, dict) and wanted in group:
        return searchresult(space, wanted, group[wanted])
    for prefix, options in NAMESPACES.items():
        if prefix == wanted:
            return searchresult(None, prefix, options)
        if isinstance(options, dict) and wanted in options:
            return searchresult(prefix, wanted, options[wanted])
    return searchresult(None, wanted, _OPTIONS[wanted])
