"""``celery events``: writes the events of this process, or has a camera look at them."""

from __future__ import annotations

from typing import Any

import click

from ..exceptions import CeleryCommandException
from ..platforms import EX_UNAVAILABLE
from .base import LOG_LEVEL, CeleryDaemonCommand, handle_preload_options, handle_remote_command_error, option
from .reach import ELSEWHERE, has_workers


@click.command(cls=CeleryDaemonCommand)
@option("-d", "--dump", is_flag=True, group="Dumper")
@option("-c", "--camera", group="Snapshot")
@option("--detach", is_flag=True, group="Snapshot")
@option("-F", "--frequency", "--freq", type=float, default=1.0, group="Snapshot")
@option("-r", "--maxrate", group="Snapshot")
@option("-l", "--loglevel", default="WARNING", type=LOG_LEVEL, group="Snapshot", help="Level of the log.")
@click.pass_context
@handle_preload_options
def events(
    ctx: Any,
    /,
    dump: bool,
    camera: str | None,
    detach: bool,
    frequency: float,
    maxrate: Any,
    loglevel: Any,
    logfile: Any = None,
    pidfile: Any = None,
    **kwargs: Any,
) -> None:
    """Show the events of the workers of this process (--dump), or take pictures of them (--camera)."""
    app = ctx.obj.app
    if detach:
        raise click.UsageError("--detach: events do not leave the process, so a process of its own would get none")
    if not (dump or camera):
        raise click.UsageError("Give --dump or --camera; there is no full-screen monitor here")
    if not has_workers(app):
        raise CeleryCommandException(message=f"No events can be received. {ELSEWHERE}", exit_code=EX_UNAVAILABLE)
    try:
        if dump:
            from ..events.dumper import evdump

            return evdump(app=app)
        from ..events.snapshot import evcam

        return evcam(
            camera, app=app, freq=frequency, maxrate=maxrate, loglevel=loglevel, logfile=logfile, pidfile=pidfile
        )
    except Exception as exc:
        handle_remote_command_error("events", exc)
