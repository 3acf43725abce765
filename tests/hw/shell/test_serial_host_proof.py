# amaranth: UnusedElaboratable=no
"""The serial host, by induction: its bytes wait for the transmitter; a result, and a word that was read, is
its bytes, each once and in order."""

import pytest
from amaranth import Mux, Signal

from dorefa.hw.config.engine import preset
from dorefa.hw.interface.registers import board_registers
from dorefa.hw.shell.board_core import port_shapes
from dorefa.hw.shell.serial_host import SerialHost

from ...mutants import mutant
from ...proofs import Bench, Refuted, inner, prove
from ..stream_rules import sends_by_the_rules, stream_rules

CONFIG = preset("tiny")
WORDS = board_registers((8, 8, 1), classes=3, result_bytes=4)


def answers(of=SerialHost):
    """`owed`: bytes that have not left of the answer that was taken, `rest`: what they are. The host sends no
    command that reads while an answer leaves, as its protocol says."""
    dut = of(WORDS, **port_shapes(CONFIG))
    seen, bench = inner(dut), Bench(dut=dut)
    m, reads = bench.m, seen.answered
    taken, leaves = dut.result.valid & dut.result.ready, dut.o.valid & dut.o.ready
    owed, rest = Signal(range(5)), Signal(32)
    with m.If(leaves):
        m.d.sync += [owed.eq(owed - 1), rest.eq(rest >> 8)]
    with m.If(reads | taken):
        m.d.sync += [owed.eq(4), rest.eq(Mux(reads, seen.answer, dut.result.payload.data))]
    bench.assume(~reads | (owed == 0))
    sends_by_the_rules(bench, dut.result)
    stream_rules(bench, dut.o)
    bench.always("one answer at a time", ~taken | ((owed == 0) & ~reads))
    bench.always("its bytes", dut.o.valid == (owed != 0))
    bench.always("in order", ~dut.o.valid | (dut.o.payload == rest[:8]))
    bench.cover("a second result", taken & bench.past(leaves & (owed == 1)))
    bench.lemma("what is left", (owed == 0) | (seen.rest == rest))
    bench.lemma("count", seen.count == owed)
    return bench


def test_answers_are_bytes(tmp_path):
    prove(answers(), tmp_path, depth=2)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("m.Elif(self.o.valid & self.o.ready)", "m.Elif(self.o.valid)", "o: "),
        ("(count == 0) & ~answered", "count == 0", "one answer at a time"),
        ("rest.eq(rest >> 8)", "rest.eq(rest >> 4)", "in order"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(answers(mutant(SerialHost, place, planted)), tmp_path, depth=2, within=12)
