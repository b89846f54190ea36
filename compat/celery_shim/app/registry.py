"""The tasks of an app, by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .._state import get_current_app
from ..exceptions import InvalidTaskError, NotRegistered
from .autoretry import add_autoretry_behaviour

__all__ = ("TaskRegistry",)


class TaskRegistry(dict):
    """A dict that raises ``NotRegistered`` for a name it does not know."""

    NotRegistered = NotRegistered

    def __missing__(self, key: str) -> Any:
        raise self.NotRegistered(key)

    def register(self, task: Any) -> None:
        """Add a task, or an instance of a task class."""
        if task.name is None:
            raise InvalidTaskError(f"Task class {type(task).__name__!r} must specify .name attribute")
        instance: Any = task() if isinstance(task, type) else task
        add_autoretry_behaviour(instance)
        self[instance.name] = instance

    def unregister(self, name: Any) -> None:
        """Remove a task by name or by itself."""
        try:
            self.pop(getattr(name, "name", name))
        except KeyError:
            raise self.NotRegistered(name) from None

    def regular(self) -> dict[str, Any]:
        return self.filter_types("regular")

    def periodic(self) -> dict[str, Any]:
        return self.filter_types("periodic")

    def filter_types(self, type: str) -> dict[str, Any]:
        return {name: task for name, task in self.items() if getattr(task, "type", "regular") == type}


def _unpickle_task(name: str) -> Any:
    return get_current_app().tasks[name]


def _unpickle_task_v2(name: str, module: str | None = None) -> Any:
    if module:
        import_module(module)
    return get_current_app().tasks[name]
