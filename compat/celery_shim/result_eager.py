"""``EagerResult``: the result of a task that ran at once. It holds the live object; nothing is stored."""

from __future__ import annotations

from typing import Any, cast

from . import states
from .exceptions import TaskRevokedError
from .result_guard import assert_will_not_block
from .result_handle import AsyncResult, _promise
from .typevars import R
from .utils.lean import cached_property

__all__ = ("EagerResult",)

_PROPAGATE = states.PROPAGATE_STATES


class EagerResult(AsyncResult[R]):
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

    @property  # type: ignore[misc]
    def _cache(self) -> Any:  # made anew at each look
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
    ) -> R:
        if disable_sync_subtasks:
            assert_will_not_block()
        if self.successful():
            return cast("R", self.result)
        if self.state in _PROPAGATE:
            if propagate:
                raise self.result if isinstance(self.result, Exception) else Exception(self.result)
            return cast("R", self.result)
        return cast("R", None)

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
