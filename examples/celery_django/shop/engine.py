"""Decides, once and before celery is imported, whether tasks go to a broker or stay in this process.

``SHOP_ENGINE=celery`` is Celery as it is, with the Redis of ``REDIS_URL``. Without it brokerless stands in for ``celery``,
and nothing else in this project knows the difference.
"""

from __future__ import annotations

import os

BROKERLESS = os.environ.get("SHOP_ENGINE", "brokerless") != "celery"

if BROKERLESS:
    from brokerless.compat import install

    install("celery")

APPS = ["brokerless.compat.celery_shim.contrib.django"] if BROKERLESS else []
"""With it the web process fires the schedule. Celery has `celery beat` for that."""
