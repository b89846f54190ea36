"""What comes out of a canvas, worked out by walking over it: an interpreter of canvases that runs no task.

Written from the rules: values go from step to step, a barrier collects those of sequences side by side, an error ends
what comes after it, a barrier with an error fails with a ChordError that names the last task of the first sequence
that failed. The shim's code is not used.

One rule is the shim's alone: what will never be sent ends with the error that stopped it (`unsent`). Celery leaves
much of that PENDING for ever, so `check` does not compare it there.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .celery_canvases import Leaf, Side, leaves

__all__ = ["Outcome", "digest", "walk"]


def digest(tag: str, args: Any) -> str:
    """Return what a task gives back: its name and a sum over its arguments."""
    return f"{tag}:{zlib.crc32(json.dumps(list(args)).encode()):08x}"


class ChordError(Exception):
    """Stands for Celery's: only its repr counts."""


class TaskRevokedError(Exception):
    """The same."""


class TimeLimitExceeded(Exception):
    """The same."""


class Ignore(Exception):
    """The same."""


class _Text(Exception):
    """An error whose repr is its text."""

    def __repr__(self) -> str:
        return str(self.args[0])


NOT_REGISTERED = _Text("Task of kind 'c.nowhere' never registered, please make sure it's imported.")
REJECTED = _Text("reject requeue=False: no")


@dataclass
class Ended:
    """The end of a sequence: a value, or an error.

    ``stopped``: later steps do not hear of the error. ``unheard``: nor does, in Celery, the barrier.
    """

    value: Any = None
    error: Exception | None = None
    stopped: bool = False
    unheard: bool = False


@dataclass
class Outcome:
    """What was worked out: states by tag, runs and calls by tag, tags that were never sent."""

    states: dict[str, tuple[str, Any]] = field(default_factory=dict)
    runs: Counter[str] = field(default_factory=Counter)
    errbacks: Counter[str] = field(default_factory=Counter)
    unsent: set[str] = field(default_factory=set)
    late_errbacks: set[str] = field(default_factory=set)
    maybe_run: set[str] = field(default_factory=set)
    value: Any = None


def walk(steps: list[Any], unique: str) -> Outcome:
    """Return the outcome of a canvas whose task ids are ``<tag>-<unique>``."""
    walker = _Walker(unique)
    for leaf in leaves(steps):
        for one in (leaf, *leaf.links):
            # A revoke is written down as soon as it is made.
            revoked = one.ending == "revoked"
            walker.outcome.states[one.tag] = (
                ("REVOKED", repr(TaskRevokedError("revoked"))) if revoked else ("PENDING", None)
            )
    ended = walker.sequence(steps, ())
    walker.outcome.value = ended.value if ended.error is None else None
    return walker.outcome


class _Walker:
    def __init__(self, unique: str) -> None:
        self.unique = unique
        self.outcome = Outcome()

    # -- one task ---------------------------------------------------------------------------------------------------

    def leaf(self, leaf: Leaf, args: tuple[Any, ...]) -> Ended:
        """Run one task."""
        out, ending = self.outcome, leaf.ending
        given = () if leaf.immutable or ending == "map" else args
        if ending in ("revoked", "expired"):
            error: Exception = TaskRevokedError(ending)
            out.states[leaf.tag] = ("REVOKED", repr(error))
            return Ended(error=error, stopped=True)
        if ending == "ignore":
            out.runs[leaf.tag] += 1
            out.states[leaf.tag] = ("PENDING", None)
            return Ended(error=Ignore(), stopped=True, unheard=True)
        failures = {
            "fail": (1, ValueError(leaf.tag)),
            "give up": (3, KeyError(leaf.tag)),
            "reject": (1, REJECTED),
            "unknown": (0, NOT_REGISTERED),
            "limit": (1, TimeLimitExceeded(0.02)),
        }
        if ending in failures:
            runs, error = failures[ending]
            out.runs[leaf.tag] += runs
            if ending == "limit":
                # The limit may be over before the first line of the task.
                out.maybe_run.add(leaf.tag)
            self.fail(leaf, error)
            self.call(leaf.errbacks, late=ending == "unknown")
            return Ended(error=error, unheard=ending == "unknown")
        value: Any
        if ending == "map":
            value = [digest(f"{leaf.tag}.{item}", [item]) for item in range(2)]
            out.runs.update(f"{leaf.tag}.{item}" for item in range(2))
        else:
            value = digest(leaf.tag, given)
            out.runs[leaf.tag] += 1 + leaf.retries + (ending == "replaced")
        out.states[leaf.tag] = ("PENDING", None) if ending == "silent" else ("SUCCESS", value)
        for link in leaf.links:
            self.leaf(link, (value,))
        return Ended(value=value)

    def fail(self, leaf: Leaf, error: Exception) -> None:
        self.outcome.states[leaf.tag] = ("FAILURE", repr(error))

    def call(self, errbacks: Any, late: bool = False) -> None:
        """Call errbacks; ``late`` marks calls that only the shim makes."""
        for errback in errbacks:
            self.outcome.errbacks[errback.tag] += 1
            if late:
                self.outcome.late_errbacks.add(errback.tag)

    def drop(self, steps: list[Any], error: Exception) -> None:
        """End what will not be sent any more."""
        for leaf in leaves(steps):
            self.outcome.unsent.add(leaf.tag)
            self.fail(leaf, error)

    # -- sequences --------------------------------------------------------------------------------------------------

    def sequence(self, steps: list[Any], args: tuple[Any, ...]) -> Ended:
        """Run a sequence with the arguments of its first step."""
        ended = Ended()
        for place, step in enumerate(steps):
            rest = steps[place + 1 :]
            if isinstance(step, Leaf):
                ended = self.leaf(step, args)
                if ended.error is not None and not ended.stopped:
                    self.drop(rest, ended.error)
                if ended.error is not None and rest:
                    ended.unheard |= ended.stopped or any(isinstance(later, Side) for later in rest)
            else:
                ended = self.side(step, args, rest)
            if ended.error is not None:
                return ended
            args = (ended.value,)
        return ended

    def side(self, side: Side, args: tuple[Any, ...], rest: list[Any]) -> Ended:
        """Run sequences side by side, and the barrier after them when something comes after it."""
        ends = [self.sequence(member, args) for member in side.members]
        if not rest:
            return Ended(value=[ended.value for ended in ends])
        first = next((at for at, ended in enumerate(ends) if ended.error is not None), None)
        if first is None:
            return Ended(value=[ended.value for ended in ends])
        cause = ends[first].error
        assert cause is not None
        *_, reporter = leaves(side.members[first])
        unheard = any(ended.unheard for ended in ends)
        error = ChordError(f"Dependency {reporter.tag}-{self.unique} raised {cause!r}")
        if len(rest) == 1 and isinstance(rest[0], Side):
            # A group is told the error itself, and each of its members tells its own errbacks.
            for member in rest[0].members:
                self.drop(member, cause)
                self.call(self.heirs(member), late=unheard or len(member) > 1)
        else:
            self.drop(rest, error)
            self.call(self.heirs(rest), late=unheard or len(rest) > 1 or not isinstance(rest[0], Leaf))
        return Ended(error=error, unheard=True)

    def heirs(self, rest: list[Any]) -> list[Any]:
        """Return the errbacks that hear of a failed barrier: those of the next single task."""
        first = rest[0]
        if isinstance(first, Leaf):
            return first.errbacks
        if len(rest) > 1:
            return self.heirs(rest[1:])
        return [errback for member in first.members for errback in self.heirs(member)]
