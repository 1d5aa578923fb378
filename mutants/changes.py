"""The changes: each is what a tired hand might write, or what an attacker would like to be written.

Changed are comparisons, conditions, constants, arithmetic, what is returned, and statements that
raise or call. Left alone: what people or logs are told (messages, docstrings), annotations and
decorators, none of which decides anything.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        line: where.
        scope: qualified name of the function around it, "" for the module itself.
        what: before and after, as they would be written.
        path: how to find the node in the tree: fields and places.
        after: the node that takes its place.
    """

    line: int
    scope: str
    what: str
    path: tuple[tuple[str, int | None], ...]
    after: ast.AST

    def tree(self, module: ast.Module) -> ast.Module:
        """Return the module with this change."""
        changed = copy.deepcopy(module)
        node: ast.AST = changed
        for name, place in self.path[:-1]:
            node = getattr(node, name) if place is None else getattr(node, name)[place]
        name, place = self.path[-1]
        if place is None:
            setattr(node, name, copy.deepcopy(self.after))
        else:
            getattr(node, name)[place] = copy.deepcopy(self.after)
        return ast.fix_missing_locations(changed)


def mutants(source: str) -> list[Mutant]:
    """Return every change of a module, in the order of the lines."""
    found = [
        Mutant(
            getattr(node, "lineno", 0), scope, f"{_told(node)} → {_told(after)}", path, ast.copy_location(after, node)
        )
        for node, scope, path in _walk(ast.parse(source), "", ())
        for after in _changes(node)
    ]
    return sorted(found, key=lambda mutant: mutant.line)


Path = tuple[tuple[str, int | None], ...]

_UNCHANGED: Final = frozenset({"annotation", "returns", "decorator_list", "type_params", "bases"})


def _walk(node: ast.AST, scope: str, path: Path) -> Iterator[tuple[ast.AST, str, Path]]:
    if path:
        yield node, scope, path
    around = scope
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        within = f"{scope}.{node.name}" if scope else node.name
        scope = within + ".<locals>" if not isinstance(node, ast.ClassDef) else within
    for name, value in ast.iter_fields(node):
        if name in _UNCHANGED or _is_told(node, name):
            continue
        for place, each in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(each, ast.AST) and not _is_prose(each):
                # Defaults are made where the function is, once.
                yield from _walk(each, around if name == "args" else scope, (*path, (name, place)))


def _is_told(node: ast.AST, name: str) -> bool:
    """Messages of errors and logs, and names of slots, decide nothing."""
    if isinstance(node, ast.Raise):
        return True
    if isinstance(node, ast.Assign) and name == "value":
        return any(isinstance(target, ast.Name) and target.id in ("__slots__", "__all__") for target in node.targets)
    return False


def _is_prose(node: ast.AST) -> bool:
    """Docstrings, log lines; `begin` says which step `saml inspect` is at, and tests/cli/test_saml.py reads them."""
    if isinstance(node, ast.Expr):
        if isinstance(node.value, ast.Constant):
            return True
        call = node.value
        told = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
        return told == "begin" or told.startswith(("_log.", "log.", "logging."))
    if isinstance(node, ast.Assign):
        return ast.unparse(node).startswith("_log = ")
    return (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING") or isinstance(node, ast.JoinedStr)


def _told(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else text[:89] + "…"


_OPPOSITES: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}

_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in the place of a node."""
    match node:
        case ast.Compare(left, operators, comparators):
            for place, operator in enumerate(operators):
                for other in _OPPOSITES[type(operator)]:
                    yield ast.Compare(left, [*operators[:place], other(), *operators[place + 1 :]], comparators)
        case ast.BoolOp(operator, values):
            for place in range(len(values)):
                others = [*values[:place], *values[place + 1 :]]
                yield others[0] if len(others) == 1 else ast.BoolOp(operator, others)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.If(test, body, orelse) if _is_plain(test):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.IfExp(test, body, orelse) if _is_plain(test):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.BinOp(left, operator, right) if type(operator) in _ARITHMETIC and not _holds_text(node):
            yield ast.BinOp(left, _ARITHMETIC[type(operator)](), right)
        case ast.AugAssign(target, operator, value) if type(operator) in _ARITHMETIC:
            yield ast.AugAssign(target, _ARITHMETIC[type(operator)](), value)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(str() as value) if " " not in value and "\u00a0" not in value:
            # What holds a space is told to somebody.
            yield ast.Constant(value + "x")
        case ast.Constant(bytes() as value):
            yield ast.Constant(value + b"x")
        case ast.Return(ast.AST() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.Raise() | ast.Expr(ast.Call()):
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case _:
            return


def _is_plain(test: ast.AST) -> bool:
    """Whether nothing inside a condition is changed by itself already."""
    return not isinstance(test, ast.Compare | ast.BoolOp) and not (
        isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    )


def _holds_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str | bytes))
        for side in (node.left, node.right)
    )
