"""dorefa.sim.backends and model: choice of the simulator, and what each says when it is missing."""

import shutil

import pytest

from dorefa.golden.errors import InputError
from dorefa.sim import backends
from dorefa.sim.job.errors import Unavailable
from dorefa.sim.verilator import build as model


def chosen(simulator):
    """(name, reason) that work is given."""
    return backends.with_simulator(simulator, lambda name, why: (name, why))


def missing(message):
    def check():
        raise Unavailable(message)

    return check


def test_auto_takes_the_first_that_works_and_says_why(monkeypatch):
    monkeypatch.setitem(backends._CHECKS, "verilator", missing("no compiler"))
    monkeypatch.setitem(backends._CHECKS, "icarus", lambda: None)
    assert chosen("auto") == ("icarus", "not verilator: no compiler")
    assert chosen("icarus") == ("icarus", "asked for")
    monkeypatch.setitem(backends._CHECKS, "icarus", missing("no icarus"))
    name, why = chosen("auto")
    assert name == "amaranth"
    assert why == "not verilator: no compiler; not icarus: no icarus"
    monkeypatch.setitem(backends._CHECKS, "verilator", lambda: None)
    assert chosen("auto") == ("verilator", "the fastest, and it is installed")


def test_what_cannot_be_built_is_passed_over_unless_asked_for(monkeypatch, small):
    """A compiler that tells its version and compiles nothing."""
    monkeypatch.setenv("CXX", "g++ -fno-such-option")
    failed = r"probe|fno-such-option"

    def work(name, why):
        if name == "verilator":
            model.build("module nothing; endmodule", {}, cycles=1)
        return name, why

    name, why = backends.with_simulator("auto", work)
    assert name != "verilator" and why.startswith("not verilator: ") and "-fno-such-option" in why
    with pytest.raises(Unavailable, match=failed):
        backends.with_simulator("verilator", work)


def test_unknown_simulator():
    with pytest.raises(InputError, match="simulator is 'vcs'; accepted: auto, verilator, icarus"):
        chosen("vcs")


def test_missing_icarus(monkeypatch):
    monkeypatch.setattr(backends.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"Icarus Verilog is missing \(iverilog is not on PATH\)"):
        chosen("icarus")


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
    monkeypatch.setenv("CXX", "g++ 'open")
    with pytest.raises(InputError, match=r"CXX is \"g\+\+ 'open\": No closing quotation; accepted: a C"):
        model.cxx_command()
    monkeypatch.setenv("CXX", "env g++")
    assert model.cxx_command() == [shutil.which("env"), "g++"]


def test_compiler_in_a_folder_with_spaces(monkeypatch, tmp_path):
    compiler = tmp_path / "my compiler" / "g++"
    compiler.parent.mkdir()
    compiler.symlink_to(shutil.which("true"))
    monkeypatch.setenv("CXX", str(compiler))
    assert model.cxx_command() == [str(compiler)]


@pytest.mark.parametrize("compiler", ["false", "true"])
def test_a_compiler_that_does_not_work_is_named(monkeypatch, compiler):
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(Unavailable, match=f"{compiler}.*; accepted: a"):
        model.build("module nothing; endmodule", {}, cycles=1)


def test_unusable_cache_is_refused(monkeypatch, tmp_path, small):
    tmp_path.joinpath("dorefa").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match="File exists|Not a directory.*; accepted: XDG_CACHE_HOME naming"):
        model.build(small.verilog, {}, cycles=1)
