"""Which queue a task goes to: ``task_routes`` in all its forms.

What is routed to a queue is decided when a task is sent; the caller's own options always win.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any

from ..exceptions import QueueNotFound
from ..utils.collections import lpmerge
from ..utils.imports import symbol_by_name
from ..utils.lean import maybe_evaluate

__all__ = ("MapRoute", "Router", "expand_router_string", "prepare")


def _as_options(route: Any) -> dict[str, Any]:
    """A route's value: a mapping of options, or the name of a queue."""
    try:
        return dict(route)
    except ValueError:
        return {"queue": route}


class MapRoute:
    """Routes by name: exact ones first, then patterns in their order."""

    def __init__(self, map: Any) -> None:
        self.map: dict[str, Any] = {}
        self.patterns: dict[re.Pattern[str], Any] = {}
        for name, route in map.items() if isinstance(map, Mapping) else map:
            if isinstance(name, re.Pattern):
                self.patterns[name] = route
            elif "*" in name:
                self.patterns[re.compile(fnmatch.translate(name))] = route
            else:
                self.map[name] = route

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        if name in self.map:
            return _as_options(self.map[name])
        for pattern, route in self.patterns.items():
            if pattern.match(name):
                return _as_options(route)
        return None


class Router:
    """Applies routes in turn; the first answer counts."""

    def __init__(self, routes: Any = None, queues: Any = None, create_missing: bool = False, app: Any = None) -> None:
        self.app = app
        self.queues = {} if queues is None else queues
        self.routes = [] if routes is None else routes
        self.create_missing = create_missing

    def route(
        self, options: dict[str, Any], name: str, args: Any = (), kwargs: Any = None, task_type: Any = None
    ) -> dict[str, Any]:
        """The options with a queue."""
        options = self.expand_destination(options)
        if self.routes:
            route = self.lookup_route(name, args, kwargs or {}, options, task_type)
            if route:
                return lpmerge(self.expand_destination(route), options)
        if "queue" not in options:
            options = lpmerge(self.expand_destination(self.app.conf.task_default_queue), options)
        return options

    def expand_destination(self, route: Any) -> Any:
        """A name of a queue, or options with one, as options with the queue itself."""
        if isinstance(route, str):
            queue, route = route, {}
        else:
            queue = route.pop("queue", None)
        if queue:
            from kombu import Queue

            if not isinstance(queue, Queue):
                try:
                    queue = self.queues[queue]
                except KeyError:
                    raise QueueNotFound(f"Queue {queue!r} missing from task_queues") from None
            route["queue"] = queue
        return route

    def lookup_route(
        self, name: str, args: Any = None, kwargs: Any = None, options: Any = None, task_type: Any = None
    ) -> Any:
        for router in self.routes:
            route = self.query_router(router, name, args, kwargs, options, task_type)
            if route is not None:
                return route
        return None

    def query_router(self, router: Any, task: str, args: Any, kwargs: Any, options: Any, task_type: Any) -> Any:
        router = maybe_evaluate(router)
        if hasattr(router, "route_for_task"):
            return router.route_for_task(task, args, kwargs)
        return router(task, args, kwargs, options, task=task_type)


def expand_router_string(router: Any) -> Any:
    """A router by its dotted name; classes of the old style are instantiated."""
    found = symbol_by_name(router)
    return found() if hasattr(found, "route_for_task") else found


def _expand(route: Any) -> Any:
    if isinstance(route, (Mapping, list, tuple)):
        return MapRoute(route)
    if not isinstance(route, str):
        return route
    from ..utils.lazies import mlazy

    return mlazy(expand_router_string, route)


def prepare(routes: Any) -> Any:
    """The value of ``task_routes`` as a list of routers."""
    if routes is None:
        return ()
    return [_expand(route) for route in (routes if isinstance(routes, (list, tuple)) else (routes,))]
