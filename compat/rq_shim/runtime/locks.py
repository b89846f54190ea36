"""`connection.lock(name)`: a lock by name, for threads of this process."""

from __future__ import annotations

import time
from typing import Any

from .errors import LockError
from .records import new_hex

__all__ = ["Lock"]


class Lock:
    """Kept as a key, so that it ends by itself after `timeout` seconds."""

    def __init__(
        self, client: Any, name: Any, timeout: float | None, blocking: bool, blocking_timeout: float | None
    ) -> None:
        self._client = client
        self.name = name
        self.timeout = timeout
        self.blocking = blocking
        self.blocking_timeout = blocking_timeout
        self._token: str | None = None

    def acquire(self, blocking: bool | None = None, blocking_timeout: float | None = None, **kwargs: Any) -> bool:
        """Takes the lock; False when that was not possible in time."""
        token = new_hex()
        wait = self.blocking if blocking is None else blocking
        most = self.blocking_timeout if blocking_timeout is None else blocking_timeout
        deadline = None if most is None else time.monotonic() + most
        while not self._client.set(self.name, token, nx=True, ex=self.timeout):
            if not wait or (deadline is not None and time.monotonic() >= deadline):
                return False
            time.sleep(0.01)
        self._token = token
        return True

    def owned(self) -> bool:
        value = self._client.get(self.name)
        return self._token is not None and value in (self._token, self._token.encode())

    def locked(self) -> bool:
        return bool(self._client.exists(self.name))

    def release(self) -> None:
        if not self.owned():
            raise LockError("Cannot release a lock that is not owned")
        self._client.delete(self.name)
        self._token = None

    def __enter__(self) -> Lock:
        if not self.acquire():
            raise LockError("Unable to acquire lock within the time specified")
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.release()
