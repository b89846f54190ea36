"""What the package exports, its constants, and the classes of its errors."""

from __future__ import annotations

import logging

import pytest

EXPORTS = {
    "": "Callback Retry cancel_job get_current_job requeue_job Queue SimpleWorker SpawnWorker Worker Repeat Webhook "
    "VERSION",
    "job": "Job JobStatus Retry Callback Dependency get_current_job cancel_job requeue_job UNEVALUATED parse_job_id",
    "queue": "Queue EnqueueData",
    "registry": "BaseRegistry StartedJobRegistry FinishedJobRegistry FailedJobRegistry DeferredJobRegistry "
    "ScheduledJobRegistry CanceledJobRegistry clean_registries",
    "worker": "Worker SimpleWorker BaseWorker SpawnWorker WorkerStatus DEFAULT_RESULT_TTL DequeueStrategy HerokuWorker "
    "RoundRobinWorker RandomWorker signal_name SHUTDOWN_SIGNAL logger",
    "decorators": "job",
    "command": "send_stop_job_command send_shutdown_command send_kill_horse_command send_command "
    "PUBSUB_CHANNEL_TEMPLATE parse_payload handle_command",
    "results": "Result",
    "exceptions": "NoSuchJobError InvalidJobOperation InvalidJobOperationError DeserializationError DequeueTimeout "
    "TimeoutFormatError AbandonedJobError DuplicateJobError NoSuchGroupError SchedulerNotFound DuplicateSchedulerError "
    "StopRequested InvalidJobDependency ShutDownImminentException",
    "serializers": "DefaultSerializer PickleSerializer JSONSerializer resolve_serializer Serializer",
    "suspension": "suspend resume is_suspended WORKERS_SUSPENDED",
    "timeouts": "JobTimeoutException BaseTimeoutException BaseDeathPenalty UnixSignalDeathPenalty TimerDeathPenalty "
    "HorseMonitorTimeoutException get_default_death_penalty_class",
    "group": "Group",
    "repeat": "Repeat",
    "cron": "CronScheduler CronJob register create_cron get_cron_job_ids",
    "cron_job_registry": "get_names add remove_stale_entries",
    "cron_scheduler_registry": "register unregister get_keys cleanup",
    "scheduler": "RQScheduler SchedulerStatus",
    "executions": "Execution ExecutionRegistry prepare_execution cleanup_execution",
    "worker_pool": "WorkerPool run_worker WorkerData",
    "worker_registration": "clean_worker_registry get_keys register unregister",
    "logutils": "setup_loghandlers ColorizingStreamHandler",
    "webhook": "Webhook",
    "version": "VERSION",
    "types": "FunctionReferenceType JobDependencyType",
    "local": "LocalStack",
    "connections": "parse_connection get_connection_kwargs NoRedisConnectionException",
    "intermediate_queue": "IntermediateQueue",
    "contrib": "",
    "defaults": "DEFAULT_RESULT_TTL DEFAULT_FAILURE_TTL DEFAULT_WORKER_TTL CALLBACK_TIMEOUT",
    "cli": "main",
}


@pytest.mark.parametrize("module", EXPORTS, ids=lambda module: module or "rq")
def test_exported_names(rq, module):
    home = rq.module(module)
    missing = [name for name in EXPORTS[module].split() if not hasattr(home, name)]
    assert missing == []


@pytest.mark.rq212("rq212-exports")
def test_all_of_the_package(rq, observed):
    observed("names", sorted(name for name in rq.module().__all__ if "onnection" not in name))


def test_what_is_not_in_the_package(rq, observed):
    observed("names", [hasattr(rq.module(), name) for name in ("Group", "Dependency", "JobStatus")])


def test_version_text(rq):
    assert rq.release[0] in (2, 3)
    assert rq.module("version").VERSION == rq.VERSION == rq.module().__version__


@pytest.mark.parametrize(
    "name",
    [
        "DEFAULT_RESULT_TTL",
        "DEFAULT_FAILURE_TTL",
        "DEFAULT_WORKER_TTL",
        "DEFAULT_JOB_MONITORING_INTERVAL",
        "DEFAULT_MAINTENANCE_TASK_INTERVAL",
        "DEFAULT_SCHEDULER_FALLBACK_PERIOD",
        "CALLBACK_TIMEOUT",
        "DEFAULT_LOGGING_FORMAT",
        "DEFAULT_LOGGING_DATE_FORMAT",
        "UNSERIALIZABLE_RETURN_VALUE_PAYLOAD",
        "DEFAULT_CRON_JOB_HISTORY_LIMIT",
        "DEFAULT_CRON_JOB_HISTORY_TTL",
        "DEFAULT_CRON_SCHEDULER_TTL",
    ],
)
def test_constants(rq, observed, name):
    observed("value", getattr(rq.module("defaults"), name))


@pytest.mark.parametrize(
    "name", ["DEFAULT_JOB_CLASS", "DEFAULT_QUEUE_CLASS", "DEFAULT_WORKER_CLASS", "DEFAULT_SERIALIZER_CLASS"]
)
def test_class_names(rq, name):
    value = getattr(rq.module("defaults"), name)
    found = rq.module("utils").import_attribute(value.replace("rq.", f"{rq.module().__name__}.", 1))
    assert found in (rq.Job, rq.Queue, rq.Worker, rq.DefaultSerializer)


@pytest.mark.parametrize("name", EXPORTS["exceptions"].split())
def test_exception_bases(rq, observed, name):
    observed("base", getattr(rq, name).__mro__[1].__name__)


def test_two_exceptions_that_are_not_related(rq):
    assert not issubclass(rq.InvalidJobOperation, rq.InvalidJobOperationError)
    assert not issubclass(rq.InvalidJobOperationError, rq.InvalidJobOperation)


def test_shut_down_imminent(rq, observed):
    error = rq.ShutDownImminentException("text", {"a": 1})
    observed("parts", [str(error), error.extra_info])


def test_class_attributes(rq, observed):
    observed("worker", [rq.Worker.queue_class is rq.Queue, rq.Worker.job_class is rq.Job])
    observed("queue", [rq.Queue.DEFAULT_TIMEOUT, rq.Queue.job_class is rq.Job, rq.Queue.redis_queues_keys])
    observed("life span", rq.SimpleWorker.log_result_lifespan)


def test_worker_defaults(rq, queue, connection, observed):
    helper = rq.SimpleWorker([queue], connection=connection)
    observed("ttl", [helper.default_result_ttl, helper.worker_ttl, helper.job_monitoring_interval])
    observed(
        "flags", [helper.log_job_description, helper.disable_default_exception_handler, helper.maintenance_interval]
    )


@pytest.mark.parametrize("name", ["rq.worker", "rq.job", "rq.queue"])
def test_loggers(rq, name):
    assert rq.module(name.split(".")[1]).logger is logging.getLogger(name)


def test_job_is_one_class_everywhere(rq):
    assert rq.module("job").Job is rq.Job
    assert rq.module("worker").Worker is rq.Worker
    assert rq.module("queue").Queue is rq.Queue
    assert rq.module("job").Retry is rq.Retry
    assert rq.module("job").Callback is rq.Callback


@pytest.mark.parametrize(
    ("module", "name", "home"),
    [
        ("job", "NoSuchJobError", "exceptions"),
        ("job", "DeserializationError", "exceptions"),
        ("job", "InvalidJobOperation", "exceptions"),
        ("job", "Callback", "callbacks"),
        ("job", "CALLBACK_TIMEOUT", "defaults"),
        ("job", "parse_timeout", "utils"),
        ("job", "import_attribute", "utils"),
        ("job", "resolve_serializer", "serializers"),
        ("queue", "Job", "job"),
        ("queue", "JobStatus", "job"),
        ("queue", "Dependency", "dependency"),
        ("queue", "Callback", "callbacks"),
        ("queue", "Repeat", "repeat"),
        ("queue", "NoSuchJobError", "exceptions"),
        ("queue", "DequeueTimeout", "exceptions"),
        ("registry", "Queue", "queue"),
        ("registry", "Job", "job"),
        ("registry", "NoSuchJobError", "exceptions"),
        ("registry", "InvalidJobOperation", "exceptions"),
        ("registry", "AbandonedJobError", "exceptions"),
        ("worker", "DEFAULT_RESULT_TTL", "defaults"),
        ("decorators", "Queue", "queue"),
    ],
)
def test_names_that_are_imported_from_elsewhere(rq, observed, module, name, home):
    if home == "callbacks" and rq.release < (3,):
        home = "job"  # where rq 2 has it
    observed("same", getattr(rq.module(module), name) is getattr(rq.module(home), name))
