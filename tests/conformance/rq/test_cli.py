"""The command line: its options, what `enqueue` makes of its arguments, and what the commands print and answer."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone

import pytest

from . import jobs
from .watch import neutral

click_testing = pytest.importorskip("click.testing")

JOBS = jobs.__name__


@pytest.fixture
def url(connection):
    """Return the address of the test's database."""
    options = connection.connection_pool.connection_kwargs
    return f"redis://127.0.0.1:{options['port']}/0"


@pytest.fixture
def cli(rq, url, monkeypatch):
    """Return a function that runs one command and gives its answer."""
    monkeypatch.setenv("RQ_REDIS_URL", url)
    main = rq.module("cli").main

    def run(*words):
        return click_testing.CliRunner().invoke(main, [str(word) for word in words])

    return run


def said(answer):
    """Exit code and output of a command, without what is different in each run."""
    return [answer.exit_code, " ".join(neutral(answer.output).split())]


def test_commands(rq, observed):
    observed("names", sorted(rq.module("cli").main.commands))


@pytest.mark.parametrize(
    "command", ["worker", "worker-pool", "enqueue", "info", "empty", "requeue", "suspend", "resume", "cron"]
)
def test_options_of_each_command(rq, observed, command):
    found = {}
    for option in rq.module("cli").main.commands[command].params:
        found[option.name] = [sorted([*option.opts, *option.secondary_opts]), type(option.type).__name__, option.nargs]
        found[option.name] += [
            option.required,
            bool(getattr(option, "is_flag", False)),
            option.multiple if hasattr(option, "multiple") else None,
        ]
    observed("options", found)


def test_version_and_unknown_command(rq, cli, observed):
    answer = cli("--version")
    observed("version", [answer.exit_code, rq.VERSION in answer.output])
    observed("unknown", cli("nonsense").exit_code)
    observed("help", cli("--help").exit_code)


@pytest.mark.parametrize(
    "words",
    [
        ["1", "two"],
        [":1", ':{"a": [1, null]}'],
        ["%(1, 2)", "%'text'", "%True"],
        ["x=1", "y:=2", "z%={'a': (1,)}"],
        ["1", "k=v=w"],
        ["a b", "=x"],
        ["x="],
        ["-"],
    ],
    ids=["texts", "json", "literals", "keywords", "second equals", "odd", "empty value", "dash"],
)
def test_arguments_of_enqueue(cli, queue, observed, words):
    answer = cli("enqueue", f"{JOBS}.shape", *words)
    observed("said", said(answer))
    observed("calls", [[job.args, job.kwargs, job.description] for job in queue.jobs])


@pytest.mark.parametrize(
    "words",
    [[":nonsense"], ["%nonsense"], ["x:=nonsense"], ["x%=os.getcwd()"], ["k=1", "2"], ["k=1", "k=2"]],
    ids=["json", "literal", "keyword json", "keyword literal", "positional after keyword", "keyword twice"],
)
def test_bad_arguments_of_enqueue(cli, queue, observed, words):
    answer = cli("enqueue", f"{JOBS}.shape", *words)
    observed("code", answer.exit_code)
    observed(
        "last line", neutral(answer.output).strip().splitlines()[-1:] if answer.exit_code == 2 else answer.exit_code
    )
    observed("count", queue.count)


def test_arguments_from_files(cli, queue, tmp_path, observed):
    (tmp_path / "text").write_text("from a file")
    (tmp_path / "json").write_text("[1, 2]")
    here = os.path.relpath(tmp_path)
    cli("enqueue", f"{JOBS}.shape", f"@{here}/text", f":@{here}/json", f"k:=@{here}/json", f"l%=@{here}/json")
    (job,) = queue.jobs
    observed("call", [job.args, job.kwargs])
    observed("missing", cli("enqueue", f"{JOBS}.shape", "@no/such/file").exit_code)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--timeout", "2m"], "timeout"),
        (["--result-ttl", "10"], "result_ttl"),
        (["--ttl", "1h"], "ttl"),
        (["--failure-ttl", "7"], "failure_ttl"),
        (["--description", "words"], "description"),
        (["--job-id", "own"], "id"),
        (["--retry-max", "3"], "retries_left"),
        (["--retry-max", "3", "--retry-interval", "10", "--retry-interval", "20"], "retry_intervals"),
        (["--queue", "default"], "origin"),
        (["-q", "default"], "origin"),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, list) else None,
)
def test_options_of_enqueue(cli, queue, observed, words, name):
    answer = cli("enqueue", *words, f"{JOBS}.nothing")
    observed("said", said(answer))
    (job,) = queue.jobs
    observed(name, getattr(job, name))


def test_enqueue_at_front_and_quietly(cli, queue, observed):
    for name, words in (("a", []), ("b", ["--at-front"]), ("c", ["--quiet"])):
        observed(name, said(cli("enqueue", "--job-id", name, *words, f"{JOBS}.nothing")))
    observed("ids", queue.job_ids)


def test_enqueue_after_another(cli, queue, observed):
    queue.enqueue(jobs.nothing, job_id="p")
    observed("code", cli("enqueue", "--depends-on", "p", "--job-id", "c", f"{JOBS}.nothing").exit_code)
    observed("deferred", queue.deferred_job_registry.get_job_ids())


@pytest.mark.parametrize("words", [["--schedule-in", "10s"], ["--schedule-in", "2h"]], ids=["seconds", "hours"])
def test_enqueue_later(cli, queue, observed, words):
    answer = cli("enqueue", "--job-id", "j", *words, f"{JOBS}.nothing")
    observed("said", said(answer))
    registry = queue.scheduled_job_registry
    away = registry.get_scheduled_time("j") - datetime.now(timezone.utc)
    observed("away", round(away.total_seconds() / 10))


def test_enqueue_at_a_time(cli, queue, observed):
    cli("enqueue", "--job-id", "j", "--schedule-at", "2040-05-06T07:08:09", f"{JOBS}.nothing")
    assert queue.scheduled_job_registry.get_scheduled_time("j") == datetime(2040, 5, 6, 7, 8, 9).astimezone()
    both = cli("enqueue", "--schedule-at", "2040-05-06", "--schedule-in", "1s", f"{JOBS}.nothing")
    observed("both", [both.exit_code, both.output.strip().splitlines()[-1:]])


def test_enqueue_of_what_does_not_exist(cli, queue, observed):
    observed("said", said(cli("enqueue", "no.such.function")))
    observed("main", cli("enqueue", "__main__.x").exit_code)
    observed("nothing", cli("enqueue").exit_code)


def test_empty(rq, cli, queue, connection, observed):
    observed("nothing", said(cli("empty")))
    for name in ("default", "default", "other"):
        rq.Queue(name, connection=connection).enqueue(jobs.nothing)
    observed("one", said(cli("empty", "default")))
    observed("again", said(cli("empty", "default")))
    observed("all", sorted(cli("empty", "-a").output.splitlines()))
    observed("left", [one.count for one in rq.Queue.all(connection=connection)])


def test_requeue(cli, queue, burst, observed):
    for name in ("a", "b", "c"):
        queue.enqueue(jobs.boom, job_id=name)
    burst()
    observed("nothing", said(cli("requeue", "--queue", "default")))
    observed("one", [cli("requeue", "--queue", "default", "b").exit_code, queue.job_ids])
    answer = cli("requeue", "--queue", "default", "--all")
    observed("first line", answer.output.splitlines()[0])
    observed("all", [answer.exit_code, sorted(queue.job_ids), queue.failed_job_registry.count])
    stranger = cli("requeue", "--queue", "default", "nobody")
    observed("stranger", [stranger.exit_code, type(stranger.exception).__name__])
    observed("without a queue", cli("requeue", "--all").exit_code)


@pytest.mark.parametrize(
    "words", [["-r", "-Q"], ["-Q"], ["-r", "-W"], ["-W"], ["-r", "-R"], ["-R"], ["-r"], []], ids=" ".join
)
def test_info(rq, cli, queue, worker, burst, connection, observed, words):
    queue.enqueue(jobs.boom)
    queue.enqueue(jobs.nothing)
    burst()
    queue.enqueue(jobs.nothing)
    helper = worker(name="w")
    helper.register_birth()
    answer = cli("info", *words)
    helper.register_death()
    text = re.sub(r"127\.0\.0\.1:\d+|unknown", "<ip>", neutral(answer.output))
    text = text.replace(str(os.getpid()), "<pid>").replace(helper.hostname, "<host>")
    observed("code", answer.exit_code)
    observed("lines", [line.rstrip() for line in text.splitlines() if not line.startswith("Updated")])


def test_info_of_named_queues(rq, cli, connection, observed):
    for name in ("a", "b", "c"):
        rq.Queue(name, connection=connection).enqueue(jobs.nothing)
    lines = cli("info", "-r", "-Q", "c", "a").output.splitlines()
    observed("lines", [line for line in lines if line.startswith("queue")])


def test_info_of_nothing(cli, observed):
    answer = cli("info", "-r")
    observed(
        "said", [answer.exit_code, [line for line in answer.output.splitlines() if not line.startswith("Updated")]]
    )


def test_suspend_and_resume(rq, cli, connection, observed):
    observed("suspend", said(cli("suspend")))
    observed("is", bool(rq.is_suspended(connection)))
    observed("resume", said(cli("resume")))
    observed("is not", bool(rq.is_suspended(connection)))
    observed("for a while", said(cli("suspend", "--duration", "5")))
    observed("zero", said(cli("suspend", "--duration", "0")))


def test_worker_in_burst(cli, queue, observed):
    job = queue.enqueue(jobs.add, 1)
    observed(
        "code",
        cli(
            "worker",
            "-b",
            "-w",
            "rq.SimpleWorker"
            if queue.__module__.startswith("rq.")
            else f"{queue.__module__.rpartition('.')[0]}.SimpleWorker",
        ).exit_code,
    )
    observed("job", [job.get_status().value, job.return_value()])


@pytest.mark.parametrize("words", [["--max-jobs", "1"], ["--max-jobs", "5"]], ids=["one", "five"])
def test_worker_with_max_jobs(cli, queue, observed, words):
    for _ in range(3):
        queue.enqueue(jobs.nothing)
    observed("code", cli("worker", "-b", *words).exit_code)
    observed("left", queue.count)


def test_worker_of_named_queues(rq, cli, connection, observed):
    for name in ("a", "b"):
        rq.Queue(name, connection=connection).enqueue(jobs.say, name)
    cli("worker", "-b", "b")
    observed("notes", jobs.notes())
    cli("worker", "-b", "b", "a")
    observed("all", jobs.notes())


def test_worker_with_an_exception_handler(cli, queue, observed):
    queue.enqueue(jobs.boom)
    observed("code", cli("worker", "-b", "--exception-handler", f"{JOBS}.handle_say").exit_code)
    observed("notes", jobs.notes())


def test_worker_without_the_default_handler(cli, queue, observed):
    job = queue.enqueue(jobs.boom)
    cli("worker", "-b", "--disable-default-exception-handler", "--exception-handler", f"{JOBS}.handle_say")
    observed("job", [job.get_status().value, queue.failed_job_registry.count, jobs.notes()])


def test_worker_with_scheduler(cli, queue, observed):
    queue.enqueue_at(datetime.now(timezone.utc) - timedelta(seconds=3), jobs.say, "due")
    cli("worker", "-b", "--with-scheduler")
    observed("notes", jobs.notes())


def test_worker_with_a_life_time_of_results(cli, queue, observed):
    job = queue.enqueue(jobs.nothing)
    cli("worker", "-b", "--results-ttl", "50")
    observed("ttl", queue.connection.ttl(job.key) in (49, 50))


@pytest.mark.parametrize("strategy", ["default", "round_robin"])
def test_worker_with_a_strategy(rq, cli, connection, observed, strategy):
    for name in ("a", "b"):
        for number in range(2):
            rq.Queue(name, connection=connection).enqueue(jobs.say, f"{name}{number}")
    cli("worker", "-b", "--dequeue-strategy", strategy, "a", "b")
    observed("notes", jobs.notes())


def test_worker_with_bad_options(cli, observed):
    observed("strategy", cli("worker", "-b", "--dequeue-strategy", "nonsense").exit_code)
    observed("class", type(cli("worker", "-b", "-w", "no.such.Class").exception).__name__)
    observed("handler", type(cli("worker", "-b", "--exception-handler", "no.such").exception).__name__)


def test_worker_while_suspended(rq, cli, queue, connection, observed):
    rq.suspend(connection)
    queue.enqueue(jobs.nothing)
    answer = cli("worker", "-b")
    observed("said", said(answer))
    observed("left", queue.count)


def test_pid_file(cli, tmp_path, observed):
    cli("worker", "-b", "--pid", tmp_path / "pid")
    observed("own", int((tmp_path / "pid").read_text()) == os.getpid())


def test_settings_from_a_module(cli, queue, tmp_path, monkeypatch, observed, url):
    (tmp_path / "own_settings.py").write_text(f"REDIS_URL = {url!r}\nQUEUES = ['low']\nNAME = 'n'\n")
    monkeypatch.delenv("RQ_REDIS_URL")
    job = type(queue)("low", connection=queue.connection).enqueue(jobs.nothing)
    observed("code", cli("worker", "-b", "-c", "own_settings", "-P", tmp_path).exit_code)
    observed("status", job.get_status().value)


@pytest.mark.parametrize("name", ["cron.py", "no.such.module"])
def test_cron_without_its_file(cli, observed, name):
    answer = cli("cron", name)
    observed("answer", [answer.exit_code, type(answer.exception).__name__])
