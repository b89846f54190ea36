"""pytest plugin: ``-p brokerless.compat.pytest_alias`` installs the aliases before any conftest is loaded.

``redis`` is the stand-in too where redis-py is not installed. Workers do not start by themselves under it: tests start
them, as they would with a broker.
"""

from __future__ import annotations

import os

from .alias import install

os.environ.setdefault("BROKERLESS_AUTOSTART", "0")
install(redis=True)
