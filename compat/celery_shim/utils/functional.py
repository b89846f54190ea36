"""Functional helpers: lazy sequences, signatures of functions, sequences of mixed type.

Promises are those of ``vine``, lazy values those of kombu; neither is loaded for being looked for.
"""

from __future__ import annotations

import operator
import sys
from collections import UserList
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from .lean import borrow, dictfilter, is_instance, is_list, maybe_evaluate, maybe_list
from .log import get_logger

if TYPE_CHECKING:
    from kombu.utils.functional import LRUCache, lazy, memoize

    from .lazies import mlazy

#: Flags of a code object, as ``inspect`` names them.
_VARARGS, _VARKEYWORDS = 0x04, 0x08

logger = get_logger("celery.utils.functional")

__all__ = (
    "LRUCache",
    "chunks",
    "dictfilter",
    "first",
    "firstmethod",
    "fun_accepts_kwargs",
    "head_from_fun",
    "is_list",
    "lazy",
    "mattrgetter",
    "maybe",
    "maybe_evaluate",
    "maybe_list",
    "memoize",
    "mlazy",
    "noop",
    "padlist",
    "regen",
    "uniq",
)

__getattr__ = borrow(
    globals(),
    {
        **dict.fromkeys(("LRUCache", "lazy", "memoize"), "kombu.utils.functional"),
        "mlazy": f"{__package__}.lazies",
    },
)


class DummyContext:
    """A context manager that does nothing."""

    def __enter__(self) -> DummyContext:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        pass


def noop(*args: Any, **kwargs: Any) -> None:
    """Nothing."""


def pass1(arg: Any, *args: Any, **kwargs: Any) -> Any:
    return arg


def evaluate_promises(it: Iterable[Any]) -> Iterator[Any]:
    for value in it:
        yield value() if is_instance(value, "vine", "promise") else value


def first(predicate: Callable[[Any], Any] | None, it: Iterable[Any]) -> Any:
    """The first value that satisfies ``predicate`` (that is not None, without one)."""
    for value in evaluate_promises(it):
        if (value is not None) if predicate is None else predicate(value):
            return value
    return None


def firstmethod(method: str, on_call: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A function that calls ``method`` on one object after the other until one answers."""

    def matcher(it: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        for obj in it:
            found = getattr(maybe_evaluate(obj), method, None)
            if found is None:
                continue
            reply = on_call(found, *args, **kwargs) if on_call else found(*args, **kwargs)
            if reply is not None:
                return reply
        return None

    return matcher


def chunks(it: Iterator[Any], n: int) -> Iterator[list[Any]]:
    """Lists of ``n`` items (the last may be shorter) from an iterator."""
    while True:
        chunk = list(islice(it, n))
        if not chunk:
            return
        yield chunk


def padlist(container: Any, size: int, default: Any = None) -> list[Any]:
    """The first ``size`` items, filled up with ``default``."""
    return list(container)[:size] + [default] * (size - len(container))


def mattrgetter(*attrs: str) -> Callable[[Any], dict[str, Any]]:
    return lambda obj: {name: getattr(obj, name, None) for name in attrs}


def uniq(it: Iterable[Any]) -> Iterator[Any]:
    return iter_unique(it)


def iter_unique(it: Iterable[Any]) -> Iterator[Any]:
    seen: set[Any] = set()
    for obj in it:
        if obj not in seen:
            seen.add(obj)
            yield obj


def lookahead(it: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Each item with the one after it; ``None`` after the last."""
    items = iter(it)
    try:
        item = next(items)
    except StopIteration:
        return
    for following in items:
        yield item, following
        item = following
    yield item, None


def regen(it: Any) -> Any:
    """A sequence that can be read again from an iterator that cannot; lists and tuples as they are."""
    return it if isinstance(it, (list, tuple)) else _regen(it)


class _regen(UserList, list):  # type: ignore[misc]
    """Reads its iterator on demand, and one item ahead, so that the end is known when the last item is given."""

    def __init__(self, it: Iterable[Any]) -> None:
        self.__it = it
        self.__iterator: Iterator[Any] | None = None
        self.__seen: list[Any] = []
        self.__done = False

    def __reduce__(self) -> Any:
        return list, (self.data,)

    def map(self, func: Callable[[Any], Any]) -> None:
        self.__seen = [func(item) for item in self.__seen]
        self.__it = map(func, self.__it if self.__iterator is None else self.__iterator)
        self.__iterator = None

    def __length_hint__(self) -> int:
        return self.__it.__length_hint__()  # type: ignore[attr-defined]

    def __pull(self) -> bool:
        """Read one more item; False when there is none."""
        if self.__done:
            return False
        iterator = self.__iterator
        if iterator is None:
            iterator = iter(self.__it)
            if self.__done:  # making the iterator read everything
                return False
            self.__iterator = iterator
        try:
            self.__seen.append(next(iterator))
        except StopIteration:
            self.__done = True
            return False
        except BaseException:
            self.__iterator = None  # a source that failed is started again by the next reader
            raise
        return True

    def __iter__(self) -> Iterator[Any]:
        index = 0
        pulled = False
        while True:
            if index >= len(self.__seen):
                if not self.__pull() and index >= len(self.__seen):
                    return
                pulled = True
            try:
                # what was read before is given as it is; only a fresh item needs the one after it
                if pulled and index + 1 >= len(self.__seen):
                    self.__pull()
            finally:
                yield self.__seen[index]
            index += 1

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.data[index]
        place = operator.index(index)
        if place < 0:
            return self.data[place]
        # one item further than asked for: callers test the next one to see whether this was the last
        while len(self.__seen) <= place + 1 and self.__pull():
            pass
        return self.__seen[place]

    def __bool__(self) -> bool:
        return bool(self.__seen) or any(True for _ in self)

    @property
    def data(self) -> list[Any]:  # type: ignore[override]  # UserList has an attribute; ours is read first
        while self.__pull():
            pass
        return self.__seen

    def __repr__(self) -> str:
        known = ", ".join(map(repr, self.__seen))
        return f"<{type(self).__name__}: [{known}{'' if self.__done else '...'}]>"


if sys.version_info >= (3, 14):
    import annotationlib

    def _parameters(fun: Any) -> Any:
        import inspect

        # annotations may name what is imported for type checkers only
        target = getattr(fun, "__func__", fun)
        form = annotationlib.Format.STRING
        return inspect.signature(target, follow_wrapped=False, annotation_format=form).parameters.values()

else:

    def _parameters(fun: Any) -> Any:
        import inspect

        # a bound method keeps its first parameter, as inspect.getfullargspec shows it
        return inspect.signature(getattr(fun, "__func__", fun), follow_wrapped=False).parameters.values()


def _plain_head(fun: Any) -> str | None:
    """What ``_head`` gives for a function without ``*``, read from its code object; None for any other.

    ``inspect`` takes longer to load than all of this module.
    """
    fun = getattr(fun, "__func__", fun)
    code = getattr(fun, "__code__", None)
    if type(fun) is not FunctionType or code is None or fun.__dict__.get("__signature__") is not None:
        return None
    count, first_default = code.co_argcount, code.co_argcount - len(fun.__defaults__ or ())
    if code.co_flags & (_VARARGS | _VARKEYWORDS) or code.co_kwonlyargcount:
        return None
    names = code.co_varnames[:count]
    return ", ".join(name if place < first_default else f"{name}={place}" for place, name in enumerate(names))


def _head(fun: Any) -> str:
    """The parameter list of ``fun`` as source, with numbers in place of the defaults."""
    plain = _plain_head(fun)
    if plain is not None:
        return plain
    parts = []
    bare_star = False
    for number, parameter in enumerate(_parameters(fun)):
        kind, name = parameter.kind, parameter.name
        if kind is parameter.VAR_POSITIONAL:
            parts.append("*" + name)
            bare_star = True
        elif kind is parameter.VAR_KEYWORD:
            parts.append("**" + name)
        else:
            if kind is parameter.KEYWORD_ONLY and not bare_star:
                parts.append("*")
                bare_star = True
            parts.append(name if parameter.default is parameter.empty else f"{name}={number}")
    return ", ".join(parts)


def head_from_fun(fun: Any, bound: bool = False) -> Callable[..., Any]:
    """A function with the parameters of ``fun`` and no body: calling it checks arguments at full speed."""
    plain = isinstance(fun, (FunctionType, MethodType)) or type(fun).__name__ == "cython_function_or_method"
    if plain:
        name = fun.__name__
    else:
        name, fun = type(fun).__name__, fun.__call__
    if not name.isidentifier():
        name = "fun"
    definition = f"\ndef {name}({_head(fun)}):\n    return 1\n"
    logger.debug(definition)
    namespace: dict[str, Any] = {"__name__": fun.__module__}
    exec(definition, namespace)
    result = namespace[name]
    result._source = definition
    return partial(result, object()) if bound else result


def arity_greater(fun: Any, n: int) -> Any:
    import inspect

    spec = inspect.getfullargspec(fun)
    return spec.varargs or len(spec.args) > n


def fun_takes_argument(name: str, fun: Any, position: int | None = None) -> Any:
    import inspect

    spec = inspect.getfullargspec(fun)
    return spec.varkw or spec.varargs or (len(spec.args) >= position if position else name in spec.args)


def fun_accepts_kwargs(fun: Any) -> bool:
    """True if ``fun`` takes ``**kwargs``."""
    code = getattr(fun, "__code__", None)
    if code is not None:
        return bool(code.co_flags & _VARKEYWORDS)
    import inspect

    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in inspect.signature(fun).parameters.values())


def maybe(typ: Callable[[Any], Any], val: Any) -> Any:
    return val if val is None else typ(val)


def seq_concat_item(seq: Any, item: Any) -> Any:
    """A new sequence of the same type with one item more."""
    return (*seq, item) if isinstance(seq, tuple) else seq + [item]


def seq_concat_seq(a: Any, b: Any) -> Any:
    """Both joined, as the type of the longer one."""
    kind = type(b) if len(b) > len(a) else type(a)
    return (a if isinstance(a, kind) else kind(a)) + (b if isinstance(b, kind) else kind(b))


def is_numeric_value(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
