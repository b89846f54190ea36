"""``celery multi`` starts and stops several worker processes; a worker process receives nothing here."""

from __future__ import annotations

from typing import Any

import click

from .base import CeleryCommand, handle_preload_options
from .reach import NO_BROKER


@click.command(cls=CeleryCommand, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@click.pass_context
@handle_preload_options
def multi(ctx: Any, /, **kwargs: Any) -> None:
    """Start several worker processes. They would receive nothing, so it ends with an error here."""
    ctx.obj.error(
        "`celery multi` starts worker processes, and these receive nothing: tasks run inside the process that sends "
        "them. Delete the command; the setting worker_concurrency says how many tasks run at a time in each process."
    )
    ctx.exit(NO_BROKER)
