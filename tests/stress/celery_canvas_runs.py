"""Runs random canvases in the Celery shim, or in Celery itself, and compares with what was worked out.

`Bench` has the tasks and counts what they do. `run` sends canvases to a worker, waits until each has ended as it should
and nothing is left to do, and returns what differs. With ``oracle=True`` nothing is expected of tasks that Celery never
ends. Knows nothing of pytest.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from .celery_canvas_outcome import Outcome, digest, walk
from .celery_canvases import Errback, Leaf, Writer, leaves, random_canvas

__all__ = ["Bench", "run"]

PATIENCE = 20.0


class Bench:
    """Tasks for random canvases on one application, and how often each ran."""

    def __init__(self, api: Any, app: Any) -> None:
        self.api, self.app = api, app
        self.lock = threading.Lock()
        self.runs: Counter[str] = Counter()
        self.errbacks: Counter[str] = Counter()
        self._tasks()

    def note(self, counter: Counter[str], tag: str, unique: str) -> None:
        """Count one run."""
        with self.lock:
            counter[f"{tag}-{unique}"] += 1

    def _tasks(self) -> None:
        bench, api = self, self.api
        # Not shared: other applications of this process have tasks of the same names.
        task = partial(self.app.task, shared=False)

        @task(name="c.work", bind=True)
        def work(self: Any, *args: Any, tag: str, unique: str, ending: str = "ok", retries: int = 0) -> Any:
            bench.note(bench.runs, tag, unique)
            if ending == "fail":
                raise ValueError(tag)
            if ending == "retry" and self.request.retries < retries:
                raise self.retry(countdown=0, max_retries=9)
            if ending == "give up":
                raise self.retry(countdown=0, max_retries=2, exc=KeyError(tag))
            if ending == "ignore":
                raise api.exceptions.Ignore
            if ending == "reject":
                raise api.exceptions.Reject("no", requeue=False)
            if ending == "replaced":
                raise self.replace(work.si(*args, tag=tag, unique=unique))
            while ending == "limit":
                time.sleep(0.001)
            return digest(tag, args)

        @task(name="c.item")
        def item(place: list[Any]) -> str:
            unique, tag, number = place
            bench.note(bench.runs, f"{tag}.{number}", unique)
            return digest(f"{tag}.{number}", [number])

        @task(name="c.old_style", bind=True)
        def old_style(self: Any, task_id: str, tag: str = "", unique: str = "") -> None:
            bench.note(bench.errbacks, tag, unique)

        @task(name="c.new_style")
        def new_style(request: Any, exc: Any, traceback: Any, tag: str = "", unique: str = "") -> None:
            bench.note(bench.errbacks, tag, unique)

        @task(name="c.nop")
        def nop() -> None:
            """Nothing."""

        self.work, self.item, self.old_style, self.new_style, self.nop = work, item, old_style, new_style, nop

    def errback(self, errback: Errback, unique: str) -> Any:
        """Return the signature of an errback."""
        task = self.new_style if errback.new_style else self.old_style
        return task.s(tag=errback.tag, unique=unique)

    def chunks(self, pieces: list[Leaf], unique: str) -> Any:
        """Return the group of some pieces of a list."""
        items = [([unique, leaf.tag, number],) for leaf in pieces for number in range(2)]
        group = self.item.chunks(items, 2).group()
        for task, leaf in zip(group.tasks, pieces, strict=True):
            task.set(task_id=f"{leaf.tag}-{unique}")
        return group

    def signature(self, leaf: Leaf, unique: str) -> Any:
        """Return the signature of one task, with what is linked to it."""
        if leaf.ending == "map":
            sig = self.item.map([[unique, leaf.tag, number] for number in range(2)])
        else:
            kwargs = {"tag": leaf.tag, "unique": unique, "ending": leaf.ending, "retries": leaf.retries}
            name = "c.nowhere" if leaf.ending == "unknown" else "c.work"
            sig = self.app.signature(name, kwargs=kwargs, immutable=leaf.immutable)
        sig.set(task_id=f"{leaf.tag}-{unique}")
        options: dict[str, Any] = {
            "expired": {"expires": -1},
            "silent": {"ignore_result": True},
            "limit": {"time_limit": 0.02},
        }
        sig.set(**options.get(leaf.ending, {}))
        for link in leaf.links:
            sig.link(self.signature(link, unique))
        for errback in leaf.errbacks:
            if not errback.whole:
                sig.link_error(self.errback(errback, unique))
        return sig


@dataclass
class Sent:
    """A canvas on its way."""

    seed: int
    unique: str
    outcome: Outcome
    shape: str


def everything(steps: list[Any]) -> Iterator[Leaf]:
    """Yield every task of a canvas, and those that are linked to it."""
    for leaf in leaves(steps):
        yield leaf
        yield from leaf.links


def differences(bench: Bench, sent: Sent, oracle: bool) -> list[str]:
    """Return what is not, or not yet, as it was worked out."""
    out, unique, found = sent.outcome, sent.unique, []
    for tag, expected in out.states.items():
        if oracle and tag in out.unsent:
            continue
        meta = bench.app.backend.get_task_meta(f"{tag}-{unique}", cache=False)
        value = meta["result"]
        seen = (meta["status"], repr(value) if isinstance(value, BaseException) else value)
        if seen != expected:
            found.append(f"{tag} is {seen}, not {expected}")
    with bench.lock:
        for tag in {*out.runs, *out.states}:
            count = bench.runs[f"{tag}-{unique}"]
            if count != out.runs[tag] and not (tag in out.maybe_run and count == 0):
                found.append(f"{tag} ran {count} times, not {out.runs[tag]}")
        for tag, expected_count in out.errbacks.items():
            count = bench.errbacks[f"{tag}-{unique}"]
            if count != expected_count and not (oracle and tag in out.late_errbacks and count < expected_count):
                found.append(f"errback {tag} ran {count} times, not {expected_count}")
    return found


def send(bench: Bench, seed: int, without: tuple[str, ...], prefix: str) -> Sent:
    """Write and send the canvas of a seed."""
    steps = random_canvas(seed, without)
    unique = f"{prefix}{seed}"
    revoked = [f"{leaf.tag}-{unique}" for leaf in everything(steps) if leaf.ending == "revoked"]
    if revoked:

        def known() -> bool:
            """A broadcast may come before Celery's worker listens."""
            bench.app.control.revoke(revoked, reply=True, timeout=0.5, limit=1)
            return set(revoked) <= set(bench.api.mod("worker.state").revoked)

        _until(known)
    writer = Writer(
        bench.api,
        lambda leaf: bench.signature(leaf, unique),
        lambda errback: bench.errback(errback, unique),
        lambda pieces: bench.chunks(pieces, unique),
        seed,
    )
    sig = writer.whole(steps)
    shape = repr(sig)
    sig.apply_async()
    return Sent(seed, unique, walk(steps, unique), shape)


def run(bench: Bench, seeds: Any, without: tuple[str, ...] = (), oracle: bool = False, prefix: str = "") -> list[str]:
    """Send the canvases of some seeds to a running worker; return the differences, which are none."""
    sent = [send(bench, seed, without, prefix) for seed in seeds]
    waiting = list(sent)

    def all_ended() -> bool:
        waiting[:] = [one for one in waiting if differences(bench, one, oracle)]
        return not waiting

    _until(all_ended, fail=False)
    # What comes too often comes late: let the worker do all that is still there, and look at everything again.
    for _ in range(3):
        results = [bench.nop.delay() for _ in range(8)]
        _until(lambda results=results: all(result.ready() for result in results), fail=False)
    return [
        f"seed {one.seed}: {'; '.join(wrong)} in {one.shape}"
        for one in sent
        if (wrong := differences(bench, one, oracle))
    ]


def _until(condition: Any, fail: bool = True) -> None:
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            if fail:
                raise AssertionError("not true in time")
            return
        pause.wait(0.01)
