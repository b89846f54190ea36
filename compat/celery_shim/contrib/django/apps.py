"""A Django app that starts beat in server processes: add its package to ``INSTALLED_APPS``.

Management commands other than servers, and the parent of an auto-reloading server, are left alone.
"""

from __future__ import annotations

from django.apps import AppConfig

from ..embedded import embedded

__all__ = ("EmbeddedBeatConfig",)


class EmbeddedBeatConfig(AppConfig):  # type: ignore[misc]
    """Looks after the schedule of the project's current Celery app."""

    name = __name__.rpartition(".")[0]
    label = "brokerless_beat"
    verbose_name = "brokerless"

    def ready(self) -> None:
        embedded(None)
