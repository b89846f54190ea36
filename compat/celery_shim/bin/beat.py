"""``celery beat``: schedules in the foreground. What it sends runs in the same process."""

from __future__ import annotations

import os
from typing import Any

import click

from .base import LOG_LEVEL, CeleryDaemonCommand, handle_preload_options, option, setting
from .privileges import drop_privileges

_GROUP = "Beat Options"


@click.command(cls=CeleryDaemonCommand, context_settings={"allow_extra_args": True})
@option("--detach", is_flag=True, default=False, group=_GROUP, help="Refused here.")
@option(
    "-s",
    "--schedule",
    callback=setting("beat_schedule_filename"),
    group=_GROUP,
    help="File in which the last runs are remembered.",
)
@option("-S", "--scheduler", callback=setting("beat_scheduler"), group=_GROUP, help="Class of the scheduler.")
@option("--max-interval", type=int, group=_GROUP, help="Longest sleep in seconds.")
@option("--enable-remote-control/--no-enable-remote-control", "remote_control", default=None, group=_GROUP)
@option("-n", "--hostname", default=None, group=_GROUP, help="Name of the node.")
@option("-l", "--loglevel", default="WARNING", type=LOG_LEVEL, group=_GROUP, help="Level of the log.")
@click.pass_context
@handle_preload_options
def beat(
    ctx: Any,
    /,
    detach: bool = False,
    logfile: str | None = None,
    pidfile: str | None = None,
    uid: str | None = None,
    gid: str | None = None,
    umask: str | None = None,
    **kwargs: Any,
) -> Any:
    """Run beat in the foreground. The tasks that it sends run in this process."""
    app = ctx.obj.app
    if ctx.args:
        try:
            app.config_from_cmdline(ctx.args)
        except (KeyError, ValueError) as exc:
            raise click.UsageError(f"Unable to parse extra configuration from command line.\nReason: {exc}") from exc
    if detach:
        raise click.UsageError("--detach: start beat under the service manager, in the foreground")
    if umask:
        os.umask(int(str(umask), 8))
    drop_privileges(uid, gid)
    kwargs.pop("executable", None)
    return app.Beat(logfile=logfile, pidfile=pidfile, quiet=ctx.obj.quiet, no_color=ctx.obj.no_color, **kwargs).run()
