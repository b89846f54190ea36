"""``app.Worker``: the worker as a program, as ``celery worker`` runs it: log, banner, signals, exit code.

The first SIGTERM or SIGINT lets running tasks end; SIGQUIT, or a second SIGINT, interrupts them.
"""

from __future__ import annotations

import logging
import os
import platform
import select
import signal
import sys
import threading
from datetime import datetime
from typing import Any

from .. import VERSION_BANNER, platforms, signals
from ..loaders.app import AppLoader
from ..platforms import EX_FAILURE, EX_OK
from ..utils.log import get_logger, in_sighandler, mlevel
from ..utils.text import pluralize
from ..worker import WorkController, state

__all__ = ("Worker",)

logger = get_logger("celery.apps.worker")

#: Longest time that running tasks get to end: a warm shutdown has no limit of its own.
NO_LIMIT = threading.TIMEOUT_MAX / 2
#: Seconds that interrupted tasks get, whose threads may be deep in C code.
COLD_LIMIT = 10.0

W_ALONE = """\
This worker receives nothing from other processes: tasks run inside the process that sends them (the web server, the
script), which needs no worker beside it. It runs beat (-B) and what code in this process sends.
Delete it from the Procfile or the service manager: %s"""
W_IGNORED = "These options mean nothing for threads without a broker, and are ignored: %s"

#: Options for processes, prefetching and clusters.
MEANINGLESS = (
    "max_tasks_per_child",
    "max_memory_per_child",
    "prefetch_multiplier",
    "disable_prefetch",
    "pool_start_method",
    "statedb",
    "autoscale",
    "executable",
)

BANNER = """
{hostname} v{version}

{platform} {timestamp}

[config]
.> app:         {app}
.> transport:   {transport}
.> results:     {results}
.> concurrency: {concurrency} (threads)
.> task events: {events}

[queues]
{queues}
"""
TASKS = """
[tasks]
{tasks}
"""


def safe_say(msg: str, f: Any = None) -> None:
    """Write a line from within a signal handler, without Python's buffers."""
    file: Any = sys.__stderr__ if f is None else f
    try:
        os.write(file.fileno(), f"\n{msg}\n".encode())
    except (OSError, ValueError, AttributeError):
        pass  # nobody can read it


class Worker(WorkController):
    """The worker as a program."""

    pidfile: str | None = None

    def on_before_init(self, quiet: bool = False, **kwargs: Any) -> None:
        self.quiet = quiet
        signals.celeryd_init.send(sender=self.hostname, instance=self, conf=self.app.conf, options=kwargs)

    def on_after_init(
        self,
        purge: bool = False,
        no_color: Any = None,
        redirect_stdouts: Any = None,
        redirect_stdouts_level: Any = None,
        pidfile: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.purge = purge
        conf = self.app.conf
        self.no_color, self.pidfile = no_color, pidfile
        self.colorize = None if no_color is None else not no_color
        self.redirect_stdouts = conf.worker_redirect_stdouts if redirect_stdouts is None else redirect_stdouts
        self.redirect_stdouts_level = redirect_stdouts_level or conf.worker_redirect_stdouts_level
        self._interrupted = False
        self._pipe: tuple[int, int] | None = None

    def on_consumer_ready(self, consumer: Any) -> None:
        signals.worker_ready.send(sender=consumer)
        logger.info("%s ready.", self.hostname)

    def on_stopped(self) -> None:
        signals.worker_shutdown.send(sender=self)

    def on_start(self) -> None:
        app = self.app
        handled = app.log.setup(
            self.loglevel, self.logfile, redirect_stdouts=False, colorize=self.colorize, hostname=self.hostname
        )
        signals.celeryd_after_setup.send(sender=self.hostname, instance=self, conf=app.conf)
        if self.purge:
            count = app.control.purge()
            if count:
                print(f"purge: Erased {count} {pluralize(count, 'message')} from the queue.\n", flush=True)
        if not self.quiet:
            print(self.banner(), file=sys.__stdout__, flush=True)
        if not handled and self.redirect_stdouts and self._pipe is not None:
            app.log.redirect_stdouts(self.redirect_stdouts_level)
        if self._pipe is not None:
            logger.warning(W_ALONE, platforms.strargv(["", *sys.argv]).strip())
            ignored = [f"--{name.replace('_', '-')}" for name in MEANINGLESS if self.options.get(name)]
            if ignored:
                logger.info(W_IGNORED, ", ".join(ignored))

    # -- the banner -------------------------------------------------------------------------------------------------

    def banner(self) -> str:
        """What is shown at the start."""
        app = self.app
        text = BANNER.format(
            hostname=self.hostname,
            version=VERSION_BANNER,
            platform=platform.platform(),
            timestamp=datetime.now().replace(microsecond=0),
            app=self._app_line(),
            transport=f"this process (not {app.connection().as_uri()})",
            results=app.backend.as_uri(),
            concurrency=self.concurrency,
            events="ON" if self._tells_tasks() else "OFF (enable -E to monitor tasks in this worker)",
            queues=app.amqp.queues.format(indent=0, indent_first=False),
        )
        if mlevel(self.loglevel) <= logging.INFO:
            names = sorted(name for name in app.tasks if not name.startswith("celery."))
            text += TASKS.format(tasks="\n".join(f"  . {name}" for name in names))
        return text

    def _app_line(self) -> str:
        app = self.app
        line = f"{app.main or '__main__'}:{id(app):#x}"
        if not isinstance(app.loader, AppLoader):
            line += f" ({type(app.loader).__module__.rpartition('.loaders.')[2]})"
        return line

    def _tells_tasks(self) -> bool:
        said = self.options.get("task_events")
        return bool(self.app.conf.worker_send_task_events if said is None else said)

    # -- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run until a signal, ``control.shutdown`` or ``stop`` ends it; the exit code is then in ``exitcode``."""
        state.should_stop = state.should_terminate = None
        if self.pidfile:
            platforms.create_pidlock(self.pidfile)
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        kept, wakeup = self._install_handlers()
        try:
            self.begin()
            while not self._asked_to_stop():
                select.select([self._pipe[0]], [], [])
                os.read(self._pipe[0], 1)
            self._wind_down()
        except SystemExit as exc:
            self.exitcode = exc.code
        finally:
            self.stop()
            for number, handler in kept.items():
                signal.signal(number, handler)
            if wakeup is not None:
                signal.set_wakeup_fd(wakeup)
            reading, writing = self._pipe
            self._pipe = None
            os.close(reading)
            os.close(writing)

    def _asked_to_stop(self) -> bool:
        for said in (state.should_terminate, state.should_stop):
            if said is not None and said is not False:
                self.exitcode = EX_FAILURE if said is True else said
                return True
        if self._stopping.is_set():
            self.exitcode = EX_OK if self.exitcode is None else self.exitcode
            return True
        return False

    def _wind_down(self) -> None:
        """Take no more tasks, and let those that run end, or interrupt them."""
        pool = self.pool
        assert pool is not None and self._pipe is not None
        pool.subscribe([])
        while self.active:
            if state.should_terminate is not None:
                self._interrupt_all()
                break
            # a signal is noticed through the pipe, the end of a task by looking
            ready, _, _ = select.select([self._pipe[0]], [], [], 0.05)
            if ready:
                os.read(self._pipe[0], 1)
        if state.should_terminate is not None:
            self.exitcode = state.should_terminate
        self.options["shutdown_timeout"] = COLD_LIMIT if state.should_terminate is not None else NO_LIMIT

    def _interrupt_all(self) -> None:
        for task_id in list(self.active):
            self.interrupt(task_id, signal.SIGTERM)

    def request_stop(self) -> None:
        super().request_stop()
        self._wake()

    def _wake(self) -> None:
        if self._pipe is not None:
            try:
                os.write(self._pipe[1], b"!")
            except OSError:
                pass  # full: it will be read

    # -- signals ----------------------------------------------------------------------------------------------------

    def _install_handlers(self) -> tuple[dict[int, Any], int | None]:
        """Handlers of the stop signals, where this is the main thread; gives what was there.

        The kernel may hand a signal to any thread, which does not end the main thread's ``select``: hence the pipe.
        """
        assert self._pipe is not None
        if threading.current_thread() is not threading.main_thread():
            return {}, None
        wakeup = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        wanted = {"SIGTERM": self._on_term, "SIGINT": self._on_int, "SIGQUIT": self._on_quit, "SIGUSR1": self._on_cry}
        kept = {
            getattr(signal, name): signal.signal(getattr(signal, name), handler)
            for name, handler in wanted.items()
            if hasattr(signal, name)
        }
        return kept, wakeup

    def _shut_down(self, sig: str, how: str, exitcode: int) -> None:
        with in_sighandler():
            try:
                safe_say(f"worker: {how} shutdown (MainProcess)", sys.__stdout__)
                signals.worker_shutting_down.send(sender=self.hostname, sig=sig, how=how, exitcode=exitcode)
            finally:
                if how == "Cold":
                    state.should_terminate = exitcode
                elif state.should_stop is None:
                    state.should_stop = exitcode
                self._wake()

    def _on_term(self, *_: Any) -> None:
        self._shut_down("SIGTERM", "Warm", EX_OK)

    def _on_int(self, *_: Any) -> None:
        first, self._interrupted = not self._interrupted, True
        if first:
            safe_say("worker: Ctrl+C again interrupts the tasks that still run", sys.__stdout__)
        self._shut_down("SIGINT", "Warm" if first else "Cold", EX_FAILURE)

    def _on_quit(self, *_: Any) -> None:
        self._shut_down("SIGQUIT", "Cold", EX_FAILURE)

    def _on_cry(self, *_: Any) -> None:
        from ..utils.debug import cry

        with in_sighandler():
            safe_say(cry())
