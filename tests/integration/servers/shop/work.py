"""What the served programs queue: it waits until the test opens the gate, and writes down that it ran, and where."""

from __future__ import annotations

import os
import time


def work(number: int) -> None:
    while not os.path.exists(os.environ["SHOP_GATE"]):
        time.sleep(0.005)
    time.sleep(0.02)
    log = os.open(os.environ["SHOP_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(log, f"{number} {os.getpid()}\n".encode())  # one write: lines of several processes do not mix
    finally:
        os.close(log)
