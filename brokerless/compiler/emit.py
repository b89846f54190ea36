"""Statements: one Python function, for one tuple of argument types, to one C function.

Types follow the flow of control: ``env`` maps each variable to the types it can have at this point. A loop body is
walked until the types at its head stop changing; the text of the last walk is the one that stays. A variable that is of
several types somewhere carries a tag beside its value; one that may be unbound where it is read carries a flag.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .errors import Refused
from .expressions import Expressions
from .loops import Loops
from .source import Source
from .types import NONE, NUMBER, Seq, Signature, is_single, type_name
from .values import TupleVal, Val, ctype, held_as
from .variables import Env, Variables, declaration

if TYPE_CHECKING:
    from .names import Scope
    from .program import Program


class Loop:
    """The loop that break and continue belong to, and the types that reach those places."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.breaks: list[Env] = []
        self.continues: list[Env] = []


class FunctionEmitter(Variables):
    """Emits one instance. ``emit`` may be called again until nothing it learns changes."""

    def __init__(self, program: Program, source: Source, scope: Scope, signature: Signature, cname: str) -> None:
        self.program = program
        self.source = source
        self.scope = scope
        self.signature = signature
        self.cname = cname
        self.mask = 0
        self.tuple_masks: tuple[int, ...] | None = None
        self.changed = False
        self.text = ""
        self.recursive = False
        # Whether a caller has seen the type of its result.
        self.asked = False
        Variables.__init__(self)
        self._expressions = Expressions(self)
        self._loops = Loops(self, self._expressions)
        self._reset()

    def _reset(self) -> None:
        self.lines: list[str] = []
        self.env: Env | None = {}
        self.indent = 1
        self.loop: Loop | None = None
        self._temps: list[str] = []
        self._used: set[str] = set()
        self._labels = 0
        self._returns = 0

    # -- the whole function

    def emit(self) -> None:
        """Walks the body once; sets ``text``, ``mask`` and ``changed`` (something learnt makes another walk needed)."""
        self._reset()
        self.changed = False
        assert self.env is not None
        params = self.source.params
        for name, kind in zip(params, self.signature, strict=True):
            self.env[name] = kind
            if isinstance(kind, int):
                self._enter(name, kind)
        self.block(self.source.node.body)
        if self.env is not None:
            self._return_mask(NONE, self.source.node)
            self.write(f"return {self._returned(Val('brl_none()', NONE))};")
        self.text = self._frame()

    def _enter(self, name: str, kind: int) -> None:
        """A parameter that changes its type later moves into the variables of all its types."""
        if name in self._tagged or name in self._flagged or not is_single(kind):
            self.store(name, Val(f"p_{self._id(name)}", kind))
        else:
            self.write(f"{self._slot(name, kind)} = p_{self._id(name)};")

    def _frame(self) -> str:
        params = ["brl_ctx *c BRL_UNUSED", "i64 d BRL_UNUSED"]
        for name, kind in zip(self.source.params, self.signature, strict=True):
            if isinstance(kind, Seq):
                params.append(f"brl_seq v_{self._id(name)} BRL_UNUSED")
            else:
                params.append(f"{ctype(kind)} p_{self._id(name)} BRL_UNUSED")
        # Walks of a loop body that were taken back may have asked for functions that nothing calls in the end.
        self.header = f"BRL_HELPER {self.return_ctype()} {self.cname}({', '.join(params)})"
        declared = [f"    {declaration(name)}" for name in sorted(self._used)] + [f"    {temp}" for temp in self._temps]
        guard = ["    BRL_WORD(c);", "    BRL_POLL(c);"]
        if self.recursive:
            guard.append("    BRL_CHECK(d <= 0);")
        if not self.lines or not self.lines[-1].lstrip().startswith("return"):
            # The end is never reached, which the C compiler cannot know.
            self.lines.append("    brl_bail(c);")
        return "\n".join([self.header + " {", *declared, *guard, *self.lines, "}"]) + "\n"

    def return_ctype(self) -> str:
        return f"brl_tuple{len(self.tuple_masks)}" if self.tuple_masks is not None else ctype(self.mask)

    def frame_bytes(self) -> int:
        """A generous guess of the C stack that one call takes."""
        return 192 + 24 * (len(self._used) + len(self._temps)) + 24 * len(self.lines)

    # -- statements

    def block(self, body: list[ast.stmt]) -> None:
        for node in body:
            if self.env is None:
                return
            self._comment(node)
            self._statement(node)

    def _comment(self, node: ast.stmt) -> None:
        text = self.source.text_at(node.lineno).replace("*/", "* /").replace("/*", "/ *").replace("\\", "/")
        text = text.encode("ascii", "replace").decode().replace("?", "'")
        self.write(f"/* {node.lineno}: {text} */")

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            self._assign(node)
        elif isinstance(node, ast.AugAssign):
            self._augmented(node)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                assert isinstance(node.target, ast.Name)
                self.store_checked(node.target, self._expressions.scalar(node.value))
        elif isinstance(node, ast.If):
            self._if(node)
        elif isinstance(node, ast.While):
            self._loops.while_loop(node)
        elif isinstance(node, ast.For):
            self._loops.for_loop(node)
        elif isinstance(node, ast.Return):
            self._return(node)
        elif isinstance(node, (ast.Break, ast.Continue)):
            self._leave(node)
        elif isinstance(node, ast.Raise):
            self.die()
        elif isinstance(node, ast.Assert):
            # Under -O the assert is not there; the byte code says which it is.
            if __debug__:
                self.write(f"BRL_CHECK(!({self._expressions.condition(node.test)}));")
        elif isinstance(node, ast.Expr):
            self._expression(node)
        elif not isinstance(node, ast.Pass):
            raise Refused(f"a {type(node).__name__.lower()} statement", node.lineno)

    def _expression(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        value = self._expressions.value(node.value)
        for item in value.items if isinstance(value, TupleVal) else (value,):
            self.write(f"(void)({item.c});")
            if not item.mask:
                self.env = None

    def die(self) -> None:
        self.write("brl_bail(c);")
        self.env = None

    def _assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.Name) and self.sequence(node.value) is not None:
            raise Refused("it gives a sequence a second name", node.lineno)
        value = self._expressions.value(node.value)
        if isinstance(value, TupleVal):
            self._assign_tuple(node, value)
            return
        if not value.mask & NUMBER:
            self.write(f"(void)({value.c});")
            if value.mask == NONE:
                raise Refused("a variable that holds None", node.lineno)
            self.env = None
            return
        if any(not isinstance(target, ast.Name) for target in node.targets):
            self.die()  # unpacking a number: TypeError
            return
        if len(node.targets) > 1:
            value = self.held(value)
        for target in node.targets:
            self.store_checked(target, value)

    def _assign_tuple(self, node: ast.Assign, value: TupleVal) -> None:
        held = [self.held(item) for item in value.items]
        for item in held:
            if not item.mask:
                self.env = None
                return
        for target in node.targets:
            if isinstance(target, ast.Name):
                raise Refused("a tuple is stored in a variable", node.lineno)
            assert isinstance(target, (ast.Tuple, ast.List))
            if len(target.elts) != len(held):
                self.die()  # wrong number of values: ValueError
                return
            for name, item in zip(target.elts, held, strict=True):
                self.store_checked(name, item)

    def held(self, value: Val) -> Val:
        """The value in a variable of its own, worked out now."""
        temp = self.temp(ctype(value.mask))
        self.write(f"{temp} = {value.c};")
        return Val(temp, value.mask)

    def _augmented(self, node: ast.AugAssign) -> None:
        assert isinstance(node.target, ast.Name)
        load = ast.copy_location(ast.Name(id=node.target.id, ctx=ast.Load()), node.target)
        left, right = self._expressions.scalar(load), self._expressions.scalar(node.value)
        self.store_checked(node.target, self._expressions.binary(node.op, left, right))

    def store_checked(self, target: ast.expr, value: Val) -> None:
        assert isinstance(target, ast.Name)
        assert self.env is not None
        if isinstance(self.env.get(target.id), Seq):
            raise Refused(f"it assigns to the sequence {target.id}", target.lineno)
        if not value.mask & NUMBER:
            self.write(f"(void)({value.c});")
            self.env = None
            return
        self.store(target.id, value)

    def _if(self, node: ast.If) -> None:
        if self._short_if(node):
            return
        test = self._expressions.condition(node.test)
        before = dict(self.env or {})
        self.write(f"if ({test}) {{")
        after_body = self._branch(node.body, before)
        if node.orelse:
            self.write("} else {")
            after_else = self._branch(node.orelse, before)
        else:
            after_else = before
        self.write("}")
        self.env = self.join([after_body, after_else])

    def _short_if(self, node: ast.If) -> bool:
        """``if`` and ``else`` that each only give the same variable a short int value."""
        if len(node.body) != 1 or len(node.orelse) != 1:
            return False
        yes, no = node.body[0], node.orelse[0]
        if not isinstance(yes, ast.Assign) or not isinstance(no, ast.Assign):
            return False
        targets = [*yes.targets, *no.targets]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        if len(targets) != 2 or len(names) != 1 or not all(isinstance(target, ast.Name) for target in targets):
            return False
        value = self._expressions.short_choice(node.test, yes.value, no.value)
        if value is None:
            return False
        self._comment(yes)
        self._comment(no)
        self.store_checked(targets[0], value)
        return True

    def _branch(self, body: list[ast.stmt], env: Env) -> Env | None:
        self.env = dict(env)
        self.indent += 1
        self.block(body)
        self.indent -= 1
        return self.env

    def _leave(self, node: ast.stmt) -> None:
        assert self.loop is not None
        assert self.env is not None
        if isinstance(node, ast.Break):
            self.loop.breaks.append(self.env)
            self.write(f"goto done_{self.loop.number};")
        else:
            self.loop.continues.append(self.env)
            self.write(f"goto next_{self.loop.number};")
        self.env = None

    # -- return

    def _return(self, node: ast.Return) -> None:
        if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._return_mask(NONE, node)
            self.write(f"return {self._returned(Val('brl_none()', NONE))};")
        else:
            if self.sequence(node.value) is not None:
                raise Refused("it returns a sequence", node.lineno)
            value = self._expressions.value(node.value)
            if isinstance(value, TupleVal):
                self._return_tuple(value, node)
            elif not value.mask:
                self.write(f"(void)({value.c});")
                self.write("brl_bail(c);")
            else:
                if value.mask == NONE:
                    self.write(f"(void)({value.c});")
                self._return_mask(value.mask, node)
                self.write(f"return {self._returned(value)};")
        self.env = None

    def _returned(self, value: Val) -> str:
        return held_as(value, self.mask)

    def _return_mask(self, mask: int, node: ast.AST) -> None:
        if self.tuple_masks is not None:
            raise Refused("it returns a tuple on one path and something else on another", getattr(node, "lineno", None))
        if mask & ~self.mask:
            self.mask |= mask
            # What was written or asked for before relied on the old one.
            self.changed |= self.asked or self._returns > 0
        self._returns += 1

    def _return_tuple(self, value: TupleVal, node: ast.Return) -> None:
        size = len(value.items)
        if self.mask or (self.tuple_masks is not None and len(self.tuple_masks) != size) or not size:
            raise Refused("it returns a tuple on one path and something else on another", node.lineno)
        held = [self.held(item) for item in value.items]
        old = self.tuple_masks or (0,) * size
        masks = tuple(mask | item.mask for mask, item in zip(old, held, strict=True))
        if masks != self.tuple_masks:
            self.tuple_masks = masks
            self.changed = True
        self.program.need_tuple(size)
        result = self.temp(f"brl_tuple{size}")
        for index, item in enumerate(held):
            self.write(f"{result}.v[{index}] = {held_as(item, NUMBER)};")
        self.write(f"return {result};")

    # -- text

    def write(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def temp(self, kind: str) -> str:
        name = f"t{len(self._temps)}"
        zero = {"brl_n": "{0, 0.0, 0}"}.get(kind, "0")
        if kind.startswith("brl_tuple"):
            zero = "{{{0, 0.0, 0}}}"
        self._temps.append(f"{kind} {name} BRL_UNUSED = {zero};")
        return name

    def mark(self) -> tuple[int, int, int, int]:
        """Where the text is now; ``rewind`` takes back what was written since."""
        return len(self.lines), len(self._temps), self._labels, self.indent

    def rewind(self, mark: tuple[int, int, int, int]) -> None:
        lines, temps, self._labels, self.indent = mark
        del self.lines[lines:]
        del self._temps[temps:]

    def label(self) -> int:
        self._labels += 1
        return self._labels

    def describe(self) -> str:
        kinds = ", ".join(type_name(kind) for kind in self.signature)
        return f"{self.source.func.__qualname__}({kinds})"
