"""dorefa.sim.verilator.build: what the key of a compiled model names."""

import pytest

from dorefa.golden.cache import Cache
from dorefa.sim.verilator import build


class Stopped(Exception):
    pass


@pytest.fixture
def key_of(monkeypatch):
    """The name under which a model, and of a second call its run-time library, is looked for."""

    def key(what="engine-", **options):
        names = []

        def find(cache, name):
            names.append(name)
            if name.startswith(what):
                raise Stopped

        monkeypatch.setattr(Cache, "find", find)
        with pytest.raises(Stopped):
            build.build("module top; endmodule", {}, cycles=1, **options)
        return names[-1]

    return key


@pytest.mark.parametrize("what", ["engine-", "runtime-"])
def test_other_parts_of_the_library_are_another_model(what, key_of, monkeypatch):
    """One of the cache has no object files of parts that are new."""
    before = key_of(what)
    assert before == key_of(what)
    monkeypatch.setattr(build, "RUNTIME", build.RUNTIME[:-1])
    assert key_of(what) != before


@pytest.mark.parametrize("options", [{"top": "other"}, {"trace": True}, {"ports_only": True}])
def test_other_options_are_another_model(options, key_of):
    assert key_of(**options) != key_of()
