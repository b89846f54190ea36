"""Tasks that every app has, under Celery's names. Each is made when an app is finalized."""

from __future__ import annotations

from typing import Any

from .._state import connect_on_app_finalize
from ..utils.log import get_logger

__all__ = ()

logger = get_logger("celery.app.builtins")


@connect_on_app_finalize
def add_backend_cleanup_task(app: Any) -> Any:
    """Drops results that have expired, where the store does not do it itself."""

    @app.task(name="celery.backend_cleanup", shared=False, lazy=False)
    def backend_cleanup() -> None:
        app.backend.cleanup()

    return backend_cleanup


@connect_on_app_finalize
def add_accumulate_task(app: Any) -> Any:
    """Gives its arguments, or one of them: the body of a chord that only collects."""

    @app.task(bind=True, name="celery.accumulate", shared=False, lazy=False)
    def accumulate(self: Any, *args: Any, **kwargs: Any) -> Any:
        index = kwargs.get("index")
        return args if index is None else args[index]

    return accumulate


@connect_on_app_finalize
def add_unlock_chord_task(app: Any) -> Any:
    """Polls the members of a chord, for result stores that cannot count."""
    from ..backends.chords import _create_chord_error_with_cause
    from ..canvas import maybe_signature
    from ..exceptions import Retry
    from ..result import allow_join_result, result_from_tuple

    def fail(callback: Any, message: str, exc: BaseException) -> None:
        app.backend.chord_error_from_stack(
            callback=callback, exc=_create_chord_error_with_cause(message=message, original_exc=exc)
        )

    @app.task(
        name="celery.chord_unlock",
        max_retries=None,
        shared=False,
        ignore_result=True,
        lazy=False,
        bind=True,
        default_retry_delay=app.conf.result_chord_retry_interval,
    )
    def unlock_chord(
        self: Any,
        group_id: str,
        callback: Any,
        interval: Any = None,
        max_retries: Any = None,
        result: Any = None,
        Result: Any = app.AsyncResult,
        GroupResult: Any = app.GroupResult,
        result_from_tuple: Any = result_from_tuple,
        **kwargs: Any,
    ) -> None:
        interval = self.default_retry_delay if interval is None else interval
        members = GroupResult(group_id, [result_from_tuple(r, app=app) for r in result], app=app)
        join = members.join_native if members.supports_native_join else members.join
        exchange_type = kwargs.pop("_chord_unlock_exchange_type", None)
        options = {"countdown": interval, "max_retries": max_retries}
        if exchange_type is not None:
            options["exchange_type"] = exchange_type
        callback = maybe_signature(callback, app=app)
        problem = None
        try:
            try:
                ready = members.ready()
            except Exception as exc:
                problem = exc
                raise self.retry(exc=exc, **options) from exc
            if not ready:
                raise self.retry(**options)
        except Retry:
            raise
        except Exception as exc:
            logger.exception("Chord %r: chord_unlock could not be retried: %r", group_id, exc)
            cause = getattr(exc, "reason", None) or exc
            reason = f"chord_unlock could not be retried: {cause!r}"
            if problem is not None and problem is not cause:
                reason += f" (after deps.ready() raised {problem!r})"
            fail(callback, reason, cause)
            raise
        try:
            with allow_join_result():
                values = join(timeout=app.conf.result_chord_join_timeout, propagate=True)
        except Exception as exc:
            culprit = next(members._failed_join_report(), None)
            logger.exception("Chord %r raised: %r", group_id, exc)
            fail(callback, repr(exc) if culprit is None else f"Dependency {culprit.id} raised {exc!r}", exc)
            return
        try:
            app.amqp._retry_publish(callback.delay, values)
        except Exception as exc:
            logger.exception("Chord %r raised: %r", group_id, exc)
            fail(callback, f"Callback error: {exc!r}", exc)

    return unlock_chord


@connect_on_app_finalize
def add_map_task(app: Any) -> Any:
    """Calls a task for each item, one after the other."""
    from ..canvas import signature

    @app.task(name="celery.map", shared=False, lazy=False)
    def xmap(task: Any, it: Any) -> list[Any]:
        call = signature(task, app=app).type
        return [call(item) for item in it]

    return xmap


@connect_on_app_finalize
def add_starmap_task(app: Any) -> Any:
    """The same with each item as the arguments."""
    from ..canvas import signature

    @app.task(name="celery.starmap", shared=False, lazy=False)
    def xstarmap(task: Any, it: Any) -> list[Any]:
        call = signature(task, app=app).type
        return [call(*item) for item in it]

    return xstarmap


@connect_on_app_finalize
def add_chunk_task(app: Any) -> Any:
    """Applies a task to a long list in pieces."""

    @app.task(name="celery.chunks", shared=False, lazy=False)
    def chunks(task: Any, it: Any, n: int) -> Any:
        from ..canvas import chunks as pieces

        return pieces.apply_chunks(task, it, n)

    return chunks


@connect_on_app_finalize
def add_group_task(app: Any) -> Any:
    """Starts the members of a group from within a worker."""
    from ..canvas import maybe_signature
    from ..result import result_from_tuple

    @app.task(name="celery.group", bind=True, shared=False, lazy=False)
    def group(self: Any, tasks: Any, result: Any, group_id: str, partial_args: Any, add_to_parent: bool = True) -> Any:
        app = self.app
        result = result_from_tuple(result, app)
        for task in tasks:
            member = maybe_signature(task, app=app).clone(partial_args)
            member.apply_async(group_id=group_id, add_to_parent=False)
        parent = app.current_worker_task
        if add_to_parent and parent:
            parent.add_trail(result)
        return result

    return group


@connect_on_app_finalize
def add_chain_task(app: Any) -> Any:
    """A chain is no task: the name is reserved."""

    @app.task(name="celery.chain", shared=False, lazy=False)
    def chain(*args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("chain is not a real task")

    return chain


@connect_on_app_finalize
def add_chord_task(app: Any) -> Any:
    """Starts a chord from within a worker."""

    @app.task(name="celery.chord", bind=True, ignore_result=False, shared=False, lazy=False)
    def chord(
        self: Any,
        header: Any,
        body: Any,
        partial_args: Any = (),
        interval: Any = None,
        countdown: float = 1,
        max_retries: Any = None,
        eager: bool = False,
        **kwargs: Any,
    ) -> Any:
        from ..canvas import chord as chord_type
        from ..canvas import group, maybe_signature

        app = self.app
        members = header.tasks if isinstance(header, group) else header
        header = group([maybe_signature(member, app=app) for member in members], app=app)
        body = maybe_signature(body, app=app)
        return chord_type(header, body).run(header, body, partial_args, app, interval, countdown, max_retries, **kwargs)

    return chord
