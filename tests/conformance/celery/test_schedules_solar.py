"""Events of the sun as schedules. Needs ephem, as in Celery."""

from __future__ import annotations

import pickle
import sys
from datetime import datetime, timezone
from typing import Any

import pytest

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=timezone.utc)
EVENTS = (
    "dawn_astronomical dawn_nautical dawn_civil sunrise solar_noon sunset dusk_civil dusk_nautical dusk_astronomical"
)


@pytest.fixture
def solar(api: Any, app: Any) -> Any:
    """A maker of solar schedules at a fixed time."""
    pytest.importorskip("ephem", reason="solar schedules need ephem")
    return lambda *args, **kwargs: api.schedules.solar(*args, nowfun=lambda: NOON, app=app, **kwargs)


@pytest.mark.parametrize("event", EVENTS.split())
@pytest.mark.parametrize("place", [(52.5, 13.4), (-33.9, 151.2)], ids=["berlin", "sydney"])
def test_next_event(solar: Any, observed: Any, event: str, place: tuple[float, float]) -> None:
    schedule = solar(event, *place)
    observed("remaining", round(schedule.remaining_estimate(NOON).total_seconds(), 1))
    observed("repr", repr(schedule))
    due, following = schedule.is_due(datetime(2026, 6, 13, 12, 0, tzinfo=timezone.utc))
    observed("late", [due, round(following, 1)])


def test_polar_night_is_waited_out(solar: Any, observed: Any) -> None:
    schedule = solar("sunrise", 78.2, 15.6)
    assert schedule.remaining_estimate(NOON).days > 60
    observed("remaining", round(schedule.remaining_estimate(NOON).total_seconds(), 0))


@pytest.mark.parametrize(("event", "lat", "lon"), [("sunrise", 91, 0), ("sunrise", 0, 181), ("teatime", 0, 0)])
def test_wrong_places_and_events(solar: Any, observed: Any, event: str, lat: float, lon: float) -> None:
    with pytest.raises(ValueError) as caught:
        solar(event, lat, lon)
    observed("error", str(caught.value))


def test_equality_and_pickle(solar: Any, observed: Any) -> None:
    one = solar("sunset", 52.5, 13.4)
    observed("equal", [one == solar("sunset", 52.5, 13.4), one == solar("sunset", 52.5, 13.5), one == 3])
    again = pickle.loads(pickle.dumps(one))
    assert again == one
    observed("again", repr(again))


def test_without_ephem(api: Any, monkeypatch: pytest.MonkeyPatch, observed: Any) -> None:
    monkeypatch.setitem(sys.modules, "ephem", None)
    with pytest.raises(api.exceptions.ImproperlyConfigured) as caught:
        api.schedules.solar("sunrise", 0, 0)
    observed("says ephem", "ephem" in str(caught.value))
