"""`JobData`: what a job is made of, and how it gets into the store and out of it again.

A `Job` is one reader's copy. It changes nothing in the store before `save()` and sees nothing new before `refresh()`;
attributes that were never set are class attributes, so that a job costs no more than what is special about it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..defaults import RQ_KEY_PREFIX, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from ..exceptions import NoSuchJobError
from ..serializers import DefaultSerializer
from ..utils import as_text, decode_redis_hash, now
from .hashes import FOREIGN, RARE, decode_fields, encode_value
from .jobcall import UNEVALUATED, JobCall
from .pipeline import later
from .records import Call, JobRecord, is_plain
from .store import Store, store_of

if TYPE_CHECKING:
    from ..webhook import Webhook

__all__ = ["UNEVALUATED", "JobData", "LazyDefault"]

_RARE = frozenset(RARE.values())
_ALWAYS = ("_success_callback_name", "_failure_callback_name", "_stopped_callback_name", "group_id")
_UNLESS_EMPTY = frozenset(
    {"webhooks", "ttl", "_dependency_ids", "enqueue_at_front_on_retry", "rate_limit_key", "rate_limit_concurrency"}
)
_FIELD_OF = {attribute: field for field, attribute in RARE.items()}
_HOT = ("origin", "created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat", "worker_name", "timeout")


class LazyDefault:
    """An empty container of the job's own, made at the first look."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, job: Any, owner: Any = None) -> Any:
        if job is None:
            return self
        value = job.__dict__[self._name] = self._make()
        return value


class JobData(JobCall):
    """Mixed into `Job`; see there for the public meaning of the attributes."""

    connection: Any
    redis_job_namespace_prefix: str
    _id: str | None
    _status: Any

    created_at: datetime
    origin: str = ""
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_heartbeat: datetime | None = None
    worker_name: str | None = None
    timeout: Any = None
    result_ttl: int | None = None
    failure_ttl: int | None = None
    ttl: int | None = None
    group_id: str | None = None
    retries_left: int | None = None
    number_of_retries: int | None = None
    retry_intervals: list[int] | None = None
    enqueue_at_front_on_retry: bool = False
    repeats_left: int | None = None
    repeat_intervals: list[int] | None = None
    rate_limit_key: str | None = None
    rate_limit_concurrency: int | None = None
    allow_dependency_failures: bool | None = None
    enqueue_at_front: bool | None = None
    redis_server_version: Any = None
    meta: Any = LazyDefault(dict)
    webhooks: list[Webhook] = LazyDefault(list)  # type: ignore[assignment]
    _dependency_ids: list[str] = LazyDefault(list)  # type: ignore[assignment]
    _pass_results: list[list[Any]] | None = None
    _success_callback_name: str | None = None
    _failure_callback_name: str | None = None
    _stopped_callback_name: str | None = None
    _success_callback_timeout: int | None = None
    _failure_callback_timeout: int | None = None
    _stopped_callback_timeout: int | None = None
    _result: Any = None
    _exc_info: str | None = None
    _cached_result: Any = None
    _unreadable_meta: bytes | None = None

    @property
    def _store(self) -> Store:
        return store_of(self.connection)

    @property
    def id(self) -> str:
        raise NotImplementedError

    @property
    def key(self) -> str:
        raise NotImplementedError

    # -- into the store ---------------------------------------------------------------------------------------------

    def _frozen(self, value: Any) -> Any:
        """Meta or a result as the store may keep it: plain things as they are, the rest as bytes."""
        if self.serializer is DefaultSerializer:
            if type(value) is dict and is_plain(value.values()) and is_plain(value):
                return dict(value)
            if is_plain((value,)):
                return value
        return self.serializer.dumps(value)

    def _serialize_meta(self) -> Any:
        unreadable = self._unreadable_meta
        if unreadable is not None and len(self.meta) == 1 and self.meta.get("unserialized") is unreadable:
            return unreadable
        return self._frozen(self.meta)

    def _rare_values(self, include_meta: bool, include_result: bool) -> dict[str, Any]:
        values: dict[str, Any] = {name: getattr(self, name) or None for name in _ALWAYS}
        for name, value in self.__dict__.items():
            if name not in _RARE or value is None or name in _ALWAYS or (name in _UNLESS_EMPTY and not value):
                continue
            if name == "meta":
                if value and include_meta:
                    values["meta"] = self._serialize_meta()
            elif name == "_result":
                if include_result:
                    try:
                        values["_result"] = self._frozen(value)
                    except Exception:
                        values["_result"] = UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
            elif name == "_exc_info":
                if include_result:
                    values["_exc_info"] = str(value)
            elif type(value) is list:
                values[name] = list(value)
            else:
                values[name] = value
        return values

    def save(self, pipeline: Any = None, include_meta: bool = True, include_result: bool = True) -> None:
        """Writes this copy into the store; what is None here and was set there stays, as with RQ's hash."""
        hot = tuple(getattr(self, name) for name in _HOT)
        rare = self._rare_values(include_meta, include_result)
        later(pipeline, _write, self._store, self.id, self._payload(), self._status, hot, rare)

    def save_meta(self) -> None:
        """Writes `meta` only."""
        store = self._store
        with store.lock:
            record = store.touch_job(self.id)
            if record.more is None:
                record.more = {}
            record.more["meta"] = self._serialize_meta()

    def get_meta(self, refresh: bool = True) -> Any:
        """`meta`, read again from the store by default."""
        if refresh:
            record = self._store.job(self.id)
            stored = None if record is None else record.get("meta")
            self.meta = {} if stored is None else self._thawed(stored)
        return self.meta

    def _thawed(self, value: Any) -> Any:
        if type(value) is dict:
            return dict(value)
        return self.serializer.loads(value) if type(value) is bytes else value

    # -- out of the store -------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Reads everything again from the store."""
        record = self._store.job(self.id)
        if record is None:
            raise NoSuchJobError(f"No such job: {self.key}")
        self._load(record)

    def _load(self, record: JobRecord) -> None:
        payload = record.call() or record.payload
        if payload is None:
            raise NoSuchJobError(f"Unexpected job format: {record.id}")
        mine = self.__dict__
        if type(payload) is Call and self.serializer is DefaultSerializer:
            args = payload.args
            mine.update(
                _data=UNEVALUATED,
                _func_name=payload.name,
                _instance=None,
                _args=args if type(args) is tuple else list(args),
                _kwargs=dict(payload.kwargs),
                _describes_itself=True,
                _description=None,
            )
        elif type(payload) is Call:
            self.data = DefaultSerializer.dumps((payload.name, None, payload.args, payload.kwargs))
            mine.update(_describes_itself=True, _description=None)
        else:
            self.data = payload  # type: ignore[assignment]
            mine.update(_describes_itself=False, _description=None)
        mine.update(
            origin=record.origin or "",
            created_at=record.created_at or now(),
            enqueued_at=record.enqueued_at,
            started_at=record.started_at,
            ended_at=record.ended_at,
            last_heartbeat=record.last_heartbeat,
            worker_name=record.worker_name,
            timeout=record.timeout,
        )
        self._set_loaded_status(record.status)
        self._load_rare(record.more)

    def _set_loaded_status(self, status: Any) -> None:
        raise NotImplementedError

    def _load_rare(self, more: dict[str, Any] | None) -> None:
        mine = self.__dict__
        for name in [name for name in mine if name in _RARE and name != "_description"]:
            del mine[name]
        self._unreadable_meta = None
        if not more:
            return
        for name, value in more.items():
            if value is None or name == FOREIGN:
                continue
            if name == "meta":
                self._load_meta(value)
            elif name == "_result":
                try:
                    mine["_result"] = self._thawed(value)
                except Exception:
                    mine["_result"] = UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
            elif name == "_description":
                mine["_description"] = value or None
                mine["_describes_itself"] = False
            elif name == "_exc_info" and not value:
                continue
            else:
                mine[name] = list(value) if type(value) is list else value

    def _load_meta(self, stored: Any) -> None:
        try:
            self.meta = self._thawed(stored)
        except Exception:
            self.meta = {"unserialized": stored}
            self._unreadable_meta = stored

    # -- as a hash --------------------------------------------------------------------------------------------------

    def to_dict(self, include_meta: bool = True, include_result: bool = True) -> dict[str, Any]:
        """The job as RQ's hash."""
        import zlib

        from .hashes import HOT

        fields: dict[str, Any] = {"data": zlib.compress(self.data), "status": self._status}
        for field in HOT:
            if field == "status":
                continue
            value = getattr(self, field)
            if value is not None and value != "":
                fields[field] = encode_value(field, value)
            elif field not in ("origin", "enqueued_at", "timeout"):
                fields[field] = ""
        for name, value in self._rare_values(include_meta, include_result).items():
            fields[_FIELD_OF[name]] = "" if value is None else encode_value(_FIELD_OF[name], value)
        if self.description is not None:
            fields["description"] = self.description
        if self._dependency_ids:
            fields["dependency_id"] = self._dependency_ids[0]
        return fields

    def restore(self, raw_data: dict[Any, Any]) -> None:
        """Takes over what such a hash says."""
        raw = decode_redis_hash(raw_data)
        if "data" not in raw:
            raise NoSuchJobError(f"Unexpected job format: {raw}")
        payload, hot, rare = decode_fields(raw)
        record = JobRecord(self.id)
        record.payload = payload
        for slot, value in hot.items():
            setattr(record, slot, value)
        if isinstance(rare.get("_result"), str):
            rare["_result"] = rare["_result"].encode()
        if isinstance(rare.get("_exc_info"), bytes):
            rare["_exc_info"] = as_text(rare["_exc_info"])
        record.more = rare
        self._load(record)


def _write(store: Store, job_id: str, payload: Any, status: Any, hot: tuple[Any, ...], rare: dict[str, Any]) -> None:
    with store.lock:
        record = store.touch_job(job_id)
        record.payload = payload
        record.status = status
        origin, created, enqueued, started, ended, heartbeat, worker, timeout = hot
        record.created_at = created or now()
        record.started_at = started
        record.ended_at = ended
        record.last_heartbeat = heartbeat
        record.worker_name = worker or None
        if origin:
            record.origin = origin
        if enqueued is not None:
            record.enqueued_at = enqueued
        if timeout is not None:
            record.timeout = timeout
        kept = {name: value for name, value in rare.items() if value is not None}
        if record.more is not None:
            for name, value in rare.items():
                if value is None:
                    record.more.pop(name, None)
            record.more.update(kept)
        elif kept:
            record.more = kept
        store.space.touch(f"{RQ_KEY_PREFIX}:job:{job_id}")
