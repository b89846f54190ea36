"""`CronJob`: what is to be enqueued again and again, and when. Public as `cron.CronJob`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from croniter import croniter

from .. import cron_job_registry
from ..connections import client_of
from ..defaults import (
    DEFAULT_CRON_JOB_HISTORY_LIMIT,
    DEFAULT_CRON_JOB_HISTORY_TTL,
    DEFAULT_RESULT_TTL,
    RQ_KEY_PREFIX,
)
from ..queue import Queue
from ..utils import NOT_JSON_SERIALIZABLE, as_text, now, safe_json_dumps, utcformat, utcparse
from ..webhook import Webhook, check_webhooks

__all__ = ["CronJob", "get_cron_job_history_key", "get_cron_job_ids"]

logger = logging.getLogger("rq.cron")


def get_cron_job_history_key(name: str) -> str:
    return f"{RQ_KEY_PREFIX}:cron_job:{name}:jobs"


def get_cron_job_ids(name: str, connection: Any, start: int = 0, end: int = -1) -> list[str]:
    """Ids of the jobs that a cron job has enqueued, newest first."""
    found = client_of(connection).zrange(get_cron_job_history_key(name), start, end, desc=True)
    return [as_text(job_id) for job_id in found]


class CronJob:
    """Each `interval` seconds, or at the times of a cron string (local time)."""

    def __init__(
        self,
        queue_name: str,
        func: Callable[..., Any] | None = None,
        func_name: str | None = None,
        args: Any = None,
        kwargs: Any = None,
        interval: int | None = None,
        cron: str | None = None,
        job_timeout: Any = None,
        result_ttl: int = DEFAULT_RESULT_TTL,
        ttl: Any = None,
        failure_ttl: Any = None,
        meta: Any = None,
        webhooks: Sequence[Webhook] | None = None,
        name: str = "",
    ) -> None:
        if interval and cron:
            raise ValueError("Cannot specify both interval and cron parameters")
        if not interval and not cron:
            raise ValueError("Must specify either interval or cron parameter")
        if webhooks:
            check_webhooks(webhooks)
        self.func = func
        if func:
            self.func_name = f"{func.__module__}.{func.__name__}"
        elif func_name:
            self.func = None
            self.func_name = func_name
        else:
            raise ValueError("Either func or func_name must be provided")
        self.name: str = name or self.func_name
        self.args: Any = args or ()
        self.kwargs: Any = kwargs or {}
        self.interval = interval
        self.cron = cron
        self.queue_name = queue_name
        self.next_enqueue_time: datetime | None = None
        self.latest_enqueue_time: datetime | None = None
        if self.cron:
            self.next_enqueue_time = self.get_next_enqueue_time()
        options = {
            "job_timeout": job_timeout,
            "result_ttl": result_ttl,
            "ttl": ttl,
            "failure_ttl": failure_ttl,
            "meta": meta,
            "webhooks": list(webhooks) if webhooks else None,
        }
        self.job_options: dict[str, Any] = {key: value for key, value in options.items() if value is not None}

    @property
    def job_history_key(self) -> str:
        return get_cron_job_history_key(self.name)

    def enqueue(self, connection: Any) -> Any:
        """Enqueues the job now, and notes that in its history."""
        if not self.func:
            raise ValueError("CronJob has no function to enqueue. It may have been created for monitoring purposes.")
        queue = Queue(self.queue_name, connection=connection)
        job = queue.enqueue(self.func, args=self.args, kwargs=self.kwargs, **self.job_options)
        client = client_of(connection)
        moment = job.enqueued_at.timestamp()
        client.zadd(self.job_history_key, {job.id: moment})
        client.zremrangebyrank(self.job_history_key, 0, -(DEFAULT_CRON_JOB_HISTORY_LIMIT + 1))
        client.expire(self.job_history_key, DEFAULT_CRON_JOB_HISTORY_TTL)
        cron_job_registry.add(self.name, connection, enqueue_timestamp=moment)
        logger.info("Enqueued job %s to queue %s", self.func.__name__, self.queue_name)
        return job

    def get_job_ids(self, connection: Any, start: int = 0, end: int = -1) -> list[str]:
        """Ids of the jobs that it has enqueued, newest first."""
        return get_cron_job_ids(self.name, connection, start, end)

    def get_next_enqueue_time(self) -> datetime:
        """When it is due next."""
        if self.cron:
            base = self.latest_enqueue_time or now()
            matches = croniter(self.cron, base.astimezone().replace(tzinfo=None))
            while True:
                # An hour that is there twice counts once, the first time: its second one would be before `base`.
                moment = datetime.fromtimestamp(matches.get_next(datetime).replace(fold=0).timestamp(), timezone.utc)
                if moment > base.astimezone(timezone.utc):
                    return moment
        if self.interval and self.latest_enqueue_time:
            return self.latest_enqueue_time + timedelta(seconds=self.interval)
        return datetime.max

    def should_run(self) -> bool:
        """Whether it is due."""
        if not self.latest_enqueue_time and not self.cron:
            return True
        return bool(self.next_enqueue_time) and now() >= self.next_enqueue_time  # type: ignore[operator]

    def set_enqueue_time(self, time: datetime) -> None:
        """Notes when it was enqueued last."""
        self.latest_enqueue_time = time
        if self.interval is not None or self.cron is not None:
            self.next_enqueue_time = self.get_next_enqueue_time()

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        obj: dict[str, Any] = {
            "func_name": self.func_name,
            "name": self.name,
            "queue_name": self.queue_name,
            "args": safe_json_dumps(self.args) if self.args else None,
            "kwargs": safe_json_dumps(self.kwargs) if self.kwargs else None,
            "interval": self.interval,
            "cron": self.cron,
            "latest_enqueue_time": utcformat(self.latest_enqueue_time) if self.latest_enqueue_time else None,
            "next_enqueue_time": utcformat(self.next_enqueue_time) if self.next_enqueue_time else None,
        }
        for key, value in self.job_options.items():
            if key == "meta":
                obj[key] = safe_json_dumps(value)
            elif key == "webhooks":
                obj[key] = json.dumps([webhook.to_dict() for webhook in value])
            else:
                obj[key] = value
        return obj

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CronJob:
        """What `to_dict` gave, without the function."""

        def read(key: str) -> Any:
            text = data.get(key)
            return json.loads(text) if text and text != NOT_JSON_SERIALIZABLE else text

        args = read("args")
        webhooks = read("webhooks")
        job = cls(
            queue_name=data["queue_name"],
            func_name=data["func_name"],
            name=data.get("name", ""),
            args=tuple(args) if isinstance(args, list) else args,
            kwargs=read("kwargs"),
            interval=data.get("interval"),
            cron=data.get("cron"),
            job_timeout=data.get("job_timeout"),
            result_ttl=data.get("result_ttl", DEFAULT_RESULT_TTL),
            ttl=data.get("ttl"),
            failure_ttl=data.get("failure_ttl"),
            meta=read("meta"),
            webhooks=[Webhook.from_dict(one) for one in webhooks] if isinstance(webhooks, list) else None,
        )
        for key in ("latest_enqueue_time", "next_enqueue_time"):
            if data.get(key):
                setattr(job, key, utcparse(data[key]))
        return job
