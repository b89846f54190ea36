"""ResultSet, GroupResult: joining, counting, saving, tuples.

The results are written to the backend by hand: canvas, which makes groups, has its own suite.
"""

from __future__ import annotations

from typing import Any

import pytest

from .waiting import until, value_of


@pytest.fixture
def done(app: Any) -> Any:
    """Return a maker of finished results: values, or exceptions for failed ones."""
    count = [0]

    def make(value: Any = None, state: str | None = None) -> Any:
        count[0] += 1
        task_id = f"group-{id(app)}-{count[0]}"
        if state:
            app.backend.store_result(task_id, value, state)
        elif isinstance(value, BaseException):
            app.backend.mark_as_failure(task_id, value)
        else:
            app.backend.mark_as_done(task_id, value)
        return app.AsyncResult(task_id)

    return make


@pytest.fixture
def pending(app: Any) -> Any:
    """Return a result that has no end."""
    return app.AsyncResult(f"pending-{id(app)}")


def test_join(app: Any, done: Any) -> None:
    results = app.ResultSet([done(1), done(2), done(3)])
    assert results.join(timeout=5) == [1, 2, 3]
    assert results.get(timeout=5, interval=0.01) == [1, 2, 3]
    assert len(results) == 3


def test_join_with_a_failure(app: Any, done: Any) -> None:
    results = app.ResultSet([done(1), done(KeyError("k"))])
    with pytest.raises(KeyError):
        results.join(timeout=5)
    values = results.join(timeout=5, propagate=False)
    assert values[0] == 1
    assert isinstance(values[1], KeyError)


def test_join_times_out(api: Any, app: Any, done: Any, pending: Any) -> None:
    with pytest.raises(api.exceptions.TimeoutError):
        app.ResultSet([done(1), pending]).join(timeout=0.05, interval=0.01)


def test_join_callback(app: Any, done: Any, observed: Any) -> None:
    seen: list[Any] = []
    results = app.ResultSet([done(1), done(2)])
    observed("returned", results.join(timeout=5, callback=lambda task_id, value: seen.append(value)))
    assert seen == [1, 2]


def test_iteration(app: Any, done: Any) -> None:
    members = [done(1), done(2)]
    results = app.ResultSet(members)
    assert list(results) == members
    assert results[1] == members[1]


def test_set_operations(app: Any, done: Any) -> None:
    one, two, three = done(1), done(2), done(3)
    results = app.ResultSet([one])
    results.add(two)
    results.add(two)
    assert len(results) == 2
    results.update([three, one])
    assert len(results) == 3
    results.remove(two)
    assert len(results) == 2
    with pytest.raises(KeyError):
        results.remove("nothing")
    results.discard("nothing")
    results.discard(three)
    assert len(results) == 1
    results.clear()
    assert len(results) == 0


def test_questions_of_successes(app: Any, done: Any) -> None:
    results = app.ResultSet([done(1), done(2)])
    assert (results.successful(), results.failed(), results.waiting(), results.ready()) == (True, False, False, True)
    assert results.completed_count() == 2


def test_questions_of_a_failure(app: Any, done: Any) -> None:
    results = app.ResultSet([done(1), done(ValueError("x"))])
    assert (results.successful(), results.failed(), results.waiting(), results.ready()) == (False, True, False, True)
    assert results.completed_count() == 1
    with pytest.raises(ValueError, match="x"):
        results.maybe_throw()
    with pytest.raises(ValueError, match="x"):
        results.maybe_reraise()


def test_questions_of_a_pending_one(app: Any, done: Any, pending: Any) -> None:
    results = app.ResultSet([done(1), pending])
    assert (results.successful(), results.failed(), results.waiting(), results.ready()) == (False, False, True, False)


def test_revoked_members_are_ready(app: Any, done: Any) -> None:
    results = app.ResultSet([done(1), done(KeyError("revoked"), "REVOKED")])
    assert results.ready() is True


def test_equality(app: Any, done: Any) -> None:
    one, two = done(1), done(2)
    assert app.ResultSet([one, two]) == app.ResultSet([one, two])
    assert app.ResultSet([one]) != app.ResultSet([two])


def test_group_identity(app: Any, done: Any) -> None:
    members = [done(1), done(2)]
    group = app.GroupResult("gid", members)
    assert (group.id, group.results, group.children) == ("gid", members, members)
    assert group == app.GroupResult("gid", members)
    assert str(group) == "gid"
    assert bool(app.GroupResult("gid", []))
    assert group.parent is None


def test_group_repr(app: Any, observed: Any) -> None:
    group = app.GroupResult("gid", [app.AsyncResult("a"), app.AsyncResult("b")])
    observed("repr", repr(group))


def test_group_join(app: Any, done: Any) -> None:
    group = app.GroupResult("gid", [done(1), done(2)])
    assert group.join(timeout=5) == [1, 2]
    assert group.get(timeout=5, interval=0.01) == [1, 2]


def test_empty_group(app: Any) -> None:
    group = app.GroupResult("gid", [])
    assert group.get(timeout=1) == []
    assert group.ready() is True


def test_save_and_restore(api: Any, app: Any, done: Any) -> None:
    members = [done(1), done(2)]
    app.GroupResult("gid-save", members).save()
    restored = app.GroupResult.restore("gid-save")
    assert restored == app.GroupResult("gid-save", members)
    assert restored.join(timeout=5) == [1, 2]
    assert api.result.GroupResult.restore("gid-save", app=app).id == "gid-save"


def test_delete(app: Any, done: Any) -> None:
    group = app.GroupResult("gid-delete", [done(1)])
    group.save()
    group.delete()
    assert app.GroupResult.restore("gid-delete") is None


def test_restore_unknown(app: Any) -> None:
    assert app.GroupResult.restore("gid-unknown") is None


def test_forget(app: Any, done: Any) -> None:
    members = [done(1), done(2)]
    app.GroupResult("gid-forget", members).forget()
    assert [app.AsyncResult(member.id).state for member in members] == ["PENDING", "PENDING"]


def test_tuples(api: Any, app: Any, observed: Any) -> None:
    inner = app.GroupResult("inner", [app.AsyncResult("c")])
    group = app.GroupResult("gid", [app.AsyncResult("a"), app.AsyncResult("b"), inner], parent=app.AsyncResult("p"))
    observed("tuple", group.as_tuple())
    again = api.result.result_from_tuple(group.as_tuple(), app=app)
    assert again == group
    assert again.parent.id == "p"
    assert isinstance(again, api.result.GroupResult)


def test_tuple_after_json(api: Any, app: Any) -> None:
    import json

    group = app.GroupResult("gid", [app.AsyncResult("a")])
    again = api.result.result_from_tuple(json.loads(json.dumps(group.as_tuple())), app=app)
    assert again == group


def test_revoke(api: Any, app: Any, worker: Any) -> None:
    @app.task
    def one() -> int:
        return 1

    with worker(app):
        group = app.GroupResult("gid", [one.apply_async(countdown=600), one.apply_async(countdown=600)])
        group.revoke()
        until(group.ready)
        assert [member.state for member in group] == ["REVOKED", "REVOKED"]


def test_join_inside_a_task(api: Any, app: Any, worker: Any, done: Any) -> None:
    member = done(1)

    @app.task
    def outer() -> Any:
        return app.GroupResult("gid", [app.AsyncResult(member.id)]).join(timeout=5)

    with worker(app):
        api.mod("_state")._set_task_join_will_block(True)
        result = outer.delay()
        until(result.ready)
        api.mod("_state")._set_task_join_will_block(False)
        assert isinstance(result.get(propagate=False), RuntimeError)


def test_iterating_native_results(redis_app: Any, worker: Any) -> None:
    app = redis_app

    @app.task
    def one(x: int) -> int:
        return x

    with worker(app):
        results = app.ResultSet([one.delay(x) for x in range(4)])
        seen = {task_id: meta["result"] for task_id, meta in results.iter_native(timeout=10)}
        assert sorted(seen.values()) == [0, 1, 2, 3]
        assert results.supports_native_join is True
        assert results.join_native(timeout=10) == [0, 1, 2, 3]


def test_then_of_a_set(redis_app: Any, worker: Any) -> None:
    app = redis_app
    seen: list[Any] = []

    @app.task
    def one(x: int) -> int:
        return x

    with worker(app):
        results = app.ResultSet([one.delay(1), one.delay(2)])
        results.then(lambda whole: seen.append(len(whole)))
        value_of(results)
        until(lambda: seen)
    assert seen == [2]
