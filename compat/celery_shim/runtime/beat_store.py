"""The file of last runs: a shelve, as Celery's, that also reads what the real Celery wrote under its own names.

Where the file is a GNU dbm it is opened without its lock: a child process that a task left behind would inherit the
lock and keep the next beat out. One beat per file is the business of the host lock.
"""

from __future__ import annotations

import dbm
import io
import os
import pickle
import shelve
from typing import Any

__all__ = ("Store", "open")

_SHIM = __name__.rpartition(".runtime.")[0]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "celery" or module.startswith("celery."):
            module = _SHIM + module[6:]
        return super().find_class(module, name)


class Store(shelve.Shelf):
    """A shelf over a dbm file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._process = os.getpid()

    def sync(self) -> None:
        # a forked child has a copy, and must not write what it was like then when it ends
        if self._process == os.getpid():
            super().sync()
        else:
            self.cache: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        try:
            return self.cache[key]
        except KeyError:
            raw = self.dict[key.encode(self.keyencoding)]  # type: ignore[attr-defined]
        value = _Unpickler(io.BytesIO(raw)).load()
        if self.writeback:  # type: ignore[attr-defined]
            self.cache[key] = value
        return value


def _open_file(filename: str) -> Any:
    if dbm.whichdb(filename) != "dbm.gnu":
        opened = dbm.open(filename, "c")  # noqa: SIM115 - it stays open
        if type(opened).__module__ != "_gdbm":
            return opened
        opened.close()
    return dbm.open(filename, "cu")


def open(filename: str, writeback: bool = False) -> Store:
    """The shelf of a file, which is made if it is not there; raises ``dbm.error`` where it cannot be read."""
    return Store(_open_file(filename), writeback=writeback)
