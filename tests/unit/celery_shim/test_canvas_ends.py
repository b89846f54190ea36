"""A chord ends with every end of a member, a failed chain ends in all its parts; each member counts once.

Celery leaves some of these PENDING for ever (row `celery-canvas-ends` of migration_guides/differences.md), so that there
is no oracle for them. What both do alike is in tests/conformance/celery/test_canvas_*.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery, chain, chord, group, states
from brokerless.compat.celery_shim.contrib.testing.worker import start_worker
from brokerless.compat.celery_shim.exceptions import ChordError, Ignore, Reject
from brokerless.compat.celery_shim.worker import state as worker_state

from .programs import python

SOON = 20
_URLS = count()


class Kit:
    """An application and its tasks."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.told: list[Any] = []
        self.hold = threading.Event()

        @app.task(shared=False, name="same")
        def same(value: Any = None) -> Any:
            return value

        @app.task(shared=False, name="fail")
        def fail(*_: Any) -> None:
            raise ValueError("boom")

        @app.task(shared=False, name="ignore")
        def ignore() -> None:
            raise Ignore("not now")

        @app.task(shared=False, name="reject")
        def reject() -> None:
            raise Reject("never", requeue=False)

        @app.task(shared=False, name="mute", ignore_result=True)
        def mute(value: Any) -> Any:
            return value

        @app.task(shared=False, name="mute_reject", ignore_result=True)
        def mute_reject() -> None:
            raise Reject("never", requeue=False)

        @app.task(shared=False, name="block", time_limit=0.2)
        def block() -> None:
            self.hold.wait(SOON)

        @app.task(shared=False, name="again", bind=True, max_retries=2)
        def again(task: Any) -> Any:
            if task.request.retries < 2:
                raise task.retry(countdown=0)
            return "third"

        @app.task(shared=False, name="other", bind=True)
        def other(task: Any) -> Any:
            raise task.replace(same.si("instead"))

        @app.task(shared=False, name="errback")
        def errback(request: Any, exc: Any, traceback: Any) -> None:
            self.told.append((request.id, repr(exc)))

        self.same, self.fail, self.ignore, self.reject, self.mute = same, fail, ignore, reject, mute
        self.mute_reject, self.block, self.again, self.other, self.errback = mute_reject, block, again, other, errback

    @property
    def countdowns(self) -> Any:
        return self.app.backend._store.countdowns


@pytest.fixture
def kit(_threads_end: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kit]:
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")
    app = Celery("ends", broker=f"memory://canvas-ends-{next(_URLS)}", set_as_current=False)
    made = Kit(app)
    yield made
    made.hold.set()
    app.close()
    for known in (worker_state.revoked, worker_state.revoked_stamps):
        known.clear()


def working(kit: Kit, **options: Any) -> Any:
    return start_worker(kit.app, concurrency=2, perform_ping_check=False, **options)


def error_of(result: Any) -> ChordError:
    with pytest.raises(ChordError) as caught:
        result.get(timeout=SOON, follow_parents=False)
    return caught.value


MEMBERS: dict[str, tuple[Callable[[Kit], Any], str]] = {
    "failed": (lambda kit: kit.fail.si(), "ValueError('boom')"),
    "ignored": (lambda kit: kit.ignore.si(), "Ignore('not now')"),
    "rejected": (lambda kit: kit.reject.si(), "never"),
    "rejected, result ignored": (lambda kit: kit.mute_reject.si(), "never"),
    "expired": (lambda kit: kit.same.si(1).set(expires=-1), "TaskRevokedError('expired')"),
    "not registered": (lambda kit: kit.app.signature("no.such"), "'no.such' never registered"),
    "not registered, result ignored": (
        lambda kit: kit.app.signature("no.such").set(ignore_result=True),
        "'no.such' never registered",
    ),
    "past its hard limit": (lambda kit: kit.block.si(), "TimeLimitExceeded(0.2)"),
    "chain that failed early": (lambda kit: chain(kit.fail.si(), kit.same.s(), kit.same.s()), "ValueError('boom')"),
    "chain that was ignored early": (lambda kit: chain(kit.ignore.si(), kit.same.s()), "Ignore('not now')"),
    "chain that expired early": (
        lambda kit: chain(kit.same.si(1).set(expires=-1), kit.same.s()),
        "TaskRevokedError('expired')",
    ),
    "chain with a failed step before a group": (
        lambda kit: chain(kit.fail.si(), group(kit.same.s(), kit.same.s())),
        "ValueError('boom')",
    ),
    "chain with a failed step before a chord": (
        lambda kit: chain(kit.fail.si(), group(kit.same.s(), kit.same.s()), kit.same.s()),
        "ValueError('boom')",
    ),
    "chord": (lambda kit: chord([kit.fail.si(), kit.same.si(1)], kit.same.s()), "ValueError('boom')"),
    "chord with a failed body": (lambda kit: chord([kit.same.si(1)], kit.fail.s()), "ValueError('boom')"),
    "chord with a failed chain as the body": (
        lambda kit: chord([kit.fail.si()], chain(kit.same.s(), kit.same.s())),
        "ValueError('boom')",
    ),
}


@pytest.mark.parametrize("case", MEMBERS)
def test_body_fails_with_the_end_of_a_member(kit: Kit, case: str) -> None:
    make, text = MEMBERS[case]
    with working(kit):
        result = chord([kit.same.si(1), make(kit), kit.same.si(3)], kit.same.s().on_error(kit.errback.s())).delay()
        error = error_of(result)
    assert text in str(error)
    assert [told[0] for told in kit.told] == [result.id]
    assert result.state == states.FAILURE
    assert not kit.countdowns


@pytest.mark.parametrize("case", ["retried", "replaced", "result ignored", "replaced in a chain"])
def test_what_is_no_end_does_not_count(kit: Kit, case: str) -> None:
    member = {
        "retried": lambda: kit.again.si(),
        "replaced": lambda: kit.other.si(),
        "result ignored": lambda: kit.mute.si("mute"),
        "replaced in a chain": lambda: chain(kit.other.si(), kit.same.s()),
    }[case]()
    with working(kit):
        result = chord([member, kit.same.si(2)], kit.same.s()).delay()
        values = result.get(timeout=SOON)
    assert values[1] == 2
    assert values[0] in ("third", "instead", "mute")


def test_revoked_member(kit: Kit) -> None:
    result = chord([kit.same.si(1), kit.same.si(2)], kit.same.s()).delay()
    result.parent.results[0].revoke()
    with working(kit):
        assert "TaskRevokedError('revoked')" in str(error_of(result))


def test_revoked_step_of_a_member(kit: Kit) -> None:
    result = chord([chain(kit.same.si(1), kit.same.s(), kit.same.s()), kit.same.si(2)], kit.same.s()).delay()
    last = result.parent.results[0]
    last.parent.parent.revoke()
    with working(kit):
        assert "TaskRevokedError('revoked')" in str(error_of(result))
    # the steps after it keep their states, as in Celery
    assert last.state == states.PENDING


def test_revoked_by_a_stamp(kit: Kit) -> None:
    result = chord([kit.same.si(1), kit.same.si(2)], kit.same.s())
    result.stamp(batch="7")
    sent = result.delay()
    kit.app.control.revoke_by_stamped_headers({"batch": ["7"]})
    with working(kit):
        assert "TaskRevokedError" in str(error_of(sent))


def test_purged_member(kit: Kit) -> None:
    result = chord([kit.same.si(1), kit.same.si(2)], kit.same.s().on_error(kit.errback.s())).delay()
    assert kit.app.control.purge() == 2
    assert "TaskRevokedError('purged')" in str(error_of(result))
    assert [told[0] for told in kit.told] == [result.id]


def test_purged_step_of_a_member(kit: Kit) -> None:
    result = chord([chain(kit.same.si(1), kit.same.s())], kit.same.s()).delay()
    assert kit.app.control.purge() == 1
    assert "TaskRevokedError('purged')" in str(error_of(result))


def test_closed_application(kit: Kit) -> None:
    result = chord([kit.same.si(1), kit.same.si(2)], kit.same.s()).delay()
    kit.app.close()
    assert "TaskRevokedError('dropped')" in str(error_of(result))


def test_refused_serializer(kit: Kit) -> None:
    kit.app.conf.accept_content = ["json"]
    result = chord([kit.same.si(1), kit.same.si(2).set(serializer="pickle")], kit.same.s()).delay()
    with working(kit):
        assert "TaskRevokedError('refused')" in str(error_of(result))


def test_rate_limited_member_outlives_its_worker(kit: Kit) -> None:
    kit.same.rate_limit = "1/h"
    result = chord([kit.same.si(1), kit.same.si(2)], kit.mute.s()).delay()
    with working(kit):
        result.parent.results[0].get(timeout=SOON)
    kit.same.rate_limit = None
    with working(kit):
        assert result.parent.get(timeout=SOON) == [1, 2]


def test_every_part_of_a_failed_chain_ends(kit: Kit) -> None:
    made = chain(kit.fail.si(), kit.same.s(), group(kit.same.s(), kit.same.s()))
    with working(kit):
        result = made.delay()
        for member in (*result.results, result.parent):
            with pytest.raises(ValueError, match="boom"):
                member.get(timeout=SOON, follow_parents=False)


def test_body_of_a_chord_in_a_failed_chain_ends(kit: Kit) -> None:
    made = chain(kit.fail.si(), group(kit.same.s(), kit.same.s()), kit.same.s())
    with working(kit):
        result = made.delay()
        with pytest.raises(ValueError, match="boom"):
            result.get(timeout=SOON, follow_parents=False)
        for member in result.parent.results:
            with pytest.raises(ValueError, match="boom"):
                member.get(timeout=SOON, follow_parents=False)


@pytest.mark.parametrize("body", ["chain", "chord", "group"])
def test_every_part_of_a_composed_body_ends(kit: Kit, body: str) -> None:
    made = {
        "chain": lambda: chain(kit.same.s(), kit.same.s()),
        "chord": lambda: chord([kit.same.s(), kit.same.s()], kit.same.s()),
        "group": lambda: group(kit.same.s(), kit.same.s()),
    }[body]()
    with working(kit):
        result = chord([kit.fail.si(), kit.same.si(1)], made).delay()
        for part in result.results if body == "group" else [result]:
            with pytest.raises(ValueError if body == "group" else ChordError, match="boom"):
                part.get(timeout=SOON, follow_parents=False)


def test_first_error_by_place_not_by_time(kit: Kit) -> None:
    for _ in range(5):
        with working(kit):
            result = chord([kit.same.si(0), kit.ignore.si(), kit.fail.si()], kit.same.s()).delay()
            assert "Ignore" in str(error_of(result))


def test_errback_hears_once_of_a_nested_chord(kit: Kit) -> None:
    inner = chord([kit.fail.si(), kit.same.si(1)], kit.same.s())
    outer = chord([kit.same.si(2), inner], kit.same.s())
    with pytest.warns(match="task_allow_error_cb_on_chord_header"):
        outer.link_error(kit.errback.s())
    with working(kit):
        error_of(outer.delay())
    assert len(kit.told) == 1


def test_a_member_counts_once(kit: Kit) -> None:
    result = chord([kit.same.si(1), kit.same.si(2)], kit.same.s())
    sent = result.delay()
    (countdown,) = kit.countdowns.values()
    first = sent.parent.results[0].id
    assert not countdown.count(first, 0, states.SUCCESS, "early")
    with working(kit):
        assert sent.get(timeout=SOON) == ["early", 2]
    assert not countdown.count(first, 0, states.FAILURE, ValueError("late"))


def test_chords_that_nobody_ends_are_forgotten(kit: Kit) -> None:
    kit.app.conf.result_chord_expires = 1
    for _ in range(300):
        chord([kit.same.si(1)], kit.same.s()).delay()
    for countdown in list(kit.countdowns.values())[:200]:
        countdown.born -= 10
    for _ in range(260):
        chord([kit.same.si(1)], kit.same.s()).delay()
    assert len(kit.countdowns) < 450


@pytest.mark.parametrize("member", ["failed", "ignored", "result ignored"])
def test_stores_outside_of_memory_count_too(kit: Kit, tmp_path: Path, member: str) -> None:
    kit.app.conf.result_backend = f"file://{tmp_path}"
    made = {"failed": kit.fail.si(), "ignored": kit.ignore.si(), "result ignored": kit.mute.si("mute")}[member]
    with working(kit):
        result = chord([made, kit.same.si(2)], kit.same.s()).delay()
        if member == "result ignored":
            assert result.get(timeout=SOON) == ["mute", 2]
        else:
            error_of(result)


AT_EXIT = """
from brokerless.compat.celery_shim import Celery, chord

app = Celery("leaving", broker="memory://")

@app.task
def later():
    pass

@app.task
def errback(request, exc, traceback):
    print("told:", exc, flush=True)

if __name__ == "__main__":
    chord([later.si(), later.si()], later.si().on_error(errback.s())).apply_async(countdown=3600)
"""


def test_end_of_the_process(tmp_path: Path) -> None:
    done = python(tmp_path, AT_EXIT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("told: ") == 1
    assert "TaskRevokedError('dropped at exit')" in done.stdout
