"""Opens the door while Django starts: in the main thread, where signal handlers can be set."""

from __future__ import annotations

from django.apps import AppConfig


class RemindConfig(AppConfig):
    name = "remind"

    def ready(self) -> None:
        import doors  # noqa: F401
