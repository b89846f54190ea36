"""What dashboards and admin pages read under the names of RQ's keys, and what happens when they write there."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from . import jobs
from .watch import outcome


def names_of(connection, pattern="rq:*"):
    """The names of the keys that are there."""
    return sorted(key.decode() for key in connection.keys(pattern))


def test_keys_that_are_there(queue, connection, burst, observed):
    queue.enqueue(jobs.add, 1, job_id="j")
    observed("queued", names_of(connection))
    burst()
    observed(
        "finished",
        [key for key in names_of(connection) if key.split(":")[1] in ("job", "queues", "results", "finished")],
    )


def test_queue_as_a_list(queue, connection, observed):
    for name in ("a", "b", "c"):
        queue.enqueue(jobs.nothing, job_id=name)
    observed("type", connection.type(queue.key).decode())
    observed("ends", [connection.lindex(queue.key, place).decode() for place in (0, -1)])
    observed("range", [key.decode() for key in connection.lrange(queue.key, 0, -1)])
    observed("length", [connection.llen(queue.key), connection.exists(queue.key)])
    observed("removed", connection.lrem(queue.key, 0, "b"))
    connection.lpush(queue.key, "c")
    connection.rpush(queue.key, "a")
    observed("ids", queue.job_ids)
    observed("popped", [connection.lpop(queue.key), connection.rpop(queue.key)])
    observed("left", queue.job_ids)
    connection.delete(queue.key)
    observed("empty", [queue.count, connection.exists(queue.key)])


def test_names_of_the_queues(rq, connection, queue, observed):
    for name in ("x", "y"):
        rq.Queue(name, connection=connection).enqueue(jobs.nothing)
    observed("queues", sorted(connection.smembers("rq:queues")))
    observed("member", [bool(connection.sismember("rq:queues", f"rq:queue:{name}")) for name in ("x", "none")])
    connection.srem("rq:queues", "rq:queue:x")
    observed("all", [one.name for one in rq.Queue.all(connection=connection)])


def test_job_as_a_hash(queue, connection, burst, observed):
    job = queue.enqueue(jobs.add, 1, y=2, job_id="j", description="d", meta={"m": 1}, result_ttl=50)
    fields = {key.decode(): value for key, value in connection.hgetall(job.key).items()}
    observed("fields", sorted(fields))
    plain = ("status", "origin", "description", "timeout", "result_ttl")
    observed("values", {name: fields[name].decode() for name in plain})
    observed("types", [connection.type(job.key).decode(), connection.hexists(job.key, "meta"), connection.ttl(job.key)])
    burst()
    observed("after", connection.hget(job.key, "status").decode())
    assert connection.ttl(job.key) in (49, 50)
    observed(
        "worker", [connection.hexists(job.key, name) for name in ("started_at", "ended_at", "worker_name", "result")]
    )


def test_dates_in_the_hash(queue, connection):
    job = queue.enqueue(jobs.nothing)
    text = connection.hget(job.key, "created_at").decode()
    assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc) == job.created_at


def test_writing_into_the_hash(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing, job_id="j")
    connection.hset(job.key, "status", "failed")
    connection.hset(job.key, mapping={"description": "changed", "timeout": 7, "own": "x"})
    observed(
        "job",
        [job.get_status().value, *(getattr(job.fetch("j", connection), name) for name in ("description", "timeout"))],
    )
    observed("own", connection.hget(job.key, "own"))
    observed("deleted", [connection.hdel(job.key, "own", "none"), connection.hget(job.key, "own")])
    connection.hset(job.key, "own", "y")
    rq.Job.fetch("j", connection=connection).save()
    observed("kept", connection.hget(job.key, "own"))


def test_deleting_the_hash(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.nothing, job_id="j")
    observed("deleted", connection.delete(job.key))
    observed("fetch", outcome(lambda: rq.Job.fetch("j", connection=connection)))
    observed("ids", queue.job_ids)
    observed("burst", burst())


def test_life_time_of_the_hash(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing, job_id="j")
    observed("expire", [connection.expire(job.key, 50), connection.ttl(job.key)])
    observed("persist", [connection.persist(job.key), connection.ttl(job.key)])
    connection.expire(job.key, 0)
    observed("exists", rq.Job.exists("j", connection=connection))


@pytest.mark.parametrize("kind", ["finished", "failed", "canceled", "deferred", "scheduled"])
def test_registries_as_sorted_sets(queue, connection, burst, observed, kind):
    if kind == "finished":
        queue.enqueue(jobs.nothing, job_id="j")
        burst()
    elif kind == "failed":
        queue.enqueue(jobs.boom, job_id="j")
        burst()
    elif kind == "canceled":
        queue.enqueue(jobs.nothing, job_id="j").cancel()
    elif kind == "deferred":
        queue.enqueue(jobs.nothing, job_id="j", depends_on=queue.enqueue(jobs.nothing))
    else:
        queue.enqueue_in(timedelta(hours=1), jobs.nothing, job_id="j")
    key = f"rq:{kind}:default"
    observed("type", connection.type(key).decode())
    observed("members", connection.zrange(key, 0, -1))
    observed("counts", [connection.zcard(key), connection.exists(key), connection.zscore(key, "none")])
    ((_, score),) = connection.zrange(key, 0, -1, withscores=True)
    away = score - datetime.now(timezone.utc).timestamp()
    observed("hours away", round(away / 3600))
    observed("removed", [connection.zrem(key, "j"), getattr(queue, f"{kind}_job_registry").count])


def test_dependents_as_sets(queue, connection, observed):
    parents = [queue.enqueue(jobs.nothing, job_id=name) for name in ("p", "q")]
    child = queue.enqueue(jobs.nothing, job_id="c", depends_on=parents)
    observed("dependents", [connection.smembers(parent.dependents_key) for parent in parents])
    observed("dependencies", sorted(connection.smembers(child.dependencies_key)))
    observed("types", [connection.type(key).decode() for key in (parents[0].dependents_key, child.dependencies_key)])
    connection.srem(parents[0].dependents_key, "c")
    observed("dependent ids", [parent.dependent_ids for parent in parents])


def test_results_of_a_job(queue, connection, burst, observed):
    job = queue.enqueue(jobs.add, 1, job_id="j")
    observed("before", connection.exists("rq:results:j"))
    burst()
    observed(
        "after",
        [connection.exists("rq:results:j"), connection.type("rq:results:j").decode()],
    )
    connection.delete("rq:results:j")
    observed("deleted", [job.latest_result(), job.return_value()])


def test_worker_as_a_hash(rq, worker, connection, observed):
    helper = worker(name="w")
    helper.register_birth()
    observed("workers", connection.smembers("rq:workers"))
    observed("of the queue", connection.smembers("rq:workers:default"))
    fields = connection.hgetall("rq:worker:w")
    observed("fields", sorted(key.decode() for key in fields))
    observed("queues", fields[b"queues"])
    helper.register_death()
    observed("after", [connection.smembers("rq:workers"), connection.hexists("rq:worker:w", "death")])


def test_a_running_job_in_the_started_registry(rq, queue, connection, burst, observed):
    queue.enqueue(jobs.keys_of_this_run, job_id="j")
    burst()
    observed("seen", jobs.notes())
    observed("after", connection.zcard("rq:wip:default"))


def test_flushdb_takes_everything(rq, queue, connection, burst, observed):
    queue.enqueue(jobs.nothing)
    queue.enqueue_in(timedelta(hours=1), jobs.nothing)
    connection.flushdb()
    observed("left", [names_of(connection), connection.dbsize(), queue.count, queue.scheduled_job_registry.count])
    observed("queues", rq.Queue.all(connection=connection))
