"""Public functions, classes and methods of all rooms have annotations and docstrings."""

import ast
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = runpy.run_path(str(ROOT / "docs" / "rooms.py"))["MODULES"]
TREES = {module: ast.parse(path.read_text()) for module, path in MODULES.items()}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def methods(tree):
    """(class, method) of the classes of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from ((node, part) for part in node.body if isinstance(part, FUNCTIONS))


def base_names(node):
    """Names of a class's bases, without what they stand in."""
    return [ast.unparse(base).rpartition(".")[2] for base in node.bases]


# Methods that say what they do, by the name of their class. Amaranth says what `elaborate` does.
DOCUMENTED = {
    (node.name, part.name)
    for tree in TREES.values()
    for node, part in methods(tree)
    if ast.get_docstring(part)
}
BASES = {
    node.name: base_names(node)
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.ClassDef)
}
FOREIGN = {"elaborate"}


def inherited(name, method):
    """Whether a class that `name` comes from says what the method does."""
    return any((base, method) in DOCUMENTED or inherited(base, method) for base in BASES.get(name, ()))


def lacks_annotations(function, bound):
    """Parameters and result of a function that have no annotation; `bound`: the first one is the object."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args][bound:] + arguments.kwonlyargs
    named += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
    found = [parameter.arg for parameter in named if parameter.annotation is None]
    return found + ([] if function.returns or function.name == "__init__" else ["its result"])


def is_overload(function):
    """Whether it stands in front of the implementation, which says what all of them do."""
    return any(ast.unparse(decorator) == "overload" for decorator in function.decorator_list)


def faults(tree):
    """One line per public name of a module that lacks something."""
    for node in tree.body:
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not is_overload(node):
            yield f"{node.name}: no docstring"
        if isinstance(node, FUNCTIONS):
            yield from (f"{node.name}: {what} has no annotation" for what in lacks_annotations(node, 0))
    for owner, part in methods(tree):
        if owner.name.startswith("_") or (part.name.startswith("_") and part.name != "__init__"):
            continue
        name = f"{owner.name}.{part.name}"
        overload = is_overload(part)
        known = part.name in FOREIGN or part.name == "__init__" or inherited(owner.name, part.name)
        if not ast.get_docstring(part) and not known and not overload:
            yield f"{name}: no docstring"
        static = any(ast.unparse(decorator) == "staticmethod" for decorator in part.decorator_list)
        if not inherited(owner.name, part.name) and not overload:
            yield from (f"{name}: {what} has no annotation" for what in lacks_annotations(part, not static))


@pytest.mark.parametrize("module", MODULES)
def test_public_names_say_what_they_take_and_do(module):
    assert list(faults(TREES[module])) == []


def test_planted_faults_are_found():
    planted = """
def f(x, *, y: int): ...
class A:
    def __init__(self, z): ...
    def g(self) -> None: ...
    def elaborate(self, platform): ...
    @overload
    def h(self, x: int) -> int: ...
    def h(self, x: int | str) -> int | str: ...
def _private(x): ...
"""
    assert list(faults(ast.parse(planted))) == [
        "f: no docstring",
        "f: x has no annotation",
        "f: its result has no annotation",
        "A: no docstring",
        "A.__init__: z has no annotation",
        "A.g: no docstring",
        "A.elaborate: platform has no annotation",
        "A.elaborate: its result has no annotation",
        "A.h: no docstring",
    ]
