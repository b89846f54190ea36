# mypy: allow-untyped-decorators
"""The command `cron`."""

from __future__ import annotations

import logging
import logging.config
import sys
from typing import Any

from ..cron import CronScheduler
from .cli import main
from .helpers import click, pass_cli_config, read_config_file


@main.command()
@click.option(
    "--logging-level",
    "-l",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False),
    default="INFO",
    show_default=True,
    help="Level of the log.",
)
@click.argument("config_path")
@pass_cli_config
def cron(cli_config: Any, logging_level: str, config_path: str, **options: Any) -> None:
    """Enqueues the jobs of a configuration file again and again; they run in this process."""
    settings = read_config_file(cli_config.config) if cli_config.config else {}
    if settings.get("DICT_CONFIG"):
        logging.config.dictConfig(settings["DICT_CONFIG"])
        logging.getLogger("rq.cron").info("Logging configured via DICT_CONFIG setting.")
    try:
        scheduler = CronScheduler(connection=cli_config.connection, logging_level=logging_level)
        scheduler.load_config_from_file(config_path)
        scheduler.start()
    except KeyboardInterrupt:
        click.echo("\nShutting down cron scheduler...")
        sys.exit(0)
