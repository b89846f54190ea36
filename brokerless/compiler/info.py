"""What the compiler knows of one function, as a record for people and for tests."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CompilationInfo:
    """The answer of ``get_compilation_info``.

    ``estimated_speedup`` compares the first real calls of both kinds and is None until there were some; the arguments
    of those calls decide it. ``cache`` is "hit" or "miss", None before anything was built. ``memory_usage`` is the size
    of the loaded objects in bytes.
    """

    name: str
    can_compile: bool
    reason: str | None = None
    line: int | None = None
    signatures: list[str] = field(default_factory=list)
    refused_signatures: dict[str, str] = field(default_factory=dict)
    compilation_time_ms: float | None = None
    estimated_speedup: float | None = None
    cache: str | None = None
    memory_usage: int = 0
    c_source: str | None = None
    native_calls: int = 0
    redone_calls: int = 0
    invalidations: int = 0
    pending: bool = False
