"""How late beat is: seconds from the moment an entry is due to the first line of its task, with nothing else going on.

Part of `celery_shim.py`: `lateness` runs on each side, `lateness_rows` makes the table's rows of it.
"""

from __future__ import annotations

import importlib
import statistics
import threading
from collections.abc import Callable
from typing import Any

EVERY = 0.25
"""Seconds between two runs of the entry; the process is idle in between."""
LIMIT_MS = 5.0


def lateness(app: Any, stamp: Any, count: int) -> list[float]:
    """Milliseconds by which each of `count` runs was late. `stamp` is a task that gives `time.time()` of its start."""
    beat: Any = importlib.import_module(type(app).__module__.partition(".app")[0] + ".beat")
    sent: list[tuple[float, Any]] = []
    enough = threading.Event()

    class Noting(beat.Scheduler):  # type: ignore[misc, name-defined]
        def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
            result = super().apply_async(entry, *args, **kwargs)
            sent.append(((entry.last_run_at + entry.schedule.run_every).timestamp(), result))
            if len(sent) > count:
                enough.set()
            return result

    app.conf.beat_schedule = {"stamp": {"task": stamp.name, "schedule": EVERY}}
    service = beat.Service(app, scheduler_cls=Noting)
    thread = threading.Thread(target=service.start, daemon=True)
    thread.start()
    if not enough.wait(60 + 4 * count * EVERY):
        raise RuntimeError(f"beat sent {len(sent)} of {count} tasks")
    service.stop()
    thread.join(10)
    # the first run also opens what is opened once
    return [(result.get(timeout=30) - due) * 1e3 for due, result in sent[1 : count + 1]]


def lateness_rows(found: dict[str, list[Any]], ours: str, row: Callable[..., Any]) -> list[Any]:
    """Rows of the table from each side's rounds; `ours` names our side, `row` makes a row."""

    def of(name: str, pick: Callable[[list[float]], float]) -> float:
        return statistics.median(pick(late) for late in found[name])

    picks: dict[str, Callable[[list[float]], float]] = {"median": statistics.median, "worst of a round": max}
    rows = []
    for label, pick in picks.items():
        mine = of(ours, pick)
        for number, name in enumerate(name for name in found if name != ours):
            theirs = of(name, pick)
            rows.append(
                row(
                    f"beat, due to first line of the task, {label}, against {name}",
                    f"{mine:.2f} ms",
                    f"{theirs:.2f} ms",
                    theirs / mine,
                    f"<= {LIMIT_MS:g} ms" if number == 0 else "",
                    mine <= LIMIT_MS if number == 0 else None,
                )
            )
    return rows
