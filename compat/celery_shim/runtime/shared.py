"""Data that many messages carry: the body of a chord in every message of its header, the steps of a chain that follow.

A broker would write them out once per message. Here they are made data once, when the first message is sent, and the
messages share them. Nobody changes them: who starts a body makes a copy.
"""

from __future__ import annotations

from typing import Any

from .isolation import isolate

__all__ = ("Shared", "Steps", "arrived", "as_sent")


class Shared(dict):
    """A signature that has arrived with a message, and with others."""

    __slots__ = ()

    def __deepcopy__(self, memo: Any) -> Shared:
        return self

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


def _shared(signature: Any, serializer: str | None) -> Any:
    """The body of a chord as it arrives: made once where the signature says that it does not change."""
    known = getattr(signature, "_sent", None)
    if type(known) is not dict:
        return signature if type(signature) is Shared else isolate(signature, serializer)
    found = known.get(serializer)
    if found is None:
        found = known[serializer] = Shared(isolate(signature, serializer))
    return found


class Steps(list):
    """Steps of a chain that have arrived with a message; what follows the next one is data already."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Steps(found) if type(index) is slice else found

    def __deepcopy__(self, memo: Any) -> Steps:
        return self

    def __reduce__(self) -> Any:
        return list, (list(self),)


def arrived(key: str, value: Any, serializer: str | None) -> Any:
    """One of links, errbacks, chain and chord as it arrives."""
    if type(value) is Steps:
        return value
    if key == "chord":
        return _shared(value, serializer)
    return Steps(isolate(value, serializer)) if key == "chain" else isolate(value, serializer)


def as_sent(embed: dict[str, Any], serializer: str | None) -> dict[str, Any]:
    """All of them."""
    return {key: None if value is None else arrived(key, value, serializer) for key, value in embed.items()}
