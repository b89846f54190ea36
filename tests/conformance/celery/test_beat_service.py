"""The service around a scheduler: signals, loop, stopping, pickle, `inspect ping`; the program's settings and banner."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .waiting import until, value_of


@pytest.fixture
def running(api: Any, app: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that runs a service on a thread until the end of the test."""
    started = []

    def run(**options: Any) -> Any:
        options = {"scheduler_cls": "celery.beat:Scheduler", "max_interval": 0.2, **options}
        service = api.mod("beat").Service(app, **options)
        thread = threading.Thread(target=lambda: (app.set_current(), service.start()))
        thread.start()
        started.append((service, thread))
        return service

    yield run
    for service, thread in started:
        service.stop()
        thread.join(10)
        assert not thread.is_alive()


def test_it_sends_until_it_is_stopped(app: Any, worker: Any, running: Any, observed: Any) -> None:
    ran = []

    @app.task(name="note")
    def note(value: int) -> None:
        ran.append(value)

    app.conf.beat_schedule = {"often": {"task": "note", "schedule": 0.05, "args": (7,)}}
    with worker(app):
        service = running()
        until(lambda: len(ran) >= 3)
        service.stop(wait=True)
    observed("ran", sorted(set(ran)))


def test_the_task_sees_where_it_comes_from(app: Any, worker: Any, running: Any, observed: Any) -> None:
    seen: list[Any] = []

    @app.task(name="look", bind=True)
    def look(self: Any) -> None:
        if not seen:
            seen.append([self.request.headers, self.request.retries, self.request.is_eager])
            seen.append(self.request.id)

    app.conf.beat_schedule = {"often": {"task": "look", "schedule": 0.05, "options": {"headers": {"mine": 1}}}}
    with worker(app):
        running()
        until(lambda: len(seen) == 2)
    observed("request", seen[0])


def test_signals(running: Any, signal_log: Any, observed: Any) -> None:
    signal_log.listen("beat_init", "beat_embedded_init")
    service = running()
    until(lambda: service._last_tick is not None)
    observed("names", signal_log.names())
    assert [sender for _, sender, _ in signal_log.events] == [service]


def test_signals_of_an_embedded_one(api: Any, app: Any, signal_log: Any, observed: Any) -> None:
    signal_log.listen("beat_init", "beat_embedded_init")
    service = api.mod("beat").Service(app, scheduler_cls="celery.beat:Scheduler")
    service.stop()
    service.start(embedded_process=True)
    observed("names", signal_log.names())
    observed("interval", service.effective_max_interval)


def test_a_threaded_one(api: Any, app: Any, observed: Any) -> None:
    embedded = api.mod("beat").EmbeddedService(app, thread=True, scheduler_cls="celery.beat:Scheduler")
    observed("thread", [isinstance(embedded, threading.Thread), embedded.daemon, embedded.name])
    observed("control", embedded.service.remote_control)
    # Celery wakes a threaded beat every second, so that it can be stopped
    observed("interval", embedded.service.max_interval, shim=0, row="celery-beat-sleeps-until-due")
    embedded.start()
    until(lambda: embedded.service._last_tick is not None)
    embedded.stop()
    embedded.join(10)
    assert not embedded.is_alive()


def test_beat_is_no_process(api: Any, app: Any, observed: Any) -> None:
    embedded = api.mod("beat").EmbeddedService(app, scheduler_cls="celery.beat:Scheduler")
    observed("thread", isinstance(embedded, threading.Thread), shim=True, row="celery-beat-is-a-thread")


def test_fields_and_settings(api: Any, make_app: Any, observed: Any) -> None:
    app = make_app(beat_max_loop_interval=9, beat_schedule_filename="some-file", beat_enable_remote_control=True)
    names = ("max_interval", "schedule_filename", "remote_control", "hostname", "effective_max_interval")
    service = api.mod("beat").Service(app)
    observed("settings", [getattr(service, name) for name in names])
    service = api.mod("beat").Service(
        app, max_interval=3, schedule_filename="f", remote_control=False, hostname="me@there"
    )
    observed("arguments", [getattr(service, name) for name in names])


def test_pickle(api: Any, app: Any, observed: Any) -> None:
    service = api.mod("beat").Service(app, max_interval=3, schedule_filename="f", hostname="h")
    again = pickle.loads(pickle.dumps(service))
    observed("fields", [again.max_interval, again.schedule_filename, again.hostname, again.remote_control])


@pytest.mark.parametrize(
    "given", [None, "", "celery.beat:Scheduler", "celery.beat.Scheduler", "no.such:Thing", "class"]
)
def test_scheduler_by_name(api: Any, make_app: Any, observed: Any, given: Any, tmp_path: Any) -> None:
    app = make_app(beat_schedule_filename=str(tmp_path / "beat"))
    beat = api.mod("beat")
    service = beat.Service(app, scheduler_cls=beat.Scheduler if given == "class" else given)
    try:
        scheduler = service.get_scheduler(lazy=True)
    except Exception as exc:
        observed("error", type(exc).__name__)
    else:
        observed("scheduler", [type(scheduler).__name__, scheduler.max_interval])


def test_stop_before_it_starts(api: Any, app: Any, observed: Any) -> None:
    service = api.mod("beat").Service(app, scheduler_cls="celery.beat:Scheduler")
    service.stop()
    service.start()
    assert service._is_stopped.is_set()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_tick_that_wants_to_leave(api: Any, app: Any, observed: Any, error: type[BaseException]) -> None:
    class Leaving(api.mod("beat").Scheduler):  # type: ignore[misc, name-defined]
        closed = 0

        def tick(self) -> float:
            raise error

        def close(self) -> None:
            Leaving.closed += 1

    service = api.mod("beat").Service(app, scheduler_cls=Leaving)
    service.start()
    observed("closed", [Leaving.closed, service._is_shutdown.is_set(), service._is_stopped.is_set()])


def test_a_tick_that_fails_ends_it(api: Any, app: Any, observed: Any) -> None:
    class Failing(api.mod("beat").Scheduler):  # type: ignore[misc, name-defined]
        closed = 0

        def tick(self) -> float:
            raise ValueError("broken")

        def close(self) -> None:
            Failing.closed += 1

    service = api.mod("beat").Service(app, scheduler_cls=Failing)
    with pytest.raises(ValueError, match="broken"):
        service.start()
    observed("closed", Failing.closed)


@pytest.mark.parametrize("hostname", [None, "there", "me@there", "me@%h", "%n@there"])
def test_node_name(api: Any, observed: Any, hostname: str | None) -> None:
    beat = api.mod("beat")
    here = api.mod("utils.nodenames").gethostname()
    short = here.partition(".")[0]
    observed("name", beat.beat_nodename(hostname).replace(here, "HOST").replace(short, "HOST"))


def test_ping_reaches_beat(app: Any, running: Any, worker: Any, observed: Any) -> None:
    with worker(app):
        running(remote_control=True, hostname="beat-of-test@here")
        replies = until(lambda: app.control.ping(destination=["beat-of-test@here"], timeout=2))
        observed("replies", replies)
        observed("other command", app.control.inspect(["beat-of-test@here"], timeout=0.5).active())


def test_a_hanging_beat_does_not_answer(api: Any, make_app: Any, worker: Any, observed: Any) -> None:
    app = make_app(beat_remote_control_max_tick_age=0.0)
    beat = api.mod("beat")
    service = beat.Service(app, scheduler_cls="celery.beat:Scheduler", max_interval=40)
    box = beat.BeatPidbox(service)
    observed("never", [box.max_tick_age, box.is_stale(), box.tick_age()])
    app.conf.beat_remote_control_max_tick_age = None
    observed("default", box.max_tick_age)
    service.max_interval = 10
    observed("least", box.max_tick_age)
    app.conf.beat_remote_control_max_tick_age = 5
    service._last_tick = 0.0
    observed("stale", [box.max_tick_age, box.is_stale()])


# -- the program -------------------------------------------------------------------------------------------------------


def test_fields_of_the_program(make_app: Any, observed: Any) -> None:
    app = make_app(beat_schedule_filename="file", beat_scheduler="celery.beat:Scheduler")
    names = "schedule scheduler_cls loglevel logfile max_interval pidfile remote_control hostname quiet socket_timeout"
    plain, chosen = (
        app.Beat(),
        app.Beat(
            schedule="s", scheduler="celery.beat:PersistentScheduler", loglevel="INFO", max_interval=5, quiet=True
        ),
    )
    observed("plain", {name: getattr(plain, name) for name in names.split()})
    observed("chosen", {name: getattr(chosen, name) for name in names.split()})
    observed("redirect", [plain.redirect_stdouts, plain.redirect_stdouts_level])


def test_banner(make_app: Any, observed: Any) -> None:
    app = make_app(beat_schedule_filename="file", beat_max_loop_interval=90)
    program = app.Beat(no_color=True, loglevel="INFO")
    lines = program.banner(program.Service(app, schedule_filename="file")).splitlines()
    hidden = ("LocalTime", ". broker", ". loader")
    observed("lines", [line.rstrip() for line in lines if not line.strip().startswith(hidden)][1:])


def test_program_runs_until_it_is_stopped(
    app: Any, worker: Any, monkeypatch: pytest.MonkeyPatch, observed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    @app.task(name="note")
    def note() -> int:
        return 5

    app.conf.beat_schedule = {"often": {"task": "note", "schedule": 0.05, "options": {"task_id": "from-beat"}}}
    program = app.Beat(scheduler="celery.beat:Scheduler", max_interval=0.2, no_color=True, socket_timeout=None)
    monkeypatch.setattr(program, "install_sync_handler", lambda service: services.append(service))
    services: list[Any] = []
    thread = threading.Thread(target=program.run)
    with worker(app):
        thread.start()
        observed("value", value_of(app.AsyncResult("from-beat")))
        services[0].stop(wait=True)
    thread.join(10)
    assert not thread.is_alive()
    first = capsys.readouterr().out.splitlines()[0]
    observed("first line", first.split(" v")[0])
