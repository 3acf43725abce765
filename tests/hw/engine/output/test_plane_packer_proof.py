# amaranth: UnusedElaboratable=no
"""The plane packer, by induction: a layer's map is written word by word, each once, none beyond the map."""

import pytest
from amaranth import Mux, Signal

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.plane_packer import PlanePacker

from ....mutants import mutant
from ....proofs import Bench, Refuted, inner, prove

# The narrowest words; up to three codes a cycle need four lanes, whose ends fall anywhere in a word.
SMALL = EngineConfig(
    lanes=8, rows=3, quant=3, fetch_bits=8, a_bits=2, out_bits=1, feature_depth=8, image_depth=2
)
ONE = SMALL.replace(rows=1, quant=1)
FETCH = 8


def layers(config, of=PlanePacker):
    """Maps of any number of codes at any address where they fit; codes whenever they come, the next map at
    any time."""
    dut = of(config)
    seen, bench = inner(dut), Bench(dut=dut)
    m, depth, past = bench.m, config.feature_depth, bench.past
    size = (depth * FETCH).bit_length()
    # The map's codes and address; codes that came, and had a cycle before; words that were written.
    codes, address = Signal(size), Signal.like(dut.address)
    came, before, written = Signal(size), Signal(size), Signal(range(depth + 1))
    comes, runs = Signal(range(config.total_quant + 1)), Signal()
    new_codes = bench.free("new_codes", size)
    m.d.comb += comes.eq(Mux(dut.valid, dut.count, 0))
    m.d.sync += [came.eq(came + comes), before.eq(came), written.eq(written + dut.w_en)]
    with m.If(dut.done):
        m.d.sync += runs.eq(0)
    with m.If(dut.start):
        m.d.sync += [codes.eq(new_codes), address.eq(dut.address), runs.eq(1)]
        m.d.sync += [came.eq(0), before.eq(0), written.eq(0)]
    words = (codes + FETCH - 1) >> 3
    bench.assume(
        ~dut.image & ~dut.image_valid,
        (new_codes != 0) & (dut.address + ((new_codes + FETCH - 1) >> 3) <= depth),
        ~dut.valid | runs & (dut.count != 0) & (dut.count <= config.total_quant),
        (came + comes <= codes) & (~dut.valid | (dut.last == (came + comes == codes))),
    )
    bench.always("in the map", ~dut.w_en | (runs & (written < words)))
    bench.always("word by word", ~dut.w_en | (dut.w_address == address + written))
    bench.always("all of it", ~dut.done | (written + dut.w_en == words))
    ended = past(dut.valid & dut.last & ~dut.start) & ~dut.start
    bench.always("done two cycles behind the last codes", dut.done == past(ended))
    bench.cover("a word and a part", dut.done & (codes == FETCH + 1))
    bench.cover("whole words", dut.done & (codes == 2 * FETCH))
    # For the induction.
    lanes, places = len(seen.places), len(seen.places[0])
    bench.lemma("runs", (runs | (came == codes)) & (came <= codes))
    bench.lemma(
        "ends", (seen.ending == past(dut.valid & dut.last & ~dut.start)) & (seen.flushing == past(ended))
    )
    bench.lemma("ended", (seen.ending | seen.flushing) == (runs & (came == codes)))
    bench.lemma("flushed", seen.flushing == (runs & (before == codes)))
    bench.lemma("some codes", ~runs | (codes != 0))
    bench.lemma("fits", ~runs | (address + words <= depth))
    bench.lemma("before", before <= came)
    bench.lemma("address", ~runs | (dut.w_address == (address + written)[: len(dut.w_address)]))
    bench.lemma("written", ~runs | (written == before >> 3))
    bench.lemma("filled", ~runs | (seen.filled == ((came >> 3) != (before >> 3))))
    bench.lemma("first", ~runs | (seen.first == came[: len(seen.first)]))
    bench.lemma("begun", ~runs | past(dut.start) | (seen.begun == (before[:3] != 0)))
    bench.lemma("a layer", ~seen.image)
    for lane, place in enumerate(seen.places):
        taken = (came + lanes - 1 - lane) >> (lanes - 1).bit_length()
        bench.lemma(f"place {lane}", ~runs | (place == 1 << taken[: (places - 1).bit_length()]))
    return bench


@pytest.mark.parametrize("config", [SMALL, ONE], ids=["three", "one"])
def test_maps(config, tmp_path):
    prove(layers(config), tmp_path, depth=3)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("self.w_address.eq(self.w_address + 1)", "self.w_address.eq(self.w_address + 2)", "word by word"),
        ("take.eq(filled | (flush & begun))", "take.eq(filled | flush)", "in the map"),
        ("fills &= places[-1][-1]", "fills &= places[-1][0]", "in the map|all of it"),
        ("                filled.eq(0),\n", "", "in the map|word by word"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    with pytest.raises(Refuted, match=found):
        prove(layers(SMALL, mutant(PlanePacker, place, planted)), tmp_path, depth=3)
