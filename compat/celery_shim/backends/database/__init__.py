"""``result_backend="db+sqlite:///results.db"``: results in a database, through SQLAlchemy (the extra ``database``).

The tables are Celery's. Results written by this process wake who waits for them; those of other processes are looked
for every ``interval`` seconds, as with Celery.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from ... import states
from ...exceptions import ImproperlyConfigured
from ...result import result_from_tuple
from ...utils.imports import symbol_by_name
from ...utils.lean import ensure_bytes
from ...utils.log import get_logger
from ...utils.time import maybe_timedelta
from ..base import BaseBackend
from ..countdowns import CountdownChords

try:
    from sqlalchemy import delete, select
    from sqlalchemy.exc import DatabaseError, InterfaceError, InvalidRequestError
    from sqlalchemy.orm import Session
    from sqlalchemy.orm.attributes import flag_modified
    from sqlalchemy.orm.exc import StaleDataError
except ImportError as exc:
    raise ImproperlyConfigured(
        "The database result backend needs SQLAlchemy 2: pip install 'brokerless[database]'"
    ) from exc

from .models import Task, TaskExtended, TaskSet
from .session import SessionManager

__all__ = ("DatabaseBackend", "session_cleanup")

logger = get_logger(__name__)

RETRYABLE_DB_ERRORS = (DatabaseError, InterfaceError, InvalidRequestError, StaleDataError)
#: First byte of what the pickle protocols 2 and later write.
_PICKLED = b"\x80"
#: Columns that are not set from the field of the same name.
_APART = frozenset({"id", "task_id", "children", "stamps"})


@contextmanager
def session_cleanup(session: Any) -> Iterator[None]:
    """Roll back what failed, and close the session in any case."""
    try:
        yield
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()


class DatabaseBackend(CountdownChords, BaseBackend):
    """Results in a database."""

    subpolling_interval = 0.5
    task_cls: type[Task] = Task
    url: Any
    taskset_cls = TaskSet

    def __init__(self, dburi: str | None = None, engine_options: Any = None, url: str | None = None, **kwargs: Any):
        options = {key: kwargs.pop(key) for key in ("short_lived_sessions", "engine_callback") if key in kwargs}
        super().__init__(expires_type=maybe_timedelta, url=url, **kwargs)
        conf = self.app.conf
        # a database may be away for a moment: three more tries, unless the settings say otherwise
        if not conf.value_set_for("result_backend_always_retry") or self.always_retry is None:
            self.always_retry = True
        if not conf.value_set_for("result_backend_max_retries") or self.max_retries is None:
            self.max_retries = 3
        if self.extended_result:
            self.task_cls = TaskExtended
        self.url = url or dburi or conf.database_url
        if not self.url:
            raise ImproperlyConfigured("Missing connection string: set database_url, or result_backend='db+…'")
        self.engine_options = {**(conf.database_engine_options or {}), **(engine_options or {})}
        self.short_lived_sessions = options.get("short_lived_sessions", conf.database_short_lived_sessions)
        schemas, names = conf.database_table_schemas or {}, conf.database_table_names or {}
        self.task_cls.configure(schema=schemas.get("task"), name=names.get("task"))
        self.taskset_cls.configure(schema=schemas.get("group"), name=names.get("group"))
        callback = options.get("engine_callback", conf.database_engine_callback)
        if isinstance(callback, str):
            callback = symbol_by_name(callback)
        if callback is not None and not callable(callback):
            raise ImproperlyConfigured(f"database_engine_callback must be callable, got {callback!r}")
        self.session_manager = SessionManager(engine_callback=callback)
        self.thread_safe = True  # engines are shared between threads, sessions are not
        if conf.database_create_tables_at_setup is True:
            self._create_tables()

    @property
    def extended_result(self) -> Any:
        return self.app.conf.find_value_for_key("extended", "result")

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        return isinstance(exc, RETRYABLE_DB_ERRORS)

    def on_backend_retryable_error(self, exc: BaseException) -> None:
        self.session_manager.invalidate(self.url)

    def _create_tables(self) -> None:
        self._ensure_retryable(self.ResultSession)

    def ResultSession(self, session_manager: Any = None) -> Session:
        """A new session; the tables exist then."""
        made: Session = (session_manager or self.session_manager).session_factory(
            dburi=self.url, short_lived_sessions=self.short_lived_sessions, **self.engine_options
        )
        return made

    # -- tasks ------------------------------------------------------------------------------------------------------

    def _query_task(self, session: Session, task_id: str, for_update: bool = False) -> Task | None:
        query = select(self.task_cls).where(self.task_cls.task_id == task_id)
        if for_update:
            query = query.with_for_update().execution_options(populate_existing=True)
        return session.scalars(query).first()

    def _store_result(
        self, task_id: str, result: Any, state: Any, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> None:
        session = self.ResultSession()
        with session_cleanup(session):
            row = self._query_task(session, task_id)
            if row is not None:
                row = self._query_task(session, task_id, for_update=True)
            if row is None:
                row = self.task_cls(task_id)
                session.add(row)
                session.flush()
            elif row.status == states.SUCCESS:
                return  # a success stays, whoever writes after it
            self._update_result(row, result, state, traceback, request)
            # written although it may look unchanged: without row locks somebody else may have written meanwhile
            flag_modified(row, "status")
            session.commit()

    def _update_result(self, row: Task, result: Any, state: Any, traceback: Any, request: Any) -> None:
        encoded = ensure_bytes(self.encode(result))
        meta = self._get_result_meta(encoded, state, traceback, request, format_date=False, encode=True)
        for column in self.task_cls.__table__.columns:
            if column.name not in _APART:
                setattr(row, column.name, meta.get(column.name))
        children, names = meta.get("children"), meta.get("stamped_headers")
        row.children = ensure_bytes(self.encode(children)) if children else None
        if isinstance(row, TaskExtended) and names:
            stamps = {"stamped_headers": names, "stamps": {name: meta[name] for name in names if name in meta}}
            row.stamps = ensure_bytes(self.encode(stamps))

    def _get_task_meta_for(self, task_id: str) -> Any:
        session = self.ResultSession()
        with session_cleanup(session):
            row = self._query_task(session, task_id)
            if row is None:
                row = self.task_cls(task_id)
                row.status = states.PENDING
            meta = row.to_dict()
        meta["result"] = self._decode_stored_result(meta["result"])
        for key in ("args", "kwargs", "children"):
            if meta.get(key) is not None:
                meta[key] = self.decode(meta[key])
        stamps = meta.pop("stamps", None)
        if stamps is not None:
            meta.update(self._decode_stamps(stamps))
        return self.meta_from_decoded(meta)

    def _decode_stamps(self, payload: Any) -> dict[str, Any]:
        """What else was stored must not be lost because the stamps cannot be read."""
        try:
            stored = self.decode(payload)
        except Exception:
            logger.warning("The stored stamps of a task cannot be decoded", exc_info=True)
            return {}
        if not isinstance(stored, dict):
            return {}
        names, values = stored.get("stamped_headers"), stored.get("stamps")
        return {
            **({} if names is None else {"stamped_headers": names}),
            **(values if isinstance(values, dict) else {}),
        }

    def _decode_stored_result(self, payload: Any) -> Any:
        """Older Celerys wrote pickles whatever the serializer was; those rows can still be read."""
        if payload is None:
            return None
        payload = ensure_bytes(payload)
        try:
            return self.decode(payload)
        except Exception:
            if payload[:1] != _PICKLED:
                raise
            logger.warning("A stored result is not what result_serializer makes; it is read as a pickle", exc_info=True)
            return pickle.loads(payload)

    def task_result_exists(self, task_id: str) -> bool:
        return bool(self._ensure_retryable(self._task_result_exists, task_id=task_id))

    def _task_result_exists(self, task_id: str) -> bool:
        session = self.ResultSession()
        with session_cleanup(session):
            return session.scalars(select(self.task_cls.id).where(self.task_cls.task_id == task_id)).first() is not None

    def _forget(self, task_id: str) -> None:
        self._delete(delete(self.task_cls).where(self.task_cls.task_id == task_id))

    def _delete(self, *statements: Any) -> None:
        session = self.ResultSession()
        with session_cleanup(session):
            for statement in statements:
                session.execute(statement.execution_options(synchronize_session=False))
            session.commit()

    # -- groups -----------------------------------------------------------------------------------------------------

    def _save_group(self, group_id: str, result: Any) -> Any:
        session = self.ResultSession()
        with session_cleanup(session):
            session.add(self.taskset_cls(group_id, ensure_bytes(self.encode(self.prepare_value(result)))))
            session.commit()
        return result

    def _restore_group(self, group_id: str) -> Any:
        session = self.ResultSession()
        with session_cleanup(session):
            row = session.scalars(select(self.taskset_cls).where(self.taskset_cls.taskset_id == group_id)).first()
            if row is None:
                return None
            meta = row.to_dict()
        value = self._decode_stored_result(meta["result"])
        meta["result"] = None if value is None else result_from_tuple(value, self.app)
        return meta

    def _delete_group(self, group_id: str) -> None:
        self._delete(delete(self.taskset_cls).where(self.taskset_cls.taskset_id == group_id))

    # -- expiry -----------------------------------------------------------------------------------------------------

    def cleanup(self) -> None:
        self._ensure_retryable(self._cleanup)

    def _cleanup(self) -> None:
        if not self.expires:
            return
        kept: timedelta = self.expires
        oldest = datetime.now(timezone.utc) - kept
        self._delete(*(delete(table).where(table.date_done < oldest) for table in (self.task_cls, self.taskset_cls)))

    def __reduce__(self, args: Any = (), kwargs: Any = None) -> Any:
        given = {"dburi": self.url, "expires": self.expires, "engine_options": self.engine_options}
        return super().__reduce__(args, {**(kwargs or {}), **given})
