"""``chord``: a group (the header) and a task that is called with the results of all its members (the body).

Counting the members is the result store's business (``backends``): it sends the body with the last one.
"""

from __future__ import annotations

import warnings
from collections.abc import MutableSequence
from functools import partial
from typing import Any

from .._state import current_app
from ..exceptions import CPendingDeprecationWarning
from ..result import allow_join_result
from ..runtime.ids import new_id
from ..utils.functional import _regen
from ..utils.lean import maybe_list
from ..utils.objects import getitem_property
from ..utils.text import remove_repeating_from_task
from .base import Signature, _Once, maybe_signature
from .groups import _maybe_group, _size, group, stamped
from .joining import first_step_options, join

__all__ = ("chord", "clear_header_links", "unroll_body")

_DELAYS = ("countdown", "eta")
W_HEADER_ERRBACKS = (
    "link_error on a chord reaches its body only; with task_allow_error_cb_on_chord_header=True it reaches the tasks "
    "of the header too, which will be the default of a future release"
)


def unroll_body(sig: Any) -> list[Any]:
    """A chord whose body is a chain as the chord with the first step, and the other steps."""
    short = sig.clone()
    steps = short.body.unchain_tasks()
    short.body = steps[0].clone(**first_step_options(short.body))
    return [short, *steps[1:]]


def _clear_chord_option(sig: Any) -> None:
    sig.options.pop("chord", None)
    kind = getattr(sig, "_kind", None)
    if kind == "group":
        for task in sig.tasks:
            _clear_chord_option(task)
    elif kind == "chain" and sig.tasks:
        _clear_chord_option(sig.tasks[-1])
    elif kind == "chord" and sig.body is not None:
        _clear_chord_option(sig.body)


def clear_header_links(sig: Any) -> None:
    """Drop the bodies that freezing wrote into the headers of waiting chords: they get theirs when they are sent."""
    kind = getattr(sig, "_kind", None)
    if kind == "chord":
        _clear_chord_option(sig.tasks)
        clear_header_links(sig.tasks)
        if sig.body is not None:
            clear_header_links(sig.body)
    elif kind in ("group", "chain"):
        for task in sig.tasks:
            clear_header_links(task)


_strip_chord_header_links = clear_header_links


def _with_own_members(sig: Any) -> Any:
    """A copy in which the tasks of groups and the bodies of chords are copies too."""
    sig = maybe_signature(sig, clone=True)
    if isinstance(sig, group):
        sig.tasks = [_with_own_members(task) for task in sig.tasks]
    elif isinstance(sig, _chord):
        sig.body = _with_own_members(sig.body)
    return sig


def _link_error_to_members(sig: Any, errback: Any, runs_as_group: bool = True) -> None:
    if isinstance(sig, group):
        if runs_as_group and sig.options.get("link_error") is not None:
            sig.append_to_list_option("link_error", errback.clone())
        else:
            for task in sig.tasks:
                _link_error_to_members(task, errback, runs_as_group=False)
    elif isinstance(sig, _chord):
        _link_error_to_members(sig.body, errback)
    else:
        sig.link_error(errback.clone())


def _without_parent(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a chord that its body takes over."""
    return {key: value for key, value in options.items() if key != "parent_id"}


@Signature.register_type(name="chord")
class _chord(Signature):
    """A header and a body."""

    _kind = "chord"

    tasks = getitem_property("kwargs.header", "The members of the header.")
    body = getitem_property("kwargs.body", "What is called with their results.")

    @staticmethod
    def _unpack_args(header: Any = None, body: Any = None, **kwargs: Any) -> Any:
        return (header, body), kwargs

    @classmethod
    def from_dict(cls, d: Any, app: Any = None) -> Any:
        rest: dict[str, Any] = dict(d)
        (header, body), rest["kwargs"] = cls._unpack_args(**rest["kwargs"])
        return cls(header, body, app=app, **rest)

    def __init__(
        self,
        header: Any,
        body: Any = None,
        task: Any = "celery.chord",
        args: Any = None,
        kwargs: Any = None,
        app: Any = None,
        **options: Any,
    ) -> None:
        own = {
            **(kwargs or {"kwargs": {}}),
            "header": _maybe_group(header, app),
            "body": maybe_signature(body, app=app),
        }
        super().__init__(task, args or (), own, app=app, **options)
        self.subtask_type = "chord"

    def __call__(self, body: Any = None, **options: Any) -> Any:
        return self.apply_async((), {"body": body} if body else {}, **options)

    def __or__(self, other: Any) -> Any:
        return join(self, other)

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        copied = super().clone(*args, **kwargs)
        own = copied.kwargs
        if "body" in own:
            own["body"] = maybe_signature(own["body"], clone=True)
        return copied

    def __length_hint__(self) -> int:
        return sum(_size(task) for task in getattr(self.tasks, "tasks", self.tasks))

    @classmethod
    def _descend(cls, sig_obj: Any) -> int:
        return _size(sig_obj)

    def _unroll_body(self) -> list[Any]:
        return unroll_body(self)

    # -- calling ----------------------------------------------------------------------------------------------------

    def apply_async(  # type: ignore[override]
        self,
        args: Any = None,
        kwargs: Any = None,
        task_id: str | None = None,
        producer: Any = None,
        publisher: Any = None,
        connection: Any = None,
        router: Any = None,
        result_cls: Any = None,
        **options: Any,
    ) -> Any:
        """Send the header; gives the handle of the body, whose parent is the header's ``GroupResult``.

        ``countdown`` and ``eta`` delay the header; ``task_id`` is the body's; other options go to both.
        """
        args = (*args, *self.args) if args and not self.immutable else self.args
        given = dict(kwargs or {})
        body = given.pop("body", None) or self.kwargs["body"]
        given = {**self.kwargs.get("kwargs", {}), **given}
        delay: dict[str, Any] = {key: options.pop(key) for key in _DELAYS if options.get(key) is not None}
        links: dict[str, Any] = {key: options.pop(key) for key in ("link", "link_error") if key in options}
        body = body.clone(**_without_parent(options))
        app = self._get_app(body)
        header = self.tasks
        if isinstance(header, group):
            header = header.clone()
        else:
            if isinstance(header, MutableSequence) and not isinstance(header, _regen):
                header = header[:]
            header = group(header, app=app, task_id=self.options.get("task_id") or new_id())
        if app.conf.task_always_eager:
            body = self._add_body_callbacks(body, {**self.options, **links})
            with allow_join_result():
                return self.apply(args, given, body=body, task_id=task_id, **options)
        merged = {**self.options, **options, **links}
        for key in _DELAYS:
            merged.pop(key, None)
        own_id = merged.pop("task_id", None)
        if delay:
            merged["header_delay"] = delay
        return self.run(header, body, args, task_id=own_id if task_id is None else task_id, kwargs=given, **merged)

    def apply(
        self, args: Any = None, kwargs: Any = None, propagate: bool = True, body: Any = None, **options: Any
    ) -> Any:
        """Run header and body here and now."""
        body = self.body if body is None else body
        header = self.tasks.clone() if isinstance(self.tasks, group) else group(self.tasks, app=self.app)
        return body.apply(args=(header.apply(args, kwargs).get(propagate=propagate),))

    @staticmethod
    def _add_body_callbacks(body: Any, options: dict[str, Any]) -> Any:
        """The body with the chord's own links; takes them out of the options."""
        callbacks = maybe_list(options.pop("link", None)) or []
        errbacks = maybe_list(options.pop("link_error", None)) or []
        if callbacks or errbacks:
            body = _with_own_members(body)
        for callback in callbacks:
            callback = _with_own_members(maybe_signature(callback, app=body._app))
            if isinstance(body, group) and not body.tasks:
                body.append_to_list_option("link", callback)
            else:
                body.link(callback)
        for errback in errbacks:
            if isinstance(body, group):
                _link_error_to_members(body, maybe_signature(errback, app=body._app))
            else:
                body.append_to_list_option("link_error", errback)
        return body

    def run(
        self,
        header: Any,
        body: Any,
        partial_args: Any,
        app: Any = None,
        interval: Any = None,
        countdown: float = 1,
        max_retries: Any = None,
        eager: bool = False,
        task_id: str | None = None,
        kwargs: Any = None,
        header_delay: Any = None,
        **options: Any,
    ) -> Any:
        """Announce the chord to the store and send the header."""
        app = app or self._get_app(body)
        group_id = header.options.get("task_id") or new_id()
        root_id = body.options.get("root_id")
        options = {**self.options, **options}
        delay = dict(header_delay or {})
        for key in _DELAYS:
            value = options.pop(key, None)
            if value is not None:
                delay.setdefault(key, value)
        if options:
            options.pop("task_id", None)
            body = self._add_body_callbacks(body, options)
            body.options.update(_without_parent(options))
        if getattr(body, "_kind", None) == "chain":
            body._unroll_chords(app)
        result = body.freeze(task_id or new_id(), group_id=group_id, root_id=root_id)
        clear_header_links(body)
        for key in ("chain", "chord", "task_id"):
            options.pop(key, None)  # they are the body's
        header.options["task_id"] = group_id
        body._sent = {}  # from here on it is the same for all members
        members = header._freeze_group_tasks(group_id=group_id, chord=body, root_id=root_id)
        if header.tasks:
            if not isinstance(header.tasks, _regen):
                header._made = members[1]
            app.backend.apply_chord(members, body, interval=interval, countdown=countdown, max_retries=max_retries)
            header_result = header.apply_async(partial_args, kwargs, task_id=group_id, **{**options, **delay})
        else:
            body.delay([])
            header_result = app.GroupResult(*members)
        result.parent = header_result
        return result

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Fix the ids of header and body; gives the body's handle."""
        if not isinstance(self.tasks, group):
            self.tasks = group(self.tasks, app=self.app)
        if self.body is not None and self.body._sent is None:
            self.body._sent = False
        header_result = self.tasks.freeze(parent_id=parent_id, root_id=root_id, chord=self.body)
        self.id = self.tasks.id
        if self.body is None:
            return None
        result = self.body.freeze(_id, root_id=root_id, chord=chord, group_id=group_id, group_index=group_index)
        node, seen = result, set()
        while node.parent is not None:
            if node.id in seen:
                raise RuntimeError("Recursive result parents")
            seen.add(node.id)
            node = node.parent
        node.parent = header_result
        return result

    # -- links ------------------------------------------------------------------------------------------------------

    def link(self, callback: Any) -> Any:
        """Call another signature with the body's result."""
        self.body.link(callback)
        return callback

    def link_error(self, errback: Any) -> Any:
        """Call another signature when the chord fails."""
        errback = maybe_signature(errback)
        members = maybe_list(self.tasks) or []
        if self.app.conf.task_allow_error_cb_on_chord_header:
            for task in members:
                task.link_error(errback.clone(immutable=True))
        else:
            warnings.warn(W_HEADER_ERRBACKS, CPendingDeprecationWarning, stacklevel=2)
        for task in members:
            if isinstance(task, _chord):
                task.link_error(errback)
        self.body.link_error(errback)
        return errback

    def set_immutable(self, immutable: bool) -> None:
        for task in self.tasks:
            task.set_immutable(immutable)

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **headers: Any) -> None:
        """Put stamps on the header's tasks and on the body."""
        members = self.tasks.tasks if isinstance(self.tasks, group) else self.tasks
        found = None if visitor is None else visitor.on_chord_header_start(self, **headers) or {}
        headers = self._stamp_headers(found, append_stamps, **headers)
        self.stamp_links(visitor, append_stamps, **headers)
        if isinstance(members, _regen):
            members.map(partial(stamped, visitor=visitor, append_stamps=append_stamps, **headers))
        else:
            for task in members:
                task.stamp(visitor, append_stamps, **headers)
        if visitor is None:
            return
        visitor.on_chord_header_end(self, **headers)
        if self.body is not None:
            found = visitor.on_chord_body(self, **headers) or {}
            self.body.stamp(visitor, append_stamps, **self._stamp_headers(found, append_stamps, **headers))

    # -- as a value -------------------------------------------------------------------------------------------------

    @_Once
    def app(self) -> Any:
        return self._get_app(self.body)

    def _get_app(self, body: Any = None) -> Any:
        """Its own app, that of the first member, or that of the body."""
        app = self._app
        if app is None:
            members = getattr(self.tasks, "tasks", self.tasks)
            if members:
                app = self._app_of(members[0])
            if app is None and body is not None:
                app = self._app_of(body)
        return current_app if app is None else app

    @staticmethod
    def _app_of(task: Any) -> Any:
        if task._app is not None:
            return task._app
        app = getattr(task, "app", None)
        return None if app is current_app else app

    def __repr__(self) -> str:
        body = self.body
        if not body:
            return f"<chord without body: {self.tasks!r}>"
        if getattr(body, "_kind", None) != "chain":
            return "%" + str(remove_repeating_from_task(body["task"], body.reprcall(self.tasks)))
        first = body.tasks[0]
        rest = Signature.TYPES["chain"](body.tasks[1:], app=self._app)
        return str(remove_repeating_from_task(first["task"], f"%({first.reprcall(self.tasks)} | {rest!r})"))


chord = _chord
