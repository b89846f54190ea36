"""Ids of tasks: in the form of a random UUID, made at the price of a counter.

Unique across processes by a random prefix that a forked child renews.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ....core import Ids

__all__ = ("new_id",)


def _source() -> Callable[[], str]:
    text = os.urandom(11).hex()
    prefix = f"{text[:8]}-{text[8:12]}-4{text[12:15]}-a{text[15:18]}-"
    return Ids(prefix, int.from_bytes(os.urandom(5), "big")).next


#: Looked up in this module at each call: a fork replaces it.
new_id = _source()


def _renew() -> None:
    global new_id
    new_id = _source()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
