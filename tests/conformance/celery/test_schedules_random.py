"""Random crontabs and intervals at random times in zones whose clocks change: the same answers, as a digest."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

ZONES = (
    "UTC America/New_York Europe/Berlin Australia/Lord_Howe Asia/Kolkata Europe/London Pacific/Auckland Pacific/Chatham"
).split()
BEGIN = datetime(2025, 1, 1, tzinfo=timezone.utc)
CASES = 150


def field(chance: random.Random, low: int, high: int) -> Any:
    """One field of a crontab."""
    kind = chance.random()
    if kind < 0.35:
        return "*"
    if kind < 0.5:
        return f"*/{chance.randint(1, max(2, (high - low) // 2))}"
    if kind < 0.7:
        return chance.randint(low, high)
    if kind < 0.85:
        return f"{chance.randint(low, high)}-{chance.randint(low, high)}"
    return ",".join(str(chance.randint(low, high)) for _ in range(chance.randint(1, 4)))


def answer(api: Any, app: Any, chance: random.Random, zone: str) -> list[Any]:
    """A random schedule, and what it says about a random last run."""
    base = BEGIN + timedelta(seconds=chance.randint(0, 3 * 365 * 86400))
    last = base.astimezone(ZoneInfo(chance.choice([zone, "UTC"])))
    later = chance.choice([0, 1, 59, 60, 3599, 86400, chance.randint(0, 40 * 86400)])
    now = (base + timedelta(seconds=later)).astimezone(ZoneInfo(zone))
    crontab = chance.random() < 0.75
    try:
        if crontab:
            given = [field(chance, *limits) for limits in ((0, 59), (0, 23), (0, 6), (1, 31), (1, 12))]
            schedule = api.schedules.crontab(*given, nowfun=lambda: now, app=app)
        else:
            every = chance.choice([1, 10, 60, 90, 3600, 7200, 86400, 172800])
            schedule = api.schedules.schedule(every, chance.random() < 0.6, nowfun=lambda: now, app=app)
        return [repr(schedule), list(schedule.is_due(last)), schedule.remaining_estimate(last).total_seconds()]
    except ValueError as exc:
        return [str(exc)]


@pytest.mark.parametrize("deadline", [None, 7200])
@pytest.mark.parametrize("zone", ZONES)
def test_random_schedules(api: Any, make_app: Any, observed: Any, zone: str, deadline: int | None) -> None:
    app = make_app(timezone=zone, beat_cron_starting_deadline=deadline)
    chance = random.Random(f"{zone} {deadline}")
    answers = [answer(api, app, chance, zone) for _ in range(CASES)]
    observed("due", sum(1 for found in answers if len(found) > 1 and found[1][0]))
    observed("digest", hashlib.sha256(json.dumps(answers).encode()).hexdigest()[:16])
