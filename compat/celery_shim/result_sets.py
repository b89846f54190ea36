"""Handles of several calls: ``ResultSet``, and ``GroupResult`` for a group's members."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from weakref import proxy

from . import states
from ._state import current_app
from .exceptions import ImproperlyConfigured
from .result_guard import assert_will_not_block
from .result_handle import ResultBase, _promise

__all__ = ("GroupResult", "ResultSet")

_PROPAGATE = states.PROPAGATE_STATES


class ResultSet(ResultBase[Any]):
    """Handles of several calls."""

    _app: Any = None
    results: Any = None
    _on_ready_promise: Any = None
    _on_full: Any = None

    def __init__(self, results: Any, app: Any = None, ready_barrier: Any = None, **kwargs: Any) -> None:
        self._app = app
        self.results = results
        self._given_barrier = ready_barrier

    def _barrier(self) -> Any:
        """The promise that all members have ended; made when somebody wants to be called back."""
        if self._on_full is None:
            from vine import barrier

            self._set_ready_barrier(self._given_barrier or barrier(self.results))
        return self._on_full

    def _set_ready_barrier(self, ready_barrier: Any) -> None:
        self._on_ready_promise = _promise(args=(proxy(self),))
        self._on_full = ready_barrier
        if ready_barrier:
            ready_barrier.then(_promise(self._on_ready, weak=True))

    @property
    def on_ready(self) -> Any:
        self._barrier()
        return self._on_ready_promise

    @on_ready.setter
    def on_ready(self, value: Any) -> None:
        self._on_ready_promise = value

    def _on_ready(self) -> None:
        backend = self.backend
        if backend.is_async or getattr(backend, "calls_back", False):
            self.on_ready()

    def add(self, result: Any) -> None:
        """Add a handle, once."""
        if result in self.results:
            return
        self.results.append(result)
        if self._on_full:
            if self._on_full.p.ready:
                from vine import barrier

                self._set_ready_barrier(barrier())
                self._on_full.add(result)
                self._on_full.finalize()
            else:
                self._on_full.add(result)

    def remove(self, result: Any) -> None:
        handle = self.app.AsyncResult(result) if isinstance(result, str) else result
        try:
            self.results.remove(handle)
        except ValueError:
            raise KeyError(handle) from None

    def discard(self, result: Any) -> None:
        try:
            self.remove(result)
        except KeyError:
            pass

    def update(self, results: Any) -> None:
        self.results.extend(result for result in results if result not in self.results)

    def clear(self) -> None:
        self.results[:] = []

    def successful(self) -> bool:
        return all(result.successful() for result in self.results)

    def failed(self) -> bool:
        return any(result.failed() for result in self.results)

    def waiting(self) -> bool:
        return any(not result.ready() for result in self.results)

    def ready(self) -> bool:
        return all(result.ready() for result in self.results)

    def completed_count(self) -> int:
        """Number of members that succeeded."""
        return sum(bool(result.successful()) for result in self.results)

    def maybe_throw(self, callback: Any = None, propagate: bool = True) -> None:
        for result in self.results:
            result.maybe_throw(callback=callback, propagate=propagate)

    maybe_reraise = maybe_throw

    def forget(self) -> None:
        for result in self.results:
            result.forget()

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: Any = None,
        wait: bool = False,
        timeout: Any = None,
    ) -> None:
        self.app.control.revoke(
            [result.id for result in self.results],
            connection=connection,
            timeout=timeout,
            terminate=terminate,
            signal=signal,
            reply=wait,
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(self.results)

    def __getitem__(self, index: Any) -> Any:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __eq__(self, other: object) -> Any:
        return other.results == self.results if isinstance(other, ResultSet) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: [{', '.join(result.id for result in self.results)}]>"

    def get(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Any = None,
        no_ack: bool = True,
        on_message: Any = None,
        disable_sync_subtasks: bool = True,
        on_interval: Any = None,
    ) -> Any:
        """Wait for all."""
        join = self.join_native if self.supports_native_join else self.join
        return join(
            timeout=timeout,
            propagate=propagate,
            interval=interval,
            callback=callback,
            no_ack=no_ack,
            on_message=on_message,
            disable_sync_subtasks=disable_sync_subtasks,
            on_interval=on_interval,
        )

    def join(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Any = None,
        no_ack: bool = True,
        on_message: Any = None,
        disable_sync_subtasks: bool = True,
        on_interval: Any = None,
    ) -> list[Any]:
        """Wait for one after the other, in the order of the list."""
        if disable_sync_subtasks:
            assert_will_not_block()
        if on_message is not None:
            raise ImproperlyConfigured("Backend does not support on_message callback")
        started = time.monotonic()
        values = []
        for result in self.results:
            left = None if timeout is None else max(timeout - (time.monotonic() - started), 0.0)
            value = result.get(
                timeout=left,
                propagate=propagate,
                interval=interval,
                no_ack=no_ack,
                on_interval=on_interval,
                disable_sync_subtasks=disable_sync_subtasks,
            )
            if callback:
                callback(result.id, value)
            else:
                values.append(value)
        return values

    def then(self, callback: Any, on_error: Any = None, weak: bool = False) -> Any:
        return self.on_ready.then(callback, on_error)

    def iter_native(
        self,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Any = None,
        on_interval: Any = None,
    ) -> Any:
        """``(id, meta)`` as members end."""
        self._barrier().finalize()
        return self.backend.iter_native(
            self, timeout=timeout, interval=interval, no_ack=no_ack, on_message=on_message, on_interval=on_interval
        )

    def join_native(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Any = None,
        no_ack: bool = True,
        on_message: Any = None,
        on_interval: Any = None,
        disable_sync_subtasks: bool = True,
    ) -> Any:
        """Wait for all at once; the values come in the order of the list."""
        if disable_sync_subtasks:
            assert_will_not_block()
        if callback is on_message is on_interval is None:
            gather = getattr(self.backend, "gather", None)
            if gather is not None:
                gathered = gather(self.results, timeout, propagate)
                if gathered is not NotImplemented:
                    return gathered
        places = {} if callback else {result.id: place for place, result in enumerate(self.results)}
        values: list[Any] = [] if callback else [None] * len(self)
        for task_id, meta in self.iter_native(timeout, interval, no_ack, on_message, on_interval):
            if isinstance(meta, list):
                value = [
                    member.get(propagate=propagate, disable_sync_subtasks=disable_sync_subtasks) for member in meta
                ]
            else:
                value = meta["result"]
                if propagate and meta["status"] in _PROPAGATE:
                    raise value
            if callback:
                callback(task_id, value)
            else:
                values[places[task_id]] = value
        return None if callback else values

    def _iter_meta(self, **kwargs: Any) -> Iterator[Any]:
        ids = {result.id for result in self.results}
        return (meta for _, meta in self.backend.get_many(ids, max_iterations=1, **kwargs))

    def _failed_join_report(self) -> Iterator[Any]:
        return (result for result in self.results if result.backend.is_cached(result.id) and result.state in _PROPAGATE)

    @property
    def supports_native_join(self) -> Any:
        return self.results[0].supports_native_join if self.results else None

    @property
    def app(self) -> Any:
        if self._app is None:
            self._app = self.results[0].app if self.results else current_app._get_current_object()
        return self._app

    @app.setter
    def app(self, app: Any) -> None:
        self._app = app

    @property
    def backend(self) -> Any:
        return self.app.backend if self.app else self.results[0].backend


class GroupResult(ResultSet):
    """Handles of a group's members; can be saved and found again by id."""

    def __init__(self, id: Any = None, results: Any = None, parent: Any = None, **kwargs: Any) -> None:
        self.id = id
        self.parent = parent
        super().__init__(results, **kwargs)

    def _on_ready(self) -> None:
        self.backend.remove_pending_result(self)
        super()._on_ready()

    def save(self, backend: Any = None) -> Any:
        return (backend or self.app.backend).save_group(self.id, self)

    def delete(self, backend: Any = None) -> None:
        (backend or self.app.backend).delete_group(self.id)

    @classmethod
    def restore(cls, id: Any, backend: Any = None, app: Any = None) -> Any:
        """A saved group; None if there is none."""
        app = app or (current_app if isinstance(cls.app, property) else cls.app)
        return (backend or app.backend).restore_group(id)

    def __reduce__(self) -> Any:
        return self.__class__, self.__reduce_args__()

    def __reduce_args__(self) -> Any:
        return self.id, self.results

    def __bool__(self) -> bool:
        return bool(self.id or self.results)

    __nonzero__ = __bool__

    def __eq__(self, other: object) -> Any:
        if isinstance(other, GroupResult):
            return (other.id, other.results, other.parent) == (self.id, self.results, self.parent)
        return other == self.id if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.id} [{', '.join(result.id for result in self.results)}]>"

    def __str__(self) -> str:
        return str(self.id)

    def as_tuple(self) -> Any:
        parent = self.parent and self.parent.as_tuple()
        return (self.id, parent), [result.as_tuple() for result in self.results]

    @property
    def children(self) -> Any:
        return self.results
