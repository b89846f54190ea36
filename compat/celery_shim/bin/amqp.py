"""``celery amqp`` is a console of a broker; there is none."""

from __future__ import annotations

from typing import Any

import click

from .base import handle_preload_options
from .reach import needs_a_broker


@click.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@click.pass_context
@handle_preload_options
def amqp(ctx: Any, /) -> None:
    """Console of an AMQP broker. Needs a broker, so it ends with an error here."""
    needs_a_broker("amqp")
