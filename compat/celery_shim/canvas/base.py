"""``Signature``: a task's name with arguments and options, as a dict that can be stored and sent.

Compositions (chain, group, chord …) are signatures with a ``subtask_type``; they register themselves with
``Signature.register_type``. What ``|`` makes of two signatures is in ``joining``.
"""

from __future__ import annotations

import itertools
from collections.abc import MutableSequence
from copy import deepcopy
from functools import partial as _partial
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from .._state import current_app
from ..runtime.ids import new_id
from ..typevars import R
from ..utils import abstract
from ..utils.lean import maybe_list, reprcall
from ..utils.objects import getitem_property
from .stamps import Stampable

if TYPE_CHECKING:
    from typing import Generic

    from typing_extensions import Self

    from ..result import AsyncResult as Result
    from ..result import EagerResult

    class _Fields(dict[str, Any], Generic[R]): ...

else:
    _Fields = dict

__all__ = ("Signature", "maybe_signature", "signature", "task_name_from")

_new_signature, _fill = dict.__new__, dict.update
#: Options of which a copy is the value itself.
_ATOMS = frozenset({str, int, float, bool, type(None)})


def task_name_from(task: Any) -> Any:
    return getattr(task, "name", task)


class _Once:
    """An attribute that is worked out when it is first read; it can be set and deleted like any other."""

    def __init__(self, make: Any) -> None:
        self.make, self.__doc__ = make, make.__doc__
        self.name = make.__name__

    def __get__(self, obj: Any, owner: Any = None) -> Any:
        if obj is None:
            return self
        value = obj.__dict__[self.name] = self.make(obj)
        return value


@abstract.CallableSignature.register
class Signature(_Fields[R], Stampable):
    """A task call that has not been made yet."""

    TYPES: dict[str, Any] = {}
    _app: Any = None
    _type: Any = None
    #: Options that a caller cannot change once they are set.
    _IMMUTABLE_OPTIONS = frozenset({"group_id", "stamped_headers"})
    #: What the rules of ``joining`` call it: task, chain, group or chord.
    _kind = "task"
    #: Not None: the body of a chord, which copies of the header's tasks share. A dict when nobody changes it any more:
    #: what was made of it for messages.
    _sent: Any = None

    @classmethod
    def register_type(cls, name: str | None = None) -> Any:
        """Decorator: the class of signatures of that ``subtask_type``."""

        def register(subclass: Any) -> Any:
            cls.TYPES[name or subclass.__name__] = subclass
            return subclass

        return register

    @classmethod
    def from_dict(cls, d: Any, app: Any = None) -> Any:
        kind = d.get("subtask_type")
        if kind:
            target = cls.TYPES[kind]
            if target is not cls:
                return target.from_dict(d, app=app)
        return Signature(d, app=app)

    def __init__(
        self,
        task: Any = None,
        args: Any = None,
        kwargs: Any = None,
        options: Any = None,
        type: Any = None,
        subtask_type: str | None = None,
        immutable: bool = False,
        app: Any = None,
        **ex: Any,
    ) -> None:
        self._app = app
        if isinstance(task, dict):
            super().__init__(task)
            return
        name = getattr(task, "name", None)
        if name is None:
            name = task
        else:
            self._type = task
        super().__init__(
            task=name,
            args=tuple(args or ()),
            kwargs=kwargs or {},
            options={**(options or {}), **ex},
            subtask_type=subtask_type,
            immutable=immutable,
        )

    id = getitem_property("options.task_id", "Id of the task.")
    parent_id = getitem_property("options.parent_id", "Id of the task that started it.")
    root_id = getitem_property("options.root_id", "Id of the first task of the tree.")
    task = getitem_property("task", "Name of the task.")
    args = getitem_property("args", "Positional arguments.")
    kwargs = getitem_property("kwargs", "Keyword arguments.")
    options = getitem_property("options", "Options of apply_async.")
    subtask_type = getitem_property("subtask_type", "Kind of composition.")
    immutable = getitem_property("immutable", "True if further arguments are ignored.")

    @property
    def name(self) -> Any:
        return self.task

    @_Once
    def type(self) -> Any:
        """The task itself."""
        return self._type or self.app.tasks[self["task"]]

    @_Once
    def app(self) -> Any:
        return self._app or current_app

    @_Once
    def AsyncResult(self) -> Any:
        try:
            return self.type.AsyncResult
        except KeyError:  # not registered here
            return self.app.AsyncResult

    @_Once
    def _apply_async(self) -> Any:
        try:
            return self.type.apply_async
        except KeyError:
            return _partial(self.app.send_task, self["task"])

    # -- calling ----------------------------------------------------------------------------------------------------

    def __call__(self, *partial_args: Any, **partial_kwargs: Any) -> R:
        args, kwargs, _ = self._merge(partial_args, partial_kwargs, None)
        return self.type(*args, **kwargs)

    def delay(self, *partial_args: Any, **partial_kwargs: Any) -> Result[R]:
        return self.apply_async(partial_args, partial_kwargs)

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> EagerResult[R]:
        """Run here and now."""
        given = {key: value for key, value in options.items() if value is not None}
        args, kwargs, given = self._merge(args, kwargs, given)
        return self.type.apply(args, kwargs, **given)

    def apply_async(self, args: Any = None, kwargs: Any = None, route_name: Any = None, **options: Any) -> Result[R]:
        """Send; further arguments go before those of the signature."""
        given = {key: value for key, value in options.items() if value is not None}
        try:
            send = self._apply_async
        except IndexError:
            return None  # type: ignore[return-value]  # an empty composition has no task
        if args or kwargs or given:
            args, kwargs, given = self._merge(args, kwargs, given)
        else:
            args, kwargs, given = self.args, self.kwargs, self.options
        return send(args, kwargs, **given)

    def __invert__(self) -> Any:
        return self.apply_async().get()

    def election(self) -> Any:
        raise NotImplementedError("an election needs several workers and a broker")

    # -- combining --------------------------------------------------------------------------------------------------

    def _merge(self, args: Any = None, kwargs: Any = None, options: Any = None, force: bool = False) -> Any:
        own: Any = self.get("options")
        merged: Any = own
        if options is not None:
            merged = {**own, **options}
            stamps = own.get("stamped_headers")
            for key in (*self._IMMUTABLE_OPTIONS, *stamps) if stamps else self._IMMUTABLE_OPTIONS:
                if key in own:
                    merged[key] = own[key]
        own_args: Any = self.get("args")
        own_kwargs: Any = self.get("kwargs")
        if self.get("immutable") and not force:
            return own_args, own_kwargs, merged
        return (
            (*args, *own_args) if args else own_args,
            {**own_kwargs, **kwargs} if kwargs else own_kwargs,
            merged,
        )

    def clone(self, args: Any = None, kwargs: Any = None, **opts: Any) -> Self:
        """A copy with further arguments and options."""
        own: Any = self.get("kwargs")
        options: Any = self.get("options")
        kind = self.get("subtask_type")
        if type(self) is Signature and not (kind or args or kwargs or opts):
            # a task's own call is what compositions copy most
            copied: Any = _new_signature(Signature)
            _fill(
                copied,
                task=self.get("task"),
                args=tuple(self.get("args") or ()),
                kwargs=dict(own),
                options=copy_options(options),
                subtask_type=kind,
                immutable=self.get("immutable"),
            )
            copied._app = self._app
            if self._type is not None:
                copied._type = self._type
            return copied
        if args or kwargs or opts:
            args, kwargs, options = self._merge(args, kwargs, opts)
        else:
            args, kwargs = self.get("args"), own
        fields = {
            "task": self.get("task"),
            "args": tuple(args or ()),
            "kwargs": dict(own) if kwargs is own else kwargs,
            "options": copy_options(options),
            "subtask_type": kind,
            "immutable": self.get("immutable"),
        }
        copied = Signature.from_dict(fields, app=self._app) if kind else Signature(fields, app=self._app)
        if self._type is not None:
            copied._type = self._type
        return copied

    partial = clone

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Fix the id before the call; gives the result's handle."""
        opts = self["options"]
        if "task_id" not in opts:
            opts["task_id"] = _id or new_id()
        if root_id:
            opts["root_id"] = root_id
        if parent_id:
            opts["parent_id"] = parent_id
        if "reply_to" not in opts:
            opts["reply_to"] = self.app.thread_oid
        if group_id and "group_id" not in opts:
            opts["group_id"] = group_id
        if chord:
            opts["chord"] = chord
        if group_index is not None:
            opts["group_index"] = group_index
        return self.AsyncResult(opts["task_id"])

    _freeze = freeze

    def replace(self, args: Any = None, kwargs: Any = None, options: Any = None) -> Any:
        """A copy with other arguments or options."""
        copied = self.clone()
        for name, value in (("args", args), ("kwargs", kwargs), ("options", options)):
            if value is not None:
                setattr(copied, name, value)
        return copied

    def set(self, immutable: bool | None = None, **options: Any) -> Self:
        """Set options in place."""
        if immutable is not None:
            self.set_immutable(immutable)
        self.options.update(options)
        return self

    def set_immutable(self, immutable: bool) -> None:
        self.immutable = immutable

    def _with_list_option(self, key: str) -> Any:
        items = self.options.setdefault(key, [])
        if not isinstance(items, MutableSequence):
            items = self.options[key] = [items]
        return items

    def append_to_list_option(self, key: str, value: Any) -> Any:
        items = self._with_list_option(key)
        if value not in items:
            items.append(value)
        return value

    def extend_list_option(self, key: str, value: Any) -> None:
        self._with_list_option(key).extend(maybe_list(value))

    def link(self, callback: Any) -> Any:
        """Call another signature with the result; gives that signature."""
        return self.append_to_list_option("link", callback)

    def link_error(self, errback: Any) -> Any:
        """Call another signature when the task fails; gives that signature."""
        return self.append_to_list_option("link_error", errback)

    def on_error(self, errback: Any) -> Any:
        """``link_error`` that gives this signature."""
        self.link_error(errback)
        return self

    def flatten_links(self) -> list[Any]:
        """This signature and all that are linked to it."""
        links = maybe_list(self.options.get("link")) or []
        return [self, *itertools.chain.from_iterable(link.flatten_links() for link in links)]

    def __or__(self, other: Any) -> Any:
        from .joining import join

        return join(self, other)

    def __ior__(self, other: Any) -> Any:
        return self.__or__(other)

    # -- as a value -------------------------------------------------------------------------------------------------

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        args, kwargs, _ = self._merge(args, kwargs, {}, force=True)
        return reprcall(self["task"], args, kwargs)

    def __repr__(self) -> str:
        return self.reprcall()

    __class_getitem__: Any = classmethod(GenericAlias)

    def __deepcopy__(self, memo: Any) -> Any:
        if self._sent is not None:
            return self
        plain = dict(self)
        memo[id(self)] = plain
        plain["options"] = deepcopy(self.options, memo)
        return plain

    def __reduce__(self) -> Any:
        return signature, (dict(self),)

    def __json__(self) -> Any:
        return dict(self)

    def items(self) -> Any:
        for key, value in super().items():
            yield key.decode() if isinstance(key, bytes) else key, value


def copy_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options that can be changed without changing these; signatures among them become plain dicts."""
    for value in options.values():
        if type(value) not in _ATOMS and getattr(value, "_sent", None) is None:
            return deepcopy(options)
    return dict(options)


def signature(varies: Any, *args: Any, **kwargs: Any) -> Any:
    """A signature from a task, a name, a dict, or a copy of another signature."""
    app = kwargs.get("app")
    if isinstance(varies, dict):
        if isinstance(varies, abstract.CallableSignature):
            return varies.clone()
        return Signature.from_dict(varies, app=app)
    return Signature(varies, *args, **kwargs)


def maybe_signature(d: Any, app: Any = None, clone: bool = False) -> Any:
    """A dict as a signature, anything else as it is."""
    if d is None:
        return None
    if isinstance(d, abstract.CallableSignature):
        if clone:
            d = d.clone()
    elif isinstance(d, dict):
        d = signature(d)
    if app is not None and d is not None:
        d._app = app
    return d
