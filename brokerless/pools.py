"""`Pool`: a named group of worker threads with an ordered, changeable set of queues.

The threads spend their lives in the core's `work()`; here they are started, counted, replaced and joined. How many
there should be is decided elsewhere (`scaling`, `limits`, the user).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .forks import after_fork, end_child
from .livesets import LiveSet
from .queues import Queue

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["Pool", "pool_of_this_thread"]

log = logging.getLogger("brokerless")

_here = threading.local()


def _nowhere() -> None:
    global _here
    _here = threading.local()


after_fork(_nowhere)  # the thread that forked is no worker of the child

MOST_LENT = 256
"""Threads that may stand in at once for workers which wait for other tasks."""


def pool_of_this_thread() -> Pool | None:
    """The pool whose worker thread is calling."""
    return getattr(_here, "pool", None)


class Pool:
    """Made by `engine.pool(…)`. Threads are daemons named `brokerless-<pool>-<n>`."""

    def __init__(
        self, engine: Engine, name: str, queues: Sequence[Queue], workers: int, autostart: bool, reserve: bool = False
    ) -> None:
        self.engine = engine
        self.name = name
        self.group = engine.add_group(reserve)
        self.reserve = reserve
        self.started = False
        self.paused = False
        self.autostart = autostart
        self.queues: list[Queue] = []
        self._size = workers
        self._reset()
        self.subscribe(queues)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._threads: dict[int, threading.Thread] = {}
        self._leaving: set[int] = set()
        self._stuck: set[threading.Thread] = set()
        #: No worker's any more, but perhaps still on their way out: without them a join would return too soon.
        self._ending: LiveSet[threading.Thread] = LiveSet()
        self._numbers = 0
        self._lent = 0

    def subscribe(self, queues: Sequence[Queue]) -> None:
        """Replaces the queues it takes from, in this order; at any time."""
        with self._lock:
            self.queues = list(queues)
            self.engine.take_from(self.group, [queue.index for queue in self.queues])
        self._start_when_needed()

    def rotate(self, on: bool) -> None:
        """Round robin over the queues instead of their strict order."""
        self.engine.rotate(self.group, on)

    def _start_when_needed(self) -> None:
        if self.started or not self.autostart or self.reserve:
            return
        for queue in self.queues:
            queue.wake_once(self._wake)
        if any(queue.count() for queue in self.queues):
            self.start()

    def _wake(self) -> None:
        # The hook may outlive a subscription: start only for queues that are still ours.
        if self.autostart and any(queue.count() for queue in self.queues):
            self.start()
        else:
            self._start_when_needed()

    def start(self) -> None:
        """Starts the threads if they are not running yet; returns once they exist."""
        with self._lock:
            if self.started:
                return
            self.started = True
            missing = self._size - len(self.workers)
        self._spawn(missing)

    def _spawn(self, count: int) -> None:
        for _ in range(count):
            # The lock is held until the thread runs: whoever stops the pool meanwhile then finds it, and can join it.
            with self._lock:
                if not self.started:
                    return
                worker = self.engine.add_worker(self.group)
                self._numbers += 1
                thread = threading.Thread(
                    target=self._main, args=(worker,), daemon=True, name=f"brokerless-{self.name}-{self._numbers}"
                )
                try:
                    thread.start()
                except RuntimeError as error:
                    self.engine.stop_worker(worker)
                    self.engine.work(worker)  # returns at once and frees the worker's number
                    log.error("pool %s: cannot start a worker thread: %s", self.name, error)
                    return
                self._threads[worker] = thread

    def _main(self, worker: int) -> None:
        _here.pool = self
        process = os.getpid()
        try:
            self.engine.work(worker)
        except BaseException as error:
            if os.getpid() != process:
                end_child(error)
            log.exception("pool %s: worker %d ended by an error of its own", self.name, worker)
        finally:
            if os.getpid() != process:
                end_child(None)
            thread = threading.current_thread()
            with self._lock:
                if self._threads.get(worker) is thread:
                    del self._threads[worker]
                    self._leaving.discard(worker)
                self._stuck.discard(thread)
                self._ending.add(thread)
                last = not self._threads
            if last and self.engine.closed:
                self.engine.kick()  # the keeper leaves with the last worker

    @property
    def size(self) -> int:
        """How many threads it should have."""
        return self._size

    @property
    def workers(self) -> list[int]:
        """Numbers of the living workers, without the stuck and the leaving ones."""
        with self._lock:
            return [worker for worker in self._threads if worker not in self._leaving]

    @property
    def stuck(self) -> int:
        """Threads that were replaced because they did not come back from a task, and still have not."""
        return len(self._stuck)

    def thread_of(self, worker: int) -> threading.Thread | None:
        """The thread of one of its workers."""
        return self._threads.get(worker)

    def threads(self) -> list[threading.Thread]:
        """The living threads, without the stuck ones."""
        with self._lock:
            return list(self._threads.values())

    def busy(self) -> int:
        """Workers that run a task now."""
        infos = (self.engine.worker_info(worker) for worker in self.workers)
        return sum(1 for info in infos if info is not None and info["busy"])

    def grow(self, count: int = 1) -> None:
        """More threads; they start now if the pool has started."""
        with self._lock:
            self._size += count
            started = self.started
        if started:
            self._spawn(count)

    def shrink(self, count: int = 1) -> None:
        """Fewer threads: idle ones leave at once, others after their task. Does not wait for them."""
        with self._lock:
            count = min(count, self._size)
            self._size -= count
            if self.started:
                self._dismiss(count)

    def _dismiss(self, count: int) -> None:
        def idle_first(worker: int) -> bool:
            info = self.engine.worker_info(worker)
            return info is not None and bool(info["busy"])

        for worker in sorted(self.workers, key=idle_first)[:count]:
            self._leaving.add(worker)
            self.engine.stop_worker(worker)

    def resize(self, size: int) -> None:
        """Exactly so many threads."""
        if size > self._size:
            self.grow(size - self._size)
        else:
            self.shrink(self._size - size)

    def replace(self, worker: int) -> bool:
        """Counts this worker's thread as stuck and starts another in its place. False: it is not one of ours."""
        with self._lock:
            thread = self._threads.pop(worker, None)
            if thread is None:
                return False
            self._stuck.add(thread)
            again = self.started and worker not in self._leaving
            self._leaving.discard(worker)
        if again and not self.engine.closed:
            self._spawn(1)
        return True

    def lend(self) -> None:
        """One more thread while one of ours waits for another task; `give_back()` ends it."""
        with self._lock:
            self._lent += 1
            if not self.started or self._lent > MOST_LENT:
                return
        self._spawn(1)

    def give_back(self) -> None:
        with self._lock:
            self._lent -= 1
            if self.started:
                self._dismiss(max(0, len(self.workers) - self._size - min(self._lent, MOST_LENT)))

    def pause(self) -> None:
        """No worker takes a new task; running ones go on."""
        self.paused = True
        self.engine.pause_group(self.group, True)

    def resume(self) -> None:
        """Workers take tasks again."""
        self.paused = False
        self.engine.pause_group(self.group, False)

    def stop(self, wait: bool = True, timeout: float | None = None) -> bool:
        """Every thread leaves after its current task. `wait` for that, at most `timeout` seconds (None: no limit).

        Returns whether all of them have left. The pool may be started again; it does not start by itself any more.
        """
        with self._lock:
            self.started = False
            self.autostart = False
            workers = list(self._threads)
            for worker in workers:
                self._leaving.add(worker)
                self.engine.stop_worker(worker)
        return self.join(timeout) if wait else not workers

    def join(self, timeout: float | None = None) -> bool:
        """Waits until the leaving threads are gone, at most `timeout` seconds; not for stuck ones."""
        deadline = None if timeout is None else time.monotonic() + timeout
        for thread in self._joinable():
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._joinable())

    def _joinable(self) -> list[threading.Thread]:
        here = threading.current_thread()
        with self._lock:
            return [one for one in (*self._threads.values(), *self._ending) if one is not here]

    def reset_after_fork(self) -> None:
        """In a forked child: no thread exists; the first submit starts new ones."""
        was_started = self.started
        self._reset()
        self.started = False
        self.engine.take_from(self.group, [queue.index for queue in self.queues])
        self.autostart = self.autostart or was_started
        self._start_when_needed()
