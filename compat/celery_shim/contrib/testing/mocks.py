"""Messages and contexts for unit tests."""

from __future__ import annotations

import numbers
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import Mock


def _moment(seconds: Any) -> Any:
    if isinstance(seconds, numbers.Number):
        return datetime.now(timezone.utc) + timedelta(seconds=seconds)  # type: ignore[arg-type]
    return seconds


def _iso(moment: Any) -> Any:
    return moment.isoformat() if hasattr(moment, "isoformat") else moment


def TaskMessage(
    name: str,
    id: str | None = None,
    args: Any = (),
    kwargs: Any = None,
    callbacks: Any = None,
    errbacks: Any = None,
    chain: Any = None,
    shadow: Any = None,
    utc: Any = None,
    **options: Any,
) -> Any:
    """A message of protocol 2."""
    from kombu.serialization import dumps

    from ...utils.lean import uuid

    message = Mock(name=f"TaskMessage-{id}")
    message.headers = {"id": id or uuid(), "task": name, "shadow": shadow}
    embed = {"callbacks": callbacks, "errbacks": errbacks, "chain": chain}
    message.headers.update(options)
    body = (args, kwargs or {}, embed)
    message.content_type, message.content_encoding, message.body = dumps(body, serializer="json")
    message.payload = body
    return message


def TaskMessage1(
    name: str,
    id: str | None = None,
    args: Any = (),
    kwargs: Any = None,
    callbacks: Any = None,
    errbacks: Any = None,
    chain: Any = None,
    **options: Any,
) -> Any:
    """A message of protocol 1."""
    from kombu.serialization import dumps

    from ...utils.lean import uuid

    message = Mock(name=f"TaskMessage-{id}")
    message.headers = {}
    message.payload = {
        "task": name,
        "id": id or uuid(),
        "args": args,
        "kwargs": kwargs or {},
        "callbacks": callbacks,
        "errbacks": errbacks,
    }
    message.payload.update(options)
    message.content_type, message.content_encoding, message.body = dumps(message.payload)
    return message


def task_message_from_sig(app: Any, sig: Any, utc: bool = True, TaskMessage: Any = TaskMessage) -> Any:
    """The message that sending a signature would make."""
    sig.freeze()
    options = dict(sig.options)
    callbacks, errbacks = options.pop("link", None), options.pop("link_error", None)
    countdown = options.pop("countdown", None)
    eta = _moment(countdown) if countdown else options.pop("eta", None)
    expires = _moment(options.pop("expires", None))
    return TaskMessage(
        sig.task,
        id=sig.id,
        args=sig.args,
        kwargs=sig.kwargs,
        callbacks=[dict(s) for s in callbacks] if callbacks else None,
        errbacks=[dict(s) for s in errbacks] if errbacks else None,
        eta=_iso(eta),
        expires=_iso(expires),
        utc=utc,
        **options,
    )


class _ContextMock(Mock):
    """A mock that is a context manager too."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        pass


def ContextMock(*args: Any, **kwargs: Any) -> Any:
    mock = _ContextMock(*args, **kwargs)
    for name in ("__enter__", "__exit__"):
        method = Mock(name=name, return_value=mock if name == "__enter__" else None)
        setattr(mock, name, method)
    return mock
