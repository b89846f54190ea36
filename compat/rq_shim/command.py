"""Commands to workers: shut down, kill the horse, stop a job. They take effect in the call that sends them."""

from __future__ import annotations

import json
from typing import Any

from .connections import client_of
from .defaults import RQ_KEY_PREFIX
from .exceptions import InvalidJobOperation
from .executions import Execution
from .job import Job

__all__ = [
    "PUBSUB_CHANNEL_TEMPLATE",
    "handle_command",
    "parse_payload",
    "send_command",
    "send_kill_horse_command",
    "send_shutdown_command",
    "send_stop_execution_command",
    "send_stop_job_command",
]

PUBSUB_CHANNEL_TEMPLATE = RQ_KEY_PREFIX + ":pubsub:%s"


def send_command(connection: Any, worker_name: str, command: str, **kwargs: Any) -> None:
    """Publishes a command on a worker's channel."""
    client_of(connection).publish(PUBSUB_CHANNEL_TEMPLATE % worker_name, json.dumps({"command": command, **kwargs}))


def parse_payload(payload: dict[Any, Any]) -> dict[Any, Any]:
    """The command in a message."""
    data = payload["data"]
    return json.loads(data.decode() if isinstance(data, bytes) else data)  # type: ignore[no-any-return]


def send_shutdown_command(connection: Any, worker_name: str) -> None:
    """The worker ends after its current job."""
    send_command(connection, worker_name, "shutdown")


def send_kill_horse_command(connection: Any, worker_name: str) -> None:
    """The worker's current job is ended as if its process had died."""
    send_command(connection, worker_name, "kill-horse")


def send_stop_execution_command(connection: Any, job_id: str, execution_id: str) -> None:
    """Stops one run of a job."""
    try:
        execution = Execution.fetch(id=execution_id, job_id=job_id, connection=connection)
    except ValueError:
        raise InvalidJobOperation("Execution is not running") from None
    send_command(connection, execution.worker_name, "stop-execution", job_id=job_id, execution_id=execution_id)


def send_stop_job_command(connection: Any, job_id: str, serializer: Any = None) -> None:
    """Stops a running job: it fails with the status stopped."""
    job = Job.fetch(job_id, connection=connection, serializer=serializer)
    if not job.worker_name:
        raise InvalidJobOperation("Job is not currently executing")
    send_command(connection, job.worker_name, "stop-job", job_id=job_id)


def handle_command(worker: Any, payload: dict[Any, Any]) -> None:
    """Does what a command says; unknown ones are ignored."""
    command = payload["command"]
    if command == "stop-execution":
        handle_stop_execution_command(worker, payload)
    elif command == "stop-job":
        handle_stop_job_command(worker, payload)
    elif command == "shutdown":
        handle_shutdown_command(worker)
    elif command == "kill-horse":
        handle_kill_worker_command(worker, payload)


def handle_shutdown_command(worker: Any) -> None:
    """Ends the worker's loop. No signal is sent: the process is the application's."""
    worker.log.info("Received shutdown command, sending SIGINT signal.")
    worker.request_warm_stop()


def handle_kill_worker_command(worker: Any, payload: dict[Any, Any]) -> None:
    """Kills the horse, if the worker has one."""
    worker.log.info("Received kill horse command.")
    if worker.horse_pid:
        worker.log.info("Killing horse...")
        worker.kill_horse()
    else:
        worker.log.info("Worker is not working, kill horse command ignored")


def handle_stop_execution_command(worker: Any, payload: dict[Any, Any]) -> None:
    """Stops a run, if it is this worker's."""
    job_id, execution_id = payload.get("job_id", ""), payload.get("execution_id", "")
    worker.log.debug("Received command to stop execution %s of job %s", execution_id, job_id)
    worker.request_stop_execution(execution_id)


def handle_stop_job_command(worker: Any, payload: dict[Any, Any]) -> None:
    """Stops a job, if this worker runs it."""
    job_id = payload.get("job_id")
    worker.log.debug("Received command to stop job %s", job_id)
    if job_id and worker.get_current_job_id() == job_id:
        worker._stopped_job_id = job_id
        worker.kill_horse()
    else:
        worker.log.warning("Not working on job %s, command ignored.", job_id)
