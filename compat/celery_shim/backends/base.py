"""``Backend``: what every result store does, over the few operations that a store implements.

Subclasses (also those of other packages) implement ``_store_result``, ``_get_task_meta_for`` … or, for key-value
stores, ``get set delete``. Waiting is by event: a store that is written in this process wakes who waits.
"""

from __future__ import annotations

import time
import warnings
from datetime import timedelta
from functools import partial
from typing import Any

from .. import states
from .._state import current_app, get_current_task
from ..app.context import Context
from ..exceptions import (
    BackendGetMetaError,
    BackendStoreError,
    TimeoutError,
)
from ..runtime import waiting
from ..utils.lean import cached_property
from ..utils.log import get_logger
from ..utils.serialization import raise_with_context
from ..utils.time import get_exponential_backoff_interval
from .chords import _create_chord_error_with_cause, _create_fake_task_request  # noqa: F401
from .compression import (  # noqa: F401 - names that other packages import from here
    COMPRESSED_PAYLOAD_MAGIC,
    compress_payload,
    decompress_payload,
    prepare_compression,
)
from .outcomes import Outcomes
from .syncing import SyncBackendMixin
from .values import EXCEPTION_ABLE_CODECS, Values  # noqa: F401

__all__ = ("BaseBackend", "DisabledBackend")

logger = get_logger("celery.backends.base")

_JSON = frozenset({"json", "application/json"})

E_NO_BACKEND = """
No result backend is configured.
Please see the documentation for more information.
"""
E_CHORD_NO_BACKEND = """
Starting chords requires a result backend to be configured.

Note that a group chained with a task is also upgraded to be a chord,
as this pattern requires synchronization.

Result backends that supports chords: Redis, Database, Memcached, and more.
"""
W_FAILURE_EXPIRES_UNSUPPORTED = """\
The {0} result backend does not support result_failure_expires, so failed
results expire like any other result.
"""


def unpickle_backend(cls: type, args: Any, kwargs: Any) -> Any:
    return cls(*args, app=current_app._get_current_object(), **kwargs)


class _nulldict(dict):
    """A cache that keeps nothing."""

    def ignore(self, *a: Any, **kw: Any) -> None:
        pass

    __setitem__ = update = setdefault = ignore


def _cache(size: int) -> Any:
    from kombu.utils.functional import LRUCache

    return LRUCache(limit=size)


class Backend(Outcomes, Values):
    """Base of result stores."""

    UNREADY_STATES = states.UNREADY_STATES
    TimeoutError = TimeoutError

    expires: Any
    subpolling_interval: Any = None
    supports_native_join = False
    supports_autoexpire = False
    persistent = True
    supports_result_compression = False
    supports_failure_expires = False
    retry_policy = {"max_retries": 20, "interval_start": 0, "interval_step": 1, "interval_max": 1}

    def __init__(
        self,
        app: Any,
        serializer: str | None = None,
        max_cached_results: int | None = None,
        accept: Any = None,
        expires: Any = None,
        expires_type: Any = None,
        url: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.app = app
        conf = app.conf
        self.serializer = serializer or conf.result_serializer
        if self.serializer != "json":
            self._codec  # noqa: B018 - an unknown one is refused here
        self.compression = prepare_compression(self, conf.get("result_compression"))
        size = max_cached_results or conf.result_cache_max
        self._cache = _nulldict() if size == -1 else _cache(size)
        self.expires = self.prepare_expires(expires, expires_type)
        accept = conf.result_accept_content if accept is None else accept
        self._accept = conf.accept_content if accept is None else accept
        if self._accept is not None and not _JSON.issuperset(self._accept):
            self.accept  # noqa: B018 - likewise
        if conf.get("result_failure_expires") is not None and not self.supports_failure_expires:
            warnings.warn(W_FAILURE_EXPIRES_UNSUPPORTED.format(type(self).__name__), UserWarning, stacklevel=2)
        self.always_retry = conf.get("result_backend_always_retry", False)
        self.max_sleep_between_retries_ms = conf.get("result_backend_max_sleep_between_retries_ms", 10000)
        self.base_sleep_between_retries_ms = conf.get("result_backend_base_sleep_between_retries_ms", 10)
        self.max_retries = conf.get("result_backend_max_retries", float("inf"))
        self.thread_safe = conf.get("result_backend_thread_safe", False)
        self.url = url

    # kombu's registry of serializers is read when bytes are made or read for the first time: results that stay in this
    # process may never need it
    @cached_property
    def _codec(self) -> Any:
        from kombu.serialization import registry

        return registry._encoders[self.serializer]

    @cached_property
    def content_type(self) -> Any:
        return self._codec[0]

    @cached_property
    def content_encoding(self) -> Any:
        return self._codec[1]

    @cached_property
    def encoder(self) -> Any:
        return self._codec[2]

    @cached_property
    def accept(self) -> Any:
        from kombu.serialization import prepare_accept_content

        return prepare_accept_content(self._accept)

    def as_uri(self, include_password: bool = False) -> Any:
        if include_password:
            return self.url
        from kombu.utils.url import maybe_sanitize_url

        url = maybe_sanitize_url(self.url or "")
        return url[:-1] if url.endswith(":///") else url

    def prepare_compression(self, compression: Any) -> Any:
        return prepare_compression(self, compression)

    def prepare_expires(self, value: Any, type: Any = None) -> Any:
        value = self.app.conf.result_expires if value is None else value
        if isinstance(value, timedelta):
            value = value.total_seconds()
        return type(value) if value is not None and type else value

    def prepare_persistent(self, enabled: Any = None) -> Any:
        if enabled is not None:
            return enabled
        said = self.app.conf.result_persistent
        return self.persistent if said is None else said

    # -- repeating what may fail ------------------------------------------------------------------------------------

    def _sleep(self, amount: float) -> None:
        time.sleep(amount)

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """True for errors of the store after which trying again makes sense."""
        return False

    def on_backend_retryable_error(self, exc: BaseException) -> None:
        """Called before trying again."""

    def _ensure_retryable(
        self,
        func: Any,
        *args: Any,
        fallback_exc: Any = None,
        fallback_msg: Any = None,
        max_retries: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Call ``func``; repeat it where the settings ask for that."""
        limit = self.max_retries if max_retries is None else max_retries
        retries = 0
        while True:
            try:
                return func(*args, **kwargs)
            except Exception as exc:
                if not (self.always_retry and self.exception_safe_to_retry(exc)):
                    raise
                if retries >= limit:
                    if fallback_exc:
                        raise_with_context(fallback_exc(fallback_msg))
                    raise
                retries += 1
                name = getattr(func, "__name__", repr(func))
                logger.warning("Failed operation %s. Retrying %s more times.", name, limit - retries, exc_info=True)
                try:
                    self.on_backend_retryable_error(exc)
                except Exception:
                    logger.exception("on_backend_retryable_error hook failed; continuing retry loop")
                self._sleep(
                    get_exponential_backoff_interval(
                        self.base_sleep_between_retries_ms, retries, self.max_sleep_between_retries_ms, True
                    )
                    / 1000
                )

    # -- tasks ------------------------------------------------------------------------------------------------------

    def store_result(
        self, task_id: str, result: Any, state: Any, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        """Store a state with its value or exception; wakes who waits."""
        result = self.encode_result(result, state)
        self._ensure_retryable(
            self._store_result,
            task_id,
            result,
            state,
            traceback,
            fallback_exc=partial(BackendStoreError, task_id=task_id, state=state),
            fallback_msg="failed to store result on the backend",
            request=request,
            **kwargs,
        )
        waiting.notify(task_id)
        return result

    def forget(self, task_id: str) -> None:
        self._cache.pop(task_id, None)
        self._ensure_retryable(self._forget, task_id)

    def _forget(self, task_id: str) -> None:
        raise NotImplementedError("backend does not implement forget.")

    def get_state(self, task_id: str) -> Any:
        return self.get_task_meta(task_id)["status"]

    get_status = get_state

    def get_traceback(self, task_id: str) -> Any:
        return self.get_task_meta(task_id).get("traceback")

    def get_result(self, task_id: str) -> Any:
        return self.get_task_meta(task_id).get("result")

    def get_children(self, task_id: str) -> Any:
        return self.get_task_meta(task_id).get("children")

    def _ensure_not_eager(self) -> None:
        conf = self.app.conf
        if conf.task_always_eager and not conf.task_store_eager_result:
            warnings.warn(
                "Results are not stored in backend and should not be retrieved when task_always_eager is enabled, "
                "unless task_store_eager_result is enabled.",
                RuntimeWarning,
                stacklevel=2,
            )

    def get_task_meta(self, task_id: str, cache: bool = True) -> Any:
        """All that is stored about a task."""
        self._ensure_not_eager()
        if cache and task_id in self._cache:
            return self._cache[task_id]
        meta = self._ensure_retryable(
            self._get_task_meta_for,
            task_id,
            fallback_exc=partial(BackendGetMetaError, task_id=task_id),
            fallback_msg="failed to get meta",
        )
        if cache and meta.get("status") == states.SUCCESS:
            self._cache[task_id] = meta
        return meta

    def _get_task_meta_for(self, task_id: str) -> Any:
        raise NotImplementedError("backend does not implement _get_task_meta_for.")

    def _store_result(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("backend does not implement _store_result.")

    def task_result_exists(self, task_id: str) -> bool:
        return bool(self._get_task_meta_for(task_id)["status"] != states.PENDING)

    def reload_task_result(self, task_id: str) -> None:
        self._cache[task_id] = self.get_task_meta(task_id, cache=False)

    # -- groups -----------------------------------------------------------------------------------------------------

    def reload_group_result(self, group_id: str) -> None:
        self._cache[group_id] = self.get_group_meta(group_id, cache=False)

    def get_group_meta(self, group_id: str, cache: bool = True) -> Any:
        self._ensure_not_eager()
        if cache and group_id in self._cache:
            return self._cache[group_id]
        meta = self._ensure_retryable(self._restore_group, group_id)
        if cache and meta is not None:
            self._cache[group_id] = meta
        return meta

    def _restore_group(self, group_id: str) -> Any:
        raise NotImplementedError("backend does not implement _restore_group.")

    def _save_group(self, group_id: str, result: Any) -> Any:
        raise NotImplementedError("backend does not implement _save_group.")

    def _delete_group(self, group_id: str) -> Any:
        raise NotImplementedError("backend does not implement _delete_group.")

    def restore_group(self, group_id: str, cache: bool = True) -> Any:
        meta = self.get_group_meta(group_id, cache=cache)
        return meta["result"] if meta else None

    def save_group(self, group_id: str, result: Any) -> Any:
        return self._ensure_retryable(self._save_group, group_id, result)

    def delete_group(self, group_id: str) -> Any:
        self._cache.pop(group_id, None)
        return self._ensure_retryable(self._delete_group, group_id)

    # -- hooks ------------------------------------------------------------------------------------------------------

    def cleanup(self) -> None:
        """Drop what has expired."""

    def process_cleanup(self) -> None:
        """Called after each task."""

    def on_task_call(self, producer: Any, task_id: str) -> dict[str, Any]:
        """Called before a task is sent."""
        return {}

    def add_to_chord(self, chord_id: str, result: Any) -> None:
        raise NotImplementedError("Backend does not support add_to_chord")

    def on_chord_part_return(self, request: Any, state: Any, result: Any, **kwargs: Any) -> None:
        """Called when a member of a chord has ended."""

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """Called before the members of a chord are sent."""

    def ensure_chords_allowed(self) -> None:
        """Raises where chords are impossible."""

    def apply_chord(self, header_result_args: Any, body: Any, **kwargs: Any) -> None:
        self.ensure_chords_allowed()
        self.fallback_chord_unlock(self.app.GroupResult(*header_result_args), body, **kwargs)

    def current_task_children(self, request: Any = None) -> Any:
        request = request or getattr(get_current_task(), "request", None)
        if not request:
            return None
        children = getattr(request, "_children", None) if isinstance(request, Context) else None
        if children is None and not isinstance(request, Context):
            children = getattr(request, "children", None)
        return [result.as_tuple() for result in children or ()]

    def __reduce__(self, args: Any = (), kwargs: Any = None) -> Any:
        return unpickle_backend, (self.__class__, args, kwargs or {})


class BaseBackend(Backend, SyncBackendMixin):
    """Base of stores that implement ``_store_result`` and ``_get_task_meta_for``."""


BaseDictBackend = BaseBackend


class DisabledBackend(BaseBackend):
    """``result_backend='disabled://'``: nothing is kept, and asking is an error."""

    _cache: Any = {}

    def store_result(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is stored."""

    def ensure_chords_allowed(self) -> None:
        raise NotImplementedError(E_CHORD_NO_BACKEND.strip())

    def _is_disabled(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(E_NO_BACKEND.strip())

    def as_uri(self, *args: Any, **kwargs: Any) -> str:
        return "disabled://"

    get_state = get_status = get_result = get_traceback = _is_disabled
    get_task_meta_for = wait_for = get_many = _is_disabled

    def _get_task_meta_for(self, task_id: str) -> Any:
        # Celery has no such method here, and its callers see that
        raise AttributeError("'DisabledBackend' object has no attribute '_get_task_meta_for'")


def __getattr__(name: str) -> Any:
    if name in ("BaseKeyValueStoreBackend", "KeyValueStoreBackend"):
        from . import keyvalue

        return getattr(keyvalue, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
