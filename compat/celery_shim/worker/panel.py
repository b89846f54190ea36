"""The commands of workers by name, and the decorators that add one."""

from __future__ import annotations

from collections import UserDict
from typing import Any, NamedTuple

__all__ = ("ControlState", "Panel", "control_command", "inspect_command", "nok", "ok")


class controller_info_t(NamedTuple):
    """How the command line shows a command."""

    alias: Any
    type: str
    visible: bool
    default_timeout: float
    help: str
    signature: Any
    args: Any
    variadic: Any


class ControlState:
    """What a command gets: the worker and its parts."""

    def __init__(self, controller: Any) -> None:
        self.app = controller.app
        self.hostname = controller.hostname
        self.controller = controller
        self.consumer = controller.consumer
        self.tset = set


class Panel(UserDict):
    """The commands by name."""

    data: dict[str, Any] = {}
    meta: dict[str, controller_info_t] = {}

    @classmethod
    def register(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._register(**kwargs)(*args) if args else cls._register(**kwargs)

    @classmethod
    def _register(
        cls,
        name: str | None = None,
        alias: str | None = None,
        type: str = "control",
        visible: bool = True,
        default_timeout: float = 1.0,
        help: str | None = None,
        signature: Any = None,
        args: Any = None,
        variadic: Any = None,
    ) -> Any:
        def register(fun: Any) -> Any:
            own = name or fun.__name__
            cls.data[own] = fun
            text = help or (fun.__doc__ or "").strip().split("\n")[0]
            cls.meta[own] = controller_info_t(alias, type, visible, default_timeout, text, signature, args, variadic)
            if alias:
                cls.data[alias] = fun
            return fun

        return register


def control_command(**kwargs: Any) -> Any:
    return Panel.register(type="control", **kwargs)


def inspect_command(**kwargs: Any) -> Any:
    return Panel.register(type="inspect", **kwargs)


def ok(value: Any) -> dict[str, Any]:
    return {"ok": value}


def nok(value: Any) -> dict[str, Any]:
    return {"error": value}
