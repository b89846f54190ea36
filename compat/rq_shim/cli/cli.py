# mypy: allow-untyped-decorators
"""The commands about queues and jobs: empty, requeue, info, suspend, resume, enqueue.

They see the store of the process that they run in. As a program of their own that is an empty one, so each says so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from .helpers import (
    click,
    parse_function_args,
    parse_schedule,
    pass_cli_config,
    refresh,
    show_both,
    show_queues,
    show_workers,
)

# isort: split

from ..exceptions import InvalidJobOperation, InvalidJobOperationError
from ..job import JobStatus, Retry
from ..logutils import blue
from ..registry import FailedJobRegistry, clean_registries
from ..runtime.store import all_stores
from ..suspension import resume as resume_workers
from ..suspension import suspend as suspend_workers
from ..utils import get_call_string
from ..version import VERSION
from ..worker_registration import clean_worker_registry

NOTHING_HERE = (
    "brokerless keeps jobs in the memory of the process that enqueues them; this process has none. Ask in your "
    "application: Queue.all(), queue.failed_job_registry, Worker.all() and so on, or a page of its own."
)
_ASKING = frozenset({"info", "empty", "requeue", "suspend", "resume"})


def _is_program() -> bool:
    """Whether this is a program of its own, and not a command that an application or a test calls."""
    return Path(sys.argv[0]).name == "rq"


class Program(click.Group):  # type: ignore[misc]
    """Is named `rq` however it was started."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        if _is_program():
            kwargs.setdefault("prog_name", "rq")
        return super().main(*args, **kwargs)


def _say_what_is_missing() -> None:
    if not any(store.jobs for store in all_stores()):
        click.secho(NOTHING_HERE, err=True, fg="yellow")


@click.group(cls=Program)
@click.version_option(VERSION)
@click.pass_context
def main(context: Any) -> None:
    """RQ's commands, over the jobs of this process."""
    if context.invoked_subcommand in _ASKING and _is_program():
        context.call_on_close(_say_what_is_missing)


@main.command()
@click.option("--all", "-a", is_flag=True, help="All queues.")
@click.argument("queues", nargs=-1)
@pass_cli_config
def empty(cli_config: Any, all: bool, queues: Any, serializer: str, **options: Any) -> None:
    """Deletes the jobs that wait in queues."""
    given = {"connection": cli_config.connection, "job_class": cli_config.job_class, "serializer": serializer}
    if all:
        found = cli_config.queue_class.all(death_penalty_class=cli_config.death_penalty_class, **given)
    else:
        found = [cli_config.queue_class(name, **given) for name in queues]
    if not found:
        click.echo("Nothing to do")
        sys.exit(0)
    for queue in found:
        click.echo(f"{queue.empty()} jobs removed from {queue.name} queue")


@main.command()
@click.option("--all", "-a", is_flag=True, help="All failed jobs.")
@click.option("--queue", required=True, type=str, help="The queue whose jobs failed.")
@click.argument("job_ids", nargs=-1)
@pass_cli_config
def requeue(
    cli_config: Any, queue: str, all: bool, job_class: Any, serializer: str, job_ids: Any, **options: Any
) -> None:
    """Queues failed jobs again."""
    registry = FailedJobRegistry(
        queue, connection=cli_config.connection, job_class=cli_config.job_class, serializer=serializer
    )
    ids = registry.get_job_ids() if all else list(job_ids)
    if not ids:
        click.echo("Nothing to do")
        sys.exit(0)
    click.echo(f"Requeueing {len(ids)} jobs from failed queue")
    failed = 0
    with click.progressbar(ids) as bar:
        for job_id in bar:
            try:
                registry.requeue(job_id)
            except (InvalidJobOperation, InvalidJobOperationError):
                failed += 1
    if failed:
        click.secho(f"Unable to requeue {failed} jobs from failed job registry", fg="red")


@main.command()
@click.option("--interval", "-i", type=float, help="Show again each so many seconds.")
@click.option("--raw", "-r", is_flag=True, help="Numbers only.")
@click.option("--only-queues", "-Q", is_flag=True, help="Only queues.")
@click.option("--only-workers", "-W", is_flag=True, help="Only workers.")
@click.option("--by-queue", "-R", is_flag=True, help="Workers by queue.")
@click.argument("queues", nargs=-1)
@pass_cli_config
def info(
    cli_config: Any, interval: float, raw: bool, only_queues: bool, only_workers: bool, by_queue: bool, queues: Any,
    **options: Any,
) -> None:  # fmt: skip
    """Shows queues and workers."""
    func = show_queues if only_queues else show_workers if only_workers else show_both
    try:
        if queues:
            found = [cli_config.queue_class(name, connection=cli_config.connection) for name in queues]
        else:
            found = cli_config.queue_class.all(connection=cli_config.connection)
        for queue in found:
            clean_registries(queue)
            clean_worker_registry(queue)
        refresh(
            interval, func, found, raw, by_queue, cli_config.queue_class, cli_config.worker_class, cli_config.connection
        )
    except KeyboardInterrupt:
        click.echo()
        sys.exit(0)


@main.command()
@click.option("--duration", type=int, help="For so many seconds; without it until `resume`.")
@pass_cli_config
def suspend(cli_config: Any, duration: int | None, **options: Any) -> None:
    """Workers finish their jobs and take no new ones."""
    if duration is not None and duration < 1:
        click.echo("Duration must be an integer greater than 1")
        sys.exit(1)
    suspend_workers(cli_config.connection, duration)
    if duration:
        click.echo(
            f"Suspending workers for {duration} seconds. No new jobs will be started during that time, but then will "
            "automatically resume"
        )
    else:
        click.echo("Suspending workers.  No new jobs will be started.  But current jobs will be completed")


@main.command()
@pass_cli_config
def resume(cli_config: Any, **options: Any) -> None:
    """Workers take jobs again."""
    resume_workers(cli_config.connection)
    click.echo("Resuming workers.")


@main.command()
@click.option("--queue", "-q", default="default", help="The queue.")
@click.option("--timeout", help="Longest run time.")
@click.option("--result-ttl", help="How long the result is kept.")
@click.option("--ttl", help="How long the job may wait.")
@click.option("--failure-ttl", help="How long a failure is kept.")
@click.option("--description", help="Text about the job.")
@click.option("--depends-on", multiple=True, help="Id of a job to wait for.")
@click.option("--job-id", help="The job's id.")
@click.option("--at-front", is_flag=True, help="Before the others.")
@click.option("--retry-max", default=0, type=int, help="Further attempts after a failure.")
@click.option("--retry-interval", multiple=True, type=int, default=[0], help="Seconds before them.")
@click.option("--schedule-in", help="After a time, such as 10s, 5m, 2d.")
@click.option("--schedule-at", help="At a time, such as 2021-05-27T21:45:00.")
@click.option("--quiet", is_flag=True, help="Say nothing.")
@click.argument("function")
@click.argument("arguments", nargs=-1)
@pass_cli_config
def enqueue(
    cli_config: Any, queue: str, timeout: Any, result_ttl: Any, ttl: Any, failure_ttl: Any, description: str | None,
    depends_on: Any, job_id: str | None, at_front: bool, retry_max: int, retry_interval: Any, schedule_in: Any,
    schedule_at: Any, quiet: bool, serializer: str, function: str, arguments: Any, **options: Any,
) -> None:  # fmt: skip
    """Queues a call of a function."""
    args, kwargs = parse_function_args(arguments)
    text = get_call_string(function, args, kwargs) or ""
    schedule = parse_schedule(schedule_in, schedule_at)
    given = {
        "timeout": timeout,
        "result_ttl": result_ttl,
        "ttl": ttl,
        "failure_ttl": failure_ttl,
        "description": description or text,
        "depends_on": depends_on,
        "job_id": job_id,
        "retry": Retry(retry_max, retry_interval) if retry_max > 0 else None,
    }
    target = cli_config.queue_class(
        queue, connection=cli_config.connection, job_class=cli_config.job_class, serializer=serializer
    )
    if schedule is None:
        job = target.enqueue_call(function, args, kwargs, at_front=at_front, **given)
    else:
        job = target.create_job(function, args, kwargs, status=JobStatus.SCHEDULED, **given)
        if at_front:
            job.enqueue_at_front = True
        target.schedule_job(job, schedule)
    if not quiet:
        click.echo(f"Enqueued {blue(text)} with job-id '{job.id}'.")
