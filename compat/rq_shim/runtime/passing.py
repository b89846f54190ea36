"""Parents' results as arguments of a job that depends on them, where `Dependency(..., pass_results=…)` asks for it.

What is stored with the job is whose results are wanted and where they go, never the results: they are read when the job
starts, so a retry reads them again and `job.args` stays what was enqueued. RQ has nothing like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..exceptions import InvalidJobDependency

if TYPE_CHECKING:
    from .joboptions import Dependency

__all__ = ["POSITIONAL", "arguments_with_results", "checked_place", "wanted_results"]

POSITIONAL = ""
"""The place of results that come before the job's own positional arguments."""


def checked_place(pass_results: Any) -> str | None:
    """Where `pass_results=` wants results: None for nowhere, `POSITIONAL`, or the name of a keyword argument."""
    if isinstance(pass_results, bool):
        return POSITIONAL if pass_results else None
    if isinstance(pass_results, str) and pass_results.isidentifier():
        return pass_results
    raise ValueError(
        f"pass_results: {pass_results!r} is neither True nor the name of a keyword argument of the dependent function"
    )


def wanted_results(dependencies: list[tuple[Dependency, list[str]]], kwargs: Any) -> list[list[Any]]:
    """What a job stores about it: [place, parents' ids] in the order of `depends_on`."""
    found: dict[str, list[str]] = {}
    for dependency, ids in dependencies:
        place = dependency.pass_results
        if place is None:
            continue
        if place in kwargs:
            raise TypeError(f"{place!r} is given twice: as a keyword argument and by pass_results={place!r}")
        found.setdefault(place, []).extend(ids)
    return [[place, ids] for place, ids in found.items()]


def arguments_with_results(job: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a job with its parents' results among them.

    A keyword is given the list of its parents' results. InvalidJobDependency where a parent has no result, unless the
    job allows failures; it is given None then.
    """
    args, kwargs = list(job.args), dict(job.kwargs)
    for place, ids in job._pass_results:
        values = [_value(job, job_id, parent) for job_id, parent in zip(ids, _parents(job, ids), strict=True)]
        if place == POSITIONAL:
            args = values + args
        else:
            kwargs[place] = values
    return args, kwargs


def _parents(job: Any, ids: list[str]) -> list[Any]:
    return type(job).fetch_many(ids, connection=job.connection, serializer=job.serializer)  # type: ignore[no-any-return]


def _value(job: Any, job_id: str, parent: Any) -> Any:
    latest = None if parent is None else parent.latest_result()
    if latest is not None and latest.type == latest.Type.SUCCESSFUL:
        return latest.return_value
    if job.allow_dependency_failures:
        return None
    why = "is gone: give it a longer result_ttl" if parent is None else f"is {parent.get_status(refresh=False).value}"
    raise InvalidJobDependency(f"Job {job.id} wants the result of job {job_id}, which {why}")
