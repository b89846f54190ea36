"""RQ's constants. Times are in seconds. Class paths are RQ's own names; `utils.import_attribute` finds them here."""

from __future__ import annotations

import os
import re

RQ_KEY_PREFIX = os.environ.get("RQ_KEY_PREFIX", "rq")
"""First part of every key that `Queue.key`, `Job.key` … show; read once, at import."""

if not re.fullmatch(r"[A-Za-z0-9_.:{}-]+", RQ_KEY_PREFIX):
    raise ValueError(f"Invalid RQ_KEY_PREFIX {RQ_KEY_PREFIX!r}: only letters, digits, and _ . : - {{ }} are allowed")

FORMAT_KEY_PREFIX = RQ_KEY_PREFIX.replace("{", "{{").replace("}", "}}")
"""The prefix for templates that go through `str.format`."""

DEFAULT_JOB_CLASS = "rq.job.Job"
DEFAULT_QUEUE_CLASS = "rq.Queue"
DEFAULT_WORKER_CLASS = "rq.Worker"
DEFAULT_SERIALIZER_CLASS = "rq.serializers.DefaultSerializer"
DEFAULT_CONNECTION_CLASS = "redis.Redis"
DEFAULT_DEATH_PENALTY_CLASS = "rq.timeouts.UnixSignalDeathPenalty"

DEFAULT_WORKER_TTL = 420
DEFAULT_JOB_MONITORING_INTERVAL = 30
DEFAULT_RESULT_TTL = 500
"""How long a finished job and its result are kept."""
DEFAULT_FAILURE_TTL = 31536000
"""How long a failed job is kept: a year."""
DEFAULT_CRON_JOB_HISTORY_LIMIT = 1000
DEFAULT_CRON_JOB_HISTORY_TTL = 31536000
DEFAULT_CRON_SCHEDULER_TTL = 120
DEFAULT_SCHEDULER_FALLBACK_PERIOD = 120
DEFAULT_MAINTENANCE_TASK_INTERVAL = 10 * 60
CALLBACK_TIMEOUT = 60
DEFAULT_LOGGING_DATE_FORMAT = "%H:%M:%S"
DEFAULT_LOGGING_FORMAT = "%(asctime)s %(message)s"
UNSERIALIZABLE_RETURN_VALUE_PAYLOAD = "Unserializable return value"
"""What is stored in place of a result that cannot be serialized."""
