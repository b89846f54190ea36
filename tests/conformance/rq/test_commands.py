"""Commands to a running worker: stop a job, shut down, kill the horse; and what running looks like from outside.

The worker runs in the test's thread; a second thread waits for the job, acts, and looks on.
"""

from __future__ import annotations

import os
import signal
import threading

import pytest

from . import jobs
from .watch import outcome, until


class Bystander(threading.Thread):
    """Acts once the job holds, with a connection of its own: the real worker forks meanwhile."""

    def __init__(self, connect, action):
        super().__init__(daemon=True)
        self.connection = connect()
        self.action = action
        self.answer = None
        self.error = None

    def run(self):
        """Wait for the job, act, keep the answer; let the job go if the action failed."""
        try:
            until(lambda: "holding" in jobs.notes(self.connection), 20)
            self.answer = self.action(self.connection)
        except BaseException as error:
            self.error = error
            jobs.let_go(self.connection)

    def result(self):
        """Return the action's answer, or raise its error."""
        self.join(30)
        assert not self.is_alive(), "the action did not end"
        if self.error is not None:
            raise self.error
        return self.answer


@pytest.fixture
def during(rq, connect, queue, connection):
    """Return a function that works the queue in a Worker while an action runs beside it."""

    def run(action, worker_class="Worker", **options):
        bystander = Bystander(connect, action)
        bystander.start()
        helper = getattr(rq, worker_class)([queue], name="W", connection=connection, **options)
        worked = helper.work(burst=True)
        return worked, bystander.result(), helper

    return run


def stop(rq, job):
    """Return an action that stops a job and waits for the effect."""

    def action(connection):
        rq.send_stop_job_command(connection, job.id)
        until(lambda: rq.Job.fetch(job.id, connection=connection).get_status() == "stopped", 20)

    return action


def test_stop_a_running_job(rq, queue, during, logs, observed):
    job = queue.enqueue(jobs.hold, job_id="J", retry=rq.Retry(3))
    worked, _, _ = during(stop(rq, job))
    job.refresh()
    observed("worked", worked)
    observed("job", [job.get_status().value, job.retries_left, job.ended_at])
    observed("result", [job.latest_result().type.name, job.latest_result().exc_string])
    observed("registries", [queue.failed_job_registry.get_job_ids(), queue.started_job_registry.count])
    observed("line", logs.having("stopped by user"))


def test_stopped_callback(rq, queue, during, observed):
    job = queue.enqueue(
        jobs.hold, on_stopped=rq.Callback(jobs.on_stopped), on_failure=rq.Callback(jobs.on_failure), job_id="J"
    )
    during(stop(rq, job))
    observed("notes", jobs.notes())


def test_handlers_are_not_called_for_a_stop(rq, queue, during, observed):
    job = queue.enqueue(jobs.hold, job_id="J")
    during(stop(rq, job), exception_handlers=[jobs.handle_say])
    observed("notes", jobs.notes())


def test_child_of_a_stopped_parent(rq, queue, during, observed):
    job = queue.enqueue(jobs.hold, job_id="J")
    child = queue.enqueue(jobs.say, "child", depends_on=job)
    during(stop(rq, job))
    observed("status", child.get_status().value)


def test_next_job_after_a_stop(rq, queue, during, observed):
    job = queue.enqueue(jobs.hold, job_id="J")
    queue.enqueue(jobs.say, "next")
    during(stop(rq, job))
    observed("notes", jobs.notes())


def test_stopped_job_can_be_requeued(rq, queue, during, burst, connection, observed):
    job = queue.enqueue(jobs.hold, job_id="J")
    during(stop(rq, job))
    job.requeue()
    observed("status", job.get_status().value)
    jobs.let_go(connection)
    rq.Worker([queue], connection=connection).work(burst=True)
    observed("finished", [job.get_status().value, job.return_value()])


def test_stop_on_a_simple_worker(rq, queue, during, observed):
    job = queue.enqueue(jobs.hold, 2, job_id="J")

    def action(connection):
        rq.send_stop_job_command(connection, job.id)

    during(action, "SimpleWorker")
    observed("status", job.get_status().value, shim="stopped", row="rq-stop-simple-worker")


def test_stop_of_what_does_not_run(rq, queue, connection, observed):
    observed("missing", outcome(lambda: rq.send_stop_job_command(connection, "none")))
    job = queue.enqueue(jobs.nothing)
    observed("queued", outcome(lambda: rq.send_stop_job_command(connection, job.id)))


def test_stop_of_a_finished_job(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.nothing)
    burst()
    observed("finished", outcome(lambda: rq.send_stop_job_command(connection, job.id)))
    observed("status", job.get_status().value)


def test_stop_of_another_job_is_ignored(rq, queue, during, logs, observed):
    job = queue.enqueue(jobs.hold, job_id="J")

    def action(connection):
        rq.send_command(connection, "W", "stop-job", job_id="other")
        until(lambda: logs.having("command ignored"), 10)
        jobs.let_go(connection)

    during(action)
    observed("status", job.get_status().value)
    observed("line", logs.having("command ignored"))


def test_shutdown_lets_the_job_finish(rq, queue, during, logs, observed):
    job = queue.enqueue(jobs.hold, job_id="J")
    left = queue.enqueue(jobs.say, "not reached")

    def action(connection):
        rq.send_shutdown_command(connection, "W")
        until(lambda: logs.having("warm shut down"), 10)
        jobs.let_go(connection)

    worked, _, _ = during(action)
    observed("worked", worked)
    observed("jobs", [job.get_status().value, left.get_status().value])
    observed("lines", logs.having("shut"))
    observed("workers", rq.Worker.count(connection=queue.connection))


def test_request_stop_by_hand(rq, queue, during, logs, observed):
    job = queue.enqueue(jobs.say, "x")
    helper = rq.SimpleWorker([queue], name="W", connection=queue.connection)
    helper._stop_requested = True
    observed("worked", helper.work(burst=True))
    observed("status", job.get_status().value)
    observed("line", logs.having("stopping"))


def test_two_signals_end_the_worker_at_once(rq, queue, during, logs, observed):
    job = queue.enqueue(jobs.hold, job_id="J")
    left = queue.enqueue(jobs.say, "not reached")

    def action(connection):
        os.kill(os.getpid(), signal.SIGINT)
        until(lambda: logs.having("warm shut down"), 10)
        threading.Event().wait(1.1)  # a second signal within a second counts as the first one sent twice
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(SystemExit):
        during(action)
    until(lambda: logs.having("cold shut down"), 10)
    observed("lines", logs.having("shut down"))
    observed("jobs", [job.get_status().value, left.get_status().value])
    observed("registries", [queue.failed_job_registry.count, queue.count, job.latest_result()])
    observed("workers", rq.Worker.count(connection=queue.connection))


def test_kill_horse(rq, queue, during, logs, observed):
    job = queue.enqueue(jobs.hold, job_id="J", on_failure=rq.Callback(jobs.on_failure))

    def action(connection):
        rq.send_kill_horse_command(connection, "W")
        until(lambda: rq.Job.fetch("J", connection=connection).get_status() == "failed", 20)

    during(action)
    observed("status", job.get_status().value)
    observed("words", job.latest_result().exc_string)
    observed("notes", jobs.notes())
    observed("line", list(logs.having("job J failed")))
    observed("killed", logs.having("killed horse"))


def test_kill_horse_takes_one_retry(rq, queue, during, observed):
    job = queue.enqueue(jobs.hold, job_id="J", retry=rq.Retry(1, 60))

    def action(connection):
        rq.send_kill_horse_command(connection, "W")
        until(lambda: rq.Job.fetch("J", connection=connection).get_status() == "scheduled", 20)

    during(action)
    job.refresh()
    observed("job", [job.get_status().value, job.retries_left])


def test_cancel_a_running_job(rq, queue, during, observed):
    job = queue.enqueue(jobs.hold, job_id="J")
    child = queue.enqueue(jobs.say, "child", depends_on=job)

    def action(connection):
        held = rq.Job.fetch("J", connection=connection)
        held.cancel()
        status = held.get_status().value
        jobs.let_go(connection)
        return status

    _, status, _ = during(action)
    observed("status while it ran", status)
    observed("status", job.get_status().value)
    observed("registries", [queue.canceled_job_registry.get_job_ids(), queue.finished_job_registry.get_job_ids()])
    observed("child", child.get_status().value)


def test_delete_a_running_job(rq, queue, during, connection, observed):
    queue.enqueue(jobs.hold, job_id="J")

    def action(other):
        rq.Job.fetch("J", connection=other).delete()
        gone = rq.Job.exists("J", connection=other)
        jobs.let_go(other)
        return gone

    _, exists, _ = during(action)
    observed("exists while it ran", exists)
    observed("exists", rq.Job.exists("J", connection=connection))


def test_worker_seen_from_outside(rq, queue, during, observed):
    job = queue.enqueue(jobs.hold, job_id="J")

    def action(connection):
        other = rq.Queue(connection=connection)
        (seen,) = rq.Worker.all(connection=connection)
        (execution,) = rq.Job.fetch("J", connection=connection).get_executions()
        answer = {
            "name": seen.name,
            "state": seen.get_state(),
            "current": seen.get_current_job_id(),
            "current job": seen.get_current_job().id,
            "started": other.started_job_registry.get_job_ids(),
            "started count": other.started_job_registry.count,
            "in": [job in other.started_job_registry, "x" in other.started_job_registry],
            "execution worker": execution.worker_name,
            "execution job": execution.job.id,
            "job": [rq.Job.fetch("J", connection=connection).get_status().value, other.count],
            "worker": rq.Job.fetch("J", connection=connection).worker_name,
        }
        jobs.let_go(connection)
        return answer

    _, seen, _ = during(action)
    seen["state"] = str(getattr(seen["state"], "value", seen["state"]))
    observed("seen", seen)
    observed("afterwards", [queue.started_job_registry.count, len(job.get_executions())])


def test_progress_seen_from_outside(rq, queue, during, observed):
    queue.enqueue(hold_with_meta, job_id="J")

    def action(connection):
        meta = rq.Job.fetch("J", connection=connection).meta
        jobs.let_go(connection)
        return meta

    _, meta, _ = during(action)
    observed("meta", meta)


def hold_with_meta():
    """Save meta, then hold."""
    from .names import names

    job = names().get_current_job()
    job.meta["step"] = 3
    job.save_meta()
    return jobs.hold()


def test_suspend_lets_the_running_job_finish(rq, queue, during, observed):
    job = queue.enqueue(jobs.hold, job_id="J")
    left = queue.enqueue(jobs.say, "next")

    def action(connection):
        rq.suspend(connection)
        jobs.let_go(connection)

    during(action)
    observed("jobs", [job.get_status().value, left.get_status().value])


def test_waiting_for_the_result_of_a_running_job(rq, queue, during, observed):
    queue.enqueue(jobs.hold, job_id="J")

    def action(connection):
        threading.Timer(0.2, jobs.let_go, [connection]).start()
        return rq.Job.fetch("J", connection=connection).latest_result(timeout=20).return_value

    _, value, _ = during(action)
    observed("value", value)


def test_signal_names(rq, observed):
    observed("names", [rq.module("worker").signal_name(number) for number in (signal.SIGINT, signal.SIGTERM)])


def test_channel_name(rq, observed):
    observed("template", rq.module("command").PUBSUB_CHANNEL_TEMPLATE)


def test_stop_requests_of_an_idle_worker(rq, queue, connection, logs, observed):
    helper = rq.SimpleWorker([queue], name="W", connection=connection)
    observed("warm", outcome(lambda: helper.request_stop(signal.SIGINT, None)).split(":")[0])
    observed("lines", logs.having("shut down"))
