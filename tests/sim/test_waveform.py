"""`simulate(trace=...)`: a VCD file in which what happened at the ports can be read."""

import numpy as np
import pytest
from vcd.reader import TokenKind, tokenize

from dorefa.golden.errors import InputError
from dorefa.golden.run.integer import run_integer
from dorefa.sim import simulate
from dorefa.sim.job.errors import SimulationError


def run(case, path, simulator="verilator", **options):
    given = {"images": case.images[:2], "config": case.config, "simulator": simulator}
    return simulate(case.network, trace=path, **given, **options)


def read(path):
    """(paths of all variables, {port: [values when the clock rises]}) of what Verilator wrote."""
    names, values, changed, edges, scopes = {}, {}, {}, [], []
    with path.open("rb") as file:
        for token in tokenize(file):
            if token.kind is TokenKind.SCOPE:
                scopes.append(token.scope.ident)
            elif token.kind is TokenKind.UPSCOPE:
                scopes.pop()
            elif token.kind is TokenKind.VAR:
                names[".".join([*scopes, token.var.reference])] = token.var.id_code
            elif token.kind is TokenKind.CHANGE_TIME:
                values |= changed
                changed = {}
            elif token.kind in (TokenKind.CHANGE_SCALAR, TokenKind.CHANGE_VECTOR):
                change = token.data
                changed[change.id_code] = int(change.value)
                if change.id_code == names["TOP.clk"] and changed[change.id_code]:
                    edges.append(dict(values))
    ports = [name for name in names if name.startswith("TOP.") and name.count(".") == 1]
    return names, {port.removeprefix("TOP."): [edge.get(names[port], 0) for edge in edges] for port in ports}


def test_results_can_be_read_in_it(small, tmp_path):
    path = tmp_path / "t.vcd"
    report = run(small, path, stalls=20)
    assert report.bit_exact and report.images == 2
    paths, ports = read(path)
    taken = np.array(ports["m_axis_tvalid"], bool) & np.array(ports["m_axis_tready"], bool)
    last = small.network.layers[-1].name
    expected = run_integer(small.network, small.images[:2])[last].ravel() & 0xFFFFFFFF
    assert np.array(ports["m_axis_tdata"])[taken].tolist() == expected.tolist()
    sent = np.array(ports["s_axis_tvalid"], bool) & np.array(ports["s_axis_tready"], bool)
    assert sent.sum() == 2 * -(-small.images[0].size // small.config.port_bytes)
    # A name for every instance, as in the Verilog.
    assert any(name.startswith("TOP.dorefa_engine.core.slice0.array.") for name in paths)


def test_of_what_does_not_finish(small, tmp_path):
    """This is when one is wanted the most."""
    connected, port = ".i__ready(s_axis_tready)", "  assign m_axis_tkeep"
    assert small.verilog.count(connected) == small.verilog.count(port) == 1
    deaf = small.verilog.replace(connected, ".i__ready()")
    deaf = deaf.replace(port, "  assign s_axis_tready = 1'h0;\n" + port)
    path = tmp_path / "t.vcd"
    with pytest.raises(SimulationError, match="no result after"):
        run(small, path, verilog_text=deaf)
    _, ports = read(path)
    assert len(ports["rst"]) > small.compiled.cycles
    assert any(ports["s_axis_tvalid"]) and not any(ports["m_axis_tvalid"])


def test_in_amaranth(small, tmp_path):
    path = tmp_path / "t.vcd"
    assert run(small, path, "amaranth", limit=1).bit_exact
    text = path.read_text()
    assert "$enddefinitions" in text and " o__valid $end" in text and "\n#" in text


def test_none_in_icarus(small, tmp_path, monkeypatch):
    from dorefa.sim import backends

    monkeypatch.setitem(backends._CHECKS, "icarus", lambda: None)
    with pytest.raises(InputError, match="icarus writes no waveform; accepted with one: verilator, amaranth"):
        run(small, tmp_path / "t.vcd", "icarus")
    assert not (tmp_path / "t.vcd").exists()
