"""The guard against waiting for results inside a task, which can leave no thread for those that are waited for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from ._state import _set_thread_join_will_block

__all__ = ("E_WOULDBLOCK", "allow_join_result", "assert_will_not_block", "denied_join_result")

E_WOULDBLOCK = """Never call result.get() within a task!
See https://docs.celeryq.dev/en/latest/userguide/tasks.html#avoid-launching-synchronous-subtasks
"""


def assert_will_not_block() -> None:
    from . import result  # test suites replace the name there

    if result.task_join_will_block():
        raise RuntimeError(E_WOULDBLOCK)


@contextmanager
def _join_result(blocks: bool) -> Iterator[None]:
    before = _set_thread_join_will_block(blocks)
    try:
        yield
    finally:
        _set_thread_join_will_block(before)


def allow_join_result() -> AbstractContextManager[None]:
    """Within a block, a task may wait for results."""
    return _join_result(False)


def denied_join_result() -> AbstractContextManager[None]:
    """Within a block, nobody on this thread may wait for results."""
    return _join_result(True)
