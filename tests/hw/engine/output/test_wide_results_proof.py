# amaranth: UnusedElaboratable=no
"""Wide results, by induction: the rules of the stream; no group is lost, repeated, invented or exchanged,
because tiles end only where there is room for their groups."""

import pytest
from amaranth import Cat, Mux, Signal

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.wide_results import WideResults
from dorefa.hw.lib.delay import delayed

from ....mutants import mutant
from ....proofs import Bench, Refuted, inner, prove
from ...queue_order import follow
from ...stream_rules import stream_rules

AHEAD = 1
# One channel a group: sums only pass through, however many. Two groups a tile.
SMALL = EngineConfig(lanes=8, rows=2, quant=1, fetch_bits=8, acc_bits=4, results="wide")


def tiles(config=SMALL, of=WideResults):
    """Tiles end whenever they may and somebody likes, as the issue and the drain let them: when all groups of
    the tile before have left the drain. Groups come `AHEAD` cycles behind the end."""
    dut = of(config, ahead=AHEAD)
    seen, bench = inner(dut), Bench(dut=dut, driven=["dut.layer", "dut.tile", "dut.valid"])
    m, queue, wants, last = bench.m, dut.queue, bench.free("wants", 1), bench.free("last", 1)
    most = -(-config.rows // config.quant)
    # Groups of the last tile that have not left the drain, and those that are on their way to the queue.
    left, owed = Signal(range(most)), Signal(range(queue.depth + most + 1))
    ends, leaves, groups = Signal(), Signal(), Signal(range(most + 1))
    m.d.comb += [
        dut.layer.raw.eq(1),
        dut.layer.full_groups.eq(most),
        dut.layer.last_groups.eq(1),
        groups.eq(Mux(last, 1, most)),
        ends.eq(wants & dut.tile_ready & (left == 0)),
        leaves.eq(ends | (left != 0)),
        dut.tile.ends.eq(ends),
        dut.tile.last.eq(last),
        dut.valid.eq(delayed(m, leaves, AHEAD, "way")),
    ]
    m.d.sync += [
        left.eq(Mux(ends, groups - 1, left - (left != 0))),
        owed.eq(owed + Mux(ends, groups, 0) - queue.w_en),
    ]
    stream_rules(bench, dut.o)
    enters, transfer = queue.w_en, dut.o.valid & dut.o.ready
    follow(
        bench,
        queue,
        "dut.queue",
        enters=enters,
        entry=queue.w_data,
        leaves=transfer,
        offered=queue.r_data,
        name="queue",
    )
    stages = dut.latency(config) - 2
    value = delayed(m, dut.values[0], stages, "value_then")
    lacks = delayed(m, dut.offsets[0], 1, "offset_then") if config.xnor else 0
    total = (value + lacks)[: config.acc_bits]
    bench.always("a group's sums are written with it", enters == delayed(m, dut.valid, stages, "valid_then"))
    bench.always("sums", ~enters | (seen.written.sums[0].as_unsigned() == total))
    bench.always("an end is a transfer", ~dut.done | transfer)
    bench.cover("a tile waits", wants & (left == 0) & ~dut.tile_ready)
    way = Signal(AHEAD + dut.latency(config) - 2)
    m.d.sync += way.eq(Cat(leaves, way))
    bench.lemma("promises", dut.spare + most + owed + queue.level == queue.depth)
    bench.lemma("spare", dut.spare >= -most)
    bench.lemma("owed", owed == left + sum(way))
    bench.lemma("left", left < most)
    bench.lemma("way", enters == way[-1])
    return bench


@pytest.mark.parametrize("encoding", ["bipolar", pytest.param("twos_complement", marks=pytest.mark.slow)])
def test_no_group_is_lost(encoding, tmp_path):
    prove(tiles(SMALL.replace(encoding=encoding)), tmp_path, depth=4)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("spare >= 0", "spare >= -1", "queue: only where there is room"),
        ("queue.r_en.eq(self.o.ready)", "queue.r_en.eq(1)", "o: |queue: in order"),
        ("self.done.eq(self.o.valid & self.o.ready &", "self.done.eq(", "an end is a transfer"),
        ('delayed(m, self.valid, stages, "valid")', 'delayed(m, self.valid, 1, "valid")', "a group's sums"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(tiles(of=mutant(WideResults, place, planted)), tmp_path, depth=4)
