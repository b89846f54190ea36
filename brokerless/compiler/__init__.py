"""Python functions compiled to C, without ever changing a result. See docs/compilation.md for the exact subset.

``TaskCompiler`` is the way in; ``analyse`` answers without compiling. The rest of brokerless uses ``interrupt`` to
bring a native call back to Python when its task is cancelled or late.
"""

from __future__ import annotations

import sys

from .analyse import analyse
from .errors import CompilationError, Verdict
from .explain import explain
from .info import CompilationInfo
from .tier import TaskCompiler, default_compiler


def interrupt(thread_id: int) -> bool:
    """Brings compiled code that runs in that thread back to Python, to meet the exception that was set for it.

    False when that thread has not run any. An interrupt that comes too late costs time and changes nothing.
    """
    control = sys.modules.get(f"{__name__}.control")
    return control is not None and bool(control.interrupt(thread_id))


__all__ = [
    "CompilationError",
    "CompilationInfo",
    "TaskCompiler",
    "Verdict",
    "analyse",
    "default_compiler",
    "explain",
    "interrupt",
]
