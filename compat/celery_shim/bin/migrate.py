"""``celery migrate`` moves messages between brokers; there is none."""

from __future__ import annotations

from typing import Any

import click

from .base import CeleryCommand, handle_preload_options, option
from .reach import needs_a_broker

_GROUP = "Migration Options"


@click.command(cls=CeleryCommand)
@click.argument("source")
@click.argument("destination")
@option("-n", "--limit", type=int, group=_GROUP, help="Number of tasks.")
@option("-t", "--timeout", type=float, group=_GROUP, help="Seconds to wait for tasks.")
@option("-a", "--ack-messages", is_flag=True, group=_GROUP, help="Acknowledge at the source.")
@option("-T", "--tasks", group=_GROUP, help="Names of tasks.")
@option("-Q", "--queues", group=_GROUP, help="Names of queues.")
@option("-F", "--forever", is_flag=True, group=_GROUP, help="Go on until killed.")
@click.pass_context
@handle_preload_options
def migrate(ctx: Any, /, source: str, destination: str, **kwargs: Any) -> None:
    """Move tasks from one broker to another. Needs brokers, so it ends with an error here."""
    needs_a_broker("migrate")
