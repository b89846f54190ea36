"""RQ's command line. Needs the package `click`, which RQ needs too."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["cron", "info", "main", "worker"]


def _without_click() -> int:
    """Stands for `main` where the commands cannot be loaded."""
    print("brokerless rq: the rq command line needs the package 'click': pip install click", file=sys.stderr)
    return 2


def __getattr__(name: str) -> Any:
    if name in __all__:
        try:
            from . import workers
            from .cli import info, main
            from .cli_cron import cron
        except ImportError as error:
            if name == "main":
                return _without_click
            raise AttributeError(f"{name}: {error}") from error
        globals().update(main=main, info=info, worker=workers.worker, cron=cron)
        return globals()[name]
    raise AttributeError(name)
