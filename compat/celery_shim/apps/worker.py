"""``app.Worker``: the worker with logging, as ``celery worker`` runs it."""

from __future__ import annotations

from typing import Any

from .. import signals
from ..worker import WorkController

__all__ = ("Worker",)


class Worker(WorkController):
    """The worker as a program."""

    def on_before_init(self, quiet: bool = False, **kwargs: Any) -> None:
        self.quiet = quiet
        signals.celeryd_init.send(sender=self.hostname, instance=self, conf=self.app.conf, options=kwargs)

    def on_after_init(
        self,
        purge: bool = False,
        no_color: Any = None,
        redirect_stdouts: Any = None,
        redirect_stdouts_level: Any = None,
        **kwargs: Any,
    ) -> None:
        self.purge = purge
        conf = self.app.conf
        self.colorize = None if no_color is None else not no_color
        self.redirect_stdouts = conf.worker_redirect_stdouts if redirect_stdouts is None else redirect_stdouts
        self.redirect_stdouts_level = redirect_stdouts_level or conf.worker_redirect_stdouts_level

    def on_consumer_ready(self, consumer: Any) -> None:
        signals.worker_ready.send(sender=consumer)

    def on_stopped(self) -> None:
        signals.worker_shutdown.send(sender=self)

    def on_start(self) -> None:
        self.app.log.setup(
            self.loglevel, self.logfile, redirect_stdouts=False, colorize=self.colorize, hostname=self.hostname
        )
        signals.celeryd_after_setup.send(sender=self.hostname, instance=self, conf=self.app.conf)
        if self.purge:
            self.app.control.purge()
