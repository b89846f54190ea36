"""What is sent after a task has succeeded: its linked tasks and the next step of its chain."""

from __future__ import annotations

from typing import Any

from .. import states
from ..exceptions import BackendGetMetaError, Reject
from .tracelog import LOG_IGNORED, get_task_name, info, logger

__all__ = ("already_done", "send_successors")


def send_successors(app: Any, retval: Any, request: Any, parent_id: str, root_id: str, priority: Any) -> None:
    """Send the linked tasks, and the next step of the chain, with the value."""
    from ..canvas import maybe_signature

    publish = app.amqp._retry_publish
    options = {"parent_id": parent_id, "root_id": root_id, "priority": priority}
    for callback in request.callbacks or ():
        publish(maybe_signature(callback, app=app).apply_async, (retval,), **options)
    chain = request.chain
    if chain:
        step = maybe_signature(chain[-1], app=app)
        publish(step.apply_async, (retval,), chain=chain[:-1], **options)


def already_done(app: Any, task: Any, name: str, request: Any, uuid: str, inherit_priority: bool) -> bool:
    """True if a message that was delivered again has succeeded before; then only its successors may be missing."""
    from ..worker.state import successful_requests

    if request.id in successful_requests:
        return True
    result = app.AsyncResult(request.id)
    try:
        if result.state != states.SUCCESS:
            return False
    except BackendGetMetaError:
        return False
    info(
        LOG_IGNORED,
        {
            "id": request.id,
            "name": get_task_name(request, name),
            "description": "Task already completed successfully.",
        },
    )
    try:
        meta = result._get_task_meta()
        if (request.callbacks or request.chain) and not meta.get("children"):
            priority = request.delivery_info.get("priority") if inherit_priority else None
            send_successors(app, meta.get("result"), request, uuid, request.root_id or uuid, priority)
        successful_requests.add(request.id)
    except MemoryError:
        raise
    except Exception as exc:
        logger.error("Failed to dispatch chain/callbacks for deduplicated task %s", request.id, exc_info=True)
        raise Reject(exc, requeue=True) from exc
    return True
