"""Connections to the database of results: one engine per URL and process, tables made at the first use."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any

from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import QueuePool

from ...utils.log import get_logger
from ...utils.time import get_exponential_backoff_interval

__all__ = ("ResultModelBase", "SessionManager")

PREPARE_MODELS_MAX_RETRIES = 10

logger = get_logger(__name__)


class ResultModelBase(DeclarativeBase):
    """Base of the tables of results."""


class SessionManager:
    """Makes sessions. A forked child gets engines of its own; what it inherited belongs to the parent."""

    def __init__(self, engine_callback: Any = None) -> None:
        self.engine_callback = engine_callback
        self.prepared = False
        self._reset()
        _managers.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._engines: dict[str, Engine] = {}

    def _after_fork(self) -> None:
        for engine in self._engines.values():
            engine.dispose(close=False)
        self._reset()

    def get_engine(self, dburi: str, **kwargs: Any) -> Engine:
        """The engine of a URL; options count when it is made."""
        with self._lock:
            found = self._engines.get(dburi)
            if found is None:
                found = self._engines[dburi] = create_engine(dburi, **_options(dburi, kwargs))
                if self.engine_callback is not None:
                    self.engine_callback(found)
            return found

    def create_session(
        self, dburi: str, short_lived_sessions: bool = False, **kwargs: Any
    ) -> tuple[Engine, sessionmaker[Session]]:
        engine = self.get_engine(dburi, **kwargs)
        return engine, sessionmaker(bind=engine)

    def invalidate(self, dburi: str) -> None:
        """Forget the connections of a URL, after one of them failed."""
        if _in_memory(dburi):
            return
        with self._lock:
            engine = self._engines.pop(dburi, None)
            self.prepared = False
        if engine is not None:
            engine.dispose()

    def prepare_models(self, engine: Engine) -> None:
        """Make the tables, and columns that an older table lacks."""
        if self.prepared:
            return
        retries = 0
        while True:
            try:
                ResultModelBase.metadata.create_all(engine)
                break
            except DatabaseError:
                # two processes that look and then create may collide; the one that lost finds the tables next time
                if retries >= PREPARE_MODELS_MAX_RETRIES:
                    raise
                time.sleep(get_exponential_backoff_interval(10, retries, 1000, True) / 1000)
                retries += 1
        self._migrate_missing_columns(engine)
        self.prepared = True

    def _migrate_missing_columns(self, engine: Engine) -> None:
        inspector, quote = inspect(engine), engine.dialect.identifier_preparer
        for table in ResultModelBase.metadata.tables.values():
            if not inspector.has_table(table.name, schema=table.schema):
                continue
            present = {column["name"] for column in inspector.get_columns(table.name, schema=table.schema)}
            for column in table.columns:
                if column.name in present or not column.nullable:
                    continue
                kind = column.type.compile(engine.dialect)
                name = quote.quote_identifier(column.name)
                change = f"ALTER TABLE {quote.format_table(table)} ADD COLUMN {name} {kind}"
                try:
                    with engine.begin() as connection:
                        connection.execute(text(change))
                except Exception as exc:
                    logger.warning("%r has no column %r; to add it, run: %s (%s)", table.name, column.name, change, exc)

    def session_factory(self, dburi: str, **kwargs: Any) -> Session:
        engine, make = self.create_session(dburi, **kwargs)
        self.prepare_models(engine)
        return make()


def _options(dburi: str, given: dict[str, Any]) -> dict[str, Any]:
    if _in_memory(dburi):
        # a database in memory is its one connection: threads take turns, and it is never let go
        own = {key: value for key, value in given.items() if not key.startswith("pool") and key != "max_overflow"}
        arguments = {**own.pop("connect_args", {}), "check_same_thread": False}
        return {**own, "poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "connect_args": arguments}
    return given


def _in_memory(dburi: str) -> bool:
    url = make_url(dburi)
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


_managers: weakref.WeakSet[SessionManager] = weakref.WeakSet()


def _after_fork() -> None:
    for manager in list(_managers):
        manager._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
