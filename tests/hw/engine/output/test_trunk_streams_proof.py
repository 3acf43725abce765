# amaranth: UnusedElaboratable=no
"""Streams of trunks, by induction: their rules; no group is lost, repeated, invented or exchanged, because
tiles end only where groups, and places, are theirs."""

import pytest
from amaranth import Cat, Mux, Signal

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.trunk_streams import TrunkStreams

from ....mutants import mutant
from ....proofs import Bench, Refuted, inner, prove
from ...queue_order import follow
from ...stream_rules import sends_by_the_rules, stream_rules

# The shortest queues that a configuration may have. A group only passes through, whatever its width.
SMALL = EngineConfig(
    lanes=8,
    rows=4,
    quant=1,
    fetch_bits=8,
    acc_bits=4,
    trunk_bits=4,
    trunk_depth=4,
    trunks="stream",
    layer_depth=2,
    checks="none",
)
GUARDED = SMALL.replace(checks="basic")


def tiles(of=TrunkStreams, config=SMALL):
    """Tiles end whenever they may and somebody likes; their groups are taken, and kept, at any time behind
    that, and an image finishes when none is left to be. Where the engine is guarded it may be idle then, for
    any time, and packets say whose they are."""
    dut = of(config)
    seen, bench = inner(dut), Bench(dut=dut)
    m, layer, depth, ends = bench.m, dut.layer, config.trunk_depth, dut.tile.ends
    needed = Mux(dut.tile.last, layer.last_groups, layer.full_groups)
    to_take, to_keep = Signal(range(2 * depth)), Signal(range(2 * depth))
    m.d.sync += [
        to_take.eq(to_take + Mux(ends & layer.trunk_add, needed, 0) - dut.take),
        to_keep.eq(to_keep + Mux(ends & layer.trunk_store, needed, 0) - dut.keep),
    ]
    drops = dut.finished | dut.idle if config.guarded else dut.finished
    sends_by_the_rules(bench, dut.i)
    asked = Cat(layer.trunk_add, layer.trunk_store, layer.full_groups, layer.last_groups, dut.tile.last)
    bench.assume(
        (layer.full_groups >= 1) & (layer.full_groups <= depth),
        (layer.last_groups >= 1) & (layer.last_groups <= layer.full_groups),
        # What `tile_ready` is about is what it was asked for a cycle before.
        ~ends | (dut.tile_ready & ~bench.past(ends)),
        ~ends | (asked == bench.past(asked)),
        ~dut.take | (to_take != 0),
        ~dut.keep | (to_keep != 0),
        # An image finishes behind its last group, and no tile of the next one ends at once.
        ~drops | ((to_take == 0) & ~ends),
        ~(bench.past(drops) & ends),
    )
    stream_rules(bench, dut.o)
    arrived, leaving = seen.arrived, seen.leaving
    bits = len(dut.taken)
    comes = dut.i.valid & dut.i.ready
    bench.always("what is taken", dut.taken == arrived.r_data[:bits])
    wrong = dut.take & (arrived.r_data[bits] != dut.take_last)
    if config.guarded:
        others = dut.take & (arrived.r_data[bits + 1 :][: config.pass_bits] != layer.trunk_from)
        bench.always("wrong", ~(wrong | others) | dut.wrong)
        # A tile that waits may be told that its packet has no more.
        bench.always("nothing else is wrong", ~dut.wrong | wrong | others | dut.waits)
        number = Signal(config.pass_bits)
        m.d.sync += number.eq(Mux(drops, 0, number + dut.ended))
        bench.always("kept with its numbers", leaving.w_data[bits + 1 :] == Cat(number, dut.image))
        of_others = dut.i.payload.id[config.pass_bits :] != dut.image
        bench.always("what is of another image", ~arrived.w_en | ~of_others)
        bench.cover("what is of another image comes", comes & of_others)
        comes = comes & ~of_others
        bench.always("leaves with it", dut.o.payload.id == leaving.r_data[bits + 1 :])
        bench.cover("a tile is told", dut.wrong & ~dut.take)
    else:
        bench.always("wrong", dut.wrong == wrong)
    bench.always("kept as last", leaving.w_data[bits] == dut.keep_last)
    bench.always("what leaves", dut.o.payload.data == leaving.r_data[:bits])
    bench.always("the pass's last leaves as last", dut.o.payload.last == leaving.r_data[bits])
    follow(
        bench,
        arrived,
        "dut.arrived",
        enters=comes,
        entry=arrived.w_data,
        leaves=dut.take,
        offered=arrived.r_data,
        name="arrived",
        clears=drops,
    )
    follow(
        bench,
        leaving,
        "dut.leaving",
        enters=dut.keep,
        entry=leaving.w_data,
        leaves=dut.o.valid & dut.o.ready,
        offered=leaving.r_data,
        name="leaving",
    )
    bench.cover("a whole queue for one tile", ends & layer.trunk_add & layer.trunk_store & (needed == depth))
    bench.lemma("groups", arrived.level == seen.groups + to_take)
    bench.lemma("places", seen.places + to_keep + leaving.level == depth)
    return bench


@pytest.mark.parametrize("config", [SMALL, GUARDED], ids=["plain", "guarded"])
def test_no_group_is_lost(config, tmp_path):
    prove(tiles(config=config), tmp_path, depth=3)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("leaving.r_en.eq(self.o.ready)", "leaving.r_en.eq(1)", "o: "),
        (
            "self.o.payload.data.eq(leaving",
            "self.o.payload.data.eq(self.o.ready ^ leaving",
            "what leaves",
        ),
        ("places >= needed", "places + 1 >= needed", "leaving: only where there is room"),
        ("groups >= needed", "groups + 1 >= needed", "arrived: only what there is"),
        pytest.param(
            "comes = beat & ~old",
            "comes = self.i.valid & ~old",
            "arrived: only what there is",
            marks=pytest.mark.slow,
        ),
        ("ResetInserter(drops)(arrived)", "arrived", "arrived: is emptied"),
        ("!= self.take_last", "== self.take_last", "wrong"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(tiles(mutant(TrunkStreams, place, planted)), tmp_path, depth=3, within=14)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("wrong = wrong | (source != layer.trunk_from)", "wrong = wrong", "wrong"),
        ("with m.If(self.ended):", "with m.If(self.ended & self.keep):", "kept with its numbers"),
    ],
)
def test_planted_faults_of_guards_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(tiles(mutant(TrunkStreams, place, planted), GUARDED), tmp_path, depth=3, within=14)
