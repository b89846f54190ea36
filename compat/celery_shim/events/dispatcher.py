"""``EventDispatcher``: takes events. Without a broker there is no bus to put them on, so they end here."""

from __future__ import annotations

from typing import Any

__all__ = ("EventDispatcher",)


class EventDispatcher:
    """Sends events to nobody."""

    app: Any = None

    def __init__(
        self,
        connection: Any = None,
        hostname: str | None = None,
        enabled: bool = True,
        channel: Any = None,
        buffer_while_offline: bool = True,
        app: Any = None,
        serializer: Any = None,
        groups: Any = None,
        delivery_mode: int = 1,
        buffer_group: Any = None,
        buffer_limit: int = 24,
        on_send_buffered: Any = None,
    ) -> None:
        self.app = app or self.app
        self.hostname, self.enabled, self.groups = hostname, enabled, set(groups or ())

    def __enter__(self) -> EventDispatcher:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def publish(self, type: str, fields: Any, producer: Any = None, blind: bool = False, **kwargs: Any) -> None:
        """Nobody listens."""

    def send(self, type: str, blind: bool = False, **fields: Any) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """Nothing is open."""
