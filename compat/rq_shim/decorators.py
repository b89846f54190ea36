"""`@job`: gives a function a `delay` that enqueues it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from .queue import Queue

__all__ = ["job"]


class job:
    """The decorated function stays as it is and gains `delay` and `enqueue`, which are the same.

    Not in RQ: `compile_to_c=True` runs its jobs as C where the function qualifies (one WARNING where it does not);
    "require" raises `CompilationError` instead. No result changes; see docs/compilation.md.
    """

    queue_class = Queue

    def __init__(
        self,
        queue: Any,
        connection: Any = None,
        timeout: Any = None,
        result_ttl: Any = None,
        ttl: Any = None,
        queue_class: Any = None,
        depends_on: Any = None,
        at_front: bool = False,
        meta: Any = None,
        description: str | None = None,
        failure_ttl: Any = None,
        retry: Any = None,
        on_failure: Any = None,
        on_success: Any = None,
        on_stopped: Any = None,
        webhooks: Sequence[Any] | None = None,
        *,
        compile_to_c: bool | str | None = None,
    ) -> None:
        self.queue = queue
        self.queue_class = queue_class or Queue
        self.connection = connection
        self.timeout = timeout
        self.result_ttl = result_ttl
        self.ttl = ttl
        self.meta = meta
        self.depends_on = depends_on
        self.at_front = at_front
        self.description = description
        self.failure_ttl = failure_ttl
        self.retry = retry
        self.on_success = on_success
        self.on_failure = on_failure
        self.on_stopped = on_stopped
        self.webhooks = webhooks
        self.compile_to_c = compile_to_c

    def __call__(self, f: Callable[..., Any]) -> Any:
        @wraps(f)
        def delay(*args: Any, **kwargs: Any) -> Any:
            queue = self.queue
            if isinstance(queue, str):
                queue = self.queue_class(name=queue, connection=self.connection)
            depends_on = kwargs.pop("depends_on", None)
            job_id = kwargs.pop("job_id", None)
            at_front = kwargs.pop("at_front", None)
            return queue.enqueue_call(
                f,
                args=args,
                kwargs=kwargs,
                timeout=self.timeout,
                result_ttl=self.result_ttl,
                ttl=self.ttl,
                depends_on=depends_on or self.depends_on,
                job_id=job_id,
                at_front=self.at_front if at_front is None else at_front,
                meta=self.meta,
                description=self.description,
                failure_ttl=self.failure_ttl,
                retry=self.retry,
                on_failure=self.on_failure,
                on_success=self.on_success,
                on_stopped=self.on_stopped,
                webhooks=self.webhooks,
            )

        if self.compile_to_c:
            from .runtime.compiling import mark

            mark(f, self.compile_to_c)
        f.delay = delay  # type: ignore[attr-defined]
        f.enqueue = delay  # type: ignore[attr-defined]
        return f
