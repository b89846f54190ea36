"""Steps that users hang on a worker: ``app.steps['worker'].add(Step)``.

``start`` and ``stop`` are called around the worker's life. A step that wants the broker's connection cannot work here
and says so.
"""

from __future__ import annotations

from typing import Any

from .exceptions import ImproperlyConfigured

__all__ = ("Blueprint", "ConsumerStep", "StartStopStep", "Step")

RUN, CLOSE, TERMINATE = 0x1, 0x2, 0x3


class Step:
    """Something that a worker has."""

    name: Any = None
    label: Any = None
    conditional = False
    requires: Any = ()
    last = False
    enabled = True

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        pass

    def include_if(self, parent: Any) -> bool:
        return bool(self.enabled)

    def instantiate(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        from .utils.imports import instantiate

        return instantiate(name, *args, **kwargs)

    def create(self, parent: Any) -> Any:
        """Make what the step stands for."""

    @property
    def alias(self) -> str:
        return self.label or type(self).__name__


class StartStopStep(Step):
    """Started and stopped with the worker."""

    obj: Any = None

    def start(self, parent: Any) -> Any:
        self.obj = self.obj or self.create(parent)
        return self.obj.start() if self.obj else None

    def stop(self, parent: Any) -> Any:
        return self.obj.stop() if self.obj else None

    def close(self, parent: Any) -> None:
        """Before ``stop``."""

    def terminate(self, parent: Any) -> Any:
        return self.obj.terminate() if hasattr(self.obj, "terminate") else self.stop(parent)


class ConsumerStep(StartStopStep):
    """A step that reads messages of its own: needs a broker."""

    requires = ("celery.worker.consumer:Connection",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        raise ImproperlyConfigured(
            f"{type(self).__name__}: a ConsumerStep needs a broker, and tasks run in this process without one"
        )


class Blueprint:
    """Arranges steps by what they require, starts them in that order and stops them in reverse."""

    name: Any = None
    default_steps: Any = ()
    state: Any = None
    _STATES = {None: "initializing", RUN: "running", CLOSE: "closing", TERMINATE: "terminating"}

    def __init__(
        self, steps: Any = None, name: Any = None, on_start: Any = None, on_close: Any = None, on_stopped: Any = None
    ) -> None:
        self.name = name or self.name or type(self).__name__
        self.types = set(steps or ()) | set(self.default_steps)
        self.on_start, self.on_close, self.on_stopped = on_start, on_close, on_stopped
        self.steps: dict[str, Any] = {}
        self.order: list[Any] = []

    def apply(self, parent: Any, **kwargs: Any) -> Blueprint:
        """Make the steps; those that start and stop are added to ``parent.steps``."""
        from .utils.graph import DependencyGraph

        graph = DependencyGraph((cls, [need for need in cls.requires if need in self.types]) for cls in self.types)
        ordered = [*graph.topsort()]
        ordered.sort(key=lambda cls: bool(cls.last))
        for cls in ordered:
            step = cls(parent, **kwargs)
            self.steps[step.name or cls.__qualname__] = step
            self.order.append(step)
            if step.include_if(parent) and isinstance(step, StartStopStep):
                parent.steps.append(step)
        return self

    def start(self, parent: Any) -> None:
        self.state = RUN
        if self.on_start:
            self.on_start()
        for step in parent.steps:
            step.start(parent)

    def close(self, parent: Any) -> None:
        if self.on_close:
            self.on_close()
        for step in reversed(parent.steps):
            step.close(parent)

    def stop(self, parent: Any, close: bool = True, terminate: bool = False) -> None:
        if self.state in (CLOSE, TERMINATE):
            return
        self.state = TERMINATE if terminate else CLOSE
        if close:
            self.close(parent)
        for step in reversed(parent.steps):
            step.terminate(parent) if terminate else step.stop(parent)
        if self.on_stopped:
            self.on_stopped()

    def human_state(self) -> str:
        return self._STATES[self.state]

    def __getitem__(self, name: str) -> Any:
        return self.steps[name]
