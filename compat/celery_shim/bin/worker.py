"""``celery worker``: runs the app's engine in the foreground. Every option of Celery's is accepted.

Those for processes and brokers are named in the log and change nothing; those that could not be kept (another pool
than threads, a daemon) are refused.
"""

from __future__ import annotations

import os
from typing import Any

import click

from ..concurrency.base import BasePool
from ..exceptions import ImproperlyConfigured
from ..utils.nodenames import default_nodename, host_format, node_format
from ..utils.sysinfo import AUTO_CONCURRENCY, is_auto_concurrency
from .base import COMMA_SEPARATED_LIST, LOG_LEVEL, CeleryDaemonCommand, handle_preload_options, option, setting
from .privileges import drop_privileges

_WORKER, _POOL, _QUEUE, _FEATURES, _BEAT = (
    "Worker Options",
    "Pool Options",
    "Queue Options",
    "Features",
    "Embedded Beat Options",
)


def _concurrency_value(ctx: Any, param: Any, value: Any) -> Any:
    """An integer, or ``auto``; without one the setting."""
    if not value:
        return ctx.obj.app.conf.worker_concurrency
    if is_auto_concurrency(value):
        return AUTO_CONCURRENCY
    try:
        number = int(value)
    except ValueError:
        number = -1
    if number < 0:
        raise click.BadParameter(f"must be a non-negative integer or 'auto', got {value!r}")
    return number or ctx.obj.app.conf.worker_concurrency


class WorkersPool(click.Choice):
    """The names of Celery's pools; those that are not threads of one kind or another are refused."""

    name = "pool"

    def __init__(self) -> None:
        super().__init__(("prefork", "eventlet", "gevent", "solo", "processes", "threads", "custom"))

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, type) and issubclass(value, BasePool):
            return value
        value = super().convert(value, param, ctx)
        if value in ("eventlet", "gevent"):
            self.fail(f"{value} is not supported: tasks run on threads (-P threads)")
        return None if value in ("prefork", "custom") else value


class Hostname(click.types.StringParamType):
    """A node's name, with ``%h``, ``%n`` and ``%d`` filled in."""

    name = "hostname"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return host_format(default_nodename(value))


class Autoscale(click.ParamType):
    """``max,min``, in any order; one number is the maximum."""

    name = "<min workers>, <max workers>"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, tuple):
            return value
        try:
            numbers = [int(part) for part in value.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 2):
            self.fail(f"Expected one or two integers, as in 10,3. Got {value} instead.")
        return (numbers[0], 0) if len(numbers) == 1 else (max(numbers), min(numbers))


def _refuse_detach(ctx: Any, param: Any, value: Any) -> Any:
    if value:
        raise click.UsageError(
            "--detach: a worker in the background would receive nothing, as tasks run inside the process that sends "
            "them. Start beat or this worker under the service manager, in the foreground"
        )
    return value


@click.command(cls=CeleryDaemonCommand, context_settings={"allow_extra_args": True})
@option(
    "-n",
    "--hostname",
    default=lambda: host_format(default_nodename(None)),
    type=Hostname(),
    group=_WORKER,
    help="Name of the node, as in 'w1@%h' (%h host, %n name, %d domain).",
)
@option("-D", "--detach", is_flag=True, default=False, callback=_refuse_detach, group=_WORKER, help="Refused here.")
@option("-S", "--statedb", type=click.Path(), callback=setting("worker_state_db"), group=_WORKER, help="Not used here.")
@option("-l", "--loglevel", default="WARNING", type=LOG_LEVEL, group=_WORKER, help="Level of the log.")
@option("-O", "--optimization", default="default", type=click.Choice(("default", "fair")), group=_WORKER)
@option("--prefetch-multiplier", type=int, group=_WORKER, help="Not used here: nothing is fetched.")
@option("--disable-prefetch", is_flag=True, default=None, group=_WORKER, help="Not used here: nothing is fetched.")
@option(
    "-c",
    "--concurrency",
    type=str,
    metavar="<concurrency>",
    callback=_concurrency_value,
    group=_POOL,
    help="Number of threads, or 'auto'; the number of processors without it.",
)
@option("-P", "--pool", default="prefork", type=WorkersPool(), group=_POOL, help="All of them are threads here.")
@option("-E", "--task-events", "--events", is_flag=True, default=None, group=_POOL, help="Send events of tasks.")
@option("--time-limit", type=float, group=_POOL, help="Hard limit of tasks without one, in seconds.")
@option("--soft-time-limit", type=float, group=_POOL, help="Soft limit of tasks without one, in seconds.")
@option("--max-tasks-per-child", type=int, group=_POOL, help="Not used here: there are no children.")
@option("--pool-start-method", type=click.Choice(["fork", "spawn"]), group=_POOL, help="Not used here.")
@option("--max-memory-per-child", type=int, group=_POOL, help="Not used here: there are no children.")
@option("--purge", "--discard", is_flag=True, group=_QUEUE)
@option("--queues", "-Q", type=COMMA_SEPARATED_LIST, group=_QUEUE)
@option("--exclude-queues", "-X", type=COMMA_SEPARATED_LIST, group=_QUEUE)
@option("--include", "-I", type=COMMA_SEPARATED_LIST, group=_QUEUE)
@option("--without-gossip", is_flag=True, group=_FEATURES)
@option("--without-mingle", is_flag=True, group=_FEATURES)
@option("--without-heartbeat", is_flag=True, group=_FEATURES)
@option("--heartbeat-interval", type=int, group=_FEATURES)
@option("--autoscale", type=Autoscale(), group=_FEATURES, help="The greater number is taken as --concurrency.")
@option("-B", "--beat", is_flag=True, group=_BEAT, help="Run beat in this process too.")
@option(
    "-s",
    "--schedule-filename",
    "--schedule",
    callback=setting("beat_schedule_filename"),
    group=_BEAT,
    help="File in which beat remembers its last runs.",
)
@option("--scheduler", group=_BEAT, help="Class of the scheduler.")
@click.pass_context
@handle_preload_options
def worker(
    ctx: Any,
    /,
    hostname: str | None = None,
    loglevel: Any = None,
    logfile: str | None = None,
    pidfile: str | None = None,
    uid: str | None = None,
    gid: str | None = None,
    umask: str | None = None,
    **kwargs: Any,
) -> None:
    """Run a worker in the foreground. It receives nothing from other processes, which have workers of their own."""
    app = ctx.obj.app
    if ctx.args:
        try:
            app.config_from_cmdline(ctx.args, namespace="worker")
        except (KeyError, ValueError) as exc:
            raise click.UsageError(f"Unable to parse extra configuration from command line.\nReason: {exc}") from exc
    if umask:
        os.umask(int(str(umask), 8))
    drop_privileges(uid, gid)
    if kwargs.get("autoscale"):
        kwargs["concurrency"] = kwargs["autoscale"][0]
    _limit(app, kwargs.get("time_limit"), kwargs.get("soft_time_limit"))
    try:
        program = app.Worker(
            hostname=hostname,
            loglevel=loglevel,
            logfile=logfile,
            pidfile=pidfile and node_format(pidfile, hostname or ""),
            no_color=ctx.obj.no_color,
            quiet=ctx.obj.quiet,
            **kwargs,
        )
    except ImproperlyConfigured as exc:
        raise click.UsageError(str(exc)) from exc
    program.start()
    ctx.exit(program.exitcode or 0)


def _limit(app: Any, hard: float | None, soft: float | None) -> None:
    """The limits of tasks that have none of their own."""
    if hard is None and soft is None:
        return
    for name, value in (("time_limit", hard), ("soft_time_limit", soft)):
        if value is None:
            continue
        app.conf[f"task_{name}"] = value
        for task in app.tasks.values():
            if getattr(task, name) is None:
                setattr(task, name, value)
                task._exec_options = None
