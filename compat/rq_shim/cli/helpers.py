"""What the commands share: options, configuration, the look of `info`, and how arguments of `enqueue` are read."""

from __future__ import annotations

import importlib
import json
import sys
import time
from ast import literal_eval
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import update_wrapper
from shutil import get_terminal_size
from typing import Any

try:
    click: Any = importlib.import_module("click")
except ImportError as error:
    raise ImportError("the rq command line needs the package 'click': pip install click") from error


from ..connections import Redis
from ..defaults import (
    DEFAULT_CONNECTION_CLASS,
    DEFAULT_DEATH_PENALTY_CLASS,
    DEFAULT_JOB_CLASS,
    DEFAULT_QUEUE_CLASS,
    DEFAULT_SERIALIZER_CLASS,
    DEFAULT_WORKER_CLASS,
)
from ..logutils import setup_loghandlers
from ..redis.sentinel import Sentinel
from ..utils import import_attribute, import_job_class, import_worker_class, now, parse_timeout
from ..worker import WorkerStatus

COLOURS = {WorkerStatus.BUSY: "red", WorkerStatus.IDLE: "green", WorkerStatus.SUSPENDED: "yellow"}
SCALES = (20, 50, 100, 200, 400, 600, 800, 1000)


def read_config_file(module: str) -> dict[str, Any]:
    """The upper-case names of a module."""
    settings = importlib.import_module(module)
    return {name: value for name, value in vars(settings).items() if name.upper() == name}


def get_redis_from_config(settings: Mapping[str, Any], connection_class: Any = Redis) -> Any:
    """The connection that settings describe: REDIS_URL, SENTINEL, or REDIS_HOST and so on."""
    if settings.get("REDIS_URL") is not None:
        return connection_class.from_url(settings["REDIS_URL"])
    sentinel = settings.get("SENTINEL")
    if sentinel is not None:
        names = {"db": "DB", "username": "USERNAME", "password": "PASSWORD", "socket_timeout": "SOCKET_TIMEOUT"}
        options = {option: sentinel.get(name) for option, name in names.items()}
        options["db"] = options["db"] or 0
        options["ssl"] = sentinel.get("SSL", False)
        options.update(sentinel.get("CONNECTION_KWARGS", {}))
        found = Sentinel(
            sentinel.get("INSTANCES", [("localhost", 26379)]),
            sentinel_kwargs=sentinel.get("SENTINEL_KWARGS", {}),
            **options,
        )
        return found.master_for(sentinel.get("MASTER_NAME", "mymaster"))
    ssl = settings.get("REDIS_SSL", False)
    if isinstance(ssl, str):
        words = {"y": True, "yes": True, "t": True, "true": True, "n": False, "no": False, "f": False, "false": False}
        if ssl.lower() not in (*words, ""):
            raise ValueError('REDIS_SSL is a boolean and must be "True" or "False".')
        ssl = words.get(ssl.lower(), False)
    return connection_class(
        host=settings.get("REDIS_HOST", "localhost"),
        port=settings.get("REDIS_PORT", 6379),
        db=settings.get("REDIS_DB", 0),
        password=settings.get("REDIS_PASSWORD"),
        ssl=ssl,
        ssl_ca_certs=settings.get("REDIS_SSL_CA_CERTS"),
        ssl_cert_reqs=settings.get("REDIS_SSL_CERT_REQS", "required"),
        ssl_ca_data=settings.get("REDIS_SSL_CA_DATA"),
        ssl_keyfile=settings.get("REDIS_SSL_KEYFILE"),
        ssl_certfile=settings.get("REDIS_SSL_CERTFILE"),
    )


# -- the look of `info` ----------------------------------------------------------------------------------------------


def get_scale(x: int) -> int:
    """The round number that a bar chart goes up to."""
    return next((scale for scale in SCALES if x <= scale), x)


def state_symbol(state: Any) -> str:
    """A worker's state in its colour."""
    text = str(getattr(state, "value", state))
    return click.style(text, fg=COLOURS[state]) if state in COLOURS else text


def show_queues(queues: Any, raw: bool, by_queue: bool, queue_class: Any, worker_class: Any, connection: Any) -> None:
    """One line for each queue."""
    counts = [(queue, queue.count) for queue in queues]
    ratio = min(20, get_terminal_size().columns - 20) / get_scale(max((count for _, count in counts), default=0))
    for queue, count in counts:
        rest = (
            f"{count}, {queue.started_job_registry.count} executing, {queue.finished_job_registry.count} finished, "
            f"{queue.failed_job_registry.count} failed"
        )
        if raw:
            click.echo(f"queue {queue.name} {rest}")
        else:
            bar = click.style("|" + "█" * int(ratio * count), fg="green")
            click.echo(f"{queue.name:<12} {bar} {rest}")
    if not raw:
        click.echo(f"{len(counts)} queues, {sum(count for _, count in counts)} jobs total")


def show_workers(queues: Any, raw: bool, by_queue: bool, queue_class: Any, worker_class: Any, connection: Any) -> None:
    """One line for each worker, or for each queue."""
    by_name = {queue: worker_class.all(queue=queue, connection=connection) for queue in queues}
    if queues:
        workers = {worker for some in by_name.values() for worker in some}
    else:
        workers = set(worker_class.all(connection=connection))
    if by_queue:
        width = max((len(queue.name) for queue in by_name), default=0) + 1
        for queue, some in by_name.items():
            text = ", ".join(sorted(f"{worker.name} ({state_symbol(worker.get_state())})" for worker in some))
            click.echo(f"{queue.name + ':':<{width}} {text or '–'}")
    else:
        for worker in workers:
            name = f"{worker.name} ({worker.hostname} {worker.ip_address} {worker.pid})"
            names = ", ".join(worker.queue_names())
            jobs = f"jobs: {worker.successful_job_count} finished, {worker.failed_job_count} failed"
            state = worker.get_state()
            click.echo(
                f"worker {name} {state} {names}. {jobs}" if raw else f"{name}: {state_symbol(state)} {names}. {jobs}"
            )
    if not raw:
        click.echo(f"{len(workers)} workers, {len(by_name)} queues")


def show_both(queues: Any, raw: bool, by_queue: bool, queue_class: Any, worker_class: Any, connection: Any) -> None:
    """Queues and workers."""
    show_queues(queues, raw, by_queue, queue_class, worker_class, connection)
    if not raw:
        click.echo("")
    show_workers(queues, raw, by_queue, queue_class, worker_class, connection)
    if not raw:
        click.echo("")
        click.echo(f"Updated: {datetime.now()}")


def refresh(interval: float | None, func: Callable[..., None], *args: Any) -> None:
    """Shows once, or again each `interval` seconds."""
    while True:
        if interval:
            click.clear()
        func(*args)
        if not interval:
            return
        time.sleep(interval)


def setup_loghandlers_from_args(verbose: bool, quiet: bool, date_format: str, log_format: str) -> None:
    """Log set-up as the options say."""
    if verbose and quiet:
        raise RuntimeError("Flags --verbose and --quiet are mutually exclusive.")
    level = "DEBUG" if verbose else "WARNING" if quiet else None
    setup_loghandlers(level, date_format=date_format, log_format=log_format)


# -- arguments of `enqueue` ------------------------------------------------------------------------------------------


class ParsingMode(Enum):
    """How a value is read."""

    PLAIN_TEXT = 0
    JSON = 1
    LITERAL_EVAL = 2


_MARKS = {":": ParsingMode.JSON, "%": ParsingMode.LITERAL_EVAL}


def _split(argument: str) -> tuple[str | None, ParsingMode, str]:
    """(keyword, mode, value) of `value`, `:json`, `%literal`, `k=value`, `k:=json`, `k%=literal`."""
    if argument[:1] in _MARKS:
        return None, _MARKS[argument[0]], argument[1:]
    place = argument.find("=")
    if place <= 0:
        return None, ParsingMode.PLAIN_TEXT, argument
    keyword, value = argument[:place], argument[place + 1 :]
    for mark, mode in _MARKS.items():
        if argument.find(mark) == place - 1:
            return keyword[:-1], mode, value
    return keyword, ParsingMode.PLAIN_TEXT, value


def parse_function_arg(argument: str, arg_pos: int) -> tuple[str | None, Any]:
    """(keyword or None, value) of one argument; `@file` is the content of a file."""
    keyword, mode, value = _split(argument)
    if value.startswith("@"):
        try:
            with open(value[1:], encoding="utf-8") as file:
                value = file.read()
        except FileNotFoundError:
            raise click.FileError(value[1:], "Not found") from None
    name = keyword or f"{arg_pos}. non keyword argument"
    if mode is ParsingMode.JSON:
        try:
            return keyword, json.loads(value)
        except ValueError:
            raise click.BadParameter(f"Unable to parse {name} as JSON.") from None
    if mode is ParsingMode.LITERAL_EVAL:
        try:
            return keyword, literal_eval(value)
        except Exception:
            raise click.BadParameter(
                f"Unable to eval {name} as Python object. See "
                "https://docs.python.org/3/library/ast.html#ast.literal_eval"
            ) from None
    return keyword, value


def parse_function_args(arguments: Any) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in arguments:
        keyword, value = parse_function_arg(argument, len(args) + 1)
        if keyword is None:
            args.append(value)
        elif keyword in kwargs:
            raise click.BadParameter("You can't specify multiple values for the same keyword.")
        else:
            kwargs[keyword] = value
    return args, kwargs


def parse_schedule(schedule_in: Any, schedule_at: str | None) -> datetime | None:
    """The time that `--schedule-in` or `--schedule-at` means."""
    if schedule_in is not None:
        if schedule_at is not None:
            raise click.BadArgumentUsage("You can't specify both --schedule-in and --schedule-at")
        return now() + timedelta(seconds=parse_timeout(schedule_in) or 0)
    return None if schedule_at is None else datetime.strptime(schedule_at, "%Y-%m-%dT%H:%M:%S")


# -- options that all commands have ----------------------------------------------------------------------------------


class CliConfig:
    """What the shared options mean."""

    def __init__(
        self,
        url: str | None = None,
        config: str | None = None,
        worker_class: str = DEFAULT_WORKER_CLASS,
        job_class: str = DEFAULT_JOB_CLASS,
        death_penalty_class: str = DEFAULT_DEATH_PENALTY_CLASS,
        queue_class: str = DEFAULT_QUEUE_CLASS,
        connection_class: str = DEFAULT_CONNECTION_CLASS,
        path: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._connection: Any = None
        self.url = url
        self.config = config
        sys.path.extend(path or ())
        self.worker_class = self._class(import_worker_class, worker_class, "--worker-class")
        self.job_class = self._class(import_job_class, job_class, "--job-class")
        self.death_penalty_class = self._class(import_attribute, death_penalty_class, "--death-penalty-class")
        self.queue_class = self._class(import_attribute, queue_class, "--queue-class")
        if connection_class == DEFAULT_CONNECTION_CLASS:
            self.connection_class: Any = Redis
        else:
            self.connection_class = self._class(import_attribute, connection_class, "--connection-class")

    @staticmethod
    def _class(find: Callable[[str], Any], name: str, option: str) -> Any:
        try:
            return find(name)
        except (ImportError, AttributeError) as error:
            raise click.BadParameter(str(error), param_hint=option) from None

    @property
    def connection(self) -> Any:
        """The connection that the options name."""
        if self._connection is None:
            if self.url:
                self._connection = self.connection_class.from_url(self.url)
            else:
                import os

                settings = read_config_file(self.config) if self.config else os.environ
                self._connection = get_redis_from_config(settings, self.connection_class)
        return self._connection


shared_options = [
    click.option("--url", "-u", envvar="RQ_REDIS_URL", help="Names the store; nothing is contacted."),
    click.option("--config", "-c", envvar="RQ_CONFIG", help="Module with settings."),
    click.option("--worker-class", "-w", envvar="RQ_WORKER_CLASS", default=DEFAULT_WORKER_CLASS, help="Worker class."),
    click.option("--job-class", "-j", envvar="RQ_JOB_CLASS", default=DEFAULT_JOB_CLASS, help="Job class."),
    click.option("--queue-class", envvar="RQ_QUEUE_CLASS", default=DEFAULT_QUEUE_CLASS, help="Queue class."),
    click.option(
        "--connection-class", envvar="RQ_CONNECTION_CLASS", default=DEFAULT_CONNECTION_CLASS, help="Connection class."
    ),
    click.option("--path", "-P", default=["."], multiple=True, help="Folder to import from."),
    click.option("--serializer", "-S", default=DEFAULT_SERIALIZER_CLASS, help="json, pickle, or a dotted path."),
]


def pass_cli_config(func: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the shared options, and a `CliConfig` as its first argument."""
    for option in shared_options:
        func = option(func)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        context = click.get_current_context()
        return context.invoke(func, CliConfig(**kwargs), *args[1:], **kwargs)

    return update_wrapper(wrapper, func)
