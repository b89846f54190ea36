"""``celery call``: sends a task. It runs here, so the command ends when the task has ended."""

from __future__ import annotations

from typing import Any

import click

from .base import ISO8601, ISO8601_OR_FLOAT, JSON_ARRAY, JSON_OBJECT, CeleryCommand, handle_preload_options, option
from .reach import note

_CALLING, _ROUTING = "Calling Options", "Routing Options"


@click.command(cls=CeleryCommand)
@click.argument("name")
@option("-a", "--args", type=JSON_ARRAY, default="[]", group=_CALLING, help="Positional arguments.")
@option("-k", "--kwargs", type=JSON_OBJECT, default="{}", group=_CALLING, help="Keyword arguments.")
@option("--eta", type=ISO8601, group=_CALLING, help="When it is due.")
@option("--countdown", type=float, group=_CALLING, help="Seconds until it is due.")
@option("--expires", type=ISO8601_OR_FLOAT, group=_CALLING, help="When it is not run any more.")
@option("--serializer", default="json", group=_CALLING, help="Serializer of the arguments.")
@option("--queue", group=_ROUTING, help="Name of a queue.")
@option("--exchange", group=_ROUTING, help="Name of an exchange.")
@option("--routing-key", group=_ROUTING, help="Routing key.")
@click.pass_context
@handle_preload_options
def call(ctx: Any, /, name: str, **options: Any) -> None:
    """Call a task by name. It runs in this process."""
    from ..runtime.broker import autostart_wanted, broker_of
    from ..runtime.errand import wait_until_done

    app = ctx.obj.app
    sent = app.send_task(name, **options)
    ctx.obj.echo(sent.id)
    app = app._get_current_object() if hasattr(app, "_get_current_object") else app
    started_by_program = not isinstance(ctx.find_root().params.get("app"), (str, type(None)))
    if started_by_program or not autostart_wanted(app):
        return  # app.start() in a program that lives on, or one that starts its workers itself
    note("the task runs in this process, not in the one of your web server; waiting for its end")
    wait_until_done(broker_of(app))
