"""`Dependency.get_jobs_with_met_dependencies`, for programs that call it. Not `job.Dependency`, as in RQ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["Dependency"]


class Dependency:
    """Sorts jobs by whether they still have to wait."""

    @classmethod
    def get_jobs_with_met_dependencies(cls, jobs: Iterable[Any], pipeline: Any = None) -> tuple[list[Any], list[Any]]:
        """(jobs that need not wait, jobs that have to); all are registered with what they wait for."""
        met: list[Any] = []
        unmet: list[Any] = []
        for job in jobs:
            job.register_dependency()
            (met if job.dependencies_are_met() else unmet).append(job)
        return met, unmet
