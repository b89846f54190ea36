"""The tables of results. Names and columns are Celery's: programs with the real package can read and write them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ... import states
from .session import ResultModelBase

__all__ = ("Task", "TaskExtended", "TaskSet")

#: Servers of Microsoft count rows beyond 32 bits sooner than others, says Celery's schema.
_Id = sa.Integer().with_variant(sa.BigInteger(), "mssql")


def _now() -> datetime:
    return datetime.now(timezone.utc)


class _Configurable:
    """Schema and name of a table may be set (``database_table_schemas``, ``database_table_names``)."""

    __tablename__: str
    __table__: Any

    @classmethod
    def configure(cls, schema: str | None = None, name: str | None = None) -> None:
        cls.__table__.schema = schema
        cls.__table__.columns["id"].default.schema = schema
        cls.__table__.name = name or cls.__tablename__


class Task(_Configurable, ResultModelBase):
    """The state and the result of one call."""

    __tablename__ = "celery_taskmeta"
    __table_args__: Any = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(_Id, sa.Sequence("task_id_sequence"), primary_key=True, autoincrement=True)
    task_id: Mapped[str | None] = mapped_column(sa.String(155), unique=True)
    status: Mapped[str | None] = mapped_column(sa.String(50), default=states.PENDING)
    result: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    date_done: Mapped[datetime | None] = mapped_column(sa.DateTime, default=_now, onupdate=_now, index=True)
    traceback: Mapped[str | None] = mapped_column(sa.Text)
    children: Mapped[bytes | None] = mapped_column(sa.LargeBinary)

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id

    def to_dict(self) -> dict[str, Any]:
        """The row as it is stored: values still encoded."""
        return {
            "task_id": self.task_id,
            "status": self.status,
            "result": self.result,
            "traceback": self.traceback,
            "date_done": self.date_done,
            "children": self.children,
        }

    def __repr__(self) -> str:
        return f"<Task {self.task_id} state: {self.status}>"


class TaskExtended(Task):
    """The same table with what ``result_extended`` keeps."""

    __tablename__ = "celery_taskmeta"
    __table_args__: Any = {"sqlite_autoincrement": True, "extend_existing": True}

    name: Mapped[str | None] = mapped_column(sa.String(155))
    args: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    kwargs: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    worker: Mapped[str | None] = mapped_column(sa.String(155))
    retries: Mapped[int | None] = mapped_column(sa.Integer)
    queue: Mapped[str | None] = mapped_column(sa.String(155))
    stamps: Mapped[bytes | None] = mapped_column(sa.LargeBinary)

    def to_dict(self) -> dict[str, Any]:
        more = ("name", "args", "kwargs", "worker", "retries", "queue", "stamps")
        return {**super().to_dict(), **{key: getattr(self, key) for key in more}}


class TaskSet(_Configurable, ResultModelBase):
    """A saved group."""

    __tablename__ = "celery_tasksetmeta"
    __table_args__: Any = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(_Id, sa.Sequence("taskset_id_sequence"), primary_key=True, autoincrement=True)
    taskset_id: Mapped[str | None] = mapped_column(sa.String(155), unique=True)
    result: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    date_done: Mapped[datetime | None] = mapped_column(sa.DateTime, default=_now, index=True)

    def __init__(self, taskset_id: str, result: bytes | None) -> None:
        self.taskset_id, self.result = taskset_id, result

    def to_dict(self) -> dict[str, Any]:
        return {"taskset_id": self.taskset_id, "result": self.result, "date_done": self.date_done}

    def __repr__(self) -> str:
        return f"<TaskSet: {self.taskset_id}>"
