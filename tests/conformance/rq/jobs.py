"""The functions that the conformance tests enqueue, and the notes they leave.

A job says what it saw with ``note``; a test reads ``notes()``. Notes are kept in the test's
database, not in a global, because the real Worker runs a job in a forked process.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from typing import Any

from .names import names

NOTES = "conformance:notes"
_state: dict[str, Any] = {"connection": None}
started = threading.Event()
release = threading.Event()


def reset(connection: Any) -> None:
    """Point the notes to a test's database and clear the events."""
    _state["connection"] = connection
    started.clear()
    release.clear()


def note(value: Any) -> None:
    """Leave a note for the test."""
    _state["connection"].rpush(NOTES, json.dumps(value))


def notes(connection: Any = None) -> list[Any]:
    """Return the notes in the order in which they were left; another thread brings its connection."""
    return [json.loads(entry) for entry in (connection or _state["connection"]).lrange(NOTES, 0, -1)]


def add(x: int, y: int = 1) -> int:
    """Return a sum."""
    return x + y


def nothing() -> None:
    """Return None."""


def echo(value: Any) -> Any:
    """Return the argument."""
    return value


def shape(*args: Any, **kwargs: Any) -> list[Any]:
    """Return the arguments as the job saw them."""
    return [list(args), kwargs]


def kinds(*args: Any) -> list[str]:
    """Return the type names of the arguments."""
    return [type(arg).__name__ for arg in args]


def say(word: str) -> str:
    """Note a word and return it."""
    note(word)
    return word


def boom(message: str = "bad") -> None:
    """Raise ValueError."""
    raise ValueError(message)


def boom_from() -> None:
    """Raise an error with a cause."""
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise RuntimeError("outer") from error


def say_boom(word: str) -> None:
    """Note a word, then fail."""
    note(word)
    raise ValueError(word)


def leave() -> None:
    """Raise SystemExit."""
    raise SystemExit(3)


def interrupt() -> None:
    """Raise KeyboardInterrupt."""
    raise KeyboardInterrupt


def end_process(code: int) -> None:
    """End the process that runs the job without any clean-up."""
    os._exit(code)


def unpicklable() -> Any:
    """Return what no serializer takes."""
    return threading.Lock()


def busy(seconds: float) -> str:
    """Stay in Python code for some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "done"


def hold(seconds: float = 20.0) -> str:
    """Tell that the job runs, then wait to be released or stopped, in Python code."""
    note("holding")
    started.set()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not release.is_set():
        if _state["connection"].exists("conformance:release"):
            break
        time.sleep(0.01)
    return "held"


def let_go(connection: Any) -> None:
    """Release ``hold``, whichever process it runs in."""
    release.set()
    connection.set("conformance:release", 1)


async def coroutine(x: int) -> int:
    """Await once and return a double."""
    await asyncio.sleep(0)
    return 2 * x


async def coroutine_boom() -> None:
    """Await once and fail."""
    await asyncio.sleep(0)
    raise ValueError("async bad")


def generator() -> Any:
    """Yield one value."""
    yield 1


def current() -> dict[str, Any] | None:
    """Note and return what the current job looks like from inside."""
    job = names().get_current_job()
    if job is None:
        return None
    return {"id": job.id, "status": str(job.get_status().value), "worker": job.worker_name}


def current_id() -> str | None:
    """Return the id of the current job."""
    job = names().get_current_job()
    return job.id if job else None


def keys_of_this_run() -> None:
    """Note what the keys say about the run of the current job."""
    job = names().get_current_job()
    (entry,) = job.connection.zrange("rq:wip:default", 0, -1)
    job_id, _, execution_id = entry.decode().partition(":")
    (execution,) = job.get_executions()
    note([job_id, execution_id == execution.id, job.connection.hget(job.key, "status").decode()])


def set_meta(saved: bool) -> None:
    """Set meta from inside the job, with or without saving it."""
    job = names().get_current_job()
    job.meta["seen"] = "inside"
    if saved:
        job.save_meta()


def progress(steps: int) -> int:
    """Save a growing meta value."""
    job = names().get_current_job()
    for step in range(1, steps + 1):
        job.meta["progress"] = step
        job.save_meta()
        note(names().Job.fetch(job.id, connection=job.connection).meta["progress"])
    return steps


def flaky(word: str, failures: int) -> str:
    """Fail so many times, then succeed; the count is kept in the database."""
    note(word)
    count = _state["connection"].incr(f"conformance:flaky:{word}")
    if count <= failures:
        raise ValueError(f"{word} {count}")
    return word


def ask_retry(maximum: int, interval: Any = 0) -> Any:
    """Return a Retry each time."""
    note("asked")
    return names().Retry(max=maximum, interval=interval)


def ask_retry_until(runs: int, maximum: int) -> Any:
    """Return a Retry until the job has run so many times, then its run number."""
    count = _state["connection"].incr("conformance:asked")
    note(count)
    return count if count >= runs else names().Retry(max=maximum)


def enqueue_more(word: str) -> str:
    """Enqueue another job from inside a job."""
    job = names().get_current_job()
    names().Queue(job.origin, connection=job.connection).enqueue(say, word)
    return "enqueued"


def parent_values() -> list[Any]:
    """Return the values of the current job's dependencies."""
    job = names().get_current_job()
    return [parent.return_value() for parent in job.fetch_dependencies()]


def cancel_self() -> str:
    """Cancel the running job from inside."""
    names().get_current_job().cancel()
    return "still ran"


def delete_self() -> str:
    """Delete the running job from inside."""
    names().get_current_job().delete()
    return "still ran"


def describe_registries() -> dict[str, Any]:
    """Return where the running job can be found while it runs."""
    job = names().get_current_job()
    queue = names().Queue(job.origin, connection=job.connection)
    worker = names().Worker.all(queue=queue)
    return {
        "started": queue.started_job_registry.get_job_ids() == [job.id],
        "executions": [execution.worker_name for execution in job.get_executions()],
        "queued": queue.job_ids,
        "states": [str(item.get_state()) for item in worker],
        "current": [item.get_current_job_id() == job.id for item in worker],
        "has_started_at": job.started_at is not None,
        "ended_at": job.ended_at,
        "position": job.get_position(),
    }


class Greeter:
    """Offers every kind of method that can be enqueued."""

    def __init__(self, word: str = "hello") -> None:
        self.word = word

    def greet(self, name: str) -> str:
        """Greet, from an instance."""
        return f"{self.word} {name}"

    @classmethod
    def shout(cls, name: str) -> str:
        """Greet, from the class."""
        return f"{cls.__name__} {name.upper()}"

    @staticmethod
    def whisper(name: str) -> str:
        """Greet, from nowhere."""
        return name.lower()

    def __call__(self, name: str) -> str:
        return f"called {self.word} {name}"


def on_success(job: Any, connection: Any, result: Any) -> None:
    """Note what a success callback sees."""
    stored = names().Job.fetch(job.id, connection=connection)
    note(
        {
            "hook": "success",
            "result": result,
            "local": str(job.get_status(refresh=False).value),
            "stored": str(stored.get_status().value),
            "return_value": stored.return_value(refresh=True),
            "current": names().get_current_job() is not None,
            "ended": job.ended_at is not None,
        }
    )


def on_failure(job: Any, connection: Any, kind: Any, value: Any, trace: Any) -> None:
    """Note what a failure callback sees."""
    stored = names().Job.fetch(job.id, connection=connection)
    note(
        {
            "hook": "failure",
            "kind": kind.__name__,
            "value": str(value),
            "trace": type(trace).__name__,
            "local": str(job.get_status(refresh=False).value),
            "stored": str(stored.get_status().value),
            "current": names().get_current_job() is not None,
            "retries_left": job.retries_left,
        }
    )


def on_stopped(job: Any, connection: Any) -> None:
    """Note what a stopped callback sees."""
    stored = names().Job.fetch(job.id, connection=connection)
    note({"hook": "stopped", "stored": str(stored.get_status().value)})


def bad_success(job: Any, connection: Any, result: Any) -> None:
    """Fail in a success callback."""
    note("bad success")
    raise RuntimeError("success callback failed")


def bad_failure(job: Any, connection: Any, kind: Any, value: Any, trace: Any) -> None:
    """Fail in a failure callback."""
    note("bad failure")
    raise RuntimeError("failure callback failed")


def slow_success(job: Any, connection: Any, result: Any) -> None:
    """Stay in a success callback for ten seconds."""
    busy(10)


async def async_success(job: Any, connection: Any, result: Any) -> None:
    """Be a callback that rq refuses."""


def handle_say(job: Any, kind: Any, value: Any, trace: Any) -> None:
    """Note an exception handler's call and let the next one run."""
    note(["handler", kind.__name__, job.retries_left])


def handle_stop(job: Any, kind: Any, value: Any, trace: Any) -> bool:
    """Note the call and end the chain."""
    note(["last handler", kind.__name__])
    return False


def handle_raise(job: Any, kind: Any, value: Any, trace: Any) -> None:
    """Fail in an exception handler."""
    raise RuntimeError("handler failed")


def sleeper(seconds: float) -> str:
    """Sleep in C, where no Python code runs."""
    time.sleep(seconds)
    return "slept"


def divmod_of(x: int, y: int) -> tuple[int, int]:
    """Return a tuple."""
    return divmod(x, y)


def a_set() -> set[int]:
    """Return what JSON does not hold."""
    return {1}


def same(first: list[int], second: list[list[int]]) -> bool:
    """Return whether two arguments share an object."""
    return second[0] is first


def say_retry(word: str, maximum: int) -> Any:
    """Note a word and ask to be retried, each time."""
    note(word)
    return names().Retry(max=maximum)
