"""A function that RQ keeps for old programs."""

from __future__ import annotations

import warnings
from typing import Any

from .intermediate_queue import IntermediateQueue

__all__ = ["clean_intermediate_queue"]


def clean_intermediate_queue(worker: Any, queue: Any) -> None:
    """Old name of `IntermediateQueue.cleanup`."""
    warnings.warn(
        "clean_intermediate_queue is deprecated. Use IntermediateQueue.cleanup instead.",
        DeprecationWarning,
        stacklevel=2,
    )
    IntermediateQueue(queue.key, connection=queue.connection).cleanup(worker, queue)
