"""Compressed results: a marker, the method, the body."""

from __future__ import annotations

import warnings
from typing import Any

from ..exceptions import ImproperlyConfigured

__all__ = ("compress_payload", "decompress_payload", "prepare_compression")

COMPRESSED_PAYLOAD_MAGIC = b"\x00celery-compressed\x00"
E_UNKNOWN_COMPRESSION = """\
Unknown compression method {0!r} configured in result_compression.
Available methods are: {1}.
"""
W_COMPRESSION_UNSUPPORTED = """\
The {0} result backend cannot store compressed payloads, so the
result_compression setting is ignored and results are stored uncompressed.
"""


def compress_payload(payload: Any, compression: str) -> bytes:
    from kombu.compression import compress

    body, content_type = compress(payload, compression)
    return b"".join([COMPRESSED_PAYLOAD_MAGIC, content_type.encode("utf-8"), b"\x00", body])


def decompress_payload(payload: Any) -> Any:
    """The payload as it was; one that was never compressed is given as it is."""
    if isinstance(payload, memoryview):
        payload = payload.tobytes()
    if not isinstance(payload, (bytes, bytearray)) or not payload.startswith(COMPRESSED_PAYLOAD_MAGIC):
        return payload
    from kombu.compression import decompress

    content_type, _, body = payload[len(COMPRESSED_PAYLOAD_MAGIC) :].partition(b"\x00")
    return decompress(body, content_type.decode("utf-8"))


def prepare_compression(backend: Any, compression: Any) -> Any:
    """The setting, checked."""
    if not compression:
        return None
    if not backend.supports_result_compression:
        warnings.warn(W_COMPRESSION_UNSUPPORTED.format(type(backend).__name__), UserWarning, stacklevel=3)
        return None
    from kombu.compression import encoders, get_encoder

    try:
        get_encoder(compression)
    except KeyError as exc:
        names = ", ".join(sorted(encoders()))
        raise ImproperlyConfigured(E_UNKNOWN_COMPRESSION.format(compression, names)) from exc
    return compression
