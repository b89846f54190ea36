"""``app.Beat``: beat as a program, as ``celery beat`` runs it.

Without a broker its tasks run here, on the default worker of this process. Another beat of the same user, app and
schedule file on this host makes it wait.
"""

from __future__ import annotations

import _thread
import socket
import sys
from datetime import datetime
from typing import Any

from .. import VERSION_BANNER, beat, platforms
from ..utils.imports import qualname
from ..utils.log import LOG_LEVELS, get_logger
from ..utils.time import humanize_seconds

__all__ = ("Beat",)

STARTUP_INFO_FMT = """
LocalTime -> {timestamp}
Configuration ->
    . broker -> {conninfo}
    . loader -> {loader}
    . scheduler -> {scheduler}
{scheduler_info}
    . logfile -> {logfile}@%{loglevel}
    . maxinterval -> {hmax_interval} ({max_interval}s)
{remote_control_info}""".strip()

logger = get_logger("celery.beat")

_SHIM = __name__.rpartition(".apps.")[0]


def _public(name: str) -> str:
    """A name as people know it."""
    return f"celery{name[len(_SHIM) :]}" if name.startswith(f"{_SHIM}.") else name


class Beat:
    """Beat as a program."""

    Service: Any = beat.Service
    app: Any = None

    def __init__(
        self,
        max_interval: Any = None,
        app: Any = None,
        socket_timeout: Any = 30,
        pidfile: str | None = None,
        no_color: bool | None = None,
        loglevel: Any = "WARN",
        logfile: str | None = None,
        schedule: str | None = None,
        scheduler: Any = None,
        scheduler_cls: Any = None,
        redirect_stdouts: bool | None = None,
        redirect_stdouts_level: Any = None,
        quiet: bool = False,
        remote_control: bool | None = None,
        hostname: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.app = app = app or self.app
        either = app.either
        self.loglevel: Any = loglevel if isinstance(loglevel, int) else LOG_LEVELS[loglevel.upper()]
        self.logfile = logfile
        self.schedule = either("beat_schedule_filename", schedule)
        self.scheduler_cls = either("beat_scheduler", scheduler, scheduler_cls)
        self.redirect_stdouts = either("worker_redirect_stdouts", redirect_stdouts)
        self.redirect_stdouts_level = either("worker_redirect_stdouts_level", redirect_stdouts_level)
        self.quiet = quiet
        self.remote_control = remote_control
        self.hostname = hostname
        self.max_interval = max_interval
        self.socket_timeout = socket_timeout
        self.no_color = no_color
        self.colored = app.log.colored(logfile, enabled=no_color if no_color is None else not no_color)
        self.pidfile = pidfile

    def run(self) -> None:
        """Say hello, import the tasks, schedule until stopped."""
        if not self.quiet:
            print(str(self.colored.cyan(f"celery beat v{VERSION_BANNER} is starting.")))
        self.init_loader()
        self.set_process_title()
        self.start_scheduler()

    def setup_logging(self, colorize: bool | None = None) -> None:
        if colorize is None and self.no_color is not None:
            colorize = not self.no_color
        self.app.log.setup(
            self.loglevel, self.logfile, self.redirect_stdouts, self.redirect_stdouts_level, colorize=colorize
        )

    def start_scheduler(self) -> None:
        """Schedule until stopped; blocks."""
        from ..runtime import embedded_beat

        service = self.Service(
            app=self.app,
            max_interval=self.max_interval,
            scheduler_cls=self.scheduler_cls,
            schedule_filename=self.schedule,
            remote_control=self.remote_control,
            hostname=self.hostname,
        )
        if not self.quiet:
            print(self.banner(service))
        self.setup_logging()
        if self.socket_timeout:
            logger.debug("Setting default socket timeout to %r", self.socket_timeout)
            socket.setdefaulttimeout(self.socket_timeout)
        try:
            self.install_sync_handler(service)
            with embedded_beat.only_one(self.app, self.schedule):
                service.start()
        except Exception as exc:
            logger.critical("beat raised exception %s: %r", exc.__class__, exc, exc_info=True)
            raise

    def banner(self, service: Any) -> str:
        c = self.colored
        line = c.blue(
            "__    ",
            c.magenta("-"),
            c.blue("    ... __   "),
            c.magenta("-"),
            c.blue("        _\n"),
            c.reset(self.startup_info(service)),
        )
        return str(line)

    def init_loader(self) -> None:
        """Import the task modules."""
        self.app.loader.init_worker()
        self.app.finalize()

    def startup_info(self, service: Any) -> str:
        scheduler = service.get_scheduler(lazy=True)
        return STARTUP_INFO_FMT.format(
            conninfo=self.app.connection().as_uri(),
            timestamp=datetime.now().replace(microsecond=0),
            logfile=self.logfile or "[stderr]",
            loglevel=LOG_LEVELS[self.loglevel],
            loader=_public(qualname(self.app.loader)),
            scheduler=_public(qualname(scheduler)),
            scheduler_info=scheduler.info,
            hmax_interval=humanize_seconds(scheduler.max_interval),
            max_interval=scheduler.max_interval,
            remote_control_info=self._remote_control_info(service),
        )

    def _remote_control_info(self, service: Any) -> str:
        return f"    . remote control -> {beat.beat_nodename(service.hostname)}" if service.remote_control else ""

    def set_process_title(self) -> None:
        """Nothing: the process belongs to the application, or to who started it."""

    def install_sync_handler(self, service: Any) -> None:
        """SIGTERM and SIGINT end the program after the state is written; a second one ends it where it is."""

        def stop(signum: int, frame: Any) -> None:
            if "scheduler" not in vars(service) or service._is_shutdown.is_set():
                sys.exit()  # it waits for another beat to end, or hangs
            # a handler must not wait for the locks of the code that it interrupts, nor end a task half sent
            _thread.start_new_thread(service.stop, ())

        platforms.signals.update(SIGTERM=stop, SIGINT=stop)
