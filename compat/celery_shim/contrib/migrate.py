"""Celery moves messages from one broker to another with this module. There is no broker here, and importing it says so."""

from __future__ import annotations

raise ImportError("celery.contrib.migrate moves messages between brokers; tasks here wait in this process")
