"""Python functions compiled to C, without ever changing a result. See docs/compilation.md for the exact subset.

``TaskCompiler`` is the way in; ``analyse`` answers without compiling. The rest of brokerless uses ``interrupt`` to bring
a native call back to Python when its task is cancelled or late.
"""

from __future__ import annotations

from .analyse import analyse
from .control import interrupt
from .errors import CompilationError, Verdict
from .explain import explain
from .info import CompilationInfo
from .tier import TaskCompiler, default_compiler

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
