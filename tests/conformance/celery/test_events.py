"""Events: what workers tell about tasks and themselves, dispatchers, receivers, snapshots and the dumper.

`State` has test_events_state.py.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .waiting import TIMEOUT, until, value_of

NODE = "node@host"


class Capture:
    """A receiver on a thread of its own; `seen` has what it got, without the probes."""

    def __init__(self, app: Any, **options: Any) -> None:
        self.app = app
        self.seen: list[dict[str, Any]] = []
        self.ready = threading.Event()
        self.connection = app.connection_for_read()
        self.receiver = app.events.Receiver(self.connection, handlers={"*": self._take}, **options)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self.receiver.capture(limit=None, timeout=None, wakeup=False)

    def _take(self, event: dict[str, Any]) -> None:
        if event["type"] == "probe-now":
            self.ready.set()
        else:
            self.seen.append(event)

    def listens(self) -> None:
        """Wait until events arrive."""
        with self.app.connection_for_write() as connection:
            with self.app.events.Dispatcher(connection, hostname="probe", enabled=True) as dispatcher:
                until(lambda: dispatcher.send("probe-now") or self.ready.wait(0.05))

    def types(self) -> list[str]:
        """Return the types, in the order in which they came."""
        return [event["type"] for event in self.seen]

    def of(self, type: str) -> dict[str, Any]:
        """Return the first event of a type, once it is there."""
        return dict(until(lambda: next((event for event in self.seen if event["type"] == type), None)))

    def stop(self) -> None:
        self.receiver.should_stop = True
        self.thread.join(TIMEOUT)
        self.connection.close()


@pytest.fixture
def capture(app: Any) -> Iterator[Callable[..., Capture]]:
    """Return a function that starts to capture the events of the application."""
    made: list[Capture] = []

    def start(**options: Any) -> Capture:
        made.append(Capture(app, **options))
        made[-1].listens()
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.fixture
def tasks(app: Any) -> Any:
    """Some tasks: `add`, `fail`, `again` (retries once), `refuse` (rejects)."""

    class Tasks:
        @app.task(name="add")
        def add(x: int, y: int) -> int:
            return x + y

        @app.task(name="fail")
        def fail() -> None:
            raise ValueError("no")

        @app.task(name="again", bind=True)
        def again(self: Any) -> str:
            if not self.request.retries:
                raise self.retry(countdown=0, exc=KeyError("later"))
            return "done"

        @app.task(name="silent")
        def silent() -> None:
            pass

    Tasks.silent.send_events = False
    return Tasks


def test_a_success(app: Any, worker: Any, capture: Any, tasks: Any, observed: Any) -> None:
    with worker(app, hostname=NODE, task_events=True):
        log = capture()
        result = tasks.add.delay(1, 2)
        assert value_of(result) == 3
        done = log.of("task-succeeded")
    assert log.types() == ["task-received", "task-started", "task-succeeded"]
    received = log.of("task-received")
    assert {event["uuid"] for event in log.seen} == {result.id}
    assert {event["hostname"] for event in log.seen} == {NODE}
    observed("received", {key: received[key] for key in ("name", "args", "kwargs", "retries", "eta", "expires")})
    observed("keys", [sorted(event) for event in log.seen])
    assert received["root_id"] == result.id and received["parent_id"] is None
    assert done["result"] == "3" and done["runtime"] >= 0
    assert [event["clock"] for event in log.seen] == sorted(event["clock"] for event in log.seen)


def test_a_failure(app: Any, worker: Any, capture: Any, tasks: Any, observed: Any) -> None:
    with worker(app, hostname=NODE, task_events=True):
        log = capture()
        tasks.fail.delay()
        failed = log.of("task-failed")
    assert log.types() == ["task-received", "task-started", "task-failed"]
    observed("keys", sorted(failed))
    assert failed["exception"] == "ValueError('no')"
    assert failed["traceback"].startswith("Traceback") and failed["traceback"].endswith("ValueError: no\n")


def test_a_retry(app: Any, worker: Any, capture: Any, tasks: Any, observed: Any) -> None:
    with worker(app, hostname=NODE, concurrency=1, task_events=True):
        log = capture()
        tasks.again.delay()
        log.of("task-succeeded")
        retried = log.of("task-retried")
    observed("types", sorted(log.types()))  # the second run may begin before the first one is reported
    observed("keys", sorted(retried))
    assert "KeyError('later')" in retried["exception"]
    assert [event["retries"] for event in log.seen if event["type"] == "task-received"] == [0, 1]


def test_a_revoked_task(app: Any, worker: Any, capture: Any, tasks: Any, observed: Any) -> None:
    with worker(app, hostname=NODE, task_events=True):
        log = capture()
        result = tasks.add.apply_async((1, 2), expires=-1)
        revoked = log.of("task-revoked")
    assert revoked["uuid"] == result.id
    observed("fields", {key: revoked[key] for key in ("terminated", "signum", "expired")})


def test_a_task_that_sends_no_events(app: Any, worker: Any, capture: Any, tasks: Any) -> None:
    with worker(app, hostname=NODE, task_events=True):
        log = capture()
        value_of(tasks.silent.delay())
        value_of(tasks.add.delay(1, 1))
        log.of("task-succeeded")
    assert len(log.seen) == 3 and {event["uuid"] for event in log.seen} == {log.seen[0]["uuid"]}


def test_task_events_are_off_unless_asked_for(app: Any, worker: Any, capture: Any, tasks: Any, observed: Any) -> None:
    with worker(app, hostname=NODE, without_heartbeat=False):
        log = capture()
        value_of(tasks.add.delay(1, 1))
        assert not [type for type in log.types() if type.startswith("task-")]
        observed("enabled", app.control.enable_events(reply=True, timeout=1))
        value_of(tasks.add.delay(1, 2))
        log.of("task-succeeded")
        observed("twice", app.control.enable_events(reply=True, timeout=1))
        observed("disabled", app.control.disable_events(reply=True, timeout=1))
        observed("disabled twice", app.control.disable_events(reply=True, timeout=1))


def test_the_setting_turns_them_on(app: Any, worker: Any, capture: Any, tasks: Any) -> None:
    app.conf.worker_send_task_events = True
    with worker(app, hostname=NODE):
        log = capture()
        tasks.add.delay(1, 2)
        log.of("task-succeeded")


def test_a_sent_task(app: Any, capture: Any, tasks: Any, observed: Any) -> None:
    app.conf.task_send_sent_event = True
    log = capture()
    result = tasks.add.apply_async((1, 2), queue="celery", task_id="an-id")
    sent = log.of("task-sent")
    assert sent["uuid"] == result.id == "an-id"
    observed("keys", sorted(sent))
    observed("fields", {key: sent[key] for key in ("name", "args", "kwargs", "retries", "queue", "routing_key")})


def test_an_event_of_a_task_s_own(app: Any, worker: Any, capture: Any, observed: Any) -> None:
    @app.task(name="tells", bind=True)
    def tells(self: Any) -> None:
        self.send_event("task-progress", percent=50)

    with worker(app, hostname=NODE):
        log = capture()
        result = tells.delay()
        progress = log.of("task-progress")
    assert progress["uuid"] == result.id and progress["percent"] == 50
    observed("keys", sorted(progress))


def test_heartbeats(app: Any, worker: Any, capture: Any, observed: Any) -> None:
    log = capture()
    with worker(app, hostname=NODE, without_heartbeat=False, heartbeat_interval=0.2):
        online, beat = log.of("worker-online"), log.of("worker-heartbeat")
    offline = log.of("worker-offline")
    observed("keys", [sorted(event) for event in (online, beat, offline)])
    observed("values", {key: beat[key] for key in ("freq", "active", "sw_ident", "sw_ver", "sw_sys")})
    assert {event["hostname"] for event in log.seen} == {NODE}


def test_a_new_receiver_wakes_the_workers(app: Any, worker: Any, observed: Any) -> None:
    seen: list[dict[str, Any]] = []
    with worker(app, hostname=NODE, without_heartbeat=False, heartbeat_interval=3600):
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"worker-heartbeat": seen.append})
            for _ in receiver.itercapture(limit=10, timeout=5, wakeup=True):
                if seen:
                    break
    assert seen[0]["hostname"] == NODE
    observed("freq", seen[0]["freq"])


def test_handlers_by_type(app: Any) -> None:
    named: list[Any] = []
    others: list[Any] = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"a-b": named.append, "*": others.append})
        receiver.process("a-b", 1)
        receiver.process("c-d", 2)
        silent = app.events.Receiver(connection, handlers={"a-b": named.append})
        silent.process("c-d", 3)
    assert (named, others) == ([1], [2])


def test_an_event_as_it_arrives(app: Any, observed: Any) -> None:
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection)
        clock = app.clock.value
        type, event = receiver.event_from_message({"type": "task-started", "clock": 100, "timestamp": 5.0})
        assert type == "task-started" and event["clock"] == 100 and event["timestamp"] == 5.0
        assert app.clock.value > max(clock, 100)
        type, event = receiver.event_from_message({"type": "task-sent", "clock": 3})
        assert event["clock"] == app.clock.value - 2
        type, event = receiver.event_from_message({"type": "x-y"}, now=lambda: 7.0)
        assert event["clock"] == app.clock.value and event["local_received"] == 7.0
        zone = {"type": "x-y", "timestamp": 1000.0, "utcoffset": 3, "clock": 1}
        observed("kept", receiver.event_from_message(dict(zone), localize=False)[1]["timestamp"])
        shifted = receiver.event_from_message(dict(zone), adjust_timestamp=lambda ts, offset: ts + offset)
        observed("localized", shifted[1]["timestamp"])


def test_capture_ends_with_a_timeout(app: Any) -> None:
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection)
        with pytest.raises(TimeoutError):
            receiver.capture(timeout=1, wakeup=False)


def test_capture_ends_with_the_limit(app: Any) -> None:
    seen: list[Any] = []
    with app.connection_for_read() as connection, app.connection_for_write() as out:
        dispatcher = app.events.Dispatcher(out, hostname="me", enabled=True)
        receiver = app.events.Receiver(connection, handlers={"*": seen.append})
        steps = receiver.itercapture(limit=3, wakeup=False)
        started = threading.Event()

        def send() -> None:
            while not started.wait(0.02):
                dispatcher.send("x-y")

        thread = threading.Thread(target=send)
        thread.start()
        count = sum(1 for _ in steps)
        started.set()
        thread.join(TIMEOUT)
    assert count == len(seen) == 3


def test_an_exclusive_and_durable_queue(app: Any, api: Any) -> None:
    with app.connection_for_read() as connection:
        with pytest.raises(api.exceptions.ImproperlyConfigured):
            app.events.Receiver(connection, queue_exclusive=True, queue_durable=True)


@pytest.mark.parametrize("group", ["task", "worker", "custom"])
def test_groups_of_a_dispatcher(app: Any, capture: Any, group: str) -> None:
    log = capture()
    with app.connection_for_write() as connection:
        with app.events.Dispatcher(connection, hostname="me", groups=[group]) as dispatcher:
            for type in ("task-a", "worker-a", "custom-a"):
                dispatcher.send(type)
            dispatcher.groups.clear()
            dispatcher.send("end-now")
    log.of("end-now")
    assert log.types() == [f"{group}-a", "end-now"]


def test_a_dispatcher_s_switch(app: Any, capture: Any) -> None:
    log = capture()
    switched: list[str] = []
    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(connection, hostname="me", enabled=False)
        on, off = lambda: switched.append("on"), lambda: switched.append("off")
        dispatcher.on_enabled.add(on)
        dispatcher.on_disabled.add(off)
        dispatcher.send("x-off")
        dispatcher.enable()
        dispatcher.send("x-on")
        dispatcher.disable()
        dispatcher.disable()
        dispatcher.send("x-off")
        dispatcher.enable()
        dispatcher.send("x-end")
        dispatcher.close()
        dispatcher.close()
        dispatcher.send("x-closed")
    log.of("x-end")
    assert log.types() == ["x-on", "x-end"]
    assert switched == ["on", "off", "on"]


def test_events_that_are_collected(app: Any, capture: Any, observed: Any) -> None:
    log = capture()
    told: list[int] = []
    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(
            connection,
            hostname="me",
            buffer_group={"task"},
            buffer_limit=3,
            on_send_buffered=lambda: told.append(len(told)),
        )
        dispatcher.send("task-a")
        dispatcher.send("task-b")
        dispatcher.send("other-now")
        log.of("other-now")
        dispatcher.send("task-c")
        log.of("task-c")
        dispatcher.send("task-d")
        dispatcher.flush()
        log.of("task-d")
        dispatcher.close()
    observed("order", log.types())
    observed("told", told)


def test_what_could_not_be_sent(app: Any, observed: Any) -> None:
    class Producer:
        broken = True

        def __init__(self) -> None:
            self.sent: list[Any] = []

        def publish(self, event: Any, **options: Any) -> None:
            if self.broken:
                raise ConnectionError("gone")
            self.sent.append((event["type"], options["routing_key"]))

    producer = Producer()
    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(connection, hostname="me")
        dispatcher.producer = producer
        dispatcher.send("task-a")
        dispatcher.flush()
        producer.broken = False
        dispatcher.flush()
        observed("sent", producer.sent)
        other = app.events.Dispatcher(connection, hostname="me", buffer_while_offline=False)
        producer.broken = True
        other.producer = producer
        with pytest.raises(ConnectionError):
            other.send("task-b")


def test_an_event_by_hand(api: Any, observed: Any) -> None:
    events = api.mod("events")
    made = events.Event("task-x", {"a": 1}, timestamp=3.0, b=2)
    observed("given", made)
    assert sorted(events.Event("task-x", a=1)) == ["a", "timestamp", "type"]
    assert events.Event("task-x", {"type": "other"})["type"] == "task-x"
    observed("groups", [events.group_from(type) for type in ("task-sent", "custom-my-event", "plain")])


def test_default_dispatcher(app: Any, capture: Any) -> None:
    log = capture()
    with app.events.default_dispatcher(hostname="me") as dispatcher:
        dispatcher.send("x-y", value=[1, {"a": None}])
    assert log.of("x-y")["value"] == [1, {"a": None}]


def test_a_camera(api: Any, app: Any, observed: Any) -> None:
    snapshot = api.mod("events.snapshot")
    calls: list[Any] = []

    class Timer:
        def call_repeatedly(self, seconds: float, fun: Any) -> Any:
            calls.append(seconds)

            class Entry:
                def __call__(self) -> None:
                    fun()

                def cancel(self) -> None:
                    calls.append("cancelled")

            return Entry()

    class Camera(snapshot.Polaroid):  # type: ignore[misc, name-defined]
        clear_after = True

        def on_shutter(self, state: Any) -> None:
            calls.append(f"picture of {state.event_count}")

        def on_cleanup(self) -> None:
            calls.append("cleanup")

    state = app.events.State()
    state.event({"type": "worker-online", "hostname": "a", "timestamp": 1.0, "local_received": 1.0, "clock": 1})
    signals: list[str] = []

    def on_shutter(**kwargs: Any) -> None:
        signals.append("shutter")

    snapshot.Polaroid.shutter_signal.connect(on_shutter)
    try:
        with Camera(state, freq=0.5, cleanup_freq=9.0, timer=Timer(), app=app) as camera:
            camera.capture()
            camera.cleanup()
            camera.shutter()
    finally:
        snapshot.Polaroid.shutter_signal.disconnect(on_shutter)
    observed("calls", calls)
    observed("signals", signals)


def test_the_rate_of_a_camera(api: Any, app: Any) -> None:
    pictures: list[int] = []

    class Camera(api.mod("events.snapshot").Polaroid):  # type: ignore[misc]
        def on_shutter(self, state: Any) -> None:
            pictures.append(1)

    camera = Camera(app.events.State(), maxrate="1/h", timer=object(), app=app)
    camera.shutter()
    camera.shutter()
    assert pictures == [1]


def test_the_dumper(api: Any, observed: Any) -> None:
    out = io.StringIO()
    dumper = api.mod("events.dumper").Dumper(out)
    common = {"hostname": "a@b", "timestamp": 0.0}
    dumper.on_event({"type": "worker-online", **common, "freq": 2})
    dumper.on_event({"type": "worker-offline", **common})
    dumper.on_event({"type": "task-received", **common, "uuid": "1", "name": "t", "args": "(1,)", "kwargs": "{}"})
    dumper.on_event({"type": "task-succeeded", **common, "uuid": "1", "result": "2", "runtime": 0.5})
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    observed("lines", lines)
