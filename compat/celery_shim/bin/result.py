"""``celery result``: prints what a task gave."""

from __future__ import annotations

from typing import Any

import click

from .base import CeleryCommand, handle_preload_options, option
from .reach import has_workers, in_memory, results_elsewhere

_GROUP = "Result Options"


@click.command(cls=CeleryCommand)
@click.argument("task_id")
@option("-t", "--task", group=_GROUP, help="Name of the task, if it has a result backend of its own.")
@option("--traceback", is_flag=True, group=_GROUP, help="Print the traceback instead.")
@click.pass_context
@handle_preload_options
def result(ctx: Any, /, task_id: str, task: str | None, traceback: bool) -> None:
    """Print the return value of a task."""
    app = ctx.obj.app
    found = (app.tasks[task] if task else app).AsyncResult(task_id)
    if not traceback and not found.ready() and in_memory(found.backend) and not has_workers(app):
        results_elsewhere(app)
    ctx.obj.echo(found.traceback if traceback else found.get())
