"""The file of last runs: a shelve that the real Celery can read too, and that reads what the real one wrote.

Classes are stored under Celery's names, so that a project keeps its last runs when it comes and when it leaves. Where
the file is a GNU dbm it is opened without its lock: a child process that a task left behind would inherit the lock and
keep the next beat out. One beat per file is the business of the host lock.
"""

from __future__ import annotations

import dbm
import importlib
import io
import os
import pickle
import shelve
from types import ModuleType
from typing import Any

__all__ = ("Store", "open")

_SHIM = __name__.rpartition(".runtime.")[0]
_ELSEWHERE = {f"{_SHIM}.runtime.beat_entries": "celery.beat"}


class _Module:
    """Stands for a module in a pickle."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) and obj.__module__.startswith(f"{_SHIM}."):
            module = _ELSEWHERE.get(obj.__module__) or f"celery{obj.__module__[len(_SHIM) :]}"
            return getattr, (_Module(module), obj.__qualname__)
        if type(obj) is _Module:
            return importlib.import_module, (obj.name,)
        return NotImplemented


def _own(name: str) -> str:
    """The shim's name of one of Celery's modules."""
    return f"{_SHIM}{name[6:]}" if name == "celery" or name.startswith("celery.") else name


def _import(name: str) -> ModuleType:
    return importlib.import_module(_own(name))


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("importlib", "import_module"):
            return _import
        return super().find_class(_own(module), name)


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

    def __setitem__(self, key: str, value: Any) -> None:
        if self.writeback:  # type: ignore[attr-defined]
            self.cache[key] = value
        raw = io.BytesIO()
        _Pickler(raw).dump(value)
        self.dict[key.encode(self.keyencoding)] = raw.getvalue()  # type: ignore[attr-defined]


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
