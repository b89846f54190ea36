"""Jobs, results, dependencies and queues as the keys that RQ has for them (`rq:job:…`, `rq:queue:…`).

Views: they hold nothing, and reading or writing them reads or writes the records. The add-ons' own commands meet them
through `Keyspace.get`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..defaults import RQ_KEY_PREFIX
from . import clock
from .values import SetValue

if TYPE_CHECKING:
    from .lines import Line
    from .records import JobRecord
    from .store import Store

__all__ = [
    "JobHash",
    "QueueList",
    "ResultStream",
    "drop_view",
    "expire_view",
    "job_hash",
    "ttl_of_view",
    "view",
    "view_names",
]

JOB = RQ_KEY_PREFIX + ":job:"
QUEUE = RQ_KEY_PREFIX + ":queue:"
RESULTS = RQ_KEY_PREFIX + ":results:"
QUEUES = RQ_KEY_PREFIX + ":queues"
DEPENDENTS = ":dependents"
DEPENDENCIES = ":dependencies"


class JobHash:
    """A job as a hash."""

    kind = "hash"

    def __init__(self, store: Store, record: JobRecord) -> None:
        self.store = store
        self.record = record

    def __len__(self) -> int:
        return 1

    def all(self) -> dict[str, Any]:
        from .hashes import fields_of

        return fields_of(self.record)

    def get(self, field: str) -> Any:
        if field == "status":
            return self.record.status
        return self.all().get(field)

    def update(self, mapping: dict[str, Any]) -> int:
        from .hashes import write_fields

        known = self.all()
        write_fields(self.record, mapping)
        return sum(field not in known for field in mapping)

    def discard(self, fields: Iterable[str]) -> int:
        from .hashes import remove_field

        return sum(remove_field(self.record, field) for field in fields)


class QueueList:
    """A queue as a list of job ids."""

    kind = "list"

    def __init__(self, line: Line) -> None:
        self.line = line

    def __len__(self) -> int:
        return self.line.count()

    def all(self) -> list[str]:
        return self.line.all()

    def push(self, value: str, left: bool) -> None:
        self.line.push(value, front=left)

    def pop(self, left: bool) -> str | None:
        if left:
            return self.line.pop()
        for task in reversed(self.line.tasks()):
            if task.withdraw():
                return str(task.args[0])
        return None

    def remove(self, value: str, count: int) -> int:
        tasks = [task for task in self.line.tasks() if task.args[0] == value]
        if count > 0:
            tasks = tasks[:count]
        elif count < 0:
            tasks = tasks[count:]
        return sum(task.withdraw() for task in tasks)


class ResultStream:
    """A job's results: there or not, and for how long."""

    kind = "stream"

    def __init__(self, store: Store, job_id: str) -> None:
        self.store = store
        self.job_id = job_id

    def __len__(self) -> int:
        return len(self.store.results(self.job_id))


def job_hash(store: Store, key: str) -> JobHash | None:
    """The hash of a job's key, with a record made for it; None for other keys."""
    job_id = key[len(JOB) :]
    if not key.startswith(JOB) or not job_id or ":" in job_id or key in store.space.values:
        return None
    return JobHash(store, store.touch_job(job_id))


def _linked(store: Store, key: str) -> dict[str, None] | None:
    """The dependents or dependencies that a key names."""
    rest = key[len(JOB) :]
    if rest.endswith(DEPENDENTS):
        return store.dependents.get(rest[: -len(DEPENDENTS)])
    if rest.startswith(":") and rest.endswith(DEPENDENCIES):
        return store.dependencies.get(rest[1 : -len(DEPENDENCIES)])
    return None


def view(store: Store, key: str) -> Any:
    """What is kept elsewhere under a key's name, or None."""
    if key.startswith(JOB):
        record = store.job(key[len(JOB) :])
        if record is not None:
            return JobHash(store, record)
        linked = _linked(store, key)
        return SetValue(linked) if linked else None
    if key.startswith(QUEUE):
        line = store.lines.get(key)
        return QueueList(line) if line is not None and line.count() else None
    if key.startswith(RESULTS):
        job_id = key[len(RESULTS) :]
        return ResultStream(store, job_id) if store.results(job_id) else None
    if key == QUEUES and store.registered:
        return SetValue(store.registered)
    return None


def view_names(store: Store) -> Iterator[str]:
    """The keys of everything that is there as a view."""
    for job_id in list(store.jobs):
        if store.job(job_id) is not None:
            yield JOB + job_id
        if store.results(job_id):
            yield RESULTS + job_id
    for job_id, found in list(store.orphans.items()):
        if found:
            yield RESULTS + job_id
    for job_id, linked in list(store.dependents.items()):
        if linked:
            yield JOB + job_id + DEPENDENTS
    for job_id, linked in list(store.dependencies.items()):
        if linked:
            yield f"{JOB}:{job_id}{DEPENDENCIES}"
    for key, line in list(store.lines.items()):
        if line.count():
            yield key
    if store.registered:
        yield QUEUES


def drop_view(store: Store, key: str) -> bool:
    """`DEL` of such a key."""
    if key.startswith(JOB):
        record = store.job(key[len(JOB) :])
        if record is not None:
            keep = store.results(record.id)
            links = store.dependents.get(record.id), store.dependencies.get(record.id)
            store.delete_job(record.id)
            if keep:
                store.orphans[record.id] = keep
            for home, link in zip((store.dependents, store.dependencies), links, strict=True):
                if link:
                    home[record.id] = link
            return True
        rest = key[len(JOB) :]
        if rest.endswith(DEPENDENTS):
            return store.dependents.pop(rest[: -len(DEPENDENTS)], None) is not None
        if rest.endswith(DEPENDENCIES):
            return store.dependencies.pop(rest[1 : -len(DEPENDENCIES)], None) is not None
    elif key.startswith(QUEUE):
        line = store.lines.get(key)
        return line is not None and line.empty() > 0
    elif key.startswith(RESULTS):
        return store.delete_results(key[len(RESULTS) :])
    elif key == QUEUES:
        existed = bool(store.registered)
        store.registered.clear()
        return existed
    return False


def ttl_of_view(store: Store, key: str) -> float | None:
    """Seconds left of such a key; None when it does not end."""
    now = clock.time()
    if key.startswith(JOB):
        rest = key[len(JOB) :]
        record = store.job(rest)
        if record is None:
            record = store.job(rest.removesuffix(DEPENDENTS).removesuffix(DEPENDENCIES).lstrip(":"))
        if record is not None and record.expires_at is not None:
            return record.expires_at - now
    elif key.startswith(RESULTS):
        record = store.job(key[len(RESULTS) :])
        if record is not None and record.results_until is not None:
            return record.results_until - now
    return None


def expire_view(store: Store, key: str, seconds: float | None) -> bool:
    """`EXPIRE` (or, with None, `PERSIST`) of such a key; only jobs and results take one."""
    if key.startswith(JOB):
        record = store.job(key[len(JOB) :])
        if record is None:
            return False
        if seconds is None:
            return store.persist_job(record)
        store.expire_job(record, seconds)
        return True
    if key.startswith(RESULTS):
        record = store.job(key[len(RESULTS) :])
        if record is None or not record.results:
            return False
        record.results_until = None if seconds is None else clock.time() + seconds
        return True
    return False
