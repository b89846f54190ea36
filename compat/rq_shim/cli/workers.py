# mypy: allow-untyped-decorators
"""The commands `worker` and `worker-pool`.

A worker that is a program of its own never sees jobs of another process; it works on those that its own process
enqueues, for instance when it imports the application that does so. Its first line says that.
"""

from __future__ import annotations

import logging
import logging.config
import os
import sys
import warnings
from typing import Any

from .cli import main
from .helpers import click, pass_cli_config, read_config_file, setup_loghandlers_from_args

# isort: split

from ..defaults import (
    DEFAULT_JOB_MONITORING_INTERVAL,
    DEFAULT_LOGGING_DATE_FORMAT,
    DEFAULT_LOGGING_FORMAT,
    DEFAULT_MAINTENANCE_TASK_INTERVAL,
    DEFAULT_RESULT_TTL,
    DEFAULT_WORKER_TTL,
)
from ..serializers import resolve_serializer
from ..suspension import is_suspended
from ..utils import import_attribute
from ..worker_pool import WorkerPool

NOTICE = (
    "brokerless keeps jobs in the memory of the process that enqueues them, and runs them there. This worker sees no "
    "jobs of other processes: take it out of your Procfile or compose file, or enqueue from this process."
)

_strategies = {"RandomWorker": "random", "RoundRobinWorker": "round_robin"}


def _settings(cli_config: Any) -> dict[str, Any]:
    settings = read_config_file(cli_config.config) if cli_config.config else {}
    if settings.get("DICT_CONFIG"):
        logging.config.dictConfig(settings["DICT_CONFIG"])
    return settings


@main.command()
@click.option("--burst", "-b", is_flag=True, help="End when there are no jobs.")
@click.option("--logging_level", type=str, default=None, help="Level of the log.")
@click.option("--log-format", type=str, default=DEFAULT_LOGGING_FORMAT, help="Format of the log.")
@click.option("--date-format", type=str, default=DEFAULT_LOGGING_DATE_FORMAT, help="Format of its times.")
@click.option("--name", "-n", help="The worker's name.")
@click.option("--results-ttl", type=int, default=DEFAULT_RESULT_TTL, help="How long results are kept.")
@click.option("--worker-ttl", type=int, default=DEFAULT_WORKER_TTL, help="How long a sign of life is good.")
@click.option(
    "--maintenance-interval", type=int, default=DEFAULT_MAINTENANCE_TASK_INTERVAL, help="Seconds between clean-ups."
)
@click.option(
    "--job-monitoring-interval",
    type=int,
    default=DEFAULT_JOB_MONITORING_INTERVAL,
    help="Seconds between signs of life.",
)
@click.option("--disable-job-desc-logging", is_flag=True, help="Do not log descriptions.")
@click.option("--verbose", "-v", is_flag=True, help="Log more.")
@click.option("--quiet", "-q", is_flag=True, help="Log less.")
@click.option("--exception-handler", multiple=True, help="Called after failures.")
@click.option("--pid", help="File to write the process id to.")
@click.option("--disable-default-exception-handler", "-d", is_flag=True, help="Failures are not registered.")
@click.option("--max-jobs", type=int, default=None, help="End after so many jobs.")
@click.option("--max-idle-time", type=int, default=None, help="End after so many seconds without a job.")
@click.option("--with-scheduler", "-s", is_flag=True, help="Queue scheduled jobs too.")
@click.option("--dequeue-strategy", "-ds", default="default", help="default, round_robin or random.")
@click.argument("queues", nargs=-1)
@pass_cli_config
def worker(
    cli_config: Any, burst: bool, logging_level: Any, name: Any, results_ttl: int, worker_ttl: int,
    maintenance_interval: int, job_monitoring_interval: int, disable_job_desc_logging: bool, verbose: bool, quiet: bool,
    exception_handler: Any, pid: Any, disable_default_exception_handler: bool, max_jobs: Any, max_idle_time: Any,
    with_scheduler: bool, queues: Any, log_format: str, date_format: str, serializer: str, dequeue_strategy: str,
    **options: Any,
) -> None:  # fmt: skip
    """Runs a worker."""
    settings = _settings(cli_config)
    names = queues or settings.get("QUEUES", ["default"])
    name = name or settings.get("NAME")
    if pid:
        with open(os.path.expanduser(pid), "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))
    kind = cli_config.worker_class.__qualname__
    if kind in _strategies:
        message = f"WARNING: {kind} is deprecated. Use `--dequeue-strategy {_strategies[kind]}` instead."
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        click.secho(message, fg="yellow")
    if dequeue_strategy not in ("default", "random", "round_robin"):
        click.secho(
            "ERROR: Dequeue Strategy can only be one of `default`, `random` or `round_robin`.", err=True, fg="red"
        )
        sys.exit(1)
    setup_loghandlers_from_args(verbose, quiet, date_format, log_format)
    try:
        handlers = [import_attribute(path) for path in exception_handler]
        if is_suspended(cli_config.connection):
            click.secho('RQ is currently suspended, to resume job execution run "rq resume"', fg="red")
            sys.exit(1)
        given = {"connection": cli_config.connection, "job_class": cli_config.job_class, "serializer": serializer}
        made = cli_config.worker_class(
            [cli_config.queue_class(queue, **given) for queue in names],
            name=name,
            worker_ttl=worker_ttl,
            default_result_ttl=results_ttl,
            maintenance_interval=maintenance_interval,
            job_monitoring_interval=job_monitoring_interval,
            queue_class=cli_config.queue_class,
            exception_handlers=handlers or None,
            disable_default_exception_handler=disable_default_exception_handler,
            log_job_description=not disable_job_desc_logging,
            **given,
        )
        if not burst and not quiet:
            click.secho(NOTICE, err=True, fg="yellow")
        made.work(
            burst=burst,
            logging_level="DEBUG" if verbose else "WARNING" if quiet else logging_level,
            date_format=date_format,
            log_format=log_format,
            max_jobs=max_jobs,
            max_idle_time=max_idle_time,
            with_scheduler=with_scheduler,
            dequeue_strategy=dequeue_strategy,
        )
    except Exception as error:
        logging.getLogger("rq.worker").error(error, exc_info=True)
        sys.exit(1)


@main.command()
@click.option("--burst", "-b", is_flag=True, help="End when there are no jobs.")
@click.option("--logging-level", "-l", type=str, default="INFO", help="Level of the log.")
@click.option("--exception-handler", multiple=True, help="Called after failures.")
@click.option("--verbose", "-v", is_flag=True, help="Log more.")
@click.option("--quiet", "-q", is_flag=True, help="Log less.")
@click.option("--log-format", type=str, default=DEFAULT_LOGGING_FORMAT, help="Format of the log.")
@click.option("--date-format", type=str, default=DEFAULT_LOGGING_DATE_FORMAT, help="Format of its times.")
@click.argument("queues", nargs=-1)
@click.option("--num-workers", "-n", type=int, default=1, help="How many workers.")
@pass_cli_config
def worker_pool(
    cli_config: Any, burst: bool, logging_level: str, exception_handler: Any, queues: Any, serializer: str,
    verbose: bool,     quiet: bool, log_format: str, date_format: str, num_workers: int, **options: Any,
) -> None:  # fmt: skip
    """Runs several workers."""
    settings = _settings(cli_config)
    setup_loghandlers_from_args(verbose, quiet, date_format, log_format)
    pool = WorkerPool(
        queues or settings.get("QUEUES", ["default"]),
        connection=cli_config.connection,
        num_workers=num_workers,
        serializer=resolve_serializer(serializer),
        worker_class=cli_config.worker_class,
        job_class=cli_config.job_class,
        queue_class=cli_config.queue_class,
        exception_handlers=[import_attribute(path) for path in exception_handler] or None,
    )
    pool.start(burst=burst, logging_level="DEBUG" if verbose else "WARNING" if quiet else logging_level)
