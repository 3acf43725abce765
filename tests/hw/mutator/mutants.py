"""All mutants of a module that describes hardware, by name and in a seeded order."""

import ast
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .operators import called, is_signal, mutations

# The name by which mutated code asks which of two expressions counts.
CHOOSE = "_choose"
_LOOPS = (ast.For, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
# What stands in the name of a mutant: an assignment or a condition, else a whole statement.
_SHOWN = ("eq", "If", "Elif", "Switch", "Case")


@dataclass(frozen=True)
class Mutant:
    """One change of one expression.

    line: in the source; function: where, dotted; name: function and text before and after; second: only
    where the expression is evaluated for the second time in an elaboration, as for lane 1 of several.
    """

    line: int
    function: str
    name: str
    second: bool
    path: tuple
    choice: int


def mutants(source: str, functions: tuple[str, ...] = ()) -> list[Mutant]:
    """Every mutant of a module's `source`, in its order.

    Mutated are `functions`, with "*" all of them, or else what describes the hardware of components:
    `elaborate`, and all that it calls in the module.
    """
    tree = ast.parse(source)
    found, seen = [], Counter()
    wanted = functions or _elaborating(list(_functions(tree)))
    # What is no part of an elaboration has no second time.
    elaborates = not functions or "*" in functions
    for function, name in _functions(tree):
        if name not in wanted and "*" not in wanted:
            continue
        for path, parents in _expressions(function):
            node, loop = parents[-1], any(isinstance(parent, _LOOPS) for parent in parents[1:-1])
            for choice, mutated in enumerate(mutations(node)):
                # On one bit the same as 0.
                if called(parents[-2]) == "eq" and isinstance(mutated, ast.Constant) and mutated.value == 2:
                    continue
                text = _text(path, parents, mutated)
                for second in (False, True) if loop and elaborates else (False,):
                    full = f"{name}: {text}" + (", second time only" if second else "")
                    seen[full] += 1
                    full += f" #{seen[full]}" if seen[full] > 1 else ""
                    found.append(Mutant(node.lineno, name, full, second, path, choice))
    return found


def drawn(source: str, functions: tuple[str, ...], seed: int) -> list[Mutant]:
    """:func:`mutants` in an order that depends on `seed`."""
    found = mutants(source, functions)
    random.Random(seed).shuffle(found)
    return found


def mutated_code(source: str, file: Path, mutant: Mutant):
    """The module's code, in which the expression of `mutant` asks :data:`CHOOSE` for one of the two."""
    tree = ast.parse(source)
    function = next(node for node, name in _functions(tree) if name == mutant.function)
    *way, (field, index) = mutant.path
    parent = function
    for step in way:
        parent = _child(parent, *step)
    node = _child(parent, field, index)
    other = list(mutations(node))[mutant.choice]
    ways = [ast.Lambda(ast.arguments([], [], None, [], [], None, []), body) for body in (node, other)]
    chosen = ast.Call(ast.Name(CHOOSE, ast.Load()), ways, [])
    ast.copy_location(chosen, node)
    _put(parent, field, index, chosen)
    return compile(ast.fix_missing_locations(tree), str(file), "exec")


def _elaborating(functions: list[tuple[ast.FunctionDef, str]]) -> set[str]:
    """Names of the functions that `elaborate` reaches: methods by their last names, which are attributes
    where they are used, others and classes by their own."""
    wanted = {name for _, name in functions if name.endswith(".elaborate")}
    while True:
        attributes, names = set(), set()
        for function, name in functions:
            if name in wanted:
                attributes |= {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
                names |= {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        more = set()
        for _, name in functions:
            first, _, last = name.partition(".")
            if last in attributes if last and last != "__init__" else first in names:
                more.add(name)
        if more <= wanted:
            return wanted
        wanted |= more


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Functions that may describe hardware, with their dotted names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node, node.name
        elif isinstance(node, ast.ClassDef):
            own = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            component = any(item.name == "elaborate" for item in own)
            for item in own:
                if not (component and item.name == "__init__"):
                    yield item, f"{node.name}.{item.name}"


def _child(node, field, index):
    value = getattr(node, field)
    return value if index is None else value[index]


def _put(node, field, index, child):
    if index is None:
        setattr(node, field, child)
    else:
        getattr(node, field)[index] = child


def _expressions(function) -> Iterator[tuple[tuple, list[ast.AST]]]:
    """(path, nodes from the function down) of each expression that may be mutated."""
    stack = [((("body", n),), [function, item]) for n, item in reversed(list(enumerate(function.body)))]
    while stack:
        path, nodes = stack.pop()
        node = nodes[-1]
        if isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            yield path, nodes
        stack += [((*path, step), [*nodes, child]) for step, child in reversed(list(_children(node)))]


def _children(node):
    """((field, index), child) of what is below a node and is part of the hardware."""
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr):
        return
    for field, value in ast.iter_fields(node):
        # Annotations are no expressions of hardware, and widths of signals are narrowed as a whole.
        if field in ("annotation", "returns", "decorator_list", "defaults", "kw_defaults"):
            continue
        if field in ("args", "func") and is_signal(node):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.keyword) and child.arg != "init":
                continue
            if isinstance(child, ast.AST) and not isinstance(child, ast.expr_context | ast.operator):
                yield (field, index), child


def _text(path: tuple, nodes: list[ast.AST], mutated: ast.expr) -> str:
    """What was and what is, as source: the assignment, condition or statement around the change."""
    if called(nodes[-1]) in ("eq", "connect") and isinstance(mutated, ast.List):
        return f"{ast.unparse(nodes[-1])} dropped"
    around = next((node for node in reversed(nodes[:-1]) if _is_shown(node)), nodes[-2])
    before = ast.unparse(around)
    _put(nodes[-2], *path[-1], mutated)
    after = ast.unparse(around)
    _put(nodes[-2], *path[-1], nodes[-1])
    return " ".join(f"{before} -> {after}".split())


def _is_shown(node):
    return called(node) in _SHOWN or isinstance(node, ast.Assign | ast.AugAssign | ast.Return | ast.Expr)
