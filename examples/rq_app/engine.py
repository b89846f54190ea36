"""Decides, once and before rq is imported, whether jobs go to Redis or stay in this process.

``RQ_APP_ENGINE=redis`` is RQ as it is, with the server of ``REDIS_URL``. Without it brokerless
stands in for ``rq`` and ``redis``, and nothing else in this program knows the difference.
"""

from __future__ import annotations

import os

if os.environ.get("RQ_APP_ENGINE", "brokerless") != "redis":
    from brokerless.compat import install

    install("rq", redis=True)

from redis import Redis
from rq import Queue

connection = Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
queue = Queue("reports", connection=connection, default_timeout=60)
