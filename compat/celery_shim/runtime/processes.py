"""What kind of process this is: one that serves and may look after a schedule, or one that only passes by.

Guesses from the command line and from what the threads do; settings and ``app.start_embedded()`` overrule them.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from types import FrameType
from typing import Any

from ....core import current_frames

__all__ = ("passes_by", "wait_until_settled")

_DJANGO_SERVERS = frozenset({"runserver", "runserver_plus", "runsslserver", "run_gunicorn", "daphne", "runworker"})
_RELOADERS = ("werkzeug._reloader", "django.utils.autoreload", "uvicorn.supervisors", "hupper", "watchfiles")
_LOOK = 0.1
_REST = 1.0


def passes_by() -> bool:
    """True for processes that must not fire schedules: test runs, management commands, Celery's own commands."""
    if "_pytest" in sys.modules:
        return True
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    if program == "__main__.py":
        program = os.path.basename(os.path.dirname(sys.argv[0]))
    arguments = sys.argv[1:]
    if program in ("manage.py", "django-admin", "django-admin.py", "django"):
        return not arguments or arguments[0] not in _DJANGO_SERVERS
    if program in ("flask", "flask.exe"):
        return "run" not in arguments
    return program == "celery"


def wait_until_settled(ended: threading.Event) -> bool:
    """Block until imports are over and the main program stays where it is; False if ``ended`` was set before.

    A schedule read in the middle of the program's start would be an unfinished one.
    """
    before: Any = None
    since = time.monotonic()
    pause = _LOOK
    while not ended.wait(pause):
        now, place = time.monotonic(), _place()
        if place is None or place != before:
            before, since = place, now
        elif now - since >= _REST:
            return True
        pause = min(pause * 1.05, _REST)
    return False


def is_reloader() -> bool:
    """True in the parent of a development server that restarts its child when files change."""
    frame = current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name in ("restart_with_reloader", "run_with_reloader") and module.startswith(_RELOADERS):
            return os.environ.get("RUN_MAIN") != "true" and os.environ.get("WERKZEUG_RUN_MAIN") != "true"
        frame = frame.f_back
    return False


def _place() -> Any:
    """Where the main program stands; None while a module is being imported, or Django is not ready."""
    django = sys.modules.get("django.apps")
    if django is not None and os.environ.get("DJANGO_SETTINGS_MODULE") and not django.apps.ready:
        return None
    main = threading.main_thread().ident
    place: Any = ()
    for thread, innermost in current_frames().items():
        frame: FrameType | None = innermost
        while frame is not None:
            code = frame.f_code
            if code.co_name == "<module>":
                if frame.f_globals.get("__name__") != "__main__":
                    return None
                if thread == main:
                    place = (id(frame), frame.f_lasti)
            elif code.co_filename.startswith("<frozen importlib"):
                return None
            frame = frame.f_back
    return place
