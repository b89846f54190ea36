"""The engine's core: the compiled one when it is there, else its twin in pure Python.

Both have the same two types, `Engine` and `Task`, with the same members and the same meaning; the rest of the
package never asks which one it has. `BROKERLESS_CORE=native` or `BROKERLESS_CORE=pure` forces one. This file
only chooses; it adds nothing to either.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

__all__ = [
    "CANCELLED",
    "COMPLETED",
    "CORE",
    "DEFERRED",
    "DELAYED",
    "FAILED",
    "QUEUED",
    "RUNNING",
    "Engine",
    "Ids",
    "Task",
    "copy_arguments",
    "copy_plain",
    "current",
    "current_frames",
    "memory_stats",
    "set_errors",
]

DELAYED, QUEUED, RUNNING, COMPLETED, FAILED, CANCELLED = range(6)

_wanted = os.environ.get("BROKERLESS_CORE", "").strip().lower()
if _wanted not in ("", "native", "pure"):
    raise ImportError(f"BROKERLESS_CORE={_wanted!r}: unknown core; allowed are 'native' and 'pure'")

CORE: str = "pure"

if not TYPE_CHECKING and _wanted != "pure":
    try:
        from ..native._engine import (
            DEFERRED,
            Engine,
            Ids,
            Task,
            copy_arguments,
            copy_plain,
            current,
            current_frames,
            memory_stats,
            set_errors,
        )

        CORE = "native"
    except ImportError as missing:
        if _wanted == "native":
            raise ImportError(
                f"BROKERLESS_CORE=native, but the compiled core cannot be imported ({missing}); "
                "install with a C compiler, or unset the variable"
            ) from missing
        logging.getLogger("brokerless").warning(
            "the compiled core is not available (%s); the pure Python core serves instead, with the same behaviour "
            "at a lower speed",
            missing,
        )

if TYPE_CHECKING or CORE == "pure":
    from .pure import (
        DEFERRED,
        Engine,
        Ids,
        Task,
        copy_arguments,
        copy_plain,
        current,
        current_frames,
        memory_stats,
        set_errors,
    )
