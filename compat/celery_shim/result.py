"""Handles of results: of one task, of several, of a group, and of a task that ran at once.

A handle knows an id and a store. Whoever waits is woken by the store (``backends``), it does not poll.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import GenericAlias
from typing import Any
from weakref import proxy

from kombu.utils.objects import cached_property

from . import states
from ._state import _set_thread_join_will_block, current_app, task_join_will_block
from .app import app_or_default
from .exceptions import ImproperlyConfigured, IncompleteStream, TaskRevokedError, TimeoutError
from .utils.time import maybe_iso8601

__all__ = ("AsyncResult", "EagerResult", "GroupResult", "ResultBase", "ResultSet", "result_from_tuple")

E_WOULDBLOCK = """Never call result.get() within a task!
See https://docs.celeryq.dev/en/latest/userguide/tasks.html#avoid-launching-synchronous-subtasks
"""

_PROPAGATE = states.PROPAGATE_STATES


def assert_will_not_block() -> None:
    if task_join_will_block():
        raise RuntimeError(E_WOULDBLOCK)


@contextmanager
def _join_result(blocks: bool) -> Iterator[None]:
    before = _set_thread_join_will_block(blocks)
    try:
        yield
    finally:
        _set_thread_join_will_block(before)


def allow_join_result() -> Any:
    """Within a block, a task may wait for results."""
    return _join_result(False)


def denied_join_result() -> Any:
    """Within a block, nobody on this thread may wait for results."""
    return _join_result(True)


def _promise(*args: Any, **kwargs: Any) -> Any:
    from vine import promise

    return promise(*args, **kwargs)


class ResultBase:
    """Base of all handles."""

    parent: Any = None
    id: Any = None


class AsyncResult(ResultBase):
    """The handle of one call."""

    app: Any = None
    TimeoutError = TimeoutError
    backend: Any = None
    _cache: Any = None
    _ignored: Any = False

    def __init__(
        self, id: Any, backend: Any = None, task_name: str | None = None, app: Any = None, parent: Any = None
    ) -> None:
        if id is None:
            raise ValueError(f"AsyncResult requires valid id, not {type(id)}")
        self.app = app_or_default(app or self.app)
        self.id = id
        self.backend = backend or self.app.backend
        self.parent = parent
        self._ignored = False

    @cached_property
    def on_ready(self) -> Any:
        """A promise, made when somebody wants to be called back."""
        return _promise(self._on_fulfilled, weak=True)

    @property
    def ignored(self) -> Any:
        return self._ignored

    @ignored.setter
    def ignored(self, value: Any) -> None:
        self._ignored = value

    def then(self, callback: Any, on_error: Any = None, weak: bool = False) -> Any:
        """Call back when the result is there."""
        ready = self.on_ready  # made first: the store calls back only where there is a promise
        self.backend.add_pending_result(self, weak=weak)
        return ready.then(callback, on_error)

    def _on_fulfilled(self, result: Any) -> Any:
        self.backend.remove_pending_result(self)
        return result

    def as_tuple(self) -> Any:
        return (self.id, self.parent and self.parent.as_tuple()), None

    def as_list(self) -> list[Any]:
        """The id, and those of the parents."""
        return [self.id, *(self.parent.as_list() if self.parent is not None else ())]

    def forget(self) -> None:
        """Drop the result, and those of the parents."""
        self._cache = None
        if self.parent:
            self.parent.forget()
        self.backend.remove_pending_result(self)
        self.backend.forget(self.id)

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: Any = None,
        wait: bool = False,
        timeout: Any = None,
    ) -> None:
        """Have workers refuse the task."""
        self.app.control.revoke(
            self.id, connection=connection, terminate=terminate, signal=signal, reply=wait, timeout=timeout
        )

    def revoke_by_stamped_headers(
        self,
        headers: Any,
        connection: Any = None,
        terminate: bool = False,
        signal: Any = None,
        wait: bool = False,
        timeout: Any = None,
    ) -> None:
        self.app.control.revoke_by_stamped_headers(
            headers, connection=connection, terminate=terminate, signal=signal, reply=wait, timeout=timeout
        )

    def get(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        no_ack: bool = True,
        follow_parents: bool = True,
        callback: Any = None,
        on_message: Any = None,
        on_interval: Any = None,
        disable_sync_subtasks: bool = True,
        EXCEPTION_STATES: Any = states.EXCEPTION_STATES,
        PROPAGATE_STATES: Any = states.PROPAGATE_STATES,
    ) -> Any:
        """Wait for the result; raises the task's exception unless told not to."""
        if self.ignored:
            return None
        if disable_sync_subtasks:
            assert_will_not_block()
        between = on_interval
        if follow_parents and propagate and self.parent:
            self._maybe_reraise_parent_error()
            between = _also(self._maybe_reraise_parent_error, on_interval)
        if self._cache:
            if propagate:
                self.maybe_throw(callback=callback)
            return self.result
        self.backend.add_pending_result(self)
        return self.backend.wait_for_pending(
            self,
            timeout=timeout,
            interval=interval,
            on_interval=between,
            no_ack=no_ack,
            propagate=propagate,
            callback=callback,
            on_message=on_message,
        )

    wait = get

    def _maybe_reraise_parent_error(self) -> None:
        for node in reversed(list(self._parents())):
            node.maybe_throw()

    def _parents(self) -> Iterator[Any]:
        node = self.parent
        while node:
            yield node
            node = node.parent

    def collect(self, intermediate: bool = False, **kwargs: Any) -> Iterator[tuple[Any, Any]]:
        """The results of this task and of all that it started.

        >>> [value for _, value in result.collect() if isinstance(value, int)]
        [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
        """
        for _, node in self.iterdeps(intermediate=intermediate):
            yield node, node.get(**kwargs)

    def get_leaf(self) -> Any:
        value = None
        for _, node in self.iterdeps():
            value = node.get()
        return value

    def iterdeps(self, intermediate: bool = False) -> Iterator[tuple[Any, Any]]:
        """``(parent, node)`` through the tree of tasks, level by level."""
        waiting: deque[tuple[Any, Any]] = deque([(None, self)])
        while waiting:
            parent, node = waiting.popleft()
            yield parent, node
            if node.ready():
                waiting.extend((node, child) for child in node.children or ())
            elif not intermediate:
                raise IncompleteStream

    def exists(self) -> bool:
        """True if the store has anything about the task."""
        return self.backend.task_result_exists(self.id)  # type: ignore[no-any-return]

    def ready(self) -> bool:
        return self.state in self.backend.READY_STATES

    def successful(self) -> bool:
        return bool(self.state == states.SUCCESS)

    def failed(self) -> bool:
        return bool(self.state == states.FAILURE)

    def throw(self, *args: Any, **kwargs: Any) -> None:
        self.on_ready.throw(*args, **kwargs)

    def maybe_throw(self, propagate: bool = True, callback: Any = None) -> Any:
        """Raise the task's exception if it failed; gives the value otherwise."""
        cache = self._get_task_meta() if self._cache is None else self._cache
        value = cache["result"]
        if propagate and cache["status"] in _PROPAGATE:
            self.throw(value, self._to_remote_traceback(cache.get("traceback")))
        if callback is not None:
            callback(self.id, value)
        return value

    maybe_reraise = maybe_throw

    def _to_remote_traceback(self, tb: Any) -> Any:
        if tb and self.app.conf.task_remote_tracebacks:
            try:
                from tblib import Traceback
            except ImportError:
                return None
            return Traceback.from_string(tb).as_traceback()
        return None

    def build_graph(self, intermediate: bool = False, formatter: Any = None) -> Any:
        from .utils.graph import DependencyGraph, GraphFormatter

        graph = DependencyGraph(formatter=formatter or GraphFormatter(root=self.id, shape="oval"))
        for parent, node in self.iterdeps(intermediate=intermediate):
            graph.add_arc(node)
            if parent:
                graph.add_edge(parent, node)
        return graph

    @cached_property
    def graph(self) -> Any:
        return self.build_graph()

    # -- as a value -------------------------------------------------------------------------------------------------

    __class_getitem__ = classmethod(GenericAlias)

    def __str__(self) -> str:
        return str(self.id)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.id}>"

    def __eq__(self, other: object) -> Any:
        if isinstance(other, AsyncResult):
            return other.id == self.id
        return other == self.id if isinstance(other, str) else NotImplemented

    def __copy__(self) -> Any:
        return self.__class__(self.id, self.backend, None, self.app, self.parent)

    def __reduce__(self) -> Any:
        return self.__class__, self.__reduce_args__()

    def __reduce_args__(self) -> Any:
        return self.id, self.backend, None, None, self.parent

    # -- what the store knows ---------------------------------------------------------------------------------------

    @property
    def supports_native_join(self) -> Any:
        return self.backend.supports_native_join

    def _maybe_set_cache(self, meta: Any) -> Any:
        if meta and meta["status"] in states.READY_STATES:
            cached = self._set_cache(self.backend.meta_from_decoded(meta))
            if "on_ready" in self.__dict__:
                self.on_ready(self)
            return cached
        return meta

    def _get_task_meta(self) -> Any:
        if self._cache is None:
            return self._maybe_set_cache(self.backend.get_task_meta(self.id))
        return self._cache

    def _iter_meta(self, **kwargs: Any) -> Iterator[Any]:
        return iter([self._get_task_meta()])

    def _set_cache(self, d: Any) -> Any:
        children = d.get("children")
        if children:
            d["children"] = [result_from_tuple(child, self.app) for child in children]
        self._cache = d
        return d

    def _from_meta(self, key: str) -> Any:
        return self._get_task_meta().get(key)

    @property
    def children(self) -> Any:
        return self._from_meta("children")

    @property
    def result(self) -> Any:
        """The value, or the exception."""
        return self._get_task_meta()["result"]

    info = result

    @property
    def traceback(self) -> Any:
        return self._from_meta("traceback")

    @property
    def state(self) -> Any:
        return self._get_task_meta()["status"]

    status = state

    @property
    def task_id(self) -> Any:
        return self.id

    @task_id.setter
    def task_id(self, id: Any) -> None:
        self.id = id

    @property
    def name(self) -> Any:
        return self._from_meta("name")

    @property
    def args(self) -> Any:
        return self._from_meta("args")

    @property
    def kwargs(self) -> Any:
        return self._from_meta("kwargs")

    @property
    def worker(self) -> Any:
        return self._from_meta("worker")

    @property
    def date_done(self) -> Any:
        """When the task ended (UTC)."""
        done = self._from_meta("date_done")
        return maybe_iso8601(done) if isinstance(done, str) else done

    @property
    def retries(self) -> Any:
        return self._from_meta("retries")

    @property
    def queue(self) -> Any:
        return self._from_meta("queue")


def _also(first: Any, second: Any) -> Any:
    def both(*args: Any) -> None:
        first()
        if second:
            second(*args)

    return both


class ResultSet(ResultBase):
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
        places = {} if callback else {result.id: place for place, result in enumerate(self.results)}
        values = None if callback else [None] * len(self)
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
                values[places[task_id]] = value  # type: ignore[index]
        return values

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


class EagerResult(AsyncResult):
    """The result of a task that ran at once: it holds the live object."""

    def __init__(self, id: Any, ret_value: Any, state: Any, traceback: Any = None, name: Any = None) -> None:
        self.id = id
        self._result, self._state, self._traceback, self._name = ret_value, state, traceback, name

    @cached_property
    def on_ready(self) -> Any:
        made = _promise()
        made(self)
        return made

    def then(self, callback: Any, on_error: Any = None, weak: bool = False) -> Any:
        return self.on_ready.then(callback, on_error)

    def _get_task_meta(self) -> Any:
        return self._cache

    @property
    def _cache(self) -> Any:  # type: ignore[override]
        return {
            "task_id": self.id,
            "result": self._result,
            "status": self._state,
            "traceback": self._traceback,
            "name": self._name,
        }

    def __reduce__(self) -> Any:
        return self.__class__, self.__reduce_args__()

    def __reduce_args__(self) -> Any:
        return self.id, self._result, self._state, self._traceback, self._name

    def __copy__(self) -> Any:
        cls, args = self.__reduce__()
        return cls(*args)

    def ready(self) -> bool:
        return True

    def get(  # type: ignore[override]
        self, timeout: float | None = None, propagate: bool = True, disable_sync_subtasks: bool = True, **kwargs: Any
    ) -> Any:
        if disable_sync_subtasks:
            assert_will_not_block()
        if self.successful():
            return self.result
        if self.state in _PROPAGATE:
            if propagate:
                raise self.result if isinstance(self.result, Exception) else Exception(self.result)
            return self.result
        return None

    wait = get  # type: ignore[assignment]

    def forget(self) -> None:
        """Nothing is stored."""

    def revoke(self, *args: Any, **kwargs: Any) -> None:
        self._state = states.REVOKED
        self._result = TaskRevokedError("revoked")
        self._traceback = None

    def __repr__(self) -> str:
        return f"<EagerResult: {self.id}>"

    @property
    def result(self) -> Any:
        return self._result

    @property
    def state(self) -> Any:
        return self._state

    status = state

    @property
    def traceback(self) -> Any:
        return self._traceback

    @property
    def supports_native_join(self) -> bool:
        return False


def result_from_tuple(r: Any, app: Any = None) -> Any:
    """The handle that ``as_tuple`` described."""
    if isinstance(r, ResultBase):
        return r
    app = app_or_default(app)
    node, members = r
    id, parent = node if isinstance(node, (list, tuple)) else (node, None)
    if parent:
        parent = result_from_tuple(parent, app)
    if members is None:
        return app.AsyncResult(id, parent=parent)
    return app.GroupResult(id, [result_from_tuple(member, app) for member in members], parent=parent)


def _register_thenables() -> None:
    """vine checks promises by type; it is told of ours when it is first loaded."""
    from vine import Thenable

    for cls in (AsyncResult, ResultSet, GroupResult, EagerResult):
        Thenable.register(cls)


_register_thenables()
