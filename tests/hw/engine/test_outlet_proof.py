# amaranth: UnusedElaboratable=no
"""The outlet, by induction: its stream keeps the rules whenever it is stopped, beats pass as they are, and
nothing is left open."""

import pytest
from amaranth import Signal
from amaranth.lib import data

from dorefa.hw.engine.outlet import _SETTLED, Outlet

from ...mutants import mutant
from ...proofs import Bench, Refuted, inner, prove
from ..stream_rules import stream_rules

LAYOUT = data.StructLayout({"data": 2, "keep": 2, "last": 1, "error": 1})


def stops(of=Outlet):
    """What makes the beats keeps the rules until it is reset, and does not move any more when it has been for
    `_SETTLED` cycles; whoever stops waits until it is `stopped`."""
    dut = of(LAYOUT)
    seen, bench = inner(dut), Bench(dut=dut)
    m, past, i, o = bench.m, bench.past, dut.i, dut.o
    beats, sent = i.payload.as_value(), o.payload
    transfer, open_, began = o.valid & o.ready, Signal(), Signal()
    with m.If(transfer):
        m.d.sync += open_.eq(~sent.last)
    m.d.sync += began.eq(dut.stop)
    long_reset = dut.reset
    for _ in range(_SETTLED):
        long_reset = dut.reset & past(long_reset)
    bench.assume(
        dut.reset | ~past(i.valid & ~i.ready & ~dut.reset) | i.valid & (beats == past(beats)),
        ~long_reset | (beats == past(beats)),
        ~past(dut.stop & ~dut.stopped) | dut.stop,
        ~dut.answer | dut.stop & ~began,
    )
    stream_rules(bench, o, drops=False)
    passes = (o.valid == i.valid) & (i.ready == o.ready) & ~sent.error
    same = [sent[name] == i.payload[name] for name in ("data", "keep", "last")]
    bench.always("beats pass", dut.reset | passes)
    bench.always("as they are", dut.reset | same[0] & same[1] & same[2])
    bench.always("without a stop nothing is reset", dut.stop | past(dut.stop) | ~dut.reset)
    bench.always("nothing is taken in a reset", ~(dut.reset & i.ready))
    bench.always("an error ends a packet", ~transfer | ~sent.error | sent.last & (sent.keep == 0))
    bench.always("nothing is left open", ~dut.stopped | ~open_)
    bench.always("only what is open ends", ~(dut.reset & o.valid) | seen.open_)
    bench.cover("a packet ends with an error", transfer & sent.error & open_)
    bench.cover("a packet that is an error alone", transfer & sent.error & ~open_)
    bench.lemma("open", ~open_ | seen.open_)
    bench.lemma("in time", (seen.settles <= _SETTLED) & (~seen.settled | past(dut.reset)))
    return bench


def test_rules(tmp_path):
    prove(stops(), tmp_path, depth=4)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("m.Elif(~o.valid | o.ready)", "m.Else()", "o: |nothing is left open"),
        ("_SETTLED = 2", "_SETTLED = 0", "o: payload is stable"),
        ("self.stopped.eq(settled & ~open_)", "self.stopped.eq(settled)", "nothing is left open"),
        ("i.ready.eq(o.ready & ~cut)", "i.ready.eq(o.ready)", "nothing is taken in a reset"),
        ("i.payload.last | cut", "i.payload.last", "an error ends a packet"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(stops(mutant(Outlet, place, planted)), tmp_path, depth=4, within=10)
