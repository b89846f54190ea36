"""The kinds of value that a key can hold: text, list, hash, set; sorted sets are in `scored`.

Inside, everything is `str` (bytes that are no UTF-8 travel as surrogates). Queues and jobs appear as lists and hashes
through objects with these same methods; see `views`.
"""

from __future__ import annotations

from collections.abc import Iterable

from .errors import DataError

__all__ = ["HashValue", "ListValue", "SetValue", "TextValue", "inward"]


def inward(value: object) -> str:
    """A key, member or value as the store keeps it."""
    if type(value) is str:
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "surrogateescape")
    if isinstance(value, bool):
        raise DataError("Invalid input of type: 'bool'. Convert to a bytes, string, int or float first.")
    if isinstance(value, str):
        # Members of a str Enum stand for their value.
        return str.__str__(value)
    if isinstance(value, (int, float)):
        return repr(value)
    raise DataError(f"Invalid input of type: '{type(value).__name__}'. Convert to a bytes, string, int or float first.")


class TextValue:
    """One text."""

    __slots__ = ("text",)
    kind = "string"

    def __init__(self, text: str = "") -> None:
        self.text = text

    def __len__(self) -> int:
        return 1


class ListValue:
    """A list; a push to the left is as cheap as the list is short, which is what it is for."""

    __slots__ = ("entries",)
    kind = "list"

    def __init__(self) -> None:
        self.entries: list[str] = []

    def __len__(self) -> int:
        return len(self.entries)

    def all(self) -> list[str]:
        return self.entries

    def push(self, value: str, left: bool) -> None:
        if left:
            self.entries.insert(0, value)
        else:
            self.entries.append(value)

    def pop(self, left: bool) -> str | None:
        if not self.entries:
            return None
        return self.entries.pop(0 if left else -1)

    def remove(self, value: str, count: int) -> int:
        """Takes out `count` equal entries from the left (negative: from the right, 0: all)."""
        positions = [place for place, entry in enumerate(self.entries) if entry == value]
        if count > 0:
            positions = positions[:count]
        elif count < 0:
            positions = positions[count:]
        for place in reversed(positions):
            del self.entries[place]
        return len(positions)

    def put(self, place: int, value: str) -> None:
        self.entries[place] = value


class HashValue:
    """Fields and their texts."""

    __slots__ = ("fields",)
    kind = "hash"

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.fields)

    def all(self) -> dict[str, str]:
        return self.fields

    def get(self, field: str) -> str | None:
        return self.fields.get(field)

    def update(self, mapping: dict[str, str]) -> int:
        new = sum(field not in self.fields for field in mapping)
        self.fields.update(mapping)
        return new

    def discard(self, fields: Iterable[str]) -> int:
        return sum(self.fields.pop(field, None) is not None for field in fields)


class SetValue(dict[str, None]):
    """Members in the order in which they came, so that runs are repeatable."""

    __slots__ = ()
    kind = "set"
