"""A job as RQ's hash of texts and back: what `Job.to_dict` gives, `Job.restore` takes, and the key view shows.

`JobRecord` keeps Python values; the translation happens only when somebody looks at the hash.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

from ..defaults import UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from ..serializers import DefaultSerializer
from ..utils import as_text, get_call_string, str_to_date, utcformat
from .records import JobRecord

__all__ = ["FOREIGN", "HOT", "RARE", "decode_fields", "encode_value", "fields_of", "remove_field", "write_fields"]

HOT = {
    "origin": "origin",
    "status": "status",
    "created_at": "created_at",
    "enqueued_at": "enqueued_at",
    "started_at": "started_at",
    "ended_at": "ended_at",
    "last_heartbeat": "last_heartbeat",
    "worker_name": "worker_name",
    "timeout": "timeout",
}
"""Hash field → slot of the record."""

_DATES = frozenset({"created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat"})
_INTEGERS = frozenset(
    "timeout success_callback_timeout failure_callback_timeout stopped_callback_timeout result_ttl failure_ttl ttl "
    "number_of_retries retries_left repeats_left rate_limit_concurrency".split()
)
_FLAGS = frozenset({"allow_dependency_failures", "enqueue_at_front", "enqueue_at_front_on_retry"})
_LISTS = frozenset({"retry_intervals", "repeat_intervals", "dependency_ids", "pass_results"})

RARE = {
    "success_callback_name": "_success_callback_name",
    "failure_callback_name": "_failure_callback_name",
    "stopped_callback_name": "_stopped_callback_name",
    "success_callback_timeout": "_success_callback_timeout",
    "failure_callback_timeout": "_failure_callback_timeout",
    "stopped_callback_timeout": "_stopped_callback_timeout",
    "webhooks": "webhooks",
    "group_id": "group_id",
    "description": "_description",
    "result_ttl": "result_ttl",
    "failure_ttl": "failure_ttl",
    "ttl": "ttl",
    "dependency_ids": "_dependency_ids",
    "pass_results": "_pass_results",
    "allow_dependency_failures": "allow_dependency_failures",
    "enqueue_at_front": "enqueue_at_front",
    "enqueue_at_front_on_retry": "enqueue_at_front_on_retry",
    "number_of_retries": "number_of_retries",
    "retries_left": "retries_left",
    "retry_intervals": "retry_intervals",
    "repeats_left": "repeats_left",
    "repeat_intervals": "repeat_intervals",
    "rate_limit_key": "rate_limit_key",
    "rate_limit_concurrency": "rate_limit_concurrency",
    "meta": "meta",
    "exc_info": "_exc_info",
    "result": "_result",
}
"""Hash field → attribute of the job, and name in the record's `more`."""

FOREIGN = "foreign fields"
"""Under this name `more` keeps the fields that others have written and RQ does not know."""

_EMPTY_UNLESS_SET = ("created_at", "started_at", "ended_at", "last_heartbeat", "worker_name") + (
    "success_callback_name", "failure_callback_name", "stopped_callback_name", "group_id",
)  # fmt: skip


def data_of(record: JobRecord) -> bytes | None:
    """The serialized call."""
    call = record.call()
    if call is not None:
        return DefaultSerializer.dumps((call.name, None, call.args, call.kwargs))
    return record.payload if isinstance(record.payload, bytes) else None


def encode_value(field: str, value: Any) -> Any:
    """A Python value as the hash has it."""
    if field in _DATES:
        return utcformat(value) if value else ""
    if field in _FLAGS:
        return int(value)
    if field in _LISTS:
        return json.dumps(list(value))
    if field == "webhooks":
        return json.dumps([webhook.to_dict() for webhook in value])
    if field == "exc_info":
        return zlib.compress(str(value).encode("utf-8"))
    if field in ("meta", "result"):
        if isinstance(value, bytes) or value is UNSERIALIZABLE_RETURN_VALUE_PAYLOAD:
            return value
        return DefaultSerializer.dumps(value)
    if field == "status":
        return getattr(value, "value", value)
    return value


def _decode_value(field: str, value: Any) -> Any:
    if field in _DATES:
        return str_to_date(value) if value else None
    if field in _INTEGERS:
        return int(value) if value not in (b"", "", None) else None
    if field in _FLAGS:
        return bool(int(value))
    if field in _LISTS:
        return json.loads(as_text(value))
    if field == "webhooks":
        from ..webhook import Webhook

        try:
            return [Webhook.from_dict(item) for item in json.loads(as_text(value))]
        except ValueError:
            return []
    if field == "exc_info":
        return _decompressed(value, as_text)
    if field in ("meta", "result"):
        return value
    text = as_text(value)
    return text or None


def _decompressed(value: Any, finish: Callable[[Any], Any]) -> Any:
    try:
        return finish(zlib.decompress(_bytes(value)))
    except zlib.error:
        return finish(value)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def decode_fields(mapping: dict[str, Any]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """(payload or None, hot values by slot, rare values by attribute) of a raw hash."""
    payload = None
    hot: dict[str, Any] = {}
    rare: dict[str, Any] = {}
    for field, value in mapping.items():
        if field == "data":
            payload = _decompressed(value, _bytes)
        elif field in HOT:
            hot[HOT[field]] = _decode_value(field, value)
        elif field in RARE:
            rare[RARE[field]] = _decode_value(field, value)
        elif field == "dependency_id":
            rare.setdefault(RARE["dependency_ids"], [as_text(value)])
        else:
            rare.setdefault(FOREIGN, {})[field] = value
    return payload, hot, rare


def fields_of(record: JobRecord) -> dict[str, Any]:
    """The hash of a record; values are str, bytes or numbers' texts."""
    fields: dict[str, Any] = dict.fromkeys(_EMPTY_UNLESS_SET, "")
    data = data_of(record)
    if data is not None:
        fields["data"] = zlib.compress(data)
    for field, slot in HOT.items():
        value = getattr(record, slot)
        if value not in (None, ""):
            fields[field] = encode_value(field, value)
    more = record.more or {}
    for field, name in RARE.items():
        value = more.get(name)
        if value is not None:
            fields[field] = encode_value(field, value)
    call = record.call() if "description" not in fields else None
    if call is not None:
        fields["description"] = get_call_string(call.name, call.args, call.kwargs, max_length=75)
    dependency_ids = more.get("_dependency_ids")
    if dependency_ids:
        fields["dependency_id"] = dependency_ids[0]
    fields.update(more.get(FOREIGN, ()))
    return {field: value if isinstance(value, (str, bytes)) else str(value) for field, value in fields.items()}


def write_fields(record: JobRecord, mapping: dict[str, Any]) -> None:
    """Writes raw fields into a record, as `HSET` does."""
    payload, hot, rare = decode_fields(mapping)
    if payload is not None:
        record.payload = payload
    for slot, value in hot.items():
        setattr(record, slot, value)
    if rare:
        if record.more is None:
            record.more = {}
        if FOREIGN in rare:
            rare[FOREIGN] = {**record.more.get(FOREIGN, {}), **rare[FOREIGN]}
        record.more.update(
            {name: _bytes(value) if name in ("meta", "_result") else value for name, value in rare.items()}
        )


def remove_field(record: JobRecord, field: str) -> bool:
    """`HDEL` of one field."""
    if field == "data":
        existed = record.payload is not None
        record.payload = None
    elif field in HOT:
        existed = getattr(record, HOT[field]) is not None
        setattr(record, HOT[field], None)
    else:
        more = record.more or {}
        existed = (
            more.pop(RARE.get(field, field), None) is not None or more.get(FOREIGN, {}).pop(field, None) is not None
        )
    return existed
