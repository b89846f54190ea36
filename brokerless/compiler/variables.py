"""The variables of one C function: where each is held, with its tag and flag, and what types reach each place.

A Python variable has an ``i64`` for bool and int, a ``double`` for float, a tag when its type differs between paths,
and a flag when it may be read before it is set. Only those that are used are declared.
"""

from __future__ import annotations

import ast

from .source import Source
from .types import FLOAT, INT, NUMBER, UNBOUND, Seq, Type, is_single
from .values import SeqVal, Val

Env = dict[str, Type]


class Variables:
    """The part of a ``FunctionEmitter`` that knows its variables."""

    source: Source
    changed: bool

    def __init__(self) -> None:
        self.env: Env | None = {}
        self._tagged: set[str] = set()
        self._flagged: set[str] = set()
        self._used: set[str] = set()

    def write(self, text: str) -> None:
        raise NotImplementedError

    def temp(self, kind: str) -> str:
        raise NotImplementedError

    def env_type(self, name: str) -> Type:
        assert self.env is not None
        return self.env.get(name, UNBOUND)

    def sequence(self, node: ast.expr) -> SeqVal | None:
        if isinstance(node, ast.Name) and self.env is not None:
            kind = self.env.get(node.id)
            if isinstance(kind, Seq):
                return SeqVal(f"v_{self._id(node.id)}", kind)
        return None

    def read(self, name: str, mask: int, check: bool = False) -> Val:
        """The value of a variable whose types here are ``mask``."""
        if is_single(mask):
            text = self._slot(name, mask)
            if check:
                bail = "(double)brl_bail_i(c)" if mask == FLOAT else "brl_bail_i(c)"
                text = f"({self._flag(name)} ? {text} : {bail})"
            return Val(text, mask)
        self._need_tag(name)
        fields = ", ".join((self._tag(name), self._slot(name, INT), self._slot(name, FLOAT)))
        text = f"brl_tagged({fields})"
        return Val(f"({self._flag(name)} ? {text} : brl_ni(brl_bail_i(c)))" if check else text, mask)

    def store(self, name: str, value: Val) -> None:
        assert self.env is not None
        if is_single(value.mask):
            self.write(f"{self._slot(name, value.mask)} = {value.c};")
            if name in self._tagged:
                self.write(f"{self._tag(name)} = {value.mask};")
        else:
            self._need_tag(name)
            temp = self.temp("brl_n")
            self.write(f"{temp} = {value.c};")
            slots = (self._tag(name), "t"), (self._slot(name, INT), "i"), (self._slot(name, FLOAT), "f")
            self.write(" ".join(f"{slot} = {temp}.{part};" for slot, part in slots))
        if name in self._flagged:
            self.write(f"{self._flag(name)} = 1;")
        self.env[name] = value.mask

    def need_flag(self, name: str) -> None:
        if name not in self._flagged:
            self._flagged.add(name)
            self.changed = True

    def _need_tag(self, name: str) -> None:
        if name not in self._tagged:
            self._tagged.add(name)
            self.changed = True

    def _id(self, name: str) -> str:
        # No Python name begins with a digit, so what stands for a non-ASCII name is nobody else's.
        return name if name.isascii() else f"0u{sorted(self.source.locals).index(name)}"

    def _slot(self, name: str, mask: int) -> str:
        slot = f"{'f' if mask == FLOAT else 'v'}_{self._id(name)}"
        self._used.add(slot)
        return slot

    def _tag(self, name: str) -> str:
        slot = f"tag_{self._id(name)}"
        self._used.add(slot)
        return slot

    def _flag(self, name: str) -> str:
        slot = f"set_{self._id(name)}"
        self._used.add(slot)
        return slot

    def join(self, envs: list[Env | None]) -> Env | None:
        """The types after several paths meet; None when no path gets here."""
        live = [env for env in envs if env is not None]
        if not live:
            return None
        if len(live) == 1:
            for name, kind in live[0].items():
                if isinstance(kind, int) and kind & NUMBER and not is_single(kind & NUMBER):
                    self._need_tag(name)
            return dict(live[0])
        joined: Env = {}
        for name in {name for env in live for name in env}:
            kinds = [env.get(name, UNBOUND) for env in live]
            if any(isinstance(kind, Seq) for kind in kinds):
                joined[name] = kinds[0]
                continue
            mask = 0
            for kind in kinds:
                assert isinstance(kind, int)
                mask |= kind
            if not is_single(mask & NUMBER) and mask & NUMBER:
                self._need_tag(name)
            joined[name] = mask
        return joined


def declaration(slot: str) -> str:
    if slot.startswith("f_"):
        return f"double {slot} BRL_UNUSED = 0.0;"
    if slot.startswith(("tag_", "set_")):
        return f"i32 {slot} BRL_UNUSED = 0;"
    return f"i64 {slot} BRL_UNUSED = 0;"
