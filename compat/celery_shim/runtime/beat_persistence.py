"""Entries in a file: opening, checking and writing it. What is in it is the business of ``beat``."""

from __future__ import annotations

import dbm
import errno
import os
from pickle import UnpicklingError
from typing import Any

from .. import __version__, platforms
from ..utils.log import get_logger
from . import beat_store

__all__ = ("Persistence",)

logger = get_logger("celery.beat")
debug, error, warning = logger.debug, logger.error, logger.warning

#: What a file that holds no entries, or entries that cannot be read any more, raises.
_UNREADABLE = (KeyError, UnicodeDecodeError, TypeError, UnpicklingError, ValueError, ImportError, AttributeError)


class Persistence:
    """The part of ``PersistentScheduler`` that has to do with its file; mixed into a scheduler."""

    app: Any
    merge_inplace: Any
    install_default_entries: Any

    persistence: Any = beat_store
    known_suffixes = ("", ".db", ".dat", ".bak", ".dir")

    _store: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.schedule_filename = kwargs.get("schedule_filename")
        super().__init__(*args, **kwargs)

    def _remove_db(self) -> None:
        for suffix in self.known_suffixes:
            with platforms.ignore_errno(errno.ENOENT):
                os.remove(f"{self.schedule_filename}{suffix}")

    def _open_schedule(self) -> Any:
        return self.persistence.open(self.schedule_filename, writeback=True)

    def _destroy_open_corrupted_schedule(self, exc: BaseException) -> Any:
        error("Removing corrupted schedule file %r: %r", self.schedule_filename, exc, exc_info=True)
        self._remove_db()
        return self._open_schedule()

    def setup_schedule(self) -> None:
        try:
            self._store = self._open_schedule()
            self._store.keys()  # some kinds of file only notice here that they are broken
        except PermissionError:
            raise  # somebody else's file is not a broken one
        except Exception as exc:
            self._store = self._destroy_open_corrupted_schedule(exc)
        self._create_schedule()
        conf = self.app.conf
        before, utc_before = self._store.get("tz"), self._store.get("utc_enabled")
        if before is not None and before != conf.timezone:
            warning("Reset: Timezone changed from %r to %r", before, conf.timezone)
            self._store.clear()
        if utc_before is not None and utc_before != conf.enable_utc:
            names = {True: "enabled", False: "disabled"}
            warning("Reset: UTC changed from %s to %s", names[utc_before], names[conf.enable_utc])
            self._store.clear()
        entries = self._store.setdefault("entries", {})
        self.merge_inplace(conf.beat_schedule)
        self.install_default_entries(self.schedule)
        self._store.update({"__version__": __version__, "tz": conf.timezone, "utc_enabled": conf.enable_utc})
        self.sync()
        debug("Current schedule:\n%s", "\n".join(repr(entry) for entry in entries.values()))

    def _create_schedule(self) -> None:
        """Entries of a new file, or of one that cannot be read any more."""
        for _ in range(2):
            try:
                self._store["entries"]
            except _UNREADABLE as exc:
                if isinstance(exc, (ValueError, ImportError, AttributeError)):
                    warning("DB Reset: Cannot load the stored entries, recreating them from beat_schedule: %r", exc)
                try:
                    self._store["entries"] = {}
                except (KeyError, UnicodeDecodeError, TypeError, UnpicklingError, *dbm.error) as broken:
                    self._store = self._destroy_open_corrupted_schedule(broken)
                    continue
            else:
                for field in ("__version__", "tz", "utc_enabled"):
                    if field not in self._store:
                        warning("DB Reset: Account for new %s field", field)
                        self._store.clear()
                        break
            break

    def get_schedule(self) -> Any:
        return self._store["entries"]

    def set_schedule(self, schedule: Any) -> None:
        self._store["entries"] = schedule

    schedule = property(get_schedule, set_schedule)

    def sync(self) -> None:
        if self._store is not None:
            self._store.sync()

    def close(self) -> None:
        failed = True
        try:
            super().close()  # type: ignore[misc]
            failed = False
        finally:
            if self._store is not None:
                try:
                    self._store.close()
                except Exception:
                    if not failed:
                        raise
                    error("beat: Store cleanup failed after scheduler error", exc_info=True)

    @property
    def info(self) -> str:
        return f"    . db -> {self.schedule_filename}"
