"""Every name that programs and add-ons import from Celery is there under the alias.

The table is what was counted in 13 applications and 11 add-ons, by module; a name that is left out on purpose is in
`ABSENT` with what must be said instead.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SURFACE = {
    "celery": (
        "Celery Task shared_task current_app current_task group chain chord signature chunks maybe_signature subtask "
        "xmap xstarmap uuid Signature bugreport VERSION version_info __version__ version_info_t VERSION_BANNER SERIES "
        "maybe_patch_concurrency registry execute log messaging"
    ),
    "celery.app": (
        "Celery app_or_default default_app shared_task bugreport push_current_task pop_current_task AppPickler "
        "enable_trace disable_trace"
    ),
    "celery.app.base": "Celery App PendingConfiguration",
    "celery.app.task": "Task Context BaseTask TaskType get_actual_ignore_result",
    "celery.app.registry": "TaskRegistry",
    "celery.app.trace": (
        "build_tracer trace_task task_has_custom LOG_RECEIVED LOG_SUCCESS LOG_FAILURE LOG_RETRY trace_ok_t "
        "traceback_clear setup_worker_optimizations reset_worker_optimizations"
    ),
    "celery.app.control": "Control Inspect flatten_reply",
    "celery.app.amqp": "AMQP Queues task_message",
    "celery.app.routes": "Router MapRoute prepare",
    "celery.app.annotations": "MapAnnotation prepare",
    "celery.app.autoretry": "add_autoretry_behaviour",
    "celery.app.defaults": "DEFAULTS DEFAULT_TASK_LOG_FMT DEFAULT_PROCESS_LOG_FMT NAMESPACES",
    "celery.app.utils": "Settings bugreport",
    "celery.app.log": "TaskFormatter Logging",
    "celery.app.events": "Events",
    "celery.app.backends": "by_name by_url",
    "celery._state": (
        "current_app current_task get_current_app get_current_task get_current_worker_task default_app set_default_app "
        "_task_stack _set_current_app _tls _apps _on_app_finalizers connect_on_app_finalize task_join_will_block "
        "_set_task_join_will_block"
    ),
    "celery.result": (
        "AsyncResult GroupResult EagerResult ResultSet ResultBase result_from_tuple allow_join_result "
        "denied_join_result assert_will_not_block"
    ),
    "celery.states": (
        "PENDING RECEIVED STARTED SUCCESS FAILURE REVOKED REJECTED RETRY IGNORED READY_STATES UNREADY_STATES "
        "EXCEPTION_STATES PROPAGATE_STATES ALL_STATES precedence state"
    ),
    "celery.exceptions": (
        "Retry Ignore Reject MaxRetriesExceededError SoftTimeLimitExceeded TimeLimitExceeded TimeoutError "
        "TaskRevokedError NotRegistered ImproperlyConfigured OperationalError WorkerLostError ChordError CeleryError "
        "TaskError TaskPredicate QueueNotFound IncompleteStream InvalidTaskError AlreadyRegistered SecurityError "
        "BackendError BackendGetMetaError BackendStoreError Terminated RetryTaskError reraise WorkerShutdown "
        "WorkerTerminate SystemTerminate CeleryWarning AlwaysEagerIgnored DuplicateNodenameWarning "
        "DuplicateTaskNameWarning FixupWarning NotConfigured SecurityWarning CPendingDeprecationWarning "
        "CDeprecationWarning CeleryCommandException"
    ),
    "celery.signals": (
        "before_task_publish after_task_publish task_prerun task_postrun task_retry task_success task_failure "
        "task_internal_error task_revoked task_received task_rejected task_unknown task_sent celeryd_init "
        "celeryd_after_setup worker_init worker_before_create_process worker_ready worker_process_init "
        "worker_process_shutdown worker_shutting_down worker_shutdown heartbeat_sent beat_init beat_embedded_init "
        "setup_logging after_setup_logger after_setup_task_logger user_preload_options import_modules"
    ),
    "celery.schedules": "crontab schedule solar schedstate BaseSchedule maybe_schedule crontab_parser ParseException",
    "celery.beat": (
        "Scheduler ScheduleEntry PersistentScheduler SchedulingError DEFAULT_MAX_INTERVAL Service BeatLazyFunc "
        "EmbeddedService event_t"
    ),
    "celery.canvas": (
        "Signature chain group chord chunks xmap xstarmap signature maybe_signature subtask StampingVisitor _chain "
        "_chord maybe_unroll_group"
    ),
    "celery.utils": "uuid gen_unique_id cached_property get_full_cls_name get_cls_by_name nodename worker_direct",
    "celery.utils.log": (
        "get_task_logger get_logger ColorFormatter LoggingProxy base_logger task_logger LOG_LEVELS mlevel in_sighandler"
    ),
    "celery.utils.time": (
        "maybe_make_aware maybe_timedelta humanize_seconds timezone rate make_aware localize to_utc is_naive remaining "
        "ffwd get_exponential_backoff_interval maybe_iso8601 adjust_timestamp"
    ),
    "celery.utils.imports": "symbol_by_name instantiate qualname import_from_cwd gen_task_name",
    "celery.utils.nodenames": "gethostname anon_nodename default_nodename host_format nodesplit nodename",
    "celery.utils.serialization": (
        "b64encode b64decode get_pickleable_exception UnpickleableExceptionWrapper create_exception_cls "
        "raise_with_context"
    ),
    "celery.utils.collections": "force_mapping AttributeDict ChainMap ConfigurationView LimitedSet OrderedDict",
    "celery.utils.threads": "LocalStack",
    "celery.utils.abstract": "CallableTask CallableSignature",
    "celery.utils.dispatch": "Signal",
    "celery.utils.functional": "maybe_list head_from_fun regen noop uniq chunks",
    "celery.utils.objects": "Bunch mro_lookup",
    "celery.utils.saferepr": "saferepr",
    "celery.utils.text": "indent truncate pluralize",
    "celery.utils.iso8601": "parse_iso8601",
    "celery.utils.timer2": "Timer Entry",
    "celery.utils.deprecated": "warn Callable Property",
    "celery.utils.graph": "DependencyGraph",
    "celery.utils.debug": "sample",
    "celery.local": "Proxy PromiseProxy try_import maybe_evaluate class_property",
    "celery.contrib.testing.app": "TestApp UnitLogging setup_default_app set_trap Trap",
    "celery.contrib.testing.worker": "start_worker TestWorkController setup_app_for_worker",
    "celery.contrib.testing.tasks": "ping",
    "celery.contrib.testing.manager": "Manager ManagerMixin Sentinel",
    "celery.contrib.testing.mocks": "TaskMessage TaskMessage1 task_message_from_sig ContextMock",
    "celery.contrib.pytest": (
        "celery_app celery_worker celery_session_app celery_session_worker celery_config celery_parameters "
        "celery_includes celery_enable_logging celery_worker_pool celery_worker_parameters celery_class_tasks "
        "use_celery_app_trap depends_on_current_app"
    ),
    "celery.contrib.abortable": "AbortableTask AbortableAsyncResult ABORTED",
    "celery.contrib.django.task": "DjangoTask",
    "celery.contrib.rdb": "Rdb debugger set_trace",
    "celery.fixups.django": "fixup DjangoFixup DjangoWorkerFixup",
    "celery.loaders": "get_loader_cls",
    "celery.loaders.base": "BaseLoader",
    "celery.loaders.app": "AppLoader",
    "celery.loaders.default": "Loader",
    "celery.bootsteps": "Blueprint Step StartStopStep ConsumerStep",
    "celery.worker": "WorkController",
    "celery.worker.request": "Request create_request_cls",
    "celery.worker.state": (
        "active_requests reserved_requests revoked revoked_stamps total_count should_stop should_terminate "
        "successful_requests"
    ),
    "celery.worker.control": "control_command inspect_command Panel",
    "celery.worker.strategy": "default hybrid_to_proto2 proto1_to_proto2",
    "celery.worker.consumer": "Consumer",
    "celery.concurrency": "get_implementation get_available_pool_names",
    "celery.concurrency.base": "BasePool apply_target",
    "celery.concurrency.thread": "TaskPool",
    "celery.concurrency.prefork": "TaskPool",
    "celery.concurrency.solo": "TaskPool",
    "celery.events": "Event EventDispatcher EventReceiver get_exchange group_from",
    "celery.events.state": "State Worker Task",
    "celery.events.receiver": "EventReceiver",
    "celery.events.dispatcher": "EventDispatcher",
    "celery.events.snapshot": "Polaroid evcam",
    "celery.backends.base": (
        "Backend BaseBackend BaseDictBackend KeyValueStoreBackend BaseKeyValueStoreBackend DisabledBackend "
        "SyncBackendMixin get_current_task unpickle_backend"
    ),
    "celery.backends.cache": "CacheBackend DummyClient",
    "celery.backends.redis": "RedisBackend",
    "celery.backends.rpc": "RPCBackend",
    "celery.backends.filesystem": "FilesystemBackend",
    "celery.backends.database": "DatabaseBackend session_cleanup",
    "celery.backends.database.models": "Task TaskExtended TaskSet",
    "celery.backends.database.session": "SessionManager ResultModelBase",
    "celery.platforms": "signals pyimplementation EX_OK EX_FAILURE EX_UNAVAILABLE EX_USAGE",
    "celery.apps.worker": "Worker",
    "celery.apps.beat": "Beat",
    "celery.security": "disable_insecure_serializers setup_security",
    "celery.bin.celery": "main celery",
    "celery.bin.base": "CeleryCommand CeleryOption",
}

#: Module: what importing it says.
ABSENT = {
    "celery.contrib.migrate": "broker",
    "celery.contrib.sphinx": "not part of brokerless",
    "celery.task": "No module named",
    "celery.decorators": "No module named",
    "celery.five": "No module named",
    "celery.utils.encoding": "No module named",
}

LOOK = """
import importlib, json, sys
from brokerless.compat import install
install("celery")
surface, absent = json.load(sys.stdin)
missing = {}
for module, names in surface.items():
    try:
        found = importlib.import_module(module)
        lost = []
        for name in names.split():
            try:
                getattr(found, name)
            except AttributeError as exc:
                lost.append(name)
    except Exception as exc:
        lost = repr(exc)
    if lost:
        missing[module] = lost
said = {}
for module in absent:
    try:
        importlib.import_module(module)
        said[module] = "imported"
    except ImportError as exc:
        said[module] = str(exc)
print(json.dumps([missing, said]))
"""


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOOK],
        cwd=tmp_path_factory.mktemp("surface"),
        input=json.dumps([SURFACE, sorted(ABSENT)]),
        capture_output=True,
        text=True,
        check=True,
    )
    answer: list[dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_every_name_is_there(looked: list[dict[str, str]]) -> None:
    pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy (the extra `database`)")
    assert looked[0] == {}


@pytest.mark.parametrize("module", sorted(ABSENT))
def test_what_is_not_there_says_why(looked: list[dict[str, str]], module: str) -> None:
    assert ABSENT[module] in looked[1][module]


def test_the_table_is_not_longer_than_the_package() -> None:
    """The names are Celery's: where the real package is installed, it has all of them."""
    pytest.importorskip("cryptography", reason="celery.security imports it")
    celery = pytest.importorskip("celery", reason="needs the real celery")
    if "brokerless" in str(Path(celery.__file__)):
        pytest.skip("celery is the shim here")
    import importlib

    lacking = {
        module: [name for name in names.split() if not hasattr(importlib.import_module(module), name)]
        for module, names in SURFACE.items()
    }
    assert {module: names for module, names in lacking.items() if names} == {}
