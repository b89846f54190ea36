"""The native core as an extension module, ``brokerless.native._engine``.

Holds nothing else: brokerless.core decides between it and the core in pure Python.
"""

from __future__ import annotations

if not __package__.startswith("brokerless."):
    raise ImportError(
        f"import brokerless.native, not {__name__!r}: a second copy of the engine would have its own state"
    )
