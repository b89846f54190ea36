"""``group``: tasks side by side.

Members keep the order in which they were given, nested groups included. A group over a generator reads it only when
it is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, MutableSequence
from functools import partial
from itertools import tee
from types import GeneratorType
from typing import Any

from .._state import current_app
from ..runtime.ids import new_id
from ..utils import abstract
from ..utils.functional import _regen, lookahead, regen
from ..utils.lean import fxrange
from ..utils.objects import getitem_property
from ..utils.text import remove_repeating_from_task
from .base import Signature, maybe_signature, signature
from .joining import join

__all__ = ("group",)


def _maybe_group(tasks: Any, app: Any) -> Any:
    """The members that a chord's header is made of."""
    if isinstance(tasks, dict):
        tasks = signature(tasks, app=app)
    if getattr(tasks, "_kind", None) in ("group", "chain"):
        return tasks.tasks
    if isinstance(tasks, abstract.CallableSignature):
        return [tasks]
    if isinstance(tasks, GeneratorType):
        return regen(signature(task, app=app) for task in tasks)
    return [signature(task, app=app) for task in tasks]


def stamped(task: Any, visitor: Any, append_stamps: bool, **headers: Any) -> Any:
    """A task of a generator, once it is there, with its stamps."""
    task.stamp(visitor, append_stamps, **headers)
    return task


def _is_empty_chain(sig: Any) -> bool:
    return getattr(sig, "_kind", None) == "chain" and not sig.tasks


def _size(sig: Any) -> int:
    """How many results a member adds to the body of its chord."""
    if not isinstance(sig, Signature):
        if not isinstance(sig, dict):
            return len(sig)
        sig = Signature.from_dict(sig)
    kind = sig._kind
    if kind == "group":
        return sum(_size(task) for task in getattr(sig.tasks, "tasks", sig.tasks))
    if kind == "chain":
        # the last step that is not empty stands for the chain
        return next((size for size in map(_size, reversed(sig.tasks)) if size > 0), 0)
    if kind == "chord":
        return _size(sig.body)
    return 1


@Signature.register_type()
class group(Signature):
    """Tasks side by side."""

    _kind = "group"
    #: Handles of the members where those have just been made to be sent: they need not be copied again.
    _made: Any = None

    tasks = getitem_property("kwargs.tasks", "The members.")

    @classmethod
    def from_dict(cls, d: Any, app: Any = None) -> Any:
        given = d["kwargs"]["tasks"]
        members = [maybe_signature(task, app=app) for task in given]
        return cls(tuple(members) if isinstance(given, tuple) else members, app=app, **d["options"])

    def __init__(self, *tasks: Any, **options: Any) -> None:
        members: Any = tasks
        if len(tasks) == 1:
            members = tasks[0]
            if isinstance(members, group):
                members = members.tasks
            if isinstance(members, abstract.CallableSignature):
                members = [members.clone()]
            if not isinstance(members, _regen):
                members = regen(members)
        super().__init__("celery.group", (), {"tasks": members}, **options)
        self.subtask_type = "group"

    def __call__(self, *partial_args: Any, **options: Any) -> Any:
        return self.apply_async(partial_args, **options)

    def __or__(self, other: Any) -> Any:
        return join(self, other)

    def __len__(self) -> int:
        return len(self.tasks)

    def skew(self, start: float = 1.0, stop: float | None = None, step: float = 1.0) -> Any:
        """Let the members start one after the other: sets their ``countdown``, in seconds."""
        times = fxrange(start, stop, step, repeatlast=True)
        for task in self.tasks:
            task.set(countdown=next(times))
        return self

    # -- calling ----------------------------------------------------------------------------------------------------

    def apply_async(  # type: ignore[override]
        self,
        args: Any = None,
        kwargs: Any = None,
        add_to_parent: bool = True,
        producer: Any = None,
        link: Any = None,
        link_error: Any = None,
        **options: Any,
    ) -> Any:
        """Send all members; gives a ``GroupResult``."""
        if link is not None:
            raise TypeError("Cannot add link to group: use a chord")
        if link_error is not None:
            raise TypeError("Cannot add link to group: do that on individual tasks")
        app = self.app
        if app.conf.task_always_eager:
            return self.apply(args, kwargs, **options)
        if not self.tasks:
            return self.freeze()
        options, group_id, root_id = self._freeze_gid(options)
        members = self._prepared(self.tasks, (), group_id, root_id, app)
        results = list(self._apply_tasks(members, producer, app, args=args or (), kwargs=kwargs, **options))
        result = app.GroupResult(group_id, results)
        if len(result) == 1 and isinstance(result[0], app.GroupResult):
            # a chain that turned out to be a group
            result = result[0]
        parent = app.current_worker_task
        if add_to_parent and parent:
            parent.add_trail(result)
        return result

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Run all members here and now."""
        app = self.app
        if not self.tasks:
            return self.freeze()
        options, group_id, root_id = self._freeze_gid(options)
        members = self._prepared(self.tasks, (), group_id, root_id, app, freeze=False)
        return app.GroupResult(
            group_id, [task.apply(args=args or (), kwargs=kwargs or {}, **options) for task, _, _ in members]
        )

    def _freeze_gid(self, options: dict[str, Any]) -> tuple[dict[str, Any], str, Any]:
        """Options for the members, the group's id and the root's."""
        own = self.options
        merged = {
            **own,
            **{key: value for key, value in options.items() if key not in own or key not in self._IMMUTABLE_OPTIONS},
        }
        group_id = merged["group_id"] = merged.pop("task_id", None) or new_id()
        return merged, group_id, merged.get("root_id")

    def _prepared(
        self,
        tasks: Iterable[Any],
        partial_args: Any,
        group_id: str,
        root_id: Any,
        app: Any,
        *,
        freeze: bool = True,
    ) -> Iterator[tuple[Any, Any, str]]:
        """Copies of the members with their handles, one by one."""
        if self._made is not None and freeze:
            for task, result in zip(tasks, self._made, strict=True):
                yield task, result, group_id
            return
        for index, task in enumerate(tasks):
            if isinstance(task, abstract.CallableSignature):
                task = task.clone()
            else:
                task = Signature.from_dict(task, app=app)
            if isinstance(task, group):
                yield from task._prepared(task.tasks, partial_args, group_id, root_id, app, freeze=freeze)
            elif not _is_empty_chain(task):
                if partial_args and not task.immutable:
                    task.args = (*partial_args, *task.args)
                result = task.freeze(group_id=group_id, root_id=root_id, group_index=index) if freeze else None
                yield task, result, group_id

    def _apply_tasks(
        self,
        tasks: Iterable[tuple[Any, Any, str]],
        producer: Any = None,
        app: Any = None,
        p: Any = None,
        add_to_parent: Any = None,
        chord: Any = None,
        args: Any = None,
        kwargs: Any = None,
        group_index: Any = None,
        **options: Any,
    ) -> Iterator[Any]:
        """Send the members; gives their handles. The store learns the size of a chord before the last one is sent."""
        app = app or self.app
        size = 0
        for (task, result, group_id), following in lookahead(tasks):
            body = task["options"].get("chord") if chord is None else chord
            if body is not None:
                size += _size(task)
                if following is None:
                    app.backend.set_chord_size(group_id, size)
            task.apply_async(producer=producer, add_to_parent=False, chord=body, args=args, kwargs=kwargs, **options)
            yield result

    # -- freezing ---------------------------------------------------------------------------------------------------

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Fix the ids of the group and its members; gives the ``GroupResult``."""
        return self.app.GroupResult(
            *self._freeze_group_tasks(_id, group_id, chord, root_id, parent_id, group_index=group_index)
        )

    _freeze = freeze

    def _freeze_group_tasks(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> tuple[str, Any]:
        opts = self.options
        if "task_id" not in opts:
            opts["task_id"] = new_id()
        if group_id:
            opts["group_id"] = group_id
        if chord:
            opts["chord"] = chord
        if group_index is not None:
            opts["group_index"] = group_index
        root_id = opts.setdefault("root_id", root_id)
        parent_id = opts.setdefault("parent_id", parent_id)
        fixed = {"group_id": group_id, "chord": chord, "root_id": root_id, "parent_id": parent_id}
        if isinstance(self.tasks, _regen):
            # read once, by whoever comes first
            to_freeze, members = tee(maybe_signature(task, app=self._app).clone() for task in self.tasks)
            results: Any = regen(self._freeze_tasks(to_freeze, **fixed))
            self.tasks = regen(members)
            return opts["task_id"], results
        flat = list(self._flat())
        results = list(self._freeze_tasks(flat, **fixed))
        if isinstance(self.tasks, MutableSequence):
            self.tasks[:] = flat
        else:
            self.tasks = flat
        return opts["task_id"], results

    def _flat(self) -> Iterator[Any]:
        """Copies of the members, those of nested groups in their place; without empty chains."""
        waiting = deque(self.tasks)
        while waiting:
            task = maybe_signature(waiting.popleft(), app=self._app).clone()
            if isinstance(task, group):
                waiting.extendleft(reversed(list(task.tasks)))
            elif not _is_empty_chain(task):
                yield task

    def _freeze_tasks(
        self, tasks: Iterable[Any], group_id: Any, chord: Any, root_id: Any, parent_id: Any
    ) -> Iterator[Any]:
        members = (task for task in tasks if not _is_empty_chain(task))
        for index, task in enumerate(members):
            yield task.freeze(group_id=group_id, chord=chord, root_id=root_id, parent_id=parent_id, group_index=index)

    # -- for all members --------------------------------------------------------------------------------------------

    def set_immutable(self, immutable: bool) -> None:
        for task in self.tasks:
            task.set_immutable(immutable)

    def link(self, sig: Any) -> Any:
        """Call another signature, without arguments of its own changed, when the first member has succeeded."""
        return self.tasks[0].link(sig.clone().set(immutable=True))

    def link_error(self, sig: Any) -> Any:
        """Call another signature for each member that fails."""
        sig = maybe_signature(sig)
        return tuple(task.link_error(sig.clone()) for task in self.tasks)

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **headers: Any) -> None:
        """Put stamps on all members."""
        found = None if visitor is None else visitor.on_group_start(self, **headers) or {}
        headers = self._stamp_headers(found, append_stamps, **headers)
        self.stamp_links(visitor, append_stamps, **headers)
        if isinstance(self.tasks, _regen):
            self.tasks.map(partial(stamped, visitor=visitor, append_stamps=append_stamps, **headers))
        else:
            members = [maybe_signature(task, app=self.app) for task in self.tasks]
            for task in members:
                task.stamp(visitor, append_stamps, **headers)
            if isinstance(self.tasks, MutableSequence):
                self.tasks[:] = members
            else:
                self.tasks = members
        if visitor is not None:
            visitor.on_group_end(self, **headers)

    # -- as a value -------------------------------------------------------------------------------------------------

    @property
    def app(self) -> Any:
        app = self._app
        if app is None:
            try:
                app = self.tasks[0].app
            except LookupError:
                pass
        return current_app if app is None else app

    def __repr__(self) -> str:
        if not self.tasks:
            return "group(<empty>)"
        return str(remove_repeating_from_task(self.tasks[0]["task"], f"group({self.tasks!r})"))
