"""What the compiler knows of one function, as a record for people and for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import Verdict
from .program import describe_entry
from .types import signature_name

if TYPE_CHECKING:
    from .function import CompiledFunction


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


def speedup_of(function: CompiledFunction) -> float | None:
    slow, fast = function.python_seconds, function.native_seconds
    if not slow or not fast:
        return None
    middle = sorted(fast)[len(fast) // 2]
    return sorted(slow)[len(slow) // 2] / middle if middle > 0 else None


def info_of(name: str, function: CompiledFunction, missing: str | None) -> CompilationInfo:
    variants = function.all_variants()
    verdict = function.verdict
    if verdict.can_compile and missing is not None and not variants:
        verdict = Verdict(False, missing)
    last = variants[-1] if variants else None
    return CompilationInfo(
        name=name,
        can_compile=verdict.can_compile,
        reason=verdict.reason,
        line=verdict.line,
        signatures=[describe_entry(variant.entry) for variant in variants],
        refused_signatures={signature_name(key): reason for key, reason in function.refused.items()},
        compilation_time_ms=last.milliseconds if last else None,
        estimated_speedup=speedup_of(function),
        cache=None if last is None else ("hit" if last.cached else "miss"),
        memory_usage=sum({id(one.library): one.library.size for one in variants}.values()),
        c_source=last.text if last else None,
        native_calls=sum(one.native_calls for one in variants),
        redone_calls=sum(one.redone_calls for one in variants),
        invalidations=function.invalidations,
        pending=bool(function.pending),
    )
