"""Cameras: look at a ``State`` at intervals, for example to store it."""

from __future__ import annotations

from typing import Any

from kombu.utils.limits import TokenBucket

from ..app import app_or_default
from ..utils.dispatch import Signal
from ..utils.imports import instantiate
from ..utils.log import get_logger
from ..utils.time import rate
from ..utils.timer2 import Timer

__all__ = ("Polaroid", "evcam")

logger = get_logger("celery.evcam")


class Polaroid:
    """A camera. Subclasses fill ``on_shutter(state)`` and ``on_cleanup()``.

    ``freq`` and ``cleanup_freq`` are seconds; ``maxrate`` (such as ``"10/m"``) limits the pictures.
    """

    timer: Any = None
    shutter_signal = Signal(name="shutter_signal", providing_args={"state"})
    cleanup_signal = Signal(name="cleanup_signal")
    #: True: forget what a picture was taken of.
    clear_after = False

    _tref: Any = None
    _ctref: Any = None

    def __init__(
        self,
        state: Any,
        freq: float = 1.0,
        maxrate: Any = None,
        cleanup_freq: float = 3600.0,
        timer: Any = None,
        app: Any = None,
    ) -> None:
        self.app = app_or_default(app)
        self.state = state
        self.freq, self.cleanup_freq = freq, cleanup_freq
        self.timer = timer or self.timer or Timer()
        self.logger = logger
        self.maxrate = TokenBucket(rate(maxrate)) if maxrate else None

    def install(self) -> None:
        """Begin to take pictures."""
        self._tref = self.timer.call_repeatedly(self.freq, self.capture)
        self._ctref = self.timer.call_repeatedly(self.cleanup_freq, self.cleanup)

    def on_shutter(self, state: Any) -> None:
        """A picture is taken; the state does not change meanwhile."""

    def on_cleanup(self) -> None:
        """Time to throw old pictures away."""

    def cleanup(self) -> None:
        logger.debug("Cleaning up")
        self.cleanup_signal.send(sender=self.state)
        self.on_cleanup()

    def shutter(self) -> None:
        if self.maxrate is None or self.maxrate.can_consume():
            logger.debug("Picture of %s", self.state)
            self.shutter_signal.send(sender=self.state)
            self.on_shutter(self.state)

    def capture(self) -> None:
        """Take a picture now."""
        self.state.freeze_while(self.shutter, clear_after=self.clear_after)

    def cancel(self) -> None:
        """Take a last picture, then no more."""
        if self._tref:
            self._tref()
            self._tref.cancel()
        if self._ctref:
            self._ctref.cancel()

    def __enter__(self) -> Polaroid:
        self.install()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.cancel()


def evcam(
    camera: Any,
    freq: float = 1.0,
    maxrate: Any = None,
    loglevel: Any = 0,
    logfile: Any = None,
    pidfile: str | None = None,
    timer: Any = None,
    app: Any = None,
    **kwargs: Any,
) -> None:
    """Take pictures of the events of this process until interrupted; ``camera`` is a class or its name."""
    app = app_or_default(app)
    if pidfile:
        from .. import platforms

        platforms.create_pidlock(pidfile)
    app.log.setup_logging_subsystem(loglevel, logfile)
    print(f"-> evcam: {camera} takes a picture every {freq} s", flush=True)
    state = app.events.State()
    taker = instantiate(camera, state, app=app, freq=freq, maxrate=maxrate, timer=timer)
    taker.install()
    try:
        app.events.Receiver(app.connection_for_read(), handlers={"*": state.event}).capture(limit=None)
    except KeyboardInterrupt:
        raise SystemExit from None
    finally:
        taker.cancel()
