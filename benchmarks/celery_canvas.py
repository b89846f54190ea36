"""Canvas on one side: seconds from building a composition to its result, nothing else going on.

Part of `celery_shim.py`: `canvas` runs on each side, `canvas_rows` makes the table's rows of it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

WIDTH = 100
GET_SECONDS = 120.0
FLOOR, GOAL = 30, 100
TITLES = {
    "group": f"group({WIDTH}).get()",
    "chord": f"chord(group({WIDTH}), sum).get()",
    "chain": f"chain of {WIDTH}, get()",
    "nested": "chord of 10 chords of 10, get()",
}


def _made(names: Any, api: Any) -> dict[str, tuple[Callable[[], Any], Any]]:
    """Per composition: a maker of it, and its result."""
    noop, total, following = names.noop, names.total, names.following
    numbers = range(WIDTH)
    return {
        "group": (lambda: api.group(noop.s(number) for number in numbers), list(numbers)),
        "chord": (lambda: api.chord([noop.s(number) for number in numbers], total.s()), sum(numbers)),
        "chain": (lambda: api.chain(following.s(0), *[following.s() for _ in numbers[1:]]), WIDTH),
        "nested": (
            lambda: api.chord(
                [api.chord([noop.s(number) for number in range(10)], total.s()) for _ in range(10)], total.s()
            ),
            450,
        ),
    }


def canvas(names: Any, api: Any, count: int) -> dict[str, list[float]]:
    """Seconds of each of `count` rounds per composition; `names` has the tasks, `api` the constructors."""
    found: dict[str, list[float]] = {}
    for name, (make, expected) in _made(names, api).items():
        found[name] = []
        for number in range(count + 1):
            begin = time.perf_counter()
            value = make().apply_async().get(timeout=GET_SECONDS)
            spent = time.perf_counter() - begin
            if value != expected:
                raise SystemExit(f"{name} gave {value!r} instead of {expected!r}")
            if number:  # the first one warms up
                found[name].append(spent)
    return found


def canvas_rows(found: dict[str, list[Any]], ours: str, judged: str, row: Callable[..., Any]) -> list[Any]:
    """The median over the rounds of each round's median, and of the rounds' ratios."""
    rows = []
    for name, title in TITLES.items():
        medians = {side: [statistics.median(one[name]) for one in rounds] for side, rounds in found.items()}
        for side, theirs in medians.items():
            if side == ours:
                continue
            ratio = statistics.median(their / our for their, our in zip(theirs, medians[ours], strict=True))
            rows.append(
                row(
                    f"{title}, against {side}",
                    f"{statistics.median(medians[ours]) * 1e3:,.2f} ms",
                    f"{statistics.median(theirs) * 1e3:,.1f} ms",
                    ratio,
                    f"floor {FLOOR} x, goal {GOAL} x" if side == judged else "",
                    ratio >= FLOOR if side == judged else None,
                )
            )
    return rows
