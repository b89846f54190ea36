"""What the parts of ``Celery`` and of ``Task`` know of each other. For the type checker: both are empty at run time."""

from __future__ import annotations

from collections import deque
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from ..typevars import P, R

if TYPE_CHECKING:
    from typing import Generic

    from ..canvas import Signature
    from ..result import AsyncResult as Result
    from .context import Context

__all__ = ("AppParts", "TaskParts")


class AppParts:
    """Base of the classes that make up ``Celery``."""

    if TYPE_CHECKING:
        main: str | None
        closed: bool
        configured: bool
        finalized: bool
        autofinalize: bool
        namespace: str | None
        strict_typing: bool
        task_cls: Any
        loader_cls: Any
        backend_cls: Any
        amqp_cls: Any
        events_cls: Any
        log_cls: Any
        control_cls: Any
        fixups: Any
        Pickler: Any
        on_configure: Any
        on_after_configure: Any
        on_after_finalize: Any
        _local: Any
        _conf: Any
        _fixups: Any
        _tasks: Any
        _using_v1_reduce: Any
        _config_source: Any
        _config_source_silent: bool
        _preconf: Any
        _preconf_set_by_auto: set[str]
        _pending: deque[Any]
        _pending_defaults: deque[Any]
        _pending_periodic_tasks: deque[Any]
        _finalize_mutex: Any
        _duplicate_task_names_warned: set[str]

        @property
        def conf(self) -> Any: ...
        @property
        def amqp(self) -> Any: ...
        @property
        def loader(self) -> Any: ...
        @property
        def backend(self) -> Any: ...
        @property
        def pool(self) -> Any: ...
        @property
        def producer_pool(self) -> Any: ...
        @property
        def current_worker_task(self) -> Any: ...
        @property
        def thread_oid(self) -> str: ...
        @property
        def Task(self) -> Any: ...
        @property
        def AsyncResult(self) -> Any: ...
        @property
        def _canvas(self) -> Any: ...
        def either(self, default_key: str, *defaults: Any) -> Any: ...
        def now(self) -> Any: ...
        def signature(self, *args: Any, **kwargs: Any) -> Any: ...


if TYPE_CHECKING:

    class TaskParts(Generic[P, R]):
        """Base of the classes that make up ``Task``."""

        name: Any
        typing: Any
        trail: bool
        max_retries: Any
        default_retry_delay: Any
        ignore_result: Any
        store_errors_even_if_ignored: Any
        time_limit: Any
        soft_time_limit: Any
        override_max_retries: Any
        MaxRetriesExceededError: Any
        _exec_options: Any
        _fast_plan: Any
        _dump_pydantic_arguments: Any

        @property
        def app(self) -> Any: ...
        @property
        def backend(self) -> Any: ...
        @property
        def request(self) -> Context: ...
        @classmethod
        def _get_app(cls) -> Any: ...
        def run(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
        def apply_async(
            self, args: Any = None, kwargs: Any = None, task_id: str | None = None, **options: Any
        ) -> Result[R]: ...
        def on_replace(self, sig: Any) -> Any: ...
        def signature(self, args: Any = None, *starargs: Any, **starkwargs: Any) -> Signature[R]: ...

else:

    class TaskParts:
        """Base of the classes that make up ``Task``: ``Task[...]`` means nothing at run time."""

        __class_getitem__: Any = classmethod(GenericAlias)
