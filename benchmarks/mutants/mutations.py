"""The small changes that are made to a file, one at a time.

Changed are decisions and what follows from them: comparisons, both ways of every condition, each part of an
`and` and `or`, arithmetic, numbers, words that the code compares, results, keyword arguments, and statements,
which are left out. Not changed are texts for people (sentences, what stands around the values of an f-string,
`__repr__`), annotations, decorators, imports and what only a type checker reads.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_AROUND = 50
_WORD = re.compile(r"\w+")
_TYPING = frozenset({"TypeVar", "cast", "Literal", "Generic"})
_TYPES = frozenset({"annotation", "returns", "decorator_list", "bases", "keywords"})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LEFT_OUT = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete, ast.Raise, ast.Expr, ast.Break, ast.Continue)

Way = Callable[[ast.AST, "NodePosition"], Iterator[ast.AST]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. `was`, `now`: the statement's first line before and after, cut short; `number`: among equal ones."""

    where: str
    was: str
    now: str
    number: int
    line: int
    place: NodePosition
    old: ast.AST
    new: ast.AST

    def tried(self, trial: Callable[[], str]) -> str:
        """The trial's verdict while the tree holds this change."""
        self.place.put(self.new)
        try:
            return trial()
        finally:
            self.place.put(self.old)

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.where, self.was, self.now, self.number

    def __str__(self) -> str:
        again = f"  (number {self.number})" if self.number > 1 else ""
        return f"{self.line}: {self.where}{again}\n    was: {self.was}\n    now: {self.now}"


@dataclass(frozen=True, slots=True)
class NodePosition:
    """Where a node hangs: a field of its parent, or an element of a list there."""

    parent: ast.AST
    name: str
    index: int | None
    statement: ast.stmt
    scope: tuple[str, ...]
    in_function: bool

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.name, node)
        else:
            getattr(self.parent, self.name)[self.index] = node


def mutants(tree: ast.Module) -> Iterator[Mutant]:
    """Every change of the file, each at its place in the tree, which is as it was afterwards."""
    seen: dict[tuple[str, str, str], int] = {}
    for node, place in list(_places(tree)):
        was = _head(place.statement)
        for new in _changes(node, place):
            place.put(new)
            now = _head(new if isinstance(new, ast.stmt) else place.statement)
            place.put(node)
            key = (".".join(place.scope), *_shortened(was, now))
            seen[key] = seen.get(key, 0) + 1
            line = getattr(node, "lineno", place.statement.lineno)
            yield Mutant(*key, seen[key], line, place, node, new)


def _places(tree: ast.Module) -> Iterator[tuple[ast.AST, NodePosition]]:
    yield from _below(tree, tree.body[0], (), False)


def _below(
    parent: ast.AST, statement: ast.stmt, scope: tuple[str, ...], inside: bool
) -> Iterator[tuple[ast.AST, NodePosition]]:
    for name, value in ast.iter_fields(parent):
        if name in _TYPES and not isinstance(parent, ast.Call):
            continue
        nodes = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, node in nodes:
            if not isinstance(node, ast.AST) or _unread(node, inside):
                continue
            here = node if isinstance(node, ast.stmt) else statement
            yield node, NodePosition(parent, name, index, here, scope, inside)
            deeper = isinstance(node, _SCOPES)
            at = (*scope, node.name) if deeper else scope  # type: ignore[attr-defined]
            yield from _below(node, here, at, inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _unread(node: ast.AST, inside: bool) -> bool:
    """Texts for people, and what only a type checker reads."""
    if isinstance(node, ast.Import | ast.ImportFrom) or (isinstance(node, ast.FunctionDef) and node.name == "__repr__"):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Assign) and not inside:
        name = ast.unparse(node.targets[0])
        alias = name.isalpha() and isinstance(node.value, ast.Subscript | ast.BinOp)
        return alias or name in ("__slots__", "__all__")
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TYPING


def _changes(node: ast.AST, place: NodePosition) -> Iterator[ast.AST]:
    for kind, way in _WAYS:
        if isinstance(node, kind):
            for new in way(node, place):
                yield ast.fix_missing_locations(ast.copy_location(new, node) if hasattr(node, "lineno") else new)


def _head(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Pass):
        return "(left out)"
    lines = ast.unparse(statement).splitlines()
    return next((line for line in lines if not line.startswith("@")), lines[0])


def _shortened(was: str, now: str) -> tuple[str, str]:
    """Both without what is far from the difference."""
    same = _same(was, now)
    start = max(0, same - _AROUND)
    after = _same(was[same:][::-1], now[same:][::-1])
    cut = max(0, after - _AROUND)
    return _cut(was, start, cut), _cut(now, start, cut)


def _same(one: str, other: str) -> int:
    """How many characters both begin with."""
    shorter = min(len(one), len(other))
    return next((place for place in range(shorter) if one[place] != other[place]), shorter)


def _cut(text: str, start: int, end: int) -> str:
    return ("..." if start else "") + text[start : len(text) - end] + ("..." if end else "")


def _with(node: ast.AST, **changed: object) -> ast.AST:
    return type(node)(**{**dict(ast.iter_fields(node)), **changed})


# -- the ways -------------------------------------------------------------------------------------


def _compare(node: ast.Compare, _: NodePosition) -> Iterator[ast.AST]:
    for place, op in enumerate(node.ops):
        for other in _COMPARE[type(op)]:
            yield _with(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])


def _both_ways(node: ast.If | ast.IfExp | ast.While, _: NodePosition) -> Iterator[ast.AST]:
    if not isinstance(node, ast.While):
        yield _with(node, test=ast.Constant(True))
    yield _with(node, test=ast.Constant(False))


def _parts(node: ast.BoolOp, _: NodePosition) -> Iterator[ast.AST]:
    yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    for index in range(len(node.values)):
        left = [*node.values[:index], *node.values[index + 1 :]]
        yield _with(node, values=left) if len(left) > 1 else left[0]


def _sifted(node: ast.comprehension, _: NodePosition) -> Iterator[ast.AST]:
    if node.ifs:
        yield _with(node, ifs=[])


def _calculated(node: ast.BinOp | ast.AugAssign, _: NodePosition) -> Iterator[ast.AST]:
    other = _ARITHMETIC.get(type(node.op))
    if other is not None:
        yield _with(node, op=other())


def _unary(node: ast.UnaryOp, _: NodePosition) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not | ast.USub):
        yield node.operand


def _constant(node: ast.Constant, place: NodePosition) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 2 if value else 1.0)
    elif isinstance(value, str) and _WORD.fullmatch(value) and not isinstance(place.parent, ast.JoinedStr):
        yield ast.Constant(f"{value}~")


def _called(node: ast.Call, _: NodePosition) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        yield _with(node, func=ast.Name(_CALLS[node.func.id], ast.Load()))
    for index in range(len(node.keywords)):
        yield _with(node, keywords=[*node.keywords[:index], *node.keywords[index + 1 :]])


def _listed(node: ast.Tuple | ast.List, _: NodePosition) -> Iterator[ast.AST]:
    for index, part in enumerate(node.elts):
        if isinstance(part, ast.Starred):
            yield _with(node, elts=[*node.elts[:index], *node.elts[index + 1 :]])


def _result(node: ast.Return, _: NodePosition) -> Iterator[ast.AST]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(ast.Constant(None))


def _left_out(_: ast.AST, place: NodePosition) -> Iterator[ast.AST]:
    if place.in_function:
        yield ast.Pass()


_WAYS: tuple[tuple[type | tuple[type, ...], Way], ...] = (
    (ast.Compare, _compare),
    ((ast.If, ast.IfExp, ast.While), _both_ways),
    (ast.BoolOp, _parts),
    (ast.comprehension, _sifted),
    ((ast.BinOp, ast.AugAssign), _calculated),
    (ast.UnaryOp, _unary),
    (ast.Constant, _constant),
    (ast.Call, _called),
    ((ast.Tuple, ast.List), _listed),
    (ast.Return, _result),
    (_LEFT_OUT, _left_out),
)  # type: ignore[assignment]  # each way is asked only for its own kind
