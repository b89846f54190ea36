"""CronScheduler and CronJob: registering, due times, history, files, and finding schedulers."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from . import jobs
from .watch import outcome


@pytest.fixture
def cron(rq, connection):
    """Return a scheduler named ``c``."""
    return rq.CronScheduler(connection=connection, name="c")


@pytest.fixture(autouse=True)
def no_definitions(rq):
    """Clear what ``cron.register`` collects in the module."""
    registry = rq.module("cron")._job_data_registry
    registry.clear()
    yield
    rq.module("cron")._job_data_registry.clear()


@pytest.mark.parametrize(
    "options",
    [{}, {"interval": 5, "cron": "* * * * *"}, {"interval": 5}, {"cron": "0 9 * * *"}],
    ids=["neither", "both", "interval", "cron"],
)
def test_register(cron, observed, options):
    def register():
        job = cron.register(jobs.nothing, "default", **options)
        return [job.func_name, job.queue_name, job.interval, job.cron, job.name]

    answer = outcome(register)
    observed("outcome", answer if answer.startswith("returned") else answer.split(":")[0])
    observed("count", len(cron.get_jobs()))


def test_a_bad_cron_string(cron, observed):
    with pytest.raises(ValueError):
        cron.register(jobs.nothing, "default", cron="nonsense")
    observed("count", len(cron.get_jobs()))


def test_errors_in_words(rq, observed):
    def make(**options):
        return rq.CronJob(queue_name="q", **options)

    observed("neither", outcome(lambda: make(func=jobs.nothing)))
    observed("both", outcome(lambda: make(func=jobs.nothing, interval=1, cron="* * * * *")))
    observed("no function", outcome(lambda: make(interval=1)))
    observed("webhooks", outcome(lambda: make(func=jobs.nothing, interval=1, webhooks=[3])))


def test_interval_job_runs_at_once_and_then_waits(rq, queue, cron, observed):
    job = cron.register(jobs.say, "default", args=("x",), interval=60)
    observed("should run", job.should_run())
    observed("enqueued", [one.func_name for one in cron.enqueue_jobs()])
    observed("count", queue.count)
    observed("should run again", job.should_run())
    observed("enqueued again", cron.enqueue_jobs())
    assert job.next_enqueue_time == job.latest_enqueue_time + timedelta(seconds=60)


def test_interval_job_is_due_after_its_interval(cron, observed):
    job = cron.register(jobs.nothing, "default", interval=60)
    job.set_enqueue_time(datetime.now(timezone.utc) - timedelta(seconds=61))
    observed("should run", job.should_run())


def test_cron_string_waits_for_its_time(queue, cron, observed):
    job = cron.register(jobs.nothing, "default", cron="0 0 1 1 *")
    observed("should run", job.should_run())
    observed("enqueued", cron.enqueue_jobs())
    observed("count", queue.count)
    assert job.next_enqueue_time > datetime.now(timezone.utc)
    job.next_enqueue_time = datetime.now(timezone.utc) - timedelta(seconds=1)
    observed("due", job.should_run())


@pytest.mark.parametrize("text", ["*/5 * * * *", "0 * * * *", "30 2 * * 1", "0 9 1 * *", "@hourly"])
def test_next_times_of_cron_strings(rq, observed, text):
    job = rq.CronJob(queue_name="q", func=jobs.nothing, cron=text)
    job.latest_enqueue_time = datetime(2030, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
    local = job.get_next_enqueue_time().astimezone()
    base = job.latest_enqueue_time.astimezone()
    assert local > base
    observed("fields", [local.minute % 5 if "*/5" in text else local.minute, local.second])


@pytest.fixture
def zone(monkeypatch):
    """Return a function that puts this process into a time zone."""

    def enter(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield enter
    monkeypatch.undo()
    time.tzset()


def _times(rq, text, begin, count=4):
    """The next times of a cron string, in UTC."""
    job = rq.CronJob(queue_name="q", func=jobs.nothing, cron=text)
    found = []
    job.latest_enqueue_time = begin
    for _ in range(count):
        job.latest_enqueue_time = job.get_next_enqueue_time()
        found.append(job.latest_enqueue_time.astimezone(timezone.utc).isoformat())
    return found


@pytest.mark.parametrize(
    "text",
    [
        "*/15 * * * *",
        "30 2 29 2 *",
        "0 9 * * MON-FRI",
        "0 0 13 * 5",
        "0 22-2 * * *",
        "5,35 8-10/2 * jan,jul *",
        "0 0 L * *",
        "0 12 * * 7",
        "0 12 * * sun#2",
        "@weekly",
        "@yearly",
        "15 10 ? * *",
        "*/20 30 * * *",
        "0 0 31 * *",
        "* * * * * */30",
    ],
)
def test_times_of_a_cron_string(rq, zone, observed, text):
    zone("UTC0")
    begin = datetime(2030, 1, 4, 9, 0, 30, tzinfo=timezone.utc)
    observed("times", outcome(lambda: _times(rq, text, begin)))


UTC_OR_NOT = pytest.mark.rq212("rq212-cron-local-time")


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        pytest.param("30 2 * * *", datetime(2030, 3, 30, 20), marks=UTC_OR_NOT, id="an hour that is not there"),
        pytest.param("30 2 * * *", datetime(2030, 10, 26, 20), marks=UTC_OR_NOT, id="an hour that is there twice"),
        pytest.param("0 * * * *", datetime(2030, 3, 30, 20), id="hourly in spring"),
        pytest.param("0 * * * *", datetime(2030, 10, 26, 20), marks=UTC_OR_NOT, id="hourly in autumn"),
        pytest.param("*/30 1-3 * * *", datetime(2030, 3, 30, 20), marks=UTC_OR_NOT, id="some hours in spring"),
        pytest.param("*/30 1-3 * * *", datetime(2030, 10, 26, 20), marks=UTC_OR_NOT, id="some hours in autumn"),
    ],
)
def test_times_where_clocks_change(rq, zone, observed, text, begin):
    zone("CET-1CEST,M3.5.0,M10.5.0/3")  # Europe/Berlin, without a need for the database of zones
    observed("times", _times(rq, text, begin.replace(tzinfo=timezone.utc), 9))


def test_times_west_of_greenwich(rq, zone, observed):
    zone("EST5EDT,M3.2.0,M11.1.0")
    observed("times", _times(rq, "*/30 * * * *", datetime(2030, 1, 4, 9, tzinfo=timezone.utc)))


@pytest.mark.parametrize("text", ["* * * *", "60 * * * *", "*/0 * * * *", "a * * * *", "0 0 31 2 *", "0 0 * * 9"])
def test_cron_strings_that_are_refused(rq, observed, text):
    observed("error", outcome(lambda: _times(rq, text, datetime(2030, 1, 1, tzinfo=timezone.utc))))


@pytest.mark.rq212("rq212-cron-local-time")
def test_cron_strings_mean_local_time(rq, monkeypatch, observed):
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    try:
        job = rq.CronJob(queue_name="q", func=jobs.nothing, cron="0 9 * * *")
        moment = job.next_enqueue_time.astimezone(timezone.utc)
    finally:
        monkeypatch.undo()
        time.tzset()
    observed("UTC", [moment.hour, moment.minute])


@pytest.mark.rq212("rq212-cron-kwargs")
def test_options_reach_the_job(rq, queue, cron, observed):
    cron.register(
        jobs.shape,
        "default",
        args=(1,),
        kwargs={"meta": 2},
        interval=9,
        job_timeout=11,
        result_ttl=12,
        ttl=13,
        failure_ttl=14,
        meta={"m": 1},
    )
    cron.enqueue_jobs()
    (job,) = queue.jobs
    observed("job", [job.args, job.kwargs, job.timeout, job.result_ttl, job.ttl, job.failure_ttl, job.meta])


def test_defaults_of_the_job(queue, cron, observed):
    cron.register(jobs.nothing, "default", interval=9)
    cron.enqueue_jobs()
    (job,) = queue.jobs
    observed("job", [job.args, job.kwargs, job.timeout, job.result_ttl, job.ttl, job.failure_ttl, job.meta])


def test_names_and_history(rq, queue, cron, connection, observed):
    job = cron.register(jobs.nothing, "default", interval=9, name="nightly")
    plain = cron.register(jobs.nothing, "default", interval=9)
    observed("names", [job.name, plain.name])
    cron.enqueue_jobs()
    ids = job.get_job_ids(connection)
    assert ids == rq.get_cron_job_ids("nightly", connection)
    assert len(ids) == 1
    assert ids[0] in queue.job_ids
    observed("registry", sorted(rq.module("cron_job_registry").get_names(connection)))


def test_history_is_newest_first(rq, cron, connection):
    job = cron.register(jobs.nothing, "default", interval=9, name="n")
    made = [job.enqueue(connection).id for _ in range(3)]
    assert rq.get_cron_job_ids("n", connection) == made[::-1]
    assert rq.get_cron_job_ids("n", connection, 0, 0) == made[-1:]


def test_enqueue_by_hand(rq, queue, connection, burst, observed):
    job = rq.CronJob(queue_name="default", func=jobs.say, args=("x",), interval=1)
    made = job.enqueue(connection)
    observed("status", made.get_status().value)
    burst()
    observed("notes", jobs.notes())


def test_job_without_function(rq, connection, observed):
    job = rq.CronJob(queue_name="default", func_name="a.b", interval=1)
    observed("error", outcome(lambda: job.enqueue(connection)))


def test_module_register_and_create_cron(rq, connection, observed):
    rq.register(jobs.nothing, "default", interval=5)
    rq.register(jobs.add, "low", args=(1,), cron="0 0 * * *")
    cron = rq.create_cron(connection)
    observed("jobs", [[job.func_name, job.queue_name, job.interval, job.cron] for job in cron.get_jobs()])
    observed("consumed", rq.create_cron(connection).get_jobs())


def test_config_file(rq, connection, cron, tmp_path, observed):
    package = rq.module("cron").__name__
    text = f"from {package} import register\nfrom {jobs.__name__} import nothing\n"
    (tmp_path / "my_cron.py").write_text(text + "register(nothing, 'default', interval=7)\n")
    cron.load_config_from_file(str(tmp_path / "my_cron.py"))
    observed("jobs", [[job.func_name, job.interval] for job in cron.get_jobs()])


def test_config_file_that_is_missing(cron, tmp_path, observed):
    observed("kind", outcome(lambda: cron.load_config_from_file(str(tmp_path / "none.py"))).split(":")[0])
    observed("module", outcome(lambda: cron.load_config_from_file("no.such.module")).split(":")[0])


def test_config_file_with_an_error(cron, tmp_path, observed):
    (tmp_path / "bad.py").write_text("raise RuntimeError('inside')\n")
    observed("kind", outcome(lambda: cron.load_config_from_file(str(tmp_path / "bad.py"))).split(":")[0])


def test_to_dict(rq, observed):
    job = rq.CronJob(queue_name="q", func=jobs.add, args=(1,), kwargs={"y": 2}, interval=5, meta={"m": 1}, name="n")
    observed("dict", job.to_dict())
    again = rq.CronJob.from_dict(job.to_dict())
    observed("again", [again.func, again.func_name, again.args, again.kwargs, again.interval, again.name])


def test_saved_and_fetched(rq, connection, cron, observed):
    cron.register(jobs.nothing, "default", interval=5)
    cron.config_file = "x.py"
    cron.save()
    again = rq.CronScheduler.fetch("c", connection)
    observed("again", [again.name, again.config_file, [job.func_name for job in again.get_jobs()]])
    assert again == cron
    assert again.pid == cron.pid
    assert again.hostname == cron.hostname
    assert again.created_at == cron.created_at


def test_fetch_of_a_missing_scheduler(rq, connection, observed):
    observed("error", outcome(lambda: rq.CronScheduler.fetch("none", connection)))


def test_birth_and_death(rq, connection, cron, observed):
    cron.register_birth()
    observed("all", [one.name for one in rq.CronScheduler.all(connection)])
    observed("twice", outcome(cron.register_birth))
    cron.heartbeat()
    assert abs((cron.last_heartbeat - datetime.now(timezone.utc)).total_seconds()) < 5
    cron.register_death()
    observed("after", rq.CronScheduler.all(connection))
    observed("death again", outcome(cron.register_death))


def test_default_name(rq, connection):
    import os
    import socket

    name = rq.CronScheduler(connection=connection).name
    assert name.startswith(f"{socket.gethostname()}:{os.getpid()}:")


def test_sleep_interval(cron, observed):
    observed("nothing", cron.calculate_sleep_interval())
    job = cron.register(jobs.nothing, "default", interval=600)
    job.set_enqueue_time(datetime.now(timezone.utc))
    observed("far", cron.calculate_sleep_interval())
    job.set_enqueue_time(datetime.now(timezone.utc) - timedelta(seconds=700))
    observed("overdue", cron.calculate_sleep_interval())


def test_lines(cron, logs, observed):
    cron.register(jobs.nothing, "default", interval=5)
    cron.register(jobs.nothing, "default", cron="0 0 * * *")
    cron.enqueue_jobs()
    observed("lines", logs.lines)


def test_equality(rq, connection, cron, observed):
    same, other = (rq.CronScheduler(connection=connection, name=name) for name in ("c", "d"))
    observed("equal", [cron == same, cron == other, cron == "c", hash(cron) == hash(same)])
