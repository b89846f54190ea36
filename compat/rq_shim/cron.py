"""`CronScheduler`: enqueues jobs again and again, where `start()` is called or in a thread (`start_thread()`)."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

from . import cron_scheduler_registry
from .connections import client_of
from .defaults import (
    DEFAULT_CRON_SCHEDULER_TTL,
    DEFAULT_LOGGING_DATE_FORMAT,
    DEFAULT_LOGGING_FORMAT,
    DEFAULT_RESULT_TTL,
    RQ_KEY_PREFIX,
)
from .exceptions import SchedulerNotFound, StopRequested
from .logutils import setup_loghandlers
from .runtime.cronjob import CronJob, get_cron_job_history_key, get_cron_job_ids
from .runtime.records import new_hex
from .serializers import resolve_serializer
from .utils import decode_redis_hash, normalize_config_path, now, str_to_date, utcformat, validate_absolute_path

__all__ = ["CronJob", "CronScheduler", "create_cron", "get_cron_job_history_key", "get_cron_job_ids", "register"]

logger = logging.getLogger("rq.cron")


class CronScheduler:
    """Holds cron jobs and enqueues those that are due."""

    def __init__(self, connection: Any, logging_level: Any = logging.INFO, name: str = "") -> None:
        self.connection = connection
        self._cron_jobs: list[CronJob] = []
        self.hostname: str = socket.gethostname()
        self.pid: int = os.getpid()
        self.name: str = name or f"{self.hostname}:{self.pid}:{new_hex()[:6]}"
        self.config_file: str = ""
        self.created_at: datetime = now()
        self.serializer = resolve_serializer()
        self._stop = threading.Event()
        self.log: logging.Logger = logger
        if not self.log.hasHandlers():
            setup_loghandlers(
                level=logging_level,
                name="rq.cron",
                log_format=DEFAULT_LOGGING_FORMAT,
                date_format=DEFAULT_LOGGING_DATE_FORMAT,
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, self.__class__) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def _client(self) -> Any:
        return client_of(self.connection)

    # -- jobs -------------------------------------------------------------------------------------------------------

    def register(self, func: Callable[..., Any], queue_name: str, *args: Any, **options: Any) -> CronJob:
        """Adds a cron job; the arguments are those of `CronJob`."""
        names = ("args", "kwargs", "interval", "cron", "job_timeout", "result_ttl", "ttl", "failure_ttl", "meta")
        options.update(zip((*names, "webhooks", "name"), args, strict=False))
        job = CronJob(queue_name=queue_name, func=func, **options)
        self._cron_jobs.append(job)
        if job.interval:
            self.log.info("Registered '%s' to run on %s every %s seconds", job.func_name, queue_name, job.interval)
        else:
            self.log.info("Registered '%s' to run on %s with cron schedule '%s'", job.func_name, queue_name, job.cron)
        return job

    def get_jobs(self) -> list[CronJob]:
        """The cron jobs."""
        return self._cron_jobs

    def enqueue_jobs(self) -> list[CronJob]:
        """Enqueues what is due, and gives it."""
        moment = now()
        due = [job for job in self._cron_jobs if job.should_run()]
        for job in due:
            job.enqueue(self.connection)
            job.set_enqueue_time(moment)
        return due

    def calculate_sleep_interval(self) -> float:
        """Seconds until something is due, at most a minute."""
        times = [job.next_enqueue_time for job in self._cron_jobs if job.next_enqueue_time]
        if not times:
            return 60
        return max(0, min((min(times) - now()).total_seconds(), 60))

    # -- the loop ---------------------------------------------------------------------------------------------------

    def _install_signal_handlers(self) -> dict[int, Any]:
        if threading.current_thread() is not threading.main_thread():
            return {}
        return {number: signal.signal(number, self._request_stop) for number in (signal.SIGINT, signal.SIGTERM)}

    def _request_stop(self, signum: int, frame: Any) -> None:
        self.log.info("CronScheduler %s: received shutdown signal %s", self.name, signum)
        raise StopRequested()

    def start(self) -> None:
        """Enqueues what is due until it is told to stop."""
        self.log.info("CronScheduler %s: starting...", self.name)
        before = self._install_signal_handlers()
        self.register_birth()
        self._stop.clear()
        try:
            while not self._stop.is_set():
                if self.enqueue_jobs():
                    self.save()
                self.heartbeat()
                self._stop.wait(self.calculate_sleep_interval())
        except KeyboardInterrupt:
            self.log.info("CronScheduler %s: received KeyboardInterrupt", self.name)
        except StopRequested:
            self.log.info("CronScheduler %s: stop requested", self.name)
        finally:
            for number, handler in (before or {}).items():
                signal.signal(number, handler)
            self.register_death()
            self.log.info("CronScheduler %s: shutdown complete", self.name)

    def start_thread(self) -> threading.Thread:
        """Not in RQ: `start()` in a thread of this process."""
        thread = threading.Thread(target=self.start, name="brokerless-rq-cron", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Not in RQ: from any thread, ends `start()`."""
        self._stop.set()

    def load_config_from_file(self, config_path: str) -> None:
        """Registers what a file or module registers with `cron.register`."""
        self.config_file = config_path
        self.log.info("Loading cron configuration from %s", config_path)
        global _job_data_registry
        _job_data_registry = []
        if os.path.isabs(config_path):
            self._load_file(config_path)
        else:
            self._load_module(config_path)
        count = 0
        for data in list(_job_data_registry):
            try:
                self.register(**data)
                count += 1
            except Exception as error:
                self.log.error("Failed to register job %s from config: %s", data["func"].__name__, error, exc_info=True)
        _job_data_registry.clear()
        self.log.info("Successfully registered %d cron jobs from '%s'", count, config_path)

    def _load_file(self, path: str) -> None:
        validate_absolute_path(path)
        name = f"rq_cron_config_{os.path.basename(path).replace('.', '_')}"
        try:
            spec = importlib.util.spec_from_file_location(name, path)
            if spec is None or spec.loader is None:
                raise ImportError(f"Could not create module spec for {path}")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        except Exception as error:
            sys.modules.pop(name, None)
            message = f"Failed to load configuration file '{path}': {error}"
            self.log.error(message)
            raise ImportError(message) from error

    def _load_module(self, config_path: str) -> None:
        name = normalize_config_path(config_path)
        try:
            if name in sys.modules:
                importlib.reload(sys.modules[name])
            else:
                importlib.import_module(name)
        except ImportError as error:
            message = f"Failed to import configuration module '{name}' (from '{config_path}'): {error}"
            self.log.error(message)
            raise ImportError(message) from error
        except Exception as error:
            message = f"An error occurred while importing '{name}' (from '{config_path}'): {error}"
            self.log.error(message)
            raise Exception(message) from error

    # -- how it is known --------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        return f"{RQ_KEY_PREFIX}:cron_scheduler:{self.name}"

    def to_dict(self) -> dict[str, Any]:
        """Its hash."""
        return {
            "hostname": self.hostname,
            "pid": str(self.pid),
            "name": self.name,
            "created_at": utcformat(self.created_at),
            "config_file": self.config_file or "",
            "cron_jobs": json.dumps([job.to_dict() for job in self._cron_jobs]),
        }

    def save(self, pipeline: Any = None) -> None:
        """Stores its hash for as long as it is alive."""
        client = self._client
        client.hset(self.key, mapping=self.to_dict())
        client.expire(self.key, DEFAULT_CRON_SCHEDULER_TTL)

    def restore(self, raw_data: dict[Any, Any]) -> None:
        """Takes over a stored hash."""
        read = decode_redis_hash(raw_data, decode_values=True)
        self.hostname = read.get("hostname", "")
        self.pid = int(read.get("pid", 0))
        self.name = read.get("name", self.name)
        if read.get("created_at"):
            self.created_at = str_to_date(read["created_at"])
        self.config_file = read.get("config_file", "")
        self._cron_jobs = []
        if read.get("cron_jobs"):
            try:
                self._cron_jobs = [CronJob.from_dict(data) for data in json.loads(read["cron_jobs"])]
            except (ValueError, KeyError, TypeError) as error:
                self.log.warning("Failed to restore cron jobs: %s", error)

    @classmethod
    def fetch(cls, name: str, connection: Any) -> CronScheduler:
        """The scheduler of that name."""
        raw = client_of(connection).hgetall(f"{RQ_KEY_PREFIX}:cron_scheduler:{name}")
        if not raw:
            raise SchedulerNotFound(f"CronScheduler with name '{name}' not found")
        scheduler = cls(connection=connection, name=name)
        scheduler.restore(raw)
        return scheduler

    @classmethod
    def all(cls, connection: Any, cleanup: bool = True) -> list[CronScheduler]:
        """Every scheduler that is alive."""
        if cleanup:
            cron_scheduler_registry.cleanup(connection)
        found = []
        for name in cron_scheduler_registry.get_keys(connection):
            with contextlib.suppress(SchedulerNotFound):
                found.append(cls.fetch(name, connection))
        return found

    def register_birth(self) -> None:
        """Makes it known."""
        self.log.info("CronScheduler %s: registering birth...", self.name)
        with self._client.pipeline() as pipeline:
            cron_scheduler_registry.register(self, pipeline)
            pipeline.execute()
        self.save()

    def register_death(self, pipeline: Any = None) -> None:
        """Makes its end known."""
        self.log.info("CronScheduler %s: registering death...", self.name)
        cron_scheduler_registry.unregister(self, pipeline)

    def heartbeat(self) -> None:
        """A sign of life."""
        client = self._client
        added = client.zadd(cron_scheduler_registry.get_registry_key(), {self.name: time.time()})
        if not client.expire(self.key, DEFAULT_CRON_SCHEDULER_TTL):
            self.save()
        if added:
            self.log.info("CronScheduler %s: re-registered in scheduler registry", self.name)
        else:
            self.log.debug("CronScheduler %s: heartbeat sent successfully", self.name)

    @property
    def last_heartbeat(self) -> datetime | None:
        """Its last sign of life."""
        score = self._client.zscore(cron_scheduler_registry.get_registry_key(), self.name)
        return None if score is None else datetime.fromtimestamp(score, tz=timezone.utc)


_job_data_registry: list[dict[str, Any]] = []


def register(
    func: Callable[..., Any],
    queue_name: str,
    args: Any = None,
    kwargs: Any = None,
    interval: int | None = None,
    cron: str | None = None,
    job_timeout: Any = None,
    result_ttl: int = DEFAULT_RESULT_TTL,
    ttl: Any = None,
    failure_ttl: Any = None,
    meta: Any = None,
    webhooks: Sequence[Any] | None = None,
    name: str = "",
) -> dict[str, Any]:
    """In a configuration file: a cron job for the scheduler that loads it."""
    data = dict(locals())
    _job_data_registry.append(data)
    logger.debug("Cron config: Adding job '%s.%s' to registry for queue %s", func.__module__, func.__name__, queue_name)
    return data


def create_cron(connection: Any) -> CronScheduler:
    """A scheduler with what has been registered in this module so far."""
    scheduler = CronScheduler(connection=connection)
    definitions = _job_data_registry[:]
    _job_data_registry.clear()
    for data in definitions:
        scheduler.register(**data)
    return scheduler
