# amaranth: UnusedElaboratable=no
"""Results one by one, by induction: the rules of the stream; every sum of a group leaves once, in order."""

import pytest
from amaranth import Array, Mux, Signal, signed

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.results import Results

from ....mutants import mutant
from ....proofs import Bench, Refuted, inner, prove
from ...stream_rules import stream_rules

# Sums only pass through, whatever their width; three lanes have a first, a last and one between.
SMALL = EngineConfig(lanes=8, rows=3, quant=3, fetch_bits=8, acc_bits=4)


def groups(config, of=Results):
    """`left`, what has not left of the group that was taken; `sums`, what it is."""
    dut = of(config)
    seen, bench = inner(dut), Bench(dut=dut)
    m, o, lanes = bench.m, dut.o.payload, config.total_quant
    takes, leaves = Signal(), Signal()
    at, count, ends = Signal(range(lanes)), Signal(range(lanes + 1)), Signal()
    busy, taken = Signal(), Signal()
    sums = [Signal(signed(config.acc_bits + 1), name=f"sum_{lane}") for lane in range(lanes)]
    m.d.comb += [takes.eq(dut.valid & dut.ready), leaves.eq(dut.o.valid & dut.o.ready)]
    m.d.sync += taken.eq(takes)
    with m.If(takes):
        m.d.sync += [at.eq(0), count.eq(dut.group.count), ends.eq(dut.group.ends_layer), busy.eq(1)]
        m.d.sync += [total.eq(value) for total, value in zip(sums, dut.values, strict=True)]
    with m.If(taken & int(config.xnor)):
        m.d.sync += [total.eq(total + offset) for total, offset in zip(sums, dut.offsets, strict=True)]
    with m.If(leaves):
        m.d.sync += [at.eq(at + 1), busy.eq(at + 1 != count)]
    bench.assume(
        ~dut.valid | ((dut.group.count != 0) & (dut.group.count <= lanes)),
        # The descriptor stays until its pass has ended.
        dut.ready | (dut.ends_image == bench.past(dut.ends_image)),
    )
    stream_rules(bench, dut.o)
    last = at + 1 == count
    bench.always("a sum is of a group", ~dut.o.valid | (busy & ~taken))
    bench.always("sums in order", ~dut.o.valid | (o.data == Array(sums)[at]))
    bench.always("last", ~dut.o.valid | (o.last == (dut.ends_image & ends & last)))
    bench.always("done", dut.done == (leaves & ends & last))
    bench.always("the next group behind the last sum", dut.ready == ~busy)
    bench.always("no wait", ~busy | taken | dut.o.valid)
    bench.cover("all lanes", leaves & last & (count == lanes) & dut.done)
    bench.cover("a second group", takes & bench.past(bench.past(leaves) & ~busy))
    # For the induction: whose turn it is, and what is kept of the group.
    kept = [bench.net(f"dut.value_{lane}", config.acc_bits).as_signed() for lane in range(lanes)]
    bench.lemma("taken", seen.taken == taken)
    bench.lemma("sending", ~seen.sending | (busy & (at < count)))
    bench.lemma("turn", seen.turn == Mux(taken, 1, Mux(busy & ~last, 1 << (at + 1), 0)))
    bench.lemma("current", ~seen.sending | (seen.current == 1 << at))
    bench.lemma("ends", ~seen.sending | (seen.ends == (ends & last)))
    bench.lemma("group", ~busy | ((seen.group.count == count) & (seen.group.ends_layer == ends)))
    for lane in range(lanes):
        if lane == 0 or not config.xnor:
            bench.lemma(f"kept {lane}", ~(taken if lane == 0 else busy) | (kept[lane] == sums[lane]))
        else:
            lacks = bench.net(f"dut.offset_{lane}", config.acc_bits).as_signed()
            bench.lemma(f"kept {lane}", ~busy | (kept[lane] + Mux(taken, 0, lacks) == sums[lane]))
    return bench


@pytest.mark.parametrize("changes", [{}, {"encoding": "unsigned"}])
def test_every_sum_leaves_once_in_order(changes, tmp_path):
    prove(groups(SMALL.replace(**changes)), tmp_path, depth=2)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("moves.eq(~sending | self.o.ready)", "moves.eq(1)", "o: |done, turn"),
        ("shows = Mux(moves, turn, current)", "shows = turn", "payload is stable"),
        ("self.ready.eq(~next_taken & ~next_sending)", "self.ready.eq(~next_taken)", "the next group"),
        ("later.eq(turn & follows)", "later.eq(turn)", "a sum is of a group"),
        ("early=True)\n        m.d.comb", "early=False)\n        m.d.comb", "sums in order"),
        ("self.ends_image & ends)", "ends)", "last"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(groups(SMALL, mutant(Results, place, planted)), tmp_path, depth=2)
