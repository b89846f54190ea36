"""``result_backend="file:///some/folder"``: one file for each result, in a folder that exists."""

from __future__ import annotations

import locale
import os
import time
from collections.abc import Iterator
from typing import Any

from ..exceptions import ImproperlyConfigured
from ..utils.lean import ensure_bytes, uuid
from .countdowns import CountdownChords
from .keyvalue import KeyValueStoreBackend

__all__ = ("FilesystemBackend",)

default_encoding = locale.getpreferredencoding(False)

E_NO_PATH_SET = "You need to configure a path for the file-system backend"
E_PATH_NON_CONFORMING_SCHEME = "The path of the file-system backend must be a URI: file:///some/folder"
E_PATH_INVALID = "The folder of the file-system backend cannot be written"


class FilesystemBackend(CountdownChords, KeyValueStoreBackend):
    """Results as files. A write replaces the file in one step, so a reader never sees half of it."""

    supports_result_compression = True

    def __init__(
        self,
        url: str | None = None,
        open: Any = open,
        unlink: Any = os.unlink,
        sep: str = os.sep,
        encoding: str = default_encoding,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.url = url
        self.path = self._find_path(url).encode(encoding)
        self.sep = sep.encode(encoding)
        self.open, self.unlink = open, unlink
        self._do_directory_test(b".fs-backend-" + uuid().encode(encoding))

    def _find_path(self, url: str | None) -> str:
        if not url:
            raise ImproperlyConfigured(E_NO_PATH_SET)
        for scheme in ("file://localhost", "file://"):
            if url.startswith(scheme):
                return url[len(scheme) :]
        raise ImproperlyConfigured(E_PATH_NON_CONFORMING_SCHEME)

    def _do_directory_test(self, key: bytes) -> None:
        try:
            self.set(key, b"test value")
            written = self.get(key)
            self.delete(key)
        except OSError as exc:
            raise ImproperlyConfigured(f"{E_PATH_INVALID}: {self.path!r}") from exc
        if written != b"test value":
            raise ImproperlyConfigured(f"{E_PATH_INVALID}: {self.path!r}")

    def _filename(self, key: bytes) -> bytes:
        return self.sep.join((self.path, key))

    def get(self, key: Any) -> Any:
        try:
            with self.open(self._filename(key), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def mget(self, keys: Any) -> Iterator[Any]:
        return (self.get(key) for key in keys)

    def set(self, key: Any, value: Any) -> None:
        name = self._filename(key)
        beside = name + b"." + uuid().encode() + b".new"
        with self.open(beside, "wb") as file:
            file.write(ensure_bytes(value))
        os.replace(beside, name)

    def delete(self, key: Any) -> None:
        self.unlink(self._filename(key))

    def cleanup(self) -> None:
        """Delete the files of results that have expired."""
        if not self.expires:
            return
        oldest = time.time() - self.expires
        prefixes = (self.task_keyprefix, self.group_keyprefix, self.chord_keyprefix)
        for name in os.listdir(self.path):
            if name.startswith(prefixes):
                path = self._filename(name)
                if os.stat(path).st_mtime < oldest:
                    self.unlink(path)

    def __reduce__(self, args: Any = (), kwargs: Any = None) -> Any:
        return super().__reduce__(args, {**(kwargs or {}), "url": self.url})
