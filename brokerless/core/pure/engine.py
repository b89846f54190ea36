"""The engine type: its four sides put together."""

from __future__ import annotations

from .inquiry import Inquiring
from .keeper import Keeping
from .submit import Submitting
from .work import Working


class Engine(Submitting, Working, Keeping, Inquiring):
    """Queues, groups of workers, timers and the tasks that are known.

    It makes no thread: work() and the keeper's calls run on threads that the Python half starts.
    """
