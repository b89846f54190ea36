"""The `celery` command in this process: commands, options, exit codes, and what they print.

Workers as programs are in test_cli_worker.py. Texts are compared where scripts read them.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from .waiting import until, value_of

NODE = "node@host"

Run = Callable[..., Any]


@pytest.fixture
def group(api: Any) -> Any:
    """The command `celery`."""
    return api.mod("bin.celery").celery


@pytest.fixture
def run(group: Any, app: Any) -> Run:
    """Return a function that runs the command for the application."""

    def run(*args: str, input: str | None = None, **options: Any) -> Any:
        kept = {name: (list(command.params), command.callback) for name, command in group.commands.items()}
        try:
            return CliRunner().invoke(group, ["-C", *args], input=input, default_map={"app": app, **options})
        finally:
            for name, (params, callback) in kept.items():
                group.commands[name].params, group.commands[name].callback = params, callback

    return run


@pytest.fixture
def add(app: Any) -> Any:
    """A task of two arguments."""

    @app.task(name="add")
    def add(x: int, y: int = 0) -> int:
        return x + y

    return add


def test_the_commands(group: Any, observed: Any) -> None:
    observed("names", sorted(group.commands))


def test_the_options_before_the_command(group: Any, observed: Any) -> None:
    observed("options", sorted(opt for param in group.params for opt in param.opts))
    observed("environment", {param.name: param.envvar for param in group.params if getattr(param, "envvar", None)})


@pytest.mark.parametrize(
    "name",
    [
        "beat",
        "call",
        "control",
        "events",
        "inspect",
        "list bindings",
        "logtool stats",
        "migrate",
        "purge",
        "report",
        "result",
        "shell",
        "status",
        "upgrade settings",
        "worker",
    ],
)
def test_the_options_of_a_command(group: Any, observed: Any, name: str) -> None:
    command = group
    for word in name.split():
        command = command.commands[word]
    options = {opt for param in command.params for opt in (*param.opts, *param.secondary_opts)}
    observed("options", sorted(options))


@pytest.mark.parametrize("name", ["call", "worker", "beat", "status"])
def test_the_help_has_headings(run: Run, observed: Any, name: str) -> None:
    said = run(name, "--help")
    assert said.exit_code == 0
    observed("headings", re.findall(r"^([A-Z][\w ]+):", said.output, re.MULTILINE)[1:])


@pytest.mark.parametrize(
    "args",
    [
        "--version",
        "",
        "--help",
        "report",
        "nonsense",
        "call",
        "call add -a {}",
        "call add -a no",
        "call add -k []",
        "call add --eta junk",
        "call add --countdown junk",
        "call add --expires junk",
        "call add --no-such-option",
        "result",
        "inspect",
        "inspect nonsense",
        "inspect --list",
        "control --list",
        "control ping",
        "control rate_limit a b c d e",
        "worker -c -3",
        "worker -c many",
        "worker -l LOUD",
        "worker -P no-such-pool",
        "worker -O odd",
        "worker --autoscale 1,2,3",
        "worker --time-limit soon",
        "beat -l LOUD",
        "beat --max-interval soon",
        "list bindings",
        "migrate one",
        "logtool nonsense",
        "upgrade nonsense",
    ],
)
def test_exit_codes(run: Run, observed: Any, args: str) -> None:
    observed("code", run(*args.split(" ") if args else []).exit_code)


def test_the_app_belongs_before_the_command(group: Any, app: Any, observed: Any) -> None:
    said = CliRunner().invoke(group, ["worker", "-A", "proj"], default_map={"app": app})
    observed("code", said.exit_code)
    assert "celery -A celeryapp worker" in said.output


@pytest.mark.manual
@pytest.mark.parametrize("args", ["status", "inspect ping", "inspect active", "control enable_events"])
def test_nobody_answers(run: Run, observed: Any, args: str) -> None:
    said = run(*args.split(), "-t", "0.1")
    observed("code", said.exit_code)
    assert "No nodes replied within time constraint" in said.output


def test_the_version(run: Run, observed: Any) -> None:
    observed("text", run("--version").output)


@pytest.mark.parametrize("name", ["no_such_module_at_all", "json", "json:nothing"])
def test_an_app_that_is_not_there(group: Any, observed: Any, name: str) -> None:
    said = CliRunner().invoke(group, ["-A", name, "report"])
    observed("code", said.exit_code)
    assert "Unable to load celery application" in said.output


@pytest.mark.parametrize("name", ["mod_named_app", "mod_named_celery", "mod_other", "mod_other:mine", "mod_broken"])
def test_finding_the_app(group: Any, api: Any, tmp_path: Path, monkeypatch: Any, observed: Any, name: str) -> None:
    sources = {
        "mod_named_app": "app = Celery('a')",
        "mod_named_celery": "celery = Celery('b')",
        "mod_other": "mine = Celery('c')",
        "mod_broken": "raise RuntimeError('at import')",
    }
    for module, source in sources.items():
        (tmp_path / f"{module}.py").write_text(f"from {api.Celery.__module__} import Celery\n{source}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    @click.command("main-name")
    @click.pass_context
    def main_name(ctx: Any) -> None:
        click.echo(ctx.obj.app.main)

    group.add_command(main_name)
    try:
        said = CliRunner().invoke(group, ["-A", name, "main-name"])
    finally:
        del group.commands["main-name"]
    observed("code", said.exit_code)
    observed("said", said.output if said.exit_code == 0 else "at import" in said.output)


# -- with a worker --------------------------------------------------------------------------------------------------


def test_status(app: Any, worker: Any, run: Run, observed: Any) -> None:
    with worker(app, hostname=NODE):
        said = run("status", "-t", "5", "-d", NODE)
        as_json = run("status", "-t", "5", "-d", NODE, "-j")
    observed("said", [said.exit_code, said.output.splitlines()])
    assert json.loads(as_json.output.splitlines()[0]) == {NODE: {"ok": "pong"}}


@pytest.mark.parametrize("args", ["ping", "registered", "active", "reserved", "scheduled", "revoked"])
def test_inspect(app: Any, worker: Any, run: Run, add: Any, observed: Any, args: str) -> None:
    with worker(app, hostname=NODE):
        said = run("inspect", *args.split(), "-t", "5", "-d", NODE)
    observed("said", [said.exit_code, said.output.splitlines()])


def test_inspect_as_json(app: Any, worker: Any, run: Run, add: Any, observed: Any) -> None:
    with worker(app, hostname=NODE):
        said = run("inspect", "registered", "-t", "5", "-d", NODE, "-j")
        quiet = run("-q", "inspect", "ping", "-t", "5", "-d", NODE)
    observed("said", json.loads(said.output))
    observed("quiet", quiet.output.splitlines())


def test_inspect_with_arguments(app: Any, worker: Any, run: Run, add: Any, observed: Any) -> None:
    with worker(app, hostname=NODE):
        said = run("inspect", "query_task", "some-id", "another", "-t", "5", "-d", NODE, "-j")
        observed("query", json.loads(said.output))
        said = run("inspect", "conf", "yes", "-t", "5", "-d", NODE, "-j")
        assert json.loads(said.output)[NODE]["task_serializer"] == "json"


@pytest.mark.parametrize(
    "args",
    [
        "rate_limit add 10/m",
        "rate_limit add junk",
        "rate_limit nonsense 10/m",
        "time_limit add 10 20",
        "add_consumer other",
        "cancel_consumer celery",
        "revoke some-id",
        "enable_events",
        "autoscale 3 1",
        "pool_restart",
    ],
)
def test_control(app: Any, worker: Any, run: Run, add: Any, observed: Any, args: str) -> None:
    with worker(app, hostname=NODE):
        said = run("control", *args.split(), "-t", "5", "-d", NODE)
    observed("said", [said.exit_code, [line for line in said.output.splitlines() if "Traceback" not in line][:3]])


def test_control_changes_a_task(app: Any, worker: Any, run: Run, add: Any) -> None:
    with worker(app, hostname=NODE):
        run("control", "rate_limit", "add", "7/m", "-t", "5", "-d", NODE)
        run("control", "time_limit", "add", "10.5", "20", "-t", "5", "-d", NODE)
    assert (add.rate_limit, add.soft_time_limit, add.time_limit) == ("7/m", 10.5, 20.0)


def test_a_command_of_the_project(api: Any, app: Any, worker: Any, run: Run, observed: Any) -> None:
    control = api.mod("worker.control")

    @control.control_command(args=[("n", int)], signature="[N=1]")
    def set_level(state: Any, n: int = 1) -> Any:
        """Set the level."""
        return {"ok": f"level {n} on {state.hostname}"}

    try:
        with worker(app, hostname=NODE):
            said = run("control", "set_level", "3", "-t", "5", "-d", NODE)
            too_many = run("control", "set_level", "3", "4", "-t", "5", "-d", NODE)
        listed = run("control", "--list")
    finally:
        del control.Panel.data["set_level"], control.Panel.meta["set_level"]
    observed("said", [said.exit_code, said.output.splitlines(), too_many.exit_code])
    assert re.search(r"set_level \[N=1\]\s+Set the level", listed.output)


@pytest.mark.parametrize("kind", ["inspect", "control"])
def test_lists_of_commands(run: Run, observed: Any, kind: str) -> None:
    said = run(kind, "--list")
    names = re.findall(r"^  ([a-z_]+)", said.output, re.MULTILINE)
    known = {"memsample", "memdump", "objgraph"}  # need packages that are not everywhere
    observed("names", [name for name in names if name not in known])


# -- tasks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", ["-a [1,2]", '-a [1] -k {"y":5}', '-k {"x":3}', "-a [1] --countdown 0.01"])
def test_call(app: Any, worker: Any, run: Run, add: Any, observed: Any, args: str) -> None:
    with worker(app):
        said = run("call", "add", *args.split())
        assert said.exit_code == 0
        task_id = str(uuid.UUID(said.output.strip()))
        observed("value", value_of(app.AsyncResult(task_id)))


def test_call_with_options(app: Any, run: Run, add: Any, api: Any, observed: Any) -> None:
    seen: list[Any] = []

    def published(headers: Any = None, routing_key: Any = None, **kwargs: Any) -> None:
        seen.append((headers["task"], routing_key, headers["expires"] is not None, headers["eta"]))

    api.signals.before_task_publish.connect(published)
    try:
        assert run("call", "other.task", "--queue", "q", "--expires", "60").exit_code == 0
        assert run("call", "add", "--eta", "2030-01-01T00:00:00Z").exit_code == 0
    finally:
        api.signals.before_task_publish.disconnect(published)
    observed("seen", seen)


def test_a_result(app: Any, worker: Any, run: Run, add: Any, observed: Any) -> None:
    @app.task(name="fail")
    def fail() -> None:
        raise ValueError("no")

    with worker(app):
        done, failed = add.delay(1, 2), fail.delay()
        value_of(done)
        until(failed.ready)
        observed("value", run("result", done.id).output)
        observed("by task", run("result", done.id, "-t", "add").output)
        said = run("result", failed.id)
        observed("failure", [said.exit_code, repr(said.exception)])
        said = run("result", "--traceback", failed.id)
        observed("traceback", [said.exit_code, said.output.splitlines()[-1:]])


@pytest.mark.manual
@pytest.mark.parametrize("args", ["-f", "-f -Q other", "-f -X celery", "-f -Q celery,other", ""])
def test_purge(app: Any, run: Run, add: Any, observed: Any, args: str) -> None:
    for number in range(2):
        add.delay(number)
    add.apply_async((3,), queue="other")
    said = run("purge", *args.split(), input="n\n")
    lines = said.output.splitlines()
    observed("said", [said.exit_code, lines[-1:] if args else []])
    again = run("purge", "-f", "-Q", "celery,other")
    observed("rest", again.output.splitlines()[:1])


@pytest.mark.manual
def test_purge_asks(app: Any, run: Run, add: Any, observed: Any) -> None:
    add.delay(1)
    said = run("purge", input="y\n")
    observed("said", [said.exit_code, said.output.splitlines()[-1]])


# -- the rest -------------------------------------------------------------------------------------------------------


def test_the_report(app: Any, run: Run, observed: Any) -> None:
    app.conf.update(
        task_default_queue="mine", broker_url="redis://user:secret@localhost/1", result_backend="cache+memory://"
    )
    said = run("report")
    assert said.exit_code == 0 and "secret" not in said.output
    heads = re.findall(r"^(\w+) +->|^(\w+): ", said.output, re.MULTILINE)
    observed("heads", sorted(first or second for first, second in heads if second != "autostart"))
    assert "software -> celery:5.7.0 (collider)" in said.output


def test_bindings(app: Any, run: Run, observed: Any) -> None:
    observed("said", run("list", "bindings").output.splitlines())


def test_the_console(app: Any, run: Run, add: Any, observed: Any) -> None:
    program = "print('out', app.main, celery is app, add.name, sorted(k for k in globals() if k[0] in 'cgsx'))\n"
    said = run("shell", "--python", input=program)
    observed("out", next(line for line in said.output.splitlines() if "out " in line).partition("out ")[2])
    said = run("shell", "--python", "-T", input="print('out', 'add' in globals())\n")
    observed("without", next(line for line in said.output.splitlines() if "out " in line).partition("out ")[2])


def test_counting_a_log(run: Run, tmp_path: Path, observed: Any) -> None:
    log = tmp_path / "worker.log"
    stamp = "[2026-01-01 10:00:00,000: INFO/MainProcess]"
    log.write_text(
        f"{stamp} Received task: add[id1]  \n"
        f"{stamp} Task add[id1] succeeded in 0.1s: 3\n"
        f"{stamp} Received task: mul[id2]  \n"
        f"{stamp} Task mul[id2] raised unexpected: ValueError('no')\n"
        "Traceback (most recent call last):\n"
        f"{stamp} Received task: mul[id3]  \n"
        f"{stamp} something else\n"
    )
    for name in ("stats", "errors", "incomplete", "debug"):
        observed(name, [line for line in run("logtool", name, str(log)).output.splitlines() if line])


@pytest.mark.parametrize("flags", ["", "--django", "--compat --no-backup"])
def test_upgrading_settings(run: Run, tmp_path: Path, observed: Any, flags: str) -> None:
    settings = tmp_path / "settings.py"
    settings.write_text("CELERY_TASK_SERIALIZER = 'json'\nBROKER_URL = 'x'\nCELERYD_CONCURRENCY = 2\nother = 1\n")
    said = run("upgrade", "settings", str(settings), *flags.split())
    observed("said", [said.exit_code, settings.read_text().splitlines()])
    observed("files", sorted(path.name for path in tmp_path.iterdir()))


def test_options_of_the_project(app: Any, api: Any, run: Run, observed: Any) -> None:
    app.user_options["preload"].add(click.Option(["-Z", "--template"], default="default", help="A template."))
    app.user_options["worker"].add(click.Option(["--queue-prefix"]))
    seen: list[Any] = []

    def receive(options: Any = None, app: Any = None, **kwargs: Any) -> None:
        seen.append((options, app.main))

    api.signals.user_preload_options.connect(receive)
    try:
        said = run("list", "bindings")
        codes = [said.exit_code, run("purge", "-f", "-Z", "mine").exit_code]
        in_help = "--queue-prefix" in run("worker", "--help").output
    finally:
        api.signals.user_preload_options.disconnect(receive)
    observed("codes", codes)
    observed("seen", seen)
    assert in_help


def test_start_and_worker_main(app: Any, add: Any, observed: Any, capsys: Any) -> None:
    with pytest.raises(ValueError):
        app.worker_main(["status"])
    observed("help", app.start(["--help"]))
    app.start(["-C", "call", "add", "-a", "[1,2]"])
    lines = capsys.readouterr().out.splitlines()
    assert uuid.UUID(lines[-1])
    with pytest.raises(click.UsageError):
        app.start(["call", "add", "-a", "{}"])


def test_a_command_of_another_package(api: Any, group: Any, app: Any, observed: Any) -> None:
    base = api.mod("bin.base")

    @click.command(cls=base.CeleryCommand)
    @click.option("-n", "--name", cls=base.CeleryOption, help_group="Mine", help="A name.")
    @click.pass_context
    @base.handle_preload_options
    def greet(ctx: Any, name: str) -> None:
        """Say hello."""
        ctx.obj.echo(f"{name} {ctx.obj.app.main}")
        ctx.obj.echo(ctx.obj.pretty([1, 2])[1])
        ctx.obj.echo(ctx.obj.pretty({"ok": {"a": 1}})[1])
        ctx.obj.echo(" ".join(ctx.obj.pretty({"error": "bad"})))
        ctx.obj.error("to stderr")

    group.add_command(greet)
    try:
        said = CliRunner().invoke(group, ["-C", "greet", "-n", "you"], default_map={"app": app})
        helped = CliRunner().invoke(group, ["greet", "--help"], default_map={"app": app})
    finally:
        del group.commands["greet"]
    observed("said", said.stdout.splitlines())
    observed("help", [line for line in helped.output.splitlines() if line.startswith(("Mine", "Options"))])
