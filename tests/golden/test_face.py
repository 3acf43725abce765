"""The face of the golden model: every name resolves when it is asked for, and nothing loads before."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import dorefa.golden as golden

FACE = Path(__file__).parents[2] / "golden" / "__init__.py"


@pytest.mark.parametrize("name", golden.__all__)
def test_every_name_resolves_and_is_listed(name):
    value = getattr(golden, name)
    assert name in dir(golden)
    assert value.__name__ == name and value.__module__.startswith("dorefa.golden.")
    assert getattr(import_module(value.__module__), name) is value


def test_the_table_the_list_and_what_type_checkers_see_agree():
    tree = ast.parse(FACE.read_text())
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {name.name: node.module for node in checked.body for name in node.names}
    (table,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "_MODULES"
    ]
    assert table == seen
    assert sorted(table) == golden.__all__


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match=r"module 'dorefa\.golden' has no attribute 'Nothing'"):
        golden.Nothing  # noqa: B018
    with pytest.raises(ImportError, match="Nothing"):
        from dorefa.golden import Nothing  # noqa: F401


@pytest.mark.parametrize("module", ["dorefa.golden", "dorefa.golden.errors"])
def test_importing_it_loads_no_numpy(module):
    code = (
        f"import sys, {module}; print([name for name in sys.modules if name.partition('.')[0] == 'numpy' "
        "or name.startswith('dorefa.golden.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) == [module] * (module != "dorefa.golden")
