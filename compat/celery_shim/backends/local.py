"""``memory://``: results in this process, and the default store.

Values are kept as data that nobody else holds, without bytes. ``result_expires`` and a cap (``result_max``) bound it;
the oldest go first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from ....core import copy_plain
from .. import states
from ..exceptions import TimeoutError
from ..result import ResultSet, result_from_tuple
from ..runtime import waiting
from ..runtime.isolation import isolate
from .changes import Changes, follow
from .countdowns import CountdownChords
from .keyvalue import KeyValueStoreBackend

__all__ = ("LocalBackend",)

#: Results that are kept when the setting ``result_max`` says nothing.
RESULT_MAX = 200_000
_SUCCESS = states.SUCCESS
_waiters, _listeners = waiting.waiters, waiting.listeners
#: Results between two looks at the oldest ones.
_EVERY = 256


class _Store:
    """The dictionaries behind all backends of one URL."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}
        self.keys: dict[Any, Any] = {}
        #: Chords that have not ended, by the id of their header.
        self.countdowns: dict[str, Any] = {}
        self.lock = threading.Lock()
        self.writes = 0


_stores: dict[str, _Store] = {}


class LocalBackend(CountdownChords, KeyValueStoreBackend):
    """Results in memory."""

    supports_autoexpire = True
    supports_native_join = True
    persistent = False
    #: Version of the configuration that the next one is from.
    _known: Any = None
    _says_eager = False
    #: Version of the configuration that ``_extended`` (the setting ``result_extended``) is from.
    _extended_as_of: Any = None
    _extended = False

    def __init__(self, app: Any, url: str | None = None, **kwargs: Any) -> None:
        super().__init__(app, url=url, **kwargs)
        self.thread_safe = True
        self._store = _stores.setdefault(url or "memory://", _Store())
        self._results = self._store.results
        self._countdowns = self._store.countdowns
        self._json = self.serializer == "json"
        self._max = app.conf.get("result_max") or RESULT_MAX

    def as_uri(self, include_password: bool = False) -> Any:
        return super().as_uri(include_password) or "memory://"

    # -- results ----------------------------------------------------------------------------------------------------

    def mark_as_done(
        self, task_id: str, result: Any, request: Any = None, store_result: bool = True, state: str = _SUCCESS
    ) -> None:
        if self.app.conf.__dict__.get("version") != self._extended_as_of:
            self._look_up_extended()
        if (
            store_result
            and request is not None
            and state is _SUCCESS
            and not self._extended
            and not request.ignore_result
        ):
            value = copy_plain(result) if self._json else NotImplemented
            if value is NotImplemented:
                value = isolate(self.prepare_value(result), self.serializer)
            if request.group or request.parent_id or request._children:
                self._put(task_id, (value, time.time(), self._family(request)))
            else:
                self._put(task_id, (value, time.time()))
            if task_id in _waiters or _listeners:
                waiting.notify(task_id)
            if request.chord:
                self.count_part(request, state, value, result)
            return
        super().mark_as_done(task_id, result, request, store_result, state)

    def _look_up_extended(self) -> None:
        conf = self.app.conf
        self._extended_as_of = conf.__dict__.get("version")
        self._extended = bool(conf.find_value_for_key("extended", "result"))

    def _family(self, request: Any) -> dict[str, Any]:
        """What is stored of a call's group, parent and children."""
        family: dict[str, Any] = {}
        if request._children:
            family["children"] = isolate([child.as_tuple() for child in request._children])
        if request.group:
            family["group_id"] = request.group
        if request.parent_id:
            family["parent_id"] = request.parent_id
        return family

    def _store_result(
        self, task_id: str, result: Any, state: Any, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        meta = self._get_result_meta(result=result, state=state, traceback=traceback, request=request)
        meta["task_id"] = task_id
        self._put(task_id, isolate(meta, self.serializer))
        return result

    def _put(self, task_id: str, record: Any) -> None:
        """A success is a tuple: value, time, and a dict of relatives if there are any; everything else is a dict.

        A success is never replaced.
        """
        results = self._results
        before = results.get(task_id)
        if before is not None:
            if type(before) is tuple or before["status"] == _SUCCESS:
                return
            # to the end of the order: it is as new as its last change
            results.pop(task_id, None)
        results[task_id] = record
        store = self._store
        store.writes += 1
        if store.writes % _EVERY == 0 or len(results) > self._max:
            self._trim()

    def _trim(self) -> None:
        store, results = self._store, self._results
        if not store.lock.acquire(blocking=False):
            return  # somebody else does it
        try:
            surplus = len(results) - self._max
            oldest = time.time() - self.expires if self.expires else None
            for task_id, record in _first(results, max(surplus, 0) + 2 * _EVERY):
                done = record[1] if type(record) is tuple else _epoch(record.get("date_done"))
                if surplus <= 0 and (oldest is None or done is None or done > oldest):
                    return
                results.pop(task_id, None)
                surplus -= 1
        finally:
            store.lock.release()

    def _get_task_meta_for(self, task_id: str) -> Any:
        return self._read(task_id, self._results.get(task_id))

    def _read(self, task_id: str, record: Any) -> Any:
        if record is None:
            return {"status": states.PENDING, "result": None}
        if type(record) is tuple:
            value, done = record[0], record[1]
            if self.expires and done < time.time() - self.expires:
                self._results.pop(task_id, None)
                return {"status": states.PENDING, "result": None}
            meta = {
                "status": _SUCCESS,
                "result": _fresh(value, self.serializer),
                "traceback": None,
                "children": [],
                "date_done": datetime.fromtimestamp(done, self.app.timezone).isoformat(),
                "task_id": task_id,
            }
            if len(record) > 2:
                meta.update(isolate(record[2]))
            return meta
        done = _epoch(record.get("date_done"))
        if self.expires and done is not None and done < time.time() - self.expires:
            self._results.pop(task_id, None)
            return {"status": states.PENDING, "result": None}
        return self.meta_from_decoded(isolate(record, self.serializer))

    def task_result_exists(self, task_id: str) -> bool:
        return self._get_task_meta_for(task_id)["status"] != states.PENDING or task_id in self._results

    def _forget(self, task_id: str) -> None:
        self._results.pop(task_id, None)

    def cleanup(self) -> None:
        self._trim()

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
        left_over, until, rounds = set(task_ids), waiting.deadline(timeout), 0
        with Changes(left_over, self._results) if on_message else waiting.Waiter(left_over) as waiter:
            while True:
                if isinstance(waiter, Changes):
                    waiter.tell(self._read, on_message)
                for task_id in list(left_over):
                    meta = self.get_task_meta(task_id)
                    if meta["status"] in READY_STATES:
                        if rounds and isinstance(waiter, Changes) and task_id not in waiter.told:
                            continue  # stored, but not yet announced
                        left_over.discard(task_id)
                        yield task_id, meta
                if not left_over:
                    return
                left = waiting.left(until)
                if left is not None and left <= 0:
                    raise TimeoutError(f"Operation timed out ({timeout})")
                if on_interval:
                    on_interval()
                rounds += 1
                if max_iterations and rounds >= max_iterations:
                    return
                waiter.wait(left if not on_interval else (interval or 0.5))

    def _eager(self) -> bool:
        """``task_always_eager``, looked up again when the configuration has changed."""
        settings = self.app.conf.__dict__
        version = settings.get("version")
        if version is None or version != self._known:
            conf = self.app.conf
            self._says_eager = bool(conf.task_always_eager)
            # layers such as Django's settings change without telling
            plain = all(type(layer) is dict for layer in conf.maps)
            self._known = conf.__dict__.get("version") if plain else None
        return self._says_eager

    def wait_for_pending(
        self,
        result: Any,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Any = None,
        on_interval: Any = None,
        callback: Any = None,
        propagate: bool = True,
    ) -> Any:
        if on_message is not None and not self._eager():
            follow(self, result.id, timeout, interval, on_message, on_interval)
            on_message = None
        elif on_interval is None and callback is None and not self._eager():
            record = self._results.get(result.id)
            promised = getattr(result, "_promised", None) is not None
            if record is None and not promised:
                with waiting.Waiter((result.id,)) as waiter:
                    if result.id not in self._results:
                        waiter.wait(timeout)
                record = self._results.get(result.id)
                if record is None or type(record) is not tuple:
                    return super().wait_for_pending(result, timeout, interval, no_ack, propagate=propagate)
            if type(record) is tuple and not promised:
                value, done = record[0], record[1]
                if not self.expires or done >= time.time() - self.expires:
                    fresh = _fresh(value, self.serializer)
                    result._ended = record if fresh is value else (fresh, *record[1:])
                    return fresh
        return super().wait_for_pending(result, timeout, interval, no_ack, on_message, on_interval, callback, propagate)

    def wait_for(
        self,
        task_id: str,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_interval: Any = None,
    ) -> Any:
        # only this process writes, so there is no need to look every now and then
        return super().wait_for(
            task_id,
            timeout=timeout,
            interval=interval if on_interval else 3600.0,
            no_ack=no_ack,
            on_interval=on_interval,
        )

    def gather(self, results: Any, timeout: float | None = None, propagate: bool = True) -> Any:
        """The values of several handles of this store, in order: one wait for all, ended early by a failure.

        ``NotImplemented`` where they have to be asked one by one.
        """
        if self._eager() or (self.expires is not None and self.expires < 60):
            return NotImplemented
        for result in results:
            if isinstance(result, ResultSet) or result.backend is not self:
                return NotImplemented
        stored = self._results
        ids = [result.id for result in results]
        waits = [task_id for task_id in ids if type(stored.get(task_id)) is not tuple]
        if waits:
            until = waiting.deadline(timeout)
            waiter = waiting.Gathering(waits, lambda task_id: type(stored.get(task_id)) is tuple)
            with waiter:
                while True:
                    for task_id in list(waiter.left):
                        record = stored.get(task_id)
                        if record is None:
                            continue
                        if type(record) is not tuple:
                            if record["status"] not in states.READY_STATES:
                                continue
                            if propagate and record["status"] in states.PROPAGATE_STATES:
                                raise self.get_task_meta(task_id)["result"]
                        waiter.left.discard(task_id)
                    if not waiter.left:
                        break
                    left = waiting.left(until)
                    if left is not None and left <= 0:
                        raise TimeoutError("The operation timed out.")
                    waiter.wait(left)
        values = []
        for task_id in ids:
            record = stored.get(task_id)
            if type(record) is tuple:
                values.append(_fresh(record[0], self.serializer))
            else:
                values.append(self.get_task_meta(task_id)["result"])
        return values

    def may_have_failed(self, node: Any) -> bool:
        """False where a look at the stored states shows that neither this handle nor any in it has failed."""
        if isinstance(node, ResultSet):
            return any(self.may_have_failed(member) for member in node.results)
        if node.backend is not self:
            return True
        record = self._results.get(node.id)
        return record is not None and type(record) is not tuple

    def success_meta(self, task_id: str, record: Any) -> dict[str, Any]:
        """What a handle knows of a success, from its record; the value in it is the handle's from now on."""
        meta = {
            "status": _SUCCESS,
            "result": record[0],
            "traceback": None,
            "children": [],
            "date_done": datetime.fromtimestamp(record[1], self.app.timezone),
            "task_id": task_id,
        }
        if len(record) > 2:
            meta.update(isolate(record[2]))
            meta["children"] = [result_from_tuple(child, self.app) for child in meta["children"]]
        return meta

    @property
    def is_async(self) -> bool:
        return True

    # -- groups and counters ----------------------------------------------------------------------------------------

    def get(self, key: Any) -> Any:
        return self._store.keys.get(key)

    def mget(self, keys: Any) -> Any:
        return [self._store.keys.get(key) for key in keys]

    def set(self, key: Any, value: Any) -> Any:
        self._store.keys[key] = value

    def delete(self, key: Any) -> Any:
        self._store.keys.pop(key, None)

    def incr(self, key: Any) -> Any:
        with self._store.lock:
            count = self._store.keys[key] = self._store.keys.get(key, 0) + 1
        return count

    def __reduce__(self, args: Any = (), kwargs: Any = None) -> Any:
        return super().__reduce__(args, {**(kwargs or {}), "url": self.url})


def _first(results: dict[str, Any], count: int) -> list[tuple[str, Any]]:
    """The oldest entries, at most ``count``; fewer, and at last all, where other threads write while they are looked at."""
    while count:
        try:
            return list(islice(results.items(), count))
        except RuntimeError:
            count //= 4
    return list(results.items())  # one step, also without a GIL


def _epoch(text: Any) -> float | None:
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None


def _fresh(value: Any, serializer: str) -> Any:
    """A value that its reader may change."""
    kind = type(value)
    return isolate(value, serializer) if kind is list or kind is dict else value
