"""Decides, once and before celery is imported, whether tasks go to a broker or stay in this process.

``GALLERY_ENGINE=celery`` is Celery as it is, with the Redis of ``REDIS_URL``. Without it brokerless stands in for
``celery``, and nothing else in this program knows the difference.
"""

from __future__ import annotations

import os

if os.environ.get("GALLERY_ENGINE", "brokerless") != "celery":
    from brokerless.compat import install

    install("celery")
