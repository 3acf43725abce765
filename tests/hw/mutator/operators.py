"""Mutation operators: what else an expression of a hardware description might have been."""

import ast
import copy
from collections.abc import Iterator

_COMPARED = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE}
_COMPARED |= {ast.GtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In}
_JOINED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
_JOINED |= {ast.BitXor: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift}
# The name by which mutated code finds :func:`narrower`.
NARROWER = "_narrower"


def mutations(node: ast.expr) -> Iterator[ast.expr]:
    """Expressions that take the place of `node`, one change each."""
    for kind, operator in _OPERATORS:
        if isinstance(node, kind):
            yield from operator(node)


def called(node: ast.AST) -> str:
    """The last name of what is called, "" of anything but a call."""
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _replaced(node, **fields):
    other = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _compare(node: ast.Compare):
    other = _COMPARED.get(type(node.ops[0]))
    if other is not None and len(node.ops) == 1:
        yield _replaced(node, ops=[other()])


def _binary(node: ast.BinOp):
    other = _JOINED.get(type(node.op))
    if other is not None:
        yield _replaced(node, op=other())
    if isinstance(node.op, ast.BitAnd | ast.BitOr):
        yield copy.deepcopy(node.left)
        yield copy.deepcopy(node.right)


def _unary(node: ast.UnaryOp):
    if isinstance(node.op, ast.Invert | ast.USub | ast.Not):
        yield copy.deepcopy(node.operand)


def _constant(node: ast.Constant):
    if type(node.value) is bool:
        yield ast.Constant(not node.value)
    elif node.value in (0, 1) and type(node.value) is int:
        yield ast.Constant(1 - node.value)
    if type(node.value) is int and node.value > 0:
        yield ast.Constant(node.value + 1)
    if type(node.value) is int and node.value > 1:
        yield ast.Constant(node.value - 1)


def _choice(node: ast.IfExp):
    yield copy.deepcopy(node.body)
    yield copy.deepcopy(node.orelse)


def _slice(node: ast.Subscript):
    bounds = node.slice
    if isinstance(bounds, ast.Slice) and bounds.lower is not None and bounds.upper is not None:
        moved = [ast.BinOp(bound, ast.Add(), ast.Constant(1)) for bound in (bounds.lower, bounds.upper)]
        yield _replaced(node, slice=ast.Slice(*copy.deepcopy(moved)))


def _call(node: ast.Call):
    name = called(node)
    first, *others = node.args or [None]
    if name == "Mux":
        yield _replaced(node, args=[first, *reversed(others)])
    elif name == "eq":
        yield ast.List([], ast.Load())
    elif name in ("If", "Elif") and first is not None:
        yield _replaced(node, args=[ast.Compare(copy.deepcopy(first), [ast.Eq()], [ast.Constant(0)])])
    elif name == "Cat" and len(node.args) > 1 and not any(isinstance(a, ast.Starred) for a in node.args):
        yield _replaced(node, args=[*node.args[1:], first])
    elif name == "Signal" and not node.args and not node.keywords:
        yield _replaced(node, keywords=[ast.keyword("init", ast.Constant(1))])
    elif name == "connect":
        yield ast.List([], ast.Load())
    if is_signal(node) and node.args:
        yield ast.Call(ast.Name(NARROWER, ast.Load()), [copy.deepcopy(node)], [])


def is_signal(node: ast.AST) -> bool:
    """Whether `node` makes a signal."""
    if called(node) == "like":
        return isinstance(node.func.value, ast.Name) and node.func.value.id == "Signal"
    return called(node) == "Signal"


def narrower(signal):
    """A signal like `signal`, a bit less wide where that is possible."""
    # As late as this, so that whoever only lists mutants loads no Amaranth.
    from amaranth import Const, Shape, Signal

    if type(signal) is not Signal or len(signal) < 2 or not isinstance(signal.shape(), Shape):
        return signal
    shape = Shape(len(signal) - 1, signal.shape().signed)
    init = Const(signal.init, shape).value
    return Signal(shape, name=signal.name, init=init, reset_less=signal.reset_less)


_OPERATORS = (
    (ast.Compare, _compare),
    (ast.BinOp, _binary),
    (ast.UnaryOp, _unary),
    (ast.Constant, _constant),
    (ast.IfExp, _choice),
    (ast.Subscript, _slice),
    (ast.Call, _call),
)
