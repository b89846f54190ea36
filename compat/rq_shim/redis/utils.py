"""`redis.utils`: the one name that programs import from there."""

from __future__ import annotations

from ..connections import from_url

__all__ = ["from_url"]
