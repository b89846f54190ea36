"""Pools of threads: starting and stopping at once from different threads."""

from __future__ import annotations

import threading

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
