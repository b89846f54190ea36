"""Classes that know their app, and how an app and what hangs on it are pickled. Mixed into ``Celery``."""

from __future__ import annotations

from operator import attrgetter
from types import GenericAlias
from typing import Any

from .._state import get_current_app
from ..utils.imports import symbol_by_name
from ..utils.lean import cached_property
from .parts import AppParts
from .utils import _unpickle_app, _unpickle_app_v2

__all__ = ("Binding",)


def _unpickle_appattr(reverse_name: str, args: Any) -> Any:
    return get_current_app()._rgetattr(reverse_name)(*args)


class Binding(AppParts):
    """Subclasses made for one app."""

    def create_task_cls(self) -> Any:
        return self.subclass_with_self(self.task_cls, name="Task", attribute="_app", keep_reduce=True, abstract=True)

    def subclass_with_self(
        self,
        Class: Any,
        name: str | None = None,
        attribute: str = "app",
        reverse: str | None = None,
        keep_reduce: bool = False,
        **kw: Any,
    ) -> Any:
        """A subclass that knows this app; its instances are pickled as attributes of the app."""
        base = symbol_by_name(Class)
        path = reverse or base.__name__
        attributes = {attribute: self, "__module__": base.__module__, "__doc__": base.__doc__, **kw}
        if not keep_reduce:
            attributes["__reduce__"] = lambda obj: (_unpickle_appattr, (path, obj.__reduce_args__()))
        return type(name or base.__name__, (base,), attributes)

    __class_getitem__: Any = classmethod(GenericAlias)

    def _rgetattr(self, path: str) -> Any:
        return attrgetter(path)(self)

    def __reduce__(self) -> Any:
        if self._using_v1_reduce:
            return self.__reduce_v1__()
        return _unpickle_app_v2, (self.__class__, self.__reduce_keys__())

    def __reduce_v1__(self) -> Any:
        return _unpickle_app, (self.__class__, self.Pickler, *self.__reduce_args__())

    def __reduce_keys__(self) -> dict[str, Any]:
        return {
            "main": self.main,
            "changes": self._conf.changes if self.configured else self._preconf,
            "loader": self.loader_cls,
            "backend": self.backend_cls,
            "amqp": self.amqp_cls,
            "events": self.events_cls,
            "log": self.log_cls,
            "control": self.control_cls,
            "fixups": self.fixups,
            "config_source": self._config_source,
            "config_source_silent": self._config_source_silent,
            "task_cls": self.task_cls,
            "namespace": self.namespace,
        }

    def __reduce_args__(self) -> Any:
        return (
            self.main,
            self._conf.changes if self.configured else {},
            self.loader_cls,
            self.backend_cls,
            self.amqp_cls,
            self.events_cls,
            self.log_cls,
            self.control_cls,
            False,
            self._config_source,
            self._config_source_silent,
        )

    @cached_property
    def Worker(self) -> Any:
        return self.subclass_with_self("celery.apps.worker:Worker")

    @cached_property
    def WorkController(self) -> Any:
        return self.subclass_with_self("celery.worker:WorkController")

    @cached_property
    def Beat(self) -> Any:
        return self.subclass_with_self("celery.apps.beat:Beat")

    @cached_property
    def Task(self) -> Any:
        return self.create_task_cls()

    @cached_property
    def AsyncResult(self) -> Any:
        return self.subclass_with_self("celery.result:AsyncResult")

    @cached_property
    def ResultSet(self) -> Any:
        return self.subclass_with_self("celery.result:ResultSet")

    @cached_property
    def GroupResult(self) -> Any:
        return self.subclass_with_self("celery.result:GroupResult")
