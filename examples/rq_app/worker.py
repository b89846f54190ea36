"""The worker process that RQ needs. With brokerless there is none: the web process works.

Run it with ``RQ_APP_ENGINE=redis python -m rq_app.worker`` from the folder ``examples``.
"""

from __future__ import annotations

from .engine import connection, queue  # first: it decides what rq is

from rq import Worker  # isort: skip

if __name__ == "__main__":
    Worker([queue], connection=connection).work(with_scheduler=True)
