"""The release of RQ that this package answers for."""

from __future__ import annotations

VERSION = "3.0.0"
