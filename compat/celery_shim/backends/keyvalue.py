"""``KeyValueStoreBackend``: a result store over ``get``, ``set`` and ``delete``.

A store that can count (``incr``) gets chords that need no polling.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .. import states
from ..canvas import maybe_signature
from ..exceptions import BackendStoreError, ChordError, TimeoutError
from ..result import GroupResult, allow_join_result, result_from_tuple
from ..runtime import waiting
from ..utils.lean import bytes_to_str, ensure_bytes, is_instance
from ..utils.log import get_logger
from .base import Backend
from .chords import _create_chord_error_with_cause
from .syncing import SyncBackendMixin

__all__ = ("BaseKeyValueStoreBackend", "KeyValueStoreBackend")

logger = get_logger("celery.backends.base")


class BaseKeyValueStoreBackend(Backend):
    """The store without a way to wait."""

    key_t: Any = ensure_bytes
    task_keyprefix: Any = "celery-task-meta-"
    group_keyprefix: Any = "celery-taskset-meta-"
    chord_keyprefix: Any = "chord-unlock-"
    implements_incr = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if hasattr(self.key_t, "__func__"):
            self.key_t = self.key_t.__func__  # a plain function in a class body would be called with self
        super().__init__(*args, **kwargs)
        self._chord_expires = self.app.conf.get("result_chord_expires")
        self._add_global_keyprefix()
        self._encode_prefixes()
        if self.implements_incr:
            self.apply_chord = self._apply_chord_incr  # type: ignore[method-assign]

    @property
    def chord_expires(self) -> Any:
        if self._chord_expires is None:
            return self.expires
        return self.prepare_expires(self._chord_expires, type=int)

    @property
    def _chord_result_expires(self) -> Any:
        """Results of members are needed until the chord is over; 0: for ever."""
        if not self.chord_expires or not self.expires:
            return 0
        return max(self.chord_expires, self.expires)

    _PREFIXES = ("task_keyprefix", "group_keyprefix", "chord_keyprefix")

    def _add_global_keyprefix(self) -> None:
        prefix = self.app.conf.get("result_backend_transport_options", {}).get("global_keyprefix", None)
        if prefix:
            prefix = prefix if prefix[-1] in ":_-." else prefix + "_"
            for name in self._PREFIXES:
                setattr(self, name, f"{prefix}{getattr(self, name)}")

    def _encode_prefixes(self) -> None:
        for name in self._PREFIXES:
            setattr(self, name, self.key_t(getattr(self, name)))

    # -- what a store implements ------------------------------------------------------------------------------------

    def get(self, key: Any) -> Any:
        raise NotImplementedError("Must implement the get method.")

    def mget(self, keys: Any) -> Any:
        raise NotImplementedError("Does not support get_many")

    def set(self, key: Any, value: Any) -> Any:
        raise NotImplementedError("Must implement the set method.")

    def _set_with_state(self, key: Any, value: Any, state: Any) -> Any:
        return self.set(key, value)

    def delete(self, key: Any) -> Any:
        raise NotImplementedError("Must implement the delete method")

    def incr(self, key: Any) -> Any:
        raise NotImplementedError("Does not implement incr")

    def expire(self, key: Any, value: Any) -> None:
        """Let a key expire; stores without expiry do nothing."""

    # -- keys -------------------------------------------------------------------------------------------------------

    def get_key_for_task(self, task_id: Any, key: Any = "") -> Any:
        return self._key("task_id", self.task_keyprefix, task_id, key)

    def get_key_for_group(self, group_id: Any, key: Any = "") -> Any:
        return self._key("group_id", self.group_keyprefix, group_id, key)

    def get_key_for_chord(self, group_id: Any, key: Any = "") -> Any:
        return self._key("group_id", self.chord_keyprefix, group_id, key)

    def _key(self, what: str, prefix: Any, id: Any, key: Any) -> Any:
        if not id:
            raise ValueError(f"{what} must not be empty. Got {id} instead.")
        return self._get_key_for(prefix, id, key)

    def _get_key_for(self, prefix: Any, id: Any, key: Any = "") -> Any:
        text = str(id) if is_instance(id, "uuid", "UUID") else id
        return self.key_t("").join([prefix, self.key_t(text), self.key_t(key)])

    def _strip_prefix(self, key: Any) -> str:
        key = self.key_t(key)
        for prefix in (self.task_keyprefix, self.group_keyprefix):
            if key.startswith(prefix):
                key = key[len(prefix) :]
                break
        return bytes_to_str(key)

    # -- tasks ------------------------------------------------------------------------------------------------------

    def _store_result(
        self, task_id: str, result: Any, state: Any, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        meta = self._get_result_meta(result=result, state=state, traceback=traceback, request=request)
        meta["task_id"] = bytes_to_str(task_id)
        # a message that was delivered twice must not undo a success
        if self._get_task_meta_for(task_id)["status"] == states.SUCCESS:
            return result
        try:
            self._set_with_state(self.get_key_for_task(task_id), self.encode(meta), state)
        except BackendStoreError as exc:
            raise BackendStoreError(str(exc), state=state, task_id=task_id) from exc
        return result

    def _forget(self, task_id: str) -> None:
        self.delete(self.get_key_for_task(task_id))

    def _get_task_meta_for(self, task_id: str) -> Any:
        stored = self.get(self.get_key_for_task(task_id))
        return self.decode_result(stored) if stored else {"status": states.PENDING, "result": None}

    def task_result_exists(self, task_id: str) -> bool:
        return bool(self.get(self.get_key_for_task(task_id)))

    def _filter_ready(self, values: Iterable[Any], READY_STATES: Any = states.READY_STATES) -> Any:
        for key, value in values:
            if value is not None:
                meta = self.decode_result(value)
                if meta["status"] in READY_STATES:
                    yield key, meta

    def _mget_to_results(self, values: Any, keys: Any, READY_STATES: Any = states.READY_STATES) -> Any:
        """Answers of a store come as a mapping by key or as a list in the order asked."""
        if hasattr(values, "items"):
            found = self._filter_ready(values.items(), READY_STATES)
            return {self._strip_prefix(key): meta for key, meta in found}
        found = self._filter_ready(enumerate(values), READY_STATES)
        return {bytes_to_str(keys[place]): meta for place, meta in found}

    def get_many(
        self,
        task_ids: Any,
        timeout: float | None = None,
        interval: float | None = 0.5,
        no_ack: bool = True,
        on_message: Any = None,
        on_interval: Any = None,
        max_iterations: int | None = None,
        READY_STATES: Any = states.READY_STATES,
    ) -> Iterator[tuple[str, Any]]:
        """``(id, meta)`` of tasks as they end."""
        interval = 0.5 if interval is None else interval
        waiting_for = set(task_ids)
        for task_id in list(waiting_for):
            cached = self._cache.get(task_id)
            if cached is not None and cached["status"] in READY_STATES:
                waiting_for.discard(task_id)
                yield bytes_to_str(task_id), cached
        until, rounds = waiting.deadline(timeout), 0
        with waiting.Waiter(waiting_for) as waiter:
            while waiting_for:
                keys = list(waiting_for)
                found = self._mget_to_results(
                    self.mget([self.get_key_for_task(key) for key in keys]), keys, READY_STATES
                )
                self._cache.update(found)
                waiting_for.difference_update(map(bytes_to_str, found))
                for key, meta in found.items():
                    if on_message is not None:
                        on_message(meta)
                    yield bytes_to_str(key), meta
                if not waiting_for:
                    return
                left = waiting.left(until)
                if left is not None and left <= 0:
                    raise TimeoutError(f"Operation timed out ({timeout})")
                if on_interval:
                    on_interval()
                waiter.wait(interval if left is None else min(interval, left))
                rounds += 1
                if max_iterations and rounds >= max_iterations:
                    return

    # -- groups and chords ------------------------------------------------------------------------------------------

    def _save_group(self, group_id: str, result: Any) -> Any:
        data = self.encode({"result": result.as_tuple()})
        self._set_with_state(self.get_key_for_group(group_id), data, states.SUCCESS)
        return result

    def _delete_group(self, group_id: str) -> None:
        self.delete(self.get_key_for_group(group_id))

    def _restore_group(self, group_id: str) -> Any:
        stored = self.get(self.get_key_for_group(group_id))
        if not stored:
            return None
        meta = self.decode(stored)
        meta["result"] = result_from_tuple(meta["result"], self.app)
        return meta

    def _apply_chord_incr(self, header_result_args: Any, body: Any, **kwargs: Any) -> None:
        self.ensure_chords_allowed()
        header = self.app.GroupResult(*header_result_args)
        header.save(backend=self)
        self.expire(self.get_key_for_group(header.id), self._chord_result_expires)

    def on_chord_part_return(self, request: Any, state: Any, result: Any, **kwargs: Any) -> Any:
        """Count a member of a chord; the last one starts the body."""
        group_id = request.group
        if not self.implements_incr or not group_id:
            return None
        callback = maybe_signature(request.chord, app=self.app)
        try:
            members = GroupResult.restore(group_id, backend=self)
        except Exception as exc:
            logger.exception("Chord %r raised: %r", group_id, exc)
            return self.chord_error_from_stack(callback, ChordError(f"Cannot restore group: {exc!r}"))
        if members is None:
            try:
                raise ValueError(group_id)
            except ValueError as exc:
                logger.exception("Chord callback %r raised: %r", group_id, exc)
                return self.chord_error_from_stack(callback, ChordError(f"GroupResult {group_id} no longer exists"))
        key = self.get_key_for_chord(group_id)
        count = self.incr(key)
        size = request.chord.get("chord_size")
        size = len(members) if size is None else size
        if count > size:
            logger.warning("Chord counter incremented too many times for %r", group_id)
        elif count == size:
            self._finish_chord(group_id, key, members, callback)
        else:
            self.expire(key, self.chord_expires)
            self.expire(self.get_key_for_group(group_id), self._chord_result_expires)
            self.expire(self.get_key_for_task(request.id), self._chord_result_expires)
        return None

    def _finish_chord(self, group_id: str, key: Any, members: Any, callback: Any) -> None:
        join = members.join_native if members.supports_native_join else members.join
        try:
            with allow_join_result():
                values = join(timeout=self.app.conf.result_chord_join_timeout, propagate=True)
        except Exception as exc:
            culprit = next(members._failed_join_report(), None)
            reason = repr(exc) if culprit is None else f"Dependency {culprit.id} raised {exc!r}"
            logger.exception("Chord %r raised: %r", group_id, reason)
            self.chord_error_from_stack(callback, _create_chord_error_with_cause(reason, exc))
        else:
            try:
                self.app.amqp._retry_publish(callback.delay, values)
            except Exception as exc:
                logger.exception("Chord %r raised: %r", group_id, exc)
                error = _create_chord_error_with_cause(f"Callback error: {exc!r}", exc)
                self.chord_error_from_stack(callback, error)
        finally:
            members.delete()
            self.delete(key)
            for member in members.results:
                self.expire(self.get_key_for_task(member.id), self.expires)


class KeyValueStoreBackend(BaseKeyValueStoreBackend, SyncBackendMixin):
    """The store with waiting."""
