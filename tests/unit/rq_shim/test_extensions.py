"""What the shim has and RQ has not: priorities, waiting, awaiting, back-pressure. Parents' results by RQ's API."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from brokerless.compat.rq_shim import Queue, Retry, SimpleWorker
from brokerless.compat.rq_shim.job import Dependency, Job
from brokerless.compat.rq_shim.runtime.joboutcome import JobFailed

from brokerless.errors import QueueFull
from tests.unit.rig import SOON

from . import acts


@pytest.fixture(autouse=True)
def automatic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("BROKERLESS_AUTOSTART", raising=False)
    acts.reset()
    yield
    acts.gate.set()


@pytest.fixture
def still(connection: Any) -> Queue:
    """A queue that waits for a worker."""
    return Queue(connection=connection, autostart=False)


def work(queue: Queue) -> None:
    SimpleWorker([queue], connection=queue.connection).work(burst=True)


def test_priorities_in_a_queue(still: Queue) -> None:
    """0 before all, 3 after all, the others in between in the order of their coming."""
    for word, priority in (("low", 3), ("normal", None), ("high", 1), ("first", 0), ("normal too", 2)):
        still.enqueue(acts.note, word, **({} if priority is None else {"priority": priority}))
    work(still)
    assert acts.order == ["first", "high", "normal", "normal too", "low"]


def test_a_function_keeps_its_own_priority_argument(still: Queue) -> None:
    job = still.enqueue(acts.takes_priority, priority=1)
    work(still)
    assert job.return_value() == 1


def test_wait_says_whether_it_is_over(connection: Any) -> None:
    job = Queue(connection=connection).enqueue(acts.hold, "a")
    assert acts.started.acquire(timeout=SOON)
    assert job.wait(0.01) is False
    acts.gate.set()
    assert job.wait(SOON) is True
    assert job.wait(0) is True


def test_wait_ends_with_a_cancel(still: Queue) -> None:
    job = still.enqueue(acts.note, 1)
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(job.wait(SOON)))
    waiter.start()
    job.cancel()
    waiter.join(SOON)
    assert answers == [True]
    assert acts.order == []


def test_wait_ends_with_a_delete(still: Queue) -> None:
    job = still.enqueue(acts.note, 1)
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(job.wait(3)))
    waiter.start()
    job.delete()
    waiter.join(SOON)
    assert answers == [True]


def test_await_gives_the_value(connection: Any) -> None:
    queue = Queue(connection=connection)

    async def several() -> list[Any]:
        return list(await asyncio.gather(*(_awaited(queue.enqueue(acts.note, number)) for number in range(20))))

    assert asyncio.run(asyncio.wait_for(several(), SOON)) == list(range(20))


def test_await_leaves_the_loop_free(connection: Any) -> None:
    """The loop goes on while the job runs: it is what opens the gate."""
    job = Queue(connection=connection).enqueue(acts.hold, "a")

    async def opens() -> Any:
        waiting = asyncio.ensure_future(_awaited(job))
        await asyncio.sleep(0)
        acts.gate.set()
        return await asyncio.wait_for(waiting, SOON)

    assert asyncio.run(opens()) == "a"


def test_await_raises_for_a_failure(connection: Any) -> None:
    job = Queue(connection=connection).enqueue(acts.boom, "a")
    with pytest.raises(JobFailed, match="ValueError: a") as caught:
        asyncio.run(asyncio.wait_for(_awaited(job), SOON))
    assert (caught.value.job_id, caught.value.status) == (job.id, "failed")


async def _awaited(job: Any) -> Any:
    return await job


def test_parents_values_on_request(connection: Any) -> None:
    queue = Queue(connection=connection)
    parents = [queue.enqueue(acts.note, number) for number in (1, 2, 3)]
    child = queue.enqueue(acts.parents_values, depends_on=parents)
    assert child.wait(SOON)
    assert sorted(child.return_value()) == [1, 2, 3]


@pytest.mark.parametrize(
    ("place", "expected"),
    [(True, [[1, 2, "own"], {"k": 3}]), ("parts", [["own"], {"k": 3, "parts": [1, 2]}]), (False, [["own"], {"k": 3}])],
    ids=["positional", "keyword", "off"],
)
def test_results_are_passed_in_the_order_of_the_parents(still: Queue, place: Any, expected: Any) -> None:
    second = still.enqueue(acts.note, 2, depends_on=still.enqueue(acts.note, 0))  # ends after the first
    first = still.enqueue(acts.note, 1)
    child = still.enqueue(acts.shape, "own", k=3, depends_on=Dependency([first, second.id], pass_results=place))
    work(still)
    assert child.return_value() == expected
    assert (child.args, child.kwargs) == (("own",), {"k": 3})
    assert child.description.endswith("shape('own', k=3)")


def test_results_of_some_parents_only(connection: Any) -> None:
    queue = Queue(connection=connection)
    parents = [queue.enqueue(acts.note, word) for word in "abc"]
    depends_on = [
        Dependency(parents[0], pass_results="a"),
        parents[1],
        Dependency(parents[2].id, pass_results=True),
    ]
    child = queue.enqueue(acts.shape, depends_on=depends_on)
    assert child.wait(SOON)
    assert child.return_value() == [["c"], {"a": ["a"]}]


def test_passed_results_are_the_childs_own(still: Queue) -> None:
    parent = still.enqueue(acts.shape, "x")
    children = [still.enqueue(acts.grow, depends_on=Dependency(parent, pass_results=True)) for _ in range(2)]
    work(still)
    assert [child.return_value() for child in children] == [[["x"], {}, "more"]] * 2
    assert parent.return_value() == [["x"], {}]


def test_a_retried_child_reads_the_results_again(still: Queue) -> None:
    parent = still.enqueue(acts.doubled, 4)
    child = still.enqueue(acts.boom_once, depends_on=Dependency(parent, pass_results=True), retry=Retry(1))
    work(still)
    assert acts.order == [8, 8]
    assert child.get_status() == "finished"


def test_a_failed_parent_passes_none_where_failures_are_allowed(still: Queue) -> None:
    parents = [still.enqueue(acts.boom, "p"), still.enqueue(acts.note, 2)]
    child = still.enqueue(acts.shape, depends_on=Dependency(parents, allow_failure=True, pass_results=True))
    work(still)
    assert child.return_value() == [[None, 2], {}]


def test_a_result_that_is_gone_fails_the_child(still: Queue) -> None:
    parent = still.enqueue(acts.note, "p", job_id="p", result_ttl=0)
    child = still.enqueue(acts.shape, job_id="c", depends_on=Dependency(parent, pass_results=True))
    work(still)
    assert child.get_status() == "failed"
    assert "Job c wants the result of job p, which is gone: give it a longer result_ttl" in (
        child.latest_result().exc_string
    )


@pytest.mark.parametrize("place", ["not a name", "", 3, None], ids=repr)
def test_a_bad_place_for_results(place: Any) -> None:
    with pytest.raises(ValueError, match=f"pass_results: {place!r} is neither True nor the name"):
        Dependency("p", pass_results=place)


def test_a_keyword_that_is_given_twice(still: Queue) -> None:
    with pytest.raises(TypeError, match="'k' is given twice"):
        still.enqueue(acts.shape, k=1, depends_on=Dependency("p", pass_results="k"))
    assert still.count == 0


def test_passed_results_survive_the_hash_and_many(still: Queue, connection: Any) -> None:
    """`to_dict`/`restore`, `enqueue_many`, and a queue that runs jobs in the call."""
    parent = still.enqueue(acts.note, "p")
    (child,) = still.enqueue_many(
        [Queue.prepare_data(acts.shape, depends_on=Dependency(parent, pass_results="values"))]
    )
    again = Job("again", connection=connection)
    again.restore(child.to_dict())
    assert again._pass_results == child._pass_results == [["values", [parent.id]]]
    work(still)
    assert child.return_value() == [[], {"values": ["p"]}]
    at_once = Queue("sync", connection=connection, is_async=False)
    assert at_once.enqueue(acts.shape, depends_on=Dependency(parent, pass_results=True)).return_value() == [["p"], {}]


def test_max_length_refuses_and_leaves_nothing(connection: Any) -> None:
    queue = Queue(connection=connection, autostart=False, max_length=2)
    kept = [queue.enqueue(acts.note, number) for number in range(2)]
    for options in ({}, {"job_id": "third"}):
        with pytest.raises(QueueFull):
            queue.enqueue(acts.note, 3, **options)
    assert queue.job_ids == [job.id for job in kept]
    assert not queue.fetch_job("third")
    work(queue)
    assert queue.enqueue(acts.note, 4).get_status() == "queued"


def test_max_length_is_of_one_queue(connection: Any) -> None:
    full = Queue("full", connection=connection, autostart=False, max_length=1)
    other = Queue("other", connection=connection, autostart=False)
    full.enqueue(acts.note, 1)
    for number in range(5):
        other.enqueue(acts.note, number)
    assert (full.count, other.count) == (1, 5)
