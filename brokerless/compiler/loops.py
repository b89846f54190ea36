"""Loops: while, and for over range(), enumerate() and sequence parameters.

Each back edge polls the control word. A for loop knows its length beforehand, so it polls once per 1,024 turns; the
turns between hold no other loop that does not poll by itself.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import Refused
from .searches import Searches
from .types import FLOAT, INT
from .values import SeqVal, Val, as_int

if TYPE_CHECKING:
    from .emit import FunctionEmitter
    from .expressions import Expressions
    from .variables import Env

_STRIDE = 1024


class Loops:
    """Emits loops for one ``FunctionEmitter``."""

    def __init__(self, owner: FunctionEmitter, expressions: Expressions) -> None:
        self._owner = owner
        self._expressions = expressions
        self._searches = Searches(owner, expressions)
        self._stable: dict[int, Env] = {}

    def while_loop(self, node: ast.While) -> None:
        owner = self._owner
        forever = isinstance(node.test, ast.Constant) and bool(node.test.value)

        def head(number: int) -> None:
            owner.write("for (;;) {")
            owner.indent += 1
            owner.write("BRL_POLL(c);")
            if not forever:
                test = self._expressions.condition(node.test)
                owner.write(f"if (!({test})) goto over_{number};")

        def tail(number: int) -> None:
            owner.write(f"next_{number}: BRL_UNUSED;")
            owner.indent -= 1
            owner.write("}")

        self._searches.before_while(node)
        self._loop(node, head, tail, ends=not forever)

    def for_loop(self, node: ast.For) -> None:
        sequence = self._owner.sequence(node.iter)
        if sequence is not None:
            self._over_sequence(node, sequence, None)
            return
        if not isinstance(node.iter, ast.Call):
            raise Refused("a for loop over something that is not a sequence", node.lineno)
        name = self._owner.scope.resolve(node.iter.func).value
        if name == "enumerate":
            self._over_enumerate(node, node.iter)
        elif name == "range":
            self._over_range(node, node.iter)
        else:
            raise Refused("a for loop over something other than range(), enumerate() or a parameter", node.lineno)

    def _over_enumerate(self, node: ast.For, call: ast.Call) -> None:
        sequence = self._owner.sequence(call.args[0]) if call.args else None
        if sequence is None or len(call.args) > 2:
            raise Refused("enumerate() of something other than a sequence parameter", node.lineno)
        start = self._expressions.scalar(call.args[1]) if len(call.args) == 2 else Val("0", INT)
        if start.mask == FLOAT or not start.mask:
            self._owner.die()
            return
        self._over_sequence(node, sequence, self._owner.held(Val(as_int(start), INT)))

    def _over_sequence(self, node: ast.For, sequence: SeqVal, count_from: Val | None) -> None:
        owner = self._owner
        self._expressions.plain_elements(sequence, node)
        index, stop = owner.temp("i64"), owner.temp("i64")
        owner.write(f"{index} = 0;")

        def assign() -> None:
            element = self._expressions.element(sequence, index)
            if count_from is None:
                self._bind(node.target, [element], single=True)
            else:
                position = Val(f"brl_add(c, {count_from.c}, {index})", INT)
                self._bind(node.target, [position, element], single=False)

        def advance() -> None:
            owner.write(f"{index}++;")

        self._strips(node, f"{index} < {sequence.c}.n", index, f"{sequence.c}.n", stop, assign, advance)

    def _over_range(self, node: ast.For, call: ast.Call) -> None:
        owner = self._owner
        values = [self._expressions.scalar(arg) for arg in call.args]
        if not 1 <= len(values) <= 3 or any(value.mask in (0, FLOAT) for value in values):
            owner.die()
            return
        held = [value if value.literal is not None else owner.held(Val(as_int(value), INT)) for value in values]
        start = held[0] if len(held) > 1 else Val("0", INT, 0)
        limit = held[1] if len(held) > 1 else held[0]
        step = held[2] if len(held) > 2 else Val("1", INT, 1)
        start = self._searches.before_range(node, start, limit, step)
        if step.literal == 1:
            self._unit_range(node, start, limit)
        else:
            self._stepped_range(node, start, limit, step)

    def _unit_range(self, node: ast.For, start: Val, limit: Val) -> None:
        owner = self._owner
        index, stop = owner.temp("i64"), owner.temp("i64")
        owner.write(f"{index} = {start.c};")

        def assign() -> None:
            self._bind(node.target, [Val(index, INT)], single=True)

        def advance() -> None:
            owner.write(f"{index}++;")

        self._strips(node, f"{index} < {limit.c}", index, limit.c, stop, assign, advance)

    def _stepped_range(self, node: ast.For, start: Val, limit: Val, step: Val) -> None:
        owner = self._owner
        left, current = owner.temp("u64"), owner.temp("i64")
        owner.write(f"{left} = brl_trips(c, {start.c}, {limit.c}, {step.c});")
        owner.write(f"{current} = {start.c};")

        def head(number: int) -> None:
            owner.write("for (;;) {")
            owner.indent += 1
            owner.write("BRL_POLL(c);")
            owner.write(f"if ({left} == 0) goto over_{number};")
            self._bind(node.target, [Val(current, INT)], single=True)

        def tail(number: int) -> None:
            owner.write(f"next_{number}: BRL_UNUSED;")
            # The value after the last may be outside 64 bits; it is not used.
            owner.write(f"if (--{left} != 0) {current} += {step.c};")
            owner.indent -= 1
            owner.write("}")

        self._loop(node, head, tail, ends=True)

    def _strips(
        self,
        node: ast.For,
        more: str,
        index: str,
        limit: str,
        stop: str,
        assign: Callable[[], None],
        advance: Callable[[], None],
    ) -> None:
        owner = self._owner

        def head(number: int) -> None:
            owner.write(f"while ({more}) {{")
            owner.indent += 1
            owner.write("BRL_POLL(c);")
            # As unsigned, the distance cannot overflow.
            owner.write(f"{stop} = (u64){limit} - (u64){index} > {_STRIDE} ? {index} + {_STRIDE} : {limit};")
            owner.write(f"while ({index} < {stop}) {{")
            owner.indent += 1
            assign()

        def tail(number: int) -> None:
            owner.write(f"next_{number}: BRL_UNUSED;")
            advance()
            owner.indent -= 1
            owner.write("}")
            owner.indent -= 1
            owner.write("}")

        self._loop(node, head, tail, ends=True)

    def _bind(self, target: ast.expr, values: list[Val], single: bool) -> None:
        owner = self._owner
        names = [target] if isinstance(target, ast.Name) else getattr(target, "elts", [])
        if isinstance(target, ast.Name) != single or len(names) != len(values):
            if not single and isinstance(target, ast.Name):
                raise Refused("a tuple is stored in a variable", target.lineno)
            owner.die()
            return
        for name, value in zip(names, values, strict=True):
            owner.store_checked(name, value)

    def _loop(
        self, node: ast.While | ast.For, head: Callable[[int], None], tail: Callable[[int], None], ends: bool
    ) -> None:
        """Walks the body until the types at its head are stable; ``ends``: the loop can end without a break."""
        from .emit import Loop

        owner = self._owner
        assert owner.env is not None
        number = owner.label()
        # Types only grow from walk to walk, so what was stable at this loop before is where this walk can start.
        entry: Env = dict(owner.join([owner.env, self._stable.get(id(node), owner.env)]) or {})
        outer, mark = owner.loop, owner.mark()
        while True:
            owner.rewind(mark)
            owner.env = dict(entry)
            loop = owner.loop = Loop(number)
            after_head = self._head(head, number)
            owner.block(node.body)
            back = owner.join([owner.env, *loop.continues])
            tail(number)
            joined = owner.join([entry, back])
            assert joined is not None
            if joined == entry:
                break
            entry = joined
        self._stable[id(node)] = entry
        owner.loop = outer
        # Where the condition is false nothing of the body has been assigned in this turn.
        owner.env = dict(after_head) if ends else None
        if ends:
            owner.write(f"over_{number}: BRL_UNUSED;")
        if node.orelse and owner.env is not None:
            owner.block(node.orelse)
        owner.write(f"done_{number}: BRL_UNUSED;")
        owner.env = owner.join([owner.env, *loop.breaks])

    def _head(self, head: Callable[[int], None], number: int) -> Env:
        assert self._owner.env is not None
        entry = dict(self._owner.env)
        head(number)
        return entry
