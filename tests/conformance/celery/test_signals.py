"""Signals: what they carry, who sends them, on which thread, in which order; the Signal class itself.

Their place among the hooks is test_tracing_order.py.
"""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from .waiting import until, value_of

NAMES = (
    "before_task_publish after_task_publish task_internal_error task_received task_prerun task_postrun "
    "task_success task_failure task_retry task_revoked task_rejected task_unknown task_sent celeryd_init "
    "celeryd_after_setup import_modules worker_init worker_process_init worker_process_shutdown worker_ready "
    "worker_shutdown worker_shutting_down worker_before_create_process setup_logging after_setup_logger "
    "after_setup_task_logger heartbeat_sent beat_init beat_embedded_init eventlet_pool_started "
    "eventlet_pool_preshutdown eventlet_pool_postshutdown eventlet_pool_apply user_preload_options"
).split()


@pytest.mark.parametrize("name", NAMES)
def test_exists(api: Any, observed: Any, name: str) -> None:
    signal = getattr(api.signals, name)
    observed("name", signal.name)
    observed("arguments", sorted(signal.providing_args))


@pytest.fixture
def add(app: Any) -> Any:
    """A task of two arguments."""

    @app.task(name="add")
    def add(x: int, y: int = 0) -> int:
        return x + y

    return add


@pytest.fixture
def bad(app: Any) -> Any:
    """A task that fails."""

    @app.task(name="bad")
    def bad(x: int = 0) -> None:
        raise ValueError("x")

    return bad


def test_before_publish(app: Any, add: Any, signal_log: Any, observed: Any) -> None:
    signal_log.listen("before_task_publish")
    result = add.apply_async((1,), {"y": 2}, headers={"own": 1}, priority=3, countdown=5)
    sender, kwargs = signal_log.of("before_task_publish")[0]
    assert sender == "add"
    headers = kwargs["headers"]
    observed("keys", sorted(kwargs))
    observed("body", kwargs["body"])
    observed("header names", sorted(headers))
    fixed = (
        "task",
        "lang",
        "retries",
        "shadow",
        "timelimit",
        "argsrepr",
        "kwargsrepr",
        "group",
        "parent_id",
        "ignore_result",
        "own",
    )
    observed("fixed headers", {name: headers.get(name, "missing") for name in fixed})
    assert headers["id"] == headers["root_id"] == result.id
    assert kwargs["properties"]["correlation_id"] == result.id
    observed("routing", [kwargs["exchange"], kwargs["routing_key"]])


def test_after_publish(app: Any, add: Any, signal_log: Any, observed: Any) -> None:
    signal_log.listen("before_task_publish", "after_task_publish")
    result = add.delay(1)
    assert signal_log.names() == ["before_task_publish", "after_task_publish"]
    sender, kwargs = signal_log.of("after_task_publish")[0]
    assert sender == "add"
    assert kwargs["headers"]["id"] == result.id
    observed("keys", sorted(kwargs))
    observed("body", kwargs["body"])


def test_headers_may_be_changed(api: Any, app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def read(self: Any) -> Any:
        return [self.request.headers, getattr(self.request, "trace_id", None)]

    def inject(headers: dict[str, Any], **kwargs: Any) -> None:
        headers["trace_id"] = "t-1"

    api.signals.before_task_publish.connect(inject)
    try:
        with worker(app):
            assert value_of(read.delay()) == [{"trace_id": "t-1"}, "t-1"]
    finally:
        api.signals.before_task_publish.disconnect(inject)


def test_publishing_happens_on_the_calling_thread(api: Any, app: Any, add: Any) -> None:
    threads: list[Any] = []

    def note(**kwargs: Any) -> None:
        threads.append(threading.current_thread())

    api.signals.before_task_publish.connect(note)
    try:
        add.delay(1)
    finally:
        api.signals.before_task_publish.disconnect(note)
    assert threads == [threading.current_thread()]


def test_deprecated_sent_signal(app: Any, add: Any, signal_log: Any, observed: Any) -> None:
    signal_log.listen("task_sent")
    result = add.apply_async((1,), {"y": 2})
    sent = signal_log.of("task_sent")
    observed("count", len(sent))
    if sent:
        assert sent[0][1]["task_id"] == result.id
        observed("kwargs", {key: value for key, value in sent[0][1].items() if key != "task_id"})


def test_received(app: Any, worker: Any, add: Any, signal_log: Any) -> None:
    signal_log.listen("task_received")
    with worker(app):
        result = add.apply_async((1,), {"y": 2})
        value_of(result)
        _, kwargs = signal_log.of("task_received")[0]
        request = kwargs["request"]
        assert (request.id, request.task_id, request.name, request.task_name) == (result.id, result.id, "add", "add")
        assert (list(request.args), request.kwargs) == ([1], {"y": 2})


def test_prerun_and_postrun(app: Any, worker: Any, add: Any, signal_log: Any, observed: Any) -> None:
    signal_log.listen("task_prerun", "task_postrun")
    with worker(app):
        result = add.apply_async((1,), {"y": 2})
        until(lambda: len(signal_log.names()) == 2)
        for name in ("task_prerun", "task_postrun"):
            sender, kwargs = signal_log.of(name)[0]
            assert sender is app.tasks["add"]
            assert (kwargs["task_id"], kwargs["task"]) == (result.id, sender)
            assert (list(kwargs["args"]), kwargs["kwargs"]) == ([1], {"y": 2})
            observed(name, sorted(kwargs))
        assert (kwargs["retval"], kwargs["state"]) == (3, "SUCCESS")


def test_postrun_of_a_failure(app: Any, worker: Any, bad: Any, signal_log: Any) -> None:
    signal_log.listen("task_postrun")
    with worker(app):
        bad.delay()
        until(signal_log.names)
        kwargs = signal_log.of("task_postrun")[0][1]
        assert (repr(kwargs["retval"]), kwargs["state"]) == ("ValueError('x')", "FAILURE")


def test_success(app: Any, worker: Any, add: Any, signal_log: Any, observed: Any) -> None:
    signal_log.listen("task_success")
    with worker(app):
        add.delay(1)
        until(signal_log.names)
        sender, kwargs = signal_log.of("task_success")[0]
        assert sender is app.tasks["add"]
        observed("keys", sorted(kwargs))
        assert kwargs["result"] == 1


def test_failure(app: Any, worker: Any, bad: Any, signal_log: Any, observed: Any) -> None:
    signal_log.listen("task_failure")
    with worker(app):
        result = bad.apply_async((5,))
        until(signal_log.names)
        sender, kwargs = signal_log.of("task_failure")[0]
        assert sender is app.tasks["bad"]
        observed("keys", sorted(kwargs))
        assert kwargs["task_id"] == result.id
        assert repr(kwargs["exception"]) == "ValueError('x')"
        assert list(kwargs["args"]) == [5]
        assert kwargs["traceback"] is not None
        assert type(kwargs["einfo"]).__name__ == "ExceptionInfo"
        assert "ValueError: x" in str(kwargs["einfo"])


def test_signals_of_a_task_come_on_its_thread(api: Any, app: Any, worker: Any) -> None:
    threads: dict[str, Any] = {}

    def note(signal: Any = None, **kwargs: Any) -> None:
        threads[signal.name] = threading.get_ident()

    names = ("task_prerun", "task_success", "task_postrun")
    for name in names:
        getattr(api.signals, name).connect(note)

    @app.task
    def body() -> None:
        threads["body"] = threading.get_ident()

    try:
        with worker(app):
            body.delay()
            until(lambda: len(threads) == 4)
    finally:
        for name in names:
            getattr(api.signals, name).disconnect(note)
    assert len(set(threads.values())) == 1


def test_revoked(app: Any, worker: Any, add: Any, signal_log: Any, observed: Any) -> None:
    signal_log.listen("task_revoked")
    with worker(app):
        result = add.apply_async((1,), countdown=0.7)
        result.revoke()
        until(signal_log.names)
        sender, kwargs = signal_log.of("task_revoked")[0]
        assert sender is app.tasks["add"]
        assert kwargs["request"].id == result.id
        observed("flags", [kwargs["terminated"], kwargs["signum"], kwargs["expired"]])


def test_unknown(app: Any, worker: Any, signal_log: Any, observed: Any) -> None:
    signal_log.listen("task_unknown")
    with worker(app):
        result = app.send_task("nothing.here")
        until(signal_log.names)
        kwargs = signal_log.of("task_unknown")[0][1]
        observed("keys", sorted(kwargs))
        assert (kwargs["name"], kwargs["id"]) == ("nothing.here", result.id)
        assert isinstance(kwargs["exc"], KeyError)
        observed("exc", repr(kwargs["exc"]))


def test_retry_and_internal_error_of_eager_tasks(app: Any, signal_log: Any, observed: Any) -> None:
    @app.task(bind=True)
    def again(self: Any) -> None:
        if not self.request.retries:
            raise self.retry(exc=KeyError("k"))

    signal_log.listen("task_prerun", "task_retry", "task_success", "task_postrun", "task_internal_error")
    again.apply()
    observed("order", signal_log.names())


def test_worker_signals(app: Any, worker: Any, add: Any, signal_log: Any, observed: Any) -> None:
    names = (
        "celeryd_init",
        "worker_init",
        "worker_process_init",
        "worker_ready",
        "worker_shutdown",
        "worker_process_shutdown",
        "import_modules",
    )
    signal_log.listen(*names)
    with worker(app, perform_ping_check=False, hostname="node@host") as controller:
        value_of(add.delay(1))
    observed("order", [name for name in signal_log.names() if name != "import_modules"])
    for name in ("worker_init", "worker_shutdown"):
        for sender, _ in signal_log.of(name):
            assert sender is controller


def test_errors_of_receivers_are_swallowed(api: Any, app: Any, worker: Any, add: Any) -> None:
    def failing(**kwargs: Any) -> None:
        raise RuntimeError("receiver")

    names = ("before_task_publish", "task_prerun", "task_success", "task_postrun")
    for name in names:
        getattr(api.signals, name).connect(failing)
    try:
        with worker(app):
            assert value_of(add.delay(1)) == 1
    finally:
        for name in names:
            getattr(api.signals, name).disconnect(failing)


def make_signal(api: Any) -> Any:
    return api.mod("utils.dispatch").Signal(name="own", providing_args=["a"])


def test_connect_forms(api: Any) -> None:
    signal, seen = make_signal(api), []

    @signal.connect
    def plain(**kwargs: Any) -> None:
        seen.append("plain")

    @signal.connect(sender="me")
    def filtered(sender: Any, **kwargs: Any) -> None:
        seen.append("filtered")

    signal.send(sender="me", a=1)
    signal.send(sender="other", a=1)
    assert seen == ["plain", "filtered", "plain"]


def test_send_returns_answers(api: Any) -> None:
    signal = make_signal(api)

    def one(**kwargs: Any) -> int:
        return kwargs["a"] + 1

    def failing(**kwargs: Any) -> None:
        raise ValueError("x")

    signal.connect(one)
    signal.connect(failing)
    answers = {receiver.__name__: answer for receiver, answer in signal.send(sender=None, a=1)}
    assert answers["one"] == 2
    assert isinstance(answers["failing"], ValueError)


def test_receivers_are_weak(api: Any) -> None:
    signal, seen = make_signal(api), []

    def connect() -> None:
        def local(**kwargs: Any) -> None:
            seen.append(1)

        signal.connect(local)

    connect()
    gc.collect()
    signal.send(sender=None, a=1)
    assert seen == []


def test_weak_off(api: Any) -> None:
    signal, seen = make_signal(api), []

    def connect() -> None:
        signal.connect(lambda **kwargs: seen.append(1), weak=False)

    connect()
    gc.collect()
    signal.send(sender=None, a=1)
    assert seen == [1]


def test_receivers_must_take_keywords(api: Any) -> None:
    with pytest.raises(ValueError, match="keyword"):
        make_signal(api).connect(lambda sender: None)


def test_dispatch_uid(api: Any) -> None:
    signal, seen = make_signal(api), []

    def one(**kwargs: Any) -> None:
        seen.append(1)

    def two(**kwargs: Any) -> None:
        seen.append(2)

    signal.connect(one, dispatch_uid="same")
    signal.connect(two, dispatch_uid="same")
    signal.send(sender=None, a=1)
    assert seen == [1]
    assert signal.disconnect(dispatch_uid="same") is True
    signal.send(sender=None, a=1)
    assert seen == [1]


def test_connecting_twice_calls_once(api: Any) -> None:
    signal, seen = make_signal(api), []

    def one(**kwargs: Any) -> None:
        seen.append(1)

    signal.connect(one)
    signal.connect(one)
    signal.send(sender=None, a=1)
    assert seen == [1]


def test_methods_of_two_objects(api: Any) -> None:
    signal, seen = make_signal(api), []

    class Listener:
        def __init__(self, name: str) -> None:
            self.name = name

        def hear(self, **kwargs: Any) -> None:
            seen.append(self.name)

    one, two = Listener("one"), Listener("two")
    signal.connect(one.hear)
    signal.connect(two.hear)
    signal.send(sender=None, a=1)
    assert seen == ["one", "two"]


def test_disconnect_and_questions(api: Any) -> None:
    signal = make_signal(api)

    def one(**kwargs: Any) -> None:
        """Nothing."""

    assert signal.has_listeners() is False
    signal.connect(one)
    assert signal.has_listeners() is True
    assert len(signal.receivers) == 1
    assert signal.disconnect(one) is True
    assert signal.disconnect(one) is False


def test_sender_filter_with_a_task(api: Any, app: Any, worker: Any, add: Any, bad: Any) -> None:
    seen: list[str] = []

    @api.signals.task_postrun.connect(sender=add)
    def note(sender: Any, **kwargs: Any) -> None:
        seen.append(sender.name)

    try:
        with worker(app, concurrency=1):
            bad.delay()
            add.delay(1)
            until(lambda: seen)
            assert seen == ["add"]
    finally:
        api.signals.task_postrun.disconnect(note, sender=add)


def test_publish_signals_filter_by_name(api: Any, add: Any, bad: Any) -> None:
    seen: list[str] = []

    @api.signals.before_task_publish.connect(sender="add")
    def note(sender: Any, **kwargs: Any) -> None:
        seen.append(sender)

    try:
        bad.delay()
        add.delay(1)
    finally:
        api.signals.before_task_publish.disconnect(note, sender="add")
    assert seen == ["add"]


def test_signal_repr(api: Any, observed: Any) -> None:
    observed("repr", repr(make_signal(api)))
