"""Graphs of what depends on what: order, cycles, drawings for graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .lean import bytes_to_str, safe_str

__all__ = ("DOT", "CycleError", "DependencyGraph", "GraphFormatter")


class DOT:
    """Pieces of graphviz's language."""

    HEAD = "{IN}{type} {id} {{\n{INp}graph [{attrs}]\n"
    ATTR = "{name}={value}"
    NODE = '{INp}"{0}" [{attrs}]'
    EDGE = '{INp}"{0}" {dir} "{1}" [{attrs}]'
    ATTRSEP = ", "
    DIRS = {"graph": "--", "digraph": "->"}
    TAIL = "{IN}}}"


class CycleError(Exception):
    """A graph that should have no cycle has one."""


class DependencyGraph:
    """Nodes with the nodes that they depend on."""

    def __init__(self, it: Iterable[Any] | None = None, formatter: Any = None) -> None:
        self.formatter = formatter or GraphFormatter()
        self.adjacent: dict[Any, list[Any]] = {}
        if it is not None:
            self.update(it)

    def add_arc(self, obj: Any) -> None:
        """Add a node."""
        self.adjacent.setdefault(obj, [])

    def add_edge(self, A: Any, B: Any) -> None:
        """A depends on B."""
        self[A].append(B)

    def connect(self, graph: DependencyGraph) -> None:
        """Take over the nodes of another graph."""
        self.adjacent.update(graph.adjacent)

    def update(self, it: Iterable[Any]) -> None:
        """Add ``(node, dependencies)`` pairs."""
        pairs = list(it)
        for node, _ in pairs:
            self.add_arc(node)
        for node, needed in pairs:
            for other in needed:
                self.add_edge(node, other)

    def topsort(self) -> list[Any]:
        """The nodes, each after what it depends on; of a cycle one member."""
        groups = self._components()
        of_node = {node: group for group in groups for node in group}
        condensed = DependencyGraph()
        for group in groups:
            condensed.add_arc(group)
        for node in self:
            for other in self[node]:
                if of_node[node] != of_node[other]:
                    condensed.add_edge(of_node[node], of_node[other])
        return [group[0] for group in condensed._order()]

    def _order(self) -> list[Any]:
        """Kahn's algorithm, from those that nobody needs."""
        needed_by = dict.fromkeys(self, 0)
        for node in self:
            for other in self[node]:
                needed_by[other] += 1
        ready = [node for node, count in needed_by.items() if not count]
        ordered = []
        while ready:
            node = ready.pop()
            ordered.append(node)
            for other in self[node]:
                needed_by[other] -= 1
                if not needed_by[other]:
                    ready.append(other)
        return ordered[::-1]

    def _components(self) -> list[tuple[Any, ...]]:
        """Groups of nodes that depend on each other (Tarjan's algorithm)."""
        groups: list[tuple[Any, ...]] = []
        path: list[Any] = []
        lowest: dict[Any, int] = {}

        def visit(node: Any) -> None:
            if node in lowest:
                return
            number = lowest[node] = len(lowest)
            start = len(path)
            path.append(node)
            for other in self[node]:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            if number == lowest[node]:
                group = tuple(path[start:])
                del path[start:]
                groups.append(group)
                for member in group:
                    lowest[member] = len(self)

        for node in self:
            visit(node)
        return groups

    def valency_of(self, obj: Any) -> int:
        """Number of nodes below this one, counted by path."""
        if obj not in self:
            return 0
        return len(self[obj]) + sum(self.valency_of(other) for other in self[obj])

    def edges(self) -> Iterator[Any]:
        """Nodes that depend on something."""
        return (node for node, others in self.items() if others)

    def to_dot(self, fh: Any, formatter: Any = None) -> None:
        """Write the graph in graphviz's language."""
        draw = formatter or self.formatter
        seen = set()

        def write(text: bytes) -> None:
            print(bytes_to_str(text), file=fh)

        def once(drawing: Any, node: Any) -> None:
            if draw.label(node) not in seen:
                write(drawing(node))
                seen.add(draw.label(node))

        write(draw.head())
        for node, others in self.items():
            if not others:
                once(draw.terminal_node, node)
            for other in others:
                once(draw.node, node)
                write(draw.edge(node, other))
        write(draw.tail())

    def format(self, obj: Any) -> Any:
        formatter: Any = self.formatter  # whatever the caller gave
        return formatter(obj) if formatter else obj

    def __iter__(self) -> Iterator[Any]:
        return iter(self.adjacent)

    def __getitem__(self, node: Any) -> list[Any]:
        return self.adjacent[node]

    def __len__(self) -> int:
        return len(self.adjacent)

    def __contains__(self, obj: Any) -> bool:
        return obj in self.adjacent

    def _iterate_items(self) -> Any:
        return self.adjacent.items()

    items = iteritems = _iterate_items

    def __repr__(self) -> str:
        return "\n".join(self.repr_node(node) for node in self)

    def repr_node(self, obj: Any, level: int = 1, fmt: str = "{0}({1})") -> str:
        lines = [fmt.format(obj, self.valency_of(obj))]
        for other in self.adjacent.get(obj, ()):
            lines.append("     " * level + fmt.format(other, self.valency_of(other)))
            lines.extend(self.repr_node(other, level + 1).split("\n")[1:])
        return "\n".join(lines)


class GraphFormatter:
    """How a graph is drawn."""

    scheme = {"shape": "box", "arrowhead": "vee", "style": "filled", "fontname": "HelveticaNeue"}
    edge_scheme = {"color": "darkseagreen4", "arrowcolor": "black", "arrowsize": 0.7}
    node_scheme = {"fillcolor": "palegreen3", "color": "palegreen4"}
    term_scheme = {"fillcolor": "palegreen1", "color": "palegreen2"}
    graph_scheme = {"bgcolor": "mintcream"}

    def __init__(
        self,
        root: Any = None,
        type: str | None = None,
        id: str | None = None,
        indent: int = 0,
        inw: str = " " * 4,
        **scheme: Any,
    ) -> None:
        self.id = id or "dependencies"
        self.root = root
        self.type = type or "digraph"
        self.direction = DOT.DIRS[self.type]
        self.IN = inw * (indent or 0)
        self.INp = self.IN + inw
        self.scheme = {**self.scheme, **scheme}
        self.graph_scheme = {**self.graph_scheme, "root": self.label(self.root)}

    def attr(self, name: str, value: Any) -> bytes:
        return self.FMT(DOT.ATTR, name=name, value=f'"{value}"')

    def attrs(self, d: Any, scheme: Any = None) -> str:
        merged = {**self.scheme, **(scheme or {}), **(d or {})}
        return DOT.ATTRSEP.join(safe_str(self.attr(name, value)) for name, value in merged.items())

    def head(self, **attrs: Any) -> bytes:
        return self.FMT(DOT.HEAD.strip(), id=self.id, type=self.type, attrs=self.attrs(attrs, self.graph_scheme))

    def tail(self) -> bytes:
        return self.FMT(DOT.TAIL)

    def label(self, obj: Any) -> Any:
        return obj

    def node(self, obj: Any, **attrs: Any) -> bytes:
        return self.draw_node(obj, self.node_scheme, attrs)

    def terminal_node(self, obj: Any, **attrs: Any) -> bytes:
        return self.draw_node(obj, self.term_scheme, attrs)

    def edge(self, a: Any, b: Any, **attrs: Any) -> bytes:
        return self.draw_edge(a, b, **attrs)

    def FMT(self, fmt: str, *args: Any, **kwargs: Any) -> bytes:
        return fmt.format(*args, **{**kwargs, "IN": self.IN, "INp": self.INp}).encode("utf-8", "ignore")

    def draw_edge(self, a: Any, b: Any, scheme: Any = None, attrs: Any = None) -> bytes:
        return self.FMT(
            DOT.EDGE, self.label(a), self.label(b), dir=self.direction, attrs=self.attrs(attrs, self.edge_scheme)
        )

    def draw_node(self, obj: Any, scheme: Any = None, attrs: Any = None) -> bytes:
        return self.FMT(DOT.NODE, self.label(obj), attrs=self.attrs(attrs, scheme))
