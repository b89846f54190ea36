"""Pools of threads: starting, stopping and joining them from different threads at once."""

from __future__ import annotations

import threading

import pytest

from brokerless import Engine
from tests.unit.rig import SOON


def test_stopping_while_another_thread_starts_it() -> None:
    errors: list[BaseException] = []

    def attempt(act: object) -> None:
        try:
            act()  # type: ignore[operator]
        except BaseException as error:
            errors.append(error)

    for _ in range(100):
        engine = Engine(name="raced")
        pool = engine.pool("raced", [engine.queue("raced")], workers=3, autostart=False)
        starter = threading.Thread(target=attempt, args=(pool.start,))
        starter.start()
        attempt(lambda pool=pool: pool.stop(timeout=SOON))
        starter.join(SOON)
        assert pool.stop(timeout=SOON)
        assert pool.threads() == []
        engine.shut_down(True, SOON, True)
    assert errors == []


def test_a_join_waits_for_a_thread_on_its_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(name="leaving")
    pool = engine.pool("leaving", [engine.queue("leaving")], workers=1, autostart=False)
    pool.start()
    kick, leaving, go = engine.kick, threading.Event(), threading.Event()

    def held_up() -> None:
        """What a thread does last, when it is no worker's any more."""
        if threading.current_thread().name.startswith("brokerless-leaving"):
            leaving.set()
            assert go.wait(SOON)
        kick()

    monkeypatch.setattr(engine, "kick", held_up)
    engine.close()
    pool.stop(wait=False)
    assert leaving.wait(SOON)
    assert pool.threads() == []
    assert not pool.join(timeout=0.01)
    go.set()
    assert pool.join(timeout=SOON)
    engine.shut_down(True, SOON, True)
