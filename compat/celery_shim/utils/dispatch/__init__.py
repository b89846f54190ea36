"""Observer pattern: see ``signal``."""

from __future__ import annotations

from .signal import Signal

__all__ = ("Signal",)
