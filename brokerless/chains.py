"""Chains and parallel groups: several tasks behind one handle.

The handle is a task of the core that no worker runs; the group ends it when its members say so. Members are ordinary
tasks, submitted one by one from the callbacks of those before them, past the queue's bound. Every member that ends, in
whichever way, moves its group on, so a group always ends.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from .calls import Call
from .core import CANCELLED, COMPLETED, Task
from .extra import Extra, Progress, extra_of

if TYPE_CHECKING:
    from .engine import Engine
    from .handle import TaskResult

__all__ = ["Chain", "Group", "Parallel"]

NOTHING: Any = object()

_submitting = threading.local()


def group_of_this_submit() -> Group | None:
    """The group that the calling thread is submitting a member of: the member is not in its list yet."""
    return getattr(_submitting, "group", None)


class Group:
    """What chains and parallel groups share: the handle, the members, cancelling, doing it again."""

    kind = "group"

    def __init__(self, engine: Engine, submit: Callable[[Call, tuple[Any, ...]], Task], calls: Sequence[Call]) -> None:
        """`submit(call, first_args)` submits one member; `first_args` go before the call's own arguments."""
        self.engine = engine
        self.calls = list(calls)
        self.members: list[TaskResult] = []
        self._submit = submit
        # Later members are submitted by whoever ended an earlier one; they belong to this submitter all the same.
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._over = False
        extra = Extra()
        extra.group = self
        extra.progress = Progress(0, len(self.calls))
        self.handle = engine.promise(self, extra)

    def __call__(self) -> NoReturn:
        raise TypeError(f"a {self.kind} is not run by a worker")

    @property
    def __name__(self) -> str:
        names = [getattr(call.func, "__qualname__", None) or type(call.func).__name__ for call in self.calls]
        return f"{self.kind} of {', '.join(names[:4])}{' …' if len(names) > 4 else ''}"

    def _add(self, call: Call, first_args: tuple[Any, ...]) -> Task | None:
        """Submits one member. None: the group is over. What the submit raises ends the group."""
        with self._lock:
            if self._over:
                return None
            outer, _submitting.group = group_of_this_submit(), self
            try:
                task = self._context.copy().run(self._submit, call, first_args)
            except BaseException as error:
                self._over = True
                failure = error
            else:
                self.members.append(task)  # type: ignore[arg-type]
                return task
            finally:
                _submitting.group = outer
        self.handle.fail(1, failure)
        return None

    def _end(self, end: Callable[[], Any]) -> None:
        """Ends the handle, once."""
        with self._lock:
            if self._over:
                return
            self._over = True
        end()

    def _note(self, task: Task, ended: int) -> None:
        extra = extra_of(self.handle)
        extra.progress = Progress(ended, len(self.calls))
        if task.state != COMPLETED and task.error is not None:
            extra.errors.append(task.error)
        told = self.engine.on_progress
        if told is not None:
            told(self.handle)

    def _end_as(self, task: Task) -> None:
        """The handle gets this member's outcome."""
        handle = self.handle
        if task.state == COMPLETED:
            value = task.value
            self._end(lambda: handle.finish(1, value))
        elif task.state == CANCELLED or task.error is None:
            self._end(lambda: handle.drop(1))
        else:
            error = task.error
            self._end(lambda: handle.fail(1, error))

    def cancel(self, interrupt: bool) -> bool:
        """Ends the handle as CANCELLED and cancels the members. False: it had ended already."""
        with self._lock:
            if self._over:
                return False
            self._over = True
            members = list(self.members)
        self.handle.request_cancel()
        for member in members:
            member.cancel(interrupt)
        return self.handle.drop(1)

    def again(self, delay: float | None) -> TaskResult:
        """A new group of the same calls, started after `delay` seconds; its handle."""
        raise NotImplementedError

    def _start_after(self, delay: float | None, start: Callable[[], Any]) -> TaskResult:
        if delay:
            self.engine.call_later(delay, start)
        else:
            start()
        return self.handle


class Chain(Group):
    """One after the other; see `BackgroundTasks.chain_tasks` for what is passed on."""

    kind = "chain"

    def __init__(
        self,
        engine: Engine,
        submit: Callable[[Call, tuple[Any, ...]], Task],
        calls: Sequence[Call],
        pass_on: bool,
        stop_on_failure: bool,
    ) -> None:
        self._pass_on = pass_on
        self._stop_on_failure = stop_on_failure
        super().__init__(engine, submit, calls)

    def start(self) -> TaskResult:
        """Submits the first member; returns the handle."""
        self._go(NOTHING)
        return self.handle

    def again(self, delay: float | None) -> TaskResult:
        chain = Chain(self.engine, self._submit, self.calls, self._pass_on, self._stop_on_failure)
        return chain._start_after(delay, chain.start)

    def _go(self, value: Any) -> None:
        # A loop and not a recursion: members may end before their callback is in place.
        while True:
            call = self.calls[len(self.members)]
            task = self._add(call, (value,) if self._pass_on and value is not NOTHING else ())
            if task is None or task.add_callback(self._member_ended):
                return
            go_on, value = self._judge(task)
            if not go_on:
                return

    def _member_ended(self, task: Task) -> None:
        go_on, value = self._judge(task)
        if go_on:
            self._go(value)

    def _judge(self, task: Task) -> tuple[bool, Any]:
        """Whether another member follows, and with which value."""
        last = len(self.members) == len(self.calls)
        completed = task.state == COMPLETED
        self._note(task, len(self.members))
        if last or (not completed and self._stop_on_failure):
            self._end_as(task)
            return False, None
        return True, task.value if completed else None


class Parallel(Group):
    """Side by side; see `BackgroundTasks.parallel_tasks`."""

    kind = "group"

    def __init__(
        self,
        engine: Engine,
        submit: Callable[[Call, tuple[Any, ...]], Task],
        calls: Sequence[Call],
        wait_for_all: bool,
        max_parallelism: int | None,
    ) -> None:
        self._wait_for_all = wait_for_all
        self._width = max_parallelism or len(calls)
        self._ended = 0
        self._under_way = 0
        self._filling = False
        super().__init__(engine, submit, calls)

    def start(self) -> TaskResult:
        """Submits the first members; returns the handle."""
        if self.calls:
            self._fill()
        else:
            self._end(lambda: self.handle.finish(1, []))
        return self.handle

    def again(self, delay: float | None) -> TaskResult:
        group = Parallel(self.engine, self._submit, self.calls, self._wait_for_all, self._width)
        return group._start_after(delay, group.start)

    def _fill(self) -> None:
        """Submits members while there is room; one thread at a time, the others leave it to that one."""
        with self._lock:
            if self._filling:
                return
            self._filling = True
        while True:
            with self._lock:
                room = not self._over and self._under_way < self._width and len(self.members) < len(self.calls)
                if not room:
                    self._filling = False
                    return
                self._under_way += 1
            task = self._add(self.calls[len(self.members)], ())
            if task is not None and not task.add_callback(self._member_ended):
                self._count(task)

    def _member_ended(self, task: Task) -> None:
        self._count(task)
        self._fill()

    def _count(self, task: Task) -> None:
        with self._lock:
            self._under_way -= 1
            self._ended += 1
            ended = self._ended
        self._note(task, ended)
        if not self._wait_for_all and task.state == COMPLETED:
            self._end_as(task)
        elif ended == len(self.calls):
            self._all_ended(task)

    def _all_ended(self, last: Task) -> None:
        if not self._wait_for_all:
            self._end_as(last)
            return
        bad = [member for member in self.members if member.state != COMPLETED]
        failed = [member for member in bad if member.state != CANCELLED]
        if bad:
            self._end_as((failed or bad)[0])
        else:
            values = [member.value for member in self.members]
            self._end(lambda: self.handle.finish(1, values))
