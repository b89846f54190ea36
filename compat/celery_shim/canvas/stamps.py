"""Stamps: headers that are put on a whole tree of signatures, e.g. to revoke all of its tasks together."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from copy import deepcopy
from typing import Any

from ..utils.lean import maybe_list

__all__ = ("Stampable", "StampingVisitor")


def _merge_dictionaries(d1: dict[str, Any], d2: Any, aggregate_duplicates: bool = True) -> None:
    """Merge ``d2`` into ``d1``; values of one key are collected in a list, or the first one stays."""
    for key, new in (d2 or {}).items():
        if key not in d1:
            d1[key] = new
            continue
        old = d1[key]
        if isinstance(old, dict):
            _merge_dictionaries(old, new, aggregate_duplicates)
            continue
        if isinstance(old, (int, float, str)):
            old = d1[key] = [old] if aggregate_duplicates else old
        if isinstance(old, list) and isinstance(new, list):
            old.extend(new)
        elif aggregate_duplicates:
            d1[key] = [*(old or ()), new] if old is not None else [new]


class StampingVisitor(metaclass=ABCMeta):
    """Decides which stamps a signature gets; groups, chains and chords ask it at their start and end."""

    @abstractmethod
    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:
        """Stamps of one signature."""

    def on_group_start(self, group: Any, **headers: Any) -> dict[str, Any]:
        return {}

    def on_group_end(self, group: Any, **headers: Any) -> None:  # noqa: B027 - a hook
        """After the members of a group."""

    def on_chain_start(self, chain: Any, **headers: Any) -> dict[str, Any]:
        return {}

    def on_chain_end(self, chain: Any, **headers: Any) -> None:  # noqa: B027 - a hook
        """After the steps of a chain."""

    def on_chord_header_start(self, sig: Any, **header: Any) -> dict[str, Any]:
        if getattr(sig.tasks, "subtask_type", None) != "group":
            from .base import Signature

            sig.tasks = Signature.TYPES["group"](sig.tasks)
        return self.on_group_start(sig.tasks, **header)

    def on_chord_header_end(self, sig: Any, **header: Any) -> None:
        self.on_group_end(sig.tasks, **header)

    def on_chord_body(self, sig: Any, **header: Any) -> dict[str, Any]:
        return {}

    def on_callback(self, callback: Any, **header: Any) -> dict[str, Any]:
        return {}

    def on_errback(self, errback: Any, **header: Any) -> dict[str, Any]:
        return {}


class Stampable:
    """Mixed into ``Signature``."""

    options: Any
    app: Any
    set: Any

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **headers: Any) -> Any:
        """Put stamps on this signature and on those that are linked to it."""
        self.stamp_links(visitor, append_stamps, **headers)
        found = None if visitor is None else visitor.on_signature(self, **headers) or {}
        return self.set(**self._stamp_headers(found, append_stamps, **headers))

    def stamp_links(self, visitor: Any, append_stamps: bool = False, **headers: Any) -> None:
        from .base import maybe_signature

        for option, hook in (("link", "on_callback"), ("link_error", "on_errback")):
            current = deepcopy(headers)
            for link in maybe_list(self.options.get(option)) or ():
                linked = maybe_signature(link, app=self.app)
                found = None if visitor is None else getattr(visitor, hook)(linked, **current) or {}
                current = self._stamp_headers(
                    visitor_headers=found, append_stamps=append_stamps, self_headers=False, **current
                )
                linked.stamp(visitor, append_stamps, **current)

    def _stamp_headers(
        self, visitor_headers: Any = None, append_stamps: bool = False, self_headers: bool = True, **headers: Any
    ) -> dict[str, Any]:
        """All stamps together: given, of the visitor, and those it already has."""
        stamps = dict(headers)
        stamps.setdefault("stamped_headers", list(headers))
        if visitor_headers is not None:
            visitor_headers.setdefault("stamped_headers", list(visitor_headers))
            _merge_dictionaries(stamps, visitor_headers, aggregate_duplicates=append_stamps)
            stamps["stamped_headers"] = list(set(stamps["stamped_headers"]))
        if self_headers:
            names = {*stamps["stamped_headers"], *(self.options.get("stamped_headers") or ())}
            stamps["stamped_headers"] = list(names)
            own = {key: value for key, value in self.options.items() if key in names}
            _merge_dictionaries(stamps, own, aggregate_duplicates=append_stamps)
            stamps["stamped_headers"] = list(set(stamps["stamped_headers"]))
        return stamps
