"""Mappings that look through several others: ``ChainMap`` and ``ConfigurationView`` carry ``app.conf``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from itertools import chain
from typing import Any

from .functional import first, iter_unique
from .mappings import AttributeDictMixin, force_mapping
from .text import match_case

__all__ = ("ChainMap", "ConfigurationView")


class ChainMap(MutableMapping):
    """Reads from several mappings in order, writes to the first."""

    key_t: Callable[[Any], Any] | None = None
    changes: Any = None
    defaults: Any = None
    maps: Any = None
    _observers: Any = ()

    def __init__(self, *maps: Any, **kwargs: Any) -> None:
        layers = list(maps) or [{}]
        self.__dict__.update(
            key_t=kwargs.get("key_t"), maps=layers, changes=layers[0], defaults=layers[1:], _observers=[], version=0
        )

    def _changed(self) -> None:
        """Whoever keeps something that depends on the values compares ``version``."""
        self.__dict__["version"] += 1

    def add_defaults(self, d: Any) -> None:
        """Put a mapping just below the changes."""
        self._changed()
        layer = force_mapping(d)
        self.defaults.insert(0, layer)
        self.maps.insert(1, layer)

    def _key(self, key: Any) -> Any:
        return key if self.key_t is None else self.key_t(key)

    def __missing__(self, key: Any) -> Any:
        raise KeyError(key)

    def __getitem__(self, key: Any) -> Any:
        wanted = self._key(key)
        for layer in self.maps:
            try:
                return layer[wanted]
            except KeyError:
                continue
        return self.__missing__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._changed()
        self.changes[self._key(key)] = value

    def __delitem__(self, key: Any) -> None:
        self._changed()
        try:
            del self.changes[self._key(key)]
        except KeyError:
            raise KeyError(f"Key not found in first mapping: {key!r}") from None

    def pop(self, key: Any, *default: Any) -> Any:
        self._changed()
        try:
            return self.maps[0].pop(self._key(key), *default)
        except KeyError:
            raise KeyError(f"Key not found in the first mapping: {key!r}") from None

    def clear(self) -> None:
        self._changed()
        self.changes.clear()

    def get(self, key: Any, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default

    def update(self, *args: Any, **kwargs: Any) -> Any:
        if args:
            args = (dict(*args),)
        self._changed()
        result = self.changes.update(*args, **kwargs)
        for callback in self._observers:
            callback(*args, **kwargs)
        return result

    def bind_to(self, callback: Callable[..., Any]) -> None:
        """Call ``callback`` with whatever ``update`` gets."""
        self._observers.append(callback)

    def __len__(self) -> int:
        return len(set().union(*self.maps))

    def __iter__(self) -> Iterator[Any]:
        return self._iterate_keys()

    def __contains__(self, key: Any) -> bool:
        wanted = self._key(key)
        return any(wanted in layer for layer in self.maps)

    def __bool__(self) -> bool:
        return any(self.maps)

    __nonzero__ = __bool__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.maps))})"

    @classmethod
    def fromkeys(cls, iterable: Iterable[Any], *args: Any) -> ChainMap:
        return cls(dict.fromkeys(iterable, *args))

    def copy(self) -> Any:
        return type(self)(self.maps[0].copy(), *self.maps[1:])

    __copy__ = copy

    def _iter(self, op: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
        # weakest layer first, so that keys come in the order of the defaults
        return chain.from_iterable(op(layer) for layer in reversed(self.maps))

    def _iterate_keys(self) -> Iterator[Any]:
        return iter_unique(self._iter(lambda layer: layer.keys()))

    def _iterate_items(self) -> Iterator[tuple[Any, Any]]:
        return ((key, self[key]) for key in self)

    def _iterate_values(self) -> Iterator[Any]:
        return (self[key] for key in self)

    keys = iterkeys = _iterate_keys  # type: ignore[assignment]
    items = iteritems = _iterate_items  # type: ignore[assignment]
    values = itervalues = _iterate_values  # type: ignore[assignment]


class ConfigurationView(ChainMap, AttributeDictMixin):
    """A chain of mappings whose keys have several spellings: with a prefix, and old or new names."""

    def __init__(self, changes: Any, defaults: Any = None, keys: Any = None, prefix: str | None = None) -> None:
        super().__init__(changes, *(defaults or ()))
        self.__dict__.update(prefix=prefix.rstrip("_") + "_" if prefix else prefix, _keys=keys)

    def copy(self) -> Any:
        copied = type(self)(self.changes.copy(), self.defaults, self._keys, self.prefix)
        copied.__dict__["key_t"] = self.key_t
        return copied

    __copy__ = copy

    def _to_keys(self, key: str) -> tuple[str, ...]:
        prefix, spellings = self.prefix, self._keys
        found: tuple[str, ...] = (key,)
        if prefix:
            found = (match_case(key if key.startswith(prefix) else prefix + key, prefix), key)
        return found + tuple(spelling(key) for spelling in spellings) if spellings else found

    def __getitem__(self, key: Any) -> Any:
        spellings = self._to_keys(key)
        for layer in self.maps:
            for spelling in spellings:
                try:
                    return layer[self._key(spelling)]
                except KeyError:
                    continue
        try:
            return self.__missing__(key)
        except KeyError:
            if self.prefix and len(spellings) > 1:
                raise KeyError(f"Key not found: {spellings[1]!r} (with prefix: {spellings[0]!r})") from None
            raise

    def first(self, *keys: str) -> Any:
        return first(None, (self.get(key) for key in keys))

    def __contains__(self, key: Any) -> bool:
        found = super().__contains__
        return any(found(spelling) for spelling in self._to_keys(key))

    def swap_with(self, other: ConfigurationView) -> None:
        """Take over the layers of another view; who holds this one sees them from now on."""
        self._changed()
        theirs = other.__dict__
        taken = {name: theirs[name] for name in ("changes", "defaults", "key_t", "prefix", "_keys")}
        self.__dict__.update(taken, maps=[theirs["changes"], *theirs["defaults"]])
