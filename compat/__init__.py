"""Celery and RQ over brokerless: ``install()`` makes ``import celery`` and ``import rq`` resolve to the shims.

Importing this package loads neither of them.
"""

from __future__ import annotations

from .alias import AlreadyImported, install, installed, uninstall

__all__ = ["AlreadyImported", "install", "installed", "uninstall"]
