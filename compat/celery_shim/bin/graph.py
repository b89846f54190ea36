"""``celery graph`` draws the parts of Celery's worker program, and of a cluster; there is neither here."""

from __future__ import annotations

from typing import Any

import click

from .base import handle_preload_options
from .reach import NO_BROKER


@click.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@click.pass_context
@handle_preload_options
def graph(ctx: Any, /) -> None:
    """Draw workers. There is one process, so it ends with an error here."""
    ctx.obj.error("`celery graph` draws the processes of a cluster; tasks run inside the process that sends them here")
    ctx.exit(NO_BROKER)
