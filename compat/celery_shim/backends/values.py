"""Values and exceptions as data, and what is stored about a call. Mixed into ``Backend``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import states
from ..result import ResultBase
from ..utils.lean import ensure_bytes
from ..utils.serialization import get_pickleable_exception, get_pickled_exception
from . import exceptions as stored_exceptions
from .compression import compress_payload, decompress_payload

__all__ = ("EXCEPTION_ABLE_CODECS", "Values")

EXCEPTION_ABLE_CODECS = frozenset({"pickle"})


class Values:
    """Encoding and decoding."""

    READY_STATES = states.READY_STATES
    EXCEPTION_STATES = states.EXCEPTION_STATES

    if TYPE_CHECKING:
        app: Any
        serializer: Any
        compression: Any
        content_type: Any
        content_encoding: Any
        accept: Any
        _cache: Any

        def current_task_children(self, request: Any = None) -> Any: ...

    def prepare_exception(self, exc: Any, serializer: str | None = None) -> Any:
        if (self.serializer if serializer is None else serializer) in EXCEPTION_ABLE_CODECS:
            return get_pickleable_exception(exc)
        return stored_exceptions.describe(exc, self.encode)

    def exception_to_python(self, exc: Any) -> Any:
        if not exc:
            return None
        if isinstance(exc, BaseException):
            return get_pickled_exception(exc) if self.serializer in EXCEPTION_ABLE_CODECS else exc
        return stored_exceptions.rebuild(exc)

    def prepare_value(self, result: Any) -> Any:
        if self.serializer != "pickle" and isinstance(result, ResultBase):
            return result.as_tuple()  # type: ignore[attr-defined]
        return result

    def encode(self, data: Any) -> Any:
        _, _, payload = self._encode(data)
        return compress_payload(payload, self.compression) if self.compression else payload

    def _encode(self, data: Any) -> Any:
        from kombu.serialization import dumps

        return dumps(data, serializer=self.serializer)

    def decode(self, payload: Any) -> Any:
        if payload is None:
            return payload
        from kombu.serialization import loads

        return loads(
            decompress_payload(payload or str(payload)),
            content_type=self.content_type,
            content_encoding=self.content_encoding,
            accept=self.accept,
        )

    def decode_result(self, payload: Any) -> Any:
        return self.meta_from_decoded(self.decode(payload))

    def meta_from_decoded(self, meta: Any) -> Any:
        if meta["status"] in self.EXCEPTION_STATES:
            meta["result"] = self.exception_to_python(meta["result"])
        return meta

    def encode_result(self, result: Any, state: Any) -> Any:
        if state in self.EXCEPTION_STATES and isinstance(result, BaseException):
            return self.prepare_exception(result)
        return self.prepare_value(result)

    def is_cached(self, task_id: str) -> bool:
        return task_id in self._cache

    def _get_result_meta(
        self, result: Any, state: Any, traceback: Any, request: Any, format_date: bool = True, encode: bool = False
    ) -> dict[str, Any]:
        """What is stored about a task."""
        done = None
        if state in self.READY_STATES:
            done = self.app.now()
            done = done.isoformat() if format_date else done
        meta = {
            "status": state,
            "result": result,
            "traceback": traceback,
            "children": self.current_task_children(request),
            "date_done": done,
        }
        for key, attribute in (("group_id", "group"), ("parent_id", "parent_id")):
            value = getattr(request, attribute, None) if request else None
            if value:
                meta[key] = value
        if request and self.app.conf.find_value_for_key("extended", "result"):
            meta.update(self._extended_meta(request, encode))
        return meta

    def _extended_meta(self, request: Any, encode: bool) -> dict[str, Any]:
        origin = getattr(request, "delivery_info", None)
        meta = {
            "name": getattr(request, "task", None),
            "args": getattr(request, "args", None),
            "kwargs": getattr(request, "kwargs", None),
            "worker": getattr(request, "hostname", None),
            "retries": getattr(request, "retries", None),
            "queue": origin.get("routing_key") if origin else None,
        }
        stamps = getattr(request, "stamps", None)
        if stamps:
            names = request.stamped_headers
            meta["stamped_headers"] = names
            meta.update((key, value) for key, value in stamps.items() if key in (names or ()))
        if encode:
            for key in ("args", "kwargs"):
                meta[key] = ensure_bytes(self.encode(meta[key]))
        return meta
