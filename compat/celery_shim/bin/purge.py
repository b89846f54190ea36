"""``celery purge``: throws waiting tasks of this process away."""

from __future__ import annotations

from typing import Any

import click

from ..utils import text
from .base import COMMA_SEPARATED_LIST, CeleryCommand, handle_preload_options, option
from .reach import ELSEWHERE, has_workers, note

_GROUP = "Purging Options"


@click.command(cls=CeleryCommand, context_settings={"allow_extra_args": True})
@option("-f", "--force", is_flag=True, group=_GROUP, help="Do not ask.")
@option("-Q", "--queues", type=COMMA_SEPARATED_LIST, group=_GROUP, help="Only these queues.")
@option("-X", "--exclude-queues", type=COMMA_SEPARATED_LIST, group=_GROUP, help="Not these queues.")
@click.pass_context
@handle_preload_options
def purge(ctx: Any, /, force: bool, queues: Any, exclude_queues: Any, **kwargs: Any) -> None:
    """Throw away all messages that wait in the known queues of this process. They cannot be had back."""
    from ..runtime.broker import broker_of

    app = ctx.obj.app
    names = set(queues or app.amqp.queues.keys()) - set(exclude_queues or ())
    if not names:
        return
    what = text.pluralize(len(names), "queue")
    if not force:
        click.confirm(
            f"{ctx.obj.style('WARNING', fg='red')}: all tasks that wait in the {what} {', '.join(sorted(names))} "
            "will be thrown away, and cannot be had back (-f does not ask).\nThrow them away?",
            abort=True,
        )
    count = broker_of(app).purge(names)
    if count:
        messages = text.pluralize(count, "message")
        ctx.obj.echo(f"Purged {count} {messages} from {len(names)} known task {what}.")
        return
    ctx.obj.echo(f"No messages purged from {len(names)} {what}.")
    if not has_workers(app):
        note(ELSEWHERE)
