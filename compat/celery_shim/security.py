"""Signed messages. Messages here never leave the process, so nobody could have changed them: signing is refused."""

from __future__ import annotations

from typing import Any

from kombu.serialization import disable_insecure_serializers

from .exceptions import ImproperlyConfigured

__all__ = ("disable_insecure_serializers", "setup_security")


def setup_security(*args: Any, **kwargs: Any) -> None:
    """Raises ``ImproperlyConfigured``."""
    raise ImproperlyConfigured("message signing needs a broker")
