"""``AsyncResult``: the handle of one call. It knows an id and a store.

Whoever waits is woken by the store (``backends``), it does not poll. Imported as ``result.AsyncResult``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from types import GenericAlias
from typing import TYPE_CHECKING, Any, cast

from . import states
from .app import app_or_default
from .exceptions import IncompleteStream, TimeoutError
from .result_guard import assert_will_not_block
from .typevars import R
from .utils.lean import cached_property
from .utils.time import maybe_iso8601

__all__ = ("AsyncResult", "ResultBase")

_PROPAGATE = states.PROPAGATE_STATES


def _promise(*args: Any, **kwargs: Any) -> Any:
    from vine import promise

    return promise(*args, **kwargs)


if TYPE_CHECKING:
    from typing import Generic

    class ResultBase(Generic[R]):
        """Base of all handles."""

        id: Any
        parent: Any

else:

    class ResultBase:
        """Base of all handles; ``AsyncResult[...]`` means nothing at run time."""

        parent: Any = None
        id: Any = None

        __class_getitem__: Any = classmethod(GenericAlias)


class AsyncResult(ResultBase[R]):
    """The handle of one call."""

    app: Any = None
    TimeoutError = TimeoutError
    backend: Any = None
    _ignored: Any = False
    #: What the store says of a task that has ended: its answer (a dict), or the store's own record of a success (a
    #: tuple), of which the backend makes the answer when somebody looks. A garbage collection does not follow a record
    #: of plain values.
    _ended: Any = None
    #: Looked at instead of ``on_ready``, so that handles without a promise stay small.
    _promised: Any = None

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

    @property
    def _cache(self) -> Any:
        ended = self._ended
        if type(ended) is tuple:
            ended = self._ended = self.backend.success_meta(self.id, ended)
        return ended

    @_cache.setter
    def _cache(self, meta: Any) -> None:
        self._ended = meta

    @property
    def on_ready(self) -> Any:
        """A promise, made when somebody wants to be called back."""
        if self._promised is None:
            self._promised = _promise(self._on_fulfilled, weak=True)
        return self._promised

    @on_ready.setter
    def on_ready(self, promise: Any) -> None:
        self._promised = promise

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
    ) -> R:
        """Wait for the result; raises the task's exception unless told not to. None where results are ignored."""
        if self.ignored:
            return cast("R", None)
        if disable_sync_subtasks:
            assert_will_not_block()
        between = on_interval
        follows = bool(follow_parents and propagate and self.parent)
        if follows:
            self._maybe_reraise_parent_error()
            between = _also(self._maybe_reraise_parent_error, on_interval)
        if self._ended is not None and self._cache:
            if propagate:
                self.maybe_throw(callback=callback)
            return cast("R", self.result)
        self.backend.add_pending_result(self)
        try:
            value: R = self.backend.wait_for_pending(
                self,
                timeout=timeout,
                interval=interval,
                on_interval=between,
                no_ack=no_ack,
                propagate=propagate,
                callback=callback,
                on_message=on_message,
            )
        except Exception as exc:
            if not follows:
                raise
            error = exc
        else:
            return value
        # the first cause, whether or not it was seen while waiting
        self._maybe_reraise_parent_error()
        raise error

    wait = get

    def _maybe_reraise_parent_error(self) -> None:
        suspicious = getattr(self.backend, "may_have_failed", None)
        for node in reversed(list(self._parents())):
            if suspicious is None or suspicious(node):
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
        return self.backend.task_result_exists(self.id)

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
            if self._promised is not None:
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
            from .result import result_from_tuple

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
