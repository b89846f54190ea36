"""Many arguments for one task: ``xmap`` and ``xstarmap`` in one message, ``chunks`` in as many as there are pieces."""

from __future__ import annotations

from typing import Any

from ..utils.functional import chunks as _pieces
from ..utils.functional import regen
from ..utils.text import truncate
from .base import Signature, task_name_from
from .groups import group as _group

__all__ = ("chunks", "xmap", "xstarmap")


class _Mapped(Signature):
    """A task that is called for each item by one message of a task of ours."""

    _task_name = ""
    _call = ""

    @classmethod
    def from_dict(cls, d: Any, app: Any = None) -> Any:
        given = d["kwargs"]
        return cls(given["task"], given["it"], app=app, **d["options"])

    def __init__(self, task: Any, it: Any, **options: Any) -> None:
        super().__init__(self._task_name, (), {"task": task, "it": regen(it)}, immutable=True, **options)

    def apply_async(self, args: Any = None, kwargs: Any = None, route_name: Any = None, **opts: Any) -> Any:
        """Send; it is routed by the name of the task that it calls."""
        _, _, options = self._merge(options={key: value for key, value in opts.items() if value is not None})
        task, items = self.kwargs["task"], self.kwargs["it"]
        route_name = route_name or options.pop("route_name", None) or task_name_from(task)
        return self.type.apply_async((), {"task": task, "it": list(items)}, route_name=route_name, **options)

    def __repr__(self) -> str:
        task, items = self.kwargs["task"], self.kwargs["it"]
        return f"[{task.task}({self._call}) for x in {truncate(repr(items), 100)}]"


@Signature.register_type()
class xmap(_Mapped):
    """``task(item)`` for each item, one after the other, in one task."""

    _task_name = "celery.map"
    _call = "x"


@Signature.register_type()
class xstarmap(_Mapped):
    """``task(*item)`` for each item, one after the other, in one task."""

    _task_name = "celery.starmap"
    _call = "*x"


@Signature.register_type()
class chunks(Signature):
    """``task(*item)`` for each item, ``n`` items to a task."""

    @classmethod
    def from_dict(cls, d: Any, app: Any = None) -> Any:
        given = d["kwargs"]
        return cls(given["task"], given["it"], given["n"], app=app, **d["options"])

    def __init__(self, task: Any, it: Any, n: int, **options: Any) -> None:
        super().__init__("celery.chunks", (), {"task": task, "it": regen(it), "n": n}, immutable=True, **options)

    def __call__(self, **options: Any) -> Any:
        return self.apply_async(**options)

    def apply_async(self, args: Any = None, kwargs: Any = None, route_name: Any = None, **opts: Any) -> Any:
        """Send every piece."""
        route_name = route_name or task_name_from(self.kwargs["task"])
        return self.group().apply_async(args or (), kwargs or {}, route_name=route_name, **opts)

    def group(self) -> Any:
        """The pieces as a group."""
        task, items, size = self.kwargs["task"], self.kwargs["it"], self.kwargs["n"]
        return _group((xstarmap(task, part, app=self._app) for part in _pieces(iter(items), size)), app=self._app)

    @classmethod
    def apply_chunks(cls, task: Any, it: Any, n: int, app: Any = None) -> Any:
        return cls(task, it, n, app=app)()
