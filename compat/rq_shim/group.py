"""`Group`: jobs under one name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .connections import client_of
from .defaults import RQ_KEY_PREFIX
from .exceptions import NoSuchGroupError
from .job import Job
from .queue import EnqueueData, Queue
from .runtime.pipeline import later
from .runtime.records import new_hex
from .utils import as_text

__all__ = ["Group"]


class Group:
    """Exists as long as one of its jobs does."""

    REDIS_GROUP_NAME_PREFIX = RQ_KEY_PREFIX + ":group:"
    REDIS_GROUP_KEY = RQ_KEY_PREFIX + ":groups"
    REDIS_GROUP_CLEANING_KEY = RQ_KEY_PREFIX + ":clean_groups"

    def __init__(self, connection: Any, name: str | None = None) -> None:
        self.name = name or new_hex()
        self.connection = connection
        self.key = f"{self.REDIS_GROUP_NAME_PREFIX}{self.name}"

    def __repr__(self) -> str:
        return f"Group(id={self.name})"

    @property
    def _client(self) -> Any:
        return client_of(self.connection)

    def _add_jobs(self, jobs: Iterable[Any], pipeline: Any = None) -> None:
        later(pipeline, self._client.sadd, self.key, *[job.id for job in jobs])
        later(pipeline, self._client.sadd, self.REDIS_GROUP_KEY, self.name)

    def cleanup(self) -> None:
        """Takes out jobs that are gone."""
        ids = [as_text(member) for member in self._client.smembers(self.key)]
        gone = [job_id for job_id in ids if not Job.exists(job_id, self.connection)]
        if gone:
            self._client.srem(self.key, *gone)

    def enqueue_many(self, queue: Queue, job_datas: Iterable[EnqueueData], pipeline: Any = None) -> list[Any]:
        """Queues jobs that belong to this group."""
        jobs = queue.enqueue_many(job_datas, group_id=self.name, pipeline=pipeline)
        self._add_jobs(jobs, pipeline)
        if pipeline is not None:
            # As in RQ: the caller's pipeline is executed here.
            pipeline.execute()
        return jobs

    def get_jobs(self) -> list[Any]:
        """The jobs that are left."""
        self.cleanup()
        ids = [as_text(member) for member in self._client.smembers(self.key)]
        return [job for job in Job.fetch_many(ids, self.connection) if job is not None]

    def delete_job(self, job_id: str, pipeline: Any = None) -> None:
        """Takes a job out of the group."""
        later(pipeline, self._client.srem, self.key, job_id)

    @classmethod
    def create(cls, connection: Any, name: str | None = None) -> Group:
        """A group that has no jobs yet."""
        return cls(name=name, connection=connection)

    @classmethod
    def fetch(cls, name: str, connection: Any) -> Group:
        """The group of that name; NoSuchGroupError if it has no jobs."""
        group = cls(name=name, connection=connection)
        group.cleanup()
        if not group._client.exists(cls.get_key(group.name)):
            raise NoSuchGroupError
        return group

    @classmethod
    def all(cls, connection: Any) -> list[Group]:
        """Every group that has jobs."""
        client = client_of(connection)
        groups = []
        for name in [as_text(member) for member in client.smembers(cls.REDIS_GROUP_KEY)]:
            try:
                groups.append(cls.fetch(name, connection=connection))
            except NoSuchGroupError:
                client.srem(cls.REDIS_GROUP_KEY, name)
        return groups

    @classmethod
    def get_key(cls, name: str) -> str:
        return cls.REDIS_GROUP_NAME_PREFIX + name

    @classmethod
    def acquire_maintenance_lock(cls, connection: Any, timeout: int) -> bool:
        """True for one caller each `timeout` seconds."""
        return bool(client_of(connection).set(cls.REDIS_GROUP_CLEANING_KEY, 1, nx=True, ex=timeout))

    @classmethod
    def clean_registries(cls, connection: Any) -> None:
        """Takes out jobs that are gone, and groups without jobs."""
        for group in cls.all(connection=connection):
            group.cleanup()
        cls.all(connection=connection)
