"""`Dependency` and `Retry`: what `depends_on=` and `retry=` take. Public as `job.Dependency`, `job.Retry`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..utils import ensure_job_list
from .passing import checked_place

__all__ = ["Dependency", "Retry"]


class Dependency:
    """What a job waits for, and what it makes of a failure.

    Not in RQ: with `pass_results=True` the jobs' return values come before the dependent's own positional arguments, in
    the order of `jobs`; with `pass_results="name"` it is given a list of them as the keyword argument of that name.
    """

    def __init__(
        self,
        jobs: Any,
        allow_failure: bool = False,
        enqueue_at_front: bool = False,
        *,
        pass_results: bool | str = False,
    ) -> None:
        from ..job import Job

        dependencies = ensure_job_list(jobs)
        if not all(isinstance(job, (Job, str)) for job in dependencies if job):
            raise ValueError("jobs: must contain objects of type Job and/or strings representing Job ids")
        if not dependencies:
            raise ValueError("jobs: cannot be empty.")
        self.dependencies: Sequence[Any] = dependencies
        self.allow_failure = allow_failure
        self.enqueue_at_front = enqueue_at_front
        self.pass_results = checked_place(pass_results)


class Retry:
    """Further attempts after a failure. Returned by a job, it asks for another run."""

    def __init__(self, max: int, interval: int | Iterable[int] = 0, enqueue_at_front: bool = False) -> None:
        if max < 1:
            raise ValueError("max: please enter a value greater than 0")
        intervals = [interval] if isinstance(interval, int) else list(interval)
        if any(value < 0 for value in intervals):
            raise ValueError("interval: negative numbers are not allowed")
        self.max = max
        self.intervals = intervals
        self.enqueue_at_front = enqueue_at_front

    def __repr__(self) -> str:
        interval = self.intervals[0] if len(self.intervals) == 1 else self.intervals
        return (
            f"{type(self).__name__}(max={self.max}, interval={interval!r}, enqueue_at_front={self.enqueue_at_front!r})"
        )

    @classmethod
    def get_interval(cls, count: int, intervals: Any) -> int:
        """Seconds before retry `count` (from 0): the last value is used for all that follow."""
        if isinstance(intervals, int):
            return intervals
        if not intervals:
            return 0
        return intervals[min(len(intervals) - 1, count)]  # type: ignore[no-any-return]
