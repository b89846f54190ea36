"""Tasks for canvases, and canvases and results as short texts that can be compared.

A `Kit` belongs to one application: its tasks, the journal that they write, and a look at what came out. Ids are
replaced by numbers in the order in which they appear. Does not start workers and does not compare: the tests do.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterable
from typing import Any

import pytest

from .namespace import API
from .waiting import TIMEOUT, until

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LINKS = (("link", "then"), ("link_error", "error"))


def as_json(value: Any) -> str:
    """Return any value as JSON: keys in order, what JSON does not know as its repr."""
    return json.dumps(value, sort_keys=True, default=repr)


class Ids:
    """Gives each id that it meets a number."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def __call__(self, value: Any) -> Any:
        """Return ``value`` as JSON would give it back, keys in order, each id as its number."""
        text = as_json(value)
        return json.loads(UUID.sub(lambda found: self.known.setdefault(found[0], f"#{len(self.known) + 1}"), text))


def without_ids(text: str) -> str:
    """Return a text without the ids in it."""
    return UUID.sub("#", text)


def unordered(entries: Iterable[Any]) -> list[Any]:
    """Return entries that come in any order in one that only what they hold decides, not the order of a dict's keys."""
    return sorted(entries, key=as_json)


def as_list(value: Any) -> list[Any]:
    """Return an option that may be missing, one signature or several as a list."""
    if not value:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def short(name: str) -> str:
    """Return the name of a task without its package."""
    return name.rsplit(".", 1)[-1]


def shape(sig: Any) -> str:
    """Return a signature, or its JSON form, as text: kinds, tasks, arguments, links; `!` for an immutable one."""
    if not isinstance(sig, dict):
        return repr(sig)
    kind, inside = sig.get("subtask_type"), sig["kwargs"]
    if kind in ("chain", "group"):
        text = f"{kind}({', '.join(shape(task) for task in inside['tasks'])})"
    elif kind == "chord":
        header = inside["header"]
        members = header["kwargs"]["tasks"] if isinstance(header, dict) else header
        text = f"chord([{', '.join(shape(task) for task in members)}], {shape(inside['body'])})"
    elif "it" in inside:
        size = f", {inside['n']}" if "n" in inside else ""
        text = f"{short(sig['task'])}({shape(inside['task'])}, {list(inside['it'])!r}{size})"
    else:
        given = [*map(repr, sig["args"]), *(f"{key}={value!r}" for key, value in sorted(inside.items()))]
        text = f"{'!' if sig.get('immutable') else ''}{short(sig['task'])}({', '.join(given)})"
    if kind and sig["args"]:
        text += f" with {list(sig['args'])!r}"
    for option, word in LINKS:
        linked = as_list(sig["options"].get(option))
        if linked:
            text += f".{word}({', '.join(shape(one) for one in linked)})"
    return text


def options_of(sig: Any, *dropped: str) -> dict[str, Any]:
    """Return the options of a signature without links, ids that are made anew each time, and those named."""
    left_out = {"link", "link_error", "reply_to", "chord", *dropped}
    return {key: value for key, value in sorted(sig["options"].items()) if key not in left_out}


def described(result: Any) -> Any:
    """Return state and value of a result, or those of the members of a group, as they are now."""
    if result is None:
        return None
    if hasattr(result, "results"):
        return [described(member) for member in result.results]
    state = result.state
    if state in API.states.EXCEPTION_STATES:
        return f"{state} {without_ids(repr(result.result))}"
    return [state, json.loads(without_ids(json.dumps(result.result, default=repr)))]


def walked(result: Any) -> Any:
    """Return what `described` says of a result and of all its parents, the last one first."""
    found = []
    while result is not None:
        found.append(described(result))
        result = result.parent
    return found


def settled(result: Any) -> Any:
    """Wait until a result, or every member of a group, has ended; return what `described` says."""
    until(result.ready)
    return described(result)


class Journal:
    """What tasks noted, in order."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.entries: list[Any] = []

    def add(self, *entry: Any) -> None:
        """Note something."""
        with self.lock:
            self.entries.append(list(entry))

    def of(self, name: str) -> list[Any]:
        """Return what was noted under a name."""
        with self.lock:
            return [entry[1:] for entry in self.entries if entry[0] == name]

    def wait(self, name: str, count: int = 1) -> list[Any]:
        """Wait until so much was noted under a name; return it."""
        until(lambda: len(self.of(name)) >= count)
        return self.of(name)


class Kit:
    """The tasks of one application."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.journal = Journal()
        self.unique = str(uuid.uuid4())
        self.gate = threading.Event()
        self.inside = threading.Event()
        self._arithmetic()
        self._endings()
        self._witnesses()

    def _arithmetic(self) -> None:
        task = self.app.task

        @task(name="t.add")
        def add(x: Any, y: Any = 0, z: Any = 0) -> Any:
            return x + y + z

        @task(name="t.mul")
        def mul(x: Any, y: Any) -> Any:
            return x * y

        @task(name="t.ident")
        def ident(x: Any = None) -> Any:
            return x

        @task(name="t.pack")
        def pack(*args: Any, **kwargs: Any) -> Any:
            return [*args, kwargs] if kwargs else list(args)

        @task(name="t.total")
        def total(numbers: Any, more: Any = 0) -> Any:
            return sum(numbers) + more

        @task(name="t.nop")
        def nop() -> None:
            """Nothing."""

        self.add, self.mul, self.ident, self.pack, self.total, self.nop = add, mul, ident, pack, total, nop

    def _endings(self) -> None:
        kit, task = self, self.app.task

        @task(name="t.fail")
        def fail(*args: Any, **kwargs: Any) -> None:
            raise ValueError("boom")

        @task(name="t.ignore")
        def ignore(*args: Any) -> None:
            raise API.exceptions.Ignore

        @task(name="t.reject")
        def reject(*args: Any) -> None:
            raise API.exceptions.Reject("no", requeue=False)

        @task(name="t.flaky", bind=True, max_retries=3)
        def flaky(self: Any, *args: Any, times: int = 1) -> Any:
            if self.request.retries < times:
                raise self.retry(countdown=0, exc=KeyError("again"))
            return args[0] if args else "late"

        @task(name="t.giveup", bind=True, max_retries=1)
        def giveup(self: Any, *args: Any) -> None:
            raise self.retry(countdown=0, exc=KeyError("gave up"))

        @task(name="t.hold")
        def hold(*args: Any) -> Any:
            kit.inside.set()
            assert kit.gate.wait(TIMEOUT)
            return args[0] if args else "held"

        @task(name="t.silent", ignore_result=True)
        def silent(*args: Any) -> Any:
            return args[0] if args else None

        @task(name="t.swap", bind=True)
        def swap(self: Any, *args: Any, other: Any) -> Any:
            raise self.replace(API.canvas.maybe_signature(other, app=self.app))

        self.fail, self.ignore, self.reject, self.flaky, self.giveup = fail, ignore, reject, flaky, giveup
        self.hold, self.silent, self.swap = hold, silent, swap

    def _witnesses(self) -> None:
        kit, task = self, self.app.task

        @task(name="t.note")
        def note(*args: Any, tag: str = "note") -> Any:
            kit.journal.add(tag, *args)
            return args[0] if args else None

        @task(name="t.who", bind=True)
        def who(self: Any, *args: Any, tag: str = "who") -> Any:
            request = self.request
            fields = ("id", "root_id", "parent_id", "group", "group_index")
            kit.journal.add(tag, {field: getattr(request, field) for field in fields})
            return args[0] if args else 0

        @task(name="t.look", bind=True)
        def look(self: Any, *args: Any, fields: Any = ()) -> Any:
            kit.journal.add("look", {field: getattr(self.request, field, None) for field in fields})
            return args[0] if args else 0

        @task(name="t.old_style", bind=True)
        def old_style(self: Any, failed_id: Any, *more: Any) -> Any:
            kit.journal.add("old", failed_id, *more)
            return failed_id

        @task(name="t.new_style")
        def new_style(request: Any, exc: Any, traceback: Any) -> None:
            kit.journal.add("new", request.id, without_ids(repr(exc)), type(traceback).__name__)

        self.note, self.who, self.look, self.old_style, self.new_style = note, who, look, old_style, new_style

    def requests(self) -> dict[str, Any]:
        """Return what `who` noted, by tag."""
        with self.journal.lock:
            return {entry[0]: entry[1] for entry in self.journal.entries}

    def fence(self, rounds: int = 2) -> None:
        """Wait until a worker with one thread has done all that was sent so far and what that sent in its turn."""
        for _ in range(rounds):
            until(self.nop.delay().ready)

    def named(self, sig: Any, tag: str) -> Any:
        """Give a signature an id of this test that contains ``tag``."""
        return sig.set(task_id=f"{tag}-{self.unique}")

    def states(self, *tags: str) -> dict[str, Any]:
        """Return what `described` says of the tasks that were given these tags by `named`."""
        return {tag: described(self.app.AsyncResult(f"{tag}-{self.unique}")) for tag in tags}

    def outcome(self, sig: Any, *args: Any, **options: Any) -> Any:
        """Send a canvas, wait for its end, return what came out."""
        return settled(sig.apply_async(args or None, **options))


def names_of(results: Iterable[Any]) -> list[str]:
    """Return the ids of some results."""
    return [result.id for result in results]


def revoke_and_wait(kit: Kit, ids: list[str]) -> None:
    """Revoke tasks until the worker, which is in this process, knows of it: a broadcast may come before it listens."""

    def known() -> bool:
        kit.app.control.revoke(ids, reply=True, timeout=0.5, limit=1)
        return all(task_id in API.mod("worker.state").revoked for task_id in ids)

    until(known)


def revoke_stamped_and_wait(target: Any, stamps: dict[str, Any]) -> None:
    """The same for all tasks with some stamps; ``target`` is a result or the control of an application."""
    options = {"limit": 1, "reply": True} if hasattr(target, "broadcast") else {"wait": True}

    def known() -> bool:
        target.revoke_by_stamped_headers(stamps, timeout=0.5, **options)
        return all(name in API.mod("worker.state").revoked_stamps for name in stamps)

    until(known)


@pytest.fixture
def kit(app: Any) -> Kit:
    """Tasks on an application whose oracle has broker and backend in memory."""
    return Kit(app)


@pytest.fixture
def redis_kit(redis_app: Any) -> Kit:
    """Tasks on an application whose oracle has Redis as broker and backend."""
    return Kit(redis_app)
