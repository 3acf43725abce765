"""dorefa.sim.backends and model: choice of the simulator, and what each says when it is missing."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.files import cache_directory
from dorefa.sim import backends
from dorefa.sim.verilator import build as model


def missing(message):
    def check():
        raise InputError(message)

    return check


def test_auto_takes_the_first_that_works_and_says_why(monkeypatch):
    monkeypatch.setitem(backends._CHECKS, "verilator", missing("no compiler"))
    monkeypatch.setitem(backends._CHECKS, "icarus", lambda: None)
    assert backends.choose("auto") == ("icarus", "not verilator: no compiler")
    monkeypatch.setitem(backends._CHECKS, "icarus", missing("no icarus"))
    name, why = backends.choose("auto")
    assert name == "amaranth"
    assert why == "not verilator: no compiler; not icarus: no icarus"
    monkeypatch.setitem(backends._CHECKS, "verilator", lambda: None)
    assert backends.choose("auto")[0] == "verilator"


def test_unknown_simulator():
    with pytest.raises(InputError, match="simulator is 'vcs'; accepted: auto, verilator, icarus"):
        backends.choose("vcs")


def test_missing_icarus(monkeypatch):
    monkeypatch.setattr(backends.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"Icarus Verilog is missing \(iverilog is not on PATH\)"):
        backends.choose("icarus")


def test_missing_compiler(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(model.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"no C\+\+ compiler; accepted: g\+\+ or clang\+\+"):
        model.cxx_command()


def test_compiler_of_the_environment(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -m64")
    with pytest.raises(InputError, match="CXX is 'no-such-compiler -m64', not found"):
        model.cxx_command()
    monkeypatch.setenv("CXX", "env g++")
    assert model.cxx_command() == ["env", "g++"]


def test_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "dorefa"


def test_unusable_cache_is_refused(monkeypatch, tmp_path, small):
    tmp_path.joinpath("dorefa").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match="accepted: a folder for compiled models"):
        model.build(small.verilog, {}, cycles=1)
