"""`QueueInfo`: what a queue can be asked and how jobs are taken out of it again. Mixed into `Queue`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exceptions import NoSuchJobError
from ..logutils import green
from .keycommands import cut
from .pipeline import later
from .store import store_of

if TYPE_CHECKING:
    from ..intermediate_queue import IntermediateQueue

__all__ = ["QueueInfo"]


class QueueInfo:
    """Needs what `Queue.__init__` sets."""

    connection: Any
    name: str
    serializer: Any
    job_class: Any
    log: Any
    redis_queue_namespace_prefix: str
    redis_queues_keys: str
    _key: str
    _is_async: bool
    _store: Any

    @classmethod
    def all(
        cls, connection: Any = None, job_class: Any = None, serializer: Any = None, death_penalty_class: Any = None
    ) -> list[Any]:
        """Every queue that has had a job."""
        from ..connections import implicit_connection

        connection = implicit_connection() if connection is None else connection
        return [
            cls.from_queue_key(key, connection, job_class, serializer, death_penalty_class)
            for key in list(store_of(connection).registered)
        ]

    @classmethod
    def from_queue_key(
        cls,
        queue_key: str,
        connection: Any = None,
        job_class: Any = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> Any:
        """The queue with that key."""
        prefix = cls.redis_queue_namespace_prefix
        if not queue_key.startswith(prefix):
            raise ValueError(f"Not a valid RQ queue key: {queue_key}")
        return cls(  # type: ignore[call-arg]
            queue_key[len(prefix) :],
            connection=connection,
            job_class=job_class,
            serializer=serializer,
            death_penalty_class=death_penalty_class,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __len__(self) -> int:
        return self.count

    @property
    def key(self) -> str:
        return self._key

    @property
    def is_async(self) -> bool:
        """Whether jobs wait for a worker; else they run in the call of `enqueue`."""
        return bool(self._is_async)

    # -- asking -----------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Job ids that wait, also of jobs that are gone."""
        line = self._store.lines.get(self._key)
        return 0 if line is None else line.count()

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self.count == 0

    def get_job_ids(self, offset: int = 0, length: int = -1) -> list[str]:
        """Ids that wait, first one first; all from `offset` on, or `length` of them."""
        line = self._store.lines.get(self._key)
        if length == 0 or line is None:
            return []
        found = cut(line.all(), offset, offset + length - 1 if length > 0 else length)
        self.log.debug("Getting jobs for queue %s: %d found.", green(self.name), len(found))
        return found

    @property
    def job_ids(self) -> list[str]:
        return self.get_job_ids()

    def get_jobs(self, offset: int = 0, length: int = -1) -> list[Any]:
        """The jobs behind those ids; ids of jobs that are gone are taken out of the queue."""
        jobs = [self.fetch_job(job_id) for job_id in self.get_job_ids(offset, length)]
        return [job for job in jobs if job is not None]

    @property
    def jobs(self) -> list[Any]:
        return self.get_jobs()

    def fetch_job(self, job_id: str) -> Any:
        """The job of that id if it is of this queue, else None."""
        try:
            job = self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer)
        except NoSuchJobError:
            self.remove(job_id)
            return None
        return job if job.origin == self.name else None

    def get_job_position(self, job_or_id: Any) -> int | None:
        """How many wait before it; None when it does not wait here."""
        line = self._store.lines.get(self._key)
        return None if line is None else line.position(self._id_of(job_or_id))

    def _id_of(self, job_or_id: Any) -> str:
        return job_or_id.id if isinstance(job_or_id, self.job_class) else job_or_id  # type: ignore[no-any-return]

    # -- taking out -------------------------------------------------------------------------------------------------

    def remove(self, job_or_id: Any, pipeline: Any = None) -> Any:
        """Takes a job's id out: 1, or 0 if it was not in."""
        return later(pipeline, self._remove, self._id_of(job_or_id))

    def _remove(self, job_id: str) -> int:
        line = self._store.lines.get(self._key)
        return 0 if line is None else line.remove(job_id)

    def empty(self) -> int:
        """Deletes all waiting jobs and gives their number."""
        store = self._store
        line = store.lines.get(self._key)
        if line is None:
            return 0
        count = 0
        for task in line.tasks():
            job_id = task.args[0]
            if task.withdraw():
                store.delete_job(job_id)
                count += 1
        return count

    def delete(self, delete_jobs: bool = True) -> None:
        """Forgets the queue; with `delete_jobs` its jobs too."""
        if delete_jobs:
            self.empty()
        elif (line := self._store.lines.get(self._key)) is not None:
            line.empty()
        self._store.registered.pop(self._key, None)

    def compact(self) -> None:
        """Takes out the ids of jobs that are gone."""
        for job_id in self.get_job_ids():
            if not self.job_class.exists(job_id, self.connection):
                self._remove(job_id)

    # -- registries -------------------------------------------------------------------------------------------------

    def _registry(self, kind: str) -> Any:
        from .. import registry

        return getattr(registry, kind)(queue=self, job_class=self.job_class, serializer=self.serializer)

    failed_job_registry = property(lambda self: self._registry("FailedJobRegistry"))
    started_job_registry = property(lambda self: self._registry("StartedJobRegistry"))
    finished_job_registry = property(lambda self: self._registry("FinishedJobRegistry"))
    deferred_job_registry = property(lambda self: self._registry("DeferredJobRegistry"))
    ready_job_registry = property(lambda self: self._registry("ReadyJobRegistry"))
    scheduled_job_registry = property(lambda self: self._registry("ScheduledJobRegistry"))
    canceled_job_registry = property(lambda self: self._registry("CanceledJobRegistry"))

    # -- what means little without a server -------------------------------------------------------------------------

    def get_redis_server_version(self) -> tuple[int, int, int]:
        """The version that is stood in for."""
        return (7, 0, 0)

    @property
    def registry_cleaning_key(self) -> str:
        return f"{self.redis_queues_keys.rpartition(':')[0]}:clean_registries:{self.name}"

    def acquire_maintenance_lock(self) -> bool:
        """True for one caller until it is released, at most for a quarter of an hour."""
        from ..connections import client_of

        return bool(client_of(self.connection).set(self.registry_cleaning_key, 1, nx=True, ex=899))

    def release_maintenance_lock(self) -> None:
        """The next caller gets it."""
        from ..connections import client_of

        client_of(self.connection).delete(self.registry_cleaning_key)

    @property
    def intermediate_queue_key(self) -> str:
        return f"{self._key}:intermediate"

    @property
    def intermediate_queue(self) -> IntermediateQueue:
        from ..intermediate_queue import IntermediateQueue

        return IntermediateQueue(self._key, connection=self.connection)

    @property
    def scheduler_pid(self) -> int | None:
        """The process of the scheduler that looks after this queue, or None."""
        from ..connections import client_of
        from ..scheduler import SCHEDULER_KEY_TEMPLATE, RQScheduler

        client = client_of(self.connection)
        name = client.get(RQScheduler.get_locking_key(self.name))
        if name is None:
            return None
        pid = client.hget(SCHEDULER_KEY_TEMPLATE % (name.decode() if isinstance(name, bytes) else name), "pid")
        return int(pid) if pid else None
