"""The loader of the default app: reads ``celeryconfig.py`` where there is one."""

from __future__ import annotations

import os
import warnings
from typing import Any

from ..exceptions import NotConfigured
from ..utils.collections import DictAttribute
from ..utils.serialization import strtobool
from .base import BaseLoader

__all__ = ("DEFAULT_CONFIG_MODULE", "Loader")

DEFAULT_CONFIG_MODULE = "celeryconfig"
#: Whether a missing module is worth a warning.
C_WNOCONF = strtobool(os.environ.get("C_WNOCONF", False))


class Loader(BaseLoader):
    """Reads the module named in ``CELERY_CONFIG_MODULE``."""

    def setup_settings(self, settingsdict: Any) -> DictAttribute:
        return DictAttribute(settingsdict)

    def read_configuration(self, fail_silently: bool = True) -> Any:  # type: ignore[override]
        name = os.environ.get("CELERY_CONFIG_MODULE", DEFAULT_CONFIG_MODULE)
        try:
            module = self._import_config_module(name)
        except ImportError:
            if not fail_silently:
                raise
            if C_WNOCONF and not os.environ.get("FORKED_BY_MULTIPROCESSING"):
                text = f"No {name} module found! Please make sure it exists and is available to Python."
                warnings.warn(NotConfigured(text), stacklevel=2)
            return self.setup_settings({})
        self.configured = True
        return self.setup_settings(module)
