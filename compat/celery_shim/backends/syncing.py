"""Waiting for results: look, sleep until the store is written, look again. Mixed into ``BaseBackend``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import states
from ..exceptions import ImproperlyConfigured, TimeoutError
from ..result import ResultSet
from ..runtime import waiting

__all__ = ("SyncBackendMixin",)


class SyncBackendMixin:
    """Waiting for results: look, sleep until the store is written, look again.

    A store that another process writes is looked at every ``interval`` seconds.
    """

    def iter_native(
        self: Any,
        result: Any,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Any = None,
        on_interval: Any = None,
    ) -> Iterator[tuple[Any, Any]]:
        self._ensure_not_eager()
        ids = set()
        for member in result.results:
            if isinstance(member, ResultSet):
                yield member.id, member.results
            else:
                ids.add(member.id)
        if ids:
            yield from self.get_many(
                ids,
                timeout=timeout,
                interval=interval,
                no_ack=no_ack,
                on_message=on_message,
                on_interval=on_interval,
            )

    def wait_for_pending(
        self: Any,
        result: Any,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Any = None,
        on_interval: Any = None,
        callback: Any = None,
        propagate: bool = True,
    ) -> Any:
        self._ensure_not_eager()
        if on_message is not None:
            raise ImproperlyConfigured("Backend does not support on_message callback")
        meta = self.wait_for(result.id, timeout=timeout, interval=interval, on_interval=on_interval, no_ack=no_ack)
        if meta:
            result._maybe_set_cache(meta)
            return result.maybe_throw(propagate=propagate, callback=callback)
        return None

    def wait_for(
        self: Any,
        task_id: str,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_interval: Any = None,
    ) -> Any:
        self._ensure_not_eager()
        until = waiting.deadline(timeout)
        with waiting.Waiter((task_id,)) as waiter:
            while True:
                meta = self.get_task_meta(task_id)
                if meta["status"] in states.READY_STATES:
                    return meta
                if on_interval:
                    on_interval()
                left = waiting.left(until)
                if left is not None and left <= 0:
                    raise TimeoutError("The operation timed out.")
                waiter.wait(interval if left is None else min(interval, left))

    #: True where every write happens in this process, so that whoever asked is called back.
    calls_back = True

    def add_pending_result(self, result: Any, weak: bool = False) -> Any:
        """Call the handle's promise back when its result is written; only needed where there is a promise."""
        if getattr(result, "_promised", None) is not None and hasattr(self, "get_task_meta"):
            self._watch(result)
        return result

    def _watch(self: Any, result: Any) -> None:
        stop: list[Any] = []

        def changed(task_id: str) -> None:
            meta = self.get_task_meta(task_id)
            if meta["status"] in states.READY_STATES:
                for end in stop:
                    end()
                result._maybe_set_cache(meta)

        stop.append(waiting.listen(result.id, changed))
        changed(result.id)

    def remove_pending_result(self, result: Any) -> Any:
        return result

    @property
    def is_async(self) -> bool:
        """True for stores that call back by themselves."""
        return False
