# amaranth: UnusedElaboratable=no
"""The run generator, by induction: runs wait as streams have to, whatever the descriptor says; every move of
the loop counters is a run, once and in order."""

import pytest
from amaranth import Cat, Mux, Signal, Value

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.reader.run_generator import RunGenerator

from ....mutants import mutant
from ....proofs import Bench, Refuted, inner, prove
from ...stream_rules import stream_rules

# The way of a move is the same whatever the loops count: the shortest maps that a configuration has.
SMALL = EngineConfig(lanes=8, rows=1, quant=1, fetch_bits=8, feature_depth=16, image_depth=2, a_bits=2)


def runs(changes, of=RunGenerator):
    """A pass begins while no run is left, with a descriptor that stays. One move, whichever, is followed by
    what ends with it."""
    config = SMALL.replace(**changes)
    dut = of(config)
    seen, bench = inner(dut), Bench(dut=dut)
    m, layer, run = bench.m, Value.cast(dut.layer), dut.o.payload
    moves, leaves, ends = Signal(), Signal(), Cat(run.ends_part, run.ends_patch, run.ends_set)
    m.d.comb += [moves.eq(seen.active & ~seen.waits), leaves.eq(dut.o.valid & dut.o.ready)]
    on_way, ahead, follows, kept = Signal(3), Signal(3), Signal(), Signal(3)
    m.d.sync += on_way.eq(on_way + moves - leaves)
    with m.If(leaves):
        m.d.sync += ahead.eq(ahead - 1)
        with m.If(ahead == 0):
            m.d.sync += follows.eq(0)
    with m.If(moves & ~follows & bench.free("chosen", 1)):
        m.d.sync += [follows.eq(1), kept.eq(seen.counted.ends), ahead.eq(on_way - leaves)]
    with m.If(dut.start):
        m.d.sync += [on_way.eq(0), follows.eq(0)]
    # A pass ends when its last run has left; there is one, two cycles behind its start.
    left = seen.active | seen.begins | (on_way != 0)
    bench.assume(~dut.start | ~left, dut.start | (layer == bench.past(layer)))
    stream_rules(bench, dut.o)
    bench.always("a run is a move", ~dut.o.valid | (on_way != 0))
    bench.always("a run in the cycle after next", ~bench.past((on_way != 0) & ~dut.o.valid) | dut.o.valid)
    bench.always("in order", ~(follows & leaves & (ahead == 0)) | (ends == kept))
    bench.cover("three on their way", on_way == 3)
    bench.cover(
        "an end behind others", follows & leaves & (ahead == 0) & (kept == 7) & bench.past(ahead == 1)
    )
    stages = dut.o.valid + seen.valid + seen.waits
    bench.lemma("on their way", on_way == stages)
    bench.lemma("ahead", ~follows | (ahead < on_way))
    before = ahead - dut.o.valid
    shown = Mux(seen.valid & (before == 0), seen.step_ends, seen.waiting.ends)
    bench.lemma("kept", ~follows | (Mux(dut.o.valid & (ahead == 0), ends, shown) == kept))
    return bench


@pytest.mark.parametrize(
    "changes",
    [
        {},
        *(
            pytest.param({"cols": 2, "column_reads": reads}, marks=pytest.mark.slow)
            for reads in ("separate", "shared")
        ),
    ],
)
def test_every_move_is_a_run(changes, tmp_path):
    prove(runs(changes), tmp_path, depth=3)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("taken.eq(~self.o.valid | self.o.ready)", "taken.eq(1)", "o: "),
        ("m.d.sync += waits.eq(1)", "m.d.sync += waits.eq(0)", "a run in the cycle after next|in order"),
        pytest.param(
            "step.eq(Mux(waits, waiting, counted))", "step.eq(counted)", "in order", marks=pytest.mark.slow
        ),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(runs({}, mutant(RunGenerator, place, planted)), tmp_path, depth=3)
