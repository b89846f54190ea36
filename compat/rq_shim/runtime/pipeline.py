"""`Pipeline`: commands and queue operations that wait for `execute()`, which does them all under the store's lock.

`later(pipeline, …)` is how the rest of the shim takes part: at once without a pipeline, else when it is executed. A
pipeline of a real client is taken too; its `execute` then does ours first and its own commands as before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import RedisError, WatchError
from .values import inward

__all__ = ["PipelineCommands", "later"]

Operation = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def later(pipeline: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls `func` now if there is no pipeline, and gives its answer; else when the pipeline is executed."""
    if pipeline is None:
        return func(*args, **kwargs)
    add = getattr(pipeline, "_add", None)
    if add is not None:
        return add(func, args, kwargs)
    if not hasattr(pipeline, "execute"):
        return func(*args, **kwargs)  # a connection, given in a pipeline's place
    _foreign(pipeline).append((func, args, kwargs))
    return pipeline


def _foreign(pipeline: Any) -> list[Operation]:
    """The operations that wait on another library's pipeline."""
    waiting: list[Operation] | None = getattr(pipeline, "_brokerless_waiting", None)
    if waiting is None:
        waiting = pipeline._brokerless_waiting = []
        original = pipeline.execute

        def execute(*args: Any, **kwargs: Any) -> Any:
            operations = list(waiting)
            waiting.clear()
            answers = [func(*given, **named) for func, given, named in operations]
            return [*answers, *(original(*args, **kwargs) or ())]

        pipeline.execute = execute
    return waiting


class PipelineCommands:
    """Mixed into the pipeline class; the commands themselves are wrapped there, one by one."""

    _store: Any

    def _begin(self) -> None:
        self.command_stack: list[Operation] = []
        self.watching = False
        self.explicit_transaction = False
        self._seen: dict[str, int] = {}

    def _add(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Queues an operation of the shim; it waits also while keys are watched, and ends that phase."""
        if self.watching:
            self.explicit_transaction = True
        self.command_stack.append((func, args, kwargs))
        return self

    def _command(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A command: at once while keys are watched and `multi()` has not been called."""
        if self.watching and not self.explicit_transaction:
            return func(*args, **kwargs)
        self.command_stack.append((func, args, kwargs))
        return self

    def __len__(self) -> int:
        return len(self.command_stack)

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.reset()

    def watch(self, *names: Any) -> bool:
        """`execute` will fail if one of these keys has changed by then."""
        if self.explicit_transaction:
            raise RedisError("Cannot issue a WATCH after a MULTI")
        space = self._store.space
        with self._store.lock:
            for name in names:
                key = inward(name)
                if key not in self._seen:
                    space.watched[key] = space.watched.get(key, 0) + 1
                    self._seen[key] = space.versions.get(key, 0)
        self.watching = True
        return True

    def unwatch(self) -> bool:
        """Forgets what was watched."""
        space = self._store.space
        with self._store.lock:
            for key in self._seen:
                left = space.watched.get(key, 1) - 1
                if left:
                    space.watched[key] = left
                else:
                    space.watched.pop(key, None)
                    space.versions.pop(key, None)
            self._seen = {}
        self.watching = False
        return True

    def multi(self) -> None:
        """From here on commands wait."""
        if self.explicit_transaction:
            raise RedisError("Cannot issue nested calls to MULTI")
        if self.command_stack:
            raise RedisError("Commands without an initial WATCH have already been issued")
        self.explicit_transaction = True

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Does what waits, in order, and returns the answers."""
        operations, self.command_stack = self.command_stack, []
        try:
            with self._store.lock:
                versions = self._store.space.versions
                if any(versions.get(key, 0) != seen for key, seen in self._seen.items()):
                    raise WatchError("Watched variable changed.")
                answers = []
                for func, args, kwargs in operations:
                    try:
                        answers.append(func(*args, **kwargs))
                    except RedisError as error:
                        answers.append(error)
        finally:
            self.reset()
        if raise_on_error:
            for answer in answers:
                if isinstance(answer, RedisError):
                    raise answer
        return answers

    def reset(self) -> None:
        """Forgets what waits."""
        self.command_stack = []
        self.explicit_transaction = False
        self.unwatch()

    def close(self) -> None:
        self.reset()

    discard = reset
