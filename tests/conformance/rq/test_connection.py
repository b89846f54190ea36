"""The connection object: its handle, and the small key-value store that callbacks and tests use."""

from __future__ import annotations

import pytest

from . import jobs
from .watch import outcome, until

K = "conformance:key"


def test_handle(connection, observed):
    observed("ping", connection.ping())
    observed("size", connection.dbsize())
    connection.set(K, 1)
    observed("size after", connection.dbsize())
    observed("flush", connection.flushdb())
    observed("size at the end", connection.dbsize())


def test_info(connection):
    assert int(connection.info("server")["redis_version"].split(".")[0]) >= 5


def test_options_of_the_connection(connection, observed):
    options = connection.connection_pool.connection_kwargs
    observed("host and db", [options["host"], options["db"]])


def test_databases_are_apart(connect, connection, observed):
    other = connect(db=1)
    connection.set(K, "zero")
    observed("other", other.get(K))
    other.set(K, "one")
    observed("values", [connection.get(K), other.get(K)])
    other.flushdb()
    observed("after", [connection.get(K), other.get(K)])


def test_queues_of_two_databases_are_apart(rq, connect, connection, observed):
    other = rq.Queue(connection=connect(db=1))
    rq.Queue(connection=connection).enqueue(jobs.nothing)
    observed("counts", [rq.Queue(connection=connection).count, other.count])


def test_two_clients_see_one_store(connect, connection, observed):
    connection.set(K, "x")
    observed("value", connect().get(K))


def test_context_manager(connect, connection, observed):
    with connect() as client:
        observed("ping", client.ping())


def test_from_url(connection, observed):
    options = connection.connection_pool.connection_kwargs
    client = type(connection).from_url(f"redis://{options['host']}:{options['port']}/0")
    connection.set(K, "x")
    observed("value", client.get(K))


def test_text_answers(connect, connection, observed):
    client = connect(decode_responses=True)
    connection.set(K, "x")
    connection.hset("conformance:h", "f", "v")
    observed("values", [client.get(K), client.hgetall("conformance:h")])


@pytest.mark.parametrize("value", ["text", b"bytes", 3, 1.5, "ä"], ids=str)
def test_set_and_get(connection, observed, value):
    observed("set", connection.set(K, value))
    observed("get", connection.get(K))


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, True], ids=str)
def test_values_that_are_refused(connection, observed, value):
    observed("error", outcome(lambda: connection.set(K, value)).split(":")[0])


def test_set_options(connection, observed):
    observed("nx", [connection.set(K, 1, nx=True), connection.set(K, 2, nx=True), connection.get(K)])
    observed("ex", [connection.set(K, 3, ex=100), connection.ttl(K) in (99, 100)])
    observed("cleared", [connection.set(K, 4), connection.ttl(K)])


def test_delete_and_exists(connection, observed):
    connection.set(K, 1)
    connection.set(K + "2", 1)
    observed("exists", [connection.exists(K), connection.exists(K, K + "2", "no")])
    observed("delete", [connection.delete(K, "no"), connection.delete(K), connection.exists(K)])


def test_expire_and_ttl(connection, observed):
    connection.set(K, 1)
    observed("none", [connection.ttl(K), connection.ttl("no"), connection.pttl(K)])
    observed("set", [connection.expire(K, 100), connection.expire("no", 1), connection.ttl(K) in (99, 100)])
    observed("persist", [connection.persist(K), connection.persist(K), connection.ttl(K)])


def test_a_key_ends(connection):
    connection.set(K, 1, px=50)
    until(lambda: connection.get(K) is None)
    assert connection.exists(K) == 0
    assert connection.keys("conformance:key*") == []


def test_counters(connection, observed):
    observed("incr", [connection.incr(K), connection.incr(K, 5), connection.decr(K), connection.get(K)])
    connection.set(K, "x")
    observed("text", outcome(lambda: connection.incr(K)).split(":")[0])


def test_lists(connection, observed):
    observed("push", [connection.rpush(K, "a", "b"), connection.lpush(K, "z"), connection.llen(K)])
    observed("range", [connection.lrange(K, 0, -1), connection.lrange(K, 1, 1), connection.lrange("no", 0, -1)])
    observed("pop", [connection.lpop(K), connection.rpop(K), connection.lpop("no")])
    connection.rpush(K, "c", "b")
    observed(
        "pos", [connection.lpos(K, "c"), connection.lpos(K, "no"), connection.lindex(K, 0), connection.lindex(K, 9)]
    )
    observed("rem", [connection.lrem(K, 0, "b"), connection.lrange(K, 0, -1)])


def test_an_empty_list_is_no_key(connection, observed):
    connection.rpush(K, "a")
    connection.lpop(K)
    observed("exists", connection.exists(K))


def test_hashes(connection, observed):
    observed(
        "set", [connection.hset(K, "a", 1), connection.hset(K, "a", 2), connection.hset(K, mapping={"b": "x", "c": 3})]
    )
    observed(
        "get", [connection.hget(K, "a"), connection.hget(K, "no"), connection.hgetall(K), connection.hgetall("no")]
    )
    observed("count", [connection.hlen(K), connection.hexists(K, "a"), sorted(connection.hkeys(K))])
    observed("more", [connection.hmget(K, "a", "no"), connection.hincrby(K, "a", 3), connection.hdel(K, "a", "no")])


def test_sets(connection, observed):
    observed("add", [connection.sadd(K, "a", "b"), connection.sadd(K, "a")])
    members = connection.smembers(K)
    observed("members", [sorted(members), type(members).__name__, connection.scard(K)])
    observed("is", [bool(connection.sismember(K, "a")), bool(connection.sismember(K, "no"))])
    observed("rem", [connection.srem(K, "a", "no"), connection.smembers("no")])


def test_sorted_sets(connection, observed):
    observed("add", [connection.zadd(K, {"b": 2, "a": 1, "c": 3.5}), connection.zadd(K, {"a": 1.5})])
    observed("range", [connection.zrange(K, 0, -1), connection.zrange(K, 0, 0, withscores=True)])
    observed("desc", [connection.zrange(K, 0, -1, desc=True), connection.zrevrange(K, 0, 0)])
    observed("by score", [connection.zrangebyscore(K, 2, 4), connection.zrangebyscore(K, "-inf", "(2")])
    observed("page", connection.zrangebyscore(K, 0, 10, start=1, num=1))
    observed(
        "count",
        [connection.zcard(K), connection.zcount(K, 0, 2), connection.zscore(K, "c"), connection.zscore(K, "no")],
    )
    observed("rem", [connection.zrem(K, "a", "no"), connection.zremrangebyscore(K, 0, 2), connection.zrange(K, 0, -1)])
    observed("nx", [connection.zadd(K, {"c": 9}, nx=True), connection.zscore(K, "c")])


def test_wrong_kind_of_value(connection, observed):
    connection.set(K, "x")
    observed("list", outcome(lambda: connection.rpush(K, "a")).split(":")[0])
    observed("hash", outcome(lambda: connection.hget(K, "a")).split(":")[0])


def test_keys_and_scan(connection, observed):
    for name in ("conformance:1", "conformance:2", "else"):
        connection.set(name, 1)
    observed("keys", [sorted(connection.keys("conformance:?")), sorted(connection.keys("*els*"))])
    observed("scan", sorted(connection.scan_iter("conformance:*")))


def test_publish_without_listeners(connection, observed):
    observed("answer", connection.publish("channel", "text"))


def test_callbacks_use_the_connection(rq, queue, connection, burst, observed):
    queue.enqueue(jobs.add, 1, on_success=rq.Callback(write))
    burst()
    observed("value", connection.get("conformance:written"))


def write(job, connection, result):
    """Store the result under a key."""
    connection.set("conformance:written", result, ex=60)


def test_job_and_queue_know_their_connection(queue, connection, observed):
    job = queue.enqueue(jobs.nothing)
    assert queue.connection is connection
    assert job.connection is connection


def test_flushall_empties_queues(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing)
    connection.flushall()
    observed("after", [queue.count, rq.Job.exists(job.id, connection=connection), rq.Queue.all(connection=connection)])


@pytest.mark.shim_only("rq-real-client")
def test_a_real_client_is_only_a_name(rq):
    redis = pytest.importorskip("redis")
    client = redis.Redis(host="127.0.0.1", port=1)
    job = rq.Queue(connection=client).enqueue(jobs.add, 1)
    rq.SimpleWorker(["default"], connection=client).work(burst=True)
    assert job.return_value() == 2
