"""``celery list bindings``: the queues and what they are bound to, as the app's settings say."""

from __future__ import annotations

from typing import Any

import click

from .base import CeleryCommand, handle_preload_options


@click.group(name="list")
@click.pass_context
@handle_preload_options
def list_(ctx: Any, /) -> None:
    """Show what a broker would know."""


@list_.command(cls=CeleryCommand)
@click.pass_context
def bindings(ctx: Any, /) -> None:
    """Show the bindings of queues."""

    def row(queue: str, exchange: str, key: str) -> None:
        ctx.obj.echo(f"{queue:<28} {exchange:<28} {key}")

    row("Queue", "Exchange", "Routing Key")
    row("-" * 16, "-" * 16, "-" * 16)
    for queue in ctx.obj.app.amqp.queues.consume_from.values():
        row(queue.name, queue.exchange.name if queue.exchange else "", queue.routing_key or "")
