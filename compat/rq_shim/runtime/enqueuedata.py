"""What `enqueue` takes apart and `enqueue_many` puts together: one call with its options, as a tuple."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["EnqueueArgs", "EnqueueData"]


class EnqueueData(NamedTuple):
    """One job of `enqueue_many`; made by `Queue.prepare_data`."""

    func: Any
    args: Any = None
    kwargs: Any = None
    timeout: Any = None
    result_ttl: Any = None
    ttl: Any = None
    failure_ttl: Any = None
    description: Any = None
    depends_on: Any = None
    job_id: Any = None
    at_front: bool = False
    meta: Any = None
    retry: Any = None
    on_success: Any = None
    on_failure: Any = None
    on_stopped: Any = None
    repeat: Any = None
    webhooks: Any = None


class EnqueueArgs(NamedTuple):
    """What `Queue.parse_args` finds."""

    func: Any
    timeout: Any
    description: Any
    result_ttl: Any
    ttl: Any
    failure_ttl: Any
    depends_on: Any
    job_id: Any
    at_front: Any
    meta: Any
    retry: Any
    repeat: Any
    on_success: Any
    on_failure: Any
    on_stopped: Any
    rate_limit: Any
    pipeline: Any
    unique: Any
    args: Any
    kwargs: Any
    webhooks: Any
