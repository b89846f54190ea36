"""``result_backend="rpc://"``: accepted, and kept in this process. No reply queue exists."""

from __future__ import annotations

from .local import LocalBackend

__all__ = ("RPCBackend",)


class RPCBackend(LocalBackend):
    """Results in memory under the name of RPC."""
