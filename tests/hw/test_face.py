"""The face dorefa.hw: its names are there, and load only what they need."""

import subprocess
import sys

import pytest

import dorefa
import dorefa.hw


def test_every_name_resolves_and_is_listed():
    for name in dorefa.hw.__all__:
        assert getattr(dorefa.hw, name) is not None
    assert set(dorefa.hw.__all__) <= set(dir(dorefa.hw))
    assert sorted(dorefa.hw.__all__) == sorted(dorefa.hw._MODULES)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Motor'"):
        dorefa.hw.Motor  # noqa: B018


def test_a_configuration_loads_no_amaranth():
    code = (
        "import sys; from dorefa.hw import EngineConfig; EngineConfig(lanes=32); "
        "print([name for name in sys.modules if name.split('.')[0] in ('amaranth', 'numpy')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_version_and_module_of_the_package():
    done = subprocess.run([sys.executable, "-m", "dorefa", "--version"], capture_output=True, text=True)
    assert done.stdout == f"dorefa {dorefa.__version__}\n"
