"""Ids of tasks: in the form of a random UUID, made at the price of a counter.

Unique across processes by a random prefix that a forked child renews.
"""

from __future__ import annotations

import os
from itertools import count

__all__ = ("new_id",)

_prefix = ""
_next = count().__next__


def _renew() -> None:
    global _prefix, _next
    text = os.urandom(11).hex()
    _prefix = f"{text[:8]}-{text[8:12]}-4{text[12:15]}-a{text[15:18]}-"
    _next = count(int.from_bytes(os.urandom(5), "big")).__next__


_renew()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def new_id() -> str:
    return f"{_prefix}{_next():012x}"
