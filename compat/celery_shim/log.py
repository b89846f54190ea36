"""Names of Celery's former ``celery.log``: views of the current app, made at each use."""

from __future__ import annotations

from typing import Any

from ._state import current_app
from .local import Proxy

get_default_logger: Any = Proxy(lambda: current_app.log.get_default_logger)
setup_logging_subsystem: Any = Proxy(lambda: current_app.log.setup_logging_subsystem)
redirect_stdouts_to_logger: Any = Proxy(lambda: current_app.log.redirect_stdouts_to_logger)

__all__ = ("get_default_logger", "redirect_stdouts_to_logger", "setup_logging_subsystem")
