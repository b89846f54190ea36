"""`WorkerEnd`: how a worker is told to stop, by signals or from another thread, and what it does then. Mixed into
`BaseWorker`.

Signal handlers are there while `work()` lasts, in the main thread only, and put back afterwards.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from datetime import datetime, timedelta
from typing import Any

from ..exceptions import StopRequested
from ..utils import now
from .cases import ColdShutDown
from .workerinfo import WorkerInfo
from .workerwords import WorkerStatus, signal_name

__all__ = ["WorkerEnd"]


class WorkerEnd(WorkerInfo):
    """Needs what `BaseWorker.__init__` sets."""

    scheduler: Any
    _signals: dict[int, Any]
    _stop_requested: bool
    _shutdown_requested_date: datetime | None
    stop_scheduler: Any

    def _install_signal_handlers(self) -> None:
        """SIGINT and SIGTERM end the loop after the current job, while `work()` lasts and in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self._signals[number] = signal.signal(number, self.request_stop)

    def _restore_signal_handlers(self) -> None:
        for number, handler in self._signals.items():
            with contextlib.suppress(ValueError):
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._signals = {}

    def request_stop(self, signum: int, frame: Any) -> None:
        """Handler of the first signal: a warm shut down."""
        self.log.debug("Worker %s: got signal %s", self.name, signal_name(signum))
        self._shutdown_requested_date = now()
        for number in self._signals:
            signal.signal(number, self.request_force_stop)
        self.handle_warm_shutdown_request()
        self._shutdown()

    def _shutdown(self) -> None:
        if self.get_state() != WorkerStatus.BUSY:
            raise StopRequested()
        self._stop_requested = True
        self.set_shutdown_requested_date()
        if self.scheduler:
            self.stop_scheduler()

    def request_warm_stop(self) -> None:
        """From any thread: the loop ends after the current job."""
        self._shutdown_requested_date = now()
        self.handle_warm_shutdown_request()
        self._stop_requested = True
        self.set_shutdown_requested_date()

    def request_force_stop(self, signum: int, frame: Any) -> None:
        """Handler of the second signal: the job is left unfinished."""
        if self._shutdown_requested_date and now() - self._shutdown_requested_date < timedelta(seconds=1):
            return
        self.log.warning("Worker %s: cold shut down", self.name)
        raise ColdShutDown

    def handle_warm_shutdown_request(self) -> None:
        self.log.info("Worker %s [PID %d]: warm shut down requested", self.name, self.pid)

    def teardown(self) -> None:
        """What comes after the last job."""
        if not self.is_horse:
            if self.scheduler:
                self.stop_scheduler()
            self.register_death()
            self.unsubscribe()
